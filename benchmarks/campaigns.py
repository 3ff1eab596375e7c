"""A whole job over SendPulse: lists, contacts, campaigns; from a CSV to the report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from benchmarks.jobs import PERSONAL, new_journal, remove, write_table
from benchmarks.measure import Work, in_turn
from benchmarks.rows import Bench, Row, Setting, figure
from mailkit import BulkSender, SendPulse, read_recipients

__all__ = ["BENCHES"]


def flow(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(20_000, 100_000)
    table = write_table(setting.folder / f"list-{rows}.csv", rows)

    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async def work() -> int:
            place = new_journal(setting.folder)
            async with (
                SendPulse(api_key="bench-key", url=setting.server.url, requests=None) as client,
                BulkSender(client, journal=place) as sender,
            ):
                report = await (await sender.start(PERSONAL, read_recipients(table))).wait()
            assert report.counts.accepted == rows
            remove(place)
            return rows

        yield work

    costs = [cost.cpu * 1e6 for (cost,) in in_turn([side], setting.pick(3, 7), setting.server)]
    yield figure(
        "whole job over SendPulse from a CSV, a row",
        costs,
        "µs cpu",
        None,
        f"{rows:,} rows: 2 requests for 500 of them, and a campaign for 50,000",
    )


BENCHES = [Bench("campaigns", flow)]
