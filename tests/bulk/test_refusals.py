"""Refused chunks: a bad row costs itself alone, and the account's trouble costs nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.bulk.journal import Journal, RowRecord, RowState
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    OutcomeUnknown,
    RateLimited,
    Refused,
)
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock

from ..examples import examples
from .fakes import MESSAGE, FakeProvider, memory_journal, people

ONE = EngineSettings(concurrency=1)


def in_turn(words: Sequence[str], sums: Sequence[int]) -> list[tuple[str, int, int]]:
    """Each of the words with each sum; one request at a time and eight take turns."""
    return [
        (one, money, (1, 8)[(n + m) % 2])
        for n, one in enumerate(words)
        for m, money in enumerate(sums)
    ]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def send(
    journal: Journal, provider: FakeProvider, count: int, engine: EngineSettings = ONE
) -> Report:
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=engine) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(count)), name="a")
        return await job.wait()


async def resume(
    journal: Journal,
    provider: FakeProvider,
    engine: EngineSettings = ONE,
    *,
    rejected: bool = False,
) -> Report:
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=engine) as sender:
        return await (await sender.resume("a", rejected=rejected)).wait()


def bad(*addresses: str, words: str = "Argument email is invalid") -> Callable[[Task], str | None]:
    """A service that refuses a whole request for one address."""

    def refuses(chunk: Task) -> str | None:
        return words if any(row.address in addresses for row in chunk.rows) else None

    return refuses


async def rejected(journal: Journal) -> list[RowRecord]:
    record = await journal.jobs.get("a")
    found = journal.reports.rows(record, states=[RowState.REJECTED])
    return [row async for rows in found for row in rows]


def once(provider: FakeProvider, count: int, *besides: str) -> bool:
    return provider.mailed == dict.fromkeys(set(people(count)) - set(besides), 1)


@pytest.mark.parametrize("at", [0, 1, 123, 250, 251, 374, 498, 499])
async def test_one_bad_address_in_500_costs_itself_alone_and_at_most_24_requests(
    journal: Journal, at: int
) -> None:
    victim = f"p{at}@example.com"
    provider = FakeProvider(chunk_rows=500, refuses=bad(victim))
    report = await send(journal, provider, 500)
    assert (report.counts.accepted, report.counts.rejected) == (499, 1)
    assert once(provider, 500, victim)
    assert [(row.address, row.reason) for row in await rejected(journal)] == [
        (victim, "Argument email is invalid")
    ]
    assert len(provider.chunks) <= 24
    assert report.stopped is None


@pytest.mark.parametrize("senders", [1, 8])
async def test_bad_addresses_anywhere_cost_themselves_alone(journal: Journal, senders: int) -> None:
    victims = {f"p{n}@example.com" for n in (0, 1, 2, 3, 4, 137, 138, 250, 399)}
    provider = FakeProvider(chunk_rows=50, refuses=bad(*victims))
    report = await send(journal, provider, 400, EngineSettings(concurrency=senders))
    assert {row.address for row in await rejected(journal)} == victims
    assert report.counts.accepted == 400 - len(victims)
    assert once(provider, 400, *victims)
    assert report.complete


async def test_a_row_of_bad_addresses_at_the_end_of_the_only_chunk_is_not_the_account(
    journal: Journal,
) -> None:
    victims = {f"p{n}@example.com" for n in range(35, 40)}
    provider = FakeProvider(chunk_rows=40, refuses=bad(*victims))
    report = await send(journal, provider, 40)
    assert {row.address for row in await rejected(journal)} == victims
    assert report.complete


@pytest.mark.parametrize(
    ("words", "money", "senders"),
    in_turn(["insufficient funds", "limit 4711 of the day is reached"], [0, 700, 1000, 1490]),
)
async def test_when_the_money_ends_nobody_is_rejected_and_resume_sends_the_rest(
    journal: Journal, words: str, senders: int, money: int
) -> None:
    provider, engine = FakeProvider(chunk_rows=50), EngineSettings(concurrency=senders)

    def refuses(chunk: Task) -> str | None:
        return words if provider.mailed.total() + len(chunk.rows) > money else None

    provider.refuses = refuses
    report = await send(journal, provider, 1500, engine)
    assert report.counts.rejected == report.counts.in_doubt == 0
    assert report.counts.accepted == provider.mailed.total() <= money
    assert report.stopped is not None
    assert words in report.stopped
    assert len(provider.chunks) < 1500 / 50 + 3 * 64

    provider.refuses = lambda chunk: None
    report = await resume(journal, provider, engine)
    assert report.complete
    assert once(provider, 1500)


@pytest.mark.parametrize(
    ("words", "money", "senders"),
    in_turn(["code 57", "limit hit for {}", "request {}: 57"], [0, 700, 730, 1470, 1490]),
)
async def test_money_that_ends_row_by_row_in_unknown_words_rejects_nobody(
    journal: Journal, senders: int, money: int, words: str
) -> None:
    """Bad rows in other words, one in each chunk, don't hide it."""
    provider, engine = FakeProvider(chunk_rows=50), EngineSettings(concurrency=senders)
    victims = {f"p{n}@example.com" for n in range(49, 1500, 50)}

    def act(chunk: Task) -> Sent:
        refused = {row.n: "badaddr" for row in chunk.rows if row.address in victims}
        good = [row for row in chunk.rows if row.n not in refused]
        left = max(0, money - provider.mailed.total())
        named = "{}" in words and "request" not in words
        return Sent(
            None,
            refused | {row.n: words.format(row.address if named else row.n) for row in good[left:]},
        )

    provider.acts = [act] * 500
    report = await send(journal, provider, 1500, engine)
    real = len(victims & {row.address for row in await rejected(journal)})
    last = report.counts.rejected - real
    assert report.counts.accepted == min(money, 1470)
    assert last < 20, "so few can't be told from bad addresses"
    assert (last == 0) or money >= 1450
    if report.counts.unsent:
        assert "refused" in (report.stopped or "")
    assert len(provider.chunks) < 1500 / 50 + 64

    provider.acts = [
        lambda chunk: Sent(None, {row.n: "badaddr" for row in chunk.rows if row.address in victims})
    ] * 500
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        report = await (await sender.resume("a", rejected=bool(last))).wait()
    assert report.complete
    assert once(provider, 1500, *victims)


