"""What a job waits for, as a value and as people read it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

__all__ = ["Waiting"]


@attrs.frozen
class Waiting:
    """``why`` the next request waits, and ``until`` when; None if unknown. ``sent``: everything is
    sent, and the request only checks on it. ``quota`` is the name of the quota that is used up, if
    that is the reason.
    """

    until: datetime | None
    why: str
    sent: bool = False
    quota: str | None = None

    def words(self, at: Callable[[datetime], str]) -> str:
        """The same as a sentence; ``at`` writes a time."""
        if self.until is None:
            return f"waiting for {self.why}"
        if self.quota is not None:
            return f"next {self.quota.removesuffix('s')} at {at(self.until)}: {self.why} is used up"
        return f"{'next check at' if self.sent else 'waiting until'} {at(self.until)}: {self.why}"

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON; the time is ISO 8601 in UTC."""
        return {
            "until": self.until and self.until.isoformat(timespec="seconds"),
            "why": self.why,
            "sent": self.sent,
            "quota": self.quota,
        }
