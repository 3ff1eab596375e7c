"""The lines of a file or stream, in blocks: its encoding, its line ends, and what is no text.

A block is a list of whole lines with their ends, of about 64 KB, so that memory stays flat
however long the file is. Lines end with LF, CR LF or CR.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

from mailkit.bulk.blanks import has_rare_blanks
from mailkit.bulk.kinds import kind_of_bytes
from mailkit.bulk.utf8 import is_mostly_utf8, misread
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy

__all__ = ["LONGEST", "REPLACED", "Lines", "Readable", "check_encoding"]

LONGEST = 1_000_000
"""Characters of a line; a longer one is cut somewhere beyond that, and can't be used."""

REPLACED = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that could not be decoded."""

_BLOCK = 1 << 16  # four times that takes twice the time a row
_BEGINNING = 400  # bytes that tell UTF-16 without a mark
_HEAD = 16  # bytes that tell the encoding, or that it is no text
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Readable(Protocol):
    """An open file, binary or text."""

    def read(self, size: int, /) -> bytes | str:
        """At most so many bytes, or characters; nothing at the end."""
        ...


def check_encoding(encoding: str) -> None:
    """Raise InvalidArgument if Python knows no text encoding of that name."""
    try:
        codecs.getincrementaldecoder(encoding)
        "x".encode(encoding)  # refuses those that are no text encodings, as base64
    except (LookupError, ValueError, TypeError):
        raise InvalidArgument(
            f"encoding: {encoding!r} is not a text encoding; use e.g. utf-8 or cp1251"
        ) from None


class Lines:
    """The blocks of lines of ``file``: a path, which is opened and closed here, or a binary or
    text file object, which stays open.

    A byte-order mark decides the encoding, else ``encoding``, else it is UTF-8, or UTF-16 if every
    other byte says so; what is not UTF-8
    is read as ``fallback``, if that is given, or else replaced if ``lenient``. Errors, all
    InvalidArgument, say ``name``, and ``option``, which is the command line's for the encoding.
    ``bytes_read`` of ``size`` (None where that can't be known) tell how far reading is,
    ``rare_blanks`` that the text has had blanks outside of ASCII, and ``fault`` what was the first
    that could not be decoded, and was replaced.
    """

    def __init__(
        self,
        file: Path | Readable,
        name: str,
        encoding: str | None = None,
        *,
        lenient: bool = False,
        option: str = "--encoding",
        fallback: str | None = None,
    ) -> None:
        self.name = name
        self.bytes_read = 0
        self.rare_blanks = False
        self.size: int | None = None
        self.fault = ""
        self._file = file
        self._encoding = encoding
        self._lenient = lenient
        self._option = option
        self._fallback = fallback
        self._line_ends = 0
        self._after_cr = False
        self._beyond_ascii = False  # in what was decoded so far

    def __iter__(self) -> Generator[list[str], None, None]:
        if not isinstance(self._file, Path):
            yield from self._blocks(self._file)
            return
        try:
            file = self._file.open("rb", buffering=0)
        except FileNotFoundError:
            raise InvalidArgument(f"there is no file {self._file}") from None
        except IsADirectoryError:
            raise InvalidArgument(f"{self._file} is a directory; give a file") from None
        except (OSError, ValueError) as error:  # ValueError: NUL in the path
            raise InvalidArgument(f"{self._file} can't be read: {_why(error)}") from None
        with file:
            yield from self._blocks(file)

    def _blocks(self, file: Readable) -> Iterator[list[str]]:
        self.size = _size(file)
        blocks = _whole_lines(self._clean(self._texts(file)))
        for first in blocks:
            if "\0" in first[0]:
                raise InvalidArgument(
                    f"{self.name} has NUL bytes in its first line: it is not text, or it has "
                    f"another encoding; give it, e.g. {self._example()}"
                )
            yield first
            break
        yield from blocks

    def _clean(self, texts: Iterator[str]) -> Iterator[str]:
        for text in texts:
            if not text.isascii():
                try:
                    encoded = text.encode()
                except UnicodeEncodeError:
                    raise InvalidArgument(
                        f"{self.name} has bytes that its encoding could not read; open it with "
                        "the encoding it has"
                    ) from None
                self.rare_blanks = self.rare_blanks or has_rare_blanks(encoded)
            yield text

    def _texts(self, file: Readable) -> Iterator[str]:
        data = self._read(file)
        if isinstance(data, str):
            if self._encoding is not None:
                raise InvalidArgument(f"{self.name} is open as text: encoding= comes too late")
            data = data.removeprefix("\ufeff")
            while data:
                yield data
                data = self._read(file)
            return
        while len(data) < _HEAD and (more := self._read(file)):
            data += more
        if what := kind_of_bytes(data):
            raise InvalidArgument(f"{self.name} is {what}")
        marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
        if marked is None and self._encoding is None:
            marked = _unmarked(data[:_BEGINNING])
        encoding = marked or self._encoding or "utf-8"
        told = marked or self._encoding
        fallback = None if told else self._fallback
        if self._lenient and not told:
            fallback = fallback or encoding
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        while True:
            if marked is None and self._encoding is not None:
                self._check_misread(data, encoding)
            try:
                text = decoder.decode(data, not data)
            except UnicodeDecodeError as error:
                if fallback:
                    self.fault = self._undecodable(error, encoding)
                    data = decoder.getstate()[0] + data
                    if self._is_utf8(error, encoding):
                        fallback = encoding
                    decoder = codecs.getincrementaldecoder(fallback)("replace")
                    fallback = None
                    continue
                raise InvalidArgument(self._undecodable(error, encoding)) from None
            except UnicodeError as error:  # UTF-16 that ends within a character
                raise InvalidArgument(f"{self.name} is not {encoding}: {error}") from None
            self._line_ends += self._count(text)
            self._after_cr = text.endswith("\r") if text else self._after_cr
            self._beyond_ascii = self._beyond_ascii or not text.isascii()
            yield text
            if not data:
                return
            data = self._read(file)

    def _count(self, text: str) -> int:
        """The line ends of a text that goes on where the last one ended."""
        if not self._after_cr and "\r" not in text:
            return text.count("\n")
        halves = text.count("\r\n") + (self._after_cr and text.startswith("\n"))
        return text.count("\n") + text.count("\r") - halves

    def _read(self, file: Readable) -> Any:
        # A pipe's read() waits until all is there; read1() gives what has come.
        read = getattr(file, "read1", file.read)
        try:
            data = read(_BLOCK)
        except UnicodeDecodeError as error:
            raise InvalidArgument(
                f"{self.name} was opened with another encoding than it has: {error}"
            ) from None
        except (OSError, ValueError) as error:  # ValueError: a closed file
            raise InvalidArgument(f"{self.name} can't be read: {_why(error)}") from None
        if not isinstance(data, bytes | str):
            raise InvalidArgument(
                f"{self.name} gives {type(data).__name__} where a file gives bytes or text"
            )
        self.bytes_read += len(data)
        return data

    def _example(self) -> str:
        return remedy("encoding='cp1251'", f"{self._option} cp1251")

    def _undecodable(self, error: UnicodeDecodeError, encoding: str) -> str:
        at = self.bytes_read - len(error.object) + error.start + 1
        line = self._line_ends + self._count(_head(error)) + 1
        byte = f"byte {at} of the file is 0x{error.object[error.start]:02x}"
        if self._is_utf8(error, encoding):
            return f"{self.name} is UTF-8, but not in line {line}: {byte}; correct that line"
        return (
            f"{self.name} is not {encoding}: line {line}, {byte}; give its encoding, e.g. "
            f"{self._example()}"
        )

    def _is_utf8(self, error: UnicodeDecodeError, encoding: str) -> bool:
        """Whether the file is UTF-8, as far as it was read, but for these bytes."""
        utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
        return utf8 and (self._beyond_ascii or is_mostly_utf8(error.object))

    def _check_misread(self, data: bytes, encoding: str) -> None:
        """Refuse text in UTF-8 that another encoding would make gibberish of."""
        span = misread(data, encoding)
        if span is None:
            return
        line = self._line_ends + self._count(data[: span[0]].decode(encoding, "replace")) + 1
        given = remedy(f"encoding={self._encoding!r}", f"{self._option} {self._encoding}")
        raise InvalidArgument(
            f"{self.name} is UTF-8, not {encoding}, in line {line}, which would read "
            f"{data[slice(*span)].decode(encoding, 'replace')!r}; leave out {given}"
        )


def _unmarked(data: bytes) -> str | None:
    """UTF-16, if this is how text in it begins: every ASCII character has a NUL on one side."""
    for encoding, high, low in (
        ("utf-16-le", data[1::2], data[::2]),
        ("utf-16-be", data[::2], data[1::2]),
    ):
        if high.count(0) * 2 > len(high) and 0 not in low:
            return encoding
    return None


def _head(error: UnicodeDecodeError) -> str:
    """What stands before the bytes that can't be decoded."""
    head = error.object[: error.start]
    try:
        return head.decode(error.encoding, "replace")
    except LookupError:  # a name that only the codec itself knows
        return head.decode("latin-1")


def _whole_lines(texts: Iterator[str]) -> Iterator[list[str]]:
    rest = ""
    skipping = False  # the rest of a line that is too long
    for text in texts:
        text = rest + text
        end = len(text) - text.endswith("\r")  # which may be half of a CR LF
        cut = max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1
        rest = text[cut:]
        lines = list(io.StringIO(text[:cut], newline=""))
        if skipping and lines:
            skipping = False
            del lines[0]
        if skipping:
            rest = rest[-1:]
        elif len(rest) > LONGEST:
            skipping = True
            lines.append(rest)
            rest = rest[-1:]
        if lines:
            yield lines
    if rest and not skipping:
        yield list(io.StringIO(rest, newline=""))


def _why(error: OSError | ValueError) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return said.lower() if said else str(error)


def _size(file: Readable) -> int | None:
    if not isinstance(file, io.FileIO | io.BufferedReader):
        return None  # bytes read of a GzipFile, say, are not those of its file
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):  # ValueError: a closed file
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
