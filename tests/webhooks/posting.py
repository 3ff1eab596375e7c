"""What providers post, and a receiver in memory that it is posted to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.exchange import Answer, Request

SECRET = "a-secret-of-32-letters-and-digits"
PATH = f"/webhooks/devino/{SECRET}"
ADDRESS = "anna@example.com"


def callback(n: int = 1, status: str = "DELIVERED", **more: object) -> dict[str, object]:
    """An item of a Devino callback."""
    row = {"messageId": f"m-{n}", "ts": 1893456000000 + n, "status": status, "email": ADDRESS}
    return {**row, **more}


def body(*items: Mapping[str, object]) -> bytes:
    """A post with these items, or with one."""
    return json.dumps([*items] or [callback()]).encode()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def post(
    receiver: WebhookReceiver,
    data: bytes | AsyncIterator[bytes] | None = None,
    path: str = PATH,
    *,
    method: str = "POST",
    **more: Any,
) -> Answer:
    """Post it as an adapter does."""
    given = body() if data is None else data
    stream = pieces(given) if isinstance(given, bytes) else given
    return await receiver.respond(Request(method, receiver.routes.find(path), stream, **more))
