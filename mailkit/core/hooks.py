"""What a client reports about its attempts."""

from __future__ import annotations

from typing import Protocol

import attrs

from mailkit.core.retry import Outcome

__all__ = ["Attempt", "Hook"]


@attrs.frozen
class Attempt:
    """One attempt of a call, as hooks see it: before it (no outcome yet) and after it.

    ``call`` is the name, such as ``emails.send``, ``kind`` the call's class name, ``route`` its
    path with the fields' names. Never holds credentials, addresses or bodies.
    """

    provider: str
    call: str
    kind: str
    verb: str
    route: str
    attempt: int
    outcome: Outcome | None = None
    status: int | None = None
    seconds: float = 0.0


class Hook(Protocol):
    """A function that is called before and after each attempt of a call; must return at once. Its
    exceptions are logged, and change nothing.
    """

    def __call__(self, attempt: Attempt, /) -> None:
        """Take note of the attempt."""
        ...
