"""A worker whose machine is cut off from the provider: which orders it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from procrastinate import App
from procrastinate.testing import InMemoryConnector

from mailkit import EngineSettings, Journal
from mailkit.bulk import holds
from mailkit.bulk.journal import JobRecord
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.cluster import runs
from mailkit.cluster.queue import NAMESPACE
from mailkit.cluster.runs import Runs
from mailkit.cluster.task import Tasks
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.message import Message
from mailkit.provider import Dispatch
from mailkit.testing import FakeClock

from ..bulk.fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people


class CutOff(FakeProvider):
    """The client of a machine that is cut off: requests to send end like this, if it can begin."""

    error: Exception | None = OutcomeUnknown("no response")
    can_begin: bool = True

    def dispatch(self, message: Message, columns: object) -> Dispatch:
        if self.error is not None:
            self.acts = [self.error] * 100
        return Requests(self)


class Requests(FakeDispatch):
    async def prepare(self) -> None:
        assert isinstance(self.provider, CutOff)
        if not self.provider.can_begin:
            raise NotSent("no route to the host")


class Worker:
    """The tasks of a process, and the orders that wait."""

    def __init__(self, journal: Journal) -> None:
        self.provider = CutOff()
        settings = EngineSettings(concurrency=1)
        self.tasks = Tasks(journal, Runs(journal, [self.provider], settings, []))
        self._connector = InMemoryConnector()
        App(connector=self._connector).add_tasks_from(self.tasks.blueprint, namespace=NAMESPACE)

    async def send(self) -> int:
        """Do an order to send the job; how many requests that has cost."""
        self._connector.reset()
        before = len(self.provider.chunks)
        await self.tasks.send("a", track=60.0)
        return len(self.provider.chunks) - before

    @property
    def orders(self) -> list[tuple[str, object]]:
        """What waits in the queue, and with which ``track``."""
        return [
            (job["task_name"], job["args"].get("track")) for job in self._connector.jobs.values()
        ]


ORDERED = [("mailkit:send", 60.0)]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
async def healthy(journal: Journal) -> JobRecord:
    """Another worker that sends the job."""
    async with BulkSender(FakeProvider(), journal=journal, clock=FakeClock()) as sender:
        await sender.detach(MESSAGE, read_recipients(people(60)), name="a")
    return await journal.workers.join(await journal.jobs.get("a"))


@pytest.fixture
def worker(journal: Journal) -> Worker:
    return Worker(journal)


async def test_a_job_that_it_has_left_is_for_others_as_long_as_they_send_it(
    journal: Journal, worker: Worker, healthy: JobRecord
) -> None:
    assert await worker.send() == 3
    assert worker.orders == ORDERED
    for _ in range(3):
        assert await worker.send() == 0
        assert worker.orders == ORDERED
    assert await journal.jobs.stopped(healthy) is None

    await journal.workers.leave(healthy)
    assert await worker.send() == 3
    assert "3 chunks in a row" in str(await journal.jobs.stopped(healthy))
    assert await worker.send() == 0
    assert worker.orders == []


async def test_one_that_could_not_reach_the_provider_is_back_after_a_while(
    journal: Journal, worker: Worker, healthy: JobRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(runs, "_clock", clock)
    monkeypatch.setattr(holds, "TRIES_TO_STOP", 1)
    worker.provider.error = NotSent("no route to the host")
    assert await worker.send() == 1
    clock.advance(runs.UNREACHABLE_SECONDS - 1)
    assert await worker.send() == 0
    assert worker.orders == ORDERED

    clock.advance(1)
    worker.provider.can_begin = False
    with pytest.raises(NotSent):
        await worker.send()
    assert worker.orders == ORDERED
    assert await worker.send() == 0

    clock.advance(runs.UNREACHABLE_SECONDS)
    worker.provider.can_begin, worker.provider.error = True, None
    worker.provider.acts.clear()
    assert await worker.send() == 20
    await journal.workers.leave(healthy)


async def test_one_that_can_not_begin_hands_the_order_on_if_others_send(
    journal: Journal, worker: Worker, healthy: JobRecord
) -> None:
    worker.provider.can_begin = False
    with pytest.raises(NotSent):
        await worker.send()
    assert worker.orders == ORDERED
    await journal.workers.leave(healthy)
    with pytest.raises(NotSent):
        await worker.send()
    assert worker.orders == []  # the sweep orders it again
    assert await journal.jobs.stopped(healthy) is None
