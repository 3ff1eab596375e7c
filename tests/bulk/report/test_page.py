"""The report as a web page: its numbers are the report's, and nothing in it acts."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
import pytest

from mailkit import BulkSender, EngineSettings, Journal, Message, Report, resolve
from mailkit.bulk.cancel import cancel
from mailkit.bulk.journal import RowState
from mailkit.bulk.reasons import Reasons
from mailkit.bulk.report import make_report, page
from mailkit.bulk.report.page import html_report
from mailkit.bulk.source import read_recipients
from mailkit.errors import AccountRefused, InvalidArgument, OutcomeUnknown, Refused
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import Dispatch, PollResult, RowStatus, Sent, Task
from mailkit.testing import FakeClock

from ...cli import test_exit_codes as exit_codes
from ...input.test_terminal import hostile as hostile_job
from ..fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .pages import Page

MARKS = "<script>alert(1)</script>\"'&amp;--><img src=http://evil.example onerror=x>]]></style>"
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@attrs.define
class Postman(FakeProvider):
    """Says of each message what happened to it, by turns, and counts them."""

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return _Round(self)


@attrs.define
class _Round(FakeDispatch):
    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        rows = self.provider.chunks[int(reference) - 1].rows
        statuses = [*DeliveryStatus]
        found = [
            RowStatus(row.address, statuses[row.n % len(statuses)], False, f"550 {row.address} no")
            for row in rows
        ]
        return PollResult(found, statistics={"sent": len(rows), "red_irected": 1})


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def sent(
    journal: Journal, items: Sequence[Any], provider: FakeProvider | None = None, **options: Any
) -> Report:
    """A job named autumn, sent to its end."""
    settings = EngineSettings(concurrency=1)
    provider = provider or FakeProvider()
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
        job = await sender.start(
            MESSAGE, read_recipients(items), name=options.pop("name", "autumn"), **options
        )
        return await job.wait()


async def read(journal: Journal, name: str = "autumn") -> tuple[Page, Report]:
    """The page, whose every number is the report's."""
    report = await make_report(journal, name)
    found = Page.read(await html_report(journal, name, now=NOW))
    counts = report.counts
    rows = {state.replace(" ", "-"): counts.of(state) for state in RowState}
    assert found.of("rows") == {"read": counts.read, **rows, "sum": counts.read}
    assert found.of("delivery") == {
        status.name.lower().replace("_", "-"): n for status, n in report.deliveries.items()
    }
    funnel = found.of("funnel")
    assert [*funnel] == ["read", "to-send", "accepted", "delivered", "opened", "clicked"]
    assert [*funnel.values()][:3] == [counts.read, counts.to_send, counts.accepted]
    expected = {
        state.value: counts.of(state)
        for state in (RowState.INVALID, RowState.DUPLICATE, RowState.SUPPRESSED, RowState.REJECTED)
        if counts.of(state)
    }
    failed = {
        f"delivery-{status.name.lower().replace('_', '-')}": n
        for status, n in report.deliveries.items()
        if status is DeliveryStatus.SOFT_BOUNCE
        or DeliveryStatus.UNDELIVERED <= status <= DeliveryStatus.HARD_BOUNCE
    }
    assert found.of("why") == {**expected, **failed}
    assert found.numbers.get("accepted-over-time", 0) == counts.accepted
    for doubt in report.doubts[: page.SHOWN]:
        number = doubt.label.rpartition("#")[2]
        for word in ("accepted", "not-sent"):
            assert any(
                one.startswith("mailkit resolve ") and one.endswith(f" {number} --{word}")
                for one in found.commands
            )
    return found, report


async def test_a_job_that_is_done(journal: Journal) -> None:
    items = [*people(40), "nobody", "p1@example.com", "@", *(f"bad{n}@b.by" for n in range(3))]
    provider = FakeProvider(bad={f"bad{n}@b.by" for n in range(3)})
    await sent(journal, items, provider)
    found, report = await read(journal)
    assert report.counts.rejected == 3
    assert "done" in found.text
    assert "no such mailbox" in found.text
    assert "mailkit report autumn --csv --state rejected" in found.commands
    assert "mailkit resume autumn --rejected" in found.commands


async def test_deliveries_the_funnel_and_the_service_s_own_numbers(journal: Journal) -> None:
    provider = Postman(chunk_rows=13)
    report = await sent(journal, people(39), provider)
    assert set(report.deliveries) == {*DeliveryStatus}
    found, _ = await read(journal)
    funnel = found.of("funnel")
    assert (funnel["delivered"], funnel["opened"], funnel["clicked"]) == (15, 6, 3)
    assert [found.numbers[f"{one}-over-time"] for one in ("delivered", "opened", "clicked")] == [
        15,
        6,
        3,
    ]
    assert found.numbers["failed-over-time"] == 12
    assert "550 … no" in found.text
    assert "red irected" in found.text


