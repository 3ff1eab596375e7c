"""Measures mailkit beside what one would write without it, in one run, against a local sandbox.

    nox -s bench              # or: python benchmarks/run.py [--quick]

Each row times both sides in turn, several times over, and prints the medians of CPU time and
their ratio. The server runs in a process of its own, so its work is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import msgspec

from mailkit import BulkSender, Message, SmsBy, read_recipients

LETTER = "<p>Hello {{ name }}, see you in {{ city }}</p>" + "<p>The autumn lamps are here.</p>" * 60
Side = Callable[[], Awaitable[None]]


@contextmanager
def sandbox() -> Iterator[tuple[str, str]]:
    """A sandbox in its own process: its address and its token."""
    command = [sys.executable, "-m", "mailkit", "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            yield settings["MAILKIT_SMSBY_URL"], settings["MAILKIT_SMSBY_TOKEN"]
        finally:
            process.terminate()


def cpu_seconds(side: Side) -> float:
    """The CPU time of one run of one side, in an event loop of its own."""
    gc.collect()
    began = time.process_time()
    asyncio.run(side())  # type: ignore[arg-type]
    return time.process_time() - began


def compare(name: str, goal: str, ours: Side, theirs: Side, runs: int) -> None:
    """Run both sides in turn and print a row."""
    pairs = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(runs + 1)][1:]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    spread = ", ".join(f"{b / a:.2f}" for a, b in pairs)
    print(f"{name:<44}{mine:9.3f} s{other:9.3f} s{ratio:8.2f}   {goal}   ({spread})", flush=True)


def single_calls(url: str, token: str, count: int) -> tuple[Side, Side]:
    """One awaited call after another; bare aiohttp posts bytes that are ready."""

    async def ours() -> None:
        async with SmsBy(token, url) as client:
            for _ in range(count):
                await client.emails.send(sender="a@b.by", to="c@d.by", subject="s", html="<p>h</p>")

    async def bare() -> None:
        form = {"token": token, "sender_email": "a@b.by", "email": "c@d.by"}
        body = urlencode({**form, "subject": "s", "message": "<p>h</p>"}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                async with session.post(
                    f"{url}/api/v2/sendEmail", data=body, headers=headers
                ) as answer:
                    msgspec.json.decode(await answer.read())

    return ours, bare


def whole_jobs(url: str, token: str, table: Path, folder: Path) -> tuple[Side, Side]:
    """A personal job from a CSV, with its journal on disk; the naive loop keeps no record."""
    message = Message(sender="Shop <a@b.by>", subject="Hello {{ name }}", html=LETTER)
    count = iter(range(1_000_000))

    async def ours() -> None:
        journal = folder / f"journal-{next(count)}.db"
        async with SmsBy(token, url) as client, BulkSender(client, journal=journal) as sender:
            report = await (await sender.start(message, read_recipients(table))).wait()
            assert report.complete

    async def naive() -> None:
        import csv

        limit = asyncio.Semaphore(8)
        async with aiohttp.ClientSession() as session:

            async def post(chunk: list[dict[str, str]]) -> None:
                form = {"token": token, "sender_email": "a@b.by", "message_type": "personal"}
                for n, row in enumerate(chunk):
                    html = LETTER.replace("{{ name }}", row["name"])
                    form[f"delivery_list[{n}][email]"] = row["email"]
                    form[f"delivery_list[{n}][subject]"] = f"Hello {row['name']}"
                    form[f"delivery_list[{n}][message]"] = html.replace("{{ city }}", row["city"])
                async with limit:
                    headers = {"Content-Type": "application/x-www-form-urlencoded"}
                    async with session.post(
                        f"{url}/api/v2/sendBulkEmail", data=urlencode(form), headers=headers
                    ) as answer:
                        await answer.json()

            with table.open(newline="") as file:
                rows = list(csv.DictReader(file))
            await asyncio.gather(*(post(rows[n : n + 300]) for n in range(0, len(rows), 300)))

    return ours, naive


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure mailkit beside its peers.")
    parser.add_argument("--quick", action="store_true", help="smaller, for a look")
    quick = parser.parse_args().quick
    rows, calls, runs = (6_000, 500, 3) if quick else (30_000, 2_000, 5)
    print(f"{'CPU time, medians':<44}{'mailkit':>11}{'peer':>11}{'ratio':>8}   goal")
    with sandbox() as (url, token), tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary, "list.csv")
        lines = (f"friend{n}@friends.example,Name {n},Minsk\n" for n in range(rows))
        table.write_text("email,name,city\n" + "".join(lines))
        ours, bare = single_calls(url, token, calls)
        compare("one awaited call, bare aiohttp / mailkit", "≥ 0.83", ours, bare, runs)
        ours, naive = whole_jobs(url, token, table, Path(temporary))
        compare("whole personal job, naive loop / mailkit", "≥ 8   ", ours, naive, runs)


if __name__ == "__main__":
    main()
