"""Every report says why rows were left out or rejected, with the command that lists them."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report, make_report, summary
from mailkit.bulk.report.page import html_report
from mailkit.bulk.report.workbook import excel_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.cli.show import report_text
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock

from ..fakes import MESSAGE, FakeProvider, memory_journal, people
from ..jobs import in_each
from .test_workbook import read

REJECTED = {"p1@example.com": "p1@example.com: mailbox 17 is full", "p2@example.com": "blocked"}


def reject(task: Task) -> Sent:
    return Sent("1", {row.n: REJECTED[row.address] for row in task.rows if row.address in REJECTED})


async def send(journal: Journal, rows: Sequence[str], provider: FakeProvider) -> Report:
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        unwanted = read_recipients(["p3@example.com"])
        job = await sender.start(MESSAGE, read_recipients(rows), name="autumn", suppress=unwanted)
        return await job.wait()


def told(report: Report) -> list[tuple[object, str, int, list[int]]]:
    return [
        (group.kind, group.reason, group.rows, [row.line for row in group.examples])
        for group in report.reasons
    ]


async def test_every_report_says_why() -> None:
    rows = [*people(5), "x", "y", "a@b@c", "p0@example.com", "P0@example.com"]
    async with memory_journal() as journal:
        report = await send(
            journal, rows, FakeProvider(chunk_rows=9, acts=[reject], hidden={*REJECTED})
        )
        assert told(report) == [
            ("invalid", "no @", 2, [6]),
            ("invalid", "more than one @", 1, [8]),
            ("duplicate", "an earlier row has the same address", 2, []),
            ("suppressed", "named for this job", 1, [4]),
            ("rejected", "p1@example.com: mailbox 17 is full", 1, [2]),
            ("rejected", "blocked", 1, [3]),
        ]
        lines = [*report_text(report)]
        at = lines.index("invalid:")
        assert lines[at : at + 8] == [
            "invalid:",
            "  2 no @ (e.g. line 6: x)",
            "  1 more than one @ (line 8: a@b@c)",
            "  full list: mailkit report autumn --csv --state invalid",
            "rejected:",
            "  1 p1@example.com: mailbox 17 is full (line 2: p1@example.com)",
            "  1 blocked (line 3: p2@example.com)",
            "  full list: mailkit report autumn --csv --state rejected",
        ]
        assert "suppressed:" not in lines
        plain = json.loads(report.to_json())["reasons"]
        assert [group["rows"] for group in plain] == [2, 1, 2, 1, 1, 1]
        assert plain[0]["examples"][0]["address"] == "x"
        page = await html_report(journal, "autumn")
        assert "--state</span> <span>invalid" in page
        book = io.BytesIO()
        await excel_report(journal, "autumn", book)
        sums = {row[0]: row[1] for row in read(book.getvalue())["Summary"]}
        assert sums["invalid: no @"] == "2"
        assert sums["full list of invalid rows"] == "mailkit report autumn --csv --state invalid"


async def test_a_list_that_is_wrong_as_a_whole_says_of_everybody_why() -> None:
    async with memory_journal() as journal:
        report = await send(journal, ["p3@example.com", "p3@example.com", *"x" * 3], FakeProvider())
        lines = [*report_text(report)]
        assert [line for line in lines if line.endswith(":")] == [
            "invalid:",
            "duplicate:",
            "suppressed:",
        ]
        assert lines[-1] == "Nobody was accepted; the name autumn is free for another job"


async def test_chunks_that_were_rejected_are_counted_by_their_rows() -> None:
    """Also those that a refusal was narrowed down to, whose rows are in no range."""
    async with memory_journal() as journal:
        provider = FakeProvider(
            chunk_rows=8,
            refuses=lambda task: (
                "no such mailbox" if any(row.address in REJECTED for row in task.rows) else None
            ),
        )
        report = await send(journal, people(8), provider)
        [group] = [group for group in report.reasons if group.kind == "rejected"]
        assert (group.reason, group.rows) == ("no such mailbox", 2)
        assert {row.address for row in group.examples} == {*REJECTED}
        assert "  2 no such mailbox (e.g. p1@example.com)" in report_text(report)


@pytest.mark.parametrize("place", ["memory", "postgres"], indirect=True)
async def test_a_status_looks_at_the_first_rows_of_each_state_alone(
    place: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["a", "b", "c@d@e", *people(5)]
    provider = FakeProvider(chunk_rows=9, acts=[reject], hidden={*REJECTED})
    report = await send(place, rows, provider)
    assert told(await make_report(place, "autumn", proven=False)) == told(report)
    monkeypatch.setattr(summary, "LOOKED_AT", 1)
    status = await make_report(place, "autumn", proven=False)
    assert status.counts == report.counts
    assert told(status) == [
        ("invalid", "no @", 1, [1]),
        ("suppressed", "named for this job", 1, [7]),
        ("rejected", "p1@example.com: mailbox 17 is full", 1, [5]),
    ]
    lines = [*report_text(status)]
    assert "invalid (the reasons of 1 of 3 rows; mailkit report autumn has all):" in lines
    assert "rejected (the reasons of 1 of 2 rows; mailkit report autumn has all):" in lines
    assert told(await make_report(place, "autumn")) == told(report)


@pytest.fixture
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened
