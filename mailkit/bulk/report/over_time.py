"""The part of the page that shows when things happened: charts, and their numbers."""

from __future__ import annotations

from itertools import accumulate

from mailkit.bulk.report.charts import area, columns, key, lines
from mailkit.bulk.report.elements import data, number, section, table
from mailkit.bulk.report.markup import Markup, joined, tag
from mailkit.bulk.report.summary import Report
from mailkit.bulk.report.timeline import LINES, Deliveries, Timeline
from mailkit.bulk.report.times import Times

__all__ = ["over_time"]


def over_time(
    report: Report, timeline: Timeline | None, deliveries: Deliveries | None, times: Times
) -> Markup | None:
    """None: no time is known."""
    if timeline is None and deliveries is None:
        return None
    return section(
        "Over time",
        None if timeline is None else _acceptance(report, timeline, times),
        None if deliveries is None else _deliveries(report, deliveries, times),
    )


def _acceptance(report: Report, timeline: Timeline, times: Times) -> Markup:
    unit = timeline.unit[0]
    spans, last, width = timeline.spans, timeline.spans[-1], timeline.width
    rates = [timeline.rate(span) for span in spans]
    ends = (times.tag(spans[0].begin, width), times.tag(last.begin + width, width))
    rows = [
        tag(
            "tr",
            tag("th", times.tag(span.begin, width), scope="row"),
            number(span.rows),
            number(span.total),
            tag("td", _rate(rate), class_="number"),
        )
        for span, rate in zip(spans, rates, strict=True)
    ]
    missing = report.counts.accepted - timeline.rows
    titles = [f"{times.words(span.begin, width)}: {span.rows:,} rows" for span in spans]
    return joined(
        _chart(
            "Accepted",
            tag("span", f"{timeline.rows:,} rows"),
            area([span.total for span in spans], f"{timeline.rows:,} rows accepted over time"),
            ends,
        ),
        _chart(
            "Throughput",
            tag("span", f"at most {_rate(max(rates))} rows a {unit}"),
            columns(rates, titles, f"Rows accepted a {unit}, at most {_rate(max(rates))}"),
            ends,
        ),
        tag("p", data(missing), " more were accepted at a time that is not known.")
        if missing
        else None,
        _numbers(
            ("The numbers of both charts: ", data(timeline.rows, "accepted-over-time"), " rows"),
            table(
                ("from", "accepted", "in all", f"a {unit}"),
                *rows,
                caption=f"Rows accepted in each {_length(width)}",
                numbers=3,
            ),
        ),
    )


def _deliveries(report: Report, deliveries: Deliveries, times: Times) -> Markup:
    begins, width = deliveries.begins, deliveries.width
    totals = {name: sum(spans) for name, spans in deliveries.lines.items()}
    legend = [
        tag("span", key(name), f" {name} ", data(rows, f"{name}-over-time"))
        for name, rows in totals.items()
    ]
    said = ", ".join(f"{rows:,} {name}" for name, rows in totals.items())
    rows = [
        tag(
            "tr",
            tag("th", times.tag(begin, width), scope="row"),
            *(number(spans[n]) for spans in deliveries.lines.values()),
        )
        for n, begin in enumerate(begins)
    ]
    ends = [line for line in LINES if line.name in ("delivered", "failed")]
    missing = sum(max(line.rows(report.deliveries) - totals.get(line.name, 0), 0) for line in ends)
    return joined(
        _chart(
            "Deliveries",
            tag("span", *legend, class_="legend"),
            lines(
                [(name, [*accumulate(spans)]) for name, spans in deliveries.lines.items()],
                f"Rows over time: {said}",
            ),
            (times.tag(begins[0], width), times.tag(begins[-1] + width, width)),
        ),
        tag(
            "p",
            "A row counts in each line that it has reached, from the time that the provider "
            "reports; if it reports none, from when mailkit found out. It stays in the line, "
            "whatever happens later. Someone whose message is known to be opened counts as "
            "delivered, too.",
            class_="note",
        ),
        tag("p", data(missing), " more were delivered, or failed, at a time that is not known.")
        if missing
        else None,
        _numbers(
            ("The numbers of this chart",),
            table(
                ("from", *deliveries.lines),
                *rows,
                caption=f"Rows that came so far in each {_length(width)}",
                numbers=len(deliveries.lines),
            ),
        ),
    )


def _chart(name: str, words: Markup, plot: Markup, ends: tuple[Markup, Markup]) -> Markup:
    return tag(
        "figure",
        tag("figcaption", tag("strong", name), words),
        plot,
        tag("p", *ends, class_="axis"),
    )


def _numbers(summary: tuple[str | Markup, ...], numbers: Markup) -> Markup:
    return tag("details", tag("summary", *summary), numbers)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 or rate == int(rate) else f"{rate:,.1f}"


def _length(seconds: int) -> str:
    for name, unit in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % unit == 0:
            n = seconds // unit
            return name if n == 1 else f"{n} {name}s"
    raise AssertionError
