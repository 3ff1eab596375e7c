"""An event at one moment after another of its chunk's life: the row is accepted, and stays it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import attrs
import pytest

from mailkit.bulk.journal import (
    Chosen,
    Counts,
    JobRecord,
    Journal,
    Recorded,
    Stopped,
    Taken,
)
from mailkit.bulk.journal.parking import KEPT
from mailkit.core.dispatch import ChunkStatus, Done, Limits, Scope, Stage
from mailkit.events import CampaignEvent, DeliveryEvent, DeliveryStatus
from mailkit.provider import NotTaken, PollResult, RowStatus, Sent, Task, Wait

from .counted import checked
from .fakes import memory_journal, people
from .jobs import die, planned, snapshot, states, take

AT = datetime(2026, 10, 1, tzinfo=UTC)
NOW, LATER = 5.0, 1_000.0
CAMPAIGNS = (
    Stage("list", repeatable=True, carries_rows=False),
    Stage("load", Scope.PART, repeatable=True),
    Stage("send", carries_rows=False, rows_refusable=False),
)
LIMITS = Limits(4, 1_000, part_rows=2)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def say(
    journal: Journal,
    taken: Taken,
    row: int = 0,
    *more: int,
    status: DeliveryStatus = DeliveryStatus.OPENED,
) -> Recorded:
    """Callbacks about rows of a chunk as it was taken."""
    events = [
        DeliveryEvent(
            provider="fake",
            name=f"{status} {n}",
            at=AT,
            address=taken.task.rows[n].address,
            status=status,
            token=taken.task.token(taken.task.rows[n]),
        )
        for n in (row, *more)
    ]
    return await journal.events.record(events, now=NOW)


def campaign_event(
    reference: str, address: str, status: DeliveryStatus = DeliveryStatus.OPENED
) -> DeliveryEvent:
    return DeliveryEvent(
        provider="fake",
        name=f"{status}",
        at=AT,
        address=address,
        status=status,
        reference=reference,
    )


async def counts(journal: Journal, job: JobRecord) -> Counts:
    await checked(journal)
    return await journal.reports.counts(job)


# while the request is under way


async def test_the_row_of_a_chunk_that_is_being_sent_is_accepted_at_once(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=4)
    job = await journal.workers.join(job)
    taken = await take(journal, job)
    assert await say(journal, taken) == Recorded(applied=1)
    assert await counts(journal, job) == Counts(4, accepted=1, unsent=3)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent(None, {1: "no", 2: "no"}, {3: "?"}))
    assert await counts(journal, job) == Counts(4, accepted=2, rejected=1, in_doubt=1)
    assert (await states(journal, job))["p0@example.com"] == "accepted"


async def test_it_stays_accepted_when_the_chunk_is_refused(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=4)
    taken = await take(journal, job)
    await say(journal, taken)
    await journal.chunks.reject(job, taken.ticket, NOW, "no")
    assert await counts(journal, job) == Counts(4, accepted=1, rejected=3)


async def test_it_is_not_tried_again_when_the_refusal_is_narrowed_down(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=4)
    taken = await take(journal, job)
    await say(journal, taken, 0, 2)
    assert await journal.narrowing.probe(job, taken.ticket) == [2, 3]
    tried = []
    while isinstance(found := await journal.chunks.take(job, NOW, probes=True), Taken):
        tried += [row.address for row in found.task.rows]
    assert tried == ["p1@example.com", "p3@example.com"]
    assert await counts(journal, job) == Counts(4, accepted=2, unsent=2)


@pytest.mark.parametrize("end", ["probe", "halve", "single_out", "try_row", "recut"])
async def test_a_refused_chunk_of_which_everybody_was_heard_is_cut_into_nothing(
    journal: Journal, end: str
) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await say(journal, taken, 0, 1)
    narrowing, ticket = journal.narrowing, taken.ticket
    match end:
        case "probe":
            assert await narrowing.probe(job, ticket) == []
        case "halve":
            await narrowing.halve(job, ticket)
        case "single_out":
            await narrowing.single_out(job, ticket, [1])
        case "recut":
            await narrowing.recut(job, ticket, 1)
        case _:
            assert await narrowing.try_row(job, ticket, NOW, "no") == []
    await narrowing.convict(job)
    assert await journal.chunks.take(job, NOW) is None
    assert await journal.chunks.take(job, NOW, probes=True) is None
    assert await counts(journal, job) == Counts(2, accepted=2)


async def test_a_row_on_trial_is_acquitted(journal: Journal) -> None:
    job = await planned(journal, people(1))
    taken = await take(journal, job)
    assert len(await journal.narrowing.try_row(job, taken.ticket, NOW, "no")) == 1
    await say(journal, taken)
    assert await journal.narrowing.trials(job) == []
    await journal.narrowing.convict(job)
    assert await counts(journal, job) == Counts(1, accepted=1)


@pytest.mark.parametrize("how", ["not sent", "in doubt", "held"])
async def test_what_is_planned_again_or_in_doubt_is_the_rest(journal: Journal, how: str) -> None:
    job = await planned(journal, people(3), chunk=3)
    job = await journal.workers.join(job)
    taken = await take(journal, job)
    await say(journal, taken)
    match how:
        case "not sent":
            await journal.chunks.put_back(job, taken.ticket, NOW, "dns")
            assert await counts(journal, job) == Counts(3, accepted=1, unsent=2)
        case "held":
            everybody = dict.fromkeys(range(1, 4), "no money")
            await journal.chunks.accept(job, taken.ticket, NOW, Sent(None, held=everybody))
            assert await counts(journal, job) == Counts(3, accepted=1, unsent=2)
        case _:
            await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
            assert await counts(journal, job) == Counts(3, accepted=1, in_doubt=2)
            die(job)
            await journal.resolving.not_sent(job, Chosen(chunks={1: None}), LATER)
            job = await journal.workers.join(job)
    again = await take(journal, job)
    assert [row.address for row in again.task.rows] == people(3)[1:]


@pytest.mark.parametrize("how", ["not sent", "in doubt", "dead", "rejected"])
async def test_a_chunk_of_which_everybody_was_heard_is_over(journal: Journal, how: str) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await say(journal, taken, 0, 1)
    match how:
        case "not sent":
            await journal.chunks.put_back(job, taken.ticket, NOW, "dns")
        case "in doubt":
            await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
        case "rejected":
            await journal.chunks.reject(job, taken.ticket, NOW, "no")
        case _:
            die(job)
            found = await snapshot(journal, job)
            assert (found.doubts, found.counts.in_doubt) == ([], 0)
            job = await journal.workers.join(job)
    assert await counts(journal, job) == Counts(2, accepted=2)
    assert await journal.chunks.take(job, NOW) is None
    found = await snapshot(journal, job)
    assert (found.doubts, found.rejected) == ([], [])


# after its outcome


@pytest.mark.parametrize("dead", [False, True])
async def test_callbacks_alone_settle_a_chunk_in_doubt(journal: Journal, dead: bool) -> None:
    job = await planned(journal, people(3), chunk=3)
    job = await journal.workers.join(job)
    taken = await take(journal, job)
    if dead:
        die(job)
        assert (await journal.reports.counts(job)).in_doubt == 3
    else:
        await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
    await say(journal, taken, 2, status=DeliveryStatus.REJECTED)
    [doubt] = await journal.reports.doubts(job)
    assert (doubt.rows, doubt.first_address, doubt.last_address) == (2, *people(2))
    await say(journal, taken, 0, 1)
    if dead:
        job = await journal.workers.join(job)
    assert await counts(journal, job) == Counts(3, accepted=3)
    found = await snapshot(journal, job)
    assert found.doubts == []
    assert found.deliveries == {DeliveryStatus.OPENED: 2, DeliveryStatus.REJECTED: 1}


async def test_rows_that_the_response_rejects_or_does_not_name(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=4)
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent(None, {1: "no", 2: "no"}, {3: "?"}))
    await say(journal, taken, 0, 2)
    assert await counts(journal, job) == Counts(4, accepted=3, rejected=1)


async def test_a_row_that_was_ordered_again_is_not_sent_wherever_it_is_by_now(
    journal: Journal,
) -> None:
    job = await planned(journal, people(9), chunk=3)
    job = await journal.workers.join(job)
    first, second, third = [await take(journal, job) for _ in range(3)]
    await journal.chunks.accept(job, first.ticket, NOW, Sent(None, {1: "no", 2: "no"}))
    await journal.chunks.doubt(job, second.ticket, NOW, "reset")
    await journal.chunks.reject(job, third.ticket, NOW, "no")
    die(job)
    await journal.resolving.not_sent(job, Chosen(keys=["p4@example.com"]), LATER)
    await journal.resolving.again(job, Chosen())
    job = await journal.workers.join(job)
    await say(journal, first, 1)
    await say(journal, second, 1)
    await say(journal, third, 0, 1)
    sent: list[str] = []
    while isinstance(found := await journal.chunks.take(job, LATER), Taken):
        sent += [row.address for row in found.task.rows]
        await journal.chunks.accept(job, found.ticket, LATER, Sent(None))
    assert sorted(sent) == ["p0@example.com", "p8@example.com"]
    assert await counts(journal, job) == Counts(9, accepted=7, in_doubt=2)


async def test_a_row_that_is_being_sent_again_is_rejected_by_nobody_any_more(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4), chunk=4)
    first = await take(journal, job)
    await journal.chunks.accept(job, first.ticket, NOW, Sent(None, {1: "no"}))
    await journal.resolving.again(job, Chosen())
    second = await take(journal, job)
    assert [row.n for row in second.task.rows] == [1]
    await say(journal, first)
    await journal.chunks.accept(job, second.ticket, LATER, Sent(None, {1: "no"}))
    assert await counts(journal, job) == Counts(4, accepted=4)


async def test_cancelled_jobs_hear_too(journal: Journal) -> None:
    job = await planned(journal, people(4))
    taken = await take(journal, job)
    await journal.chunks.put_back(job, taken.ticket, NOW, "dns")
    assert await journal.cancelling.cancel(job, NOW)
    await say(journal, taken)
    assert isinstance(await journal.chunks.take(job, NOW), Stopped)
    die(job)
    assert await journal.cancelling.restore(job) == 0
    assert await counts(journal, job) == Counts(4, accepted=1, unsent=3)


async def test_one_batch_about_several_jobs_and_for_two_receivers(journal: Journal) -> None:
    jobs = [await planned(journal, people(3), name, chunk=3) for name in ("a", "b")]
    taken = [await take(journal, job) for job in jobs]
    events = [
        DeliveryEvent(
            provider="fake",
            name="open",
            at=AT,
            address=row.address,
            status=DeliveryStatus.OPENED,
            token=one.task.token(row),
        )
        for one in taken
        for row in one.task.rows[:2]
    ]
    assert await journal.events.record(events, now=NOW) == Recorded(applied=4)
    assert await journal.events.record(events[::-1], now=NOW) == Recorded(repeated=4)
    for job in jobs:
        assert await counts(journal, job) == Counts(3, accepted=2, unsent=1)


# by reference


async def sent_campaign(journal: Journal, job: JobRecord, reference: str) -> Task:
    """Take a chunk through its stages, and accept it."""
    while True:
        taken = await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS)
        assert isinstance(taken, Taken)
        if taken.task.stage.name == "send":
            await journal.chunks.accept(job, taken.ticket, LATER, Sent(reference))
            return taken.task
        await journal.chunks.advance(job, taken, Done(f"list {taken.task.attempt}"), CAMPAIGNS)


async def test_events_wait_for_a_chunk_whose_reference_is_not_known_yet(journal: Journal) -> None:
    job = await planned(journal, people(3), chunk=3)
    early = [
        campaign_event("77", "p1@example.com", DeliveryStatus.DELIVERED),
        campaign_event("77", "p1@example.com", DeliveryStatus.UNSUBSCRIBED),
        campaign_event("78", "p2@example.com"),
    ]
    assert await journal.events.record(early, now=NOW) == Recorded(foreign=3)  # nothing is sent
    taken = await take(journal, job)
    early = [campaign_event("77", f"p{n}@example.com") for n in (0, 1, 1)] + early[1:]
    recorded = await journal.events.record(early[:3], now=NOW)
    assert recorded == Recorded(parked=2, repeated=1)
    await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
    late = [campaign_event("77", "p2@example.com", DeliveryStatus.SENT), *early[2:]]
    recorded = await journal.events.record(late[:1], now=NOW)
    assert recorded == Recorded(parked=1)
    assert (await snapshot(journal, job)).deliveries == {}
    assert await journal.chunks.settle(job, taken, LATER, Sent("77"))
    assert (await snapshot(journal, job)).deliveries == {
        DeliveryStatus.SENT: 1, DeliveryStatus.OPENED: 2,
    }  # fmt: skip
    assert await counts(journal, job) == Counts(3, accepted=3)
    after = campaign_event("77", "p0@example.com", DeliveryStatus.CLICKED)
    strange = campaign_event("79", "p0@example.com")
    assert await journal.events.record([after, strange], now=LATER) == Recorded(
        applied=1, foreign=1
    )


async def test_events_that_nobody_claims_are_forgotten(journal: Journal) -> None:
    job = await planned(journal, people(3), chunk=3)
    taken = await take(journal, job)
    await journal.events.record([campaign_event("77", "p1@example.com")], now=NOW)
    week = 7 * 24 * 3600.0
    for n, now in enumerate((NOW + week, NOW + week + 1)):
        await journal.events.record([campaign_event(f"8{n}", "p1@example.com")], now=now)
    await journal.chunks.accept(job, taken.ticket, LATER, Sent("77"))
    assert (await snapshot(journal, job)).deliveries == {}


async def test_what_a_person_plans_again_is_not_held_back_by_what_was_said_before(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
    await journal.events.record([campaign_event("77", "p1@example.com")], now=NOW)
    await journal.workers.leave(job)
    await journal.resolving.not_sent(job, Chosen(chunks={1: None}), LATER)
    job = await journal.workers.join(job)
    task = (await take(journal, job)).task
    assert (task.label, task.tried, task.heard_of) == ("a #1.2", None, ())


async def test_who_was_ordered_again_is_not_in_the_next_campaign_if_heard_of(
    journal: Journal,
) -> None:
    """The first campaign's events come while the second is prepared: after its list is loaded."""
    job = await planned(journal, people(4), chunk=4)
    job = await journal.workers.join(job)
    await sent_campaign(journal, job, "77")
    blocked = PollResult(others=ChunkStatus(rejected=True, reason="blocked"))
    await journal.statuses.reconcile(job, 1, blocked, now=LATER)
    await journal.resolving.again(job, Chosen())
    loaded = []
    while True:
        taken = await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS)
        assert isinstance(taken, Taken)
        if taken.task.stage.name == "send":
            break
        loaded += [row.address for row in taken.task.rows]
        await journal.chunks.advance(job, taken, Done("list 2"), CAMPAIGNS)
    assert loaded == people(4)
    await journal.chunks.put_back(job, taken.ticket, LATER, "later")
    event = campaign_event("77", "p1@example.com")
    assert await journal.events.record([event], now=LATER) == Recorded(applied=1)
    task = await sent_campaign(journal, job, "78")
    assert (task.attempt, task.count, task.cursor) == (3, 3, "list 3")
    assert await counts(journal, job) == Counts(4, accepted=4)


