"""What ``--help`` says of each command and option."""

from __future__ import annotations

from typer.main import get_command

from mailkit.cli.app import app

from ..approval import approve


def test_the_help_is_approved() -> None:
    group = get_command(app)
    commands = {"": group, **vars(group)["commands"]}
    for name, command in [*commands.items()]:
        inner = vars(command).get("commands", {}) if name else {}
        commands |= {f"{name} {one}": inner[one] for one in inner}
    known = "send plan test resume cancel status report resolve suppress sandbox demo"
    assert {*known.split()} < commands.keys()
    for name, command in commands.items():
        texts = [command.help, *(f"{one.opts[-1]}: {vars(one)['help']}" for one in command.params)]
        assert all(texts)
        approve(f"help: mailkit {name}".rstrip(), "\n".join(texts))
