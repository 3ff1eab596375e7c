"""``mailkit worker``: sends jobs of a journal in PostgreSQL, together with others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Annotated

import typer

from mailkit.bulk.journal import check_shared, default_place
from mailkit.bulk.settings import EngineSettings
from mailkit.cli import log_json
from mailkit.cli.config import FILE
from mailkit.cli.options import (
    Account,
    AdoptAs,
    Concurrency,
    JournalPlace,
    LogJson,
    check_provider,
    checked_each,
    is_from_file,
)
from mailkit.cli.run import Exit, end_at_once, graceful, opened, run, say
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument
from mailkit.extras import needed
from mailkit.providers import open_provider, provider_names
from mailkit.text import plain

__all__ = ["worker"]


def worker(
    context: typer.Context,
    providers: Annotated[
        list[str] | None,
        typer.Option(
            "--provider",
            help="A service whose jobs to send; may be repeated. Default: every service with "
            "credentials in the environment.",
            envvar="MAILKIT_PROVIDER",
            callback=checked_each(check_provider),
            autocompletion=provider_names,
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=1_000, help="The number of jobs under way at once.")
    ] = 10,
    concurrency: Concurrency = 8,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    log_as_json: LogJson = False,
) -> None:
    """Send the jobs of a journal in PostgreSQL, together with the workers on other machines.

    It sends jobs of the accounts whose credentials are in the environment, until Ctrl-C or SIGTERM.
    Then it finishes its requests under way, and other workers send the rest.
    """

    async def command() -> int:
        place = str(journal or default_place())
        check_shared(place)
        with needed("cluster", "workers need", InvalidArgument):
            from mailkit.cluster import Worker
            from mailkit.cluster.task import LONGEST_WAIT
        settings = EngineSettings(concurrency=concurrency, max_wait=LONGEST_WAIT)
        async with (
            _clients(context, providers or (), account) as clients,
            opened(place, adopt=adopt) as store,
        ):
            one = Worker(place, store, clients, jobs=jobs, settings=settings)
            accounts = ", ".join(f"{client.name} {client.account}" for client in clients)
            with _shown(), graceful(one.stop, one.left_behind):
                say(
                    f"mailkit: a worker for {store.place} ({accounts})",
                    "working",
                    journal=store.place,
                    accounts=[[client.name, client.account] for client in clients],
                )
                ended = await one.run()
            if not ended:
                end_at_once("some requests did not end in time: they are in doubt", Exit.IN_DOUBT)
        return Exit.DONE

    raise typer.Exit(run(command, log_as_json=log_as_json))


@asynccontextmanager
async def _clients(
    context: typer.Context, names: Sequence[str], account: str | None
) -> AsyncIterator[list[Provider]]:
    """The clients of these providers, or of all that have credentials. An account is that of a
    single one: its quotas must not count for another service.
    """
    async with AsyncExitStack() as stack:
        found: list[Provider] = []
        for name in dict.fromkeys(names or provider_names()):
            with contextlib.nullcontext() if names else contextlib.suppress(InvalidArgument):
                found.append(await stack.enter_async_context(open_provider(name, account)))
        if not found:
            raise InvalidArgument(
                "the environment has no provider's credentials: set e.g. MAILKIT_SMSBY_TOKEN"
            )
        if account is not None and len(found) > 1:
            given, remedy = "--account", "give one --provider"
            if is_from_file(context, "account"):
                given = f"account in {plain(str(context.find_root().params['config'] or FILE))}"
                remedy += ", or move account into a profile"
            services = ", ".join(client.name for client in found)
            raise typer.BadParameter(
                f"{given} is for a single service, and there are credentials of {services}: "
                f"{remedy}"
            )
        yield found


class _Lines(logging.Handler):
    """Writes what happens, each time in a line."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "mailkit_event", None) != "chunk_accepted":
            say(f"mailkit: {record.getMessage()}")


@contextmanager
def _shown() -> Iterator[None]:
    """For as long, the lines of jobs and of the worker are on stderr, unless they are JSON there;
    the libraries below are silent, since the worker itself says when the database is away.
    """
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if log_json.is_on():
        yield
        return
    lines = _Lines(logging.INFO)
    logs = [
        logging.getLogger(name) for name in ("mailkit.jobs", "mailkit.journal", "mailkit.worker")
    ]
    for log in logs:
        log.addHandler(lines)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        for log in logs:
            log.setLevel(logging.NOTSET)
            log.removeHandler(lines)
