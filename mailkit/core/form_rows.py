"""Long lists in a form: a record for each row, written column by column.

    delivery_list[0][email]=…&delivery_list[0][subject]=…&delivery_list[1][email]=…

The fields of the recipients are nearly all that a bulk send writes, so there is no step here that
Python takes once for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import cast

import attrs

from mailkit.text import utf8

__all__ = ["FormRows", "Piece"]

Piece = bytes | Sequence[str] | Sequence[str | bytes]
"""A piece of a field's texts: the same in all rows, or what each row has there. Bytes are UTF-8."""


@attrs.frozen
class FormRows:
    """``count`` rows under the ``key``, each with the same fields: ``key[0]`` and the end of the
    field's name, such as ``[email]``. A field's texts come in pieces that follow each other.
    """

    key: str
    count: int
    fields: Mapping[str, Sequence[Piece]] = attrs.field(repr=False)

    def name(self, n: int, end: str) -> str:
        """The name of a field of row ``n``."""
        return f"{self.key}[{n}]{end}"

    def texts(self, end: str) -> Sequence[str] | Sequence[str | bytes]:
        """The texts of a field, row by row."""
        pieces = self.fields[end]
        if len(pieces) == 1 and not isinstance(pieces[0], bytes):
            return pieces[0]
        columns = [
            [piece] * self.count if isinstance(piece, bytes) else piece
            for piece in self._encoded(end)
        ]
        return [*map(b"".join, zip(*columns, strict=True))]

    def multipart(self, mark: bytes) -> list[bytes]:
        """The pieces of a multipart body, each part behind the mark."""
        start = b'%bContent-Disposition: form-data; name="%b[' % (mark, self.key.encode())
        columns: list[bytes | Sequence[bytes]] = []
        for end in self.fields:
            columns += (start, _numbers(self.count), f']{end}"\r\n\r\n'.encode())
            columns += self._encoded(end)
        return _interleaved(columns, self.count)

    def _encoded(self, end: str) -> list[bytes | Sequence[bytes]]:
        try:
            return [*map(_encoded, self.fields[end])]
        except UnicodeEncodeError:
            for piece in self.fields[end]:
                for n, text in enumerate(piece):
                    if isinstance(text, str):
                        utf8(text, self.name(n, end))
            raise


def _encoded(piece: Piece) -> bytes | Sequence[bytes]:
    if isinstance(piece, bytes):
        return piece
    if {*map(type, piece)} == {str}:
        return [*map(str.encode, cast("Sequence[str]", piece))]
    return [text.encode() if isinstance(text, str) else text for text in piece]


def _interleaved(columns: Iterable[bytes | Sequence[bytes]], count: int) -> list[bytes]:
    """The columns' items row by row; what stands side by side in every row becomes one."""
    joined: list[bytes | Sequence[bytes]] = []
    for column in columns:
        last = joined[-1] if joined else None
        if isinstance(column, bytes) and isinstance(last, bytes):
            joined[-1] = last + column
        elif column:
            joined.append(column)
    items = [b""] * (count * len(joined))
    for place, column in enumerate(joined):
        items[place :: len(joined)] = [column] * count if isinstance(column, bytes) else column
    return items


@lru_cache(maxsize=8)
def _numbers(count: int) -> Sequence[bytes]:
    return [b"%d" % n for n in range(count)]
