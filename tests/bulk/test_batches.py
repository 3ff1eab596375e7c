"""Batches: rows as columns are the same rows, and the same statements."""

import sqlite3
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal.batches import in_columns, in_rows
from mailkit.core.batch import Batch


class Pair(NamedTuple):
    n: int
    text: str | None


PAIRS = st.lists(st.builds(Pair, st.integers(0, 9), st.none() | st.text()))


@given(PAIRS, PAIRS, st.slices(8))
def test_a_batch_is_the_list_of_its_rows(some: list[Pair], more: list[Pair], part: slice) -> None:
    batch = Batch.of(Pair, some)
    assert Batch.of(Pair, batch) is batch
    assert (len(batch), bool(batch)) == (len(some), bool(some))
    assert [batch[n] for n in range(len(some))] == list(batch) == some
    assert {*map(type, batch), *(type(batch[n]) for n in range(len(some)))} <= {Pair}
    assert batch == some
    assert (batch == Batch.of(Pair, more)) is (some == more)
    assert list(batch[part]) == some[part]
    assert list(batch + Batch.of(Pair, more)) == some + more


@given(st.integers(1, 1_600), st.integers(1, 4))
def test_columns_are_stored_as_their_rows(count: int, width: int) -> None:
    rows = [tuple(n * width + place for place in range(width)) for n in range(count)]
    columns = [*zip(*rows, strict=True)]
    names = [f"c{place}" for place in range(width)]
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE stored ({', '.join(names)})")
    for marks, values in in_columns(columns):
        db.execute(f"INSERT INTO stored VALUES {marks}", values)
    assert db.execute("SELECT * FROM stored ORDER BY rowid").fetchall() == rows
    assert [*in_columns(columns)] == [(marks, list(values)) for marks, values in in_rows(rows)]
    db.close()
