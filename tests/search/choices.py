"""What can happen next in a made-up world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from mailkit.bulk.journal.leases import REQUEST_SECONDS
from mailkit.bulk.journal.records import ChunkState
from mailkit.bulk.journal.resolving import HELD_UP_SECONDS, held_up_until
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK

from .journal import CLOCK, EPOCH, Journal, Tickets
from .state import Phase, Process, State, Step, What

__all__ = ["ARRIVES_WITHIN", "HELD_UP", "WINDOW", "Choices", "Size"]

MOMENT = 1.0
"""Seconds after which something is certainly over that ends at a time."""
ARRIVES_WITHIN = REQUEST_SECONDS + SLACK
"""Seconds after its first byte in which a request arrives that counts in a quota's window."""
HELD_UP = REQUEST_SECONDS + HELD_UP_SECONDS
"""Seconds after its take until which a request may arrive that the network has held up."""
WINDOW = 60.0
_OPEN = {ChunkState.SENDING, ChunkState.IN_DOUBT}


@attrs.frozen
class Size:
    """How large the world is: its processes, the chunks of its job, how many chunks a process has
    under way at once, how many requests the service takes in a minute, and how often the database
    may fail. ``shared``: the processes are on several machines, and
    have leases; else locks. ``can_ask``: the service tells what became of a request.
    """

    processes: int = 3
    chunks: int = 2
    at_once: int = 1
    quota: int = 1
    failovers: int = 1
    shared: bool = True
    can_ask: bool = False

    def __str__(self) -> str:
        lives = "leases" if self.shared else "locks"
        return (
            f"{_counted(self.processes, 'process', 'es')} with {lives}, "
            f"{_counted(self.chunks, 'chunk')}, {self.at_once} at once"
            f"{', a service that can be asked' if self.can_ask else ''}"
        )


class Choices:
    """Finds all steps that a world of this size can go on with."""

    begins_within = BEGINS_WITHIN

    def __init__(self, size: Size, journal: Journal) -> None:
        self._size = size
        self._journal = journal
        self._rows = journal.database.rows

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen next."""
        looked, done = False, set[tuple[Process, float | None]]()
        known, leases = self.known(state), self._leases(state)
        for at, process in enumerate(state.processes):
            if process.worker not in known:  # all that are like this one do the same
                like = process._replace(worker=min(process.worker, 1)), leases.get(process.worker)
                if like in done:
                    continue
                done.add(like)
            if not process.worker or (
                process.stopped and not process.hands and process.news is None
            ):
                yield Step(What.JOIN, at)
            else:
                yield from self._steps_of(state, at, process)
                if process.worker in known:  # else it makes no difference
                    # On several machines, one that stays dead is one that is silent for ever.
                    yield Step(What.JOIN if self._size.shared else What.CRASH, at)
            if process.worker and not looked:  # whoever looks finds the same
                looked = True
                yield Step(What.LOOK, at)
        for at, flight in enumerate(state.flights):
            yield Step(What.ARRIVE, at)
            if state.time <= flight.left + ARRIVES_WITHIN:
                yield Step(What.TURN_DOWN, at)
        for chunk in self._rows(state.content, "chunks"):
            if chunk.state in _OPEN:
                what = What.WAS_SENT if state.mailed[chunk.n - 1] else What.NOT_SENT
                yield Step(what, which=chunk.n)
        for until in self._moments(state):
            yield Step(What.TIME, until=until)
        if state.failovers < self._size.failovers and state.standby != state.content:
            yield Step(What.FAIL_OVER)

    def _steps_of(self, state: State, at: int, process: Process) -> Iterator[Step]:
        for which, hand in enumerate(process.hands):
            match hand.phase:
                case Phase.ASKED:
                    yield Step(What.HEAR, at, which)
                    yield Step(What.HEAR_NOTHING, at, which)
                case Phase.UNDONE:
                    yield Step(What.HEAR_NOTHING, at, which)
                case Phase.UNCONFIRMED:
                    yield Step(What.RELEASE, at, which)
                    yield Step(What.RELEASE_UNHEARD, at, which)
                case Phase.TAKEN:
                    late = state.time > hand.asked + self.begins_within
                    yield Step(What.TOO_LATE if late else What.SEND, at, which)
                case Phase.SENT:
                    if hand.acted:
                        yield Step(What.RESPONSE, at, which)
                    yield Step(What.NO_RESPONSE, at, which)
                case Phase.ENDED:
                    yield Step(What.SETTLE, at, which)
                    if self._size.shared and not hand.again:
                        yield Step(What.SETTLE_UNHEARD, at, which)
        if process.stopped:
            pass
        elif len(process.hands) < self._size.at_once and not any(
            hand.phase is Phase.UNCONFIRMED and not hand.again for hand in process.hands
        ):
            yield Step(What.TAKE, at)
            if self._size.shared:
                yield Step(What.ASK, at)
                yield Step(What.ASK_IN_VAIN, at)
        if process.news is not None:
            yield Step(What.TELL, at)
        elif self._size.can_ask and not process.stopped:
            for which, _ in enumerate(self.doubts(state, process)):
                yield Step(What.ASK_SERVICE, at, which)
        if self._size.shared and (process.hands or process.news is not None):
            yield Step(What.SPEAK if process.silent else What.FALL_SILENT, at)

    def doubts(self, state: State, process: Process) -> Tickets:
        """What the process may ask the service about."""
        if not any(
            chunk.state == ChunkState.IN_DOUBT for chunk in self._rows(state.content, "chunks")
        ):
            return ()
        return self._journal.do(state, self._journal.doubts, process.worker)[1]

    def known(self, state: State) -> set[int]:
        """The workers of which there is more to say than until when they live."""
        known = {hand.worker for process in state.processes for hand in process.hands}
        known |= {flight.worker for flight in state.flights}
        for content in {state.content, state.standby}:
            known |= {chunk.worker for chunk in self._rows(content, "chunks")}
            for waiter in self._rows(content, "waiters"):
                known.add(int(waiter.key.removeprefix("worker ")))
        return known

    def _leases(self, state: State) -> dict[int, float]:
        """Until when workers live."""
        if not self._size.shared:
            return {}
        return {
            worker.id: worker.lease - CLOCK
            for worker in self._rows(state.content, "workers")
            if not worker.ended
        }

    def _moments(self, state: State) -> Sequence[float]:
        """When something ends that matters."""
        ends: list[float] = []
        for process in state.processes:
            for hand in process.hands:
                if hand.phase is Phase.TAKEN:
                    last = hand.asked + BEGINS_WITHIN
                    ends += [last, last + MOMENT]
        for flight in state.flights:
            ends += [flight.left + ARRIVES_WITHIN, flight.started + HELD_UP]
        zero = CLOCK if self._size.shared else 0.0
        ends += [permit.at - zero + WINDOW for permit in self._rows(state.content, "permits")]
        for chunk in self._rows(state.content, "chunks"):
            if chunk.state in _OPEN:
                ends.append(held_up_until(chunk.started, chunk.ended) - EPOCH)
        beating = self.beating(state)
        for worker, lease in self._leases(state).items():
            if worker not in beating:
                ends += [lease, lease + REQUEST_SECONDS]
        return sorted({end for end in ends if end > state.time})

    def beating(self, state: State) -> Sequence[int]:
        """The workers that renew their leases."""
        if not self._size.shared:
            return ()
        return tuple(
            process.worker for process in state.processes if process.worker and not process.silent
        )


def _counted(n: int, what: str, plural: str = "s") -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}{plural}"
