"""``mailkit demo``: the main job, end to end, against the sandbox; no account needed."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
import msgspec
import typer

from mailkit.bulk.job import Job
from mailkit.bulk.journal import Journal, RowState
from mailkit.bulk.scratch import temporary_folder
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.cli.options import OnlyJson
from mailkit.cli.progress import follow_job, planning
from mailkit.cli.run import exit_code, graceful, run
from mailkit.cli.show import report_text
from mailkit.message import Message
from mailkit.text import counted

__all__ = ["demo"]

MESSAGE = """\
sender = "The Lamp Shop <news@lamps.example>"
subject = "{{ name | 'Dear friend' }}, the autumn lamps are here"
html = '''
<p>Hello {{ name | 'dear friend' }},</p>
<p>the new lamps have come to {{ city }}. <a href="https://lamps.example/{{ code }}">Look</a></p>
'''
"""
NAMES = ("Anna", "Борис", "Chloé", "Дарья", "Emil & Co", "")
CITIES = ("Minsk", "Гродно", "Brest", "Віцебск")


def demo(
    rows: Annotated[
        int, typer.Option(min=100, max=5_000_000, help="The number of rows in the list.")
    ] = 100_000,
    as_json: OnlyJson = False,
) -> None:
    """Send a made-up list through a sandbox, and compare the report with the sandbox's truth."""

    async def command() -> int:
        with temporary_folder("mailkit-demo-") as folder, _sandbox() as settings:
            return await _demo(Path(folder), settings, rows, as_json=as_json)

    raise typer.Exit(run(command))


async def _demo(folder: Path, settings: dict[str, str], rows: int, *, as_json: bool) -> int:
    from mailkit.providers.smsby import SmsBy  # and with it aiohttp, which others don't need

    url, token = settings["MAILKIT_SMSBY_URL"], settings["MAILKIT_SMSBY_TOKEN"]
    message, table = folder / "message.toml", folder / "autumn.csv"
    message.write_text(MESSAGE, encoding="utf-8")
    suppressed = await anyio.to_thread.run_sync(write_list, table, rows)
    if not as_json:
        size = counted(rows, "row")
        print(f"A list of {size} goes out to a local sandbox at {url}; nobody is mailed.")
    began = time.monotonic()
    journal = await Journal.open(folder / "journal.db")
    try:
        await journal.suppressions.add(suppressed, reason="unsubscribed", now=time.time())
        source = read_recipients(table)
        async with (
            SmsBy(token=token, url=url) as provider,
            BulkSender(provider, journal=journal) as sender,
        ):
            async with planning(source, quiet=as_json):
                job = await sender.start(Message.from_toml(message), source, name="autumn")
            with graceful(job.stop, job.left_behind, last=False):
                report = await follow_job(job, quiet=as_json)
        seconds = time.monotonic() - began
        twice, lost, strangers = await _compare(journal, job, url)
    finally:
        await journal.close()
    if as_json:
        counts = report.to_dict()
        words = ["rows", *(state.name.lower() for state in RowState)]
        result = {word: counts[word] for word in words}
        result |= {"mailed_twice": twice, "lost": lost, "seconds": round(seconds, 2)}
        print(msgspec.json.encode(result).decode())
    else:
        for line in report_text(report, commands=False):  # the journal goes when the demo ends
            print(line)
        print(
            f"The sandbox's own truth: {twice} mailed twice, {lost} lost, {strangers} unexpected."
        )
        rate = report.counts.read / seconds
        print(f"Planned, sent and reconciled in {seconds:.1f} s: {rate:,.0f} rows a second.")
    agrees = not (twice or lost or strangers)
    return exit_code(report, failed=not agrees or job.error is not None)


def write_list(path: Path, rows: int) -> list[str]:
    """A list with the dirt that real ones have; gives the addresses to suppress.

    Of a hundred rows 3 are invalid, 4 repeat an address in another case, 1 is suppressed, and 2
    are good to the eye but refused by the service or bounce there.
    """
    rng = random.Random(rows)  # noqa: S311 - the same list each time
    suppressed: list[str] = []
    earlier = "first@friends.example"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file, lineterminator="\r\n")
        table.writerow(("name", "EMAIL", "city", "code"))
        for n in range(rows):
            address = f"friend{n}@friends{n % 997}.example"
            match n % 100:
                case 7:
                    address = ("", "no-at-sign.example", f"two@@at{n}.example")[n // 100 % 3]
                case 23:
                    address = f"дядя{n}@почта.example"
                case 41:
                    address = f"spaces in{n}@friends.example"
                case 13 | 37 | 59 | 83:
                    address = earlier.upper()
                case 61:
                    address = f"friend{n}@bücher{n % 17}.example"
                case 71:
                    suppressed.append(address)
                case 89:
                    address = f"invalid{n}@friends.example"
                case 97:
                    address = f"bounce{n}@friends.example"
                case _:
                    earlier = address
            table.writerow((rng.choice(NAMES), address, rng.choice(CITIES), f"c{n:x}"))
    return suppressed


@contextmanager
def _sandbox() -> Iterator[dict[str, str]]:
    """A sandbox in a process of its own; gives the environment that points to it."""
    command = [
        sys.executable,
        "-m",
        "mailkit",
        "sandbox",
        "--port",
        "0",
        "--speed",
        "3600",
        "--json",
    ]
    with subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is meant for the sender
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe
            yield msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
        finally:
            process.terminate()


async def _compare(journal: Journal, job: Job, url: str) -> tuple[int, int, int]:
    """How many the sandbox mailed twice, how many accepted ones it never mailed, and how many
    it mailed that the journal does not count as accepted.
    """
    record = await journal.jobs.get(job.name)
    believed: list[str] = []
    async for found in journal.reports.rows(record, states=[RowState.ACCEPTED]):
        believed += [row.address for row in found]
    request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
        f"{url}/sandbox/truth/compare",
        data=msgspec.json.encode(believed),
        headers={"Content-Type": "application/json"},
    )

    def ask() -> dict[str, Any]:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request) as answer:
            return msgspec.json.decode(answer.read(), type=dict[str, Any])

    truth = await anyio.to_thread.run_sync(ask)
    return len(truth["mailed_twice"]), len(truth["missing"]), len(truth["unexpected"])
