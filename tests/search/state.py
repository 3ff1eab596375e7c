"""What the world is at one moment, as values that can be compared, kept and put back."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .database import Content

__all__ = [
    "Flight",
    "Hand",
    "News",
    "Outcome",
    "Permit",
    "Phase",
    "Process",
    "State",
    "Step",
    "What",
]


class Phase(IntEnum):
    """How far a process is with a chunk, as it knows itself."""

    ASKED = 0
    """It has asked for a chunk, and got this one; the answer is on its way."""
    UNDONE = 1
    """The same, but the database has undone the take since."""
    TAKEN = 2
    SENT = 3
    """The first byte of the request has left."""
    ENDED = 4
    """It knows what became of the request, and has to write that down."""
    UNCONFIRMED = 5
    """The answer to its take was lost: it does not send the chunk, and has to release it."""


class Outcome(IntEnum):
    """What became of a request, as its process knows it."""

    NONE = 0
    ACCEPTED = 1
    NOT_SENT = 2
    """It began too late, or the service said: not now."""
    UNKNOWN = 3


class Permit(NamedTuple):
    """Of a grant, what its process has to remember."""

    id: int
    zero: float
    latest: float


class Hand(NamedTuple):
    """What a process knows of a chunk that it has taken: as which worker, with which ticket, when
    it asked for it, and the request's permit. ``acted``: the response on its way to it is that of a
    service that acted. ``again``: what it wrote down last had no answer, and it will do so again.
    """

    phase: Phase
    worker: int
    chunk: int
    number: int
    asked: float
    permit: Permit | None
    acted: bool = False
    outcome: Outcome = Outcome.NONE
    again: bool = False


class News(NamedTuple):
    """What the service has told a process of a chunk in doubt, and when it was asked."""

    chunk: int
    number: int
    has_it: bool
    asked: float


class Process(NamedTuple):
    """A process that works on the job as the worker of this number; 0: there is none. ``stopped``:
    it has heard that it counts as dead, and takes nothing more. One that is ``silent`` does not
    renew its lease: it is stopped, or can't reach the database, whatever it does in between. It
    looks for chunks ``after`` the one of this number first.
    """

    worker: int = 0
    hands: tuple[Hand, ...] = ()
    stopped: bool = False
    silent: bool = False
    after: int = 0
    news: News | None = None


class Flight(NamedTuple):
    """A request on its way to the service: of which ticket, when the chunk was taken, and when the
    first byte left.
    """

    worker: int
    chunk: int
    number: int
    started: float
    left: float


class State(NamedTuple):
    """The whole world. ``standby`` is what the database would remember if it failed now;
    ``mailed`` says of each chunk whether the service has it, and ``arrivals`` when requests came
    lately.
    """

    time: float
    content: Content
    standby: Content
    processes: tuple[Process, ...]
    flights: tuple[Flight, ...]
    mailed: tuple[bool, ...]
    arrivals: tuple[float, ...]
    failovers: int = 0


class What(IntEnum):
    """What can happen."""

    TIME = 0
    TAKE = 1
    ASK = 2
    """A take whose answer is not there at once."""
    ASK_IN_VAIN = 3
    """The same, but the database undoes it."""
    HEAR = 4
    HEAR_NOTHING = 5
    RELEASE = 6
    RELEASE_UNHEARD = 7
    """The same, but its answer is lost: it is done again later."""
    SEND = 8
    TOO_LATE = 9
    ARRIVE = 10
    TURN_DOWN = 11
    RESPONSE = 12
    NO_RESPONSE = 13
    SETTLE = 14
    SETTLE_UNHEARD = 15
    FALL_SILENT = 16
    SPEAK = 17
    LOOK = 18
    CRASH = 19
    JOIN = 20
    """It starts, as a new worker, also right after it was killed."""
    NOT_SENT = 21
    WAS_SENT = 22
    FAIL_OVER = 23
    ASK_SERVICE = 24
    """What became of a chunk in doubt."""
    TELL = 25


class Step(NamedTuple):
    """One thing that happens: to which process or request, by its place among all, and ``which`` of
    a process's hands, or of the chunks; of time, until when it passes.
    """

    what: What
    who: int = 0
    which: int = 0
    until: float = 0.0
