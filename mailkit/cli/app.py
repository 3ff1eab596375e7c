"""The command ``mailkit``: each subcommand in the file of its name."""

from __future__ import annotations

import typer

from mailkit.cli import demo, jobs, sandbox, send

__all__ = ["app"]

app = typer.Typer(
    help="Send e-mail to lists of any length: nobody twice, nobody lost, and a report that "
    "proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(send.send)
app.command()(send.resume)
app.command()(jobs.status)
app.command()(jobs.report)
app.command()(jobs.resolve)
app.command()(sandbox.sandbox)
app.command()(demo.demo)