async def test_a_part_that_is_being_loaded_ends_before_its_chunk_begins_anew(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4), chunk=4)
    await sent_campaign(journal, job, "77")
    blocked = PollResult(others=ChunkStatus(rejected=True, reason="blocked"))
    await journal.statuses.reconcile(job, 1, blocked, now=LATER)
    await journal.resolving.again(job, Chosen())
    listed = await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS)
    assert isinstance(listed, Taken)
    await journal.chunks.advance(job, listed, Done("list 2"), CAMPAIGNS)
    loading = await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS)
    assert isinstance(loading, Taken)
    assert loading.task.stage.name == "load"
    events = [campaign_event("77", address) for address in people(4)]
    assert await journal.events.record(events[:1], now=LATER) == Recorded(applied=1)
    assert await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS) is None
    assert await journal.events.record(events[1:], now=LATER) == Recorded(applied=3)
    await journal.chunks.advance(job, loading, Done("list 2"), CAMPAIGNS)
    assert await journal.chunks.take(job, LATER, CAMPAIGNS, limits=LIMITS) is None
    assert await counts(journal, job) == Counts(4, accepted=4)


async def test_rows_that_went_to_another_chunk_are_found_by_the_reference_of_the_first(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4), chunk=4)
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent("77", {1: "no"}, held={2: "no money"}))
    await journal.resolving.again(job, Chosen())
    events = [campaign_event("77", address) for address in people(3)]
    assert await journal.events.record(events, now=NOW) == Recorded(applied=3)
    assert await journal.chunks.take(job, NOW) is None
    assert await counts(journal, job) == Counts(4, accepted=4)


