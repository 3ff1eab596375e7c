"""What a command says on stderr while it works: bars on a terminal, else a plain line now and then,
so that a log can be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from math import ceil, inf

import attrs
from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from mailkit.bulk.job import Job
from mailkit.bulk.progress import Progress
from mailkit.bulk.report import Report, Waiting
from mailkit.bulk.source import RecipientSource
from mailkit.cli import log_json
from mailkit.cli.run import say
from mailkit.cli.terminal import console, has_terminal
from mailkit.core.clock import Clock
from mailkit.core.moments import moment, spoken
from mailkit.text import plain

__all__ = ["Lines", "follow_job", "planning", "sending_bar"]

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
LOOK_EVERY = 1.0
WORTH_SECONDS = 10.0
"""A wait of so many seconds is worth a line of its own in a log."""
OVER_SECONDS = 5.0


# while the list is read


class _RowsRead(ProgressColumn):
    """How many rows of the list have been read so far."""

    def __init__(self, source: RecipientSource) -> None:
        super().__init__()
        self._source = source

    def render(self, task: Task) -> Text:
        return Text(f"{self._source.rows_read:,} rows")


@asynccontextmanager
async def planning(
    source: RecipientSource, *, quiet: bool, clock: Clock = Clock()
) -> AsyncIterator[None]:
    """A line that counts the rows while the list is read and checked: on a terminal unless
    ``quiet``; else one every 30 seconds.
    """
    if _has_bars(quiet=quiet):
        columns = (TextColumn("reading"), SpinnerColumn(), _RowsRead(source), TimeElapsedColumn())
        with Bar(*columns, console=console(), transient=True) as bar:
            bar.add_task("")
            yield
        return

    async def count() -> None:
        while True:
            await clock.sleep(EVERY)
            rows = source.rows_read
            text = f"mailkit: {_time(clock.now())} rows read so far: {rows:,}"
            say(text, "planning", rows=rows)

    counting = asyncio.create_task(count())
    try:
        yield
    finally:
        counting.cancel()


# while the job is sent


async def follow_job(job: Job, *, quiet: bool) -> Report:
    """Wait for the job's end, behind a bar on a terminal unless ``quiet``, else with lines."""
    if _has_bars(quiet=quiet):
        await sending_bar(job.name, job.progress())
    else:
        lines = Lines(job.name)
        async for step in job.progress(every=LOOK_EVERY):
            for line in lines.of(step):
                say(f"mailkit: {line}", "progress", job=job.name, **_facts(step))
    return await job.wait()


def _facts(step: Progress) -> dict[str, object]:
    """What a machine reads of it."""
    left = step.seconds_left
    return {
        **attrs.asdict(step.counts),
        "sent": step.sent,
        "to_send": step.counts.to_send,
        "rate": round(step.rate, 1),
        "seconds_left": None if left is None else round(left),
    }


class _Bars(Bar):
    """Bars, and lines of text below them."""

    lines: Iterable[str] = ()

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from super().get_renderables()
        for line in self.lines:
            yield Text(f"  {line}")


async def sending_bar(name: str, steps: AsyncIterator[Progress]) -> None:
    """A bar of what is sent, and below it of what was found in the status lists; then what is
    waited for, until when rows are looked for, and deliveries if they are tracked.
    """
    bars = _Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        console=console(),
    )
    with bars:
        sent = bars.add_task(plain(name), total=None, note="")
        checked = bars.add_task("checked", total=None, note="")
        async for step in steps:
            counts = step.counts
            pace = ", ".join(_pace(step))
            bars.lines = [] if step.done else [*filter(None, [pace]), *_below(step)]
            bars.update(sent, completed=step.sent, total=counts.to_send, note=_sent(step))
            note = f"{step.checked:,} of {counts.accepted:,} accepted"
            bars.update(checked, completed=step.checked, total=max(counts.accepted, 1), note=note)


def _has_bars(*, quiet: bool) -> bool:
    return has_terminal() and not quiet and not log_json.is_on()


