"""A request to a receiver and its answer, whatever server they go through."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping

import attrs

from mailkit.webhooks.routes import Route

__all__ = ["Answer", "Disconnected", "Rejection", "Request"]


@attrs.frozen
class Request:
    """A request whose body is still to be read. ``length`` and ``encoding`` are the header fields
    Content-Length and Content-Encoding; an empty text where there is none.
    """

    method: str
    route: Route
    body: AsyncIterable[bytes]
    length: str = ""
    encoding: str = ""


@attrs.frozen
class Answer:
    """A response in plain text. ``close``: what is left of the request is not read."""

    status: int
    text: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    close: bool = False


class Rejection(Exception):
    """A request that is not taken, with the answer to it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.answer = Answer(status, text, headers or {}, close=True)


class Disconnected(Exception):
    """The sender went away in the middle of its request."""
