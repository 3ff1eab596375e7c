"""The tasks of one process, without queues."""

from __future__ import annotations

import asyncio

import pytest

from mailkit.bulk.journal import JobRecord, Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.cluster.runs import Runs
from mailkit.cluster.task import Tasks
from mailkit.events import JobEvent, JobStarted

from ..bulk.fakes import MESSAGE, FakeProvider, people


async def test_two_orders_at_once_are_one_run(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[JobEvent] = []
    provider = FakeProvider(account="shop")
    async with await Journal.open(postgres_database) as journal:
        async with BulkSender(provider, journal=journal) as sender:
            await sender.detach(MESSAGE, read_recipients(people(40)), name="a")
        runs = Runs(journal, [provider], EngineSettings(concurrency=2), [heard.append])
        tasks = Tasks(journal, runs)

        async def hand_on(record: JobRecord, track: float) -> None:
            """Into a queue, for another process."""

        monkeypatch.setattr(tasks, "_hand_on", hand_on)
        monkeypatch.setattr(tasks, "_put_send", hand_on)
        await asyncio.gather(tasks.send("a"), tasks.send("a"))
    assert [type(event) for event in heard].count(JobStarted) == 1
    assert set(provider.mailed.values()) == {1}
    assert len(provider.mailed) == 40
