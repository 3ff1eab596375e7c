"""The providers of the crash proof: client, message, list, and which end states are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import attrs

from mailkit import Devino, Message, SmsBy
from mailkit.bulk.journal import RowRecord
from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.jobs import Jobs
from mailkit.bulk.journal.planning import Planning
from mailkit.bulk.journal.statuses import Statuses
from mailkit.bulk.journal.workers import Workers
from mailkit.providers import devino, smsby

ROWS_A_CHUNK = 50

PLANNING: Sequence[tuple[type, str]] = (
    (Jobs, "create"),
    (Planning, "add"),
    (Planning, "mark_duplicates"),
    (Planning, "mark_suppressed"),
    (Planning, "cut"),
    (Jobs, "finish_planning"),
)
SENDING: Sequence[tuple[type, str]] = ((Workers, "join"), (Chunks, "take"), (Chunks, "accept"))
POLLING: Sequence[tuple[type, str]] = ((Statuses, "reconcile"),)


class Kind(Enum):
    """Whom a line of the list stands for."""

    GOOD = "to be mailed, once"
    REFUSED = "refused by the service alone, never mailed"
    UNNAMED = "not named in the service's answers, never mailed"
    UNTOLD = "taken by the service, never mailed"
    MALFORMED = "not sent to the service at all"
    DUPLICATE = "of a good one"


@attrs.frozen
class Subject:
    """A provider under proof. ``strange`` maps beginnings of addresses that the service has its
    own ways with to their kinds; ``sending`` are the writes once a job is planned.
    """

    name: str
    message: Message
    sending: Sequence[tuple[type, str]]
    strange: Mapping[str, Kind]
    tells_at_once: bool

    @property
    def operation(self) -> str:
        """What the service calls a chunk's request."""
        return {"smsby": "smsby.bulk.send", "devino": "devino.messages.send"}[self.name]

    @property
    def transitions(self) -> Sequence[tuple[type, str]]:
        """Every write of the journal that a job without trouble makes."""
        return (*PLANNING, *self.sending)

    def client(self, url: str, key: str) -> Devino | SmsBy:
        """The real client, for chunks of ROWS_A_CHUNK."""
        if self.name == "devino":
            return Devino(key, url, limits=devino.ChunkLimits(rows=ROWS_A_CHUNK))
        return SmsBy(key, url, limits=smsby.ChunkLimits(personal_rows=ROWS_A_CHUNK))

    def right(self, row: RowRecord, kind: Kind, mailed: bool) -> bool:
        """Whether this is how such a row may end, once a person has ended the doubts."""
        match row.state:
            case "accepted" if kind is Kind.UNNAMED or (
                kind is Kind.REFUSED and self.tells_at_once
            ):
                return not mailed and row.reason == "resolved by a person"
            case "accepted":
                return mailed or kind in (Kind.REFUSED, Kind.UNTOLD)
            case "rejected":
                return kind is Kind.REFUSED and not mailed
            case "unsent":
                return not mailed
            case "invalid":
                return kind is Kind.MALFORMED
            case "duplicate":
                return kind is Kind.DUPLICATE
            case _:
                return False


SUBJECTS = {
    "smsby": Subject(
        "smsby",
        Message(sender="Shop <a@b.by>", subject="Hi {{ name }}", html="<p>Hi {{ name }}</p>"),
        (*SENDING, *POLLING),
        {"invalid": Kind.REFUSED},
        tells_at_once=False,
    ),
    "devino": Subject(
        "devino",
        Message(
            sender="Shop <a@b.by>",
            subject="Hi",
            html="<p>Hi {{ name }}</p><a href='{{ unsubscribe }}'>Leave</a>",
        ),
        SENDING,
        {"invalid": Kind.REFUSED, "missing": Kind.UNNAMED, "unsubscribed": Kind.UNTOLD},
        tells_at_once=True,
    ),
}


def subject_of(seed: int, name: str | None) -> Subject:
    """The provider of that name; without one they go round with the seeds."""
    return SUBJECTS[name or sorted(SUBJECTS)[seed % len(SUBJECTS)]]
