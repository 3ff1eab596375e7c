"""Templates: values go in at the placeholders, and nothing else ever changes."""

import html
import re
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
    rewrite,
)
from mailkit.text import column_name


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


NAMES_OF_COLUMNS = (
    "name",
    "имя",
    "first name",
    "a.b-c_d",
    "_1",
    "2024",
    "И\u0306мя",
    "ім'я",
    "Name (full)",
    "Имя/Фамилия",
    "city, country",
    "№ заказа",
    "Скидка, %",
    "R&D",
    "a|b",
    "price | net",
    "url",
    "'quoted'",
    '12"',
    "[x] {y} z",
    "<b>",
    "a\n b",
    "{{",
)


def test_any_column_s_name_can_be_a_placeholder_letter_for_letter_and_in_any_case() -> None:
    columns = [*NAMES_OF_COLUMNS[:-1], "email"]
    for name in columns:
        render = template(f"<{{{{{name}}}}}|{{{{  {name.swapcase()} \n| 'd' }}}}>").compile(columns)
        values = ["x" if one == name else "" for one in columns]
        assert render(values)[1] == "<x|x>", name


def test_a_name_is_read_as_editors_for_html_write_it() -> None:
    for written in ("R&amp;D  cost", "R&amp;D&nbsp;cost", "R%26D%20cost", "R&D\u200b cost\ufeff"):
        render = template(f"{{{{ {written} }}}}").compile(["email", "R&D cost"])
        assert render(["", "5"])[1] == "5", written


def test_of_two_columns_that_differ_in_case_the_one_as_written_counts() -> None:
    render = template("{{ name }}{{ Name }}").compile(["name", "Name"])
    assert render(["a", "b"])[1] == "ab"
    with pytest.raises(InvalidArgument, match=r"several .*: \{\{ name \}\} and \{\{ Name \}\}"):
        template("{{ NAME }}").compile(["name", "Name"])
    assert template("{{ email }}").compile(["email", "email"])(["address", "other"])[1] == "address"


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


def test_many_rows_are_rendered_column_by_column() -> None:
    letter = template("{{ y | 'you' }}, <a href='https://x.by/{{ x }}'>", "Hi {{ x }}")
    render = letter.compile(["x", "y"])
    rows = [("Anna", "<b>"), ("Ö B", ""), ("1\u00a0000", "\0")]
    subjects, bodies = render.columns([*zip(*rows, strict=True)])
    for n, row in enumerate(rows):
        for pieces, text in zip((subjects, bodies), render(row), strict=True):
            own = [one.decode() if isinstance(one, bytes) else one[n] for one in pieces]
            assert "".join(own) == text
    assert render.sizes([*zip(*rows, strict=True)]) == [*map(render.size, rows)]
    for value in ("", " ", "a\rb", "\u2028"):
        with pytest.raises(InvalidRow) as one:
            render((value, "y"))
        with pytest.raises(InvalidRow) as many:
            render.columns([("Anna", value), ("y", "y")])
        assert one.value.reason == many.value.reason


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
    assert template("{{ Unsubscribe }}").unsubscribe
    for body in (
        "{{ unsubscribe | 'x' }}",
        "{{ unsubscribe | url }}",
        "<a href='https://x.by/?to={{ unsubscribe }}'>",
    ):
        with pytest.raises(InvalidArgument, match="a whole URL"):
            template(body)


def test_braces_that_open_nothing_stay() -> None:
    assert template("a } }} { b").render({})[1] == "a } }} { b"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("{{", r"line 1, column 1: '\{\{' is not closed"),
        ("ok\n  {{ name", r"line 2, column 3: '\{\{ name' is not closed"),
        ("a {{ }} b", r"line 1, column 3: '\{\{ \}\}' is not"),
        ("{{{ name }}}", "line 1, column 1"),
        ("{{ name | 'x }}", "is not a placeholder"),
        ("{{ name | 'x\" }}", "is not a placeholder"),
        ("{{ name | “x” }}", "is not a placeholder"),
        ("{{ name | &quot;x&quot; }}", "is not a placeholder"),
        ("{{ name | 'x' | 'y' }}", "is not a placeholder"),
        ("{{ | 'x' }}", "is not a placeholder"),
        ("{{ name {{ city }}", "is not a placeholder"),
        ("{{ name }", "is not closed"),
        ("{{ " + "x" * 2_000 + "}}", "is not a placeholder"),
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
        letter.resolved(["Name", "city"])
    sentence = (
        "{{ nmae }}: the list has no such column; it has Name, city; did you mean {{ Name }}?"
    )
    assert str(caught.value) == sentence
    with pytest.raises(InvalidArgument, match="it has only the address"):
        letter.compile([])
    with pytest.raises(InvalidArgument, match=r"it has c0, c1, .*, …"):
        letter.resolved([f"c{n}" for n in range(100_000)])
    assert letter.resolved(["x", "nmae"]).fields == ("nmae",)


