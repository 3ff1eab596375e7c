"""COPY: how many rows come into a table at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["copied"]

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\ufffd"})


def copied(
    connection: psycopg.Connection[Any], table: str, columns: Mapping[str, Sequence[object]]
) -> None:
    """Insert rows, by their columns: texts, whole numbers and NULL."""
    texts = [[*map(_text, column)] for column in columns.values()]
    lines = "\n".join(map("\t".join, zip(*texts, strict=True)))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(lines + "\n")


def _text(value: object) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPED) if isinstance(value, str) else str(value)