async def test_a_campaign_in_another_state_is_asked_about_at_once(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=4)
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent("77"))
    again = PollResult(again=datetime.fromtimestamp(LATER, UTC), why="the moderators look at it")
    await journal.statuses.reconcile(job, 1, again, now=NOW)
    event = CampaignEvent(provider="fake", name="task", at=AT, reference="77", status="sent")
    await journal.events.record([event], now=NOW + 1)
    asking = (await snapshot(journal, job)).asking
    assert asking is not None
    assert asking.until == NOW + 1


# people who are not to be mailed any more


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (DeliveryStatus.HARD_BOUNCE, "bounced (job a)"),
        (DeliveryStatus.UNSUBSCRIBED, "unsubscribed (job a)"),
        (DeliveryStatus.COMPLAINED, "complained (job a)"),
        (DeliveryStatus.REJECTED, None),
        (DeliveryStatus.SOFT_BOUNCE, None),
    ],
)
@pytest.mark.parametrize("how", ["while it is sent", "token", "reference", "parked", "poll"])
async def test_who_bounces_or_opts_out_is_suppressed_for_every_later_job(
    journal: Journal, status: DeliveryStatus, reason: str | None, how: str
) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    event = campaign_event("77", "p0@example.com", status)
    if how == "while it is sent":
        await say(journal, taken, status=status)
    if how == "parked":
        await journal.events.record([event], now=NOW)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent("77"))
    if how == "token":
        await say(journal, taken, status=status)
    if how == "reference":
        await journal.events.record([event], now=NOW)
    if how == "poll":
        polled = PollResult([RowStatus("p0@example.com", status, False, "")])
        await journal.statuses.reconcile(job, 1, polled, now=NOW)
    found = [one async for one in journal.suppressions.list()]
    assert found == ([] if reason is None else [("p0@example.com", reason, NOW)])
    later = await planned(journal, ["p0@example.com", "p2@example.com"], "b")
    assert (await counts(journal, later)).suppressed == len(found)


