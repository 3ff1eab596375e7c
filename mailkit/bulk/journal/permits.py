"""Permits from the journal's ledger for the requests of a client.

Those that came with a chunk are handed to its request. For everything else, such as direct calls,
loads, polls and tokens, whoever needs a permit waits in line: within the event loop first, and the
first there has one place in the journal's. So a process gets no more for having many callers.

Before a chunk's request, its task may have others to make, such as one for a token. Where there are
no permits for these, the chunk lends its own, which they would wait for without end. Its request
needs others then, and its task comes again with these if there are none.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

import anyio
import attrs

from mailkit.bulk.journal.ledger import Busy, Grant, Ledger, leave
from mailkit.bulk.journal.line import Needs
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.signal import Signal
from mailkit.core.dispatch import Stage
from mailkit.core.lateness import elapsed
from mailkit.core.loops import PerLoop, running_loop
from mailkit.core.quota import REQUESTS, SLACK, Permit, used_up
from mailkit.errors import MailkitError, NotSent, OutcomeUnknown, QuotaExhausted

__all__ = ["RECIPIENTS", "LedgerPermits", "permits_for", "place_of"]

RECIPIENTS = "recipients"
"""The quota of a job's rate: of it a chunk takes as many permits as it has rows."""
DEADLINE = 30.0
"""Seconds in which the request of a chunk ends, unless its client says otherwise."""
DURABLE = 60.0
"""Permits of a window of so many seconds must outlive the machine, which starts again in less. The
server of a database may be there again within a second: there, all must.
"""

_granted: ContextVar[Grant | None] = ContextVar("granted", default=None)


def place_of(worker: int) -> str:
    """The key by which a worker waits for the permits of its next task."""
    return f"worker {worker}"


def permits_for(
    db: Connection, job: JobRecord, stage: Stage, rows: int, ledger: Ledger, asked: float
) -> Grant | Busy | None:
    """What a task at this stage takes from the quotas before its request; None: nothing.

    The request that sends takes all that it falls under, and of the job's rate as much as it has
    rows. Others make several requests, and take for each what only these fall under.
    """
    assert job.worker is not None  # noqa: S101 - whoever takes a task is a worker
    needs = dict(ledger.needs(*stage.quotas, *(() if stage.repeatable else REQUESTS)))
    if not stage.repeatable and RECIPIENTS in ledger.account.quotas:
        needs[RECIPIENTS] = rows
    if not needs:
        return None
    key = place_of(job.worker.id)
    return ledger.ask(db, needs, key=key, deadline=DEADLINE, asked=asked, job=job.id)


@attrs.define(eq=False)
class _Line:
    """Those of an event loop who wait for the same quotas, by what each is woken with."""

    key: str = attrs.field(factory=lambda: secrets.token_hex(8))
    turns: deque[anyio.Event] = attrs.field(factory=deque)


@attrs.define(eq=False)
class _Waiting:
    """Who waits in an event loop: their lines, and what wakes them when a permit has come back."""

    given_back: Signal
    returns: int = 0
    lines: dict[tuple[str, ...], _Line] = attrs.field(factory=dict[tuple[str, ...], _Line])