async def test_deliveries_whose_times_are_not_known_are_said_to_be_so(journal: Journal) -> None:
    """A journal that was made before they were kept has those that came since."""
    await sent(journal, people(30), FakeProvider(chunk_rows=30))
    await journal._db.write(lambda db: db.execute("UPDATE rises SET minute = -1").rowcount)
    found, _ = await read(journal)
    assert not any("over-time" in id and "accepted" not in id for id in found.numbers)
    job = await journal.workers.join(await journal.jobs.get("autumn"))
    opened = [RowStatus(address, DeliveryStatus.OPENED, False, "") for address in people(3)]
    await journal.statuses.reconcile(job, 1, PollResult(opened), now=600.0)
    found, _ = await read(journal)
    assert found.numbers["opened-over-time"] == 3
    assert "delivered-over-time" not in found.numbers
    assert "30 more were delivered, or failed, at a time that is not known." in found.text


async def test_deliveries_of_a_long_time_leave_the_page_small(journal: Journal) -> None:
    await sent(journal, people(2))
    job = await journal.jobs.get("autumn")
    rises = [
        (job.id, 29_000_000 + minute, before, after, 7)
        for minute in range(0, 90 * 24 * 60, 10)
        for before, after in ((0, 40), (40, 50), (50, 60), (0, 73))
    ]
    sql = "INSERT INTO rises VALUES (?, ?, ?, ?, ?)"
    await journal._db.write(lambda db: db.executemany(sql, rises).rowcount)
    html = await html_report(journal, "autumn", now=NOW)
    found = Page.read(html)
    assert found.numbers["clicked-over-time"] == 7 * 90 * 24 * 6
    assert len(html) < 50_000


@pytest.mark.parametrize("how", ["event", "poll"])
async def test_a_bounce_is_shown_with_the_words_of_the_mail_server(
    journal: Journal, how: str
) -> None:
    await sent(journal, people(3), FakeProvider(chunk_rows=3))
    bounce, words = DeliveryStatus.HARD_BOUNCE, "550 5.1.1 mailbox does not exist"
    for address in people(2):
        if how == "event":
            event = DeliveryEvent(
                provider="fake",
                name="hard_bounces",
                at=NOW,
                address=address,
                status=bounce,
                reference="1",
                reason=words,
            )
            await journal.events.record([event], now=NOW.timestamp())
            continue
        job = await journal.workers.join(await journal.jobs.get("autumn"))
        polled = PollResult([RowStatus(address, bounce, False, words)])
        await journal.statuses.reconcile(job, 1, polled, now=NOW.timestamp())
    found, _ = await read(journal)
    assert f"{words} 2 line 1: p0@example.com" in found.text


async def test_who_opts_out_is_not_shown_as_a_success(journal: Journal) -> None:
    await sent(journal, people(39), Postman(chunk_rows=13))
    html = await html_report(journal, "autumn", now=NOW)
    colors = dict(re.findall(r'id="delivery-([\w-]+)".*?<rect [^>]*class="([\w-]+)"', html))
    assert {status for status, color in colors.items() if color == "accepted"} == {
        "delivered",
        "opened",
        "clicked",
    }
    assert {colors["unsubscribed"], colors["complained"]} == {"suppressed"}
    assert {colors["hard-bounce"], colors["expired"]} == {"rejected"}


async def test_times_are_in_one_zone_that_is_said_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Minsk")
    time.tzset()
    try:
        acts: list[Any] = [OutcomeUnknown("lost")]
        await sent(journal, people(12), FakeProvider(acts=acts, chunk_rows=3))
        found = Page.read(await html_report(journal, "autumn", now=NOW))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "as of Jan 2, 2030, 06:04:05 (all times are UTC+03:00)" in found.text
    assert found.text.count("+0") == 1


async def test_doubts_with_their_commands(journal: Journal) -> None:
    acts: list[Any] = [OutcomeUnknown("lost"), OutcomeUnknown("cut off")]
    await sent(journal, people(12), FakeProvider(acts=acts, chunk_rows=3))
    found, report = await read(journal)
    assert report.counts.in_doubt == 6
    assert "6 in doubt" in found.text
    assert "cut off" in found.text
    assert "mailkit resolve autumn 2 --not-sent" in found.commands


