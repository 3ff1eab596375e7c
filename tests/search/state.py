"""What the world is at one moment, as values that can be compared, kept and put back."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .database import Content

__all__ = ["Flight", "Hand", "Outcome", "Permit", "Phase", "Process", "State", "Step", "What"]


class Phase(IntEnum):
    """How far a worker is with a chunk, as it knows itself."""

    TAKEN = 0
    SENT = 1
    """The first byte of the request has left."""
    ENDED = 2
    """It knows what became of the request, and has to write that down."""


class Outcome(IntEnum):
    """What became of a request, as its worker knows it."""

    NONE = 0
    ACCEPTED = 1
    NOT_SENT = 2
    """It began too late, or the service said: not now."""
    UNKNOWN = 3


class Permit(NamedTuple):
    """Of a grant, what its worker has to remember."""

    id: int
    latest: float


class Hand(NamedTuple):
    """What a process knows of a chunk that it has taken: as which worker, with which ticket, when
    it asked for it, and the request's permit. ``acted``: the response on its way to it is that of a
    service that acted.
    """

    phase: Phase
    worker: int
    chunk: int
    number: int
    asked: float
    permit: Permit | None
    acted: bool = False
    outcome: Outcome = Outcome.NONE


class Process(NamedTuple):
    """A process that works on the job as the worker of this number; 0: there is none. ``stopped``:
    it has heard that it counts as dead, and takes nothing more.
    """

    worker: int = 0
    hands: tuple[Hand, ...] = ()
    stopped: bool = False


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
    SEND = 2
    TOO_LATE = 3
    ARRIVE = 4
    TURN_DOWN = 5
    RESPONSE = 6
    NO_RESPONSE = 7
    SETTLE = 8
    SETTLE_UNHEARD = 9
    LOOK = 10
    CRASH = 11
    JOIN = 12
    NOT_SENT = 13
    WAS_SENT = 14
    FAIL_OVER = 15


class Step(NamedTuple):
    """One thing that happens: to which process or request, by its place among all, and ``which`` of
    a process's hands, or of the chunks; of time, until when it passes.
    """

    what: What
    who: int = 0
    which: int = 0
    until: float = 0.0
