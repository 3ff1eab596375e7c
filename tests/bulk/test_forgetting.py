"""A person is forgotten: nothing can be read of them any more, and the promise is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailkit.bulk.journal import Chosen, JobRecord, Journal, RowState, Taken
from mailkit.bulk.journal.pseudonyms import MARK, pseudonym
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.journal.tables import STATEMENTS
from mailkit.core.dispatch import PollResult, RowStatus
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import Sent

from .counted import checked
from .fakes import FakeProvider, people
from .jobs import at, in_each, planned, planning, states, stored, take
from .test_elsewhere import ends, rows_of, send
from .test_elsewhere import planned as plan

ANNA = "p1@example.com"
UNSUBSCRIBED = DeliveryEvent(
    provider="fake",
    name="unsubscribe",
    at=datetime(2026, 10, 1, 12, tzinfo=UTC),
    status=DeliveryStatus.UNSUBSCRIBED,
    reason=f"{ANNA} has asked for it",
    raw={"email": ANNA},
)


@pytest.fixture(params=["memory", "PostgreSQL"])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


async def everything(journal: Journal) -> str:
    """All that is in the journal, as text."""

    tables = sorted(
        statement.split()[2] for statement in STATEMENTS if statement.startswith("CREATE TABLE")
    )

    def work(db: Connection) -> str:
        return repr([db.execute(f"SELECT * FROM {name}").fetchall() for name in tables])

    return await journal._db.read(work)


async def accepted(
    journal: Journal,
    job: JobRecord,
    reference: str | None = None,
    rejected: Mapping[int, str] | None = None,
) -> Taken:
    """The job's next chunk is sent, but for those rows."""
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, 3.0, Sent(reference, rejected or {}))
    return taken


async def addresses(journal: Journal, name: str = "a") -> list[str]:
    return [row.address for row in await rows_of(journal, name)]


async def test_whoever_was_mailed_is_unreadable_and_not_mailed_twice(journal: Journal) -> None:
    provider = FakeProvider()
    await send(journal, provider, ["P1@Example.com", *people(5)[2:]], "m1")
    result = await journal.forget(ANNA)
    assert [(row.job, row.line, row.state) for row in result.rows] == [("m1", 1, RowState.ACCEPTED)]
    assert "p1@example.com" not in (await everything(journal)).lower()
    report = await send(journal, provider, people(6), "m2")
    assert provider.mailed == dict.fromkeys(["P1@example.com", *people(6)[2:], "p0@example.com"], 1)
    assert report.elsewhere == {"already sent by job m1": 4}
    await checked(journal)


async def test_only_the_person_is_forgotten(journal: Journal) -> None:
    others = ["jp1@example.com", "p1@example.com.by", "p1@sub.example.com", "x+p1@example.com"]
    await accepted(journal, await planned(journal, [ANNA, *others], chunk=9))
    await journal.suppressions.add(others, reason="asked", now=1.0)
    await journal.forget(ANNA)
    found = await addresses(journal)
    assert found[0].startswith(MARK)
    assert found[1:] == others
    assert [one.address async for one in journal.suppressions.list()] == sorted(others)


async def test_every_row_keeps_its_line_and_state(journal: Journal) -> None:
    job = await planned(journal, [*people(4), ANNA, f"Anna <{ANNA}>, x@b.by"[:12], ANNA + "@"])
    await accepted(journal, job)
    await accepted(journal, job)
    before = await journal.reports.counts(job)
    result = await journal.forget(ANNA)
    assert sorted(row.state for row in result.rows) == ["accepted", "duplicate"]
    assert await journal.reports.counts(job) == before
    assert await stored(journal, job) == before.read
    assert (await rows_of(journal, "a"))[4].reason == "the address is that of line 3"
    await checked(journal)


