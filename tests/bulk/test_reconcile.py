"""What polls find of a chunk, in any order and mixture, against the plainest model of it."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import InlineExecutor, JobRecord, Journal
from mailkit.bulk.journal.matching import key_of, keys_of
from mailkit.bulk.journal.merging import merge
from mailkit.bulk.journal.sqlite.store import DIALECT, Connector
from mailkit.core.dispatch import RowStatuses
from mailkit.events import DeliveryStatus
from mailkit.provider import PollResult, RowStatus, Sent, SharedStatus

from ..examples import examples
from .counted import checked, counters
from .fakes import memory_journal, people
from .jobs import planned, snapshot, take

ROWS = 5
NAMES = people(ROWS)

deliveries = st.sampled_from([None, *DeliveryStatus])
named = st.builds(
    RowStatus,
    address=st.sampled_from(
        [*NAMES, NAMES[0].upper(), "stranger@example.com", "почта@example.com"]
    ),
    delivery=deliveries,
    rejected=st.sampled_from([False] * 3 + [True]),
    reason=st.sampled_from(["", "full"]),
)
alike = deliveries.map(lambda news: [RowStatus(name, news, False, "") for name in NAMES])
poll = st.one_of(alike, st.lists(named, max_size=2 * ROWS))
polls = st.lists(poll, max_size=6)


class Model:
    """Each row has a state and a delivery, and that is all."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(NAMES, "accepted")
        self.deliveries: dict[str, int] = dict.fromkeys(NAMES, 0)
        self.reconciled = False

    def hear(self, statuses: Sequence[RowStatus], doubt: str | None = None) -> None:
        missing = False
        for name in NAMES:
            said = [one for one in statuses if one.address.lower() == name]
            good = [one.delivery or DeliveryStatus.QUEUED for one in said if not one.rejected]
            if good:
                self.states[name] = "accepted"
                self.deliveries[name] = max(self.deliveries[name], *good)
            elif self.deliveries[name]:
                pass  # it was named as taken before
            elif said:
                self.states[name] = "rejected"
            elif self.states[name] == "accepted":
                missing = True
                if doubt and not self.reconciled:
                    self.states[name] = "in doubt"
        self.reconciled = self.reconciled or bool(doubt) or not missing

    def looked_for(self) -> Sequence[str]:
        if self.reconciled:
            return []
        accepted = [name for name in NAMES if self.states[name] == "accepted"]
        return [name for name in accepted if not self.deliveries[name]]


def shared(statuses: Sequence[RowStatus]) -> list[SharedStatus]:
    """The same, told of all at once of whom it is said."""
    said: dict[tuple[DeliveryStatus | None, bool, str], list[str]] = defaultdict(list)
    for one in statuses:
        said[one.delivery, one.rejected, one.reason].append(one.address)
    return [SharedStatus(addresses, *word) for word, addresses in said.items()]


async def accepted_chunk(journal: Journal) -> JobRecord:
    job = await planned(journal, NAMES, chunk=ROWS)
    await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent("r"))
    return job


async def seen(journal: Journal) -> tuple[dict[str, str], dict[str, int]]:
    job = await journal.jobs.get("a")
    rows = [row async for rows in journal.reports.rows(job) for row in rows]
    return (
        {row.address: row.state for row in rows},
        {row.address: row.delivery or 0 for row in rows},
    )


@examples(40)
@given(polls=polls, late=st.integers(0, 6), told=st.sampled_from([list, shared]))
async def test_states_deliveries_and_counters_are_those_of_the_model(
    polls: list[list[RowStatus]],
    late: int,
    told: Callable[[Sequence[RowStatus]], RowStatuses],
) -> None:
    async with memory_journal() as journal:
        job = await accepted_chunk(journal)
        await checked(journal)
        model = Model()
        for n, statuses in enumerate(polls):
            doubt = "missing" if n == late else None
            model.hear(statuses, doubt)
            merged = await journal.statuses.reconcile(
                job, 1, PollResult(told(statuses)), now=3.0, doubt=doubt
            )
            assert await seen(journal) == (model.states, model.deliveries)
            assert merged.reconciled == model.reconciled
            counts = Counter(status for status in model.deliveries.values() if status)
            found = await snapshot(journal, job)
            assert found.deliveries == counts
            assert found.unreconciled == len(model.looked_for())
            assert (found.unreconciled_since is None) == (not model.looked_for())
            await checked(journal)
            assert (await counters(journal))[job.id, 1][2] == merged.unfinished