async def test_strangers_are_not_suppressed_and_who_opts_out_once_more_is(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, NOW, Sent("77"))
    gone = DeliveryStatus.UNSUBSCRIBED
    strange = campaign_event("78", "p0@example.com", gone)
    await journal.events.record([strange], now=NOW)
    assert [one async for one in journal.suppressions.list()] == []
    event = campaign_event("77", "p0@example.com", gone)
    await journal.events.record([event], now=NOW)
    await journal.suppressions.remove(["p0@example.com"])
    await journal.events.record([event], now=NOW)  # a repeat
    assert [one async for one in journal.suppressions.list()] == []
    await say(journal, taken, status=gone)
    assert [one.address async for one in journal.suppressions.list()] == ["p0@example.com"]


async def test_who_opts_out_while_other_jobs_wait_is_not_mailed_by_them(journal: Journal) -> None:
    first = await planned(journal, people(2), "a")
    waiting = await planned(journal, [*people(4), "last@example.com"], "b")
    waiting = await journal.workers.join(waiting)
    taken = await take(journal, first)
    await say(journal, taken, 1, status=DeliveryStatus.UNSUBSCRIBED)
    await journal.suppressions.add(people(4)[2:], reason="asked by phone", now=NOW)
    sent = []
    while isinstance(found := await journal.chunks.take(waiting, NOW), Taken):
        sent.append([row.address for row in found.task.rows])
        await journal.chunks.accept(waiting, found.ticket, NOW, Sent(None))
    assert sent == [["p0@example.com"], ["last@example.com"]]
    assert await counts(journal, waiting) == Counts(5, suppressed=3, accepted=2)
    rows = [row async for rows in journal.reports.rows(waiting) for row in rows]
    assert [row.reason for row in rows] == [
        None, "unsubscribed (job a)", "asked by phone", "asked by phone", None,
    ]  # fmt: skip