async def test_whoever_is_suppressed_stays_so(journal: Journal) -> None:
    await journal.suppressions.add([ANNA, "x@b.by"], reason="asked by phone", now=1.0)
    assert (await journal.forget(ANNA)).suppressed == 1
    assert ANNA not in await everything(journal)
    assert [one.address async for one in journal.suppressions.list()] == ["x@b.by"]
    assert (await journal.info()).suppressions == 2
    await plan(journal, people(3), "m1")
    assert await ends(journal, "m1") == ["unsent", "suppressed", "unsent"]
    assert await journal.suppressions.remove([ANNA.upper()]) == 1
    await plan(journal, [ANNA], "m2", again=True)
    assert await ends(journal, "m2") == ["unsent"]


async def test_a_job_that_is_planned_already_leaves_out_who_opts_out_by_a_code(
    journal: Journal,
) -> None:
    first = await planned(journal, people(2), "first")
    taken = await accepted(journal, first)
    token = taken.task.token(taken.task.rows[1])
    await journal.forget(ANNA)
    later = await planned(journal, people(2), "later")
    event = attrs.evolve(UNSUBSCRIBED, token=token, address="P1@example.com")
    assert (await journal.events.record([event], now=5.0)).applied == 1
    sent = await take(journal, later)
    assert [row.address for row in sent.task.rows] == ["p0@example.com"]
    assert await ends(journal, "later") == ["unsent", "suppressed"]
    await checked(journal)


async def test_events_find_a_code_by_reference_and_address(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, "77")
    event = attrs.evolve(UNSUBSCRIBED, reference="77")
    opened = attrs.evolve(event, status=DeliveryStatus.OPENED, address="p0@example.com", reason="")
    await journal.events.record([opened], now=5.0)  # the chunk has an index from now on
    await heard(journal, job, [RowStatus(name, None, False, "") for name in people(2)])
    await journal.forget(ANNA)
    recorded = await journal.events.record([attrs.evolve(event, address=ANNA)], now=6.0)
    assert recorded.applied == 1
    assert ANNA not in await everything(journal)
    await plan(journal, people(2), "m2")
    assert await ends(journal, "m2") == ["unsent", "suppressed"]
    await checked(journal)


async def heard(journal: Journal, job: JobRecord, statuses: Sequence[RowStatus]) -> None:
    await journal.statuses.reconcile(job, 1, PollResult(statuses), now=4.0)


async def test_a_poll_that_says_that_a_code_opted_out_suppresses_it(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, "77")
    known = [RowStatus(name, DeliveryStatus.SENT, False, "") for name in people(2)]
    await heard(journal, job, known)
    await journal.forget(ANNA)
    complained = RowStatus(ANNA.upper(), DeliveryStatus.COMPLAINED, False, f"{ANNA} complained")
    await heard(journal, job, [known[0], complained])
    assert (await journal.reports.deliveries(job))[DeliveryStatus.COMPLAINED] == 1
    assert ANNA not in (await everything(journal)).lower()
    await plan(journal, [ANNA], "m2")
    assert await ends(journal, "m2") == ["suppressed"]
    await checked(journal)


async def test_nobody_asks_a_service_about_a_code(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, "77")
    await heard(journal, job, [RowStatus(name, None, False, "") for name in people(2)])
    await journal.forget(ANNA)
    for asked in (True, False):
        found = await journal.statuses.some(job, 1, after=0, heard=asked, limit=9)
        assert [address for _, address in found] == ["p0@example.com"] * asked


async def test_whoever_was_rejected_is_never_sent_to_again(journal: Journal) -> None:
    job = await planned(journal, people(4), chunk=2)
    await accepted(journal, job, rejected={2: f"{ANNA}: no such mailbox"})
    ticket = (await take(journal, job)).ticket
    await journal.chunks.reject(job, ticket, 3.0, "p3@example.com is bad, p2@example.com too")
    await journal.forget(ANNA, "p3@example.com")
    found = await rows_of(journal, "a")
    assert [row.state for row in found] == ["accepted", "suppressed", "rejected", "suppressed"]
    assert found[1].reason == "forgotten"
    assert found[2].reason == "[address] is bad, p2@example.com too"
    again = await journal.resolving.again(job, Chosen())
    assert (again.rows, again.elsewhere) == (1, 0)
    sent = await take(journal, job)
    assert [row.address for row in sent.task.rows] == ["p2@example.com"]
    await checked(journal)


