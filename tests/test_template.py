"""Templates: values go in at the placeholders, and nothing else ever changes."""

import html
import unicodedata
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template import (
    InvalidRow,
    LinkTemplate,
    Placeholder,
    Template,
    check_columns,
    rewrite,
)


def template(body: str = "Hello", subject: str = "Hi", *, text: bool = False) -> Template:
    words: dict[str, Any] = {"text" if text else "html": body}
    return Template.parse(Message("news@shop.by", subject, **words))


def rendered(body: str, **values: str) -> str:
    return template(body).render(values)[1]


def test_values_go_in_at_the_placeholders() -> None:
    letter = template("<p>Dear {{ name }}, {{city}}!</p>", "{{ name }}, hi")
    assert letter.fields == ("name", "city")
    render = letter.compile(["city", "age", "name"])
    assert render(["Minsk", "5", "Anna"]) == ("Anna, hi", "<p>Dear Anna, Minsk!</p>")
    assert letter.render({"name": "Anna", "city": "Minsk"}) == render(("Minsk", "", "Anna"))


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "имя",
        "first name",
        "first-name",
        "first.name",
        "_1",
        "2024",
        "И\u0306мя",
        "ім'я"[:2],
    ],
)
def test_any_plain_column_name_can_be_a_placeholder(name: str) -> None:
    assert rendered(f"<{{{{{name}}}}}|{{{{  {name}\n}}}}>", **{name: "x"}) == "<x|x>"


def test_accents_set_apart_and_joined_are_one_name() -> None:
    letter = template("{{ \u0419 }}")
    assert letter.compile(["\u0418\u0306"])(["x"]) == ("Hi", "x")


def test_values_are_escaped_in_html_and_plain_elsewhere() -> None:
    value = """<b> & "c" 'd'"""
    assert rendered("<p>{{ x }}</p>", x=value) == f"<p>{html.escape(value)}</p>"
    plain = template("[{{ x }}]", "{{ x }}", text=True)
    assert plain.render({"x": value}) == (value, f"[{value}]")


def test_a_default_stands_in_for_an_empty_value() -> None:
    body = """{{ x | 'friend' }} {{ x|"it's" }} {{ x | '' }}."""
    assert rendered(body, x="") == "friend it&#x27;s ."
    assert rendered(body, x=" \t") == "friend it&#x27;s ."
    assert rendered(body, x="Anna") == "Anna Anna Anna."


def test_an_empty_value_without_default_makes_the_row_invalid() -> None:
    with pytest.raises(InvalidRow, match=r"no value for \{\{ name \}\}") as caught:
        rendered("{{ name }}", name=" ")
    assert caught.value.reason == "no value for {{ name }}"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\u2028", "\u2029", "\x0b", "\x85"])
def test_control_characters_in_a_value_are_refused_in_the_subject_only(char: str) -> None:
    letter = template("{{ y }}", "Hi {{ x }}")
    assert letter.render({"x": "Anna", "y": f"a{char}b"})[1] == f"a{char}b"
    with pytest.raises(InvalidRow, match=rf"value of \{{\{{ x \}}\}} has .*U\+{ord(char):04X}"):
        letter.render({"x": f"Anna{char}Bcc: all@shop.by", "y": "b"})


def test_a_subject_that_may_come_out_empty_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="subject: it may come out empty"):
        template(subject="{{ x | '' }} {{ y | ' ' }}")
    assert template(subject="{{ x }}").fields == ("x",)


def test_the_unsubscribe_link_is_no_field() -> None:
    letter = template("<a href='{{ unsubscribe }}'>{{ name }}</a>")
    assert (letter.fields, letter.unsubscribe) == (("name",), True)
    render = letter.compile(["name"], unsubscribe="https://shop.by/?a=1&b=2")
    assert render(["x"])[1] == "<a href='https://shop.by/?a=1&amp;b=2'>x</a>"
    with pytest.raises(InvalidArgument, match="there is no link for it"):
        letter.compile(["name"])
    with pytest.raises(InvalidArgument, match="it has no default"):
        template("{{ unsubscribe | 'x' }}")


