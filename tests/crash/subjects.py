"""The providers of the crash proof: client, message, list, and which end states are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import attrs

from mailkit import Devino, Message, Quota, SendPulse, SmsBy
from mailkit.bulk.journal import RowRecord
from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.jobs import Jobs
from mailkit.bulk.journal.planning import Planning
from mailkit.bulk.journal.statuses import Statuses
from mailkit.bulk.journal.workers import Workers
from mailkit.core.clock import Clock
from mailkit.providers import devino, sendpulse, smsby
from mailkit.providers.sendpulse.dispatch import SendPulseDispatch

from .sandbox import CAMPAIGNS, SPEED, WINDOW, Place

__all__ = [
    "ROWS_A_CHUNK",
    "SUBJECTS",
    "Kind",
    "Subject",
    "Transition",
    "sendpulse_client",
    "subject_of",
]

ROWS_A_CHUNK = 50


class Transition(NamedTuple):
    """A write of the journal, or something else that a job does; at one stage, if it is given."""

    owner: type
    name: str
    stage: str = ""


PLANNING = (
    Transition(Jobs, "create"),
    Transition(Planning, "add"),
    Transition(Planning, "mark_duplicates"),
    Transition(Planning, "mark_suppressed"),
    Transition(Planning, "cut"),
    Transition(Jobs, "finish_planning"),
)
SENDING = (
    Transition(Workers, "join"),
    Transition(Chunks, "take"),
    Transition(Chunks, "accept"),
)
POLLING = (Transition(Statuses, "reconcile"),)
STAGES = (
    *(
        Transition(Chunks, what, stage)
        for what in ("take", "advance")
        for stage in ("list", "screen", "load", "ready", "compare", "afford")
    ),
    *(Transition(SendPulseDispatch, "perform", stage) for stage in ("list", "load", "send")),
    Transition(Chunks, "wait"),
    Transition(Chunks, "halve_part"),
    Transition(Chunks, "take", "send"),
    Transition(SendPulseDispatch, "settle"),
    Transition(Chunks, "settle"),
    Transition(SendPulseDispatch, "poll"),
)


class Kind(Enum):
    """Whom a line of the list stands for."""

    GOOD = "to be mailed, once"
    REFUSED = "refused by the service alone, never mailed"
    UNNAMED = "not named in the service's answers, never mailed"
    UNTOLD = "taken by the service, never mailed"
    OPTED_OUT = "must not be mailed, as the service knows before it is asked to"
    MALFORMED = "not sent to the service at all"
    DUPLICATE = "of a good one"


Make = Callable[[Place, Clock], Devino | SmsBy | SendPulse]


@attrs.frozen
class Subject:
    """A provider under proof.

    ``client`` makes the real one. ``acts`` are the requests that bring a job forward, the last of
    which sends a chunk, ``acts_a_chunk`` how many there are for ROWS_A_CHUNK. ``strange`` maps
    beginnings of addresses that the service has its own ways with to their kinds; ``sending`` are
    the writes once a job is planned, ``speed`` is that of its clock, ``looks_a_second`` how
    often the observers take their turn. ``settles``: no doubt is left to a person. ``posts``: it
    has webhooks.
    """

    name: str
    message: Message
    client: Make
    acts: Sequence[str]
    sending: Sequence[Transition]
    strange: Mapping[str, Kind]
    tells_at_once: bool
    acts_a_chunk: int = 1
    speed: float = 1.0
    looks_a_second: float = 30.0
    settles: bool = False
    posts: bool = False

    @property
    def transitions(self) -> Sequence[Transition]:
        """Every write of the journal that a job without trouble makes."""
        return (*PLANNING, *self.sending)

    def right(self, row: RowRecord, kind: Kind, mailed: bool) -> bool:
        """Whether this is how such a row may end, once a person has ended the doubts."""
        match row.state:
            case "accepted" if kind is Kind.UNNAMED or (
                kind is Kind.REFUSED and self.tells_at_once
            ):
                return not mailed and row.reason == "resolved by a person"
            case "accepted":
                return kind is not Kind.OPTED_OUT and (
                    mailed or kind in (Kind.REFUSED, Kind.UNTOLD)
                )
            case "rejected":
                return kind is Kind.REFUSED and not mailed
            case "suppressed":
                return kind is Kind.OPTED_OUT and not mailed
            case "unsent":
                return not mailed
            case "invalid":
                return kind is Kind.MALFORMED
            case "duplicate":
                return kind is Kind.DUPLICATE
            case _:
                return False


def _smsby(place: Place, clock: Clock) -> SmsBy:
    token = place.environment["MAILKIT_SMSBY_TOKEN"]
    return SmsBy(
        token, place.url, clock=clock, limits=smsby.ChunkLimits(personal_rows=ROWS_A_CHUNK)
    )


def _devino(place: Place, clock: Clock) -> Devino:
    key = place.environment["MAILKIT_DEVINO_API_KEY"]
    return Devino(key, place.url, clock=clock, limits=devino.ChunkLimits(rows=ROWS_A_CHUNK))


def sendpulse_client(limits: sendpulse.ChunkLimits) -> Make:
    """What makes a client of SendPulse with these limits."""

    def make(place: Place, clock: Clock) -> SendPulse:
        return SendPulse(
            place.environment["MAILKIT_SENDPULSE_CLIENT_ID"],
            place.environment["MAILKIT_SENDPULSE_CLIENT_SECRET"],
            place.url,
            clock=clock,
            campaigns=Quota(CAMPAIGNS, WINDOW, "campaigns"),
            limits=limits,
        )

    return make


SMALL = sendpulse.ChunkLimits(
    rows=2 * ROWS_A_CHUNK, part_rows=ROWS_A_CHUNK, lookup_rows=ROWS_A_CHUNK // 2
)

SUBJECTS = {
    "smsby": Subject(
        "smsby",
        Message(sender="Shop <a@b.by>", subject="Hi {{ name }}", html="<p>Hi {{ name }}</p>"),
        _smsby,
        ["smsby.bulk.send"],
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
        _devino,
        ["devino.messages.send"],
        SENDING,
        {"invalid": Kind.REFUSED, "missing": Kind.UNNAMED, "unsubscribed": Kind.UNTOLD},
        tells_at_once=True,
        posts=True,
    ),
    "sendpulse": Subject(
        "sendpulse",
        Message(sender="Shop <news@shop.by>", subject="Hi {{ name }}", html="<p>Hi {{ name }}</p>"),
        sendpulse_client(SMALL),
        [
            "sendpulse.mailing_lists.create",
            "sendpulse.mailing_lists.add_contacts",
            "sendpulse.campaigns.create",
        ],
        (*SENDING, *STAGES, *POLLING),
        {
            "invalid": Kind.REFUSED,
            "missing": Kind.REFUSED,
            "unsubscribed": Kind.OPTED_OUT,
            "left": Kind.OPTED_OUT,
            "blocked": Kind.OPTED_OUT,
        },
        tells_at_once=True,
        acts_a_chunk=2,
        speed=SPEED,
        looks_a_second=10.0,
        settles=True,
        posts=True,
    ),
}


def subject_of(seed: int, name: str | None) -> Subject:
    """The provider of that name; without one they go round with the seeds."""
    return SUBJECTS[name or sorted(SUBJECTS)[seed % len(SUBJECTS)]]
