"""Journals and jobs in several event loops."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from mailkit import BulkSender, Journal, Message, Quota, SmsBy, read_recipients
from mailkit.core.quota import Permits
from mailkit.errors import InvalidArgument
from mailkit.testing import FakeClock, ScriptedProvider

from ..core.test_loops import in_threads

MESSAGE = Message("Shop <news@shop.by>", "Autumn", html="<p>Hi</p>")
PEOPLE = ["a@mail.by", "b@mail.by"]


def test_a_journal_is_read_and_written_in_any_loop(tmp_path: Path) -> None:
    journal = asyncio.run(Journal.open(tmp_path / "journal.db"))

    async def add() -> None:
        address = f"{threading.get_ident()}@mail.by"
        await journal.suppressions.add([address], reason="", now=1.0)

    assert in_threads(add, add, add) == [None] * 3
    assert len(asyncio.run(journal.jobs.list())) == 0
    asyncio.run(journal.close())


def test_permits_of_a_journal_are_shared_by_all_loops(tmp_path: Path) -> None:
    journal = asyncio.run(Journal.open(tmp_path / "journal.db"))
    permits: Permits = journal.permits(SmsBy("token", requests=Quota(2, 0.02)))

    async def one() -> None:
        permit = await permits.acquire(("requests",), 30.0, 0.01)
        permit.sent()
        await asyncio.sleep(0)
        permit.done()

    async def some() -> None:
        await asyncio.gather(*[one() for _ in range(4)])

    assert in_threads(some, some, some) == [None] * 3
    asyncio.run(journal.close())


def test_a_job_belongs_to_the_loop_that_it_was_started_in(tmp_path: Path) -> None:
    clock = FakeClock()
    provider = ScriptedProvider()

    async def main() -> None:
        async with BulkSender(provider, journal=tmp_path / "journal.db", clock=clock) as sender:

            async def again() -> None:
                await sender.start(MESSAGE, read_recipients(PEOPLE), name="again")

            [error] = await asyncio.to_thread(in_threads, again)
            assert isinstance(error, InvalidArgument)
            assert "event loop" in str(error)
            job = await sender.start(MESSAGE, read_recipients(PEOPLE), name="autumn")
            for error in await asyncio.to_thread(in_threads, job.wait):
                assert isinstance(error, InvalidArgument)
            await asyncio.to_thread(job.stop)
            await job.wait()

    asyncio.run(main())
    assert set(provider.mailed) <= {*PEOPLE}
    with pytest.raises(InvalidArgument, match="inside its block"):
        _ = BulkSender(provider).journal