def test_braces_that_open_nothing_stay() -> None:
    assert template("a } }} { b").render({})[1] == "a } }} { b"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("{{", r"line 1, column 1: '\{\{' has no end"),
        ("ok\n  {{ name", r"line 2, column 3: '\{\{ name' has no end"),
        ("a {{ }} b", r"line 1, column 3: '\{\{ \}\}' is not"),
        ("{{{ name }}}", "line 1, column 1"),
        ("{{ name | upper }}", "line 1, column 1"),
        ("{{ name | 'x }}", "is not a placeholder"),
        ("{{ name | 'x\" }}", "is not a placeholder"),
        ("{{ first\nname }}", "is not a placeholder"),
        ("{{ name() }}", "is not a placeholder"),
        ("{{ city, country | 'x' }}", r"name can't have ','.* renamed; write"),
        ("{{ and/or }}", "name can't have '/'"),
        ("{{ name }", "has no end"),
    ],
)
def test_a_malformed_placeholder_is_refused_with_its_place(body: str, place: str) -> None:
    with pytest.raises(InvalidArgument, match=f"html, line .*{place}|html, {place}") as caught:
        template(body)
    assert "write {{ field }}" in str(caught.value)


def test_the_subject_is_checked_too() -> None:
    with pytest.raises(InvalidArgument, match="subject, line 1, column 4"):
        template(subject="Hi {{ name")


def test_a_placeholder_without_a_column_names_both_and_the_nearest() -> None:
    letter = template("{{ nmae }}")
    with pytest.raises(InvalidArgument) as caught:
        check_columns(letter, ["Name", "city"])
    sentence = "{{ nmae }}: the list has no column of that name; did you mean {{ Name }}?"
    assert str(caught.value) == f"{sentence} it has Name, city"
    with pytest.raises(InvalidArgument, match="it has none but the address"):
        letter.compile([])
    with pytest.raises(InvalidArgument, match=r"it has c0, c1, .*, …"):
        check_columns(letter, [f"c{n}" for n in range(100_000)])
    check_columns(letter, ["x", "nmae"])


def test_placeholders_can_be_rewritten_for_another_service() -> None:
    body = "Hi {{ name | 'you' }}, {{ a }} } {"
    assert rewrite(body, lambda name, default: f"[{name}]") == "Hi [name], [a] } {"
    assert rewrite(body, lambda name, default: default or "-") == "Hi you, - } {"
    with pytest.raises(InvalidArgument, match="template, line 1"):
        rewrite("{{", lambda name, default: "")


