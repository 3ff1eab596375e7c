"""Devino in memory: a transport that plays the service, and the samples of its responses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mailkit.core.wire import Request, Response
from mailkit.providers.devino import ChunkLimits, Devino

KEY = "canary-QWxhZGRpbjpvcGVuIHNlc2"
SAMPLES = Path(__file__).parents[2] / "samples" / "devino"
LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.example>",
    "subject": "Autumn",
    "html": "<p>Hi</p>[Unsubscribe]",
}

Act = Callable[[dict[str, Any]], Response | Exception]


def sample(name: str, status: int = 200) -> Response:
    return Response(status, {}, (SAMPLES / f"{name}.json").read_bytes())


def response(tree: object, status: int = 200) -> Response:
    return Response(status, {}, msgspec.json.encode(tree))


def taken(letter: dict[str, Any], prefix: str = "m") -> Response:
    """Every recipient of the request gets a message id."""
    items = [
        {"index": index, "address": one["Address"], "messageId": f"{prefix}{index}"}
        for index, one in enumerate(letter["Recipients"])
    ]
    return response({"result": items, "description": "ok"})


class Service:
    """Takes letters and files and keeps them; ``acts`` come first, for letters and files alike."""

    def __init__(self, *acts: Act | Response | Exception) -> None:
        self.acts = list(acts)
        self.requests: list[Request] = []
        self.letters: list[dict[str, Any]] = []
        self.files: list[bytes] = []

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        self.requests.append(request)
        request.began = True
        letter: dict[str, Any] = {}
        if "/files/files" in request.url:
            self.files.append(request.body or b"")
        else:
            letter = msgspec.json.decode(request.body or b"")
            self.letters.append(letter)
        if self.acts:
            act = self.acts.pop(0)
            act = act(letter) if callable(act) else act
            if isinstance(act, Exception):
                raise act
            return act
        if not letter:
            return response({"result": {"fileId": f"file-{len(self.files)}"}})
        return taken(letter, "m" if len(self.letters) == 1 else f"m{len(self.letters)}.")

    async def aclose(self) -> None:
        return


def devino(service: Service, rows: int = 1_000) -> Devino:
    return Devino(KEY, transport=service, limits=ChunkLimits(rows=rows))