@examples(15)
@given(polls=polls, order=st.randoms(use_true_random=False))
async def test_the_order_in_which_statuses_come_does_not_matter(
    polls: list[list[RowStatus]], order: random.Random
) -> None:
    ends = []
    for _ in range(2):
        async with memory_journal() as journal:
            job = await accepted_chunk(journal)
            for statuses in polls:
                await journal.statuses.reconcile(job, 1, PollResult(statuses), now=3.0)
            ends.append(await seen(journal))
        polls = [order.sample(statuses, len(statuses)) for statuses in polls]
        order.shuffle(polls)
    assert ends[0] == ends[1]


TAKEN = RowStatus(NAMES[0], None, False, "")  # taken, with a word that is not known
SENT = RowStatus(NAMES[0], DeliveryStatus.SENT, False, "")
REFUSED = RowStatus(NAMES[0], None, True, "no such mailbox")


@pytest.mark.parametrize("good", [TAKEN, SENT])
@pytest.mark.parametrize("spelling", [NAMES[0], NAMES[0].upper(), f" {NAMES[0]} "])
@pytest.mark.parametrize("at_once", [True, False])
async def test_an_address_named_as_taken_and_as_refused_was_taken(
    good: RowStatus, spelling: str, at_once: bool
) -> None:
    refused = REFUSED._replace(address=spelling)
    for both in ([good, refused], [refused, good]):
        async with memory_journal() as journal:
            job = await accepted_chunk(journal)
            for heard in [both] if at_once else [[one] for one in both]:
                await journal.statuses.reconcile(job, 1, PollResult(heard), now=3.0)
            assert (await seen(journal))[0][NAMES[0]] == "accepted"


def every(delivery: DeliveryStatus, *names: str) -> list[RowStatus]:
    return [RowStatus(name, delivery, False, "") for name in names or NAMES]


@pytest.mark.parametrize("one", [TAKEN, SENT, REFUSED, *every(DeliveryStatus.OPENED, NAMES[0])])
@pytest.mark.parametrize("all", [DeliveryStatus.SENT, DeliveryStatus.DELIVERED])
async def test_what_is_said_of_all_also_holds_for_who_had_a_word_alone(
    one: RowStatus, all: DeliveryStatus
) -> None:
    async with memory_journal() as journal:
        job = await accepted_chunk(journal)
        model = Model()
        for statuses in [[one], every(all)]:
            model.hear(statuses)
            await journal.statuses.reconcile(job, 1, PollResult(statuses), now=3.0)
        assert await seen(journal) == (model.states, model.deliveries)
        await checked(journal)


async def test_whoever_was_named_once_is_not_missing_later() -> None:
    async with memory_journal() as journal:
        job = await accepted_chunk(journal)
        await journal.statuses.reconcile(job, 1, PollResult([TAKEN]), now=3.0)
        await journal.statuses.reconcile(job, 1, PollResult(()), now=3.0, doubt="missing")
        states, _ = await seen(journal)
        assert states == dict.fromkeys(NAMES, "in doubt") | {NAMES[0]: "accepted"}


@pytest.mark.parametrize("told", [list, shared])
async def test_a_reason_that_is_the_same_for_all_is_kept_in_each_row(
    told: Callable[[Sequence[RowStatus]], RowStatuses],
) -> None:
    said = [RowStatus(name, DeliveryStatus.UNDELIVERED, False, "full") for name in NAMES]
    async with memory_journal() as journal:
        job = await accepted_chunk(journal)
        await journal.statuses.reconcile(job, 1, PollResult(told(said)), now=3.0)
        rows = [row async for rows in journal.reports.rows(job) for row in rows]
        assert [(row.delivery, row.reason) for row in rows] == [(70, "full")] * ROWS


