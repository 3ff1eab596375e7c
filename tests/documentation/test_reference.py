"""The reference has every public name, and what is made from the code is all there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from docs.hooks import calls, commands, control, links, message_toml, names, offline
from mailkit.cli.app import app
from mailkit.cli.config import DEFAULTS
from mailkit.core.call import Method, resource
from mailkit.message_file import read_fields
from mailkit.providers import provider_class, provider_names
from mailkit.sandbox.control import ENDPOINTS
from mailkit.toml_words import EXAMPLES, KEYS

from ..test_public_names import PUBLIC, ROOT

REFERENCE = "".join(
    names.on_page_markdown(page.read_text(encoding="utf-8"))
    for page in (ROOT / "docs/reference").glob("*.md")
)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_is_in_the_reference(name: str) -> None:
    described = re.findall(r"^::: (mailkit[\w.]*)$", REFERENCE, re.MULTILINE)
    assert len({*described}) == len(described)
    known = {one.rpartition(".")[2] for one in described}  # some are in several modules
    assert {one for one in import_module(name).__all__ if one not in known} == set()


@pytest.mark.parametrize("provider", provider_names())
def test_each_call_is_shown_with_its_arguments_and_its_own_words(provider: str) -> None:
    assert f"<!-- calls: {provider} -->" in REFERENCE
    shown = calls.on_page_markdown(f"<!-- calls: {provider} -->")
    sections = dict(re.findall(r"^### ([\w.]+) \{.*?$(.*?)(?=^##|\Z)", shown, re.M | re.S))
    groups = {
        name: one.cls
        for name, one in vars(provider_class(provider)).items()
        if type(one) is resource
    }
    methods = {
        f"{group}.{name}": one
        for group, cls in groups.items()
        for name, one in vars(cls).items()
        if isinstance(one, Method)
    }
    assert methods
    for name, method in methods.items():
        section = sections[name]
        assert inspect.getdoc(method) in section
        assert f"`{method.route.verb} {method.route.path}`" in section
        for argument in method.signature.parameters:
            assert re.search(rf"[( ]{argument}: ", section), (name, argument)
        assert "mailkit." not in section.partition("```python")[2].partition("```")[0]


def test_each_command_is_shown_with_its_options() -> None:
    assert commands.MARK in REFERENCE
    shown = commands.on_page_markdown(commands.MARK)
    group = get_command(app)
    for name, command in vars(group)["commands"].items():
        section = shown.partition(f"## mailkit {name}\n")[2].partition("\n## ")[0]
        assert section
        for one in command.params:
            if one.param_type_name == "option" and one.hidden:
                continue
            is_option = one.param_type_name == "option"
            assert f"`{one.opts[0] if is_option else commands.written(one)}" in section


def test_each_key_of_a_message_is_shown_with_an_example_that_works(tmp_path: Path) -> None:
    assert message_toml.MESSAGE in REFERENCE
    rows = message_toml.on_page_markdown(message_toml.MESSAGE).splitlines()[2:]
    shown = {row.split("|")[1].strip(" `"): row.rsplit("|", 2)[1].strip(" `") for row in rows}
    assert [*shown] == [*KEYS] == [*EXAMPLES]
    for name in ("autumn.html", "letter.txt", "price.pdf"):
        (tmp_path / name).write_text("Hello")
    place = tmp_path / "message.toml"
    for others in (("html_file", "text_file"), ("html", "text")):
        own = {key: value for key, value in shown.items() if key not in others}
        place.write_text("".join(f"{key} = {value}\n" for key, value in own.items()))
        found = read_fields(place)
        assert found.keys() == KEYS.keys() - {"html_file", "text_file"}
        assert "Hello" in found["text"]


def test_each_option_that_a_file_may_set_is_shown() -> None:
    assert message_toml.DEFAULT in REFERENCE
    shown = message_toml.on_page_markdown(message_toml.DEFAULT)
    assert re.findall(r"^\| `([\w-]+)`", shown, re.MULTILINE) == [*DEFAULTS]


@pytest.mark.parametrize(
    ("html", "loads"),
    [
        ('<script src="https://cdn.example.com/x.js"></script>', True),
        ("<link href=//fonts.example.com/css rel=stylesheet>", True),
        ('<img alt="" src="http://example.com/x.png">', True),
        ('<script src="assets/x.js"></script><a href="https://example.com">there</a>', False),
        ('<a href="https://github.com/a/b" class="md-source" data-md-component="source">', True),
        ('<link rel="canonical" href="https://mailkit.example.com/">', False),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_found(html: str, loads: bool) -> None:
    assert bool(offline.loaded(html)) is loads


@pytest.mark.parametrize(
    ("html", "page", "place"),
    [
        ("<p><code>OutcomeUnknown</code></p>", "python", "mailkit.errors.OutcomeUnknown"),
        ("<p><code>emails.send</code></p>", "python", "smsby.emails.send"),
        ("<p><code>templates.list</code></p>", "smsby", "smsby.templates.list"),
        ("<p><code>templates.list</code></p>", "python", None),  # two providers have it
        ("<h2><code>OutcomeUnknown</code></h2>", "python", None),
        ('<a href="errors.html">see <code>OutcomeUnknown</code></a>', "python", None),
        ("<pre><code>OutcomeUnknown</code></pre>", "python", None),
        ("<p><code>nothing</code></p>", "python", None),
    ],
)
def test_code_is_linked_to_its_place_in_the_reference(
    html: str, page: str, place: str | None
) -> None:
    found = links.linked(html, page)
    assert found == html if place is None else f'identifier="{place}"' in found


def test_a_bar_in_a_table_needs_no_backslash_on_the_site() -> None:
    assert links.linked("<td><code>{{ name \\| 'x' }}</code></td>", "") == (
        "<td><code>{{ name | 'x' }}</code></td>"
    )


def test_each_control_request_is_shown() -> None:
    assert control.MARK in REFERENCE
    shown = control.on_page_markdown(control.MARK)
    rows = dict(re.findall(r"^\| `([A-Z]+ /sandbox/\S+)` \| (.+) \|$", shown, re.MULTILINE))
    assert {*rows} == {route for one in ENDPOINTS for route in one.routes}
