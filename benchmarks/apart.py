"""Workers in network namespaces of their own: machines on one machine, whose cables can be cut.

Each has two links to this one: one stands for the network to the database, the other for that to
the provider. Linux, as root, with the command ip.

    python -m benchmarks.apart AT HOST PORT   # leads a port at AT, which it prints, to that one

Clients speak HTTP without TLS with their own machine alone. So the provider has an address here
that begins as those of a machine itself do, and that each namespace has a route to.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from benchmarks.jobs import write_table
from benchmarks.postgres import Database, load, server_of
from benchmarks.rows import Bench, LeftOut, Row, Setting, figure
from benchmarks.server import serve
from benchmarks.workers import CHUNK, LATENCY, command, made, result, unsent, workers

__all__ = ["BENCHES"]

CUT_SECONDS = 30.0
LOCAL = "127.0.0.1"
ROOT = Path(__file__).parent.parent


@attrs.frozen
class Machine:
    """A network namespace: how a command begins that runs in it, the addresses of this machine as
    it sees them, and the links to them.
    """

    inside: Sequence[str]
    database: str
    provider: str
    to_database: str
    to_provider: str


@contextmanager
def machine(n: int) -> Iterator[Machine]:
    name = f"mk{os.getpid() % 100_000}-{n}"  # an interface's has 15 characters
    inside = ["ip", "netns", "exec", name]
    found = Machine(inside, f"10.77.{n}.1", f"127.0.1.{n}", f"{name}-db", f"{name}-mail")
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        raise LeftOut(f"no network namespaces here: {error.stderr.strip()}") from None
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        _link(name, found.to_database, f"10.77.{n}")
        _link(name, found.to_provider, f"10.78.{n}")
        routed = f"/proc/sys/net/ipv4/conf/{found.to_provider}/route_localnet"
        Path(routed).write_text("1")
        subprocess.run([*inside, "sh", "-c", f"echo 1 > {routed}"], check=True)
        way = ["via", f"10.78.{n}.1", "dev", found.to_provider]
        _ip("-n", name, "route", "add", found.provider, *way, "table", "local")
        yield found
    finally:
        _ip("netns", "delete", name)


def _link(namespace: str, link: str, network: str) -> None:
    """A link of this name, at both of its ends."""
    _ip("link", "add", link, "type", "veth", "peer", "name", link, "netns", namespace)
    _ip("addr", "add", f"{network}.1/24", "dev", link)
    _ip("link", "set", link, "up")
    _ip("-n", namespace, "addr", "add", f"{network}.2/24", "dev", link)
    _ip("-n", namespace, "link", "set", link, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def forwarded(at: str, port: int) -> Iterator[int]:
    """A port at this address that leads to one of this machine."""
    command = [sys.executable, "-m", "benchmarks.apart", at, LOCAL, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _forward(at: str, host: str, port: int) -> None:
    server = await asyncio.start_server(partial(_joined, host, port), at, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _joined(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copied(reader, back), _copied(there, writer))


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def partitions(setting: Setting) -> Iterable[Row]:
    """Two workers send a job; one is cut off for 30 s, and comes back."""
    if not shutil.which("ip") or sys.platform != "linux" or os.geteuid():
        raise LeftOut("network namespaces need Linux, root and the command ip")
    yield from partition(setting, "everything", lambda one: [one.to_database, one.to_provider])
    yield from partition(setting, "the provider", lambda one: [one.to_provider])


def partition(
    setting: Setting, what: str, links: Callable[[Machine], Sequence[str]]
) -> Iterable[Row]:
    chunks = 5_000
    table = write_table(setting.folder / f"list-{chunks * CHUNK}.csv", chunks * CHUNK)
    with ExitStack() as stack:
        provider = stack.enter_context(serve(setting.folder, LATENCY))
        server = stack.enter_context(server_of(tcp=True))
        db = Database(server, server.create_database())
        machines = [stack.enter_context(machine(n)) for n in (1, 2)]
        commands = []
        for one in machines:
            mail = stack.enter_context(forwarded(one.provider, urlsplit(provider.url).port or 0))
            journal = stack.enter_context(forwarded(one.database, server.port))
            dsn = f"postgresql://mailkit@{one.database}:{journal}/{db.name}"
            url = f"http://{one.provider}:{mail}"
            commands.append([*one.inside, *command(url, table, dsn)])
        made(db, provider, table)
        cut = links(machines[1])
        with workers(commands) as started:
            time.sleep(15)
            began = time.time()
            for link in cut:
                _ip("link", "set", link, "down")
            time.sleep(CUT_SECONDS)
            for link in cut:
                _ip("link", "set", link, "up")
            healed = time.time()
            time.sleep(30)
            ended = time.time()
            left = unsent(db)
            at_work = sum(process.poll() is None for process in started)
            doubts = db.asked("SELECT count(*) FROM chunks WHERE state = 'in doubt'")
            for process in started:
                process.terminate()
            sent = result(db, provider)
            stopped = db.asked("SELECT stopped FROM jobs")
        spans = {
            "before": (sent.moments[0] + 3, began),
            "during the cut": (began + 2, healed),
            "after": (healed + 10, ended),
        }
        for when, (first, last) in spans.items():
            took = sum(first <= moment < last for moment in sent.moments)
            note = ""
            if when == "after":
                note = (
                    f"from 10 s after; {at_work} of them are at work then; {doubts} chunks are in "
                    f"doubt; addresses mailed twice: {sent.twice}; "
                    f"{f'the job was stopped: {stopped}; ' if stopped else ''}{load()}"
                )
            rate = [took / (last - first)]
            title = f"two workers, one cut off from {what} for 30 s: {when}"
            yield figure(title, rate, "chunks a s", None, note)
        assert left, "the job was too short"


BENCHES = [Bench("workers-apart", partitions, quick=False)]


if __name__ == "__main__":
    at, host, port = sys.argv[1:]
    asyncio.run(_forward(at, host, int(port)))
