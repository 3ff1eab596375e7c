"""The options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mailkit.bulk.journal import Adopt
from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.errors import InvalidArgument

__all__ = [
    "Account",
    "AdoptAs",
    "Again",
    "AsJson",
    "Concurrency",
    "Delimiter",
    "EmailColumn",
    "Encoding",
    "JobName",
    "JournalPath",
    "Map",
    "MessageFile",
    "NewName",
    "ProviderName",
    "Recipients",
    "Sheet",
    "Suppress",
    "duration",
    "list_of",
]

JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="The journal's file, for all jobs.",
        envvar="MAILKIT_JOURNAL",
        show_default="in the user's state directory",
        dir_okay=False,
        readable=False,  # that it can't be read is no wrong usage
    ),
]
AdoptAs = Annotated[
    Adopt | None,
    typer.Option(
        "--adopt",
        help="Use a journal that is a copy, or was put back from a backup: the latest state of it, "
        "or an older one, so that whoever may have been mailed since is in doubt.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and no bar.")]
Concurrency = Annotated[int, typer.Option(min=1, max=100, help="Requests under way at once.")]
Account = Annotated[
    str | None,
    typer.Option(help="Whose quotas these are; by default told by the credential."),
]

Rate = Annotated[
    str | None,
    typer.Option(
        help="How many recipients the account may mail at most: e.g. 100/min, 5000/h or 20000/d."
    ),
]

MessageFile = Annotated[
    Path,
    typer.Argument(metavar="MESSAGE", help="The message: a message.toml.", readable=False),
]
Recipients = Annotated[
    str, typer.Argument(metavar="LIST", help="The list: CSV, JSONL or .xlsx; - is stdin.")
]
ProviderName = Annotated[str, typer.Option(help="The service to send with, e.g. smsby.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
NewName = Annotated[str | None, typer.Option("--name", help="The job's name; else one is made.")]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="Send even if this job, or the same message to the same list, already exists, and "
        "also to people whom another job has sent this message.",
    ),
]
Suppress = Annotated[
    str | None,
    typer.Option(help="Whom this job must not mail: addresses one a line, CSV or JSONL."),
]
Encoding = Annotated[str | None, typer.Option(help="The list's encoding, as cp1251.")]
Delimiter = Annotated[str | None, typer.Option(help="What separates the list's columns.")]

EmailColumn = Annotated[
    str | None,
    typer.Option(
        "--email-column", metavar="NAME", help="Which of the list's columns has the addresses."
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="OLD=NEW", help="Another name for a column of the list; may be repeated."
    ),
]
Sheet = Annotated[str | None, typer.Option(help="The workbook's sheet, if the list is one.")]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def list_of(
    recipients: str,
    *,
    encoding: str | None,
    delimiter: str | None,
    email_column: str | None,
    renames: Sequence[str] | None,
    sheet: str | None,
) -> RecipientSource:
    """The list of a command."""
    return read_recipients(
        "-" if recipients == "-" else Path(recipients),
        encoding=encoding,
        delimiter=delimiter,
        email_column=email_column,
        rename=dict(map(_renamed, renames or ())),
        sheet=sheet,
    )


def _renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.rpartition("=")
    if not (equals and old.strip() and new.strip()):
        raise typer.BadParameter(f"--map {text!r}: write it as --map 'Имя=name'")
    return old, new


def duration(text: str | None) -> float:
    """``90s``, ``15m``, ``2h`` or ``1d`` in seconds; None is 0."""
    if text is None:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise InvalidArgument(f"{text!r} is no duration: write it as 90s, 15m or 2h")
    return float(found[1]) * _UNITS[found[2] or "s"]
