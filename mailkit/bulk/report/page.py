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
from mailkit.bulk.reasons import Kind, ReasonGroup, Reasons
from mailkit.bulk.report.advice import Advice, listing, next_steps, remarks, settling
from mailkit.bulk.report.charts import area, bar, columns, stack
from mailkit.bulk.report.funnel import funnel
from mailkit.bulk.report.markup import Markup, joined, tag, void
from mailkit.bulk.report.summary import Doubt, Report, report_of
from mailkit.bulk.report.timeline import Timeline, timeline_of
from mailkit.errors import JournalError

__all__ = ["SHOWN", "html_report"]

SHOWN = 50
"""The reasons of each kind, and the doubts, that a page has at most."""


@attrs.frozen
class _Page:
    report: Report
    reasons: Reasons
    timeline: Timeline | None
    now: datetime


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
        return _Page(report_of(found), reasons, timeline_of(details.accepted), at)

    page = await journal.reports.details(name, look)
    if page is None:
        await journal.jobs.get(name)  # which says what jobs there are
        raise JournalError(f"the job {name} was planned just now: look again")
    return _html(page)


def _html(page: _Page) -> str:
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
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
        _doubts(page.report),
        _funnel(page.report),
        _over_time(page),
        _deliveries(page.report),
        _counted(page.report),
        _failures(page),
    )
    body = tag("body", _header(page), tag("main", *sections), _footer(page))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(page: _Page) -> Markup:
    report = page.report
    badges = [tag("span", words, class_=f"badge {kind}") for words, kind in _badges(report)]
    steps = [_advice(one) for one in (*next_steps(report, _moment), *remarks(report))]
    return tag(
        "header",
        tag("h1", tag("bdi", report.job)),
        tag("p", *badges, class_="badges"),
        tag("p", tag("bdi", report.subject), class_="subject"),
        tag(
            "p",
            f"over {report.provider}, begun ",
            _time(report.created),
            "; as of ",
            _time(page.now),
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
            _number(counts.of(state), _id("rows", state)),
            tag("td", _percent(counts.of(state), counts.read)),
        )
        for state in RowState
    ]
    agrees = counts.read == counts.accounted
    elsewhere = [
        tag("li", _data(rows), " of the duplicates: ", tag("bdi", why))
        for why, rows in [*report.elsewhere.items()][:SHOWN]
    ]
    return _section(
        "Every row is accounted for",
        stack(shares, ", ".join(f"{counts.of(state):,} {state}" for state in RowState))
        if counts.read
        else None,
        _table(
            ("state", "rows", "share"),
            tag(
                "tr",
                tag("th", "rows read", scope="row"),
                _number(counts.read, "rows-read"),
                tag("td"),
                class_="read",
            ),
            *rows,
            tag(
                "tr",
                tag("th", "sum", scope="row"),
                _number(counts.accounted, "rows-sum"),
                tag("td", "= rows read" if agrees else "≠ ROWS READ"),
                class_="sum",
            ),
            caption="Each row that was read is in exactly one state",
            numbers=1,
            kind="narrow",
        ),
        tag("ul", *elsewhere) if elsewhere else None,
    )


def _doubts(report: Report) -> Markup | None:
    if not report.doubts:
        return None
    worst = sorted(report.doubts, key=lambda doubt: -doubt.rows)[:SHOWN]
    more = len(report.doubts) - len(worst)
    return _section(
        "In doubt",
        tag(
            "p",
            "Nobody knows whether these were sent, so they are not sent again. Look for the label "
            f"in {report.provider}'s dashboard, then run the command that says what you found.",
        ),
        *(_doubt(report, doubt) for doubt in worst),
        _rest(f"{more:,} more. ", report, RowState.IN_DOUBT) if more else None,
    )


