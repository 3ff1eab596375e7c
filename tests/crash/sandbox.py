"""The sandbox in a process of its own, and what it is asked."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from mailkit.sandbox import DevinoSettings, Posting, Sandbox, SendPulseSettings

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
SECRET = "a-secret-of-the-crash-proof"
HOUR = 3600.0
CAMPAIGNS, WINDOW = 4, 60.0
"""SendPulse's quota here, and its seconds."""


@attrs.frozen
class Place:
    """Where the sandbox is, the environment by which the command line finds it, and the port that
    it posts events to.
    """

    url: str
    environment: Mapping[str, str]
    hook: int

    def hook_url(self, provider: str) -> str:
        """Where the events of this provider are posted."""
        return hook_url(self.hook, provider)


def hook_url(port: int, provider: str) -> str:
    """Where ``mailkit listen`` takes them."""
    return f"http://127.0.0.1:{port}/webhooks/{provider}/{SECRET}"


@contextmanager
def sandbox() -> Iterator[Place]:
    """A sandbox for the length of the block."""
    hook = free_port()
    command = [sys.executable, "-m", "tests.crash.sandbox", str(hook)]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stdin=nothing) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            settings["MAILKIT_WEBHOOK_SECRET"] = SECRET
            yield Place(settings["MAILKIT_SMSBY_URL"], settings, hook)
        finally:
            process.terminate()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def _serve(hook: int) -> None:
    posting = Posting(
        every=20.0,
        repeated=0.2,
        late=0.2,
        late_by=HOUR,
        shuffled=True,
        retries=(*[60.0 * 2**n for n in range(6)], *[HOUR] * 300),
        timeout=2.0,
    )
    devino = DevinoSettings(callback_url=hook_url(hook, "devino"), posting=posting)
    settings = SendPulseSettings(
        posting=posting,
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
    server = Sandbox(speed=SPEED, devino=devino, sendpulse=settings)
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
    asyncio.run(_serve(int(sys.argv[1])))