async def test_the_page_of_a_job_with_many_doubts_has_the_largest(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts: list[Any] = [OutcomeUnknown("lost")] * 3
    await sent(journal, people(10), FakeProvider(acts=acts))
    monkeypatch.setattr(page, "SHOWN", 2)
    found, _ = await read(journal)
    assert len([one for one in found.commands if "resolve" in one]) == 6
    monkeypatch.setattr(page, "SHOWN", 1)
    found, _ = await read(journal)
    assert "2 more." in found.text
    assert "mailkit report autumn --csv --state 'in doubt'" in found.commands
    assert len([one for one in found.commands if "resolve" in one]) == 2


@pytest.mark.parametrize(
    ("items", "provider", "words"),
    [
        (["x", "y"], FakeProvider(), "the name autumn is free"),
        (people(4), FakeProvider(refuses=lambda task: "no money left"), "no money left"),
        (people(4), FakeProvider(acts=[AccountRefused("blocked")]), "Send the rest with"),
        (people(4), FakeProvider(acts=[OutcomeUnknown("?")] * 2), "in doubt"),
        (people(7), FakeProvider(hidden={"p3@example.com"}), "1 in doubt"),
    ],
    ids=["all invalid", "all refused", "stopped", "all in doubt", "left out"],
)
async def test_a_job_that_ended_otherwise(
    journal: Journal, items: list[str], provider: FakeProvider, words: str
) -> None:
    await sent(journal, items, provider)
    found, _ = await read(journal)
    assert words in found.text


async def test_a_job_at_every_moment(journal: Journal) -> None:
    """Before and after each request, what is being sent is unsent, and the numbers agree."""
    looks = 0

    async def look(task: Task) -> None:
        nonlocal looks
        found, report = await read(journal)
        looks += 1
        assert report.running
        assert "being sent" in found.text

    class Watched(FakeProvider):
        def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
            return _Watched(self, look=look)

    await sent(journal, people(8), Watched())
    assert looks == 6
    _, report = await read(journal)
    assert (report.running, report.complete) == (False, True)


@attrs.define
class _Watched(FakeDispatch):
    look: Callable[[Task], Any] = attrs.field(kw_only=True)

    async def perform(self, task: Task) -> Sent:
        await self.look(task)
        result = await super().perform(task)
        await self.look(task)
        return result


async def test_rows_that_a_person_counts_as_accepted_have_a_time_too(journal: Journal) -> None:
    acts: list[Any] = [OutcomeUnknown("lost")] * 2
    await sent(journal, people(7), FakeProvider(acts=acts))
    await resolve(journal, "autumn", 1, accepted=True)
    await resolve(journal, "autumn", accepted=True, addresses=["p4@example.com"])
    _, report = await read(journal)
    assert (report.counts.accepted, report.counts.in_doubt) == (5, 2)


async def test_a_job_that_is_cancelled(journal: Journal) -> None:
    await sent(journal, people(4), FakeProvider(acts=[AccountRefused("blocked")]))
    await cancel(journal, "autumn")
    found, _ = await read(journal)
    assert "cancelled" in found.text
    assert "mailkit resume autumn --cancelled" in found.commands


async def test_a_job_whose_people_have_the_message_from_another(journal: Journal) -> None:
    await sent(journal, people(4))
    await sent(journal, people(5), name="corrected")
    found, report = await read(journal, "corrected")
    assert report.elsewhere
    assert "4 of the duplicates" in found.text


async def test_a_job_without_a_row() -> None:
    report = exit_codes.report()
    found = Page.read(page._html(page._Page(report, Reasons(), None, None, NOW)))
    assert {*found.of("rows").values(), *found.of("funnel").values()} == {0}
    assert "nobody was accepted" in found.text


async def test_no_such_job(journal: Journal) -> None:
    with pytest.raises(InvalidArgument):
        await html_report(journal, "spring")


# hostile words


async def test_control_characters_are_visible(journal: Journal) -> None:
    report = await hostile_job(journal)
    found, _ = await read(journal, report.job)
    assert "\\u202e" in found.text


async def test_markup_in_a_list_and_in_a_service_s_words_is_text(journal: Journal) -> None:
    items = [{"email": f"{MARKS}{n}", MARKS: MARKS} for n in range(2)]
    items += [{"email": one, MARKS: MARKS} for one in people(9)]
    acts: list[Any] = [Refused(f"{MARKS}{n}") for n in range(3)]
    acts += [OutcomeUnknown(MARKS), partial(_refuse_first, words=MARKS)]
    provider = FakeProvider(name="sms", acts=acts, chunk_rows=2)
    settings = EngineSettings(concurrency=1)
    message = Message(sender="news@shop.example", subject=MARKS, html="<p>Hi</p>")
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
        job = await sender.start(message, read_recipients(items), name=MARKS)
        await job.wait()
    found, report = await read(journal, MARKS)
    assert found.text.count("<script>alert(1)</script>") >= 4
    assert report.job in " ".join(found.words)


def _refuse_first(task: Task, words: str) -> Sent:
    return Sent("7", {task.rows[0].n: words})


async def test_every_color_of_text_can_be_read(journal: Journal) -> None:
    await sent(journal, people(1))
    style = (await read(journal))[0].style
    themes = re.findall(r":root \{([^}]*)\}", style)[:2]
    assert len(themes) == 2
    for theme in themes:
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
        for ground in ("page", "card", "code"):
            for color in ("text", "quiet"):
                assert _contrast(colors[color], colors[ground]) >= 4.5, (color, ground)
        for badge in ("accepted", "rejected", "in-doubt", "duplicate", "unsent"):
            assert _contrast(colors[badge], colors["page"]) >= 4.2, badge
        for state in RowState:
            assert _contrast(colors[state.replace(" ", "-")], colors["card"]) >= 3, state


def _contrast(one: str, other: str) -> float:
    """By WCAG 2: text needs 4.5, large text and shapes 3."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
