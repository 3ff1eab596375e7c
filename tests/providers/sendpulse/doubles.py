"""SendPulse over a transport that plays a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from mailkit.core.hooks import Hook
from mailkit.core.quota import Quota
from mailkit.core.wire import Response
from mailkit.providers.sendpulse import SendPulse
from mailkit.testing import FakeClock

from ...core.doubles import Script, response

SAMPLES = Path(__file__).parents[2] / "samples" / "sendpulse"
KEY = "canary-key-7Qm9v"
DONE = response(200, {"result": True})


def sample(name: str, status: int = 200) -> Response:
    return Response(status, {}, (SAMPLES / f"{name}.json").read_bytes())


def client(
    script: Script,
    clock: FakeClock | None = None,
    *,
    zone: str | None = "Europe/Minsk",
    requests: Quota | None = None,
    campaigns: Quota | None = None,
    tests: Quota | None = None,
    hooks: Sequence[Hook] = (),
) -> SendPulse:
    """A client with a static key and, unless given, no quotas."""
    return SendPulse(
        api_key=KEY,
        transport=script,
        clock=clock or FakeClock(),
        zone=zone,
        requests=requests,
        campaigns=campaigns,
        tests=tests,
        hooks=hooks,
    )


class Sent(NamedTuple):
    verb: str
    path: str
    query: list[tuple[str, str]]
    body: Any


def sent(script: Script, place: int = -1) -> Sent:
    """A request as the service reads it."""
    verb, url, headers, data = script.requests[place]
    parts = urlsplit(url)
    body: Any = None
    if data is not None and headers["Content-Type"] == "application/json":
        body = json.loads(data)
    elif data is not None:
        body = parse_qsl(data.decode("ascii"), strict_parsing=True)
    return Sent(verb, parts.path, parse_qsl(parts.query), body)
