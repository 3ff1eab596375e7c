"""Replaces ``<!-- commands -->`` by every command with its arguments and options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.main import get_command

from mailkit.cli.app import app

MARK = "<!-- commands -->"
WORDS = {Path: "path", int: "number", float: "number", str: "text"}
_marks = re.compile(r"([<>|*_\[\]])").sub


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(MARK, "\n".join(commands())) if MARK in markdown else markdown


def commands() -> Iterator[str]:
    """The Markdown of all commands, in the order of ``mailkit -h``."""
    group: Any = get_command(app)
    yield "## mailkit\n"
    yield from _described("mailkit", group, "COMMAND …")
    for name, command in group.commands.items():
        yield f"## mailkit {name}\n"
        inner = getattr(command, "commands", {})
        yield from _described(f"mailkit {name}", command, "COMMAND …" if inner else "")
        for second, one in inner.items():
            yield f"### mailkit {name} {second}\n"
            yield from _described(f"mailkit {name} {second}", one, "")


def _described(name: str, command: Any, rest: str) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    words = [name, "[OPTIONS]" if options else "", *map(_usage, arguments), rest]
    yield f"```text\n{' '.join(filter(None, words))}\n```\n"
    yield f"{_prose(command.help)}\n"
    if arguments:
        yield "| argument | is |\n|---|---|"
        yield from (f"| `{written(one)}` | {_cell(one)} |" for one in arguments)
        yield ""
    if options:
        types = get_type_hints(command.callback)
        yield "| option | does | default |\n|---|---|---|"
        yield from (
            f"| {_spelled(one, types)} | {_cell(one)}{_variable(one)} | {_default(one)} |"
            for one in options
        )
        yield ""


def written(argument: Any) -> str:
    """An argument as it is written in the usage."""
    return f"{argument.metavar or argument.name.upper()}{'…' if argument.nargs == -1 else ''}"


def _usage(argument: Any) -> str:
    return written(argument) if argument.required else f"[{written(argument)}]"


def _spelled(option: Any, types: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return names if option.is_flag else f"{names} {_value(option, types[option.name])}"


def _value(option: Any, declared: Any) -> str:
    """What an option takes: its choices, its own word for it, or that of its type."""
    kinds = [*_kinds(declared)]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return " or ".join(f"`{one.value}`" for one in kind)
    if option.metavar:
        return f"*{option.metavar.lower()}*"
    return next(f"*{word}*" for kind, word in WORDS.items() if kind in kinds)


def _kinds(declared: Any) -> Iterator[Any]:
    """The plain types in ``list[Path] | None``."""
    yield declared
    for part in get_args(declared):
        yield from _kinds(part)


def _variable(option: Any) -> str:
    return f" Environment: `{option.envvar}`." if option.envvar else ""


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    if option.default in (None, False, ()) or callable(option.default):
        return ""
    return f"`{getattr(option.default, 'value', option.default)}`"


def _cell(parameter: Any) -> str:
    return _prose(parameter.help).replace("\n", " ")


def _prose(text: str) -> str:
    """Plain text, whose marks are not Markdown's."""
    return _marks(r"\\\1", text.strip())
