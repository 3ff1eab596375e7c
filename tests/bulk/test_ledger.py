"""The ledger: permits that are counted in the journal, by a clock that nobody can set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal.ledger import BUCKETS, GRACE, LOOK, Account, Busy, Grant, Ledger
from mailkit.bulk.journal.restoring import put_back
from mailkit.bulk.journal.store import Store
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK, Quota
from mailkit.errors import InvalidArgument
from mailkit.testing import FakeClock

from ..examples import examples
from .fakes import memory_journal

T = TypeVar("T")
FOUR = Quota(4, 3600.0, "campaigns")
TEN = Quota(10, 1.0)
TIMEOUT = 30.0
LONGEST = BEGINS_WITHIN + TIMEOUT + SLACK


class Machine(FakeClock):
    """A machine that can be started again."""

    name = "first"
    started = 0.0

    def elapsed(self) -> float:
        return self.monotonic() - self.started

    def boot(self) -> str:
        return self.name

    def start_again(self, name: str) -> None:
        self.name, self.started = name, self.monotonic()


@attrs.define
class Books:
    """A ledger in a journal, and its clock."""

    store: Store
    clock: Machine = attrs.field(factory=Machine)

    def ledger(self, **quotas: Quota) -> Ledger:
        return Ledger(Account("fake", "shop", quotas), self.clock)

    async def ask(
        self, ledger: Ledger, needs: Mapping[str, int] | None = None, key: str | None = None
    ) -> Grant | Busy:
        wanted = needs or ledger.needs(*ledger.account.quotas)
        return await self.store.write(
            lambda db: ledger.ask(db, wanted, key=key, deadline=TIMEOUT, asked=0.0)
        )

    async def granted(self, ledger: Ledger, **needs: int) -> Grant:
        found = await self.ask(ledger, needs)
        assert isinstance(found, Grant)
        return found

    async def busy(self, ledger: Ledger, key: str | None = None, **needs: int) -> Busy:
        found = await self.ask(ledger, needs, key)
        assert isinstance(found, Busy)
        return found

    async def end(self, ledger: Ledger, grant: Grant) -> None:
        at = self.clock.elapsed()
        await self.store.write(lambda db: ledger.end(db, grant, at))

    async def unsent(self, ledger: Ledger, grant: Grant) -> None:
        await self.store.write(lambda db: ledger.end(db, grant, None))

    async def block(self, ledger: Ledger, grant: Grant, seconds: float | None) -> None:
        at = self.clock.elapsed()
        await self.store.write(lambda db: ledger.block(db, grant, ["campaigns"], at, seconds))

    async def query(self, sql: str) -> list[Any]:
        return await self.store.read(lambda db: db.execute(sql).fetchall())


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    async with memory_journal() as journal:
        yield Books(journal._db)


async def test_no_more_than_the_limit_until_a_window_has_passed(books: Books) -> None:
    ledger = books.ledger(campaigns=FOUR)
    for _ in range(4):
        await books.end(ledger, await books.granted(ledger))
        books.clock.advance(60)
    busy = await books.busy(ledger)
    assert (busy.free_in, busy.look_in, busy.quota) == (3600 - 240, LOOK, FOUR)
    books.clock.advance(3600 - 240 - 0.1)
    assert (await books.busy(ledger)).free_in == pytest.approx(0.1)
    books.clock.advance(0.1)
    await books.granted(ledger)


async def test_a_permit_counts_from_its_completion(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    grant = await books.granted(ledger)
    books.clock.advance(20)
    await books.end(ledger, grant)
    books.clock.advance(59.9)
    await books.busy(ledger)
    books.clock.advance(0.1)
    await books.granted(ledger)


async def test_one_whose_process_was_killed_counts_from_its_deadline(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    await books.granted(ledger)
    books.clock.advance(LONGEST + 59.9)
    await books.busy(ledger)
    books.clock.advance(0.1)
    await books.granted(ledger)


async def test_one_that_was_not_sent_counts_no_more(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    grant = await books.granted(ledger)
    await books.unsent(ledger, grant)
    await books.granted(ledger)


async def test_one_that_ends_after_it_was_forgotten_counts_again(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 1.0))
    grant = await books.granted(ledger)
    books.clock.advance(LONGEST + 2)
    await books.end(ledger, await books.granted(ledger))
    books.clock.advance(1)
    await books.end(ledger, grant)
    await books.busy(ledger)


async def test_all_of_its_quotas_or_none(books: Books) -> None:
    ledger = books.ledger(campaigns=Quota(1, 3600.0), requests=TEN)
    await books.end(ledger, await books.granted(ledger))
    await books.busy(ledger)
    for _ in range(9):
        await books.granted(ledger, requests=1)
    assert (await books.busy(ledger, requests=1)).free_in == 1.0


async def test_accounts_have_quotas_of_their_own(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    other = Ledger(Account("other", "shop", ledger.account.quotas), books.clock)
    await books.granted(ledger)
    await books.granted(other)
    await books.busy(books.ledger(one=Quota(1, 60.0)))


async def test_another_plan_counts_the_same_permits(books: Books) -> None:
    small, large = books.ledger(one=Quota(2, 10.0)), books.ledger(one=Quota(3, 60.0))
    for _ in range(2):
        await books.end(small, await books.granted(small))
    await books.granted(large)
    await books.busy(large)
    books.clock.advance(30)
    await books.end(small, await books.granted(small))
    assert await books.query("SELECT count(*) FROM permits") == [(4,)]
    await books.busy(large)


async def test_permits_that_count_no_more_are_forgotten(books: Books) -> None:
    ledger = books.ledger(one=TEN)
    for _ in range(100):
        await books.end(ledger, await books.granted(ledger))
        books.clock.advance(0.11)
    assert (await books.query("SELECT count(*) FROM permits"))[0][0] <= 11


async def test_a_chunk_takes_as_many_as_it_has_rows(books: Books) -> None:
    ledger = books.ledger(recipients=Quota(1_000, 3600.0, "recipients"))
    await books.end(ledger, await books.granted(ledger, recipients=600))
    await books.busy(ledger, recipients=401)
    await books.end(ledger, await books.granted(ledger, recipients=400))
    with pytest.raises(InvalidArgument, match="1001 recipients at once"):
        await books.ask(ledger, {"recipients": 1_001})


async def test_many_permits_are_counted_together_and_never_too_few(books: Books) -> None:
    quota = Quota(5_000, 500.0, "recipients")
    ledger = books.ledger(recipients=quota)
    piece = quota.per_seconds / BUCKETS
    for _ in range(100):
        await books.end(ledger, await books.granted(ledger, recipients=50))
        books.clock.advance(piece / 4)
    assert (await books.query("SELECT count(*), sum(amount) FROM permits"))[0] == (26, 5_000)
    books.clock.advance(quota.per_seconds - 25 * piece - 0.001)
    await books.busy(ledger, recipients=1)
    books.clock.advance(piece + 0.001)
    await books.granted(ledger, recipients=150)


async def test_a_wall_clock_that_is_set_frees_nothing(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 3600.0))
    await books.end(ledger, await books.granted(ledger))
    for seconds in (7200, -86_400):
        books.clock.shift(seconds)
        assert (await books.busy(ledger)).free_in == 3600


@pytest.mark.parametrize(("away", "left"), [(600.0, 3000.0), (-600.0, 3600.0)])
async def test_after_a_start_of_the_machine_the_time_goes_on(
    books: Books, away: float, left: float
) -> None:
    ledger = books.ledger(one=Quota(1, 3600.0))
    books.clock.advance(1_000)
    await books.end(ledger, await books.granted(ledger))
    books.clock.shift(away)
    books.clock.start_again("second")
    assert (await books.busy(ledger)).free_in == left
    books.clock.advance(left)
    await books.granted(ledger)


async def test_a_start_without_a_name_is_seen_by_the_clock(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 3600.0))
    books.clock.advance(1_000)
    await books.end(ledger, await books.granted(ledger))
    books.clock.shift(600)
    books.clock.start_again("first")
    assert (await books.busy(ledger)).free_in == 3000


async def test_a_refusal_of_the_service_blocks_everybody(books: Books) -> None:
    ledger = books.ledger(campaigns=FOUR, requests=TEN)
    grant = await books.granted(ledger)
    await books.end(ledger, grant)
    for seconds, left in ((600.0, 600.0), (None, 900.0), (1.0, 900.0)):
        await books.block(ledger, grant, seconds)
        assert (await books.busy(books.ledger(campaigns=FOUR))).free_in == left
    await books.granted(ledger, requests=1)
    books.clock.advance(900)
    await books.granted(ledger)


async def test_first_come_first_served(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    await books.end(ledger, await books.granted(ledger))
    assert (await books.busy(ledger, "a")).free_in == 60
    assert (await books.busy(ledger, "b")).free_in == 120
    for _ in range(12):
        books.clock.advance(5)
        await books.busy(ledger, "b")
        if books.clock.monotonic() < 60:
            await books.busy(ledger, "a")
    assert isinstance(await books.ask(ledger, key="a"), Grant)
    assert await books.query("SELECT key FROM waiters") == [("b",)]


async def test_who_does_not_look_again_loses_the_place(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 1.0))
    await books.end(ledger, await books.granted(ledger))
    await books.busy(ledger, "a")
    books.clock.advance(1 + GRACE)
    await books.busy(ledger, "b")
    books.clock.advance(0.1)
    assert isinstance(await books.ask(ledger, key="b"), Grant)


async def test_a_look_from_further_back_changes_nothing(books: Books) -> None:
    ledger = books.ledger(one=Quota(1, 60.0))
    assert (await books.store.read(lambda db: ledger.look(db, {"one": 1}, 1))).free_in == 60
    await books.end(ledger, await books.granted(ledger))
    await books.busy(ledger, "a")
    books.clock.advance(4)
    assert (await books.store.read(lambda db: ledger.look(db, {"one": 1}, 1))).free_in == 176


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("die"), st.integers(0, 3)),
        st.tuples(st.just("unsent"), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.integers(1, 40)),
        st.tuples(st.just("set"), st.integers(-50, 0)),
        st.tuples(st.just("start"), st.integers(0, 20)),
    ),
    max_size=60,
)
PAIR = {"campaigns": Quota(2, 60.0), "requests": Quota(3, 10.0)}


@examples(30)
@given(ACTS)
def test_never_above_a_quota_whatever_happens(acts: list[tuple[str, int]]) -> None:
    """Requests arrive at any time until they end; a dead process's until its deadline."""

    async def play() -> None:
        async with memory_journal() as journal:
            await _play(Books(journal._db), acts)

    asyncio.run(play())


