"""The report as one web page for people: it loads nothing, runs nothing, and can be printed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources

import attrs

from mailkit.bulk.journal import Details, Journal, RowState, Snapshot
from mailkit.bulk.journal.details import FAILED
from mailkit.bulk.journal.suppressions import SUPPRESSES
from mailkit.bulk.reasons import Kind, ReasonGroup, Reasons, first_of
from mailkit.bulk.report.advice import Advice, checking, listing, next_steps, remarks, settling
from mailkit.bulk.report.charts import bar, stack
from mailkit.bulk.report.elements import data, id_of, number, percent, section, table, words
from mailkit.bulk.report.funnel import ARRIVED, funnel
from mailkit.bulk.report.markup import Markup, joined, tag, void
from mailkit.bulk.report.over_time import over_time
from mailkit.bulk.report.summary import Doubt, Report, report_of
from mailkit.bulk.report.timeline import Deliveries, Timeline, deliveries_of, timeline_of
from mailkit.bulk.report.times import Times
from mailkit.core.arguments import checked
from mailkit.errors import JournalError
from mailkit.events import DeliveryStatus

__all__ = ["SHOWN", "html_report"]

SHOWN = 50
"""The reasons of each kind, and the doubts, that a page has at most."""


@attrs.frozen
class _Page:
    report: Report
    reasons: Reasons
    timeline: Timeline | None
    deliveries: Deliveries | None
    now: datetime

    @property
    def times(self) -> Times:
        return Times.local(self.now)


@checked
async def html_report(journal: Journal, name: str, *, now: datetime | None = None) -> str:
    """The report of the job of this name as an HTML page, at any moment of the job's life.

    The page stands by itself: no scripts, nothing from elsewhere. It holds some addresses, as
    examples of what failed. ``now`` is when it was made, by default at present. InvalidArgument if
    there is no such job.
    """

    def look(found: Snapshot, details: Details) -> _Page:
        reasons = Reasons()
        for failure in details.failures():
            reasons.add(failure)
        at = datetime.now(UTC) if now is None else now
        offset = int(Times.local(at).offset.total_seconds())
        timeline = timeline_of(details.accepted, offset)
        deliveries = deliveries_of(details.rises, offset)
        return _Page(report_of(found, details, proven=True), reasons, timeline, deliveries, at)

    page = await journal.reports.details(name, look)
    if page is None:
        await journal.jobs.get(name)  # which says what jobs there are
        raise JournalError(f"the job {name} was planned just now: try again")
    return _html(page)


def _html(page: _Page) -> str:
    style = resources.files("mailkit.bulk.report").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=policy),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="referrer", content="no-referrer"),
        void("meta", name="robots", content="noindex"),
        void("meta", name="color-scheme", content="light dark"),
        void("meta", name="generator", content="mailkit"),
        tag("title", f"{page.report.job}: report"),
        tag("style", Markup(style)),
    )
    sections = (
        _sum(page),
        _doubts(page.report, page.times),
        _funnel(page.report),
        over_time(page.report, page.timeline, page.deliveries, page.times),
        _deliveries(page.report),
        _counted(page.report),
        _failures(page),
    )
    body = tag("body", _header(page), tag("main", *sections), _footer(page))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(page: _Page) -> Markup:
    report, times = page.report, page.times
    badges = [tag("span", words, class_=f"badge {kind}") for words, kind in _badges(report)]
    steps = [
        _advice(one) for one in (*next_steps(report, times.words), *remarks(report, times.words))
    ]
    return tag(
        "header",
        tag("h1", tag("bdi", report.job)),
        tag("p", *badges, class_="badges"),
        tag("p", tag("bdi", report.subject), class_="subject"),
        tag(
            "p",
            f"over {report.provider}, started ",
            times.tag(report.created),
            "; as of ",
            times.tag(page.now),
            f" (all times are {times.zone})",
            class_="facts",
        ),
        tag("ul", *steps, class_="steps") if steps else None,
    )


def _badges(report: Report) -> Iterator[tuple[str, str]]:
    """How far the job is, in a few words."""
    counts = report.counts
    if report.running:
        yield "being sent" if counts.unsent else "running", "running"
    elif report.cancelled:
        yield "cancelled", "stopped"
    elif counts.unsent or report.stopped:
        yield "stopped", "stopped"
    elif not counts.in_doubt:
        yield ("done", "good") if counts.accepted else ("nobody was accepted", "bad")
    if report.held and not report.running:
        yield "held: it is about the account", "bad"
    if counts.in_doubt:
        yield f"{counts.in_doubt:,} in doubt", "warning"


def _sum(page: _Page) -> Markup:
    report, counts = page.report, page.report.counts
    shares = [(_class(state), _share(counts.of(state), counts.read)) for state in RowState]
    rows = [
        tag(
            "tr",
            tag("th", _dot(_class(state)), state, scope="row"),
            number(counts.of(state), id_of("rows", state)),
            tag("td", percent(counts.of(state), counts.read)),
        )
        for state in RowState
    ]
    agrees = counts.read == counts.accounted
    elsewhere = [
        tag("li", data(rows), " of the duplicates: ", tag("bdi", why))
        for why, rows in [*report.elsewhere.items()][:SHOWN]
    ]
    return section(
        "Every row is accounted for",
        stack(shares, ", ".join(f"{counts.of(state):,} {state}" for state in RowState))
        if counts.read
        else None,
        table(
            ("state", "rows", "share"),
            tag(
                "tr",
                tag("th", "rows read", scope="row"),
                number(counts.read, "rows-read"),
                tag("td"),
                class_="read",
            ),
            *rows,
            tag(
                "tr",
                tag("th", "sum", scope="row"),
                number(counts.accounted, "rows-sum"),
                tag("td", "= rows read" if agrees else "≠ ROWS READ"),
                class_="sum",
            ),
            caption="Each row that was read is in exactly one state",
            numbers=1,
            kind="narrow",
        ),
        tag("ul", *elsewhere) if elsewhere else None,
    )


def _doubts(report: Report, times: Times) -> Markup | None:
    if not report.doubts:
        return None
    worst = first_of(sorted(report.doubts, key=lambda doubt: -doubt.rows), SHOWN)
    more = len(report.doubts) - len(worst)
    return section(
        "In doubt",
        tag(
            "p",
            "It is unknown whether these were sent, so they are not sent again.",
        ),
        tag("p", str(checking(report))),
        *(_doubt(report, doubt, times) for doubt in worst),
        _rest(f"{more:,} more. ", report, RowState.IN_DOUBT) if more else None,
    )


def _doubt(report: Report, doubt: Doubt, times: Times) -> Markup:
    accepted, not_sent = settling(report, doubt)
    people = [tag("bdi", doubt.first)]
    if doubt.rows > 1:
        people += [Markup(" … "), tag("bdi", doubt.last)]
    return tag(
        "article",
        tag("h3", tag("bdi", doubt.label)),
        tag("p", data(doubt.rows), " row: " if doubt.rows == 1 else " rows: ", *people),
        tag("p", "sent ", times.tag(doubt.started), ": " if doubt.reason else "", doubt.reason)
        if doubt.started
        else tag("p", doubt.reason),
        tag(
            "dl",
            tag("dt", "It is there"),
            tag("dd", _command(accepted)),
            tag("dt", "It is not"),
            tag("dd", _command(not_sent)),
        ),
        class_="doubt",
    )


def _funnel(report: Report) -> Markup:
    steps = funnel(report)
    most = max(steps[0].rows, 1)
    rows = [
        tag(
            "tr",
            tag("th", step.name, scope="row"),
            number(step.rows, id_of("funnel", step.name)),
            tag("td", percent(step.rows, before.rows)),
            tag("td", bar(step.rows / most, "accepted"), class_="wide"),
        )
        for before, step in zip((steps[0], *steps), steps, strict=False)
    ]
    heard = sum(report.deliveries.values())
    accepted = report.counts.accepted
    note = None
    if accepted:
        note = tag(
            "p",
            "Of those accepted, ",
            data(heard),
            " have a status of their own so far. Someone who unsubscribed or complained counts as "
            "delivered; whether they opened it before is not kept.",
            class_="note",
        )
    return section(
        "From the list to the click",
        table(
            ("step", "rows", "of those before", ""),
            *rows,
            caption="How far the rows came",
            numbers=1,
        ),
        note,
    )


def _deliveries(report: Report) -> Markup | None:
    if not report.deliveries:
        return None
    accepted = max(report.counts.accepted, 1)
    rows = [
        tag(
            "tr",
            tag("th", words(status.name), scope="row"),
            number(heard, id_of("delivery", words(status.name))),
            tag("td", percent(heard, accepted)),
            tag(
                "td",
                bar(min(heard / accepted, 1), _color(status)),
                class_="wide",
            ),
        )
        for status, heard in report.deliveries.items()
    ]
    return section(
        "Deliveries",
        table(
            ("last heard", "rows", "of accepted", ""),
            *rows,
            caption="The last status of each row",
            numbers=1,
        ),
    )


def _color(status: DeliveryStatus) -> str:
    """What came is green, what failed red; nobody writes again to whoever did not want it."""
    if status in FAILED:
        return "rejected"
    if status in SUPPRESSES:
        return "suppressed"
    return "accepted" if status in ARRIVED else "unsent"


def _counted(report: Report) -> Markup | None:
    if not report.statistics:
        return None
    rows = [
        tag("tr", tag("th", words(name), scope="row"), number(n))
        for name, n in report.statistics.items()
    ]
    return section(
        f"Counted by {report.provider}",
        tag("p", "The service's own numbers, without addresses.", class_="note"),
        table(
            ("event", "emails"),
            *rows,
            caption="The service's own numbers",
            numbers=1,
            kind="narrow",
        ),
    )


def _failures(page: _Page) -> Markup | None:
    kinds = (RowState.REJECTED, *FAILED, RowState.INVALID, RowState.SUPPRESSED, RowState.DUPLICATE)
    tables = [
        _reasons(page.report, kind, groups) for kind in kinds if (groups := page.reasons.of(kind))
    ]
    return section("Why the others failed", *tables) if tables else None


def _reasons(report: Report, kind: Kind, groups: Sequence[ReasonGroup]) -> Markup:
    title = f"{'' if isinstance(kind, RowState) else 'delivery: '}{words(kind.name)}"
    rows = []
    shown = first_of(groups, SHOWN)
    for group in shown:
        first = group.examples[0]
        rows.append(
            tag(
                "tr",
                tag("td", tag("bdi", group.reason or "no reason given"), class_="reason"),
                number(group.rows),
                tag("td", f"line {first.line:,}: ", tag("bdi", first.address or "(no address)")),
            )
        )
    more = len(groups) - len(shown)
    return joined(
        tag(
            "h3",
            f"{title[:1].upper()}{title[1:]}: ",
            data(sum(group.rows for group in groups), id_of("why", title)),
        ),
        table(("reason", "rows", "such as"), *rows, caption=f"{title}, by reason", numbers=1),
        _rest(f"{more:,} more reasons. " if more else "", report, kind),
    )


def _rest(words: str, report: Report, kind: Kind) -> Markup:
    """The command that lists what a page has no room for."""
    command = listing(report, kind if isinstance(kind, RowState) else None)
    return tag("p", f"{words}To list them all: ", _command(command), class_="note")


def _footer(page: _Page) -> Markup:
    return tag(
        "footer",
        "Made by mailkit ",
        page.times.tag(page.now),
        ". This page loads nothing from elsewhere. It holds addresses: keep it like the list.",
    )


def _advice(advice: Advice) -> Markup:
    text = advice.text[:1].upper() + advice.text[1:]
    return tag("li", text, *(() if advice.command is None else (" ", _command(advice.command))))


def _command(command: str) -> Markup:
    """A line that wraps between words alone, as options must not be torn."""
    words = (tag("span", word) for word in command.split(" "))
    return tag("code", Markup(" ".join(words)))


def _dot(kind: str) -> Markup:
    return tag("span", class_=f"dot {kind}", aria_hidden="true")


def _share(n: int, of: int) -> float:
    return n / of if of else 0.0


def _class(state: RowState) -> str:
    return state.replace(" ", "-")
