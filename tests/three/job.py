"""One job on three providers: the same message.toml and list, the services' own sandboxes, and what
the three reports must say by their truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs

from mailkit import BulkSender, Devino, Journal, Message, Report, SendPulse, SmsBy, read_recipients
from mailkit.bulk.journal import RowState
from mailkit.bulk.report import make_report
from mailkit.events import DeliveryStatus
from mailkit.providers.sendpulse import WebhookAction
from mailkit.sandbox import DevinoSettings, Posting, Sandbox, SendPulseSettings
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.aiohttp_app import listening

from ..outcomes import SUPPRESSING, truth_of

__all__ = ["PROVIDERS", "Result", "send", "write"]

MESSAGE = """\
sender = "Shop <news@shop.by>"
subject = "Autumn"
html = '''<p>Hello {{ name | 'you' }}</p><a href="https://shop.by/">Shop</a>
<a href="{{ unsubscribe }}">Leave</a>'''
"""
KINDS = (
    *("bounce", "expires", "slow", "complaint", "unsubscribes", "leaves", "returns"),
    *("opens", "clicks", "invalid", "unsubscribed"),
)
"""How the addresses begin of which there is more to say than that they were delivered to."""
OTHERS: Mapping[tuple[str, str], RowState] = {
    ("smsby", "invalid"): RowState.REJECTED,
    ("smsby", "unsubscribed"): RowState.REJECTED,
    ("devino", "invalid"): RowState.REJECTED,
    ("sendpulse", "invalid"): RowState.REJECTED,
    ("sendpulse", "unsubscribed"): RowState.SUPPRESSED,
}
"""What becomes of those that no email goes to."""
SECRET = "a-secret-for-three-providers"
JOB = "autumn"
DAY = 86400.0


def write(folder: Path, rows: int) -> tuple[Path, Path]:
    """message.toml and the list."""
    rng = Random(rows)
    message, recipients = folder / "message.toml", folder / "autumn.csv"
    message.write_text(MESSAGE, encoding="utf-8")
    lines = ["email,name"]
    for n in range(rows):
        kind = rng.choice(KINDS) if rng.random() < 0.3 else "p"
        lines.append(f"{kind}-{n}@example.com,{rng.choice(('Anna', 'Boris', ''))}")
    recipients.write_text("\n".join(lines), encoding="utf-8")
    return message, recipients


@attrs.frozen
class Result:
    """A report, and the rows by their addresses: what the journal says, and what is true."""

    report: Report
    said: Mapping[str, tuple[RowState, DeliveryStatus | None]]
    true: Mapping[str, tuple[RowState, DeliveryStatus | None]]
    suppressed: frozenset[str]

    def check(self) -> None:
        """AssertionError if the report, or the journal, does not say the truth."""
        wrong = {row: (said, self.true.get(row)) for row, said in self.said.items()}
        wrong = {row: both for row, both in wrong.items() if both[0] != both[1]}
        assert not wrong, dict(list(wrong.items())[:10])
        assert self.said.keys() == self.true.keys()
        states = Counter(state for state, _ in self.true.values())
        counts = self.report.counts
        assert {state: counts.of(state) for state in RowState if counts.of(state)} == states
        assert counts.accounted == counts.read == len(self.true)
        deliveries = Counter(status for _, status in self.true.values() if status is not None)
        assert self.report.deliveries == deliveries
        gone = {row for row, (_, status) in self.true.items() if status in SUPPRESSING}
        assert self.suppressed == gone


async def send(provider: str, folder: Path, message: Path, recipients: Path) -> Result:
    """The job to its end, days later."""
    posting = Posting(repeated=0.2, late=0.3, shuffled=True, retries=(60.0,) * 5)
    async with (
        Sandbox(
            speed=0,
            seed=1,
            devino=DevinoSettings(posting=posting),
            sendpulse=SendPulseSettings(posting=posting, requests_per_second=11),
        ) as sandbox,
        _journal(folder / f"{provider}.db") as journal,
    ):
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        receiver = WebhookReceiver(journal, secret=SECRET, clock=clock)
        async with (
            listening(receiver, "127.0.0.1", 0) as url,
            CLIENTS[provider](sandbox, clock=clock, hooks=[clock.hook]) as client,
            BulkSender(client, journal=journal, clock=clock) as sender,
        ):
            hook = f"{url}/{provider}/{SECRET}"
            sandbox.devino.settings.callback_url = hook
            if isinstance(client, SendPulse):
                await client.webhooks.create(hook, list(WebhookAction))
            job = await sender.start(
                Message.from_toml(message), read_recipients(recipients), name=JOB
            )
            await job.wait()
            if provider == "smsby":
                await (await sender.follow(JOB, 2 * DAY)).wait()
            await _hear(sandbox)
            assert not sandbox.truth.mailed_twice
            return await _result(provider, journal, sandbox)


@asynccontextmanager
async def _journal(path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(path)
    try:
        yield journal
    finally:
        await journal.close()


async def _hear(sandbox: Sandbox) -> None:
    """Days pass, and all that was posted has been taken."""
    sandbox.clock.advance(2 * DAY)
    await sandbox.deliver()
    while sandbox.scheduler.backlog.waiting:
        sandbox.clock.advance(600)
        await sandbox.deliver()
    assert not sandbox.scheduler.backlog.lost


async def _result(provider: str, journal: Journal, sandbox: Sandbox) -> Result:
    truth = truth_of(sandbox.outcomes(in_the_end=True, service=provider))
    said: dict[str, tuple[RowState, DeliveryStatus | None]] = {}
    true: dict[str, tuple[RowState, DeliveryStatus | None]] = {}
    async for rows in journal.reports.rows(await journal.jobs.get(JOB)):
        for row in rows:
            said[row.address] = row.state, row.delivery
            if row.address in truth:
                true[row.address] = RowState.ACCEPTED, truth[row.address]
            else:
                true[row.address] = OTHERS[provider, row.address.split("-")[0]], None
    suppressed = frozenset([one.address async for one in journal.suppressions.list()])
    return Result(await make_report(journal, JOB), said, true, suppressed)


def _smsby(sandbox: Sandbox, **options: Any) -> SmsBy:
    page = "https://shop.by/leave"
    return SmsBy(sandbox.smsby.settings.token, sandbox.url, unsubscribe_url=page, **options)


def _devino(sandbox: Sandbox, **options: Any) -> Devino:
    return Devino(sandbox.devino.settings.api_key, sandbox.url, **options)


def _sendpulse(sandbox: Sandbox, **options: Any) -> SendPulse:
    return SendPulse(api_key=sandbox.sendpulse.settings.api_key, url=sandbox.url, **options)


CLIENTS: Mapping[str, Callable[..., Any]] = {
    "smsby": _smsby,
    "devino": _devino,
    "sendpulse": _sendpulse,
}
PROVIDERS = tuple(CLIENTS)
