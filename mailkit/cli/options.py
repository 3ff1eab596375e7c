"""The options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mailkit.bulk.journal import Adopt, check_address, is_address
from mailkit.bulk.kinds import is_workbook
from mailkit.bulk.lines import check_encoding
from mailkit.bulk.plan import check_name
from mailkit.bulk.rate import quota_of
from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.errors import InvalidArgument
from mailkit.providers import provider_names
from mailkit.text import plain

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
    "JournalPlace",
    "LogJson",
    "Map",
    "MessageFile",
    "NewName",
    "OnlyJson",
    "ProviderName",
    "Rate",
    "Recipients",
    "Sheet",
    "SomeProvider",
    "Suppress",
    "Track",
    "check_provider",
    "checked",
    "checked_each",
    "duration",
    "fitting",
    "is_from_file",
    "list_of",
]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str | None, examples: str = "90s, 15m or 2h") -> float:
    """``90s``, ``15m``, ``2h`` or ``1d`` in seconds; None is 0. InvalidArgument has the
    ``examples``.
    """
    if text is None:
        return 0.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise InvalidArgument(f"{text!r} is not a duration: use e.g. {examples}")
    if not found[2]:
        raise InvalidArgument(f"{text!r} has no unit: use e.g. {examples}")
    return float(found[1]) * _UNITS[found[2]]


def check_delimiter(text: str) -> None:
    """InvalidArgument unless it can separate columns."""
    read_recipients("-", delimiter=text)  # opens nothing


def check_provider(name: str) -> None:
    """InvalidArgument unless it is installed."""
    if name not in provider_names():
        names = ", ".join(provider_names()) or "none"
        raise InvalidArgument(f"unknown provider {name!r}: use one of {names}")


def check_journal(place: str) -> None:
    """InvalidArgument if it can't be one."""
    if is_address(place):
        check_address(place)
    elif Path(place).is_dir():
        raise InvalidArgument(f"{place} is a directory: name a file in it")


def checked(check: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """A callback that makes a usage error of what the check raises."""

    def callback(value: str | None) -> str | None:
        if value is not None:
            try:
                check(value)
            except InvalidArgument as error:
                raise typer.BadParameter(plain(str(error))) from None
        return value

    return callback


def checked_each(
    check: Callable[[str], object],
) -> Callable[[list[str] | None], list[str] | None]:
    """The same for an option that may be repeated."""
    one = checked(check)

    def callback(values: list[str] | None) -> list[str] | None:
        for value in values or ():
            one(value)
        return values

    return callback


JournalPlace = Annotated[
    str | None,
    typer.Option(
        "--journal",
        help="The journal of all jobs: a file, or the address of a PostgreSQL database.",
        metavar="PLACE",
        envvar="MAILKIT_JOURNAL",
        show_default="in the user's state directory",
        callback=checked(check_journal),
    ),
]
AdoptAs = Annotated[
    Adopt | None,
    typer.Option(
        "--adopt",
        help="Accept a journal that was copied or restored: latest if nothing was sent since, "
        "otherwise older, which puts what it was about to send in doubt.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OnlyJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, without a progress bar.")
]
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        help="Log events to stderr as JSON, one object per line, and nothing else.",
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=100, help="The number of requests under way at once.")
]
Account = Annotated[
    str | None,
    typer.Option(help="The account whose quotas apply; default: that of the credential."),
]

Rate = Annotated[
    str | None,
    typer.Option(
        help="Limit how many recipients the account mails, e.g. 100/min, 5000/h or 20000/d.",
        callback=checked(quota_of),
    ),
]

MessageFile = Annotated[
    Path,
    typer.Argument(metavar="MESSAGE", help="The message: a message.toml.", readable=False),
]
Recipients = Annotated[
    str, typer.Argument(metavar="LIST", help="The list: CSV, JSONL or .xlsx; - is stdin.")
]
ProviderName = Annotated[
    str,
    typer.Option(
        help="The service, e.g. smsby.",
        envvar="MAILKIT_PROVIDER",
        callback=checked(check_provider),
        autocompletion=provider_names,
    ),
]
SomeProvider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        help="The service, e.g. smsby.",
        callback=checked(check_provider),
        autocompletion=provider_names,
    ),
]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
NewName = Annotated[
    str | None,
    typer.Option(
        "--name", help="The job's name; default: generated.", callback=checked(check_name)
    ),
]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="Send even if this job, or the same message to the same list, already exists, and "
        "also to people who have this message from another job.",
    ),
]
Suppress = Annotated[
    str | None,
    typer.Option(
        help="A list of addresses that this job must not mail: one per line, CSV or JSONL."
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="The list's encoding, e.g. cp1251.", callback=checked(check_encoding)),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        help="The character that separates the list's columns.", callback=checked(check_delimiter)
    ),
]
Track = Annotated[
    str | None,
    typer.Option(
        help="Keep checking deliveries for this long, e.g. 2h or 30m.",
        callback=checked(duration),
    ),
]
EmailColumn = Annotated[
    str | None,
    typer.Option("--email-column", metavar="NAME", help="The list's column with the addresses."),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OLD=NEW", help="Rename a column of the list; may be repeated."),
]
Sheet = Annotated[str | None, typer.Option(help="The sheet to read, if the list is a workbook.")]


def is_from_file(context: typer.Context, parameter: str) -> bool:
    """Whether this option of the command is a default from a mailkit.toml."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "DEFAULT_MAP"


def fitting(
    context: typer.Context, recipients: str, encoding: str | None, delimiter: str | None
) -> tuple[str | None, str | None]:
    """The encoding and the delimiter of a list, without defaults from a mailkit.toml that are not
    for lists of its kind.
    """
    neither = recipients != "-" and is_workbook(Path(recipients))
    is_jsonl = Path(recipients).suffix.lower() in (".jsonl", ".ndjson")
    if neither and is_from_file(context, "encoding"):
        encoding = None
    if (neither or is_jsonl) and is_from_file(context, "delimiter"):
        delimiter = None
    return encoding, delimiter


def list_of(
    context: typer.Context,
    recipients: str,
    *,
    encoding: str | None,
    delimiter: str | None,
    email_column: str | None,
    renames: Sequence[str] | None,
    sheet: str | None,
) -> RecipientSource:
    """The list of a command."""
    encoding, delimiter = fitting(context, recipients, encoding, delimiter)
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
