"""Rows that are planned together are those that are planned one by one."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from mailkit import Message, SmsBy
from mailkit.bulk import list_rows
from mailkit.bulk.columns import Columns
from mailkit.bulk.journal import InvalidRecord, PlannedRow
from mailkit.bulk.list_rows import ListRows
from mailkit.bulk.rows import Partial, Row
from mailkit.providers.smsby.dispatch import ChunkLimits, SmsByDispatch
from mailkit.template import Template

MESSAGES = [
    Message("a@b.by", "Hi {{ name }}", html="<p>{{ city | 'where you live' }}</p>{{ name }}"),
    Message("a@b.by", "Hi", text="{{ Who }}, {{ name }}"),
    Message("a@b.by", "Hi", html="for all"),
]
ADDRESSES = st.sampled_from(
    [
        "anna@mail.by",
        "Anna@mail.by",
        "anna@mail-1.co.by",
        "a" * 50 + "@mail-mail.by",
        "ann..a@mail.by",
        ".anna@mail.by",
        "anna.@mail.by",
        "@mail.by",
        "anna",
        "anna@",
        "anna@mail",
        "an\nna@mail.by",
        "anna@mail.by\nolga@mail.by",
        "anna@olga@mail.by",
        "anna@MAIL.by",
        "anna@почта.бел",
        "анна@mail.by",
        "Anna <anna@mail.by>",
        "anna@mail.by, anna@MAIL.by",
        "anna@mail.by, olga@mail.by",
        "an\0na@mail.by",
        "x" * 600,
        "",
    ]
)
VALUES = st.sampled_from(
    ["", " ", "Anna", "Анна", "O'Brien & <b>", "\0", "\\u0000", "a\nb", "\x85", '"', "ж" * 2_000]
)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """A batch, in which most batches' rows are of one kind."""
    addresses = draw(st.lists(ADDRESSES, min_size=1, max_size=3))
    values = draw(st.lists(VALUES, min_size=1, max_size=2))
    of_table = draw(st.booleans())
    return [
        draw(_row(line, addresses, values, of_table=of_table))
        for line in range(2, 2 + draw(st.integers(1, 5)))
    ]


@st.composite
def _row(
    draw: st.DrawFn, line: int, addresses: Sequence[str], values: Sequence[str], *, of_table: bool
) -> Row:
    address = draw(st.sampled_from(addresses))
    if draw(st.integers(0, 9)) == 0:
        return Row(line, address, () if of_table else {}, "a quote that is not closed")
    some = st.sampled_from(values)
    if of_table:
        return Row(line, address, draw(st.tuples(some, some)))
    fields = draw(st.dictionaries(st.sampled_from(["name", "city", "NAME", "email", "page"]), some))
    if draw(st.booleans()):
        return Row(line, address, fields)
    partial = Partial(fields)
    partial.leave_out("name", "an object")
    return Row(line, address, partial)


def planned(
    message: Message, batch: Sequence[Row], own: str | None, *, together: bool
) -> tuple[Sequence[PlannedRow], Sequence[InvalidRecord], bytes]:
    header = ("name", "city") if isinstance(batch[0].values, tuple) else None
    columns = Columns(Template.parse(message), header, address_column=own)
    limits = ChunkLimits(size=4_000)
    dispatch = SmsByDispatch(
        SmsBy("token"), message, columns.names, limits=limits, unsubscribe=None
    )
    found = ListRows(7, columns, dispatch)
    if together:
        rows, invalid = found.planned(batch)
    else:
        with mock.patch.object(list_rows, "are_common", lambda texts: [False] * len(texts)):
            rows, invalid = found.planned(batch)
    return list(rows), invalid, found.fingerprint(message)


@given(st.sampled_from(MESSAGES), rows(), st.sampled_from([None, "Who"]))
def test_rows_together_are_as_one_by_one(
    message: Message, batch: list[Row], own: str | None
) -> None:
    if own is None and message is MESSAGES[1]:
        own = "Who"
    together = planned(message, batch, own, together=True)
    assert together == planned(message, batch, own, together=False)
    ids = [row.id for rows in together[:2] for row in rows]
    assert sorted(ids) == [*range(8, 8 + len(batch))]
    assert {*map(type, together[0])} <= {PlannedRow}
    assert {*map(type, together[1])} <= {InvalidRecord}


def test_most_rows_go_together() -> None:
    batch = [Row(n, f"a{n}@B{n}.by".lower(), ("Anna", "Minsk")) for n in range(100)]
    batch[7] = Row(7, "Anna", ("Anna", "Minsk"))
    with mock.patch.object(ListRows, "_one", autospec=True, side_effect=ListRows._one) as one:
        rows, invalid, _ = planned(MESSAGES[0], batch, None, together=True)
    assert (len(rows), len(invalid), one.call_count) == (99, 1, 1)


def test_a_row_may_have_fields_that_those_before_it_lack() -> None:
    batch = [Row(1, "a@b.by", {"name": "Anna"}), Row(2, "b@c.by", {"name": "Olga", "page": "7"})]
    for message in (MESSAGES[0], MESSAGES[2]):
        found = planned(message, batch, None, together=True)
        assert found == planned(message, batch, None, together=False)
        assert (len(found[0]), len(found[1])) == (2, 0)