class LedgerPermits:
    """The permits of an account, which all processes on the journal share; see `Permits`."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.ledger = ledger
        self._clock = ledger.clock
        self._store = store
        self._known: dict[tuple[str, ...], Needs] = {}
        self._waiting = PerLoop(lambda: _Waiting(Signal(self._clock)))

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        """A permit of these quotas; it may have come with the chunk that the request is for."""
        needs = self._known.get(names)
        if needs is None:
            needs = self._known[names] = self.ledger.needs(*names)
        grant = _granted.get()
        if grant is None or grant.ended:
            grants = await self._in_line(needs, max_wait, deadline)
        else:
            grants = await self._for_task(grant, needs, max_wait, deadline)
        return _Permit(self, grants, deadline) if grants else _Free()

    async def _for_task(
        self, grant: Grant, needs: Needs, max_wait: float | None, deadline: float
    ) -> Sequence[Grant]:
        """For a request of a task that has the grant; the one that it was made for takes all of it,
        but what counts recipients: that stays until the end of the task.
        """
        grant.asked = True
        own = grant.needs.keys() - {RECIPIENTS} <= needs.keys()
        if not own and grant.needs.keys() & needs.keys():
            try:
                return [await self._ask(needs, deadline, -inf, None)]
            except QuotaExhausted:
                pass  # then the task lends
        if deadline > grant.deadline:  # the client is a patient one
            grant.latest += deadline - grant.deadline
            grant.deadline = deadline
            await self._store.write(
                lambda db: self.ledger.lengthen(db, grant), durable=False, again=True, beside=True
            )
        part = grant.part(needs)
        missing = {name: amount for name, amount in needs.items() if name not in part.needs}
        try:
            others = await self._in_line(missing, max_wait, deadline)
        except BaseException:
            grant.take_back(part)
            raise
        grant.used = grant.used or own
        return [part, *others] if part.needs else others

    async def _in_line(
        self, needs: Needs, max_wait: float | None, deadline: float
    ) -> Sequence[Grant]:
        """Permits from the ledger, when it is their turn."""
        if not needs:
            return []
        now = self._clock.monotonic()
        give_up = inf if max_wait is None else now + max_wait
        if give_up <= now:
            return [await self._ask(needs, deadline, give_up, None)]
        line = self._waiting.here().lines.setdefault(tuple(needs), _Line())
        turn, ahead = anyio.Event(), len(line.turns)
        line.turns.append(turn)
        try:
            if ahead:
                await self._come_first(needs, turn, ahead, give_up)
            return [await self._ask(needs, deadline, give_up, line.key)]
        finally:
            line.turns.remove(turn)
            if line.turns:
                line.turns[0].set()

    async def used(self) -> Mapping[str, Sequence[tuple[float, int]]]:
        """What counts of each quota at this moment: since how many seconds from now, below zero if
        that is past, and how much.
        """
        return await self._store.read(self.ledger.used)

    @contextmanager
    def using(self, grant: Grant) -> Iterator[None]:
        """The request in the block that needs these permits has them already. What no request takes
        counts where none asked for permits, and something was sent all the same or may have been,
        and what counts recipients where the request was made.
        """
        token = _granted.set(grant)
        try:
            yield
        except (NotSent, QuotaExhausted):
            self.end(grant, None)
            raise
        except OutcomeUnknown:
            if grant.used:
                latest = grant.latest - grant.zero
                self.end(grant, max(latest, self._clock.elapsed() + SLACK))
            elif grant.asked:
                self.end(grant, None)
            raise
        except MailkitError:
            self.end(grant, self._clock.elapsed() if grant.used else None)
            raise
        else:
            sent = grant.used or not grant.asked
            self.end(grant, self._clock.elapsed() if sent else None)
        finally:
            _granted.reset(token)

    def give_back(self, grant: Grant) -> None:
        """Nothing was sent, unless the request has taken the permits: that knows better."""
        if not grant.used:
            self.end(grant, None)

    def end(self, grant: Grant, at: float | None) -> None:
        """The request was over at this reading of the clock, or certainly not sent (None)."""
        if grant.ended:
            return
        grant.ended = True
        if not grant.needs:
            return
        self._store.post(lambda db: self.ledger.end(db, grant, at))
        if at is None and running_loop() is not None:
            waiting = self._waiting.here()
            waiting.returns += 1
            waiting.given_back.notify()

    def block(self, grants: Sequence[Grant], *, requests: bool, seconds: float | None) -> None:
        """The service said so just now; see `Permit.refused`."""
        at = self._clock.elapsed()
        names = [name for grant in grants for name in grant.needs]
        meant = [name for name in names if (name in REQUESTS) == requests] or names
        self._store.post(lambda db: self.ledger.block(db, grants[0], meant, at, seconds))

    async def _come_first(
        self, needs: Needs, turn: anyio.Event, ahead: int, give_up: float
    ) -> None:
        """Wait until all others of the line have gone."""
        if give_up == inf:
            await turn.wait()
            return
        found = await self._store.read(lambda db: self.ledger.look(db, needs, ahead))
        self._check(found, give_up)
        await self._clock.sleep_until(turn, give_up - self._clock.monotonic())
        if not turn.is_set():
            raise self._used_up(found)

    async def _ask(self, needs: Needs, deadline: float, give_up: float, key: str | None) -> Grant:
        """Ask until there is a permit. Whoever gives up leaves the line."""
        quotas = self.ledger.account.quotas
        lasts = any(quotas[name].per_seconds >= DURABLE for name in needs)
        durable = lasts or self._store.dialect.restarts
        waiting = self._waiting.here()
        try:
            while True:
                asked, before = elapsed(), waiting.returns

                def work(db: Connection, asked: float = asked) -> Grant | Busy:
                    found = self.ledger.ask(db, needs, key=key, deadline=deadline, asked=asked)
                    if lasts and isinstance(found, Grant):
                        self._store.granting(db, found.account, found.id)
                    return found

                found = await self._uninterrupted(work, durable=durable)
                if isinstance(found, Grant):
                    return found
                self._check(found, give_up)
                left = give_up - self._clock.monotonic()
                if waiting.returns == before:  # else one has come back meanwhile
                    await waiting.given_back.wait(min(found.look_in, left))
        except BaseException:
            if key is not None:
                self._store.post(lambda db: leave(db, key))
            raise

    async def _uninterrupted(
        self, work: Callable[[Connection], Grant | Busy], *, durable: bool
    ) -> Grant | Busy:
        """The permits of one who was cancelled meanwhile go back."""
        asking = asyncio.ensure_future(
            self._store.write(work, durable=durable, again=True, beside=True)
        )
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._give_back)
            raise

    def _give_back(self, asked: asyncio.Future[Grant | Busy]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            found = asked.result()
            if isinstance(found, Grant):
                self.end(found, None)

    def _check(self, busy: Busy, give_up: float) -> None:
        now = self._clock.monotonic()
        if now >= give_up or now + busy.free_in > give_up:
            raise self._used_up(busy)

    def _used_up(self, busy: Busy) -> QuotaExhausted:
        at = self._clock.now() + busy.free_in
        return used_up(busy.quota, self.ledger.account.provider, at)


class _Free:
    """Leave for a request that falls under no quota."""

    begins_by = inf

    def sent(self) -> None: ...

    def done(self) -> None: ...

    def lost(self) -> None: ...

    def release(self) -> None: ...

    def refused(self, *, requests: bool, seconds: float | None) -> None: ...


class _Permit:
    """See `mailkit.core.quota.Permit`."""

    def __init__(self, permits: LedgerPermits, grants: Sequence[Grant], deadline: float) -> None:
        self.begins_by = min(grant.begins_by for grant in grants)
        self._permits = permits
        self._grants = grants
        self._deadline = deadline
        self._clock = permits.ledger.clock
        self._sent = self._clock.elapsed()

    def sent(self) -> None:
        self._sent = self._clock.elapsed()

    def done(self) -> None:
        self._end(self._clock.elapsed())

    def lost(self) -> None:
        over = max(self._sent + self._deadline, self._clock.elapsed()) + SLACK
        self._end(over)

    def release(self) -> None:
        self._end(None)

    def refused(self, *, requests: bool, seconds: float | None) -> None:
        self._permits.block(self._grants, requests=requests, seconds=seconds)

    def _end(self, at: float | None) -> None:
        for grant in self._grants:
            self._permits.end(grant, at)