@pytest.mark.parametrize("count", [40, 400])
async def test_everybody_refused_in_two_kinds_of_words_is_not_sent_again_and_again(
    journal: Journal, count: int
) -> None:
    provider = FakeProvider(chunk_rows=40)
    provider.acts = [
        lambda chunk: Sent(None, {row.n: "code " + "ab"[row.n % 2] for row in chunk.rows})
    ] * 5000
    report = await send(journal, provider, count)
    assert report.counts.accepted == 0
    assert report.stopped is not None
    assert len(provider.chunks) < 100


@pytest.mark.parametrize("count", [50, 300])
async def test_a_person_may_say_that_refusals_are_about_the_rows(
    journal: Journal, count: int
) -> None:
    victims = set(people(count)[10:])
    provider = FakeProvider(chunk_rows=50)
    provider.acts = [
        lambda chunk: Sent(None, {row.n: "code 3" for row in chunk.rows if row.address in victims})
    ] * 500
    report = await send(journal, provider, count)
    assert (report.counts.accepted, report.counts.rejected) == (10, 0)
    assert "--trust-refusals" in (report.stopped or "")
    report = await resume(journal, provider, EngineSettings(concurrency=1, trust_refusals=True))
    assert report.complete
    assert {row.address for row in await rejected(journal)} == victims
    assert once(provider, count, *victims)


async def test_a_chunk_of_none_but_rows_that_are_refused_by_name_is_compared_with_others(
    journal: Journal,
) -> None:
    victims = {f"p{n}@example.com" for n in range(100, 150)}
    provider = FakeProvider(chunk_rows=50)
    provider.acts = [
        lambda chunk: Sent(None, {row.n: "code 3" for row in chunk.rows if row.address in victims})
    ] * 100
    report = await send(journal, provider, 300)
    assert {row.address for row in await rejected(journal)} == victims
    assert report.complete
    assert once(provider, 300, *victims)
    assert len(provider.chunks) <= 6 + 12


async def test_a_job_of_one_chunk_whose_bad_rows_are_tried_first_is_not_stopped_for_ever(
    journal: Journal,
) -> None:
    victims = {f"p{n}@example.com" for n in (0, 4, 6, 7)}
    provider = FakeProvider(chunk_rows=8, refuses=bad(*victims))
    report, runs = await send(journal, provider, 8), 1
    while report.counts.unsent:
        report, runs = await resume(journal, provider), runs + 1
        assert runs < 60
    assert {row.address for row in await rejected(journal)} == victims
    assert once(provider, 8, *victims)


