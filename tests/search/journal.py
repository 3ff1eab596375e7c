"""The journal of a made-up world: its real operations, over a database in memory.

An operation is given by values, and does the same again where the database has the same content at
the same time. So it is carried out once, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from unittest.mock import patch
from weakref import WeakValueDictionary

import attrs

from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.jobs import Jobs
from mailkit.bulk.journal.leases import BEAT, REQUEST_SECONDS, Lease, Leases
from mailkit.bulk.journal.ledger import Account, Grant, Ledger
from mailkit.bulk.journal.locks import Lock, Locks
from mailkit.bulk.journal.planning import PlannedRow, Planning
from mailkit.bulk.journal.records import ChunkState, Counts, JobRecord, Ticket, Worker
from mailkit.bulk.journal.reports import Reports
from mailkit.bulk.journal.resolving import Chosen, Resolving
from mailkit.bulk.journal.store import NotOurs
from mailkit.bulk.journal.tasks import Taken
from mailkit.bulk.journal.workers import Workers
from mailkit.core.clock import Clock
from mailkit.core.dispatch import NotTaken, Sent, Stage, Task, Wait
from mailkit.core.quota import Quota
from mailkit.errors import InvalidArgument, JournalError

from .database import Content, Database, MemoryStore, now
from .state import Hand, News, Outcome, Permit, Phase, State

__all__ = ["CLOCK", "EPOCH", "Journal", "Tickets", "Time"]

T = TypeVar("T")

EPOCH = 1_000_000.0
"""Seconds since 1970 at the time 0."""
CLOCK = 5_000.0
"""What the database's clock shows at the time 0; nobody else's shows the same."""
Tickets = Sequence[tuple[int, int]]
"""Chunks and numbers."""

OPERATIONS = 300_000
"""So many are remembered, with what they did."""
NAME = "autumn"


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


class Journal:
    """A journal with a job of so many chunks. Its workers are on one machine, where locks tell who
    lives, or, ``shared``, on several, where they have leases.
    """

    takes_are_durable = True

    def __init__(self, chunks: int, quota: Quota, *, shared: bool, can_ask: bool) -> None:
        self._stages = (Stage("send", settles=can_ask),)
        self.time = Time()
        self.database = Database()
        self.database.db.create_function("time_here", 0, lambda: CLOCK + self.time.seconds)
        self.shared = shared
        clock = "time_here()" if shared else None
        self._leases = Leases("time_here()")
        self._locks = Locks(None)
        lives = self._leases if shared else self._locks
        self._store = MemoryStore(self.database, lives, clock)
        self._chunks = Chunks(self._store)
        self._workers = Workers(self._store)
        self._resolving = Resolving(self._store)
        self._reports = Reports(self._store)
        account = Account("fake", "shop", {"requests": quota})
        self._ledger = Ledger(account, self.time, clock)
        self._jobs: dict[int, JobRecord] = {}
        self._done: dict[Hashable, tuple[Content, bool, Any]] = {}
        self._job = self._planned(chunks)

    def _planned(self, chunks: int) -> JobRecord:
        jobs, planning = Jobs(self._store), Planning(self._store)
        job = now(jobs.create(NAME, "fake", "shop", "{}", again=False, now=self.time.now()))
        rows = [
            PlannedRow(job.ids[0] + n, n + 1, f"p{n}@example.com", None, "[]", 10)
            for n in range(1, chunks + 1)
        ]
        now(planning.add(job, rows, []))
        now(planning.cut(job, rows=1, size=1_000))
        planned = now(
            jobs.finish_planning(job, columns=[], fingerprint=b"", name=None, again=False)
        )
        now(self._workers.leave(planned))
        return attrs.evolve(planned, worker=None)

    def begin(self, workers: int) -> tuple[Content, Sequence[int]]:
        """So many workers join; gives what is in the journal then, and their numbers."""
        joined = [self.join() for _ in range(workers)]
        content = self.database.content()
        self.database.freeze()
        return content, joined

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside of the block all that asks for the time asks this journal's."""
        with patch("mailkit.bulk.journal.chunks.elapsed", self.time.elapsed):
            yield

    def restore(self, state: State) -> None:
        """Be in this state."""
        self.time.seconds = state.time
        self.database.restore(state.content)
        workers = [process.worker for process in state.processes if process.worker]
        self._locks._own = {*workers}

    def do(self, state: State, operation: Callable[..., T], *values: Hashable) -> tuple[State, T]:
        """What an operation makes of the state, and what it gives."""
        where: Hashable = operation, values, state.content, state.time
        if not self.shared:
            where = where, tuple(process.worker for process in state.processes)
        known = self._done.get(where)
        if known is None:
            if len(self._done) == OPERATIONS:
                self._done.clear()
            self.restore(state)
            self._store.durable = False
            with self.database.tried():
                result = operation(*values)
                known = self.database.content(), self._store.durable, result
            self._done[where] = known
        content, durable, result = known
        standby = content if durable else state.standby
        return state._replace(content=content, standby=standby), result

    # the operations

    def join(self) -> int:
        """The number of a new worker."""
        return self._join().id

    def _join(self) -> Worker:
        worker = now(self._workers.join(self._job)).worker
        assert worker is not None
        return worker

    def beat(self, workers: Sequence[int], until: float) -> None:
        """Time passes, in which these workers show that they live."""
        leases = {worker: self._lease(worker) for worker in workers}
        while self.time.seconds < until:
            self.time.seconds = min(self.time.seconds + BEAT, until)
            self._leases._own = WeakValueDictionary(leases)
            self._store.post(self._leases.beat)

    def _lease(self, worker: int) -> Lease:
        return Lease(worker, self._leases.clock, lambda _: None)

    def look(self, worker: int) -> None:
        """See who else is at work, and what the dead have left."""
        now(self._workers.busy(self._record(worker)))

    def take(self, worker: int, after: int, drawn: Tickets) -> tuple[Hand | None, int, bool]:
        """What the worker has in hand then, after which chunk it looks next, and whether it hears
        that it counts as dead. It has ``drawn`` these tickets.
        """
        job = self._record(worker)
        chunks = Chunks(self._store)  # each process has its own
        chunks._after[job.id] = after
        chunks._drawn |= {(job.id, chunk): number for chunk, number in drawn}
        try:
            taken = now(chunks.take(job, self.time.now(), self._stages, ledger=self._ledger))
        except JournalError:
            return None, after, True
        self._store.durable &= self.takes_are_durable
        after = chunks._after.get(job.id, 0)
        if not isinstance(taken, Taken):
            return None, after, False
        grant = taken.grant
        permit = None if grant is None else Permit(grant.id, grant.zero, grant.latest)
        return Hand(Phase.TAKEN, worker, *taken.ticket, taken.asked, permit), after, False

    def release(self, hand: Hand, known: Tickets) -> None:
        """What was taken without the worker's knowing it is planned again; what it is ``known`` to
        have makes no difference.
        """
        grant = None if hand.permit is None else self._grant(hand.permit)
        taken = attrs.evolve(self._taken(hand.chunk, hand.number), grant=grant)
        chunks = Chunks(self._store)
        chunks._lost = [(self._record(hand.worker), taken, self._ledger)]
        now(chunks._release())

    def write(self, sql: str, values: Sequence[object]) -> None:
        """What no worker does by the rules."""
        self._store.post(lambda db: db.execute(sql, values))

    def end_permit(self, permit: Permit, at: float | None) -> None:
        """Its request was over then, or certainly not sent (None)."""
        grant = self._grant(permit)
        self._store.post(lambda db: self._ledger.end(db, grant, at))

    def _grant(self, permit: Permit) -> Grant:
        needs = {"requests": 1}
        return Grant(1, permit.id, needs, permit.zero, permit.latest, REQUEST_SECONDS, 0.0)

    def settle(self, worker: int, chunk: int, number: int, outcome: Outcome) -> bool:
        """Whether the worker had a say in how that request ended."""
        job, ticket, at = self._record(worker), Ticket(chunk, number), self.time.now()
        try:
            if outcome is Outcome.ACCEPTED:
                now(self._chunks.accept(job, ticket, at, Sent(None)))
            elif outcome is Outcome.NOT_SENT:
                now(self._chunks.put_back(job, ticket, at, ""))
            else:
                now(self._chunks.doubt(job, ticket, at, ""))
        except NotOurs:
            return False
        return True

    def doubts(self, worker: int) -> Tickets:
        """What the worker asks the service about."""
        found = now(self._chunks.in_doubt(self._record(worker), self._stages))
        return tuple((one.ticket.chunk, one.ticket.number) for one in found)

    def tell(self, worker: int, news: News) -> bool:
        """Write down what the service says of a chunk in doubt, as far as it may be believed.
        Whether the worker still lives.
        """
        job, taken = self._record(worker), self._taken(news.chunk, news.number)
        found: Sent | NotTaken | Wait = Sent(None) if news.has_it else NotTaken("")
        until = now(self._chunks.held_up_until(job, taken.ticket))
        if not news.has_it and self.believed_from(news) < until.timestamp():
            found = Wait(until, "")
        try:
            now(self._chunks.settle(job, taken, self.time.now(), found))
        except JournalError:
            return False
        return True

    def believed_from(self, news: News) -> float:
        """The time at which that was so, for certain."""
        return EPOCH + news.asked

    def _taken(self, chunk: int, number: int) -> Taken:
        task = Task(NAME, chunk, self._stages[0], take=number)
        return Taken(task, Ticket(chunk, number))

    def resolve(self, chunk: int, was_sent: bool) -> None:
        """A person's word."""
        chosen = Chosen({chunk: None})
        with suppress(InvalidArgument):  # it is too early, or not in doubt
            if was_sent:
                now(self._resolving.accepted(self._job, chosen))
            else:
                now(self._resolving.not_sent(self._job, chosen, self.time.now()))

    def finish(self, state: State, seconds: float) -> tuple[Sequence[int], Counts]:
        """So many seconds later, a new worker sends what is left, and a person has looked. Gives
        the chunks that it sends, and what a report says then.
        """
        self.restore(state)
        self.time.seconds += seconds
        self._locks._own = set()
        sent = []
        with self.database.tried():
            worker = self._join()  # it lives as long as it is held
            job = attrs.evolve(self._job, worker=worker)
            for chunk in self.database.rows(self.database.content(), "chunks"):
                if chunk.state == ChunkState.IN_DOUBT:
                    self.resolve(chunk.n, state.mailed[chunk.n - 1])
            while isinstance(
                taken := now(self._chunks.take(job, self.time.now(), self._stages)), Taken
            ):
                sent.append(taken.ticket.chunk)
                now(self._chunks.accept(job, taken.ticket, self.time.now(), Sent(None)))
            return sent, now(self._reports.counts(self._job))

    def _record(self, worker: int) -> JobRecord:
        """The job, as this worker has it."""
        job = self._jobs.get(worker)
        if job is None:
            life = self._lease(worker) if self.shared else Lock(None, None)
            job = self._jobs[worker] = attrs.evolve(self._job, worker=Worker(worker, life))
        return job
