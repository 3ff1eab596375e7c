"""A circuit breaker: once the outcome of a request is unknown, one goes out at a time."""

from __future__ import annotations

from mailkit.bulk.journal import Ticket

__all__ = ["Breaker"]


class Breaker:
    """Counts unknown outcomes in a row, of requests that must not be repeated.

    A network that is cut takes the responses of all requests under way, and that counts as one:
    after the first of them the breaker is half open. One request goes out at a time, and only how
    that one ends counts, until one is taken.
    """

    def __init__(self) -> None:
        self.unknown = 0
        """How many outcomes in a row are unknown."""
        self._probe: Ticket | None = None

    @property
    def waits(self) -> bool:
        """Whether nothing may begin: the one request that may is under way."""
        return self._probe is not None

    def begins(self, ticket: Ticket) -> None:
        """The request goes out."""
        if self.unknown:
            self._probe = ticket

    def ended(self, ticket: Ticket) -> None:
        """The request has ended in a way that does not say whether the next one is safe."""
        if ticket == self._probe:
            self._probe = None

    def taken(self, ticket: Ticket) -> None:
        """The provider took it."""
        if ticket == self._probe:
            self._probe = None
            self.unknown = 0

    def doubted(self, ticket: Ticket) -> bool:
        """Its outcome is unknown; whether that counts."""
        counts = not self.unknown or ticket == self._probe
        if counts:
            self._probe = None
            self.unknown += 1
        return counts
