"""Many values in one statement.

Each step of SQLite gives the interpreter's lock away and must win it back from the event loop's
thread, which costs more than a row. How many marks a statement has is a power of two, so that the
statements are few and stay prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from typing import TypeVar

__all__ = ["in_columns", "in_parts", "in_rows", "one_of"]

T = TypeVar("T")

_MOST = 512  # values, or rows of values, in one statement


def in_parts(values: Iterable[T]) -> Iterator[tuple[str, Sequence[T]]]:
    """The marks between the parentheses of an ``IN ()``, and the values for them; the last one is
    there several times.
    """
    left = iter(values)
    while some := list(islice(left, _MOST)):
        count = 1 << (len(some) - 1).bit_length()
        yield _marks(count), some + some[-1:] * (count - len(some))


def in_rows(rows: Iterable[Sequence[object]]) -> Iterator[tuple[str, Sequence[object]]]:
    """What comes after ``VALUES`` for rows of values, and all these values."""
    left = iter(rows)
    while some := list(islice(left, _MOST)):
        while some:
            count = 1 << (len(some).bit_length() - 1)
            places = ", ".join([f"({_marks(len(some[0]))})"] * count)
            yield places, list(chain.from_iterable(some[:count]))
            some = some[count:]


def in_columns(columns: Sequence[Sequence[object]]) -> Iterator[tuple[str, Sequence[object]]]:
    """The same as ``in_rows``, for values that are there column by column."""
    width, left, first = len(columns), len(columns[0]), 0
    while left:
        count = min(_MOST, 1 << (left.bit_length() - 1))
        values: list[object] = [None] * (count * width)
        for place, column in enumerate(columns):
            values[place::width] = column[first : first + count]
        yield ", ".join([f"({_marks(width)})"] * count), values
        first, left = first + count, left - count


def one_of(values: Collection[object]) -> str:
    """The marks between the parentheses of an ``IN ()`` for these, of which there may be none."""
    return _marks(len(values)) or "NULL"


@cache
def _marks(count: int) -> str:
    return ", ".join("?" * count)