def test_what_is_no_filter_and_html_within_the_braces_are_named() -> None:
    for body, sentence in {
        "{{ name | upper }}": "'upper' can't follow the |; write {{ Name | 'default' }} or",
        "{{ name | default: 'x' }}": "can't follow the |",
        "{{ <b>name</b> }}": "HTML inside the braces; write {{ name }}",
        "{{ $name }}": "write {{ Name }}, as in the list",
        "{{ .Name }}": "write {{ Name }}, as in the list",
        "{{ name() }}": "write {{ Name }}, as in the list",
        "{{ contact.name }}": "write {{ Name }}, as in the list",
    }.items():
        with pytest.raises(InvalidArgument, match=re.escape(sentence)):
            template(body).compile(["Name"])


def test_a_name_that_is_also_a_name_with_a_filter_is_refused() -> None:
    for column in ("price | url", "Price|'x'"):
        for others in ([], ["price"]):
            with pytest.raises(InvalidArgument, match="rename the column"):
                template(f"{{{{ {column} }}}}").compile([column, *others])
        assert template("{{ price }}").compile([column, "price"])(["", "5"])[1] == "5"
    assert template("{{ a | b | url }}").compile(["a | b"])(["&"])[1] == "%26"


def test_placeholders_can_be_rewritten_for_another_service() -> None:
    body = template("Hi {{ name | 'you' }}, {{ a }} } {").body
    assert rewrite(body, lambda slot: f"[{slot.name}]") == "Hi [name], [a] } {"
    assert rewrite(body, lambda slot: slot.default or "-") == "Hi you, - } {"


# Addresses


ADDRESSES = {
    "<a href='https://s.by/u?e={{ x }}'>{{ x }}</a>": "<a href='https://s.by/u?e=Q'>E</a>",
    '<IMG alt="{{ x }}" SRC = "//s.by/a/{{ x }}.png">': '<IMG alt="E" SRC = "//s.by/a/P.png">',
    "<a href=https://s.by/?a={{ x }}&b={{ x }}>": "<a href=https://s.by/?a=Q&b=Q>",
    "<a href='{{ x }}'><a href={{ x }}><a href=' {{ x }}'>": "<a href='E'><a href=E><a href=' E'>",
    "<a href='https://{{ x }}.by/{{ x }}#{{ x }}'>": "<a href='https://E.by/P#Q'>",
    "<a href='https://s.by:{{ x }}'>": "<a href='https://s.by:E'>",
    "<a href='{{ x }}&n={{ x }}'>": "<a href='E&n=Q'>",
    "<a href='{{ x }}?e={{ x }}'>": "<a href='E?e=Q'>",
    "<a href='{{ x }}/{{ x }}'>": "<a href='E/E'>",
    "<a href='/u/{{ x }}'><a href='#{{ x }}'>": "<a href='/u/E'><a href='#E'>",
    "<a href='mailto:{{ x }}?subject={{ x }}'>": "<a href='mailto:E?subject=Q'>",
    "<a href='viber://chat?n&#61;1&amp;e={{ x }}'>": "<a href='viber://chat?n&#61;1&amp;e=Q'>",
    "<p title='https://s.by/?{{ x }}'>https://s.by/?{{ x }}":
        "<p title='https://s.by/?E'>https://s.by/?E",
    "<!--[if mso]><a href='https://s.by/?{{ x }}'><![endif]-->":
        "<!--[if mso]><a href='https://s.by/?Q'><![endif]-->",
    "<a title='>' data-href='//s.by/{{ x }}' href='//s.by/{{ x }}'>":
        "<a title='>' data-href='//s.by/E' href='//s.by/P'>",
    "<a {{ x }} href='//s.by/{{ x }}'/>{{ x }}": "<a E href='//s.by/P'/>E",
    "a < b href='//s.by/{{ x }}' {{ x | url }}": "a < b href='//s.by/E' Q",
    "<a href='//s.by/{{ x | url }}'>{{ y | url | 'ж' }}{{ y | '/' | url }}":
        "<a href='//s.by/Q'>%D0%B6%2F",
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), ADDRESSES.items())
def test_values_are_percent_encoded_in_addresses(body: str, expected: str) -> None:
    value = "a+b@c/d&'"
    forms = {
        "E": html.escape(value),
        "Q": "a%2Bb%40c%2Fd%26%27",
        "P": "a%2Bb%40c/d%26%27",
    }
    expected = re.sub(r"\b[EQP]\b", lambda form: forms[form[0]], expected)
    letter = template(body)
    render = letter.compile(["x", "y"])
    assert render([value, ""])[1] == expected
    assert render.encoded([value, ""])[1].decode() == expected
    assert render.size([value, ""]) == len(f"Hi{expected}".encode())