async def test_a_row_that_is_rejected_after_it_was_forgotten_is_not_sent_to(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, "77")
    await heard(journal, job, [RowStatus(name, None, False, "") for name in people(2)])
    await journal.forget(ANNA)
    await journal._db.write(
        lambda db: db.execute("UPDATE chunks SET state = 'rejected', reason = 'blocked'")
    )
    assert (await journal.resolving.again(job, Chosen())).rows == 1
    sent = await take(journal, job)
    assert [row.address for row in sent.task.rows] == ["p0@example.com"]


async def test_what_a_cancelled_job_has_not_sent_is_never_sent(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await journal.cancelling.cancel(job, 2.0)
    await journal.forget(ANNA)
    assert await ends(journal, "a") == ["unsent", "suppressed"]
    await journal.cancelling.restore(job)
    sent = await take(journal, await journal.workers.join(job))
    assert [row.address for row in sent.task.rows] == ["p0@example.com"]
    await checked(journal)


@pytest.mark.parametrize("case", ["planning", "unsent", "sending", "in doubt", "looked for"])
async def test_nobody_is_forgotten_whose_address_is_needed(journal: Journal, case: str) -> None:
    await accepted(journal, await planned(journal, ["x@b.by"], "done"))
    make = planning if case == "planning" else planned
    job = await make(journal, [ANNA, "p2@example.com"], "b")
    if case in ("sending", "in doubt"):
        ticket = (await take(journal, job)).ticket
        if case == "in doubt":
            await journal.chunks.doubt(job, ticket, 3.0, "reset")
    elif case == "looked for":
        await accepted(journal, job, "77")
    before = await everything(journal)
    words = {
        "planning": "the job b is being planned",
        "unsent": "is still going to mail p1@example.com",
        "sending": "a request of the job b with p1@example.com is under way",
        "in doubt": "p1@example.com is in doubt in the job b",
        "looked for": "the job b still has to check the status of p1@example.com",
    }
    with pytest.raises(InvalidArgument, match=words[case]):
        await journal.forget("x@b.by", ANNA)
    assert await everything(journal) == before
    assert job.worker is not None


async def test_all_that_is_in_the_way_is_named_at_once(journal: Journal) -> None:
    await planned(journal, [ANNA, "p2@example.com"], "b")
    doubt = await planned(journal, [ANNA, "p2@example.com"], "c")
    await journal.chunks.doubt(doubt, (await take(journal, doubt)).ticket, 3.0, "reset")
    await planning(journal, ["x@b.by"], "d")
    event = attrs.evolve(UNSUBSCRIBED, address=ANNA)
    await journal.events.record([event], now=5.0, handlers=lambda _: ["crm"])
    before = await everything(journal)
    with pytest.raises(InvalidArgument) as refused:
        await journal.forget(ANNA, "p2@example.com")
    words = str(refused.value)
    found = (await journal.forget(ANNA, "p2@example.com", dry_run=True)).obstacles
    assert len(found) == 6
    assert words.startswith(f"nobody was forgotten, for 6 reasons: (1) {found[0]}; (2) {found[1]}")
    assert [one for one in found if one not in words] == []
    less = await journal.forget(ANNA, "p2@example.com", dry_run=True, drop_calls=True)
    assert len(less.obstacles) == 5
    assert await everything(journal) == before


async def test_calls_of_handlers_are_dropped_only_if_that_is_said(journal: Journal) -> None:
    event = attrs.evolve(UNSUBSCRIBED, address=ANNA)
    other = attrs.evolve(event, address="jp1@example.com", raw={"email": "jp1@example.com"})
    await journal.events.record([event, other], now=5.0, handlers=lambda _: ["crm"])
    with pytest.raises(InvalidArgument, match=r"1 of crm.*drop_calls=True"):
        await journal.forget(ANNA)
    assert (await journal.forget(ANNA, drop_calls=True)).handler_calls == {"crm": 1}
    assert await journal.handler_calls.waiting() == {"crm": 1}


async def test_parked_events_are_kept_by_code_and_each_once(journal: Journal) -> None:
    job = await planned(journal, people(1), "other")
    await take(journal, job)  # its request may have any reference
    for now in (5.0, 6.0):
        event = attrs.evolve(UNSUBSCRIBED, reference="88", address=ANNA)
        opened = attrs.evolve(event, status=DeliveryStatus.OPENED, link=str(now))
        assert (await journal.events.record([event, opened], now=now)).parked
        assert (await journal.forget(ANNA)).parked == 1
        assert ANNA not in await everything(journal)
        assert (await journal.info()).parked == 1


async def test_a_look_changes_nothing(journal: Journal) -> None:
    job = await planned(journal, people(3), chunk=2)
    await accepted(journal, job)
    await journal.suppressions.add([ANNA], reason="x", now=1.0)
    before = await everything(journal)
    found = await journal.forget(ANNA, "p2@example.com", dry_run=True)
    assert [(row.line, row.state) for row in found.rows] == [
        (3, RowState.ACCEPTED), (4, RowState.UNSENT),
    ]  # fmt: skip
    assert found.suppressed == 1
    assert len(found.obstacles) == 1
    assert await everything(journal) == before


async def test_a_job_that_is_planned_between_look_and_write_is_seen(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(journal, await planned(journal, people(2), "first"))
    write, writes = journal._db.write, iter(range(99))

    async def late(run: Callable[[Connection], object], **how: Any) -> object:
        if next(writes) == 0:
            await accepted(journal, await planned(journal, [ANNA], "second"))
        return await write(run, **how)

    monkeypatch.setattr(journal._db, "write", late)
    found = await journal.forget(ANNA)
    assert [row.job for row in found.rows] == ["first", "second"]
    assert ANNA not in await everything(journal)


async def test_nothing_of_a_person_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, [f"person{n}@example.com" for n in range(300)], chunk=300)
        await accepted(journal, job)
        await journal.suppressions.add(["person7@example.com"], reason="x", now=1.0)
    assert b"person7@example.com" in path.read_bytes()
    async with at(path) as journal:
        await journal.forget("person7@example.com")
    assert b"person7@example.com" not in path.read_bytes()
    assert b"person70@example.com" in path.read_bytes()


async def test_a_journal_that_was_emptied_of_somebody_still_sends(journal: Journal) -> None:
    await journal.suppressions.add([ANNA], reason="x", now=1.0)
    await journal.forget(ANNA)
    provider = FakeProvider()
    report = await send(journal, provider, people(3), "m1")
    assert (report.counts.accepted, report.counts.suppressed) == (2, 1)
    assert ANNA not in provider.mailed


def test_a_code_is_of_one_journal_and_says_nothing() -> None:
    assert pseudonym("s1", ANNA) != pseudonym("s2", ANNA)
    assert pseudonym(None, ANNA) is None
    assert ANNA[:2] not in str(pseudonym("s1", ANNA))


async def test_an_address_must_be_one(journal: Journal) -> None:
    for wrong in ([], ["nobody"]):
        with pytest.raises(InvalidArgument):
            await journal.forget(*wrong)


@pytest.mark.parametrize("asked", ["jörg@müller.by", " Bad@@example.com "])
async def test_what_is_no_address_is_found_as_it_was_read(journal: Journal, asked: str) -> None:
    job = await planned(journal, ["jörg@müller.by", "bad@@example.com", *people(2)])
    await journal._db.write(
        lambda db: db.execute(
            "UPDATE rows SET state = 'invalid', reason = 'no address' WHERE line IN (2, 3)"
        )
    )
    found = await journal.forget(asked)
    assert [row.state for row in found.rows] == [RowState.INVALID]
    assert asked.strip().lower() not in await everything(journal)
    assert len(await states(journal, job)) == 4


async def test_those_who_are_suppressed_and_forgotten_are_counted(journal: Journal) -> None:
    await journal.suppressions.add(["a@b.by", ANNA], reason="asked", now=1.0)
    await journal.forget(ANNA)
    assert [one.address async for one in journal.suppressions.list()] == ["a@b.by"]
    assert await journal.suppressions.forgotten() == 1
