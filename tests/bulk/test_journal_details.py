"""What a report reads row by row: the same in both databases, and never many rows at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import attrs
import pytest

from mailkit.bulk.journal import ChunkState, Failure, JobRecord, Journal, details
from mailkit.bulk.journal.connection import Connection
from mailkit.provider import Sent

from .fakes import people
from .jobs import in_each, planned, take

BOTH = pytest.mark.parametrize("journal", ["memory", "postgres"], indirect=True)


@pytest.fixture
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


async def failed(journal: Journal) -> JobRecord:
    """A job of which nearly everything went wrong, in each way."""
    await journal.suppressions.load([(who, "no") for who in people(3)], now=1.0)
    rows = [*"abcde", *people(20), *people(20)[5:9]]
    job = await planned(journal, rows, chunk=4)
    for act in range(4):
        taken = await take(journal, job)
        n = [row.n for row in taken.task.rows]
        if act == 0:
            await journal.chunks.reject(job, taken.ticket, 3.0, "no")
        elif act == 1:
            await journal.chunks.doubt(job, taken.ticket, 3.0, "reset")
        else:
            sent = Sent(None, rejected=dict.fromkeys(n[:2], "full"), in_doubt={n[2]: "?"})
            await journal.chunks.accept(job, taken.ticket, 3.0, sent)
    return job


class _Few:
    """A connection that gives few rows at once."""

    def __init__(self, db: Connection, most: int) -> None:
        self._db, self._most = db, most

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        return _FewRows(self._db.execute(sql, parameters), self._most)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        raise AssertionError("nothing is written")


@attrs.frozen
class _FewRows:
    cursor: Any
    most: int

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self.cursor.fetchall()
        assert len(rows) <= self.most
        return rows


async def failures(journal: Journal, job: JobRecord, most: int) -> list[Failure]:
    found = await journal.reports.details(
        job.name,
        lambda _, all_: [*attrs.evolve(all_, db=_Few(all_.db, most)).failures()],
    )
    assert found is not None
    return found


@BOTH
async def test_all_that_failed_is_read_a_few_rows_at_a_time(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await failed(journal)
    at_once = await failures(journal, job, details.AT_ONCE)
    kinds = [str(one.kind) for one in at_once for _ in range(one.rows)]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "invalid": 5, "duplicate": 4, "suppressed": 3, "rejected": 8, "in doubt": 6
    }  # fmt: skip
    for few in (1, 2, 3):
        monkeypatch.setattr(details, "AT_ONCE", few)
        assert await failures(journal, job, few) == at_once


@BOTH
async def test_of_what_was_left_out_there_may_be_so_much_at_most(journal: Journal) -> None:
    job = await failed(journal)

    async def left_out(most: int | None) -> list[tuple[str, int]]:
        found = await journal.reports.details(
            job.name, lambda _, all_: [(str(one.kind), one.line) for one in all_.left_out(most)]
        )
        assert found is not None
        return found

    every = await left_out(None)
    for most in (1, 2, 4, 9):
        kinds = [kind for kind, _ in every]
        assert await left_out(most) == [
            one for at, one in enumerate(every) if kinds[:at].count(one[0]) < most
        ]


@BOTH
async def test_a_chunk_has_its_first_and_last_row_wherever_these_were_before(
    journal: Journal,
) -> None:
    job = await planned(journal, people(9), chunk=3)
    first = job.ids[0]

    async def ends() -> tuple[str | None, str | None]:
        [chunk] = await journal.reports.chunks(job, ChunkState.REJECTED)
        return chunk.first_address, chunk.last_address

    async def change(sql: str, *values: int) -> None:
        await journal._db.write(lambda db: db.execute(sql, values))

    await change("UPDATE chunks SET state = 'rejected' WHERE n = 2")
    assert await ends() == ("p3@example.com", "p5@example.com")
    await change("UPDATE rows SET chunk = 2 WHERE id = ?", first + 2)
    assert await ends() == ("p1@example.com", "p5@example.com")
    await change("UPDATE rows SET chunk = 2 WHERE id = ?", first + 8)
    assert await ends() == ("p1@example.com", "p7@example.com")
    await change("UPDATE rows SET state = 'accepted' WHERE id = ?", first + 2)
    assert await ends() == ("p3@example.com", "p7@example.com")
