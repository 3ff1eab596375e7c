"""Rows of a report as CSV: a line that is put together at once is what the csv module writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.spreadsheets import harmless, is_plain

from ...examples import examples

CELLS = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.text(alphabet=",\"'=+-@\t\r\n \0\x85\u2028＝＋－＠ab", max_size=4),
        st.sampled_from(["p1@example.com", "2", "accepted", "Minsk", "", " "]),
    ),
    min_size=1,
    max_size=5,
)


@examples(400)
@given(CELLS)
def test_a_plain_line_is_what_the_csv_module_writes(cells: Sequence[str]) -> None:
    line = ",".join(cells)
    if is_plain(cells, line):
        file = io.StringIO(newline="")
        csv.writer(file, lineterminator="\n").writerow(map(harmless, cells))
        assert file.getvalue() == line + "\n"


def test_most_lines_are_plain() -> None:
    for cells in (["p@example.com", "", "2", "accepted"], ["p@example.com", "O'Neil", "a=b"]):
        assert is_plain(cells, ",".join(cells))
    for cells in (["=1", "2"], ["a", "'=1"], ["a", "-1"], ["a", "1\n2"], ["a,b", "c"], ['"', "c"]):
        assert not is_plain(cells, ",".join(cells))
    assert not is_plain([" "], " ")
