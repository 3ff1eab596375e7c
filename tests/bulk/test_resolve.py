"""A person's word on rows: whom it reaches, what it can't reach, and what follows from it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import (
    Chosen,
    ChunkState,
    Counts,
    JobRecord,
    Journal,
    ReplanResult,
    RowRecord,
    RowState,
    Taken,
    Ticket,
)
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.resolve import replan_rejected, resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.core.clock import Clock
from mailkit.errors import InvalidArgument, OutcomeUnknown, Refused
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock

from ..examples import examples
from .counted import checked, counted, counters
from .fakes import MESSAGE, Act, FakeProvider, memory_journal, people
from .jobs import die, planned, planning, take

HELD_UP = "mailkit.bulk.journal.resolving.HELD_UP_SECONDS"
RESET = OutcomeUnknown("reset")


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def send(
    journal: Journal, provider: FakeProvider, count: int, clock: FakeClock | None = None
) -> Report:
    clock = clock or FakeClock()
    one = EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, clock=clock, settings=one) as sender:
        return await (await sender.start(MESSAGE, read_recipients(people(count)), name="a")).wait()


async def resume(journal: Journal, provider: FakeProvider) -> Report:
    one = EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, clock=FakeClock(), settings=one) as sender:
        return await (await sender.resume("a")).wait()


async def rows_of(journal: Journal, *states: str) -> list[RowRecord]:
    found = journal.reports.rows(await journal.jobs.get("a"), states=[*map(RowState, states)])
    return [row async for rows in found for row in rows]


def at(seconds: float) -> Clock:
    return FakeClock(seconds)


def unnamed(*places: int) -> Act:
    """The chunk is taken, but these of its rows are not named in the answer."""
    return lambda chunk: Sent(None, in_doubt={chunk.rows[n].n: "not named" for n in places})


def refused(*places: int) -> Act:
    """The chunk is taken but for these of its rows."""
    return lambda chunk: Sent(None, rejected={chunk.rows[n].n: "blocked" for n in places})


# which doubts


async def test_a_word_without_a_place_is_refused_and_names_the_places(journal: Journal) -> None:
    await send(journal, FakeProvider(acts=[RESET, unnamed(1)]), 9)
    for accepted in (True, False):
        with pytest.raises(InvalidArgument, match=r"that you checked; in doubt: 1, 2$"):
            await resolve(journal, "a", accepted=accepted)
    assert (await make_report(journal, "a")).counts.in_doubt == 4


async def test_several_chunks_are_resolved_at_once_or_none_is(journal: Journal) -> None:
    await send(journal, FakeProvider(acts=[RESET] * 2), 9)
    with pytest.raises(InvalidArgument, match="chunk 3 of the job a is not in doubt"):
        await resolve(journal, "a", 1, 3, accepted=False)
    assert (await make_report(journal, "a")).counts.in_doubt == 6
    assert await resolve(journal, "a", 1, 2, accepted=False) == 6
    assert (await make_report(journal, "a")).counts.unsent == 6


async def test_a_label_means_the_attempt_that_was_looked_for_and_no_later_one(
    journal: Journal,
) -> None:
    provider = FakeProvider(acts=[RESET] * 2, chunk_rows=9)
    await send(journal, provider, 3)
    assert await resolve(journal, "a", "a #1", accepted=False) == 3
    assert (await resume(journal, provider)).doubts[0].label == "a #1.2"
    for stale in ("1", "#1", "a #1", "1.1"):
        with pytest.raises(InvalidArgument, match=r"sent again since, as a #1\.2"):
            await resolve(journal, "a", stale, accepted=False)
    with pytest.raises(InvalidArgument, match=r"in doubt: 1\.2$"):
        await resolve(journal, "a", accepted=True)
    assert await resolve(journal, "a", "a #1.2", accepted=True) == 3


@pytest.mark.parametrize("label", ["", "first", "1-3", "1.x", "-1", "١", "1.2.3", "9" * 30])
async def test_what_is_no_label_is_refused(journal: Journal, label: str) -> None:
    await send(journal, FakeProvider(acts=[RESET]), 3)
    with pytest.raises(InvalidArgument, match="is not a chunk: use its number, or its label"):
        await resolve(journal, "a", label, accepted=True)


# when


async def test_not_sent_is_refused_while_the_request_may_still_arrive(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HELD_UP, 120.0)
    clock = FakeClock()
    started = clock.now()
    await send(journal, FakeProvider(acts=[RESET]), 3, clock)
    for seconds in (-86_400.0, 0.0, 149.0):
        with pytest.raises(
            InvalidArgument, match=r"it is too early .* check again after 2030-01-01"
        ):
            await resolve(journal, "a", 1, accepted=False, clock=at(started + seconds))
    assert (await make_report(journal, "a")).counts.in_doubt == 3
    assert await resolve(journal, "a", 1, accepted=False, clock=at(started + 151)) == 3


async def test_a_request_that_ended_late_is_waited_for_from_its_end(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HELD_UP, 120.0)
    clock = FakeClock()
    started = clock.now()

    def slow(chunk: Task) -> None:
        clock.advance(300.0)

    await send(journal, FakeProvider(acts=[RESET], on_send=slow), 3, clock)
    for addresses in ([], ["p1@example.com"]):
        with pytest.raises(InvalidArgument, match="it is too early"):
            await resolve(
                journal, "a", 1, addresses=addresses, accepted=False, clock=at(started + 419)
            )
    assert await resolve(journal, "a", 1, accepted=False, clock=at(started + 421)) == 3


async def test_nothing_is_held_up_of_what_was_taken_or_answered(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HELD_UP, 120.0)
    clock = FakeClock()
    await send(journal, FakeProvider(acts=[RESET, unnamed(0)]), 6, clock)
    assert await resolve(journal, "a", 1, accepted=True, clock=clock) == 3
    assert await resolve(journal, "a", 2, accepted=False, clock=clock) == 1


# one by one


async def test_rows_in_doubt_one_by_one_are_resolved_one_by_one(journal: Journal) -> None:
    provider = FakeProvider(acts=[unnamed(0, 1, 2)], chunk_rows=9)
    await send(journal, provider, 5)
    assert await resolve(journal, "a", addresses=["P1@EXAMPLE.com "], accepted=True) == 1
    assert await resolve(journal, "a", 1, addresses=["p2@example.com"], accepted=False) == 1
    assert [row.state for row in await rows_of(journal)] == [
        "in doubt",
        "accepted",
        "unsent",
        "accepted",
        "accepted",
    ]
    await checked(journal)
    report = await resume(journal, provider)
    assert [row.address for row in provider.chunks[-1].rows] == ["p2@example.com"]
    assert (report.counts.accepted, report.counts.in_doubt) == (4, 1)


async def test_rows_of_a_chunk_in_doubt_are_resolved_one_by_one_too(journal: Journal) -> None:
    provider = FakeProvider(acts=[RESET], chunk_rows=9)
    await send(journal, provider, 4)
    taken = ["p0@example.com", "p3@example.com"]
    assert await resolve(journal, "a", addresses=taken, accepted=True) == 2
    assert await resolve(journal, "a", addresses=["p1@example.com"], accepted=False) == 1
    [doubt] = (await make_report(journal, "a")).doubts
    assert (doubt.rows, doubt.label) == (1, "a #1")
    assert (doubt.first, doubt.last) == ("p2@example.com", "p2@example.com")
    assert await resolve(journal, "a", addresses=["p2@example.com"], accepted=False) == 1
    report = await make_report(journal, "a")
    assert (report.doubts, report.counts.accepted, report.counts.unsent) == ([], 2, 2)
    assert (await resume(journal, provider)).complete
    sent_again = [row.address for chunk in provider.chunks[1:] for row in chunk.rows]
    assert sent_again == ["p1@example.com", "p2@example.com"]


async def test_of_a_chunk_that_was_taken_in_part_the_rest_is_sent_and_all_is_counted(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4), chunk=4)
    await take(journal, job)
    await journal.chunks.doubt(job, Ticket(1, 1), 3.0, "reset")
    assert await resolve(journal, "a", addresses=["p1@example.com"], accepted=True) == 1
    die(job)
    assert await resolve(journal, "a", 1, accepted=False) == 3
    job = await journal.workers.join(job)
    assert len((await take(journal, job)).task.rows) == 3
    await journal.chunks.accept(job, Ticket(1, 2), 4.0, Sent("r"))
    assert await counters(journal) == await counted(journal) == {(job.id, 1): (3, 0, 4, 1, 0, 0)}


async def test_of_addresses_all_are_resolved_or_none_is(journal: Journal) -> None:
    await send(journal, FakeProvider(acts=[unnamed(0, 1), unnamed(0)]), 6)
    wrong = {
        "p2@example.com": "p2@example.com is not in doubt in the job a",
        "stranger@example.com": "stranger@example.com is not in doubt in the job a",
        "p3@example.com": "p3@example.com is not in doubt in the job a",  # of another chunk
        "nobody": "'nobody' is not an email address",
    }
    for address, sentence in wrong.items():
        both = ["p0@example.com", address]
        with pytest.raises(InvalidArgument, match=sentence):
            await resolve(journal, "a", 1, addresses=both, accepted=False)
    with pytest.raises(InvalidArgument, match="give a list, even for one item"):
        await resolve(journal, "a", addresses="p0@example.com", accepted=False)
    assert (await make_report(journal, "a")).counts.in_doubt == 3


# rejected


async def rejected_job(journal: Journal) -> JobRecord:
    """Five chunks of three rows: one rejected whole, two in part, one in doubt, one accepted."""
    job = await planned(journal, people(15), chunk=3)
    refusals: dict[int, dict[int, str]] = {2: {5: "blocked"}, 3: {8: "full", 9: "full"}}
    for n in range(1, 6):
        await take(journal, job)
        if n == 1:
            await journal.chunks.reject(job, Ticket(n, 1), 3.0, "no money")
        elif n == 4:
            await journal.chunks.doubt(job, Ticket(n, 1), 3.0, "reset")
        else:
            await journal.chunks.accept(job, Ticket(n, 1), 3.0, Sent(None, refusals.get(n, {})))
    return job


async def test_a_rejected_chunk_and_rejected_rows_are_ordered_again(journal: Journal) -> None:
    job = await rejected_job(journal)
    assert await replan_rejected(journal, "a") == ReplanResult(rows=6, elsewhere=0)
    await checked(journal)
    counts = await journal.reports.counts(job)
    assert counts == Counts(15, accepted=6, in_doubt=3, unsent=6)
    again = [await take(journal, job), await take(journal, job)]
    assert sorted((taken.task.label, [row.n for row in taken.task.rows]) for taken in again) == [
        ("a #1.2", [1, 2, 3]),
        ("a #6.2", [5, 8, 9]),  # of several chunks, as many as a request takes
    ]
    assert await journal.chunks.take(job, 4.0) is None


async def test_what_is_rejected_can_be_named_and_the_rest_stays_rejected(journal: Journal) -> None:
    await rejected_job(journal)
    assert (await replan_rejected(journal, "a", 3)).rows == 2
    assert (
        await replan_rejected(journal, "a", addresses=["p4@example.com", "P0@example.com"])
    ).rows == 2
    for wrong in (2, 3, 4, 5, 99):
        with pytest.raises(InvalidArgument, match=f"chunk {wrong} of the job a is not rejected"):
            await replan_rejected(journal, "a", wrong)
    with pytest.raises(InvalidArgument, match=r"p5@example\.com is not rejected in the job a"):
        await replan_rejected(journal, "a", addresses=["p1@example.com", "p5@example.com"])
    left = [row.address for row in await rows_of(journal, "rejected")]
    assert left == ["p1@example.com", "p2@example.com"]
    assert (await replan_rejected(journal, "a")).rows == 2
    assert (await replan_rejected(journal, "a")).rows == 0


async def test_many_single_rows_are_packed_as_full_as_requests_were(journal: Journal) -> None:
    everybody = range(9)
    acts = [unnamed(*everybody), unnamed(*everybody), refused(*everybody)]
    provider = FakeProvider(acts=[*acts], chunk_rows=9)
    await send(journal, provider, 27)
    assert await resolve(journal, "a", 1, 2, accepted=False) == 18
    assert (await replan_rejected(journal, "a")).rows == 9
    await resume(journal, provider)
    assert [len(chunk.rows) for chunk in provider.chunks[3:]] == [9, 9, 9]


async def test_small_chunks_that_were_rejected_are_put_together(journal: Journal) -> None:
    job = await planned(journal, people(8), chunk=4)
    for n in (1, 2):
        await take(journal, job)
        await journal.chunks.doubt(job, Ticket(n, 1), 3.0, "reset")
    die(job)
    for name in people(3):
        await resolve(journal, "a", addresses=[name], accepted=False)
    job = await journal.workers.join(job)
    for n in (3, 4, 5):
        assert len((await take(journal, job)).task.rows) == 1
        await journal.chunks.reject(job, Ticket(n, 1), 3.0, "no")
    assert (await replan_rejected(journal, "a")).rows == 3
    assert len((await take(journal, job)).task.rows) == 3
    assert await journal.reports.chunks(job, ChunkState.REJECTED) == []


async def test_rows_are_packed_by_their_bytes_too(journal: Journal) -> None:
    job = await planning(journal, people(40))  # of 10 bytes each, but for the second half
    larger = ("UPDATE rows SET size = 25 WHERE id > ?", (job.ids[0] + 20,))
    await journal._db.write(lambda db: db.execute(*larger))
    await journal.planning.cut(job, rows=4, size=40)
    job = await journal.jobs.finish_planning(
        job, columns=[], fingerprint=b"", name=None, again=False
    )
    while isinstance(chunk := await journal.chunks.take(job, 2.0), Taken):
        everybody = {row.n: "blocked" for row in chunk.task.rows}
        await journal.chunks.accept(job, chunk.ticket, 3.0, Sent(None, everybody))
    assert (await journal.resolving.again(job, Chosen())).rows == 40
    again = []
    while isinstance(chunk := await journal.chunks.take(job, 4.0), Taken):
        again.append(len(chunk.task.rows))
    assert again == [4] * 5 + [1] * 20


# whatever a person says


OUTCOMES = st.sampled_from(["taken", "refused", "unknown", "unknown but sent", "in part"])
WORDS = st.tuples(
    st.sampled_from(["in doubt", "rejected"]), st.booleans(), st.sets(st.integers(1, 20))
)


@examples(15)
@given(
    script=st.lists(OUTCOMES, max_size=30),
    words=st.lists(WORDS, max_size=8),
    count=st.integers(1, 20),
)
async def test_whatever_a_person_says_truly_nobody_is_mailed_twice_and_nobody_is_lost(
    script: list[str], words: list[tuple[str, bool, set[int]]], count: int
) -> None:
    """By address: the rows of these numbers; else the chunks of these numbers, looked at whole."""
    provider = FakeProvider()
    provider.acts = [outcome_of(provider, outcome) for outcome in script]
    async with memory_journal() as journal:
        await send(journal, provider, count)
        for state, by_address, chosen in words:
            rows = await rows_of(journal, state)
            if by_address:
                await say(journal, provider, state, [row for row in rows if row.n in chosen])
            else:
                for n in chosen & {row.chunk for row in rows}:
                    await say(journal, provider, state, [row for row in rows if row.chunk == n], n)
            await agrees(journal, provider, count)
            await resume(journal, provider)
            await agrees(journal, provider, count)


def outcome_of(provider: FakeProvider, outcome: str) -> Act:
    def act(chunk: Task) -> Sent | Exception:
        everybody = [row.address for row in chunk.rows]
        match outcome:
            case "taken":
                return Sent(None)
            case "refused":
                return Refused("no")
            case "in part":  # the first is refused, and the second is not named
                provider.mailed.subtract(everybody[1:2])
                rows = [row.n for row in chunk.rows]
                return Sent(None, {rows[0]: "blocked"}, dict.fromkeys(rows[1:2], "not named"))
            case "unknown but sent":
                provider.mailed.update(everybody)
        return RESET

    return act


async def say(
    journal: Journal, provider: FakeProvider, state: str, rows: list[RowRecord], *chunk: int
) -> None:
    """What is true of these rows, by their chunk if that can be said of all of it."""
    for mailed in (True, False):
        some = [row.address for row in rows if (provider.mailed[row.address] > 0) == mailed]
        if not some:
            continue
        them = () if chunk and len(some) == len(rows) else some
        if state == "rejected":
            done = (await replan_rejected(journal, "a", *chunk, addresses=them)).rows
        else:
            done = await resolve(journal, "a", *chunk, accepted=mailed, addresses=them)
        assert done == len(some)


async def agrees(journal: Journal, provider: FakeProvider, count: int) -> None:
    """Every row has one state, it is the truth, and what is counted is what stands there."""
    report = await make_report(journal, "a")
    assert report.counts.read == count
    assert max(provider.mailed.values(), default=0) <= 1
    for row in await rows_of(journal):
        if row.state != "in doubt":
            assert provider.mailed[row.address] == (row.state == "accepted"), row
    await checked(journal)
