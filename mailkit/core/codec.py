"""From a call to a request: which field goes where, and the bytes of path, query and body.

What a class says is worked out once (`CallCodec`); a function of its own then writes its calls
(`writing.py`). The result, an `Exchange`, also knows how to read the response.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import attrs
import msgspec

from mailkit.core.auth import Credential
from mailkit.core.call import Call, Raw, Route, reads_files, result_type
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
from mailkit.core.writing import Part, missing, text_writer, tree_writer
from mailkit.errors import InvalidArgument
from mailkit.text import utf8

__all__ = ["Exchange", "build_exchange"]

T = TypeVar("T")

_HEADERS = {"Accept": "application/json"}
_FORM = {**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
_JSON = {**_HEADERS, "Content-Type": "application/json"}


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
    for the optional end. ``secrets`` names the fields that hold a Secret. ``write_query`` writes
    what goes into the query, ``write_text`` a urlencoded form, ``write_tree`` a JSON body.
    ``reader`` reads the responses.
    """

    route: Route
    path: tuple[str, ...]
    end: tuple[str, ...]
    query: Parts
    body: Parts
    secrets: tuple[str, ...]
    fixed_path: bool
    write_query: Callable[[Any, WireFormat], str] | None
    write_text: Callable[[Any, WireFormat], str]
    write_tree: Callable[[Any, WireFormat], dict[str, object]]
    reader: Reader[Any]


@attrs.define(eq=False)
class Exchange(Generic[T]):
    """A call on its way: what its attempts share. ``unknown``: one of them may have arrived."""

    name: str
    call: Call[T] = attrs.field(repr=False)
    codec: CallCodec = attrs.field(repr=False)
    request: Request
    attempt: int = 0
    unknown: bool = False

    @property
    def kind(self) -> str:
        """The name of the call's class."""
        return type(self.call).__name__

    @property
    def route(self) -> Route:
        """What the class says."""
        return self.codec.route

    @property
    def quotas(self) -> tuple[str, ...]:
        """The quotas that each attempt falls under."""
        quotas = self.codec.route.quotas
        return quotas if isinstance(quotas, tuple) else quotas(self.call)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The call's own secrets."""
        return tuple([getattr(self.call, field) for field in self.codec.secrets])

    @property
    def read(self) -> Callable[[Raw], T]:
        """What reads its response."""
        read = self.codec.route.read
        return self.codec.reader if read is None else partial(read, self.call)


def build_exchange(
    call: Call[T],
    name: str,
    wire_format: WireFormat,
    base: str,
    credential: Credential,
) -> Exchange[T]:
    """The call, ready to go to this address; InvalidArgument for what can't be sent."""
    codec: CallCodec = call.__codec__ or _learn(type(call))
    return Exchange(name, call, codec, _build_request(call, codec, wire_format, base, credential))


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
    nowhere = route.body == "none"
    codec = kind.__codec__ = CallCodec(
        route,
        paths,
        ends,
        Parts(query),
        Parts(body),
        tuple(secrets),
        not taken,
        text_writer(kind, query, route.fixed if nowhere else {}) if query or nowhere else None,
        text_writer(kind, body, route.fixed),
        tree_writer(kind, body, route.fixed),
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
    url = base + (codec.path[0] if codec.fixed_path else _path(call, codec))
    if type(call) in wire_format.in_query:
        text = urlencoded(_pairs(call, codec, wire_format, (codec.query, codec.body)))
        return Request(route.verb, url + credential.after(text, "?"), dict(_HEADERS), None)
    if codec.write_query is not None:
        text = codec.write_query(call, wire_format)
        if route.body == "none":
            return Request(route.verb, url + credential.after(text, "?"), dict(_HEADERS), None)
        url += f"?{text}" if text else ""
    if route.body == "json":
        return Request(route.verb, url, dict(_JSON), _json(call, codec, wire_format))
    files = bool(call.__files__) and reads_files(call)
    if files or (route.multipart is not None and route.multipart(call, wire_format)):
        pairs = _pairs(call, codec, wire_format, (codec.body,))
        request = Request(route.verb, url, dict(_HEADERS), None)
        if files and any(isinstance(value, File) and value.path for _, value in pairs):
            _upload(request, *multipart_upload(pairs, credential.pairs()))
            return request
        request.headers["Content-Type"], request.body = multipart(pairs, credential.pairs())
        return request
    text = codec.write_text(call, wire_format)
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


def _pairs(
    call: Call[object], codec: CallCodec, wire_format: WireFormat, fields: Iterable[Parts]
) -> list[Pair]:
    pairs: list[Pair] = []
    for parts in fields:
        _add(pairs, call, parts, wire_format)
    for key, value in codec.route.fixed.items():
        flatten(pairs, key, value)
    return pairs


def _add(pairs: list[Pair], call: Call[object], parts: Parts, wire_format: WireFormat) -> None:
    for part, value in parts.values(call):
        if value is None:
            if part.required:
                missing(part.name)
            continue
        if part.expand is not None:
            for key, item in part.expand(value, wire_format).items():
                flatten(pairs, key, item)
            continue
        if part.write is not None:
            value = part.write(value, wire_format)
        flatten(pairs, part.wire, value)


def _json(call: Call[object], codec: CallCodec, wire_format: WireFormat) -> bytes:
    try:
        return _encode(codec.write_tree(call, wire_format))
    except UnicodeEncodeError as error:
        return utf8(error.object, codec.route.path)  # says what is wrong with it


def _revealed(value: Secret) -> str:
    return value.reveal()


_encode = msgspec.json.Encoder(enc_hook=_revealed).encode