async def test_a_status_list_that_refuses_everybody_for_their_addresses_rejects_them(
    journal: Journal,
) -> None:
    """As where the rejected rows of one list are sent again."""
    why = "Incorrect recipient address"
    provider = FakeProvider(chunk_rows=30, bad=set(people(30)), why=why)
    report = await send(journal, provider, 60)
    assert (report.counts.accepted, report.counts.rejected) == (30, 30)
    assert report.complete
    assert report.stopped is None


@pytest.mark.parametrize("why", ["Недостаточно средств", "code 12"])
async def test_a_status_list_that_rejects_for_the_accounts_sake_stops_the_job(
    journal: Journal, why: str
) -> None:
    unpaid = set(people(60)[35:])
    provider = FakeProvider(chunk_rows=30, bad=set(unpaid), why=why)
    report = await send(journal, provider, 60)
    assert (report.counts.accepted, report.counts.rejected) == (35, 25)
    assert f"{why}; once that is fixed, resume with --rejected" in (report.stopped or "")

    report = await resume(journal, provider, rejected=True)  # it was not fixed
    assert (report.counts.accepted, report.counts.rejected) == (35, 25)
    assert "once that is fixed" in (report.stopped or "")
    trusting = EngineSettings(concurrency=1, trust_refusals=True)
    assert (await resume(journal, provider, trusting, rejected=True)).stopped is None

    provider.bad.clear()
    provider.mailed = Counter(dict.fromkeys(people(35), 1))
    assert (await resume(journal, provider, rejected=True)).complete
    assert once(provider, 60)


async def test_a_service_that_takes_nothing_stops_after_few_requests_and_keeps_the_chunks(
    journal: Journal,
) -> None:
    provider = FakeProvider(chunk_rows=500, refuses=lambda chunk: "sender is not active")
    report = await send(journal, provider, 5000)
    assert (report.counts.unsent, report.counts.rejected) == (5000, 0)
    assert len(provider.chunks) == 5
    provider.refuses = lambda chunk: None
    provider.chunks.clear()
    assert (await resume(journal, provider)).complete
    assert [len(chunk.rows) for chunk in provider.chunks] == [500] * 10


async def test_a_service_that_refuses_is_still_asked_what_became_of_what_it_took(
    journal: Journal,
) -> None:
    provider = FakeProvider(chunk_rows=10)
    provider.refuses = lambda chunk: "sender is not active" if len(provider.chunks) > 1 else None
    report = await send(journal, provider, 30)
    assert report.stopped is not None
    assert (report.counts.accepted, report.counts.unsent) == (10, 20)
    assert report.unreconciled == 0


async def test_a_service_that_fails_to_tell_is_asked_once(journal: Journal) -> None:
    provider = FakeProvider(chunk_rows=10, failing_polls=3)
    provider.refuses = lambda chunk: "sender is not active" if len(provider.chunks) > 1 else None
    report = await send(journal, provider, 30)
    assert report.unreconciled == 10
    assert provider.failing_polls == 2


async def test_what_was_rejected_can_be_ordered_again(journal: Journal) -> None:
    victims = ("p2@example.com", "p7@example.com")
    provider = FakeProvider(chunk_rows=10, refuses=bad(*victims))
    assert (await send(journal, provider, 10)).counts.rejected == 2
    provider.refuses = lambda chunk: None
    assert (await resume(journal, provider)).counts.rejected == 2
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        report = await (await sender.resume("a", rejected=True)).wait()
    assert (report.counts.accepted, report.counts.rejected) == (10, 0)
    assert once(provider, 10)


async def test_a_refusal_known_to_be_the_accounts_stops_at_once(journal: Journal) -> None:
    provider = FakeProvider(acts=[AccountRefused("no money")])
    report = await send(journal, provider, 6)
    assert (report.counts.unsent, len(provider.chunks)) == (6, 1)
    assert report.stopped == "the provider can't be used: no money"


async def test_rows_that_an_answer_leaves_out_for_lack_of_money_are_planned_again(
    journal: Journal,
) -> None:
    provider = FakeProvider(acts=[lambda chunk: Sent(None, {1: "bad"}, {}, {2: "no money"})])
    report = await send(journal, provider, 6)
    assert (report.counts.accepted, report.counts.rejected, report.counts.unsent) == (1, 1, 4)
    assert report.stopped == "the provider can't be used: no money"
    report = await resume(journal, provider)
    assert (report.counts.accepted, report.counts.rejected) == (5, 1)
    assert [len(chunk.rows) for chunk in provider.chunks] == [3, 3, 1]