def _doubt(report: Report, doubt: Doubt) -> Markup:
    accepted, not_sent = settling(report, doubt)
    people = [tag("bdi", doubt.first)]
    if doubt.rows > 1:
        people += [Markup(" … "), tag("bdi", doubt.last)]
    return tag(
        "article",
        tag("h3", tag("bdi", doubt.label)),
        tag("p", _data(doubt.rows), " row: " if doubt.rows == 1 else " rows: ", *people),
        tag("p", "sent ", _time(doubt.started), ": " if doubt.reason else "", doubt.reason)
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
            _number(step.rows, _id("funnel", step.name)),
            tag("td", _percent(step.rows, before.rows)),
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
            _data(heard),
            " have a status of their own so far. Someone who unsubscribed or complained counts as "
            "delivered; whether they opened it before is not kept.",
            class_="note",
        )
    return _section(
        "From the list to the click",
        _table(
            ("step", "rows", "of those before", ""),
            *rows,
            caption="How far the rows came",
            numbers=1,
        ),
        note,
    )


def _over_time(page: _Page) -> Markup | None:
    timeline = page.timeline
    if timeline is None:
        return None
    unit = timeline.unit[0]
    spans, last = timeline.spans, timeline.spans[-1]
    rates = [timeline.rate(span) for span in spans]
    ends = (_time_of(spans[0].begin), _time_of(last.begin + timeline.width))
    rows = [
        tag(
            "tr",
            tag("th", _time_of(span.begin), scope="row"),
            _number(span.rows),
            _number(span.total),
            tag("td", _rate(rate), class_="number"),
        )
        for span, rate in zip(spans, rates, strict=True)
    ]
    missing = page.report.counts.accepted - timeline.rows
    titles = [f"{_moment(_at(span.begin))}: {span.rows:,} rows" for span in spans]
    return _section(
        "Over time",
        _chart(
            "Accepted",
            f"{timeline.rows:,} rows",
            area([span.total for span in spans], f"{timeline.rows:,} rows accepted over time"),
            ends,
        ),
        _chart(
            "Throughput",
            f"at most {_rate(max(rates))} rows a {unit}",
            columns(rates, titles, f"Rows accepted a {unit}, at most {_rate(max(rates))}"),
            ends,
        ),
        tag("p", _data(missing), " more were accepted at a time that is not known.")
        if missing
        else None,
        tag(
            "details",
            tag(
                "summary",
                "The numbers of both charts: ",
                _data(timeline.rows, "accepted-over-time"),
                " rows",
            ),
            _table(
                ("from", "accepted", "in all", f"a {unit}"),
                *rows,
                caption=f"Rows accepted in each {_length(timeline.width)}",
                numbers=3,
            ),
        ),
    )


def _chart(name: str, most: str, plot: Markup, ends: tuple[Markup, Markup]) -> Markup:
    return tag(
        "figure",
        tag("figcaption", tag("strong", name), tag("span", most)),
        plot,
        tag("p", *ends, class_="axis"),
    )


def _deliveries(report: Report) -> Markup | None:
    if not report.deliveries:
        return None
    accepted = max(report.counts.accepted, 1)
    rows = [
        tag(
            "tr",
            tag("th", _words(status.name), scope="row"),
            _number(heard, _id("delivery", _words(status.name))),
            tag("td", _percent(heard, accepted)),
            tag(
                "td",
                bar(min(heard / accepted, 1), "rejected" if status in FAILED else "accepted"),
                class_="wide",
            ),
        )
        for status, heard in report.deliveries.items()
    ]
    return _section(
        "Deliveries",
        _table(
            ("last heard", "rows", "of accepted", ""),
            *rows,
            caption="The last status of each row",
            numbers=1,
        ),
    )


