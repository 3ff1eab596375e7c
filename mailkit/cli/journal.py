"""``mailkit journal``: making a journal and looking after it."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import typer

from mailkit.bulk.journal import (
    ForgetResult,
    Journal,
    JournalInfo,
    default_place,
    is_address,
)
from mailkit.bulk.journal.tables import VERSION
from mailkit.cli.options import AdoptAs, AsJson, JournalPlace, checked, duration
from mailkit.cli.run import Exit, opened, run
from mailkit.cli.show import moment_of, print_json
from mailkit.cli.suppress import people_in
from mailkit.core.moments import spoken
from mailkit.errors import InvalidArgument, JournalError
from mailkit.text import counted, plain

__all__ = ["journal"]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be done; change nothing.")
]

journal = typer.Typer(
    no_args_is_help=True,
    help="Create and maintain a journal, and remove personal data from it.",
)


@journal.command()
def init(
    context: typer.Context,
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="JOURNAL", help="Where to create it; default: the place of --journal."
        ),
    ] = None,
    journal: JournalPlace = None,
    single_server: Annotated[
        bool,
        typer.Option(
            "--single-server",
            help="PostgreSQL only: note that no standby of the server will ever be promoted.",
        ),
    ] = False,
) -> None:
    """Create a journal, and show what it relies on. An existing one stays as it is."""
    source = context.get_parameter_source("journal")
    if place is not None and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("JOURNAL and --journal are two places: give one of them")
    if place == "":
        raise typer.BadParameter("JOURNAL is empty: name a place, or leave it out")
    where = journal if place is None else place
    if single_server and not is_address(str(where or default_place())):
        raise typer.BadParameter("--single-server is for a journal in PostgreSQL")

    async def command() -> int:
        before = await Journal.version_at(where)
        async with await Journal.open(where, single_server=single_server) as store:
            await _make_queues(str(where or default_place()))
            found = await store.info()
        done = "was created" if before is None else "already exists"
        print(plain(f"the journal {found.place} {done}: {_database(found)}"))
        for sentence in found.store.reliance:
            print(f"  {sentence}")
        return Exit.DONE

    raise typer.Exit(run(command))


@journal.command()
def migrate(journal: JournalPlace = None) -> None:
    """Upgrade a journal of the previous version to this one, unless a process is sending with it.

    All other commands except info do so when they open the journal.
    """

    async def command() -> int:
        before = await _version(journal)
        async with await Journal.open(journal, create=False) as store:
            found = await store.info()
        after = found.store.version
        done = (
            f"nothing to do: its version is {after}"
            if before == after
            else f"from version {before} to {after}"
        )
        print(plain(f"{found.place}: {done}"))
        return Exit.DONE

    raise typer.Exit(run(command))


@journal.command()
def info(journal: JournalPlace = None, adopt: AdoptAs = None, as_json: AsJson = False) -> None:
    """Show the state of the journal: its database and size, its jobs, accounts and workers."""

    async def command() -> int:
        if adopt is None and (version := await _version(journal)) < VERSION:
            raise JournalError(
                f"the journal has version {version}, and this mailkit reads version {VERSION}: "
                "upgrade it with mailkit journal migrate"
            )
        async with opened(journal, adopt=adopt, look=True) as store:
            found = await store.info()
        if as_json:
            print_json(found.to_json())
        else:
            for name, text in _lines(found):
                print(plain(f"{name:<15}{text}"))
        return Exit.DONE

    raise typer.Exit(run(command))


@journal.command()
def backup(
    destination: Annotated[
        Path, typer.Argument(metavar="DESTINATION", help="The new file.", readable=False)
    ],
    journal: JournalPlace = None,
) -> None:
    """Copy the journal to a new file, even while jobs are being sent.

    The output says how to restore it.
    """

    async def command() -> int:
        async with opened(journal, look=True) as store:
            size = await store.backup(destination)
            path = store.path
        print(plain(f"{destination}: {_size(size)}, readable only by its owner"))
        assert path is not None  # noqa: S101 - what a command opens is in a file
        for line in _restoring(path):
            print(plain(line))
        sys.stdout.flush()
        return Exit.DONE

    raise typer.Exit(run(command))


def _check_age(text: str) -> None:
    """InvalidArgument unless it is a day or longer: what is pruned is gone."""
    if duration(text, "30d or 90d") < duration("1d"):
        raise InvalidArgument(
            f"{text!r} is less than a day, and pruned data is gone: use e.g. 30d or 90d"
        )


@journal.command()
def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            help="How long ago the jobs ended, e.g. 90d.",
            callback=checked(_check_age),
        ),
    ],
    dry_run: DryRun = False,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Remove the personal data of old jobs: addresses, fields and reasons.

    Counts stay, and so do irreversible codes of who has which message, so that nobody is mailed it
    again. Unsent rows of a pruned job can't be sent any more. Jobs with rows unsent or in doubt are
    kept, unless they were cancelled.
    """

    async def command() -> int:
        async with opened(journal, adopt=adopt, look=dry_run) as store:
            found = await store.prune(older_than=duration(older_than), dry_run=dry_run)
            free = (await store.info()).store.free
        for job in found.jobs:
            print(plain(f"{job.name}: {counted(job.rows, 'row')}"))
        for name in found.kept:
            print(plain(f"{name} is kept: it has not ended"))
        jobs = counted(len(found.jobs), "job")
        if dry_run:
            print(f"{jobs} would be pruned; nothing was changed")
        else:
            print(f"{jobs} pruned")
        if free and not dry_run:
            print(f"The file keeps its size: {_size(free)} of it are free for new rows.")
        return Exit.DONE

    raise typer.Exit(run(command))


