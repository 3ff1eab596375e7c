"""Whoever is removed from the journal, and whenever: nobody is mailed twice, nobody is lost, and
nobody who opted out is mailed at all.
"""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import Journal
from mailkit.bulk.report import make_report
from mailkit.bulk.resolve import replan_rejected
from mailkit.errors import InvalidArgument, JobExists

from ..examples import examples
from .fakes import FakeProvider, memory_journal
from .test_elsewhere import OUTCOMES, agrees, resume, rows_of, say_the_truth, send
from .test_forgetting import everything
from .test_resolve import outcome_of

ACTS = st.tuples(
    st.sampled_from(
        ["start", "start", "resume", "order again", "resolve", "prune", "forget", "suppress"]
    ),
    st.integers(0, 3),
    st.sets(st.integers(0, 5), min_size=1),
)
LATER = 4e9


def person(number: int) -> str:
    return f"p{number}@example.com"


async def rejected(journal: Journal) -> set[str]:
    return {
        row.address
        for job in await journal.jobs.list()
        for row in await rows_of(journal, job.name)
        if row.state == "rejected"
    }


@examples(25)
@given(script=st.lists(OUTCOMES, max_size=12), acts=st.lists(ACTS, min_size=3, max_size=12))
async def test_whoever_is_removed_the_promise_is_kept(
    script: list[str], acts: list[tuple[str, int, set[int]]]
) -> None:
    provider = FakeProvider(chunk_rows=2)
    provider.acts = [outcome_of(provider, outcome) for outcome in script]
    wanted: set[str] = set()
    never: set[str] = set()  # rejected, and removed since
    opted_out: dict[str, int] = {}
    async with memory_journal() as journal:
        for act, n, numbers in acts:
            people = sorted(map(person, numbers))
            started = [job.name for job in await journal.jobs.list()]
            match act:
                case "start":
                    with contextlib.suppress(JobExists):
                        await send(journal, provider, people, f"m{n}")
                        wanted.update(people)
                case "prune":
                    never |= await rejected(journal)
                    await journal.pruning.prune(LATER, now=LATER)
                case "forget":
                    before = await rejected(journal)
                    with contextlib.suppress(InvalidArgument):
                        await journal.forget(people[0])
                        never |= before & {people[0]}
                        assert people[0] not in await everything(journal)
                case "suppress":
                    await journal.suppressions.add(people[:1], reason="asked", now=1.0)
                    opted_out.setdefault(people[0], provider.mailed[people[0]])
                case _ if f"m{n}" not in started:
                    continue
                case "order again":
                    with contextlib.suppress(InvalidArgument):
                        await replan_rejected(journal, f"m{n}")
                case "resolve":
                    await say_the_truth(journal, provider, f"m{n}")
                case _:
                    await resume(journal, provider, f"m{n}")
            await agrees(journal, provider)
        for job in await journal.jobs.list():
            await say_the_truth(journal, provider, job.name)
            while (await make_report(journal, job.name)).counts.unsent:
                await resume(journal, provider, job.name)
                await say_the_truth(journal, provider, job.name)
        await agrees(journal, provider)
        mailed = {name for name, times in provider.mailed.items() if times}
        assert wanted <= mailed | await rejected(journal) | never | opted_out.keys()
        assert {name: provider.mailed[name] for name in opted_out} == opted_out
