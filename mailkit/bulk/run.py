"""The run of a job, as far as those know it who take part in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from mailkit.bulk.journal import Taken
from mailkit.errors import MailkitError

__all__ = ["Left", "Run"]


class Left(StrEnum):
    """Why a run has left its job to the others who send it."""

    ASKED = "somebody asked it to"
    UNREACHABLE = "it can't reach the provider"
    DOUBTS = "it can't know what becomes of its requests"


class Run(Protocol):
    """Hands tasks out, and ends if it must."""

    async def take(self, *, n: int | None = None, probes: bool = False) -> Taken | None:
        """The chunk of this number, or the next probe, to send it."""
        ...

    async def hand_over(self, taken: Taken) -> None:
        """Send it, and do what follows."""
        ...

    def fail(self, error: MailkitError, reason: str) -> None:
        """Stop everybody for a reason that sending itself has shown."""
        ...

    def give_up(self, why: Left, error: MailkitError, reason: str) -> None:
        """Stop for a reason that may be this machine's: others go on, if there are any."""
        ...

    def may_try(self) -> bool:
        """Whether the run is neither stopped nor on hold."""
        ...