class Lines:
    """What a log says of the job of this name: one line every 30 seconds, and one whenever a wait
    begins or ends.
    """

    def __init__(self, name: str) -> None:
        self._name = plain(name)
        self._next = EVERY
        self._told: dict[str, Waiting] = {}  # since something was sent
        self._sent = 0
        self._over_at = inf

    def of(self, step: Progress) -> Iterator[str]:
        """The lines that this look at the job is worth."""
        if step.done:
            return
        if self._is_over(step):
            self._told.clear()
            yield self._line(step, ", ".join(["the wait is over", _sent(step), *_pace(step)]))
        waits = step.waiting
        if waits is not None and self._is_new(waits, step.at):
            self._told[waits.why] = waits
            self._sent = step.sent
            yield self._line(step, plain(waits.words(_at(step))))
        if step.seconds >= self._next:
            sent = ", ".join([_sent(step), *_pace(step)])
            yield self._line(step, "; ".join([sent, *_below(step)]))

    def _is_over(self, step: Progress) -> bool:
        """Whether what was waited for has come: something is sent, or nothing waits for a while.
        A look at what a list or a campaign is doing is not the end of a wait for it.
        """
        if step.waiting is not None:
            self._over_at = inf
        elif self._told:
            self._over_at = min(self._over_at, step.seconds + OVER_SECONDS)
        return bool(self._told) and (step.sent > self._sent or step.seconds >= self._over_at)

    def _is_new(self, waits: Waiting, now: datetime) -> bool:
        """Whether it is not a wait that was told already, and long enough."""
        told = self._told.get(waits.why)
        if waits.until is None or (told is not None and waits.sent):
            return told is None
        since = now if told is None or told.until is None else max(now, told.until)
        return (waits.until - since).total_seconds() >= WORTH_SECONDS

    def _line(self, step: Progress, text: str) -> str:
        self._next = step.seconds + EVERY
        return f"{_time(step.at.timestamp())} {self._name}: {text}"


def _sent(step: Progress) -> str:
    return f"{step.sent:,} of {step.counts.to_send:,} rows sent"


def _pace(step: Progress) -> Iterator[str]:
    """How fast, how long, and what did not go well."""
    counts = step.counts
    if counts.unsent:
        if step.rate:
            yield f"{step.rate:,.0f} a second"
        if step.seconds_left is not None:
            yield f"{_about(step.seconds_left)} left"
    if counts.rejected or counts.in_doubt:
        yield f"{counts.rejected:,} rejected, {counts.in_doubt:,} in doubt"


def _below(step: Progress) -> Iterator[str]:
    """What else there is to say."""
    at = _at(step)
    if step.loaded is not None and step.loaded < step.counts.unsent:
        yield f"{step.loaded:,} of {step.counts.unsent:,} unsent rows loaded"
    if step.waiting is not None:
        yield plain(step.waiting.words(at))
    if step.unreconciled and step.looks_until is not None:
        rows = "row" if step.unreconciled == 1 else "rows"
        until = f"; checking until {at(step.looks_until)}" if step.looks_until > step.at else ""
        yield f"{step.unreconciled:,} accepted {rows} not in the status lists yet{until}"
    if step.deliveries or step.tracks_until is not None:
        heard = (
            f"{status.name.lower().replace('_', ' ')} {rows:,}"
            for status, rows in step.deliveries.items()
        )
        until = "" if step.tracks_until is None else f"; checking until {at(step.tracks_until)}"
        yield f"delivery: {', '.join(heard) or 'nothing heard'}{until}"


def _at(step: Progress) -> Callable[[datetime], str]:
    """Writes times as they are read at this moment."""
    now = step.at.timestamp()
    return lambda at: moment(at.timestamp(), now)


def _about(seconds: float) -> str:
    """The seconds of a guess: those of more than two minutes in whole minutes."""
    return spoken(seconds if seconds <= 120 else ceil(seconds / 60) * 60)


def _time(now: float) -> str:
    return moment(now, now)
