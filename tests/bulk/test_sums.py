"""The sums that the journal keeps are those of its rows, whatever has become of these."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from mailkit.bulk.journal import (
    Chosen,
    InlineExecutor,
    InvalidRecord,
    JobRecord,
    Journal,
    PlannedRow,
)
from mailkit.core.dispatch import Stage
from mailkit.provider import SEND

from .counted import checked, counted_sums, sums
from .fakes import memory_journal, people
from .jobs import finish, take
from .test_event_lives import CAMPAIGNS, ROWS, Lives
from .test_event_moments import LATER, NOW, proven, say, twins


async def twin(journal: Journal, rng: Random, name: str) -> JobRecord:
    """A job with the same content as all others, some of whose rows can't be sent."""
    job = await journal.jobs.create(
        name, "fake", "shop", "{}", again=False, now=1.0, content=b"the same"
    )
    rows: list[PlannedRow] = []
    invalid: list[InvalidRecord] = []
    for n, address in enumerate(rng.sample(people(ROWS), ROWS), 1):
        if rng.random() < 0.1:
            invalid.append(InvalidRecord(job.ids[0] + n, n + 1, "nobody", None, "no @"))
        else:
            rows.append(PlannedRow(job.ids[0] + n, n + 1, address, None, f'["{n}"]', 10))
    await journal.planning.add(job, rows, invalid)
    await journal.planning.mark_suppressed(job)
    await journal.planning.mark_elsewhere(job)
    await journal.planning.cut(job, rows=4, size=1_000)
    planned = await finish(journal, job)
    await journal.workers.leave(planned)
    return await journal.workers.join(planned)


@pytest.mark.parametrize("stages", [(SEND,), CAMPAIGNS], ids=["tokens", "references"])
@pytest.mark.parametrize("seed", range(10))
async def test_of_jobs_that_share_their_people(seed: int, stages: Sequence[Stage]) -> None:
    rng = Random(seed)
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    lives: list[Lives] = []
    seen = 0
    for name in ("a", "b", "c"):
        lives.append(Lives(rng, journal, await twin(journal, rng, name), stages))
        await checked(journal)
        for _ in range(25):
            await rng.choice(lives).live()
            for one in lives:
                found = await sums(journal, one.job)
                assert found == await counted_sums(journal, one.job)
                seen += len(found.elsewhere)
    assert seen
    await journal.close()


async def test_of_a_duplicate_that_turns_out_to_be_sent_by_its_own_job() -> None:
    async with memory_journal() as journal:
        first, second = await twins(journal)
        second = await journal.workers.join(second)
        await journal.chunks.take(second, NOW)
        lost = await take(journal, second)
        await journal.chunks.doubt(second, lost.ticket, NOW, "reset")
        await journal.workers.leave(second)
        await journal.resolving.not_sent(second, Chosen({2: None}), LATER)
        await proven(journal, first, "poll")
        second = await journal.workers.join(second)
        await take(journal, second)
        assert (await sums(journal, second)).elsewhere == {"already sent by job a": 1}
        await say(journal, lost, 1)
        assert (await sums(journal, second)).elsewhere == {}
        await checked(journal)
