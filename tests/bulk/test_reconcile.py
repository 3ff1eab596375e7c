"""What polls find of a chunk, in any order and mixture, against the plainest model of it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.bulk.journal import Journal
from mailkit.bulk.reconcile import match
from mailkit.core.dispatch import RowStatus, Sent
from mailkit.events import DeliveryStatus

from .fakes import memory_journal, people
from .test_journal import planned, take

ROWS = 5
NAMES = people(ROWS)

deliveries = st.sampled_from([None, *DeliveryStatus])
named = st.builds(
    RowStatus,
    address=st.sampled_from(
        [*NAMES, NAMES[0].upper(), "stranger@example.com", "почта@example.com"]
    ),
    delivery=deliveries,
    refused=st.sampled_from([False] * 5 + [True]),
    reason=st.sampled_from(["", "full"]),
)
alike = deliveries.map(lambda news: [RowStatus(name, news, False, "") for name in NAMES])
polls = st.lists(st.one_of(alike, st.lists(named, max_size=2 * ROWS)), max_size=6)


class Model:
    """Each row has a state and a delivery, and that is all."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(NAMES, "accepted")
        self.deliveries: dict[str, int] = dict.fromkeys(NAMES, 0)

    def hear(self, statuses: list[RowStatus], doubt: str | None) -> None:
        for name in NAMES:
            said = [one for one in statuses if one.address.lower() == name]
            if not said and doubt and self.states[name] == "accepted":
                self.states[name] = "in doubt"
            elif any(one.refused for one in said):
                self.states[name] = "rejected"
            elif said:
                if self.states[name] == "in doubt":
                    self.states[name] = "accepted"
                news = max(one.delivery or 0 for one in said)
                self.deliveries[name] = max(self.deliveries[name], news)


@settings(max_examples=200)
@given(polls=polls, late=st.integers(0, 6))
async def test_states_and_deliveries_are_those_of_the_model(
    polls: list[list[RowStatus]], late: int
) -> None:
    async with memory_journal() as journal:
        job = await planned(journal, NAMES, chunk=ROWS)
        chunk = await take(journal, job)
        await journal.steps.accept(job, chunk.n, 3.0, Sent("r"))
        model = Model()
        for n, statuses in enumerate(polls):
            doubt = "missing" if n == late else None
            model.hear(statuses, doubt)
            found = match(await journal.statuses.keys(job, chunk.n), statuses, doubt)
            await journal.statuses.reconcile(job, chunk.n, found, reconciled=True, cursor=None)
            assert await seen(journal) == (model.states, model.deliveries)
            counts = Counter(status for status in model.deliveries.values() if status)
            assert await journal.accounts.deliveries(job) == counts


async def seen(journal: Journal) -> tuple[dict[str, str], dict[str, int]]:
    job = await journal.jobs.get("a")
    rows = [row async for rows in journal.accounts.rows(job, running=False) for row in rows]
    return (
        {row.address: row.state for row in rows},
        {row.address: row.delivery or 0 for row in rows},
    )