@pytest.mark.parametrize("senders", [1, 8])
async def test_bad_rows_that_are_named_cost_two_requests_each(
    journal: Journal, senders: int
) -> None:
    victims = {f"p{n}@example.com" for n in (3, 4, 250, 443, 777)}

    def refuses(chunk: Task) -> str | None:
        for row in chunk.rows:
            if row.address in victims:
                return f"Address {row.address.upper()} is wrong"
        return None

    provider = FakeProvider(chunk_rows=500, refuses=refuses)
    report = await send(journal, provider, 1000, EngineSettings(concurrency=senders))
    assert {row.address for row in await rejected(journal)} == victims
    assert report.complete
    assert once(provider, 1000, *victims)
    assert len(provider.chunks) == 2 + 2 * len(victims)


async def test_words_that_name_somebody_else_s_address_reject_nobody_without_a_try(
    journal: Journal,
) -> None:
    provider = FakeProvider(chunk_rows=5, refuses=bad("xp1@example.com"))
    provider.acts = [Refused("xp1@example.com is wrong")]  # which has p1's in it
    report = await send(journal, provider, 5)
    assert report.complete
    assert once(provider, 5)


async def test_three_bad_rows_whose_refusals_name_them_are_rejected(journal: Journal) -> None:
    def refuses(chunk: Task) -> str | None:
        return f"{chunk.rows[0].address} is not an address"

    provider = FakeProvider(refuses=refuses)
    report = await send(journal, provider, 3)
    assert (report.counts.rejected, report.counts.unsent) == (3, 0)


async def test_a_last_row_that_is_refused_in_words_about_anybody_is_not_rejected(
    journal: Journal,
) -> None:
    provider = FakeProvider(refuses=bad("p3@example.com", words="no"))
    report = await send(journal, provider, 4)
    assert (report.counts.accepted, report.counts.unsent) == (3, 1)
    assert report.stopped is not None
    provider.refuses = lambda chunk: None
    assert (await resume(journal, provider)).complete


async def test_past_64_requests_for_a_chunk_the_job_stops_and_resume_goes_on(
    journal: Journal,
) -> None:
    victims = {f"p{n}@example.com" for n in range(1, 500, 7)}
    provider = FakeProvider(chunk_rows=500, refuses=bad(*victims))
    report = await send(journal, provider, 500)
    assert report.stopped is not None
    assert "64 requests" in report.stopped
    runs = 1
    while report.counts.unsent:
        report, runs = await resume(journal, provider), runs + 1
        assert runs < 20
    assert {row.address for row in await rejected(journal)} == victims
    assert once(provider, 500, *victims)


async def test_a_probe_whose_outcome_is_unknown_is_in_doubt_alone(journal: Journal) -> None:
    provider = FakeProvider(chunk_rows=9, refuses=bad("p5@example.com"))
    provider.acts = [Refused("no"), OutcomeUnknown("reset")]
    report = await send(journal, provider, 9)
    assert report.counts.in_doubt == 1
    assert report.counts.accounted == 9
    assert max(provider.mailed.values()) == 1