def test_a_text_body_and_the_subject_encode_where_it_is_said() -> None:
    letter = template("https://s.by/?{{ x }}&{{ x | url }}", "{{ x | url }}", text=True)
    assert letter.render({"x": "a b"}) == ("a%20b", "https://s.by/?a b&a%20b")
    with pytest.raises(InvalidRow, match="no value for"):
        letter.render({"x": " "})


# Other services


@pytest.mark.parametrize(
    "tag",
    [
        "*|NAME|*", "*|name|*", "*|FIRST_NAME|*",
        "%first-name%", "{firstname}", "[R&amp;D]",
        "%name%", "%NAME%", "%%name%%", "%recipient.name%",
        "[name]", "[Name]", "[[name]]", "[%name%]", "[subscriber:name]",
        "{name}", "{ Name }", "${name}", "#{name}", "{$name}", "{%name%}",
        "<%= name %>", "<%name%>", "&lt;%= name %&gt;", "<<name>>", "&lt;&lt;Name&gt;&gt;",
        "##name##", "%7B%7Bname%7D%7D", "%7b%7b%20name%20%7d%7d",
    ],
)  # fmt: skip
def test_another_service_s_tag_for_a_column_is_refused_with_the_right_spelling(tag: str) -> None:
    for letter in (
        template(f"50% off. <p>{tag}</p>"),
        template(subject=f"Hi {tag}, 5% off"),
        template(f"{{{{ name }}}} {tag}", text=True),
        template(f"{{{{ name | '{tag}' }}}}"),
    ):
        with pytest.raises(InvalidArgument, match=r"write \{\{ (name|First name|R&D) \}\}"):
            letter.compile(["email", "name", "First name", "R&D"])


@pytest.mark.parametrize(
    "tag",
    [
        "*|IF:NAME|*", "{% if name %}", "{% if not first_name == 'x' %}", "{%- unless name %}",
        "{% for one in name %}", "<% if name %>",
        "{{ if name }}", "{{#if name}}", "{{/if}}", "{{ else }}", "{{#each name}}", "{{ end }}",
    ],
)  # fmt: skip
def test_conditions_and_loops_are_said_not_to_exist(tag: str) -> None:
    for letter in (template(f"<p>{tag}</p>"), template(f"Hi {tag}", text=True)):
        with pytest.raises(InvalidArgument, match="there are no conditions or loops"):
            letter.compile(["email", "name", "First name"])


def test_a_column_called_as_a_condition_is_a_column() -> None:
    with pytest.raises(InvalidArgument, match=r"%END%: write \{\{ end \}\}"):
        template("until %END%").compile(["end"])
    body = "{{ end }} [for the name below] {% raw %}"
    assert template(body).compile(["end", "name"])(["5", ""])[1].startswith("5 [for")


def test_what_names_no_column_is_no_tag() -> None:
    body = (
        "<style>p{name} a[name]{} @media x{y}</style><script>f(`${name}`)</script>{color:red} [1] "
        "[if mso] 50 % off 20 %name x%20name%20y 5%name% %D0%B0 *|FNAME|* {{ name }} } ${5} <% x %>"
    )
    render = template(body).compile(["email", "name", "off 20", "D0"])
    assert render(["", "x", "", ""])[1] == body.replace("{{ name }}", "x")


