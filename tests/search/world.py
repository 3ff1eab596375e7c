"""A made-up world around the real operations of the journal: workers, a service, a person, time.

A worker does what the engine does, with the engine's own operations, and remembers what the engine
remembers. It may do its next step at any time, or never: so a process that is stopped for a while,
or one that can't reach the database, is one that takes no step while time passes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from unittest.mock import patch

import attrs

from mailkit.bulk.journal.chunks import Chunks, Taken
from mailkit.bulk.journal.jobs import Jobs
from mailkit.bulk.journal.ledger import Account, Grant, Ledger
from mailkit.bulk.journal.locks import Lock
from mailkit.bulk.journal.planning import PlannedRow, Planning
from mailkit.bulk.journal.records import (
    ChunkState,
    JobRecord,
    Ticket,
    Worker,
)
from mailkit.bulk.journal.reports import Reports
from mailkit.bulk.journal.resolving import HELD_UP_SECONDS, REQUEST_SECONDS, Chosen, Resolving
from mailkit.bulk.journal.workers import Workers
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Sent
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK, Quota
from mailkit.errors import InvalidArgument, JournalError

from .database import Content, Database, MemoryStore, now
from .state import Flight, Hand, Outcome, Permit, Phase, Process, State, Step, What

__all__ = ["MOMENT", "Broken", "Size", "World"]

T = TypeVar("T")

OPERATIONS = 300_000
"""So many are remembered, with what they did."""
MOMENT = 1.0
"""Seconds after which something is certainly over that ends at a time."""
ARRIVES_WITHIN = REQUEST_SECONDS + SLACK
"""Seconds after its first byte in which a request arrives that counts in a quota's window."""
HELD_UP = REQUEST_SECONDS + HELD_UP_SECONDS
"""Seconds after its take until which a request may arrive that the network has held up."""
WINDOW = 60.0
EPOCH = 1_000_000.0  # seconds since 1970 at the time 0
NAME = "autumn"


class Broken(Exception):
    """The promise is broken, in these words."""


@attrs.frozen
class Size:
    """How large the world is: its processes, the chunks of its job, how many chunks a process has
    under way at once, how many requests the service takes in a minute, and how often the database
    may fail.
    """

    processes: int = 3
    chunks: int = 2
    at_once: int = 1
    quota: int = 1
    failovers: int = 1

    def __str__(self) -> str:
        return (
            f"{self.processes} workers, {self.chunks} {'chunk' if self.chunks == 1 else 'chunks'}"
        )


