"""The command ``mailkit``: each subcommand in the file of its name."""

from __future__ import annotations

from typing import Annotated

import typer

from mailkit.cli import (
    cancel,
    demo,
    doctor,
    jobs,
    listen,
    plan,
    report,
    sandbox,
    send,
    suppress,
    test,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"mailkit {version('mailkit-bulk')}")
        raise typer.Exit


@app.callback()
def main(
    shown: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Send email to lists of any length: nobody twice, nobody lost, and a report that proves it."""


app.command()(send.send)
app.command()(plan.plan)
app.command("test")(test.send_test)
app.command()(send.resume)
app.command()(cancel.cancel)
app.command()(jobs.status)
app.command()(report.report)
app.command()(jobs.resolve)
app.add_typer(suppress.suppress, name="suppress")
app.command()(doctor.doctor)
app.command()(listen.listen)
app.command()(sandbox.sandbox)
app.command()(demo.demo)
