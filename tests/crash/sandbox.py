"""The sandbox in a process of its own, and what it is asked."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import msgspec

__all__ = ["Place", "ask", "emails", "mailed", "sandbox", "settle"]


@attrs.frozen
class Place:
    """Where the sandbox is, and the environment that the command line needs to find it."""

    url: str
    environment: Mapping[str, str]

    def key(self, provider: str) -> str:
        """The credential of a service."""
        names = {"smsby": "MAILKIT_SMSBY_TOKEN", "devino": "MAILKIT_DEVINO_API_KEY"}
        return self.environment[names[provider]]


@contextmanager
def sandbox() -> Iterator[Place]:
    """A sandbox for the length of the block."""
    command = [sys.executable, "-m", "mailkit", "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            yield Place(settings["MAILKIT_SMSBY_URL"], settings)
        finally:
            process.terminate()


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


def emails(url: str) -> int:
    """How many emails there were."""
    count: int = ask(url, "truth")["emails"]
    return count


def settle(url: str) -> None:
    """Wait until requests that a dead process left in the network have been acted upon.

    The sandbox is one event loop, so what was on its socket before is read before these.
    """
    for _ in range(4):
        ask(url, "health")
