"""What a receiver has taken since it was opened."""

from __future__ import annotations

import attrs

from mailkit.bulk.journal import Recorded

__all__ = ["WebhookCounts"]


@attrs.frozen
class WebhookCounts:
    """Posts that were answered with 200, and what became of their events: see `Recorded`; and how
    many requests were not taken.

    ``left_out``: items that could not be read, of posts that were taken for the sake of the others.
    ``broken``: bodies that could not be read. ``strangers``: requests without the secret.
    ``unwritten``: posts that the journal could not take; they come again.
    """

    posts: int = 0
    events: int = 0
    applied: int = 0
    repeated: int = 0
    parked: int = 0
    foreign: int = 0
    other: int = 0
    left_out: int = 0
    broken: int = 0
    strangers: int = 0
    unwritten: int = 0

    def plus(self, recorded: Recorded, left_out: int) -> WebhookCounts:
        """With one more post."""
        return attrs.evolve(
            self,
            posts=self.posts + 1,
            events=self.events + recorded.new + recorded.repeated,
            applied=self.applied + recorded.applied,
            repeated=self.repeated + recorded.repeated,
            parked=self.parked + recorded.parked,
            foreign=self.foreign + recorded.foreign,
            other=self.other + recorded.other,
            left_out=self.left_out + left_out,
        )
