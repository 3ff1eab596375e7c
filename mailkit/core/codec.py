"""From a call to a request: which field goes where, and the bytes of path, query and body.

What a class says is worked out once (`CallCodec`); writing a call then is one pass over its fields.
The result, an `Exchange`, also knows how to read the response.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import attrs
import msgspec

from mailkit.core.auth import Credential
from mailkit.core.call import Body, Call, Raw, Route, reads_files, result_type
from mailkit.core.forms import (
    File,
    Pair,
    flatten,
    multipart,
    multipart_upload,
    urlencoded,
)
from mailkit.core.reading import Reader
from mailkit.core.secret import Secret
from mailkit.core.wire import Request, Upload
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.text import utf8

__all__ = ["Exchange", "build_exchange"]

T = TypeVar("T")

_HEADERS = {"Accept": "application/json"}
_FORM = {**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
_JSON = {**_HEADERS, "Content-Type": "application/json"}

_TEXT = frozenset({str, bytes})

Write = Callable[[Any, WireFormat], object]


@attrs.frozen
class Part:
    """One field of a call on its way out."""

    name: str
    wire: str
    write: Write | None
    expand: Callable[[Any, WireFormat], Mapping[str, object]] | None
    required: bool


class Parts:
    """Some fields of a call, and what takes all their values at once."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)
        names = [part.name for part in self.parts]
        self._values: Callable[[object], Any] = attrgetter(*names) if names else lambda call: ()
        self._single = len(names) == 1

    def values(self, call: object) -> Iterable[tuple[Part, Any]]:
        """The parts with their values in the call."""
        values = self._values(call)
        return zip(self.parts, (values,) if self._single else values, strict=True)


@attrs.frozen
class CallCodec:
    """What there is to know about a call class; made once for each class.

    ``path`` holds texts and the names of fields by turns, starting with a text; ``end`` the same
    for the optional end. ``secrets`` names the fields that hold a Secret. ``reader`` reads the
    responses.
    """

    route: Route
    path: tuple[str, ...]
    end: tuple[str, ...]
    query: Parts
    body: Parts
    secrets: tuple[str, ...]
    fixed_path: bool
    reader: Reader[Any]


@attrs.define(eq=False)
class Exchange(Generic[T]):
    """A call on its way: what its attempts share. ``read`` reads its response."""

    name: str
    kind: str
    route: Route
    quotas: tuple[str, ...]
    request: Request
    read: Callable[[Raw], T]
    secrets: tuple[Secret, ...]
    attempt: int = 0


def build_exchange(
    call: Call[T],
    name: str,
    wire_format: WireFormat,
    base: str,
    credential: Credential,
) -> Exchange[T]:
    """The call, ready to go to this address; InvalidArgument for what can't be sent."""
    kind = type(call)
    codec: CallCodec = kind.__codec__ or _learn(kind)
    route = codec.route
    request = _build_request(call, codec, wire_format, base, credential)
    return Exchange(
        name,
        kind.__name__,
        route,
        route.quotas if isinstance(route.quotas, tuple) else route.quotas(call),
        request,
        partial(route.read, call) if route.read else codec.reader,
        tuple([getattr(call, field) for field in codec.secrets]) if codec.secrets else (),
    )


def _learn(kind: type[Call[Any]]) -> CallCodec:
    """The class's codec, made at its first call, when all annotations can be resolved."""
    route = kind.__route__
    path, _, end = route.path.partition("[")
    paths, ends = (tuple(re.split(r"[{}]", text.rstrip("]"))) for text in (path, end))
    taken = {*paths[1::2], *ends[1::2]}
    query: list[Part] = []
    body: list[Part] = []
    secrets: list[str] = []
    for field in attrs.fields(cast("Any", kind)):
        if field.name in taken:
            continue
        said = field.metadata
        wire = said.get("wire") or field.name
        required = field.default is attrs.NOTHING
        part = Part(field.name, wire, said.get("write"), said.get("expand"), required)
        (query if route.body == "none" or field.name in route.query else body).append(part)
        if said.get("secret"):
            secrets.append(field.name)
    codec = kind.__codec__ = CallCodec(
        route,
        paths,
        ends,
        Parts(query),
        Parts(body),
        tuple(secrets),
        not taken,
        Reader(result_type(kind), route.pick),
    )
    return codec


