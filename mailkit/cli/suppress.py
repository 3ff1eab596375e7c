"""``mailkit suppress``: addresses that no job of the journal mails."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailkit.bulk.address_line import addresses_in
from mailkit.bulk.journal.suppressions import Suppression
from mailkit.bulk.people import people_on_disk
from mailkit.bulk.source import RecipientSource, read_suppressions
from mailkit.bulk.spreadsheets import harmless
from mailkit.bulk.suppression_list import unwanted
from mailkit.cli.options import (
    AdoptAs,
    Delimiter,
    EmailColumn,
    Encoding,
    JournalPlace,
    Sheet,
    fitting,
)
from mailkit.cli.run import Exit, opened, run, say
from mailkit.cli.show import as_utf8
from mailkit.text import header_text, plain

__all__ = ["people_in", "say_ignored", "suppress"]

suppress = typer.Typer(
    no_args_is_help=True,
    help="Manage suppressed addresses, which no job of the journal mails.",
)

Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS", help="The addresses.")]
Reason = Annotated[str, typer.Option(help="The reason, which reports show.")]


def people_in(given: Sequence[str]) -> list[str]:
    """The addresses as people paste them: with a name, several in one, with a spreadsheet's
    apostrophe.
    """
    return [address for text in given for address in addresses_in(text) or [text]]


@suppress.command()
def add(
    addresses: Addresses,
    reason: Reason = "by hand",
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Suppress these addresses."""

    async def command() -> int:
        why, people = header_text(reason, "--reason"), people_in(addresses)
        async with opened(journal, adopt=adopt, make=True) as store:
            new = await store.suppressions.add(people, reason=why, now=time.time())
        _say_added(new, len(people) - new)
        return Exit.DONE

    raise typer.Exit(run(command))


@suppress.command("import")
def import_list(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="LIST",
            help="The addresses: one per line, CSV, JSONL or .xlsx; - is stdin. A column reason "
            "has the reasons.",
        ),
    ],
    reason: Annotated[
        str | None, typer.Option(help="The reason for rows without one; default: imported.")
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    email_column: EmailColumn = None,
    sheet: Sheet = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Suppress all addresses in a list, or none if a line can't be read."""

    async def command() -> int:
        why = header_text(reason or "imported", "--reason")
        its_encoding, its_delimiter = fitting(context, source, encoding, delimiter)
        people = read_suppressions(
            source if source == "-" else Path(source),
            encoding=its_encoding,
            delimiter=its_delimiter,
            email_column=email_column,
            sheet=sheet,
        )
        with people_on_disk() as found:
            async with aclosing(unwanted(people)) as batches:
                async for batch in batches:
                    found.add((one.key, one.reason or why) for one in batch)
            async with opened(journal, adopt=adopt, make=True) as store:
                new = await store.suppressions.load(found, now=time.time())
            _say_added(new, len(found) - new)
        say_ignored(people)
        return Exit.DONE

    raise typer.Exit(run(command))


@suppress.command()
def remove(addresses: Addresses, journal: JournalPlace = None, adopt: AdoptAs = None) -> None:
    """Let later jobs mail these addresses again."""

    async def command() -> int:
        people = people_in(addresses)
        async with opened(journal, adopt=adopt) as store:
            removed = await store.suppressions.remove(people)
        missing = len(people) - removed
        rest = f"; {missing:,} {_was(missing)} not suppressed" if missing else ""
        print(f"{_addresses(removed)} removed{rest}")
        return Exit.DONE

    raise typer.Exit(run(command))


@suppress.command("list")
def show(
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV that import accepts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Show every suppressed address, since when and why."""
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json are two forms: give one of them")

    async def command() -> int:
        async with opened(journal, adopt=adopt, look=True) as store:
            found = store.suppressions.list()
            if as_csv:
                await _print_csv(found)
            elif as_json:
                await _print_json(found)
            else:
                await _print_lines(found)
            if forgotten := await store.suppressions.forgotten():
                say(
                    f"mailkit: {_addresses(forgotten)} more {_was(forgotten)} forgotten: in this "
                    "journal alone, they stay suppressed, and no list can name them"
                )
        return Exit.DONE

    raise typer.Exit(run(command))


def say_ignored(source: RecipientSource | None) -> None:
    """A line on stderr for each column of the list whose addresses were not suppressed."""
    if source is None:
        return
    for column, count in source.ignored.items():
        say(
            f"mailkit: {_addresses(count)} in the column {column!r} of {plain(source.shown)} "
            f"{_was(count)} ignored: only the column email counts; to suppress these, too, import "
            "that column as a list of its own"
        )


async def _print_csv(found: AsyncIterator[Suppression]) -> None:
    as_utf8()
    shown = plain if sys.stdout.isatty() else str
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("email", "reason", "since"))
    async for one in found:
        out.writerow(shown(harmless(cell)) for cell in (one.address, one.reason, _since(one)))


async def _print_json(found: AsyncIterator[Suppression]) -> None:
    as_utf8()
    before = "["
    async for one in found:
        row = {"email": one.address, "reason": one.reason, "since": _since(one)}
        print(f"{before}{json.dumps(row)}", end="")  # ASCII: nothing steers a terminal
        before = ",\n"
    print("[]" if before == "[" else "]")


async def _print_lines(found: AsyncIterator[Suppression]) -> None:
    empty = True
    async for one in found:
        empty = False
        since = datetime.fromtimestamp(one.since, UTC).astimezone()
        print(plain(f"{since:%Y-%m-%d %H:%M}  {one.address}  {one.reason}"))
    if empty:
        print("no addresses are suppressed")


def _since(one: Suppression) -> str:
    return datetime.fromtimestamp(one.since, UTC).isoformat(timespec="seconds")


def _say_added(new: int, before: int) -> None:
    rest = f"; {before:,} {_was(before)} already suppressed" if before else ""
    print(f"{_addresses(new)} added{rest}")


def _addresses(count: int) -> str:
    return f"{count:,} address" if count == 1 else f"{count:,} addresses"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
