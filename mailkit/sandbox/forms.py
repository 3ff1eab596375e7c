"""Form bodies read on bytes: multipart/form-data and urlencoded, as PHP reads them.

A chunk of 300 personal messages is 900 parts, so the multipart splitter cuts the body at its
boundary in one go and remembers the part headers it has seen. As in PHP: names are taken literally
(a percent sign is a percent sign, backslash escapes a quote), only `filename` makes a file
(`filename*` does not belong to multipart/form-data), fields beyond `max_fields` are silently
dropped. Unlike PHP, a broken multipart body is an error, so that a client's mistake is noticed.
"""

import re
from binascii import unhexlify
from functools import lru_cache

import attrs

from mailkit.sandbox.php import PhpArray, nested

MAX_FILES = 20

_PARAMETER = re.compile(rb';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.S)
_ESCAPED = re.compile(rb'\\(["\\])')
_PERCENT = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


class Malformed(ValueError):
    """The body does not follow its own content type."""


@attrs.frozen
class File:
    """An uploaded file: the field's name, the file's name, its type and its bytes."""

    field: str
    name: str
    content_type: str
    data: bytes


@attrs.frozen
class Form:
    """The fields as a PHP array, and the files."""

    fields: PhpArray = attrs.field(factory=PhpArray)
    files: tuple[File, ...] = ()


@attrs.frozen
class _Head:
    name: str | None
    filename: str | None
    content_type: str


def parse_form(body: bytes, content_type: str, *, max_fields: int) -> Form:
    """The form in `body`; another content type gives an empty form, a broken body Malformed."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return Form(parse_urlencoded(body, max_fields=max_fields))
    if kind == "multipart/form-data":
        return parse_multipart(body, _boundary(content_type), max_fields=max_fields)
    return Form()


def parse_urlencoded(body: bytes, *, max_fields: int) -> PhpArray:
    """`a=1&b[]=2` as a PHP array; also reads a query string."""
    fields: list[tuple[str, str]] = []
    for pair in body.split(b"&"):
        if not pair:
            continue
        if len(fields) >= max_fields:
            break
        name, _, value = pair.partition(b"=")
        fields.append((_unquote(name), _unquote(value)))
    return nested(fields)


def parse_multipart(body: bytes, boundary: bytes, *, max_fields: int) -> Form:
    """The parts of a multipart body; without its last boundary it raises Malformed."""
    fields: list[tuple[str, str]] = []
    files: list[File] = []
    for head_bytes, value in split_multipart(body, boundary):
        head = _head(head_bytes)
        if head.name is None:
            continue
        if head.filename is None:
            if len(fields) < max_fields:
                fields.append((head.name, value.decode("utf-8", "replace")))
        elif len(files) < MAX_FILES and (head.filename or value):
            files.append(File(head.name, head.filename, head.content_type, value))
    return Form(nested(fields), tuple(files))


def split_multipart(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Header block and value of each part; what is before and after the parts is skipped."""
    delimiter = b"\r\n--" + boundary
    if body.startswith(delimiter[2:]):
        pieces = body[len(delimiter) - 2 :].split(delimiter)
    else:
        pieces = body.split(delimiter)[1:]
    parts: list[tuple[bytes, bytes]] = []
    for piece in pieces:
        if piece[:2] == b"--":
            if piece[2:].partition(b"\r\n")[0].strip(b" \t"):
                raise Malformed("text follows the last boundary on its line")
            return parts
        if piece[:2] != b"\r\n":
            padding, line_end, rest = piece.partition(b"\r\n")
            if not line_end or padding.strip(b" \t"):
                raise Malformed("a boundary does not end with CRLF")
            piece = line_end + rest
        head, blank, value = piece.partition(b"\r\n\r\n")
        if not blank:
            raise Malformed("a part has no blank line after its headers")
        parts.append((head, value))
    raise Malformed("the last boundary is missing")


def _boundary(content_type: str) -> bytes:
    for name, quoted, bare in _PARAMETER.findall(content_type.encode("latin-1", "replace")):
        if name.lower() == b"boundary":
            boundary: bytes = _ESCAPED.sub(rb"\1", quoted) if quoted else bare
            if 1 <= len(boundary) <= 70:
                return boundary
    raise Malformed("multipart/form-data without a usable boundary")


@lru_cache(maxsize=16384)
def _head(block: bytes) -> _Head:
    """Name, file name and type in the headers of one part."""
    name = filename = None
    content_type = ""
    for line in block.split(b"\r\n"):
        key, colon, value = line.partition(b":")
        if line and not colon:
            raise Malformed("a header of a part has no colon")
        key = key.strip().lower()
        if key == b"content-type":
            content_type = value.strip().decode("latin-1")
        elif key == b"content-disposition":
            if value.partition(b";")[0].strip().lower() != b"form-data":
                continue
            name, filename = _disposition(value)
    return _Head(name, filename, content_type)


def _disposition(value: bytes) -> tuple[str | None, str | None]:
    found: dict[bytes, str] = {}
    end, last = value.find(b";"), len(value.rstrip())
    while 0 <= end < last:
        match = _PARAMETER.match(value, end)
        if match is None:
            raise Malformed("a Content-Disposition that cannot be read")
        name, quoted, bare = match.groups()
        raw = bare if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        found[name.lower()] = raw.decode("utf-8", "replace")
        end = match.end()
        while value[end : end + 1] in (b" ", b"\t"):
            end += 1
    return found.get(b"name"), found.get(b"filename")


def _unquote(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = _PERCENT.sub(lambda run: unhexlify(run[0].replace(b"%", b"")), raw)
    return raw.decode("utf-8", "replace")