def test_all_tags_are_named_at_once_and_each_once() -> None:
    letter = template("%name% %name% [city]", "Hi *|NAME|*")
    with pytest.raises(InvalidArgument) as caught:
        letter.compile(["name", "city"])
    assert str(caught.value).startswith(
        "subject has *|NAME|*: write {{ name }}; html has %name%: write {{ name }}; "
        "html has [city]: write {{ city }} ("
    )


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
    assert rewrite(letter.body, lambda slot: f"{{{{ {slot.name} | '{slot.default}' }}}}") == body


def read_slowly(text: str) -> list[str | Placeholder] | None:
    """The pieces of a text, character by character; None where a placeholder is malformed."""
    before, opened, text = text.partition("{{")
    pieces: list[str | Placeholder] = [before] if before else []
    if not opened:
        return pieces
    for at in range(len(text)):
        if text.startswith("{{", at) or not text.startswith(("|", "}}"), at):
            if text.startswith("{{", at):
                return None
            continue
        filters = read_filters(text[at:])
        if filters is None:
            continue
        default, keeps, left = filters
        name, rest = column_name(text[:at]), read_slowly(left)
        last = name.rpartition("|")[2].lstrip() if "|" in name else ""
        if not name or text.startswith("{") or last.startswith(("'", '"')) or rest is None:
            return None
        return [*pieces, Placeholder(name, default, keeps), *rest]
    return None


def read_filters(text: str) -> tuple[str | None, str | None, str] | None:
    """The default, what a value keeps, and what follows the end of the placeholder."""
    default: str | None = None
    keeps: str | None = None
    while text.startswith("|"):
        text = text[1:].lstrip()
        if text.startswith("url"):
            keeps, text = "", text[3:].lstrip()
            continue
        quote, text = text[:1], text[1:]
        if default is not None or not quote or quote not in "'\"" or quote not in text:
            return None
        default, _, text = text.partition(quote)
        text = text.lstrip()
    return (default, keeps, text[2:]) if text.startswith("}}") else None


TOKENS = st.sampled_from(
    [
        "{{",
        "}}",
        "{",
        "}",
        "|",
        "'",
        '"',
        " ",
        "\n",
        "\t",
        "a",
        "имя",
        "И\u0306",
        "_",
        ".-",
        "?",
        "url",
    ]
)
PLACEHOLDERS = st.tuples(
    st.sampled_from(["a", "a b", "a  b c", "имя", "И\u0306", "-.", "a\nb", "", "a|", "a'", "{a"]),
    st.sampled_from(
        [
            "",
            "|''",
            "| 'b' ",
            ' | "}}"',
            "\n|\n'{{ c }}'\t",
            "| 'b",
            "|b",
            "||''",
            "|url",
            "|''| url",
        ]
    ),
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
        "{{ a " + "|'" * 500_000,
        "{{ a }}" * 100_000 + "{{",
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
        "https://shop.by/{{ a | 'b }}",
        "https://shop.by/{{ unsubscribe }}",
        "https://shop.by/\n",
        "https://",
        "https:///x",
        "https://shop.by/a b",
        "https://shop.by/'>\"",
        "<https://shop.by>",
        "{{ link }}",
    ],
)
def test_a_link_that_can_t_be_one_is_refused_by_its_place(link: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^PLACE"):
        LinkTemplate.parse(link, "PLACE")


def test_a_link_s_tags_of_other_services_are_refused() -> None:
    for tag in ("{email}", "%email%", "*|EMAIL|*", "[email]"):
        link = LinkTemplate.parse(f"https://shop.by/?e={tag}", "PLACE")
        with pytest.raises(InvalidArgument, match=r"^PLACE has .*: write \{\{ email \}\}"):
            template("{{ unsubscribe }}").compile(("email",), unsubscribe=link)


def test_a_link_s_placeholder_needs_a_column_if_the_message_has_the_link() -> None:
    link = LinkTemplate.parse("https://shop.by/{{ nmae }}", "PLACE")
    message = Message("a@b.by", "Hi", html="{{ unsubscribe }}")
    with pytest.raises(InvalidArgument, match=r"^PLACE: \{\{ nmae \}\}.*did you mean \{\{ name"):
        Template.parse(message).compile(("email", "name"), unsubscribe=link)
    without = Template.parse(Message("a@b.by", "Hi", html="-"))
    assert without.compile(("email",), unsubscribe=link)(["a@b.by"]) == ("Hi", "-")
