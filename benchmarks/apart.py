"""Workers in network namespaces of their own: machines on one machine, whose cables can be cut.

Each has a link to this one, which stands for the network between them, the database and the
provider. Linux, as root, with the command ip.

    python -m benchmarks.apart AT HOST PORT   # leads a port at AT, which it prints, to that one

Clients speak HTTP with their own machine alone: each has a port there that leads to the provider.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.jobs import write_table
from benchmarks.postgres import Database, load, server_of
from benchmarks.rows import Bench, LeftOut, Row, Setting, figure
from benchmarks.server import serve
from benchmarks.workers import CHUNK, LATENCY, command, made, result, unsent, workers

__all__ = ["BENCHES"]

CUT_SECONDS = 30.0
LOCAL = "127.0.0.1"
ROOT = Path(__file__).parent.parent
HOST, GUEST = "10.77.{}.1", "10.77.{}.2"


@contextmanager
def machine(n: int) -> Iterator[str]:
    """A network namespace with a link to this one; gives its name, which is also the link's."""
    name = f"mailkit{os.getpid() % 10_000}-{n}"  # an interface's has 15 characters
    inside = f"{name[7:]}in"
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        raise LeftOut(f"no network namespaces here: {error.stderr.strip()}") from None
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", inside, "netns", name)
        _ip("addr", "add", f"{HOST.format(n)}/24", "dev", name)
        _ip("link", "set", name, "up")
        _ip("-n", name, "addr", "add", f"{GUEST.format(n)}/24", "dev", inside)
        _ip("-n", name, "link", "set", inside, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def forwarded(at: str, host: str, port: int, prefix: Sequence[str] = ()) -> Iterator[int]:
    """A port at one address that leads to another one."""
    command = [*prefix, sys.executable, "-m", "benchmarks.apart", at, host, str(port)]
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


def partition(setting: Setting) -> Iterable[Row]:
    """Two workers send a job; one is cut off from everything for 30 s, and comes back."""
    if not shutil.which("ip") or sys.platform != "linux" or os.geteuid():
        raise LeftOut("network namespaces need Linux, root and the command ip")
    chunks = 5_000
    table = write_table(setting.folder / f"list-{chunks * CHUNK}.csv", chunks * CHUNK)
    with ExitStack() as stack:
        provider = stack.enter_context(serve(setting.folder, LATENCY))
        server = stack.enter_context(server_of(tcp=True))
        db = Database(server, server.create_database())
        provider_port = urlsplit(provider.url).port or 0
        names, commands = [], []
        for n in (1, 2):
            name, host = stack.enter_context(machine(n)), HOST.format(n)
            inside = ["ip", "netns", "exec", name]
            outer = stack.enter_context(forwarded(host, LOCAL, provider_port))
            inner = stack.enter_context(forwarded(LOCAL, host, outer, inside))
            to_server = stack.enter_context(forwarded(host, LOCAL, server.port))
            dsn = f"postgresql://mailkit@{host}:{to_server}/{db.name}"
            commands.append([*inside, *command(f"http://{LOCAL}:{inner}", table, dsn)])
            names.append(name)
        made(db, provider, table)
        with workers(commands) as started:
            time.sleep(15)
            cut = time.time()
            _ip("link", "set", names[1], "down")
            time.sleep(CUT_SECONDS)
            _ip("link", "set", names[1], "up")
            healed = time.time()
            time.sleep(30)
            ended = time.time()
            left = unsent(db)
            for process in started:
                process.terminate()
            sent = result(db, provider)
            stopped = db.asked("SELECT stopped FROM jobs")
        begun = sent.moments[0]
        spans = {
            "before": (begun + 3, cut),
            "while one is cut off": (cut + 2, healed),
            "after": (healed + 10, ended),
        }
        for when, (first, last) in spans.items():
            took = sum(first <= moment < last for moment in sent.moments)
            note = ""
            if when == "after":
                note = (
                    f"from 10 s after; {sent.unknown} chunks are not known to be sent, and not "
                    f"sent again; addresses mailed twice: {sent.twice}; "
                    f"{f'the job was stopped: {stopped}; ' if stopped else ''}{load()}"
                )
            rate = [took / (last - first)]
            yield figure(f"two workers, cut apart for 30 s: {when}", rate, "chunks a s", None, note)
        assert left, "the job was too short"


BENCHES = [Bench("workers-apart", partition, quick=False)]


if __name__ == "__main__":
    at, host, port = sys.argv[1:]
    asyncio.run(_forward(at, host, int(port)))