class Time(Clock):
    """The time of all machines and of the database: it passes as a step of its own."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return EPOCH + self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def elapsed(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return ""


class World:
    """Goes from state to state. ``begin`` is the first one: the job is planned, and every process
    has joined it.
    """

    takes_are_durable = True
    begins_within = BEGINS_WITHIN
    unknown = Outcome.UNKNOWN
    """What a process takes a request's outcome for that has no response."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.time = Time()
        self.database = Database()
        self.store = MemoryStore(self.database)
        self._chunks = Chunks(self.store)
        self._workers = Workers(self.store)
        self._resolving = Resolving(self.store)
        self._reports = Reports(self.store)
        self.quota = Quota(size.quota, WINDOW)
        self._ledger = Ledger(Account("fake", "shop", {"requests": self.quota}), self.time)
        self._jobs: dict[int, JobRecord] = {}
        self._done: dict[Hashable, tuple[Content, bool, Any]] = {}
        self._perform = {
            What.TIME: self._pass_time,
            What.TAKE: self._take,
            What.SEND: self._send,
            What.TOO_LATE: self._begin_too_late,
            What.ARRIVE: self._arrive,
            What.TURN_DOWN: self._turn_down,
            What.RESPONSE: self._response,
            What.NO_RESPONSE: self._no_response,
            What.SETTLE: self._settle,
            What.SETTLE_UNHEARD: self._settle,
            What.LOOK: self._look,
            What.CRASH: self._crash,
            What.JOIN: self._join,
            What.NOT_SENT: self._say,
            What.WAS_SENT: self._say,
            What.FAIL_OVER: self._fail_over,
        }
        self._job = self._planned()
        self.begin = self._begin()
        self.database.freeze()
        columns = self.database.columns
        self.states = columns["chunks"].index("state")
        self._owner = columns["chunks"].index("worker")
        self._waiter = columns["waiters"].index("key")

    def _planned(self) -> JobRecord:
        jobs, planning = Jobs(self.store), Planning(self.store)
        job = now(jobs.create(NAME, "fake", "shop", "{}", again=False, now=self.time.now()))
        rows = [
            PlannedRow(job.ids[0] + n, n + 1, f"p{n}@example.com", None, "[]", 10)
            for n in range(1, self.size.chunks + 1)
        ]
        now(planning.add(job, rows, []))
        now(planning.cut(job, rows=1, size=1_000))
        planned = now(
            jobs.finish_planning(job, columns=[], fingerprint=b"", name=None, again=False)
        )
        now(self._workers.leave(planned))
        return attrs.evolve(planned, worker=None)

    def _begin(self) -> State:
        joined = [now(self._workers.join(self._job)) for _ in range(self.size.processes)]
        content = self.database.content()
        processes = tuple(Process(job.worker.id) for job in joined if job.worker is not None)
        return State(0.0, content, content, processes, (), (False,) * self.size.chunks, ())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside of the block all that asks for the time asks this world."""
        with patch("mailkit.bulk.journal.chunks.elapsed", self.time.elapsed):
            yield

    # what can happen

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen next."""
        looked, done = False, set[Process]()
        known = self._known(state)
        for at, process in enumerate(state.processes):
            if process.worker not in known:  # all that are like this one do the same
                like = process._replace(worker=min(process.worker, 1))
                if like in done:
                    continue
                done.add(like)
            if not process.worker or (process.stopped and not process.hands):
                yield Step(What.JOIN, at)
            else:
                yield from self._steps_of(state, at, process)
            if process.worker and not looked:  # whoever looks finds the same
                looked = True
                yield Step(What.LOOK, at)
        for at, flight in enumerate(state.flights):
            yield Step(What.ARRIVE, at)
            if state.time <= flight.left + ARRIVES_WITHIN:
                yield Step(What.TURN_DOWN, at)
        for row in self.database.rows(state.content, "chunks"):
            n, chunk_state = row[1], row[self.states]
            if chunk_state in (ChunkState.IN_DOUBT, ChunkState.SENDING):
                yield Step(What.WAS_SENT if state.mailed[n - 1] else What.NOT_SENT, which=n)
        for until in self._moments(state):
            yield Step(What.TIME, until=until)
        if state.failovers < self.size.failovers and state.standby != state.content:
            yield Step(What.FAIL_OVER)

    def _steps_of(self, state: State, at: int, process: Process) -> Iterator[Step]:
        if len(process.hands) < self.size.at_once and not process.stopped:
            yield Step(What.TAKE, at)
        for which, hand in enumerate(process.hands):
            if hand.phase is Phase.TAKEN:
                late = state.time > hand.asked + self.begins_within
                yield Step(What.TOO_LATE if late else What.SEND, at, which)
            elif hand.phase is Phase.SENT:
                if hand.acted:
                    yield Step(What.RESPONSE, at, which)
                yield Step(What.NO_RESPONSE, at, which)
            else:
                yield Step(What.SETTLE, at, which)
                yield Step(What.SETTLE_UNHEARD, at, which)
        yield Step(What.CRASH, at)

    def _known(self, state: State) -> set[int]:
        """The workers of which there is more to say than that they live."""
        known = {hand.worker for process in state.processes for hand in process.hands}
        known |= {flight.worker for flight in state.flights}
        for content in {state.content, state.standby}:
            known |= {row[self._owner] for row in self.database.rows(content, "chunks")}
            for row in self.database.rows(content, "waiters"):
                known.add(int(row[self._waiter].removeprefix("worker ")))
        return known

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
        names = self.database.columns["permits"]
        since = names.index("at")
        for row in self.database.rows(state.content, "permits"):
            ends.append(row[since] + WINDOW)
        names = self.database.columns["chunks"]
        started, ended = names.index("started"), names.index("ended")
        for row in self.database.rows(state.content, "chunks"):
            if row[self.states] in (ChunkState.IN_DOUBT, ChunkState.SENDING):
                since = max(row[ended] or 0.0, row[started] + REQUEST_SECONDS) - EPOCH
                ends.append(since + HELD_UP_SECONDS)
        return sorted({end for end in ends if end > state.time})

    # how it happens

    def after(self, state: State, step: Step) -> State:
        """The state after the step."""
        return self._perform[step.what](state, step)

    def restore(self, state: State) -> None:
        """Be in this state."""
        self.time.seconds = state.time
        self.database.restore(state.content)
        self.store.liveness._own = {process.worker for process in state.processes if process.worker}

    def _do(self, state: State, operation: Callable[..., T], *values: Hashable) -> tuple[State, T]:
        """What an operation of the journal makes of the state, and what it gives. Where only other
        things are different, it does the same again, and is not carried out.
        """
        living = tuple(process.worker for process in state.processes)
        where = (operation, values, state.content, state.time, living)
        known = self._done.get(where)
        if known is None:
            if len(self._done) == OPERATIONS:
                self._done.clear()
            self.restore(state)
            self.store.durable = False
            with self.database.tried():
                result = operation(*values)
                known = self.database.content(), self.store.durable, result
            self._done[where] = known
        content, durable, result = known
        standby = content if durable else state.standby
        return state._replace(content=content, standby=standby), result

    def _pass_time(self, state: State, step: Step) -> State:
        until = step.until
        flights = tuple(one for one in state.flights if one.started + HELD_UP > until)
        arrivals = tuple(one for one in state.arrivals if one + WINDOW > until)
        return state._replace(time=until, flights=flights, arrivals=arrivals)

    def _take(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        after, (hand, stopped) = self._do(state, self._take_chunk, process.worker)
        if hand is not None:
            process = process._replace(hands=(*process.hands, hand))
        return _with(after, step.who, process._replace(stopped=stopped))

    def _take_chunk(self, worker: int) -> tuple[Hand | None, bool]:
        """What it has in hand then, and whether it hears that it counts as dead."""
        job = self._record(worker)
        try:
            taken = now(self._chunks.take(job, self.time.now(), ledger=self._ledger))
        except JournalError:
            return None, True
        self.store.durable &= self.takes_are_durable
        if not isinstance(taken, Taken):
            return None, False
        permit = None if taken.grant is None else Permit(taken.grant.id, taken.grant.latest)
        return Hand(Phase.TAKEN, worker, *taken.ticket, taken.asked, permit), False

    def _send(self, state: State, step: Step) -> State:
        hand = state.processes[step.who].hands[step.which]
        flight = Flight(hand.worker, hand.chunk, hand.number, hand.asked, state.time)
        return _change(state, step, hand._replace(phase=Phase.SENT))._replace(
            flights=tuple(sorted([*state.flights, flight]))
        )

    def _begin_too_late(self, state: State, step: Step) -> State:
        return self._hear(state, step, Outcome.NOT_SENT, None)

    def _arrive(self, state: State, step: Step) -> State:
        """The service acts on the request."""
        flight = state.flights[step.who]
        if state.mailed[flight.chunk - 1]:
            raise Broken(f"The service has mailed chunk {flight.chunk} twice.")
        mailed = tuple(done or n == flight.chunk for n, done in enumerate(state.mailed, 1))
        landed = self._land(state, step.who)._replace(mailed=mailed)
        there = _waiting(landed, flight)
        if there is None:
            return landed
        hand = landed.processes[there.who].hands[there.which]
        return _change(landed, there, hand._replace(acted=True))

    def _turn_down(self, state: State, step: Step) -> State:
        """The service says: not now."""
        landed = self._land(state, step.who)
        there = _waiting(landed, state.flights[step.who])
        if there is None:
            return landed
        return self._hear(landed, there, Outcome.NOT_SENT, state.time)

    def _land(self, state: State, at: int) -> State:
        """The request has arrived."""
        flight = state.flights[at]
        flights = (*state.flights[:at], *state.flights[at + 1 :])
        if state.time > flight.left + ARRIVES_WITHIN:
            return state._replace(flights=flights)
        arrivals = (*(one for one in state.arrivals if one + WINDOW > state.time), state.time)
        if len(arrivals) > self.size.quota:
            raise Broken(
                f"{len(arrivals)} requests have come to the service within {WINDOW:.0f} seconds; "
                f"it allows {self.quota.limit}."
            )
        return state._replace(flights=flights, arrivals=arrivals)

    def _response(self, state: State, step: Step) -> State:
        return self._hear(state, step, Outcome.ACCEPTED, state.time)

    def _no_response(self, state: State, step: Step) -> State:
        permit = state.processes[step.who].hands[step.which].permit
        latest = state.time if permit is None else permit.latest
        return self._hear(state, step, self.unknown, max(latest, state.time + SLACK))

    def _hear(self, state: State, step: Step, outcome: Outcome, at: float | None) -> State:
        """A process knows the outcome of its request, which was over then, or certainly not sent
        (None).
        """
        hand = state.processes[step.who].hands[step.which]
        after = state
        if hand.permit is not None:
            after, _ = self._do(state, self._end_permit, hand.permit, at)
        ended = hand._replace(phase=Phase.ENDED, outcome=outcome, acted=False, permit=None)
        return _change(after, step, ended)

    def _end_permit(self, permit: Permit, at: float | None) -> None:
        grant = Grant(1, permit.id, {"requests": 1}, 0.0, permit.latest, REQUEST_SECONDS, 0.0)
        self.store.post(lambda db: self._ledger.end(db, grant, at))

    def _settle(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        hand = process.hands[step.which]
        after, is_theirs = self._do(
            state, self._settle_chunk, hand.worker, hand.chunk, hand.number, hand.outcome
        )
        if step.what is What.SETTLE_UNHEARD:
            return after
        hands = (*process.hands[: step.which], *process.hands[step.which + 1 :])
        stopped = process.stopped or not is_theirs
        return _with(after, step.who, process._replace(hands=hands, stopped=stopped))

    def _settle_chunk(self, worker: int, chunk: int, number: int, outcome: Outcome) -> bool:
        """Whether the worker still had a say in that."""
        job, ticket, at, why = self._record(worker), Ticket(chunk, number), self.time.now(), ""
        try:
            if outcome is Outcome.ACCEPTED:
                now(self._chunks.accept(job, ticket, at, Sent(None)))
            elif outcome is Outcome.NOT_SENT:
                now(self._chunks.put_back(job, ticket, at, why))
            else:
                now(self._chunks.doubt(job, ticket, at, why))
        except JournalError:
            return False
        return True

    def _look(self, state: State, step: Step) -> State:
        """See who else is at work, and what the dead have left."""
        after, _ = self._do(state, self._look_around, state.processes[step.who].worker)
        return after

    def _look_around(self, worker: int) -> None:
        now(self._workers.busy(self._record(worker)))

    def _crash(self, state: State, step: Step) -> State:
        return _with(state, step.who, Process())

    def _join(self, state: State, step: Step) -> State:
        alone = _with(state, step.who, Process())
        after, worker = self._do(alone, self._join_job)
        if worker in self._known(state):
            raise Broken(f"The number {worker} of a worker is given a second time.")
        return _with(after, step.who, Process(worker))

    def _join_job(self) -> int:
        joined = now(self._workers.join(self._job))
        assert joined.worker is not None
        return joined.worker.id

    def _say(self, state: State, step: Step) -> State:
        after, _ = self._do(state, self._resolve, step.which, step.what is What.WAS_SENT)
        return after

    def _resolve(self, chunk: int, was_sent: bool) -> None:
        with suppress(InvalidArgument):  # it is too early, or not in doubt
            if was_sent:
                now(self._resolving.accepted(self._job, _only(chunk)))
            else:
                now(self._resolving.not_sent(self._job, _only(chunk), self.time.now()))

    def _fail_over(self, state: State, step: Step) -> State:
        """The database forgets what its standby has not."""
        return state._replace(content=state.standby, failovers=state.failovers + 1)

    def _record(self, worker: int) -> JobRecord:
        """The job, as this worker has it."""
        job = self._jobs.get(worker)
        if job is None:
            job = self._jobs[worker] = attrs.evolve(
                self._job, worker=Worker(worker, Lock(None, None))
            )
        return job

    # the end

    def end(self, state: State) -> None:
        """Every process dies, every request has arrived or never will; a person looks, and a new
        process sends the rest. Broken if anybody is lost, or if the sum does not hold.
        """
        self.restore(state)
        self.store.liveness._own = set()
        self.time.seconds += 2 * HELD_UP
        with self.database.tried():
            mailed = self._finish(state.mailed)
            counts = now(self._reports.counts(self._job))
        if not all(mailed):
            lost = mailed.index(False) + 1
            raise Broken(
                f"Every worker is killed, and a person looks; another worker finds nothing to "
                f"send, and chunk {lost} was never mailed: it is lost."
            )
        if counts.accounted != counts.read or counts.accepted != self.size.chunks:
            raise Broken(f"The report does not add up: {counts}.")

    def _finish(self, mailed: Sequence[bool]) -> Sequence[bool]:
        """Send what is left; gives which chunks the service has then."""
        job = now(self._workers.join(self._job))
        at = self.time.now()
        for row in self.database.rows(self.database.content(), "chunks"):
            n = row[1]
            if row[self.states] == ChunkState.IN_DOUBT and mailed[n - 1]:
                now(self._resolving.accepted(job, _only(n)))
            elif row[self.states] == ChunkState.IN_DOUBT:
                now(self._resolving.not_sent(job, _only(n), at))
        has = [*mailed]
        while isinstance(taken := now(self._chunks.take(job, at)), Taken):
            n = taken.ticket.chunk
            if has[n - 1]:
                raise Broken(
                    f"Every worker is killed; another one starts, finds chunk {n} planned, and "
                    "sends it: the service has mailed it twice."
                )
            has[n - 1] = True
            now(self._chunks.accept(job, taken.ticket, at, Sent(None)))
        return has


def _only(chunk: int) -> Chosen:
    return Chosen({chunk: None})


def _waiting(state: State, flight: Flight) -> Step | None:
    """Where somebody waits for the response to this request."""
    for at, process in enumerate(state.processes):
        for which, hand in enumerate(process.hands):
            if hand.phase is Phase.SENT and hand[1:4] == flight[:3]:
                return Step(What.ARRIVE, at, which)
    return None


def _change(state: State, step: Step, hand: Hand) -> State:
    process = state.processes[step.who]
    hands = (*process.hands[: step.which], hand, *process.hands[step.which + 1 :])
    return _with(state, step.who, process._replace(hands=hands))


def _with(state: State, who: int, process: Process) -> State:
    processes = (*state.processes[:who], process, *state.processes[who + 1 :])
    return state._replace(processes=processes)
