"""A transport that plays a script, and a small service to call."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from enum import IntEnum

import attrs
import msgspec

from mailkit.core.auth import Auth, HeaderKey
from mailkit.core.call import Call, Resource, arg, delete, get, method, post, put, resource, wire
from mailkit.core.client import Client
from mailkit.core.clock import Clock
from mailkit.core.hooks import Hook
from mailkit.core.http import Transport
from mailkit.core.quota import Quota
from mailkit.core.secret import Secret
from mailkit.core.wire import Refusal, Request, Response, Unreadable
from mailkit.core.wire_format import WireFormat
from mailkit.testing import FakeClock

CANARY = "canary/Qm9v+Zm9v=="


def response(
    status: int = 200, tree: object = None, headers: dict[str, str] | None = None
) -> Response:
    body = tree if isinstance(tree, bytes) else msgspec.json.encode(tree)
    return Response(status, headers or {}, body)


class Script:
    """A transport that gives the responses, or raises the errors, of a list in turn."""

    def __init__(self, *acts: Response | BaseException) -> None:
        self.acts = list(acts)
        self.requests: list[tuple[str, str, dict[str, str], bytes | None]] = []
        self.timeouts: list[float] = []
        self.closed = False

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        self.requests.append((request.verb, request.url, dict(request.headers), request.body))
        self.timeouts.append(timeout)
        act = self.acts.pop(0)
        request.began = True
        if isinstance(act, BaseException):
            raise act
        return act

    async def aclose(self) -> None:
        self.closed = True


class Colour(IntEnum):
    RED = 1
    GREEN = 2


@attrs.frozen
class Book:
    id: int
    title: str = attrs.field(default="", metadata=wire("ttile", "title"))
    colour: Colour | int = 0
    pages: int | None = None


def _base64(value: str, wire_format: WireFormat) -> str:
    return base64.b64encode(value.encode()).decode()


@get("/books", repeatable=True)
class ListBooks(Call[list[Book]]):
    """All books."""

    limit: int = 100
    status: Sequence[int] | None = arg(default=None, wire="status[]")
    lent: bool | None = None


@get("/books/{id}[/{language}]", repeatable=True)
class GetBook(Call[Book]):
    id: int | str
    language: str | None = None


@post("/books", repeatable=False, quotas=("books",), pick="id")
class AddBook(Call[int], kw_only=True):
    """Add a book and return its id."""

    title: str = arg(wire="bookName")
    body: str | None = arg(default=None, write=_base64)
    readers: Sequence[Mapping[str, str]] | None = None
    rare: bool | None = None


@delete("/books/{id}/readers", repeatable=True)
class RemoveReaders(Call[None]):
    id: int
    emails: Sequence[str]


@put("/books/{id}", repeatable=True, query=("force",), fixed={"confirm": "yes"})
class EditBook(Call[None]):
    id: int
    title: str
    force: bool | None = None


class Books(Resource):
    """Books."""

    list = method(ListBooks)
    get = method(GetBook)
    add = method(AddBook)
    remove_readers = method(RemoveReaders)
    edit = method(EditBook)


def unwrap(response: Response) -> bytes | Refusal:
    try:
        tree = msgspec.json.decode(response.body)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    if isinstance(tree, dict) and "error" in tree:
        busy = tree.get("code") == 791
        return Refusal(
            (tree["error"],),
            tree.get("code"),
            later=busy,
            quota=busy,
            retry_after=3600.0 if busy else None,
        )
    return response.body


class Library(Client):
    """A service of its own kind: JSON, paths, a key in a header."""

    name = "library"
    books = resource(Books)

    def __init__(
        self,
        transport: Transport,
        clock: Clock | None = None,
        *,
        auth: Auth | None = None,
        quotas: dict[str, Quota] | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        super().__init__(
            url="https://library.test",
            account="me",
            auth=auth or HeaderKey(Secret(CANARY), "Key"),
            unwrap=unwrap,
            transport=transport,
            quotas=quotas,
            hooks=hooks,
            clock=clock or FakeClock(),
        )
