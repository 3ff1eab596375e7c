"""A receiver as an ASGI app: mounted in FastAPI or Starlette, next to Django, or alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from mailkit.errors import MailkitError
from mailkit.webhooks.exchange import Answer, Disconnected, Request
from mailkit.webhooks.routes import Route, Routes

__all__ = ["Receive", "Scope", "Send", "serve_asgi"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Receiver(Protocol):
    """What an adapter needs of a WebhookReceiver."""

    @property
    def routes(self) -> Routes:
        """Where paths lead."""
        ...

    async def open(self) -> None:
        """Open the journal."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...

    async def respond(self, request: Request) -> Answer:
        """Take a request."""
        ...

    async def settled(self) -> None:
        """Wait until no request is under way."""
        ...


async def serve_asgi(receiver: Receiver, scope: Scope, receive: Receive, send: Send) -> None:
    """One call of the app: a request, or the server's life."""
    if scope["type"] == "lifespan":
        await _live(receiver, receive, send)
    elif scope["type"] == "http":
        await _answer(receiver, scope, receive, send)
    elif scope["type"] == "websocket":
        _hide(receiver.routes, receiver.routes.find(scope["path"]), scope)
        await send({"type": "websocket.close", "code": 1000})
    else:
        raise ValueError(f"unknown ASGI scope {scope['type']!r}")


async def _live(receiver: Receiver, receive: Receive, send: Send) -> None:
    while True:
        said = (await receive())["type"]
        try:
            await (receiver.open() if said == "lifespan.startup" else receiver.aclose())
        except MailkitError as error:
            await send({"type": f"{said}.failed", "message": str(error)})
            return
        await send({"type": f"{said}.complete"})
        if said == "lifespan.shutdown":
            return


async def _answer(receiver: Receiver, scope: Scope, receive: Receive, send: Send) -> None:
    route = receiver.routes.find(scope["path"])
    _hide(receiver.routes, route, scope)
    headers = {name.lower(): value for name, value in scope["headers"]}
    request = Request(
        scope["method"],
        route,
        _chunks(receive),
        length=_text(headers, b"content-length"),
        encoding=_text(headers, b"content-encoding"),
    )
    answer = await receiver.respond(request)
    body = answer.text.encode()
    fields = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
    if answer.close and scope.get("http_version", "1.1").startswith("1"):
        fields["connection"] = "close"  # what is left of the body is not read
    fields |= {name.lower(): value for name, value in answer.headers.items()}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _hide(routes: Routes, route: Route, scope: Scope) -> None:
    """Servers and middleware write the scope's path into their logs when the response begins."""
    scope["path"] = route.shown
    if scope.get("raw_path") is not None:
        scope["raw_path"] = route.shown.encode("utf-8", "surrogateescape")
    if query := scope.get("query_string"):
        scope["query_string"] = routes.mask(query.decode("latin-1")).encode("latin-1")


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)
