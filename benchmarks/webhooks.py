"""What webhooks say, written into the journal: beside json.loads of the same bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from random import Random
from typing import Any

from benchmarks.journals import NOW, accepted, address
from benchmarks.measure import Work, in_turn, paired
from benchmarks.rows import Bench, Row, Setting, figure, row_of
from mailkit import Journal
from mailkit.bulk.journal.addressees import index
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection
from mailkit.events import WebhookEvent
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse

__all__ = ["BENCHES"]

ROWS = 50_000
NEAR = 2_000  # so many messages go out at about the same time, and are spoken of together
BATCH, BATCHES = 100, 30
REFERENCE = "7000001"
DEVINO = ("SENT", "DELIVERED", "OPENED", "CLICKED", "BOUNCED", "UNSUBSCRIBED")
SENDPULSE = ("delivered", "open", "redirect", "hard_bounces", "unsubscribe", "spam")

Item = Callable[[int, str, str], dict[str, Any]]
Parse = Callable[[bytes], Sequence[WebhookEvent]]


def devino(n: int, token: str, to: str) -> dict[str, Any]:
    return {
        "messageId": f"dRJ7nkr{n:08}",
        "ts": NOW * 1_000 + n,
        "status": DEVINO[n % len(DEVINO)],
        "email": to,
        "mailkit": token,
    }


def sendpulse(n: int, token: str, to: str) -> dict[str, Any]:
    return {
        "timestamp": NOW + n,
        "event": SENDPULSE[n % len(SENDPULSE)],
        "task_id": REFERENCE,
        "email": to,
        "open_device": "Desktop",
        "open_platform": "Linux",
        "browser_name": "Firefox",
        "browser_ver": "130.0",
        "smtp_server_response": "550 no such mailbox",
    }


def bodies(tokens: Sequence[str], item: Item, seed: int) -> Iterator[bytes]:
    """Posts of new events, each about messages that went out at about the same time."""
    rng, n = Random(seed), 0
    while True:
        first = n % (ROWS - NEAR)
        rows = rng.sample(range(first, first + NEAR), BATCH)
        items = [item(n + at, tokens[row], address(row + 1)) for at, row in enumerate(rows)]
        n += BATCH
        yield json.dumps(items).encode()


def batches(setting: Setting) -> Iterable[Row]:
    """Parsed and recorded, each post in a durable transaction of its own, among new ones only."""
    for provider, item, parse, chunk, reference, how in (
        ("devino", devino, Devino.parse_webhook, 1_000, None, "by token"),
        ("sendpulse", sendpulse, SendPulse.parse_webhook, ROWS, REFERENCE, "by campaign"),
    ):
        yield _batch_row(setting, provider, item, parse, chunk, reference, how)


def _batch_row(
    setting: Setting,
    provider: str,
    item: Item,
    parse: Parse,
    chunk: int,
    reference: str | None,
    how: str,
) -> Row:
    rounds = setting.pick(7, 15)

    @asynccontextmanager
    async def ours() -> AsyncIterator[Work]:
        journal = await Journal.open(setting.folder / f"webhooks-{provider}.db")
        people = await accepted(
            journal, provider, ROWS, provider=provider, chunk=chunk, reference=reference
        )
        posts = bodies([token for token, _ in people], item, 1)
        ready = iter([*islice(posts, (rounds + 1) * BATCHES)])

        async def work() -> int:
            for _ in range(BATCHES):
                recorded = await journal.events.record(parse(next(ready)), now=NOW)
                assert recorded.applied == BATCH
            return BATCHES

        try:
            yield work
        finally:
            await journal.close()

    @asynccontextmanager
    async def peer() -> AsyncIterator[Work]:
        tokens = ["fb60ad2cf4/1/1/1/1"] * ROWS
        ready = [*islice(bodies(tokens, item, 1), BATCHES)]

        async def work() -> int:
            for body in ready:
                json.loads(body)
            return BATCHES

        yield work

    pairs = paired(ours, peer, rounds)
    return row_of(
        f"a {provider} webhook of 100 events into the journal / json.loads of it",
        pairs,
        None,
        note=f"parsed, matched {how} with {ROWS:,} rows, and on the disk",
    )


def addressees(setting: Setting) -> Iterable[Row]:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        journal = await Journal.open(setting.folder / "addressees.db")
        await accepted(
            journal, "sendpulse", ROWS, provider="sendpulse", chunk=ROWS, reference=REFERENCE
        )
        job = await journal.jobs.get("sendpulse")

        async def work() -> int:
            await journal._db.write(lambda db: _made_anew(db, job))
            return ROWS

        try:
            yield work
        finally:
            await journal.close()

    costs = [cost.cpu * 1e6 for (cost,) in in_turn([side], setting.pick(7, 15))]
    yield figure(
        "the first event of a campaign: its rows found by address, a row",
        costs,
        "µs cpu",
        None,
        f"once for a campaign, of {ROWS:,} rows here",
    )


def _made_anew(db: Connection, job: JobRecord) -> None:
    db.execute("DELETE FROM addressees")
    index(db, job, 1)


BENCHES = [Bench("webhooks", batches), Bench("addressees", addressees)]