def _build_request(
    call: Call[object],
    codec: CallCodec,
    wire_format: WireFormat,
    base: str,
    credential: Credential,
) -> Request:
    """The request of a call; see `build_exchange`.

    The credential's fields come last, so that a server that cuts an overlong form loses them first
    and refuses the whole request instead of dropping recipients.
    """
    # No name in these frames may hold the credential's text: tracebacks can show names' values.
    route = codec.route
    body: Body = "none" if type(call) in wire_format.in_query else route.body
    url = base + (codec.path[0] if codec.fixed_path else _path(call, codec))
    if codec.query.parts or body == "none":
        query: list[Pair] = []
        _add(query, call, codec.query, wire_format)
        if body == "none":
            _add(query, call, codec.body, wire_format)
            _add_fixed(query, route)
            text = urlencoded(query)
            return Request(route.verb, url + credential.after(text, "?"), dict(_HEADERS), None)
        url += f"?{urlencoded(query)}" if query else ""
    if body == "json":
        return Request(route.verb, url, dict(_JSON), _json(call, codec, wire_format))
    files = bool(call.__files__) and reads_files(call)
    pairs: list[Pair] = []
    _add(pairs, call, codec.body, wire_format)
    if route.fixed:
        _add_fixed(pairs, route)
    if files or (route.multipart is not None and route.multipart(call, wire_format)):
        request = Request(route.verb, url, dict(_HEADERS), None)
        if files and any(isinstance(value, File) and value.path for _, value in pairs):
            _upload(request, *multipart_upload(pairs, credential.pairs()))
            return request
        request.headers["Content-Type"], request.body = multipart(pairs, credential.pairs())
        return request
    text = urlencoded(pairs)
    return Request(route.verb, url, dict(_FORM), credential.after(text, "").encode("ascii"))


def _upload(request: Request, content_type: str, upload: Upload) -> None:
    try:
        with upload.file.open("rb") as file:  # a file that can't be read ends here, not on its way
            found = os.fstat(file.fileno())
    except OSError as error:
        raise InvalidArgument(f"{upload.file} can't be read: {error.strerror}") from None
    size = len(upload.head) + found.st_size + len(upload.tail)
    request.headers |= {"Content-Type": content_type, "Content-Length": str(size)}
    request.upload = attrs.evolve(upload, size=found.st_size, changed=found.st_mtime_ns)


def _path(call: Call[object], codec: CallCodec) -> str:
    pieces = _filled(call, codec.path)
    if any(getattr(call, name) is not None for name in codec.end[1::2]):
        pieces += _filled(call, codec.end)
    return "".join(pieces)


def _filled(call: Call[object], path: Sequence[str]) -> list[str]:
    pieces = list(path)
    for place in range(1, len(path), 2):
        value = getattr(call, path[place])
        text = str(value.value) if isinstance(value, Enum) else str(value)
        if value is None or text in ("", ".", ".."):
            raise InvalidArgument(f"{path[place]}: {text!r} can't be part of a URL")
        pieces[place] = quote(utf8(text, path[place]), safe="")
    return pieces


def _add(pairs: list[Pair], call: Call[object], parts: Parts, wire_format: WireFormat) -> None:
    for part, value in parts.values(call):
        if value is None:
            if part.required:
                raise InvalidArgument(f"{part.name}: give a value, not None")
            continue
        if part.expand is not None:
            expanded = part.expand(value, wire_format)
            if _TEXT.issuperset(map(type, expanded.values())):  # a long list of messages, at once
                pairs += cast("Iterable[Pair]", expanded.items())
            else:
                for key, item in expanded.items():
                    flatten(pairs, key, item)
            continue
        if part.write is not None:
            value = part.write(value, wire_format)
        if type(value) is str:
            pairs.append((part.wire, value))
        else:
            flatten(pairs, part.wire, value)


def _add_fixed(pairs: list[Pair], route: Route) -> None:
    for key, value in route.fixed.items():
        flatten(pairs, key, value)


def _json(call: Call[object], codec: CallCodec, wire_format: WireFormat) -> bytes:
    try:
        return msgspec.json.encode(_tree(call, codec, wire_format), enc_hook=_revealed)
    except UnicodeEncodeError as error:
        return utf8(error.object, codec.route.path)  # says what is wrong with it


def _tree(call: Call[object], codec: CallCodec, wire_format: WireFormat) -> dict[str, object]:
    tree: dict[str, object] = {}
    for part, value in codec.body.values(call):
        if value is None:
            if part.required:
                raise InvalidArgument(f"{part.name}: give a value, not None")
            continue
        if part.expand is not None:
            tree.update(
                (key, _plain(key, item)) for key, item in part.expand(value, wire_format).items()
            )
            continue
        if part.write is not None:
            value = part.write(value, wire_format)
        tree[part.wire] = _plain(part.wire, value)
    tree.update(codec.route.fixed)
    return tree


def _revealed(value: Secret) -> str:
    return value.reveal()


def _plain(key: str, value: object) -> object:
    """The value as JSON's own types, or a Secret, which stays one until it is written; what is
    written already goes out as it is.
    """
    if value is None or isinstance(value, str | int | float | Secret | msgspec.Raw):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(key, item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(key, item) for item in value]
    what = (
        "a date or time without a declared format" if isinstance(value, date | time) else "a value"
    )
    raise InvalidArgument(f"{key}: {what} of type {type(value).__name__} can't be sent")
