"""Whether events come before the outcome of a chunk, before a poll or after: the end is alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.bulk.journal import ChunkState, JobRecord, Journal, Taken
from mailkit.core.dispatch import ChunkStatus
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import PollResult, RowStatus, Sent

from .counted import checked
from .fakes import memory_journal, people
from .jobs import planned, snapshot, take

ROWS = 5
NAMES = people(ROWS)
STATUSES = st.sampled_from(list(DeliveryStatus))


@attrs.frozen
class Outcome:
    """How the request of the chunk ended, and what was missing, or refused, by row."""

    how: str
    left: Sequence[str]

    async def end(self, journal: Journal, job: JobRecord, taken: Taken, ref: str | None) -> None:
        chunks, ticket = journal.chunks, taken.ticket
        rows = {
            kind: {n: "why" for n, one in enumerate(self.left, 1) if one == kind}
            for kind in ("rejected", "in doubt", "held")
        }
        match self.how:
            case "accepted":
                sent = Sent(ref, rows["rejected"], rows["in doubt"], rows["held"])
                await chunks.accept(job, ticket, 3.0, sent)
            case "rejected":
                await chunks.reject(job, ticket, 3.0, "no")
            case "in doubt":
                await chunks.doubt(job, ticket, 3.0, "reset")
            case _:
                await chunks.put_back(job, ticket, 3.0, "dns")


@attrs.frozen
class Heard:
    """What an event says of a row, of which there are several."""

    row: int
    status: DeliveryStatus
    n: int

    def event(self, taken: Taken, ref: str | None) -> DeliveryEvent:
        return DeliveryEvent(
            provider="fake",
            name=f"event {self.n}",
            address=NAMES[self.row],
            status=self.status,
            token=taken.task.token(taken.task.rows[self.row]) if ref is None else None,
            reference=ref,
            raw={"n": self.n},
        )


@attrs.frozen
class Polled:
    found: PollResult
    doubt: str | None

    def without(self, outcome: Outcome) -> Polled:
        """The same, but who was held is not in the provider's list of the chunk."""
        held = [NAMES[n] for n, one in enumerate(outcome.left) if one == "held"]
        said = (one for one in self.found.statuses if isinstance(one, RowStatus))
        statuses = [one for one in said if one.address not in held]
        return attrs.evolve(self, found=attrs.evolve(self.found, statuses=statuses))


Life = tuple[Outcome, list[Polled]]

named = st.builds(
    RowStatus,
    address=st.sampled_from(NAMES),
    delivery=st.one_of(st.none(), STATUSES),
    rejected=st.sampled_from([False, False, True]),
    reason=st.sampled_from(["", "full"]),
)
whole = st.builds(
    ChunkStatus,
    delivery=st.sampled_from([None, DeliveryStatus.SENT, DeliveryStatus.DELIVERED]),
    rejected=st.booleans(),
    reason=st.just("blocked"),
)


def lives(left: list[str], found: st.SearchStrategy[PollResult]) -> st.SearchStrategy[Life]:
    """Lives of a chunk whose provider speaks of it in one way."""
    how = st.sampled_from(["accepted"] * 5 + ["rejected", "in doubt", "planned again"])
    rows = st.lists(st.sampled_from(left), min_size=ROWS, max_size=ROWS)
    polled = st.builds(Polled, found=found, doubt=st.sampled_from([None, None, "missing"]))
    return st.tuples(st.builds(Outcome, how=how, left=rows), st.lists(polled, max_size=3))


by_row = lives(
    ["taken", "taken", "rejected", "in doubt", "held"],
    st.lists(named, max_size=8).map(PollResult),
)
as_a_whole = lives(["taken"], whole.map(lambda others: PollResult(others=others)))
heard = st.lists(st.tuples(st.integers(0, ROWS - 1), STATUSES), min_size=1, max_size=6)


async def end_of(
    steps: Sequence[Outcome | Heard | Polled], ref: str | None
) -> tuple[dict[str, tuple[str, int]], object, list[str]]:
    async with memory_journal() as journal:
        job = await planned(journal, [*NAMES, "last@example.com"], chunk=ROWS)
        taken = await take(journal, job)
        for step in steps:
            match step:
                case Outcome():
                    await step.end(journal, job, taken, ref or "r")
                case Heard():
                    await journal.events.record([step.event(taken, ref)], now=4.0)
                case Polled(found, doubt):
                    if await journal.reports.chunks(job, ChunkState.ACCEPTED):
                        await journal.statuses.reconcile(job, 1, found, now=4.0, doubt=doubt)
            await checked(journal)
        found_rows = [row async for rows in journal.reports.rows(job) for row in rows]
        suppressed = [one.address async for one in journal.suppressions.list()]
        rows = {row.address: (str(row.state), int(row.delivery or 0)) for row in found_rows}
        return rows, (await snapshot(journal, job)).deliveries, suppressed


@settings(max_examples=60, deadline=None)
@given(
    life=by_row | as_a_whole,
    events=heard,
    by_reference=st.booleans(),
    order=st.randoms(use_true_random=False),
)
async def test_the_end_is_alike_whenever_events_come(
    life: Life,
    events: list[tuple[int, DeliveryStatus]],
    by_reference: bool,
    order: random.Random,
) -> None:
    told = [Heard(row, status, n) for n, (row, status) in enumerate(events)]
    outcome, polled = life
    polled = [one.without(outcome) for one in polled]
    if by_reference and outcome.how != "accepted":
        return  # it has no reference, and never gets one
    steps: list[Outcome | Heard | Polled] = [outcome, *polled]
    ref = "77" if by_reference else None
    expected = await end_of([*steps, *told], ref)
    mixed = list(steps)
    for one in order.sample(told, len(told)):
        mixed.insert(order.randint(0, len(mixed)), one)
    assert await end_of(mixed, ref) == expected
