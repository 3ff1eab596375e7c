"""A list's whole way: source, plan, journal, a provider that renders, report; and the account."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from mailkit.bulk.journal import Journal, RowRecord, RowState
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.errors import MailkitError
from mailkit.message import Message
from mailkit.provider import Dispatch, Sent, Task
from mailkit.template import Renderer, Template
from mailkit.testing import FakeClock

from ..bulk.fakes import FakeDispatch, FakeProvider, memory_journal

PLAIN = Message(sender="Shop <news@shop.example>", subject="Autumn", html="<p>Hello</p>")
PERSONAL = Message(
    sender="Shop <news@shop.example>",
    subject="For {{ name | 'you' }}",
    html="<p>{{ name | 'friend' }}</p>",
)


@attrs.define
class Printer(FakeProvider):
    """A provider that renders each letter, as sms.by's part does, and keeps it by its address."""

    letters: dict[str, tuple[str, str]] = attrs.field(factory=dict)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return _Press(self, renderer=Template.parse(message).compile(("email", *columns)))


@attrs.define
class _Press(FakeDispatch):
    renderer: Renderer = attrs.field(kw_only=True)

    def measure(self, address: str, values: Sequence[str]) -> int:
        return sum(map(len, self.renderer((address, *values)))) + len(address)

    async def perform(self, task: Task) -> Sent:
        sent = await super().perform(task)
        assert isinstance(self.provider, Printer)
        for row in task.rows:
            self.provider.letters[row.address] = self.renderer((row.address, *row.values))
        return sent


@attrs.frozen
class Journey:
    """What the journal, the report and the provider say afterwards."""

    report: Report
    columns: Sequence[str]
    rows: Sequence[RowRecord]
    provider: Printer

    @property
    def states(self) -> dict[int, str]:
        """Line to state."""
        return {row.line: row.state for row in self.rows}

    @property
    def reasons(self) -> dict[int, str]:
        """Line to reason, where there is one."""
        return {row.line: row.reason for row in self.rows if row.reason is not None}

    @property
    def mailed(self) -> list[str]:
        """The addresses in the order of the list."""
        return [row.address for row in self.rows if row.state == "accepted"]

    def values(self, column: str) -> list[str]:
        """A column's values of the rows that were mailed."""
        place = list(self.columns).index(column)
        return [row.fields[place] for row in self.rows if row.state == "accepted"]


def source_of(content: str | bytes, **options: Any) -> RecipientSource:
    """A file of this content; text is written as UTF-8."""
    data = content if isinstance(content, bytes) else content.encode()
    return read_recipients(io.BytesIO(data), **options)


async def travel(
    source: RecipientSource,
    message: Message = PLAIN,
    *,
    name: str | None = "autumn",
    place: Path | None = None,
) -> Journey:
    """Send to the list, and hold source, journal, provider and report against each other.

    ``place`` is where to keep the journal.
    """
    provider = Printer()
    settings = EngineSettings(concurrency=2)
    async with _journal(place) as journal:
        clock = FakeClock()
        async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
            try:
                job = await sender.start(message, source, name=name)
            except MailkitError:
                assert await _nothing_is_left(journal)
                raise
            report = await job.wait()
        record = await journal.jobs.get(report.job)
        rows = [row async for some in journal.reports.rows(record) for row in some]
    journey = Journey(report, record.columns, rows, provider)
    _check(journey, source)
    return journey


@asynccontextmanager
async def _journal(place: Path | None) -> AsyncIterator[Journal]:
    if place is None:
        async with memory_journal() as journal:
            yield journal
        return
    journal = await Journal.open(place)
    try:
        yield journal
    finally:
        await journal.close()


async def send(content: str | bytes, message: Message = PLAIN, **options: Any) -> Journey:
    """Send to a file of this content."""
    return await travel(source_of(content, **options), message)


def _check(journey: Journey, source: RecipientSource) -> None:
    """The promise: every row read has one state, and those accepted were mailed once."""
    counts, rows = journey.report.counts, journey.rows
    assert source.rows_read == counts.read == counts.accounted == len(rows)
    assert journey.report.complete
    states = [row.state for row in rows]
    for state in RowState:
        assert counts.of(state) == states.count(state)
    assert sorted(journey.mailed) == sorted(journey.provider.mailed.elements())
    assert set(journey.provider.mailed.values()) <= {1}
    assert all(row.reason for row in rows if row.state != "accepted")
    assert all(len(row.fields) <= len(journey.columns) for row in rows)
    for subject, _ in journey.provider.letters.values():
        assert subject.isprintable() or not set(subject) & set("\r\n\0\u2028\u2029")


async def _nothing_is_left(journal: Journal) -> bool:
    def work(db: Any) -> bool:
        return not any(
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("jobs", "rows", "chunks", "suppressions")
        )

    return await journal._db.read(work)
