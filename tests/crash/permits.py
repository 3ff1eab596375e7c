"""Six processes call a service under the quotas of one journal, and are killed at random. Counted
as they arrive, their requests are never above a quota in any window.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from pathlib import Path
from random import Random

import attrs
import msgspec

from .. import forking
from .caller import QUOTAS, WINDOWS

__all__ = ["FAIR", "Rush", "prove_permits"]

CALLERS = 6
FAIR = 1.3
"""So many times as many permits as the others one process may get, if all live equally long."""
LONGEST = 600.0


@attrs.define
class Service:
    """Responds after a while, and knows which request arrived when."""

    rng: Random
    arrivals: list[tuple[float, str, str]] = attrs.field(factory=list)
    all_there: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                sizes = [line.split(":")[1] for line in lines if "content-length" in line.lower()]
                body = await reader.readexactly(int(sizes[0])) if sizes else b""
                verb, path, _ = lines[0].split()
                named = msgspec.json.decode(body)["bookName"] if body else path.split("/")[-1]
                self.arrivals.append((time.monotonic(), verb, named))
                if len({who for _, _, who in self.arrivals[:1_000]}) == CALLERS:
                    self.all_there.set()
                await asyncio.sleep(self.rng.uniform(0, 0.05))
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"id":7}')
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()  # the caller was killed, or all is over

    def most(self, name: str) -> int:
        """The most arrivals in a window of this quota."""
        quota = QUOTAS[name]
        times = [at for at, verb, _ in self.arrivals if name in WINDOWS[verb]]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - quota.per_seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@attrs.frozen
class Rush:
    """What came of it: the most arrivals in any window, how many in all and in how many seconds,
    the kills, and the largest number of arrivals of a process that lived all along, divided by the
    smallest.
    """

    most: dict[str, int]
    arrived: int
    seconds: float
    kills: int
    unfairness: float

    @property
    def above(self) -> list[str]:
        """The quotas that were exceeded."""
        return [name for name, most in self.most.items() if most > QUOTAS[name].limit]


async def prove_permits(
    journal: Path, seed: int, *, arrivals: int, kills_a_second: float, deaf: int = 1
) -> Rush:
    """Call until so many requests have arrived; half of the callers live all along, ``deaf`` ones
    call where nobody listens.
    """
    rng = Random(seed)
    service = Service(rng)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    running: dict[str, subprocess.Popen[bytes]] = {}

    def begin(who: str, url: str = url) -> None:
        words = ("tests.crash.caller", journal, url, who)
        running[who] = forking.start(*words, cwd=forking.ROOT, stdin=subprocess.DEVNULL)

    kills, mortal = 0, [f"mortal {n}" for n in range(CALLERS // 2)]
    immortal = [f"immortal {n}" for n in range(CALLERS - len(mortal))]
    try:
        for who in [*immortal, *mortal]:
            begin(who)
        for n in range(deaf):
            begin(f"deaf {n}", "http://127.0.0.1:9")
        await asyncio.wait_for(service.all_there.wait(), LONGEST)
        began, first = time.monotonic(), len(service.arrivals)
        while len(service.arrivals) < first + arrivals and time.monotonic() < began + LONGEST:
            await asyncio.sleep(rng.expovariate(kills_a_second) if kills_a_second else 0.1)
            if kills_a_second:
                who = rng.choice(mortal)
                running[who].kill()
                running[who].wait()
                begin(who)
                kills += 1
        seconds, counted = time.monotonic() - began, service.arrivals[first:]
    finally:
        for process in running.values():
            process.kill()
            process.wait()
        server.close()
    shares = Counter(who for _, _, who in counted)
    lived = [shares[who] for who in immortal]
    return Rush(
        {name: service.most(name) for name in QUOTAS},
        len(counted),
        seconds,
        kills,
        max(lived) / max(min(lived), 1),
    )
