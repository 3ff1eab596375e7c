"""What ``--help`` says of each command and option."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from typer.main import get_command

from mailkit.cli.app import app

from ..approval import approve


def all_commands() -> dict[str, Any]:
    """The commands by their names, the group itself by none."""
    group = get_command(app)
    commands = {"": group, **vars(group)["commands"]}
    for name, command in [*commands.items()]:
        inner = vars(command).get("commands", {}) if name else {}
        commands |= {f"{name} {one}": inner[one] for one in inner}
    return commands


def test_the_help_is_approved() -> None:
    commands = all_commands()
    known = "send plan test resume cancel status report resolve suppress sandbox demo"
    assert {*known.split()} < commands.keys()
    for name, command in commands.items():
        texts = [command.help, *(f"{one.opts[-1]}: {vars(one)['help']}" for one in command.params)]
        assert all(texts)
        approve(f"help: mailkit {name}".rstrip(), "\n".join(texts))


def test_at_80_columns_no_word_of_the_help_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, command in all_commands().items():
        shown = CliRunner().invoke(command, ["--help"], prog_name=f"mailkit {name}")
        assert shown.exit_code == 0
        for option in (one for one in command.params if not getattr(one, "hidden", False)):
            assert [word for word in vars(option)["help"].split() if word not in shown.output] == []
