"""Events at every moment of a job, in whatever became of its chunks before, and does after: whoever
was spoken of is accepted from then on, in nobody's next request, and counted where it belongs.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random

import attrs
import pytest

from mailkit.bulk.journal import Chosen, InlineExecutor, JobRecord, Journal, Recorded, Taken
from mailkit.core.dispatch import ChunkStatus, Done, Limits, Scope, Stage, TaskRow
from mailkit.errors import InvalidArgument, JournalError
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import SEND, PollResult, RowStatus, Sent

from .counted import checked
from .fakes import people
from .jobs import die, planned

ROWS = 24
REFUSED = people(ROWS)[5::7]
AT = datetime(2026, 10, 1, tzinfo=UTC)
CAMPAIGNS = (
    Stage("list", repeatable=True, carries_rows=False),
    Stage("load", Scope.PART, repeatable=True),
    Stage("ready", repeatable=True, carries_rows=False),
    Stage("send", carries_rows=False, rows_refusable=False),
)
LIMITS = Limits(4, 1_000, part_rows=2)


@attrs.frozen
class Message:
    """One that a provider may have: how it was named to it, or what it calls the request."""

    address: str
    token: str | None
    reference: str | None


@attrs.define
class Lives:
    """A job, what is under way, what may have been sent, and what was said of it."""

    rng: Random
    journal: Journal
    job: JobRecord
    stages: Sequence[Stage] = (SEND,)
    now: float = 1_000.0
    under_way: list[tuple[JobRecord, Taken]] = attrs.field(factory=list)
    lists: dict[str, set[str]] = attrs.field(factory=dict)
    sent: list[Message] = attrs.field(factory=list)
    said: dict[str, DeliveryStatus] = attrs.field(factory=dict)
    references: dict[str, int] = attrs.field(factory=dict)
    happened: Counter[str] = attrs.field(factory=Counter)
    events: int = 0

    async def live(self) -> None:
        """Something happens."""
        steps: list[Callable[[], object]] = [
            *[self.take] * 4, *[self.end] * 4, *[self.hear] * 5, self.poll, self.resolve,
            self.resolve, self.narrow, self.die, self.cancel,
        ]  # fmt: skip
        self.now += 200.0
        step = self.rng.choice(steps)
        with contextlib.suppress(InvalidArgument):  # too early, or nothing there
            await step()  # type: ignore[misc]
        self.happened[step.__name__] += 1
        await self.check()

    async def take(self) -> None:
        probes = self.rng.random() < 0.2
        found = await self.journal.chunks.take(
            self.job, self.now, self.stages, limits=LIMITS, probes=probes
        )
        if not isinstance(found, Taken):
            return
        self.under_way.append((self.job, found))
        task = found.task
        if task.stage.repeatable:
            assert task.count or task.part
            return
        if self.stages == (SEND,):
            self.goes_out(found, task.rows)
        else:
            assert task.cursor is not None
            mailed = self.lists[task.cursor]
            assert len(mailed) == task.count
            assert not mailed & self.said.keys()

    def goes_out(self, taken: Taken, rows: Sequence[TaskRow]) -> None:
        assert rows
        for row in rows:
            assert row.address not in self.said
            self.sent.append(Message(row.address, taken.task.token(row), None))

    async def end(self) -> None:
        if not self.under_way:
            return
        at = self.rng.randrange(len(self.under_way))
        job, taken = self.under_way.pop(at)
        with contextlib.suppress(JournalError):  # it was taken for dead
            if taken.task.stage.repeatable:
                await self.prepared(job, taken)
            else:
                await self.answered(job, taken)

    async def prepared(self, job: JobRecord, taken: Taken) -> None:
        chunks, task = self.journal.chunks, taken.task
        if self.rng.random() < 0.2:
            await chunks.put_back(job, taken.ticket, self.now, "reset", task.part)
            return
        cursor, done = task.cursor, Done()
        if task.stage.name == "list":
            cursor = f"list {task.key}"
            self.lists[cursor] = set()
            done = Done(cursor)
        elif task.stage.name == "load":
            assert cursor is not None
            refused = [row for row in task.rows if row.address in REFUSED]
            taken_rows = [row.address for row in task.rows if row not in refused]
            self.lists[cursor].update(taken_rows)
            done = Done(rejected={row.n: "no such mailbox" for row in refused})
        await chunks.advance(job, taken, done, self.stages)

    async def answered(self, job: JobRecord, taken: Taken) -> None:
        chunks, narrowing, ticket = self.journal.chunks, self.journal.narrowing, taken.ticket
        rows = list(taken.task.rows)
        outcome = self.rng.choice(
            ["accept", "accept", "reject", "doubt", "put back", "probe", "halve", "alone"]
        )
        self.happened[outcome] += 1
        if self.stages != (SEND,) and outcome in ("probe", "halve", "alone"):
            outcome = "accept"
        match outcome:
            case "accept":
                reference = f"r{self.events}-{ticket.chunk}-{ticket.number}"
                self.rng.shuffle(rows)
                some = [{row.n: "no" for row in rows[n : n + 1]} for n in range(3)]
                no, doubt, held = (one if self.rng.random() < 0.3 else {} for one in some)
                if self.rng.random() < 0.5 and taken.task.cursor is not None:
                    self.created(taken, reference)  # before the response is recorded
                told = await chunks.accept(job, ticket, self.now, Sent(reference, no, doubt, held))
                assert told is None
                if taken.task.cursor is not None:
                    self.created(taken, reference)
                self.references[reference] = ticket.chunk
            case "reject":
                await chunks.reject(job, ticket, self.now, "no")
            case "doubt":
                await chunks.doubt(job, ticket, self.now, "reset")
            case "put back":
                await chunks.put_back(job, ticket, self.now, "dns")
            case "probe":
                await narrowing.probe(job, ticket)
            case "halve" if len(rows) > 1:
                await narrowing.halve(job, ticket)
            case "alone" if len(rows) > 1:
                await narrowing.single_out(job, ticket, [row.n for row in rows[:2]])
            case _:
                await narrowing.try_row(job, ticket, self.now, "no")

    def created(self, taken: Taken, reference: str) -> None:
        assert taken.task.cursor is not None
        for address in sorted(self.lists[taken.task.cursor]):
            self.sent.append(Message(address, None, reference))

    async def hear(self) -> None:
        if not self.sent:
            return
        for message in self.rng.choices(self.sent, k=self.rng.choice((1, 1, 3))):
            self.events += 1
            status = self.rng.choice(list(DeliveryStatus))
            event = DeliveryEvent(
                provider="fake",
                name=f"{self.events}",
                at=AT,
                address=message.address,
                status=status,
                token=message.token,
                reference=message.reference,
            )
            found = await self.journal.events.record([event], now=self.now)
            if found == Recorded(foreign=1):  # of a campaign that another one has replaced
                assert message.reference is not None
                assert message.reference not in self.references
                continue
            assert found == Recorded(applied=1)
            known = self.said.get(message.address, status)
            self.said[message.address] = max(known, status)
            await self.check()

    async def poll(self) -> None:
        if not self.references:
            return
        reference = self.rng.choice(sorted(self.references))
        n = self.references[reference]
        due = {one.n for one in await self.journal.statuses.due(self.job, track=True)}
        if n not in due:
            return
        if self.stages != (SEND,):
            others = ChunkStatus(
                self.rng.choice([None, DeliveryStatus.SENT]), rejected=self.rng.random() < 0.3
            )
            polled = PollResult(others=others)
        else:
            polled = PollResult([
                RowStatus(
                    address, self.rng.choice(list(DeliveryStatus)), self.rng.random() < 0.3, "full"
                )
                for address in people(ROWS)
                if self.rng.random() < 0.5
            ])  # fmt: skip
        doubt = "missing" if self.rng.random() < 0.3 else None
        await self.journal.statuses.reconcile(self.job, n, polled, now=self.now, doubt=doubt)

    async def resolve(self) -> None:
        resolving = self.journal.resolving
        keys = frozenset(self.rng.sample(people(ROWS), 1))
        chosen = self.rng.choice([Chosen(), Chosen(keys=keys)])
        match self.rng.choice(["accepted", "not sent", "again"]):
            case "accepted":
                await resolving.accepted(self.job, chosen)
            case "not sent":
                await resolving.not_sent(self.job, chosen, self.now)
            case _:
                await resolving.again(self.job, chosen)

    async def narrow(self) -> None:
        narrowing = self.journal.narrowing
        await narrowing.trials(self.job)
        match self.rng.choice(["isolate", "convict", "restore"]):
            case "isolate" if self.stages == (SEND,):
                await narrowing.isolate(self.job, self.rng.random())
            case "convict":
                await narrowing.convict(self.job)
            case _:
                await narrowing.restore(self.job)

    async def die(self) -> None:
        """The worker is dead, or is only taken for dead."""
        die(self.job)
        if self.rng.random() < 0.5:
            self.under_way.clear()
        await self.journal.cancelling.restore(self.job)
        self.job = await self.journal.workers.join(self.job)

    async def cancel(self) -> None:
        await self.journal.cancelling.cancel(self.job, self.now)
        await self.journal.cancelling.restore(self.job)

    async def check(self) -> None:
        """What holds at every moment."""
        counts = await self.journal.reports.counts(self.job)
        assert counts.accounted == counts.read == ROWS
        rows = [row async for rows in self.journal.reports.rows(self.job) for row in rows]
        assert Counter(row.state for row in rows) == {
            state: counts.of(state) for state in {row.state for row in rows}
        }
        for row in rows:
            if (status := self.said.get(row.address)) is not None:
                assert row.state == "accepted", row
                assert row.delivery is not None
                assert row.delivery >= status
        found = await self.journal.reports.snapshot(self.job.name)
        assert found is not None
        await checked(self.journal)
        assert all(one.rows for one in found.doubts)
        suppressed = {one.address async for one in self.journal.suppressions.list()}
        assert {
            address for address, status in self.said.items() if status >= DeliveryStatus.HARD_BOUNCE
        } <= suppressed


@pytest.mark.parametrize("stages", [(SEND,), CAMPAIGNS], ids=["tokens", "references"])
@pytest.mark.parametrize("seed", range(10))
async def test_whoever_was_spoken_of_is_accepted_and_never_sent_again(
    seed: int, stages: Sequence[Stage]
) -> None:
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    job = await planned(journal, people(ROWS), chunk=4)
    job = await journal.workers.join(job)
    lives = Lives(Random(seed), journal, job, stages)
    for _ in range(60):
        await lives.live()
    assert lives.happened
    await journal.close()
