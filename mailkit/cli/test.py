"""``mailkit test``: one real message, before the list gets it."""

from __future__ import annotations

from typing import Annotated

import attrs
import msgspec
import typer

from mailkit.bulk.sender import BulkSender
from mailkit.bulk.single import SampleResult
from mailkit.cli.excerpt import shown
from mailkit.cli.options import (
    Account,
    AdoptAs,
    AsJson,
    Delimiter,
    EmailColumn,
    Encoding,
    JournalPlace,
    Map,
    MessageFile,
    ProviderName,
    Sheet,
    list_of,
)
from mailkit.cli.run import Exit, opened, run, say
from mailkit.cli.show import print_json
from mailkit.errors import OutcomeUnknown
from mailkit.message import Message
from mailkit.providers import open_provider
from mailkit.text import plain

__all__ = ["send_test"]


def send_test(
    context: typer.Context,
    message: MessageFile,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The recipient.")],
    provider: ProviderName,
    recipients: Annotated[
        str | None,
        typer.Option("--list", help="A list with a row that fills the placeholders."),
    ] = None,
    row: Annotated[
        int | None, typer.Option(min=1, help="The row, counted from 1; default: the first.")
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    email_column: EmailColumn = None,
    renames: Map = None,
    sheet: Sheet = None,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: AsJson = False,
) -> None:
    """Send one real message to an address of your own, immediately. It does not become a job.

    Exit codes:

    - 0: the service accepted it
    - 1: an error
    - 2: wrong usage
    - 3: unknown whether it was sent
    """
    if row is not None and recipients is None:
        raise typer.BadParameter("--row is a row of --list: give that, too")

    async def command() -> int:
        parsed = Message.from_toml(message)
        source = None
        if recipients is not None:
            source = list_of(
                context,
                recipients,
                encoding=encoding,
                delimiter=delimiter,
                email_column=email_column,
                renames=renames,
                sheet=sheet,
            )
        async with (
            open_provider(provider, account) as client,
            opened(journal, adopt=adopt, make=True) as store,
            BulkSender(client, journal=store) as sender,
        ):
            try:
                found = await sender.test(parsed, address, source, row=row or 1)
            except OutcomeUnknown as error:
                say(
                    f"mailkit: it is unknown whether the message to {plain(address)} was sent: "
                    f"{plain(str(error))}"
                )
                return Exit.IN_DOUBT
        if as_json:
            facts = {"provider": provider, **attrs.asdict(found)}
            print_json(msgspec.json.encode(facts).decode())
        else:
            _print(found, provider)
        return Exit.DONE

    raise typer.Exit(run(command))


def _print(found: SampleResult, provider: str) -> None:
    values = "" if found.line is None else f", with the values of line {found.line}"
    reference = "" if found.reference is None else f" (ID {found.reference})"
    print(plain(f"{provider} accepted the message to {found.to}{reference}{values}:"))
    print(plain(f"  {found.subject}"))
    print(plain(f"  {shown(found.html, found.text)}"))
