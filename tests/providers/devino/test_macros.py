"""Placeholders become macros, values merge fields; what can't be sent so is refused."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from mailkit.errors import InvalidArgument, Unsupported
from mailkit.message import Message
from mailkit.providers.devino.macros import Macros
from mailkit.template import InvalidRow


def macros(body: str, columns: tuple[str, ...] = ("name", "city"), *, html: bool = True) -> Macros:
    sender, subject = "news@shop.example", "Autumn"
    body += "{{ unsubscribe }}"
    message = Message(sender, subject, html=body) if html else Message(sender, subject, text=body)
    return Macros(message, ("email", *columns))


def test_placeholders_become_macros_and_values_merge_fields() -> None:
    made = macros("Hi {{ name }} of {{city}}, {{ name }}, {{ email }}! ")
    assert made.body == "Hi [name] of [city], [name], [email]! [Unsubscribe]"
    assert made.values(("a@shop.example", "Ann", "Minsk")) == {
        "name": "Ann",
        "city": "Minsk",
        "email": "a@shop.example",
    }


def test_fields_that_the_letter_does_not_use_stay_at_home() -> None:
    assert macros("Hi").values(("a@shop.example", "Ann", "Minsk")) == {}


def test_blank_values_get_their_default_and_two_defaults_are_two_macros() -> None:
    made = macros("{{ name | 'friend' }}, {{ name | 'you' }}, {{ name | 'friend' }}")
    assert made.body == "[name], [name_2], [name][Unsubscribe]"
    assert made.values(("", " ", "")) == {"name": "friend", "name_2": "you"}
    assert made.values(("", "Ann", "")) == {"name": "Ann", "name_2": "Ann"}


def test_a_blank_value_without_a_default_makes_the_row_invalid() -> None:
    with pytest.raises(InvalidRow, match=r"no value for \{\{ city \}\}"):
        macros("{{ city }}").values(("", "Ann", "\t"))


def test_values_are_escaped_in_html_and_can_t_hold_a_macro() -> None:
    row = ("", "<b>Ann & [Unsubscribe]", "")
    assert macros("{{ name }}").values(row) == {"name": "&lt;b&gt;Ann &amp; &#91;Unsubscribe]"}

    text = macros("{{ name }} {{ имя }}", ("name", "имя"), html=False)
    assert text.values(("", "<b>Ann & [Ann]", "b")) == {"name": "<b>Ann & [Ann]", "field": "b"}
    for value in ("[Unsubscribe]", "Ann [ webversion ]", "[[field]]", "[Name]"):
        with pytest.raises(InvalidRow, match="may take for a macro"):
            text.values(("", value, "b"))


def test_columns_whose_names_a_macro_can_t_have_get_another() -> None:
    made = macros(
        "{{ имя }} {{ first name }} {{ webversion }}", ("имя", "first name", "webversion")
    )
    assert made.body == "[field] [field_2] [webversion_2][Unsubscribe]"
    assert list(made.values(("", "a", "b", "c")).values()) == ["a", "b", "c"]


def test_a_value_in_an_address_is_a_macro_of_its_own() -> None:
    made = macros("{{ Name }} <a href='https://x.by/{{ name }}?n={{ name }}'>{{ name | url }}</a>")
    assert (
        made.body == "[name] <a href='https://x.by/[name_2]?n=[name_3]'>[name_3]</a>[Unsubscribe]"
    )
    assert made.values(("", "a/[b]&", "")) == {
        "name": "a/&#91;b]&amp;",
        "name_2": "a/%5Bb%5D%26",
        "name_3": "a%2F%5Bb%5D%26",
    }


def test_brackets_in_a_placeholder_are_no_macro() -> None:
    made = macros("{{ Name [city] }}", ("Name [city]", "city"))
    assert made.body == "[field][Unsubscribe]"
    assert made.values(("", "x", "y")) == {"field": "x"}


def test_other_brackets_stay_and_no_macro_takes_their_word() -> None:
    made = macros("<!--[if mso]> a[href] [field] [WebVersion] {{ имя }}", ("имя",))
    assert made.body == "<!--[if mso]> a[href] [field] [WebVersion] [field_2][Unsubscribe]"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("Hi [Name]", r"write \{\{ name \}\}"),
        ("Hi [ email ]", r"write \{\{ email \}\}"),
        ("[unsubscribe]", r"macro is \[Unsubscribe\]"),
        ("[ WebVersion]", r"macro is \[WebVersion\]"),
        ("{{ nmae }}", "did you mean"),
    ],
)
def test_probable_slips_are_named(body: str, word: str) -> None:
    with pytest.raises(InvalidArgument, match=word):
        macros(body)


def test_a_body_without_a_way_to_unsubscribe_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="unsubscribe"):
        Macros(Message("news@shop.example", "Autumn", html="Hi"), ("email",))
    made = Macros(Message("news@shop.example", "Autumn", html="[Unsubscribe]"), ("email",))
    assert made.body == "[Unsubscribe]"


@pytest.mark.parametrize("subject", ["Hi {{ name }}", "Hi {{ unsubscribe }}"])
def test_the_subject_takes_no_placeholders(subject: str) -> None:
    with pytest.raises(Unsupported, match="subject"):
        Macros(Message("news@shop.example", subject, html="[Unsubscribe]"), ("email", "name"))


def calls(count: int, body: str, columns: str = "name") -> Counter[str]:
    """The calls of built-in methods that a body of so many placeholders takes, by their names."""
    text = "".join(body.format(n=n) for n in range(count)) + "{{ unsubscribe }}"
    message = Message("news@shop.example", "Autumn", html=text)
    names = [columns.format(n=n) for n in range(count if "{" in columns else 1)]
    counted: Counter[str] = Counter()

    def count_one(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            counted[called.__name__] += 1

    sys.setprofile(count_one)
    try:
        made = Macros(message, names)
    finally:
        sys.setprofile(None)
    assert len(set(made.values(names).values())) == (count if "{" in columns else 1)
    assert len(made.values(names)) == count
    return counted


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        ("{{{{ name | '{n}' }}}}", "name"),
        ("{{{{ имя | '{n}' }}}}", "имя"),
        ("{{{{ n{n} }}}}", "n{n}"),
        ("{{{{ поле {n} }}}}", "поле {n}"),
        ("[field_{n}] {{{{ имя | '{n}' }}}}", "имя"),
    ],
)
def test_twice_the_placeholders_are_twice_the_work(body: str, columns: str) -> None:
    once, twice = calls(200, body, columns), calls(400, body, columns)
    assert twice.total() < 2.1 * once.total()
    assert once["index"] == 0  # a search, each time from the beginning