def _counted(report: Report) -> Markup | None:
    if not report.statistics:
        return None
    rows = [
        tag("tr", tag("th", _words(name), scope="row"), _number(n))
        for name, n in report.statistics.items()
    ]
    return _section(
        f"Counted by {report.provider}",
        tag("p", "The service's own numbers, which name nobody.", class_="note"),
        _table(
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
    return _section("Why the others failed", *tables) if tables else None


def _reasons(report: Report, kind: Kind, groups: Sequence[ReasonGroup]) -> Markup:
    title = f"{'' if isinstance(kind, RowState) else 'delivery: '}{_words(kind.name)}"
    rows = []
    for group in groups[:SHOWN]:
        first = group.examples[0]
        rows.append(
            tag(
                "tr",
                tag("td", tag("bdi", group.reason or "no reason given"), class_="reason"),
                _number(group.rows),
                tag("td", f"line {first.line:,}: ", tag("bdi", first.address or "(no address)")),
            )
        )
    more = len(groups) - SHOWN
    return joined(
        tag(
            "h3",
            f"{title[:1].upper()}{title[1:]}: ",
            _data(sum(group.rows for group in groups), _id("why", title)),
        ),
        _table(("reason", "rows", "such as"), *rows, caption=f"{title}, by reason", numbers=1),
        _rest(f"{more:,} more reasons. " if more > 0 else "", report, kind),
    )


def _rest(words: str, report: Report, kind: Kind) -> Markup:
    """The command that lists what a page has no room for."""
    command = listing(report, kind if isinstance(kind, RowState) else None)
    return tag("p", f"{words}To list them all: ", _command(command), class_="note")


def _footer(page: _Page) -> Markup:
    return tag(
        "footer",
        "Made by mailkit ",
        _time(page.now),
        ". This page loads nothing from elsewhere. It holds addresses: keep it like the list.",
    )


def _section(title: str, *children: Markup | None) -> Markup:
    return tag("section", tag("h2", title), *children)


def _table(
    names: Sequence[str], *rows: Markup, caption: str, numbers: int, kind: str | None = None
) -> Markup:
    """``numbers`` columns of numbers stand after the first."""
    heads = (
        tag("th", name, scope="col", class_="number" if 1 <= n <= numbers else None)
        if name
        else tag("td")
        for n, name in enumerate(names)
    )
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *heads)),
            tag("tbody", *rows),
            class_=kind,
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _dot(kind: str) -> Markup:
    return tag("span", class_=f"dot {kind}", aria_hidden="true")


def _advice(advice: Advice) -> Markup:
    text = advice.text[:1].upper() + advice.text[1:]
    return tag("li", text, *(() if advice.command is None else (" ", _command(advice.command))))


def _command(command: str) -> Markup:
    """A line that wraps between words alone, as options must not be torn."""
    words = (tag("span", word) for word in command.split(" "))
    return tag("code", Markup(" ".join(words)))


def _number(n: int, id: str | None = None) -> Markup:
    return tag("td", _data(n, id), class_="number")


def _data(n: int, id: str | None = None) -> Markup:
    return tag("data", f"{n:,}", value=n, id=id)


def _share(n: int, of: int) -> float:
    return n / of if of else 0.0


def _percent(n: int, of: int) -> str:
    if not of:
        return ""
    return "<0.1%" if 0 < n / of < 0.001 else f"{n / of:.1%}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 or rate == int(rate) else f"{rate:,.1f}"


def _length(seconds: int) -> str:
    for name, unit in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % unit == 0:
            n = seconds // unit
            return name if n == 1 else f"{n} {name}s"
    raise AssertionError


def _class(state: RowState) -> str:
    return state.replace(" ", "-")


def _id(*words: str) -> str:
    return "-".join(words).replace(": ", "-").replace(" ", "-")


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _time_of(seconds: float) -> Markup:
    return _time(_at(seconds))


def _time(at: datetime) -> Markup:
    return tag("time", _moment(at), datetime=at.astimezone(UTC).isoformat(timespec="seconds"))


def _moment(at: datetime) -> str:
    """The local time with its offset: a page is read on other days, in other places."""
    return at.astimezone().isoformat(" ", "seconds")
