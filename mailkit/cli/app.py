"""The command ``mailkit``: each subcommand in the file of its name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mailkit.cli import (
    cancel,
    demo,
    doctor,
    init,
    jobs,
    journal,
    listen,
    plan,
    report,
    sandbox,
    send,
    suppress,
    test,
    worker,
)
from mailkit.cli.config import read_config
from mailkit.cli.run import Exit, say
from mailkit.errors import InvalidArgument
from mailkit.providers import provider_names
from mailkit.remedies import for_commands
from mailkit.text import plain

__all__ = ["app"]

HELP = {"-h", "--help"}
WITHOUT_CONFIG = {"demo", "init", "sandbox"}


_PLAIN = {
    re.compile(r"Value error, "): "",
    re.compile(r"Input should be a valid integer\b.*"): "give a whole number",
    re.compile(r"Input should be a valid number\b.*"): "give a number",
    re.compile(r"Input should be greater than or equal to "): "give at least ",
    re.compile(r"Input should be less than or equal to "): "give at most ",
}
"""Words of the library that reads the options, and plain ones."""


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Note whether a subcommand is only asked for its help, before that is run; wrong usage is
        said in plain words.
        """
        ctx.meta["asks_for_help"] = bool(HELP & set(ctx.args))
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            for theirs, ours in _PLAIN.items():
                error.message = theirs.sub(ours, error.message)
            raise


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"mailkit {version('mailkit-bulk')}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    shown: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            help="The profile of mailkit.toml and .env.PROFILE to use.", envvar="MAILKIT_PROFILE"
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A file to use instead of mailkit.toml; the .env next to it is read, too.",
            envvar="MAILKIT_CONFIG",
            readable=False,
        ),
    ] = None,
) -> None:
    """Send email to lists of any length: nobody twice, nobody lost, and a report that proves it."""
    context.with_resource(for_commands())
    if context.invoked_subcommand in WITHOUT_CONFIG or context.meta["asks_for_help"]:
        return
    try:
        found = read_config(config, profile, os.environ, provider_names())
    except InvalidArgument as error:
        say(f"mailkit: {plain(str(error))}")
        raise typer.Exit(Exit.ERROR) from None
    context.default_map = _defaults(context.command, found.options)
    context.with_resource(_environment(found.variables))


def _defaults(command: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options by the commands that have them, and the names of their parameters. A list is a
    default where the option may be repeated, and elsewhere if it has one value.
    """
    found: dict[str, Any] = {}
    for parameter in command.params:
        for option, value in options.items():
            if f"--{option}" not in parameter.opts:
                continue
            if not isinstance(value, list) or parameter.multiple:
                found[parameter.name] = value
            elif len(value) == 1:
                found[parameter.name] = value[0]
    for name, inner in getattr(command, "commands", {}).items():
        found[name] = _defaults(inner, options)
    return found


_in_paragraph = re.compile(r"(?<!\n)\n(?!\n|- )")


def _describe(commands: typer.Typer) -> None:
    """The help has the docstrings without the source's line breaks, and the list of commands the
    first paragraph of each.
    """
    for command in commands.registered_commands:
        text = cleandoc((command.callback and command.callback.__doc__) or "")
        command.help = _in_paragraph.sub(" ", text)
        command.short_help, *_ = command.help.split("\n\n")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables are set as long as the command runs."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)


app.command()(send.send)
app.command()(plan.plan)
app.command("test")(test.send_test)
app.command()(send.resume)
app.command()(worker.worker)
app.command()(cancel.cancel)
app.command()(jobs.status)
app.command()(report.report)
app.command()(jobs.resolve)
app.add_typer(suppress.suppress, name="suppress")
app.add_typer(journal.journal, name="journal")
app.command()(doctor.doctor)
app.command()(init.init)
app.command()(listen.listen)
app.command()(sandbox.sandbox)
app.command()(demo.demo)
for _commands in (app, suppress.suppress, journal.journal):
    _describe(_commands)
