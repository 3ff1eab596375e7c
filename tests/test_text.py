"""Text: what is at the ends of a value, and when two names are one."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mailkit.text import ADDRESS, BLANKS, column_name, stripped, without_addresses

ODD = st.text(
    st.sampled_from(" \t\n\xa0\u200b\u200d\u202e\u2060\ufeff\u3164\x1aaи\u0306é"), max_size=8
)


@given(ODD)
def test_a_name_is_written_in_one_way(text: str) -> None:
    name = column_name(text)
    assert column_name(name) == name
    assert name == stripped(name) == unicodedata.normalize("NFC", name)
    assert column_name(f"\ufeff {text}\xa0") == name


def test_what_cannot_be_seen_is_no_part_of_a_name() -> None:
    for text, name in {
        "": "",
        " Name ": "Name",
        "\ufeffИмя\xa0": "Имя",
        "Имя\xa0клиента": "Имя клиента",
        "First\r\n  name": "First name",
        "Na\xadme\u200b": "Name",
        "\u202aИмя\u202c": "Имя",
        "Ими\u0306": "Имй",
        "\u200f\u2028\u3164\x1a": "",
        "Name (full), %": "Name (full), %",
        "👩\u200d💻": "👩\u200d💻",
    }.items():
        assert column_name(text) == name, repr(text)


def test_a_value_loses_its_ends_alone() -> None:
    for char in BLANKS:
        assert stripped(f"{char}{char}Anna {char}P{char}") == f"Anna {char}P", hex(ord(char))
    assert stripped("❤\ufe0f") == "❤\ufe0f"


def test_addresses_are_taken_out_of_a_text() -> None:
    for text, shown in {
        "nothing": "nothing",
        "a@b.by": ADDRESS,
        "Анна <анна@почта.бел>, o'hara@b.by; x": f"Анна <{ADDRESS}>, {ADDRESS}; x",
        '{"to":["a+b@c.by"]}': f'{{"to":["{ADDRESS}"]}}',
        "/unsubscribe?e=anna%40mail.by now": f"{ADDRESS} now",
        "not a%20b": "not a%20b",
    }.items():
        assert without_addresses(text) == shown


@given(st.text("ab@%40 <>,", max_size=50))
def test_whatever_the_text_no_sign_of_an_address_is_left(text: str) -> None:
    shown = without_addresses(text)
    assert "@" not in shown
    assert "%40" not in shown
    assert without_addresses(shown) == shown
