"""The sandbox in a process of its own, and what it is asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from mailkit.sandbox import Sandbox, SendPulseSettings

__all__ = [
    "CAMPAIGNS",
    "SPEED",
    "WINDOW",
    "Place",
    "ask",
    "mailed",
    "over_quota",
    "requests",
    "sandbox",
    "settle",
    "skip",
]

ROOT = Path(__file__).parent.parent.parent
SPEED = 100.0
"""So fast the sandbox's time runs: SendPulse takes minutes for what the others do at once."""
CAMPAIGNS, WINDOW = 4, 60.0
"""SendPulse's quota here, and its seconds."""


@attrs.frozen
class Place:
    """Where the sandbox is, and the environment that the command line needs to find it."""

    url: str
    environment: Mapping[str, str]


@contextmanager
def sandbox() -> Iterator[Place]:
    """A sandbox for the length of the block."""
    command = [sys.executable, "-m", "tests.crash.sandbox"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stdin=nothing) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            yield Place(settings["MAILKIT_SMSBY_URL"], settings)
        finally:
            process.terminate()


async def _serve() -> None:
    settings = SendPulseSettings(
        requests_per_second=None,  # whoever looks into the dashboard makes requests, too
        campaigns_per_hour=CAMPAIGNS,
        hour=WINDOW,
        opt_outs="forgotten",
        loading=3.0,
        copying=2.0,
        moderated_from=1_000_000,
        moderation=30.0,
        sending=10.0,
    )
    server = Sandbox(speed=SPEED, sendpulse=settings)
    await server.start()
    print(msgspec.json.encode(server.environment()).decode(), flush=True)
    await server.serve_forever()


def ask(url: str, what: str, order: object = None, *, method: str | None = None) -> Any:
    """A control request."""
    data = None if order is None else msgspec.json.encode(order)
    request = urllib.request.Request(f"{url}/sandbox/{what}", data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as response:
        return msgspec.json.decode(response.read())


def mailed(url: str) -> dict[str, int]:
    """Who was mailed, how often."""
    found: dict[str, int] = ask(url, "truth?full=1")["mailed"]
    return found


def requests(url: str, operations: Sequence[str]) -> int:
    """How many requests there were for these operations."""
    counts: dict[str, int] = ask(url, "truth")["requests"]
    return sum(counts.get(one, 0) for one in operations)


def over_quota(url: str) -> dict[str, int]:
    """How many requests of which operation came while its quota was used up."""
    counts: dict[str, int] = ask(url, "truth")["over_quota"]
    return counts


def skip(url: str, seconds: float) -> None:
    """Let so much of the sandbox's time pass at once."""
    ask(url, "advance", {"seconds": seconds})


def settle(url: str) -> None:
    """Wait until requests that a dead process left in the network have been acted upon.

    The sandbox is one event loop, so what was on its socket before is read before these.
    """
    for _ in range(4):
        ask(url, "health")


if __name__ == "__main__":
    asyncio.run(_serve())