async def _play(books: Books, acts: list[tuple[str, int]]) -> None:
    ledger, clock = books.ledger(**PAIR), books.clock
    under_way: dict[int, Grant] = {}
    arrivals: list[tuple[float, Grant]] = []
    for act, number in acts:
        if act == "ask" and number not in under_way:
            needs = ledger.needs(*PAIR) if number % 2 else ledger.needs("requests")
            found = await books.ask(ledger, needs, f"{number}")
            if isinstance(found, Grant):
                under_way[number] = found
        elif act in ("end", "die", "unsent") and number in under_way:
            grant = under_way.pop(number)
            if act == "end":
                arrivals.append((clock.monotonic(), grant))
                await books.end(ledger, grant)
            elif act == "unsent":
                await books.unsent(ledger, grant)
            else:
                arrivals.append((clock.monotonic() + 1.0, grant))
        elif act == "pass":
            clock.advance(number / 4)
        elif act == "set":
            clock.shift(number)
        elif act == "start":  # and with it, all that was under way has ended
            arrivals += [(clock.monotonic(), grant) for grant in under_way.values()]
            under_way.clear()
            clock.advance(number)
            clock.start_again(f"{clock.monotonic()}")
    for name, quota in PAIR.items():
        times = sorted(at for at, grant in arrivals if name in grant.needs)
        for first in times:
            within = sum(first <= at < first + quota.per_seconds for at in times)
            assert within <= quota.limit, f"{within} {name}"