@pytest.mark.parametrize("told", [list, shared])
async def test_who_complained_is_suppressed_even_if_all_did(
    told: Callable[[Sequence[RowStatus]], RowStatuses],
) -> None:
    async with memory_journal() as journal:
        job = await accepted_chunk(journal)
        said = every(DeliveryStatus.COMPLAINED)
        await journal.statuses.reconcile(job, 1, PollResult(told(said)), now=3.0)
        assert [one.address async for one in journal.suppressions.list()] == NAMES


spellings = st.text(st.sampled_from("aZß\u212aя \n\t\x1f\x7f\xa0@."), max_size=4)


@examples(200)
@given(addresses=st.lists(st.one_of(spellings, st.sampled_from(NAMES)), max_size=4))
def test_keys_of_many_addresses_are_those_of_each(addresses: list[str]) -> None:
    assert [*keys_of(addresses)] == [key_of(address) for address in addresses]


# a second writer


class Watched(InlineExecutor):
    """Calls ``before`` as each statement begins."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, connect: Connector) -> None:
        super().__init__(connect)
        self._db.set_trace_callback(lambda statement: self.before())


class Other:
    """Another connection to the journal, which has something to tell at one moment of ours."""

    def __init__(self, db: sqlite3.Connection, job: JobRecord, statuses: list[RowStatus]) -> None:
        self._db, self._job, self._polled = db, job, PollResult(statuses)
        self.told = False

    def tell(self) -> bool:
        """Merge it; False if the journal is locked."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        merge(self._db, DIALECT, self._job, 1, self._polled, 3.0)
        self._db.execute("COMMIT")
        self.told = True
        return True


@pytest.mark.parametrize(
    ("ours", "theirs", "doubt"),
    [
        (every(DeliveryStatus.DELIVERED), every(DeliveryStatus.OPENED, *NAMES[:2]), None),
        (every(DeliveryStatus.OPENED, *NAMES[:2]), every(DeliveryStatus.DELIVERED), None),
        (every(DeliveryStatus.SENT, *NAMES[1:]), every(DeliveryStatus.SENT, NAMES[0]), "missing"),
        ([REFUSED, *every(DeliveryStatus.SENT, *NAMES[1:])], [SENT], None),
        ([], every(DeliveryStatus.OPENED), "missing"),
    ],
)
async def test_a_second_writer_may_come_at_any_moment(
    tmp_path: Path, ours: list[RowStatus], theirs: list[RowStatus], doubt: str | None
) -> None:
    model = Model()
    model.hear(theirs)
    model.hear(ours, doubt)
    ends: list[str] = []
    for moment in range(100):
        end = await _interrupted(tmp_path / f"{moment}.db", moment, ours, theirs, doubt, model)
        if end is None:
            break
        ends.append(end)
    assert ends == sorted(ends)  # before our transaction they may, in it they wait
    assert ends.count("waited") > 5


async def _interrupted(
    path: Path,
    moment: int,
    ours: list[RowStatus],
    theirs: list[RowStatus],
    doubt: str | None,
    model: Model,
) -> str | None:
    """Reconcile, with another writer as the statement of this number begins."""
    executors: list[Watched] = []

    def executor(connect: Connector) -> Watched:
        executors.append(Watched(connect))
        return executors[0]

    journal = await Journal.open(path, executor=executor)
    job = await accepted_chunk(journal)
    end: str | None = None
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        other = Other(db, job, theirs)
        left = moment

        def before() -> None:
            nonlocal left, end
            left -= 1
            if left == -1:
                end = "told" if other.tell() else "waited"

        executors[0].before = before
        await journal.statuses.reconcile(job, 1, PollResult(ours), now=3.0, doubt=doubt)
        executors[0].before = lambda: None
        assert other.told or other.tell()
    assert await seen(journal) == (model.states, model.deliveries)
    await checked(journal)
    counts = Counter(status for status in model.deliveries.values() if status)
    assert (await snapshot(journal, job)).deliveries == counts
    await journal.close()
    return end
