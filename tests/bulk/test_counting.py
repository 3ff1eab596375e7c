"""How many rows are in each state is counted as it happens; a report proves it row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import attrs
import pytest

from mailkit.bulk.journal import Counts, Journal
from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.counting import counts, recounted
from mailkit.bulk.report import make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import JournalError
from mailkit.provider import Sent, Task

from .fakes import MESSAGE, FakeProvider, people
from .jobs import in_each

BOTH = pytest.mark.parametrize("journal", ["memory", "postgres"], indirect=True)


@pytest.fixture
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


async def send(journal: Journal) -> None:
    def in_part(task: Task) -> Sent:
        n = [row.n for row in task.rows]
        return Sent(None, rejected={n[0]: "full"}, in_doubt={n[1]: "not named"})

    provider, settings = FakeProvider(acts=[in_part] * 2), EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, settings=settings) as sender:
        rows = read_recipients([*people(8), "x", "P1@example.com"])
        job = await sender.start(MESSAGE, rows, name="a", suppress=read_recipients(people(1)))
        await job.wait()


@attrs.frozen
class _NoRows:
    """A connection that reads no rows of a list."""

    db: Connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        assert "rows WHERE" not in sql
        return self.db.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        raise AssertionError("nothing is written")


@BOTH
async def test_nobody_reads_the_rows_to_know_how_many_there_are(journal: Journal) -> None:
    await send(journal)
    job = await journal.jobs.get("a")
    found = await journal._db.read(lambda db: counts(_NoRows(db), job, ()))
    assert found == Counts(10, 1, 1, 1, accepted=3, rejected=2, in_doubt=2)
    assert await journal._db.read(lambda db: recounted(db, job, ())) == found


@BOTH
@pytest.mark.parametrize(
    "drift",
    [
        "UPDATE left_out SET rows = rows + CASE state WHEN 'invalid' THEN 1 ELSE -1 END "
        "WHERE state IN ('invalid', 'duplicate')",
        "UPDATE chunks SET accepted_rows = 1, rejected_rows = rejected_rows - 1 "
        "WHERE rejected_rows > 0",
    ],
)
async def test_a_report_refuses_sums_that_are_not_those_of_the_rows(
    journal: Journal, drift: str
) -> None:
    await send(journal)
    await make_report(journal, "a")
    await journal._db.write(lambda db: db.execute(drift))
    with pytest.raises(JournalError, match="does not add up: its sums are"):
        await make_report(journal, "a")
    await make_report(journal, "a", proven=False)