LITERALS = st.text(max_size=30).filter(
    lambda text: "{" not in text and max(text, default="") < "\ud800"
)
NAMES = st.sampled_from(["name", "имя", "first name", "a.b-c_d"])
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(LITERALS, NAMES), max_size=6), LITERALS, st.data())
def test_rendering_never_changes_the_text_between(
    pieces: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    values = {name: data.draw(VALUES) for name in dict.fromkeys(name for _, name in pieces)}
    body = "".join(f"{text}{{{{ {name} | '-' }}}}" for text, name in pieces) + end + "."
    expected = "".join(
        text + html.escape(values[name] if values[name].strip() else "-") for text, name in pieces
    )
    letter = template(body)
    assert letter.render(values) == ("Hi", expected + end + ".")
    assert letter.compile(list(values))(list(values.values())) == letter.render(values)
    assert rewrite(body, lambda name, default: f"{{{{ {name} | '{default}' }}}}") == body


def read_slowly(text: str) -> list[str | Placeholder] | None:
    """The pieces of a text, character by character; None where a placeholder is malformed."""
    before, opened, text = text.partition("{{")
    pieces: list[str | Placeholder] = [before] if before else []
    if not opened:
        return pieces
    inside = text.lstrip()
    name = "".join(takewhile(lambda char: char in " .-" or char == "_" or is_word(char), inside))
    inside = inside[len(name) :].lstrip()
    name, default = name.rstrip(" "), None
    if inside.startswith("|"):
        inside = inside[1:].lstrip()
        quote, inside = inside[:1], inside[1:]
        if not quote or quote not in "'\"" or quote not in inside:
            return None
        default, _, inside = inside.partition(quote)
        inside = inside.lstrip()
    rest = read_slowly(inside[2:])
    if not name or name.startswith(" ") or not inside.startswith("}}") or rest is None:
        return None
    return [*pieces, Placeholder(unicodedata.normalize("NFC", name), default), *rest]


def is_word(char: str) -> bool:
    return char.isalnum() or "\u0300" <= char <= "\u036f"


TOKENS = st.sampled_from(
    ["{{", "}}", "{", "}", "|", "'", '"', " ", "\n", "\t", "a", "имя", "И\u0306", "_", ".-", "?"]
)
PLACEHOLDERS = st.tuples(
    st.sampled_from(["a", "a b", "a  b c", "имя", "И\u0306", "-.", "a\nb", "", "a|", "a'"]),
    st.sampled_from(["", "|''", "| 'b' ", ' | "}}"', "\n|\n'{{ c }}'\t", "| 'b", "|b", "||''"]),
    st.sampled_from(["", " ", "  \n\t"]),
).map(lambda parts: f"{{{{{parts[2]}{parts[0]}{parts[2]}{parts[1]}}}}}")


@given(st.lists(TOKENS | PLACEHOLDERS, max_size=12).map("".join))
def test_any_body_is_read_as_a_slow_reader_reads_it(body: str) -> None:
    expected = read_slowly("." + body)
    try:
        found = list(template("." + body).body)
    except InvalidArgument as error:
        assert expected is None
        assert "{{" in str(error)  # noqa: PT017
    else:
        assert found == expected


@pytest.mark.parametrize(
    "body",
    [
        "{{" * 500_000,
        "{{ " + "a" * 1_000_000,
        "{{ a" + " a" * 500_000,
        "{{ a | '" + "x" * 1_000_000,
    ],
)
def test_long_garbage_is_refused(body: str) -> None:
    with pytest.raises(InvalidArgument):
        template(body)


def test_a_link_s_own_placeholders_are_filled_in_percent_encoded() -> None:
    link = LinkTemplate.parse("https://x.by/{a}?e={{ email }}&n={{ имя | 'я' }}", "unsubscribe_url")
    assert link.fields == ("email", "имя")
    message = Message("a@b.by", "Hi", html="<a href='{{ unsubscribe }}'>{{ имя | '-' }}</a>")
    render = Template.parse(message).compile(("email", "имя"), unsubscribe=link)
    values = ("a+b@x.by", "A&B /")
    page = "https://x.by/{a}?e=a%2Bb%40x.by&amp;n=A%26B%20%2F"
    assert render(values) == ("Hi", f"<a href='{page}'>A&amp;B /</a>")
    assert render.encoded(values)[1].decode() == render(values)[1]
    assert render.size(values) == sum(len(text.encode()) for text in render(values))
    assert "n=%D1%8F'>-<" in render(("a@b.by", ""))[1]
    text = Template.parse(Message("a@b.by", "Hi", text="{{ unsubscribe }}"))
    assert text.compile(("email", "имя"), unsubscribe=link)(values)[1] == page.replace("amp;", "")
    with pytest.raises(InvalidRow):
        text.compile(("email",), unsubscribe=LinkTemplate.parse("https://{{ email }}", "x"))([""])


@pytest.mark.parametrize(
    "link",
    [
        "shop.by/u",
        "ftp://shop.by",
        "https://shop.by/{{ email",
        "https://shop.by/{{ a.b() }}",
        "https://shop.by/{{ unsubscribe }}",
        "https://shop.by/\n",
    ],
)
def test_a_link_that_can_t_be_one_is_refused_by_its_place(link: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^PLACE"):
        LinkTemplate.parse(link, "PLACE")


def test_a_link_s_placeholder_needs_a_column_if_the_message_has_the_link() -> None:
    link = LinkTemplate.parse("https://shop.by/{{ nmae }}", "PLACE")
    message = Message("a@b.by", "Hi", html="{{ unsubscribe }}")
    with pytest.raises(InvalidArgument, match=r"^PLACE: \{\{ nmae \}\}.*did you mean \{\{ name"):
        Template.parse(message).compile(("email", "name"), unsubscribe=link)
    without = Template.parse(Message("a@b.by", "Hi", html="-"))
    assert without.compile(("email",), unsubscribe=link)(["a@b.by"]) == ("Hi", "-")