@examples(30)
@given(data=st.data())
async def test_whoever_is_bad_and_whenever_the_money_ends(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    rows = data.draw(st.integers(1, 30))
    senders = data.draw(st.integers(1, 4))
    victims = data.draw(st.sets(st.sampled_from(people(count)), max_size=4))
    money = data.draw(st.one_of(st.just(10**6), st.integers(0, count)))
    provider, engine = FakeProvider(chunk_rows=rows), EngineSettings(concurrency=senders)

    def refuses(chunk: Task) -> str | None:
        for row in chunk.rows:
            if row.address in victims:
                return f"bad address {row.address}"
        poor = provider.mailed.total() + len(chunk.rows) > money
        return "not today" if poor else None

    provider.refuses = refuses
    async with memory_journal() as journal:
        report = await send(journal, provider, count, engine)
        runs = 0
        while report.counts.unsent and runs < 4:
            report, runs = await resume(journal, provider, engine), runs + 1
        found = {row.address for row in await rejected(journal)}
        # Money that ends with the very last rows of a refused chunk looks like rows at fault.
        assert len(found - victims) <= 2
        provider.refuses = lambda chunk: None  # the top-up, and a kinder service
        if report.counts.unsent:
            report = await resume(journal, provider, engine)
        assert report.complete
        assert max(provider.mailed.values(), default=0) <= 1
        assert set(provider.mailed) | found == set(people(count))


async def test_an_account_that_recovers_while_rows_are_on_trial_costs_nobody(
    journal: Journal,
) -> None:
    provider, refusals = FakeProvider(chunk_rows=10), iter(range(3))
    provider.refuses = lambda chunk: "not now" if next(refusals, None) is not None else None
    report = await send(journal, provider, 30)
    assert report.complete
    assert report.counts.accepted == 30
    assert once(provider, 30)


async def test_rows_on_trial_count_as_unsent(journal: Journal) -> None:
    provider = FakeProvider(chunk_rows=10, refuses=lambda chunk: "no")
    seen: list[tuple[int, int]] = []

    async with BulkSender(provider, journal=journal, clock=FakeClock(), settings=ONE) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(30)), name="a")
        async for progress in job.progress(every=0.001):
            seen.append((progress.counts.unsent, progress.counts.rejected))
    assert set(seen) == {(30, 0)}


async def test_an_account_that_refuses_is_found_out_under_a_quota_too(journal: Journal) -> None:
    provider = FakeProvider(chunk_rows=1)
    provider.acts = [act for _ in range(20) for act in (Refused("no"), RateLimited("wait"))]
    report = await send(journal, provider, 30)
    assert report.counts.unsent == 30
    assert len(provider.chunks) <= 8


@pytest.mark.parametrize("cut", range(1, 15))
async def test_wherever_a_job_with_bad_rows_is_cut_off_a_resume_mails_the_others(
    journal: Journal, cut: int
) -> None:
    victims = ("p1@example.com", "p2@example.com", "p4@example.com")
    refuses = bad(*victims)
    requests = 0

    def expires(chunk: Task) -> str | None:
        nonlocal requests
        requests += 1
        if requests == cut:
            raise AuthenticationFailed("the token has expired")
        return refuses(chunk)

    provider = FakeProvider(chunk_rows=3, refuses=expires)
    await send(journal, provider, 6)
    report = await resume(journal, provider)
    assert once(provider, 6, *victims)
    left = report.counts.rejected + report.counts.unsent  # nobody is left to compare them with
    assert (report.counts.accepted, left) == (3, 3)


WORDS = st.sampled_from([None, None, "code 1", "code 2", "no", "never", "bad address", "for {}"])


@examples(20)
@given(
    count=st.integers(1, 150),
    rows=st.integers(1, 80),
    few=st.lists(WORDS, min_size=1, max_size=5),
    poor=st.one_of(st.none(), st.integers(1, 6)),
)
@example(count=120, rows=60, few=["code 1", "no"], poor=None)
@example(count=120, rows=120, few=["code 1", "no", None], poor=None)
@example(count=150, rows=75, few=["for {}", "no", "bad address"], poor=2)
async def test_whatever_is_refused_by_name_comes_to_an_end(
    count: int, rows: int, few: list[str | None], poor: int | None
) -> None:
    """Each row has its own words, or is taken; from some request on, everybody has the same."""
    words = [few[n % len(few)] for n in range(count)]
    provider = FakeProvider(chunk_rows=rows)

    def act(chunk: Task) -> Sent:
        refused = {}
        for row in chunk.rows:
            why = words[row.n - 1]
            if poor is not None and len(provider.chunks) > poor:
                why = "not today"
            if why is not None:
                refused[row.n] = why.format(row.address)
        return Sent(None, refused)

    provider.acts = [act] * 3_000
    async with memory_journal() as journal:
        report = await send(journal, provider, count)
        assert len(provider.chunks) <= 100 * (count // rows + 1)
        assert report.counts.accounted == count
        assert report.counts.accepted == provider.mailed.total()
        assert max(provider.mailed.values(), default=0) <= 1
        report = await resume(journal, provider, EngineSettings(concurrency=1, trust_refusals=True))
        assert max(provider.mailed.values(), default=0) <= 1
        assert report.counts.accepted == provider.mailed.total()
        refused = {row.address for row in await rejected(journal)}
        assert not refused & {name for name, n in provider.mailed.items() if n}
