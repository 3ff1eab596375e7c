"""A scripted provider, as a user's own tests would use it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailkit import BulkSender, Message, Report, read_recipients
from mailkit.errors import AccountRefused, OutcomeUnknown, Refused, Unavailable
from mailkit.provider import Limits, Scope, Sent, Stage, Task, Wait
from mailkit.testing import FakeClock, ScriptedProvider

MESSAGE = Message("Shop <news@shop.example>", "Hi {{ name }}", html="<p>Hi</p>")
PEOPLE = [(f"p{n}@example.com", {"name": f"Name {n}"}) for n in range(5)]
TWO = Limits(rows=2, size=1_000)
EVERYBODY_ONCE = {address: 1 for address, _ in PEOPLE}
LOAD = Stage("load", Scope.PART, repeatable=True)
SEND = Stage("send", carries_rows=False, rows_refusable=False, settles=True)


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


async def send(provider: ScriptedProvider, clock: FakeClock, folder: Path) -> Report:
    async with BulkSender(provider, journal=folder / "journal.db", clock=clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(PEOPLE), name="autumn")
        return await job.wait()


async def test_without_a_script_everybody_is_mailed(clock: FakeClock, tmp_path: Path) -> None:
    provider = ScriptedProvider(limits=TWO)
    report = await send(provider, clock, tmp_path)
    assert (report.counts.accepted, report.unreconciled, report.stopped) == (5, 0, None)
    assert provider.mailed == EVERYBODY_ONCE
    assert sorted(task.label for task in provider.tasks) == ["autumn #1", "autumn #2", "autumn #3"]


async def test_an_error_comes_first_and_nobody_is_mailed(clock: FakeClock, tmp_path: Path) -> None:
    provider = ScriptedProvider(limits=TWO)
    provider.script(AccountRefused("no money left"))
    report = await send(provider, clock, tmp_path)
    assert report.stopped == "the provider can't be used: no money left"
    assert report.counts.unsent + sum(provider.mailed.values()) == 5


async def test_a_wait_and_a_function_of_the_task(clock: FakeClock, tmp_path: Path) -> None:
    def refuse(task: Task) -> Sent:
        raise Refused(f"{len(task.rows)} are too many")

    provider = ScriptedProvider()
    until = clock.utc + timedelta(hours=1)
    provider.script(Wait(until, "moderation"), Unavailable("away"), refuse)
    report = await send(provider, clock, tmp_path)
    assert report.counts.accepted == 5
    assert provider.mailed == EVERYBODY_ONCE
    assert clock.utc > until


async def test_somebody_is_rejected_by_name(clock: FakeClock, tmp_path: Path) -> None:
    provider = ScriptedProvider(rejects={"p1@example.com": "no such mailbox"})
    report = await send(provider, clock, tmp_path)
    assert (report.counts.accepted, report.counts.rejected) == (4, 1)
    assert "p1@example.com" not in provider.mailed


@pytest.mark.parametrize("acts", [True, False])
async def test_a_lost_response_is_in_doubt_whatever_the_service_did(
    clock: FakeClock, tmp_path: Path, acts: bool
) -> None:
    provider = ScriptedProvider()
    provider.script(OutcomeUnknown("no response"), acts=acts)
    report = await send(provider, clock, tmp_path)
    assert (report.counts.in_doubt, report.doubts[0].reason) == (5, "no response")
    assert provider.mailed == (EVERYBODY_ONCE if acts else {})


@pytest.mark.parametrize("acts", [True, False])
async def test_stages_of_its_own_that_settle_their_doubts(
    clock: FakeClock, tmp_path: Path, acts: bool
) -> None:
    provider = ScriptedProvider(stages=(LOAD, SEND), limits=Limits(rows=5, size=1_000, part_rows=2))
    provider.script(Refused("one of them is bad"), Wait(clock.utc, "busy"), stage="load")
    provider.script(OutcomeUnknown("no response"), acts=acts)
    report = await send(provider, clock, tmp_path)
    assert (report.counts.accepted, report.counts.in_doubt) == (5, 0)
    assert provider.mailed == EVERYBODY_ONCE
    assert {len(task.rows) for task in provider.tasks if task.stage is LOAD} == {1, 2}


async def test_a_result_of_the_script_is_what_the_service_says(
    clock: FakeClock, tmp_path: Path
) -> None:
    provider = ScriptedProvider(can_poll=False)
    provider.script(Sent(None, in_doubt={1: "it says nothing of this one"}))
    report = await send(provider, clock, tmp_path)
    assert (report.counts.accepted, report.counts.in_doubt) == (4, 1)
