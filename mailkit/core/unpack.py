"""A body, unpacked piece by piece within a limit of memory.

The HTTP library could do it too, but what it takes at once is limited by its packed size, and a few
kilobytes can hold gigabytes.
"""

from __future__ import annotations

import zlib
from io import BytesIO

__all__ = ["ENCODINGS", "BadBody", "Body", "TooLong"]

ENCODINGS = "gzip, deflate"
"""What the Accept-Encoding header asks for."""

_KNOWN = ("identity", "gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS
_STEP = 2**18  # bytes that are unpacked at once


class BadBody(ValueError):
    """A body that is too long, cut off, or packed in a way that can't be read."""


class TooLong(BadBody):
    """A body of more bytes than it may have."""


class Body:
    """Takes the pieces of a body; it may have ``largest`` bytes, both packed and unpacked."""

    def __init__(self, encoding: str, largest: int) -> None:
        self._encoding = encoding.strip().lower() or "identity"
        self._largest = largest
        self._taken = 0
        self._whole = BytesIO()
        self._unpacker: zlib._Decompress | None = None
        if self._encoding not in _KNOWN:
            raise BadBody(f"a response encoded as {encoding[:40]!r}")

    def add(self, piece: bytes) -> None:
        """The next piece; raises BadBody as soon as it is one too many."""
        self._taken += len(piece)
        self._check(self._taken)
        if self._encoding == "identity":
            self._whole.write(piece)
        elif piece:
            self._unpack(piece)

    def whole(self) -> bytes:
        """All of it, once there are no more pieces."""
        if self._unpacker is not None and not self._unpacker.eof:
            raise BadBody(f"the response's {self._encoding} data is cut off")
        return self._whole.getvalue()

    def _unpack(self, piece: bytes) -> None:
        unpacker = self._unpacker
        if unpacker is None:
            # "deflate" means zlib's format by the book, but some services send the bare data.
            bare = self._encoding == "deflate" and piece[0] & 0x0F != 8
            unpacker = self._unpacker = zlib.decompressobj(_BARE if bare else _GZIP_OR_ZLIB)
        while piece:
            try:
                self._whole.write(unpacker.decompress(piece, _STEP))
            except zlib.error:
                raise BadBody(f"a response that is not {self._encoding} data") from None
            self._check(self._whole.tell())
            piece = unpacker.unconsumed_tail
        if unpacker.unused_data:
            raise BadBody(f"bytes after the end of the response's {self._encoding} data")

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise TooLong(f"a response of more than {self._largest} bytes")
