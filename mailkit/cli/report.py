"""``mailkit report``: what became of a job, for people, spreadsheets and machines."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mailkit.bulk.journal import Journal, RowState
from mailkit.bulk.report import make_report
from mailkit.bulk.report.page import html_report
from mailkit.bulk.report.table import csv_report, read_states
from mailkit.bulk.report.workbook import CHARACTERS, WorkbookResult, excel_report
from mailkit.cli.options import AdoptAs, AsJson, JobName, JournalPlace, checked
from mailkit.cli.output import binary_output, text_output
from mailkit.cli.run import Exit, exit_code, opened, run, say
from mailkit.cli.send import print_report
from mailkit.cli.show import as_utf8
from mailkit.text import plain

__all__ = ["report"]

_SUFFIXES = {
    ".html": "--html",
    ".htm": "--html",
    ".csv": "--csv",
    ".tsv": "--csv",
    ".json": "--json",
    ".xlsx": "--excel",
    ".xls": "--excel",
    ".txt": "",
    ".log": "",
}
"""Which report a file of this name is; an empty text if it may be any."""


def _names(text: str) -> list[str]:
    """The states of ``--state``."""
    return [name for name in text.split(",") if name.strip()]


def report(
    job: JobName,
    as_html: Annotated[
        bool, typer.Option("--html", help="Write a self-contained web page.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write every row as CSV.")] = False,
    as_excel: Annotated[
        bool, typer.Option("--excel", help="Write numbers and rows as an Excel workbook (.xlsx).")
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(
            help="Only rows in these states, e.g. rejected,unsent; with --csv or --excel.",
            callback=checked(lambda text: read_states(_names(text))),
        ),
    ] = None,
    as_recipients: Annotated[
        bool,
        typer.Option("--as-recipients", help="Write the rows as CSV that can be used as a list."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this file, which only you can read, instead of stdout."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: AsJson = False,
) -> None:
    """Show the outcome of a job: each row is in one state, and their sum proves it."""
    kinds = {"--html": as_html, "--csv": as_csv, "--excel": as_excel, "--json": as_json}
    given = [option for option, is_given in kinds.items() if is_given]
    _check(given, state=state is not None, as_recipients=as_recipients)
    place = None if output == Path("-") else output
    if overwrite and place is None:
        raise typer.BadParameter("--overwrite needs --output")
    if as_excel and place is None and sys.stdout.isatty():
        raise typer.BadParameter("a workbook is not for a terminal: give a file with --output")
    if state is not None and not state.strip(" ,"):
        raise typer.BadParameter(
            "--state is empty: give a state, such as rejected, or leave it out"
        )
    _check_suffix(place, given, rows=as_recipients or state is not None)
    states = _names(state or "")

    async def command() -> int:
        async with opened(journal, adopt=adopt, look=True) as store:
            if as_excel:
                with binary_output(place, overwrite=overwrite, journal=store.path) as file:
                    return _say_cut(await excel_report(store, job, file, states=states))
            with text_output(place, overwrite=overwrite, journal=store.path):
                if as_csv or as_recipients or state is not None:
                    return await _rows(store, job, states, as_recipients=as_recipients)
                if as_html:
                    as_utf8()
                    print(await html_report(store, job), end="")
                    return Exit.DONE
                found = await make_report(store, job)
                print_report(found, as_json=as_json)
                return exit_code(found, failed=False)

    raise typer.Exit(run(command))


def _check(given: Sequence[str], *, state: bool, as_recipients: bool) -> None:
    """Options that contradict each other are wrong usage."""
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} are two reports: give one of them")
    if as_recipients and given not in ([], ["--csv"]):
        raise typer.BadParameter(f"--as-recipients is CSV: give it without {given[0]}")
    if state and given not in ([], ["--csv"], ["--excel"]):
        raise typer.BadParameter(f"{given[0]} has no rows: give --state with --csv or --excel")


def _check_suffix(place: Path | None, given: Sequence[str], *, rows: bool) -> None:
    """A file's name must not say that it is another kind of report."""
    suffix = "" if place is None else place.suffix.lower()
    says = _SUFFIXES.get(suffix)
    is_kind = given[0] if given else "--csv" if rows else "a report for people"
    if says is None and suffix[1:2].isalpha():
        raise typer.BadParameter(
            f"--output: there are no {suffix} reports: use .html, .csv, .json, .xlsx or .txt"
        )
    if says and says != is_kind:
        raise typer.BadParameter(
            f"--output: the name ends with {suffix}, and {is_kind} is something else: give {says}, "
            "or another name"
        )


def _say_cut(found: WorkbookResult) -> int:
    if found.cut:
        say(
            f"mailkit: cells cut to Excel's limit of {CHARACTERS:,} characters: {found.cut:,}; "
            "--csv has the full text"
        )
    return Exit.DONE


async def _rows(store: Journal, job: str, states: Sequence[str], *, as_recipients: bool) -> int:
    """The rows as CSV on stdout; control characters are exact in a file or pipe, visible on a
    terminal.
    """
    as_utf8()
    written = await csv_report(
        store,
        job,
        sys.stdout,
        states=states,
        as_recipients=as_recipients,
        shown=plain if sys.stdout.isatty() else str,
    )
    risky = (RowState.ACCEPTED, RowState.IN_DOUBT, RowState.SUPPRESSED)
    found = [f"{written[state]:,} {state}" for state in risky if written[state]]
    if as_recipients and found:
        say(
            f"mailkit: some of these people may already have the message, or must not get it "
            f"({', '.join(found)}); only this journal knows that. To leave them out: mailkit "
            f"report {shlex.quote(plain(job))} --state rejected,unsent --as-recipients"
        )
    return Exit.DONE
