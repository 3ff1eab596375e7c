"""Placeholders as SendPulse's variables: their names, and the values that fill them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.sendpulse.placeholders import Placeholders
from mailkit.template import InvalidRow


def placeholders(
    html: str, *columns: str, subject: str = "Autumn", escape: bool = True
) -> Placeholders:
    message = Message("Shop <news@shop.by>", subject, html=html)
    return Placeholders(
        message, ("email", *columns), unsubscribe="{{unsubscribe_url}}", escape=escape
    )


def test_a_placeholder_becomes_a_variable_of_letters() -> None:
    made = placeholders("{{ name }} {{ first name }} {{ цена 2 }} {{ a_1 }}", *NAMES)
    assert made.html == "{{name}} {{firstname}} {{цена}} {{a}}"
    assert made.values(("x@y.by", "Anna", "A", "5", "z")) == {
        "name": "Anna",
        "firstname": "A",
        "цена": "5",
        "a": "z",
    }


NAMES = ("name", "first name", "цена 2", "a_1")


def test_names_that_are_taken_get_more_letters() -> None:
    columns = ("a 1", "a 2", "A", "email2", "Phone", "-", "1")
    body = "".join(f"{{{{ {name} }}}}" for name in columns)
    made = placeholders(body, *columns)
    assert made.html == "{{a}}{{aA}}{{aB}}{{emailA}}{{PhoneA}}{{field}}{{fieldA}}"
    assert made.names == {
        "a": "a 1",
        "aA": "a 2",
        "aB": "A",
        "emailA": "email2",
        "PhoneA": "Phone",
        "field": "-",
        "fieldA": "1",
    }


def test_the_address_is_a_column_like_any_other() -> None:
    made = placeholders("{{ email }}")
    assert made.html == "{{emailA}}"
    assert made.values(("o'brien@x.by",)) == {"emailA": "o&#x27;brien@x.by"}


def test_each_default_and_each_place_has_a_variable_of_its_own() -> None:
    body = "{{ name }} {{ name | 'you' }} {{ name | 'you' }} {{ name | 'all' }}"
    made = placeholders(body, "name", subject="Hi {{ name | 'you' }}")
    assert made.subject == "Hi {{name}}"
    assert made.html == "{{nameA}} {{nameB}} {{nameB}} {{nameC}}"
    assert made.values(("x@y.by", "A&B")) == {
        "name": "A&B",
        "nameA": "A&amp;B",
        "nameB": "A&amp;B",
        "nameC": "A&amp;B",
    }
    with pytest.raises(InvalidRow, match="no value for"):
        made.values(("x@y.by", " "))


def test_a_value_in_an_address_is_a_variable_of_its_own() -> None:
    body = "{{ Name }} <a href='https://x.by/{{ name }}?n={{ name }}'>{{ name | url }}</a>"
    made = placeholders(body, "name", escape=False)
    assert made.html == "{{name}} <a href='https://x.by/{{nameA}}?n={{nameB}}'>{{nameB}}</a>"
    values = {"name": "a/b&", "nameA": "a/b%26", "nameB": "a%2Fb%26"}
    assert made.values(("x@y.by", "a/b&")) == values


def test_contacts_of_an_older_job_with_fewer_variables_are_refused() -> None:
    message = Message("Shop <news@shop.by>", "Hi", html="{{ a }}<a href='https://x.by/{{ a }}'>")
    with pytest.raises(InvalidArgument, match="by another version"):
        Placeholders(message, ("email", "a"), unsubscribe="", names=["a"])


def test_blank_values_are_filled_here() -> None:
    made = placeholders("{{ name | '<you>' }}", "name")
    assert made.values(("x@y.by", " \t")) == {"name": "&lt;you&gt;"}


def test_the_services_own_link() -> None:
    made = placeholders('<a href="{{ unsubscribe }}">{{ unsubscribe }}</a>')
    assert made.html == '<a href="{{unsubscribe_url}}">{{unsubscribe_url}}</a>'
    assert made.values(("x@y.by",)) == {}
    with pytest.raises(InvalidArgument, match="subject"):
        placeholders("x", subject="Leave: {{ unsubscribe }}")


def test_no_value_holds_a_variable() -> None:
    made = placeholders("{{ name }}", "name", subject="Hi")
    assert made.values(("x@y.by", "{{email}} {")) == {"name": "&#123;&#123;email}} &#123;"}
    for subject, escape in (("Hi {{ name }}", True), ("Hi", False)):
        made = placeholders("{{ name }}", "name", subject=subject, escape=escape)
        with pytest.raises(InvalidRow, match="SendPulse may take for a variable"):
            made.values(("x@y.by", "{{email}}"))


def test_a_line_break_has_no_place_in_a_subject() -> None:
    made = placeholders("{{ name }}", "name", subject="Hi {{ name }}")
    with pytest.raises(InvalidRow, match="line break"):
        made.values(("x@y.by", "Anna\nBcc: x"))
    assert placeholders("{{ name }}", "name").values(("x@y.by", "a\nb")) == {"name": "a\nb"}


def test_values_can_stay_as_they_are() -> None:
    made = placeholders("{{ name }}", "name", escape=False)
    assert made.values(("x@y.by", "<b>\n")) == {"name": "<b>\n"}


def test_stored_names_are_used_again() -> None:
    message = Message("Shop <news@shop.by>", "Hi {{ name }}", html="{{ name }}{{ city }}")
    made = Placeholders(
        message, ("email", "name", "city"), unsubscribe="", names=("first", "second", "third")
    )
    assert (made.subject, made.html) == ("Hi {{first}}", "{{second}}{{third}}")
    assert made.values(("", "A", "B")) == {"first": "A", "second": "A", "third": "B"}


def test_a_recipient_s_message() -> None:
    made = placeholders("<p>{{ name }}</p>{{ unsubscribe }}", "name", subject="Hi {{ name }}")
    assert made.render(("x@y.by", "A&B")) == ("Hi A&B", "<p>A&amp;B</p>{{unsubscribe_url}}")


def test_a_placeholder_without_a_column() -> None:
    with pytest.raises(InvalidArgument, match="did you mean"):
        placeholders("{{ nmae }}", "name")


_WORDS = st.text(st.sampled_from("aAbяЯ1_-. é"), min_size=1, max_size=6).map(str.strip)


@given(st.lists(_WORDS.filter(bool), min_size=1, max_size=30, unique_by=str.casefold))
def test_names_are_letters_and_never_the_same(columns: list[str]) -> None:
    columns = [name for name in columns if name != "email" and re.search(r"[\w.-]", name)]
    body = "x" + "".join(f"{{{{ {name} }}}}" for name in columns)
    try:
        made = placeholders(body, *columns)
    except InvalidArgument:
        return  # no placeholder has this name
    assert all(name.isalpha() for name in made.names)
    assert len({name.casefold() for name in made.names}) == len(set(columns))
    filled = made.values(("x@y.by", *(f"v{at}" for at in range(len(columns)))))
    assert [filled[name] for name in made.names] == [
        f"v{columns.index(column)}" for column in made.names.values()
    ]