async def test_who_opts_out_once_a_list_is_loaded_is_in_none_that_is_sent_to(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    listed = await journal.chunks.take(job, NOW, CAMPAIGNS, limits=LIMITS)
    assert isinstance(listed, Taken)
    await journal.chunks.advance(job, listed, Done("list 1"), CAMPAIGNS)
    await journal.suppressions.add(people(1), reason="asked by phone", now=NOW)
    sent = await sent_campaign(journal, job, "77")
    assert (sent.count, sent.cursor) == (1, "list 2")
    assert await counts(journal, job) == Counts(2, suppressed=1, accepted=1)


async def test_a_chunk_is_not_planned_again_while_webhooks_may_speak_of_it(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    taken = await take(journal, job)
    await journal.chunks.doubt(job, taken.ticket, NOW, "reset")
    early = [campaign_event("77", "p1@example.com"), campaign_event("78", "else@example.com")]
    assert (await journal.events.record(early, now=NOW)).parked == 2
    absent = NotTaken("there is none")
    assert await journal.chunks.heard_of(job, 1, NOW) == ["77"]
    assert await journal.chunks.heard_of(job, 1, NOW + KEPT + 1) == []
    assert isinstance(await journal.chunks.settle(job, taken, LATER, absent), Wait)
    assert (await counts(journal, job)).in_doubt == 2
    asked = attrs.evolve(taken, task=attrs.evolve(taken.task, heard_of=("77",)))
    assert await journal.chunks.settle(job, asked, LATER, absent) == absent
    again = await take(journal, job)
    assert again.task.tried is not None
    assert again.task.heard_of == ["77"]


async def twins(journal: Journal) -> tuple[JobRecord, JobRecord]:
    """A job that rejected everybody, and another one that has the same to send to the same people,
    since they seemed to be free.
    """
    first = await planned(journal, people(4), "a")
    while isinstance(taken := await journal.chunks.take(first, NOW), Taken):
        refused = {row.n: "refused" for row in taken.task.rows}
        await journal.chunks.accept(first, taken.ticket, NOW, Sent(f"a{taken.task.chunk}", refused))
    second = await planned(journal, people(4), "b")
    await journal._db.write(lambda db: db.execute("UPDATE jobs SET content = ?", (b"same",)))
    return first, second


async def proven(journal: Journal, job: JobRecord, how: str) -> None:
    """Word comes that somebody of the job's second chunk has the message after all."""
    if how == "event":
        await journal.events.record([campaign_event("a2", "p3@example.com")], now=NOW)
    else:
        status = RowStatus("p3@example.com", DeliveryStatus.SENT, False, "")
        await journal.statuses.reconcile(job, 2, PollResult([status]), now=NOW)
    assert (await counts(journal, job)).accepted == 1


@pytest.mark.parametrize("how", ["event", "poll"])
async def test_who_was_mailed_after_all_is_left_out_by_a_job_that_waits(
    journal: Journal, how: str
) -> None:
    first, second = await twins(journal)
    second = await journal.workers.join(second)
    await proven(journal, first, how)
    sent: list[str] = []
    while isinstance(taken := await journal.chunks.take(second, NOW), Taken):
        sent += [row.address for row in taken.task.rows]
        await journal.chunks.accept(second, taken.ticket, NOW, Sent(None))
    assert sent == people(3)
    assert await counts(journal, second) == Counts(4, duplicate=1, accepted=3)
    rows = [row async for rows in journal.reports.rows(second) for row in rows]
    assert rows[3].reason == "already sent by job a"
    assert [one async for one in journal.suppressions.list()] == []


@pytest.mark.parametrize("how", ["event", "poll"])
async def test_who_was_mailed_after_all_is_in_no_list_that_is_sent_to(
    journal: Journal, how: str
) -> None:
    first, second = await twins(journal)
    second = await journal.workers.join(second)
    loaded: dict[str, list[str]] = {}
    heard = False
    while isinstance(
        taken := await journal.chunks.take(second, NOW, CAMPAIGNS, limits=LIMITS), Taken
    ):
        match taken.task.stage.name:
            case "list":
                done = Done(f"list {taken.task.label} {taken.task.attempt} {len(loaded)}")
                loaded[str(done.cursor)] = []
                await journal.chunks.advance(second, taken, done, CAMPAIGNS)
            case "load":
                loaded[str(taken.task.cursor)] += [row.address for row in taken.task.rows]
                await journal.chunks.advance(second, taken, Done(), CAMPAIGNS)
                if not heard and "p3@example.com" in loaded[str(taken.task.cursor)]:
                    await proven(journal, first, how)
                    heard = True
            case _:
                sent = loaded[str(taken.task.cursor)]
                assert "p3@example.com" not in sent
                await journal.chunks.accept(
                    second, taken.ticket, NOW, Sent(f"b{len(sent)}{taken.task.chunk}")
                )
    assert heard
    assert await counts(journal, second) == Counts(4, duplicate=1, accepted=3)
