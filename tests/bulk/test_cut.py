"""Chunks are as full as their two limits let them be, over gaps and many commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import InvalidRecord, PlannedRow, Taken, planning

from .fakes import memory_journal


def expected(sizes: list[int | None], rows: int, size: int) -> list[list[int]]:
    chunks: list[list[int]] = []
    room = 0
    for n, weight in enumerate(sizes, 1):
        if weight is None:
            continue
        if not chunks or len(chunks[-1]) == rows or weight > room:
            chunks.append([])
            room = size
        chunks[-1].append(n)
        room -= weight
    return chunks


@given(
    sizes=st.lists(st.none() | st.integers(1, 12), max_size=40),
    rows=st.integers(1, 6),
    size=st.integers(5, 30),
)
async def test_chunks_are_full(sizes: list[int | None], rows: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "CHUNKS_A_COMMIT", 3)
        async with memory_journal() as journal:
            job = await journal.jobs.create("a", "fake", "shop", "{}", again=False, now=1.0)
            at = job.ids[0]
            await journal.planning.add(
                job,
                [
                    PlannedRow(at + n, n, f"p{n}", None, None, s)
                    for n, s in enumerate(sizes, 1)
                    if s
                ],
                [InvalidRecord(at + n, n, "", None, "?") for n, s in enumerate(sizes, 1) if not s],
            )
            await journal.planning.cut(job, rows=rows, size=size)
            job = await journal.jobs.finish_planning(
                job, columns=[], fingerprint=b"a", name=None, again=False
            )
            job = await journal.workers.join(job)
            chunks: list[list[int]] = []
            while (chunk := await journal.chunks.take(job, 2.0)) is not None:
                assert isinstance(chunk, Taken)
                assert chunk.task.chunk == len(chunks) + 1
                chunks.append([row.n for row in chunk.task.rows])
            assert chunks == expected(sizes, rows, size)
