"""Rows put together, as many as one request takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["packed"]


def packed(rows: Sequence[tuple[int, int]], most: int, size: int) -> Iterator[Sequence[int]]:
    """The ids of rows (id and bytes), in groups of at most ``most`` rows and ``size`` bytes; a row
    that is larger has a group of its own.
    """
    chunk: list[int] = []
    total = 0
    for row_id, weight in rows:
        if chunk and (len(chunk) >= most or total + weight > size):
            yield chunk
            chunk, total = [], 0
        chunk.append(row_id)
        total += weight
    if chunk:
        yield chunk
