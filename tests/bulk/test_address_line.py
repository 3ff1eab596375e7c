"""Addresses of a line: the quick way says what the general one says."""

from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.bulk import address_line
from mailkit.bulk.address_line import addresses_in

SIGNS = "aБ@.-_+% \t\n\r,;|'\"<>\u200b\xa0"
WORDS = ["mailto:", "smtp:", "(x)", "[a@b.by](a@b.by)", " ::: ", "a@b.by"]
PARTS = st.sampled_from([*SIGNS, *WORDS])


@given(st.lists(PARTS, max_size=8).map("".join))
@example("a@b.by")
@example(" a.b+c%d@b-c.by\r\n")
@example("a@b.by\n\n")
@example("a@b")
@example("_@-")
def test_a_line_with_one_address_is_read_as_any_line(line: str) -> None:
    quick = addresses_in(line)
    with mock.patch.object(address_line, "_plain", return_value=None):
        assert addresses_in(line) == quick