@journal.command()
def forget(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="The addresses.")],
    drop_calls: Annotated[
        bool,
        typer.Option(
            "--drop-calls",
            help="Also drop pending webhook handler calls about them.",
        ),
    ] = False,
    dry_run: DryRun = False,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Make the personal data of these addresses unreadable, in all jobs.

    People who have a message are not mailed it again, and suppressed addresses stay suppressed. To
    keep later lists from mailing them, too, suppress them first.
    """

    async def command() -> int:
        people = people_in(addresses)
        async with opened(journal, adopt=adopt, look=dry_run) as store:
            found = await store.forget(*people, drop_calls=drop_calls, dry_run=dry_run)
        for line in _forgotten(found, dry_run=dry_run):
            print(plain(line))
        return Exit.ERROR if found.obstacles else Exit.DONE

    raise typer.Exit(run(command))


async def _version(journal: str | None) -> int:
    """The journal's version; it stays as it is. JournalError if there is none."""
    found = await Journal.version_at(journal)
    if found is None:
        place = str(journal or default_place())
        where = "in that database" if is_address(place) else f"at {place}"
        raise JournalError(f"there is no journal {where} yet: create it with mailkit journal init")
    return found


async def _make_queues(place: str) -> None:
    """Those of workers, where they are installed; else the first worker makes them."""
    if is_address(place):
        with contextlib.suppress(ModuleNotFoundError):
            from mailkit.cluster.queue import make_tables

            await anyio.to_thread.run_sync(make_tables, place)


def _forgotten(found: ForgetResult, *, dry_run: bool) -> Iterator[str]:
    if dry_run:
        for row in found.rows:
            yield f"job {row.job}, line {row.line:,}: {row.state}"
    counted = {
        "row": len(found.rows),
        "suppression": found.suppressed,
        "parked event": found.parked,
        "handler call": sum(found.handler_calls.values()),
        "reason of others": found.mentions,
    }
    places = [
        f"{count:,} {what}" if count == 1 else f"{count:,} {_plural(what)}"
        for what, count in counted.items()
        if count
    ]
    if not places:
        yield "not found anywhere in the journal"
        return
    yield f"{'found' if dry_run else 'forgotten'} in {', '.join(places)}"
    for obstacle in found.obstacles:
        yield f"can't be forgotten yet: {obstacle}"
    if dry_run:
        yield "nothing was changed"
    else:
        yield "Backups of the journal, logs and the services may still have them."


def _plural(what: str) -> str:
    first, *rest = what.split(" ", 1)
    return " ".join([f"{first}s", *rest]) if rest == ["of others"] else f"{what}s"


def _restoring(journal: Path) -> Iterator[str]:
    name = journal.name
    look = f"mailkit journal info --journal {shlex.quote(str(journal))} --adopt"
    yield "To restore it, once no process is sending with the journal:"
    yield f"  1. remove {name}, {name}-wal and {name}-shm; leave {name}-takes where it is"
    yield f"  2. copy the backup to {journal}"
    yield f"  3. {look} latest   if {name}-takes is still there, or nothing was sent since"
    yield f"     {look} older    otherwise; what was to be sent is then in doubt"
    yield "Jobs started since are not in it: don't send their lists again."


def _lines(found: JournalInfo) -> Iterator[tuple[str, str]]:
    store = found.store
    yield "journal", found.place
    yield "database", _database(found)
    free = f", {_size(store.free)} of it free for new rows" if store.free else ""
    yield "size", f"{_size(store.size)}{free}"
    counts = ", ".join(f"{count:,} {phase}" for phase, count in found.jobs.items() if count)
    yield "jobs", counts or "none"
    yield "rows", f"{found.rows:,}"
    for name, job in (("oldest job", found.oldest), ("newest job", found.newest)):
        if job is not None:
            yield name, f"{job.name}, {moment_of(job.created)}"
    yield "suppressions", f"{found.suppressions:,}"
    yield "parked events", f"{found.parked:,}"
    for handler, calls in found.handler_calls.items():
        yield "handler calls", f"{calls:,} pending for {handler}"
    for account in found.accounts:
        yield "account", f"{account.provider} {account.account}"
        for quota in account.quotas:
            blocked = f", blocked until {moment_of(quota.blocked)}" if quota.blocked else ""
            yield "", f"{quota.name}: {quota.used:,} in the last {spoken(quota.seconds)}{blocked}"
        if account.waiting:
            yield "", f"{account.waiting:,} waiting for a permit"
    for worker in found.workers:
        does = "sends" if worker.sends else "follows"
        heard = worker.last_heard
        since = f", last heard from at {moment_of(heard)}" if heard else ""
        yield "worker", f"{worker.name} {does} the job {worker.job}{since}"


def _database(found: JournalInfo) -> str:
    return f"{found.store.database}, version {found.store.version}"


def _size(size: int) -> str:
    """Bytes as people read them."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:,.1f} {unit}"
    return f"{size / 1e3:,.1f} kB"
