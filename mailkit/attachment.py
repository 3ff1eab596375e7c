"""A file that goes with a message, and how files are read."""

from __future__ import annotations

import os
from functools import cache
from mimetypes import MimeTypes
from pathlib import Path

import attrs

from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy
from mailkit.text import header_text, utf8

__all__ = ["Attachment", "read_file"]

_LARGEST = 50_000_000  # bytes of one file; mail services take messages of about half of that


def _bytes(content: bytes | str | Path) -> bytes:
    if isinstance(content, Path):
        return read_file(content, "attachment")
    if isinstance(content, str):
        return utf8(content, "attachment")
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    raise InvalidArgument(
        f"attachment: give bytes, text or a Path as the content, not {type(content).__name__}"
    )


def _file_name(name: str) -> str:
    name = header_text(name, "name of the attachment")
    if not name.strip() or name in {".", ".."}:
        raise InvalidArgument(f"attachment: {name!r} is not a file name; use e.g. price.pdf")
    for char in '"/\\':
        if char in name:
            raise InvalidArgument(
                f"attachment: {char!r} in the file name {name!r}: "
                + remedy("give another with name=…", "rename the file")
            )
    return name


def _content_type(value: str) -> str:
    value = header_text(value, "content_type of the attachment")
    kind, slash, subtype = value.partition("/")
    if not (kind and slash and subtype) or " " in kind:
        raise InvalidArgument(f"attachment: content_type {value!r} is not of the form type/subtype")
    return value


def _guessed_type(file: Attachment) -> str:
    return _types().guess_type(file.name)[0] or "application/octet-stream"


@cache
def _types() -> MimeTypes:
    """An instance of its own, since the functions of mimetypes use the machine's tables."""
    return MimeTypes()


@attrs.frozen
class Attachment:
    """A file that goes with a message: its ``name`` there, its ``content``, its ``content_type``.

    The content is bytes, text (sent as UTF-8) or the Path of a file of at most 50 MB, which is
    read at once, so that the attachment never changes afterwards. The type is guessed from the
    name. Raises InvalidArgument for a file that can't be read, and for a name with a control
    character, a quote or a path separator.
    """

    name: str = attrs.field(converter=_file_name)
    content: bytes = attrs.field(converter=_bytes, repr=lambda content: f"<{len(content)} bytes>")
    content_type: str = attrs.field(
        default=attrs.Factory(_guessed_type, takes_self=True), converter=_content_type
    )

    @classmethod
    def of(cls, source: Attachment | Path | str | bytes, name: str | None = None) -> Attachment:
        """An attachment from a path (a Path, or a str), from bytes with a ``name``, or as it is."""
        if isinstance(source, Attachment):
            return source if name is None else attrs.evolve(source, name=name)
        if isinstance(source, bytes):
            if name is None:
                raise InvalidArgument("attachment: bytes need a name; give name=…")
            return cls(name, source)
        if not isinstance(source, str | Path):
            raise InvalidArgument(
                f"attachment: give a path, bytes or an Attachment, not {type(source).__name__}"
            )
        path = Path(source)
        return cls(path.name if name is None else name, path)


def read_file(path: Path, place: str) -> bytes:
    """The bytes of a regular file of at most 50 MB; else InvalidArgument that names ``place``.

    A file with more or fewer bytes than its size is refused: one that the system generates while
    it is read, such as those in /proc, or one that is being written.
    """
    try:
        if path.is_dir():
            raise InvalidArgument(f"{place}: {path} is a directory; give a file")
        if path.exists() and not path.is_file():
            raise InvalidArgument(f"{place}: {path} is not a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(_LARGEST + 1)
    except InvalidArgument:
        raise
    except FileNotFoundError:
        raise InvalidArgument(f"{place}: there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in a path
        raise InvalidArgument(f"{place}: {path} can't be read: {error}") from None
    if len(content) > _LARGEST:
        raise InvalidArgument(
            f"{place}: {path} is larger than {_LARGEST // 1_000_000} MB, too large for a message"
        )
    if len(content) != size:
        raise InvalidArgument(
            f"{place}: {path} is not a file on a disk, or is being written: its size is {size} "
            f"bytes, and {len(content)} were read"
        )
    return content