async def test_what_is_used_up_is_free_after_a_whole_window(books: Books) -> None:
    ledger = books.ledger(campaigns=FOUR)
    await books.granted(ledger, campaigns=1)
    now = books.clock.now()
    await books.store.write(lambda db: put_back(db, now))
    assert (await books.busy(ledger, campaigns=1)).free_in == pytest.approx(3600.0)
    other = books.ledger(campaigns=FOUR, tests=attrs.evolve(FOUR, limit=20))
    assert (await books.busy(other, tests=1)).free_in == pytest.approx(3600.0), "new to the journal"
    await books.clock.sleep(1800.0)
    longer = books.ledger(campaigns=attrs.evolve(FOUR, per_seconds=7200.0))
    assert (await books.busy(longer, campaigns=1)).free_in == pytest.approx(5400.0)
    await books.clock.sleep(1800.0)
    await books.granted(other, tests=20)


async def test_what_was_used_up_long_ago_is_free(books: Books) -> None:
    now = books.clock.now()
    await books.store.write(lambda db: put_back(db, now))
    await books.store.write(lambda db: put_back(db, now - 3000.0))  # changes nothing
    await books.clock.sleep(3599.0)
    ledger = books.ledger(campaigns=FOUR)
    assert (await books.busy(ledger, campaigns=1)).free_in == pytest.approx(1.0)
    await books.clock.sleep(1.0)
    await books.granted(ledger, campaigns=4)
