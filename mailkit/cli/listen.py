"""``mailkit listen``: takes the providers' webhooks into the journal, until Ctrl-C."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import attrs
import msgspec
import typer
from rich.live import Live
from rich.text import Text

from mailkit.cli import log_json, terminal
from mailkit.cli.options import AdoptAs, JournalPlace, LogJson
from mailkit.cli.ports import port_refused
from mailkit.cli.run import Exit, end_at_once, hearing, opened, run
from mailkit.cli.show import print_json
from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument
from mailkit.text import counted, plain

if TYPE_CHECKING:
    from mailkit.webhooks import WebhookCounts, WebhookReceiver

__all__ = ["listen"]

VARIABLE = "MAILKIT_WEBHOOK_SECRET"
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def listen(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 picks a free one.")
    ] = 8080,
    prefix: Annotated[str, typer.Option(help="The beginning of the webhooks' path.")] = "/webhooks",
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print two lines of JSON: where it listens, and at the end the counts.",
        ),
    ] = False,
    log_as_json: LogJson = False,
) -> None:
    """Receive the providers' webhooks and record their events in the journal, even while jobs are
    being sent.

    The secret at the end of each path comes from MAILKIT_WEBHOOK_SECRET; while you replace it, give
    both, separated by a comma. Put a reverse proxy with TLS in front.
    """
    if not _PREFIX.fullmatch(prefix):
        raise typer.BadParameter("--prefix: give the beginning of a path, e.g. /webhooks")

    async def command() -> int:
        from mailkit.webhooks import (
            WebhookReceiver,  # no other command needs providers and a server
        )
        from mailkit.webhooks.aiohttp_app import listening

        secrets = _secrets()
        async with opened(journal, adopt=adopt, make=True) as store:
            receiver = WebhookReceiver(store, secret=secrets)
            ended = asyncio.Event()
            async with AsyncExitStack() as stack:
                stack.enter_context(hearing(ended.set, _quit))
                try:
                    url = await stack.enter_async_context(listening(receiver, host, port))
                except OSError as error:
                    raise port_refused(error, host, port) from None
                place = prefix.rstrip("/")
                _introduce(receiver, url, place, store.place, as_json=as_json)
                with _shown(receiver, quiet=as_json):
                    await ended.wait()
        counts = attrs.asdict(receiver.counts)
        log_json.note("ended", _sentence(receiver.counts), **counts)
        if as_json:
            print_json(msgspec.json.encode(counts).decode())
        else:
            print(_sentence(receiver.counts))
        return Exit.DONE

    raise typer.Exit(run(command, log_as_json=log_as_json))


def _secrets() -> Sequence[Secret]:
    from mailkit.core.options import secret_from_env
    from mailkit.webhooks.secrets import Secrets, wrapped

    given = secret_from_env(VARIABLE)
    if given is None:
        raise InvalidArgument(
            f"set {VARIABLE} to a random secret, such as the output of: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    secrets = wrapped([one.strip() for one in given.reveal().split(",")])
    Secrets(secrets, VARIABLE)  # whose errors name the variable
    return secrets


def _quit() -> None:
    end_at_once("quit at once; providers post again what was not answered", Exit.ERROR)


def _introduce(
    receiver: WebhookReceiver, url: str, place: str, journal: str, *, as_json: bool
) -> None:
    where = {"url": url + place, "providers": receiver.providers, "journal": journal}
    log_json.note("listening", f"listening on {url}{place}", **where)
    if as_json:
        print_json(msgspec.json.encode(where).decode())
        sys.stdout.flush()
        return
    print(f"Listening on {url}{place}; events go into {plain(journal)}")
    print(f"Register these addresses, with your host and the secret in {VARIABLE}:")
    for provider in receiver.providers:
        print(f"  {provider:<10} https://YOUR-HOST{place}/{provider}/${VARIABLE}")
    print(f"Health: {url}{place}/health   Stop: Ctrl-C", flush=True)


@contextmanager
def _shown(receiver: WebhookReceiver, *, quiet: bool) -> Iterator[None]:
    """A line of counts on a terminal, for as long."""
    if quiet or log_json.is_on() or not terminal.has_terminal():
        yield
        return

    def line() -> Text:
        return Text(_sentence(receiver.counts))

    with Live(
        get_renderable=line, console=terminal.console(), refresh_per_second=2, transient=True
    ):
        yield


def _sentence(counts: WebhookCounts) -> str:
    """What has come so far."""
    fates = {
        "applied": counts.applied,
        "repeated": counts.repeated,
        "waiting for their job": counts.parked,
        "about other messages": counts.foreign,
        "not about messages": counts.other,
    }
    if not any(attrs.astuple(counts)):
        return "no webhooks yet"
    events = ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)
    told = f"{counted(counts.events, 'event')} in {counted(counts.posts, 'post')}"
    reasons = {
        "unreadable": counts.broken,
        "unreadable in accepted posts": counts.left_out,
        "without the secret": counts.strangers,
        "while the journal could not be written": counts.unwritten,
    }
    others = ", ".join(f"{count:,} {why}" for why, count in reasons.items() if count)
    return told + (f": {events}" if events else "") + (f"; refused: {others}" if others else "")
