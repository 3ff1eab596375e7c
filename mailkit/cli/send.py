"""``mailkit send`` and ``mailkit resume``: a job is planned, sent, reconciled, reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated

import anyio
import attrs
import msgspec
import typer

from mailkit.bulk.job import Job
from mailkit.bulk.journal import JobRecord, Journal, LeftBehind, check_shared, default_place
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.resolve import replan_rejected
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_suppressions
from mailkit.cli import log_json
from mailkit.cli.log_json import note
from mailkit.cli.options import (
    Account,
    AdoptAs,
    Again,
    Concurrency,
    Delimiter,
    EmailColumn,
    Encoding,
    JobName,
    JournalPlace,
    LogJson,
    Map,
    MessageFile,
    NewName,
    OnlyJson,
    ProviderName,
    Rate,
    Recipients,
    Sheet,
    Suppress,
    Track,
    duration,
    is_from_file,
    list_of,
)
from mailkit.cli.progress import follow_job, planning
from mailkit.cli.run import CutOff, Exit, exit_code, graceful, opened, remedy_of, run, say
from mailkit.cli.show import print_json, report_text
from mailkit.cli.suppress import say_ignored
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument
from mailkit.extras import needed
from mailkit.message import Message
from mailkit.providers import open_provider
from mailkit.text import plain

__all__ = ["print_report", "resume", "send"]

IgnoreSendAt = Annotated[
    bool, typer.Option("--ignore-send-at", help="Send now, whatever the message's send_at says.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Resume the job of this message and list if it exists, otherwise start it, so that "
        "the command can be repeated.",
    ),
]
Detach = Annotated[
    bool,
    typer.Option(
        "--detach",
        help="Plan the job and return: workers send it (mailkit worker). Needs a journal in "
        "PostgreSQL.",
    ),
]


def _point_to_plan(given: bool) -> None:
    if given:
        raise typer.BadParameter("use mailkit plan, which shows what a send would do")


DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        hidden=True,
        is_eager=True,
        callback=_point_to_plan,
        help="There is none: mailkit plan does it.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Treat invalid and rejected rows as an error.")
]


def send(
    context: typer.Context,
    message: MessageFile,
    recipients: Recipients,
    provider: ProviderName,
    name: NewName = None,
    resume: Resume = False,
    again: Again = False,
    detach: Detach = False,
    ignore_send_at: IgnoreSendAt = False,
    strict: Strict = False,
    track: Track = None,
    suppress: Suppress = None,
    rate: Rate = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    email_column: EmailColumn = None,
    renames: Map = None,
    sheet: Sheet = None,
    concurrency: Concurrency = 8,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: OnlyJson = False,
    log_as_json: LogJson = False,
    _dry_run: DryRun = False,
) -> None:
    """Send a message to a list, check every recipient's status, and report.

    Credentials come from the environment, e.g. MAILKIT_SMSBY_TOKEN or MAILKIT_DEVINO_API_KEY.

    Exit codes:

    - 0: every row has a known outcome, and somebody was accepted
    - 1: an error, or nobody was accepted
    - 2: wrong usage
    - 3: rows are in doubt, and others may be unsent
    - 4: stopped with rows unsent, or not yet found in the status lists
    - 130: Ctrl-C or SIGTERM before the job was planned
    """
    if resume and again:
        raise typer.BadParameter("use --resume or --again, not both")
    strict_here = strict and not is_from_file(context, "strict")
    if detach and (resume or ignore_send_at or strict_here):
        raise typer.BadParameter(
            "--detach only plans the job: --resume, --ignore-send-at and --strict are for sending"
        )

    async def command() -> int:
        parsed = Message.from_toml(message)
        source = list_of(
            context,
            recipients,
            encoding=encoding,
            delimiter=delimiter,
            email_column=email_column,
            renames=renames,
            sheet=sheet,
        )
        unwanted = None if suppress is None else read_suppressions(Path(suppress), like=source)
        settings = EngineSettings(
            concurrency=concurrency, track=duration(track), ignore_send_at=ignore_send_at
        )

        async def start(sender: BulkSender) -> Job:
            async with planning(source, quiet=as_json):
                if resume:
                    job = await sender.start_or_resume(
                        parsed, source, name=name, suppress=unwanted, rate=rate
                    )
                else:
                    job = await sender.start(
                        parsed, source, name=name, again=again, suppress=unwanted, rate=rate
                    )
            say_ignored(unwanted)
            return job

        async def leave(sender: BulkSender) -> str:
            with needed("cluster", "workers need", InvalidArgument):
                from mailkit.cluster import detach as leave_to_workers
            async with planning(source, quiet=as_json):
                planned = await leave_to_workers(
                    place,
                    sender,
                    parsed,
                    source,
                    name=name,
                    again=again,
                    suppress=unwanted,
                    rate=rate,
                    track=settings.track,
                )
            say_ignored(unwanted)
            return planned

        place = str(journal or default_place())
        if detach:
            check_shared(place)
        async with (
            open_provider(provider, account) as client,
            opened(place, adopt=adopt, make=True) as store,
        ):
            if detach:
                return await _detach(client, store, settings, leave, as_json=as_json)
            return await _send(
                client,
                store,
                settings,
                start,
                name=name if resume else None,
                as_json=as_json,
                strict=strict,
            )

    raise typer.Exit(run(command, log_as_json=log_as_json))


def resume(
    context: typer.Context,
    job: JobName,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Also send the rejected rows again.")
    ] = False,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help="Send the rest of a job that was cancelled.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Have workers send it (mailkit worker), and return."),
    ] = False,
    trust_refusals: Annotated[
        bool,
        typer.Option(
            "--trust-refusals",
            help="Take the provider's refusals to be about the rows, not about the account.",
        ),
    ] = False,
    ignore_send_at: IgnoreSendAt = False,
    strict: Strict = False,
    track: Track = None,
    rate: Rate = None,
    concurrency: Concurrency = 8,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: OnlyJson = False,
    log_as_json: LogJson = False,
) -> None:
    """Continue a job that was stopped or killed. Requests that were under way are in doubt."""
    ours = {
        "trust_refusals": trust_refusals,
        "ignore_send_at": ignore_send_at,
        "strict": strict,
        "track": track,
        "rate": rate,
    }
    given = [name for name, value in ours.items() if value and not is_from_file(context, name)]
    if detach and given:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter(
            f"leave out {words}: with --detach, workers send the job, and only --cancelled and "
            "--rejected can be given"
        )

    async def command() -> int:
        settings = EngineSettings(
            concurrency=concurrency,
            track=duration(track),
            ignore_send_at=ignore_send_at,
            trust_refusals=trust_refusals,
        )

        async def start(sender: BulkSender) -> Job:
            return await sender.resume(job, rejected=rejected, cancelled=cancelled, rate=rate)

        place = str(journal or default_place())
        if detach:
            check_shared(place)
        async with opened(place, adopt=adopt) as store:
            record = await store.jobs.get(job)
            if not cancelled and await store.cancelling.is_unwanted(record):
                raise InvalidArgument(
                    f"the job {job} was cancelled: to send the rest after all, add --cancelled"
                )
            if detach:
                with needed("cluster", "workers need", InvalidArgument):
                    from mailkit.cluster import restart
                left_out = await store.cancelling.restore(record) if cancelled else 0
                if rejected:
                    left_out += (await replan_rejected(store, job)).elsewhere
                _say_left_out(job, left_out)
                found = await make_report(store, job, proven=False)
                asks = any(doubt.asks for doubt in found.doubts)
                unsent = found.counts.unsent and not found.cancelled
                is_to_send = unsent or found.unreconciled or asks
                if is_to_send or found.counts.in_doubt or found.stopped:
                    await restart(place, store, job)
                if is_to_send:
                    return _say_detached("resumed", job, as_json=as_json)
                left = (
                    "nothing more is sent of it" if found.cancelled else "nothing is left to send"
                )
                say(f"mailkit: {plain(job)}: {left}")
                return _ended(found, as_json=as_json, failed=False)
            async with open_provider(record.provider, account) as client:
                return await _send(
                    client,
                    store,
                    settings,
                    start,
                    name=job,
                    as_json=as_json,
                    strict=strict,
                )

    raise typer.Exit(run(command, log_as_json=log_as_json))


async def _send(
    client: Provider,
    journal: Journal,
    settings: EngineSettings,
    start: Callable[[BulkSender], Awaitable[Job]],
    *,
    name: str | None,
    as_json: bool,
    strict: bool,
) -> int:
    job: Job | None = None
    report: Report | None = None
    known = await journal.jobs.list()
    async with BulkSender(client, journal=journal, settings=settings) as sender:
        with anyio.CancelScope() as planning:

            def stop() -> None:
                if job is None:
                    planning.cancel()
                else:
                    job.stop()

            def left_behind() -> LeftBehind | None:
                return LeftBehind() if job is None else job.left_behind()

            with graceful(stop, left_behind, planned=lambda: job is not None):
                job = await start(sender)
                _say_left_out(job.name, job.left_out)
                report = await follow_job(job, quiet=as_json)
    if job is None or report is None:
        raise CutOff(await _begun(journal, client, known, name))
    if job.left and not log_json.is_on():  # else the log has it
        say(f"mailkit: {plain(job.name)} is {plain(job.stopped or '')}")
    if job.error is not None and (remedy := remedy_of(job.error)):
        say(f"mailkit: {plain(job.name)} was stopped by an error{remedy}")
    return _ended(report, as_json=as_json, failed=job.error is not None, strict=strict)


def _ended(report: Report, *, as_json: bool, failed: bool, strict: bool = False) -> int:
    """The report, and the exit code that it stands for."""
    counts = attrs.asdict(report.counts)
    note("report", f"{report.job}: {report.counts.accepted:,} accepted", job=report.job, **counts)
    print_report(report, as_json=as_json)
    return exit_code(report, failed=failed, strict=strict)


async def _begun(
    journal: Journal, client: Provider, known: Sequence[JobRecord], name: str | None
) -> str | None:
    """The job of this name, or one that was not known before, if rows of it are unsent."""
    names = {one.name for one in known} - {name}
    for job in await journal.jobs.list():
        ours = job.provider == client.name and job.account == client.account
        if ours and job.name not in names and (await journal.reports.counts(job)).unsent:
            return job.name
    return None


async def _detach(
    client: Provider,
    journal: Journal,
    settings: EngineSettings,
    leave: Callable[[BulkSender], Awaitable[str]],
    *,
    as_json: bool,
) -> int:
    name: str | None = None
    known = await journal.jobs.list()
    async with BulkSender(client, journal=journal, settings=settings) as sender:
        with (
            anyio.CancelScope() as planning,
            graceful(planning.cancel, LeftBehind, planned=lambda: False),
        ):
            name = await leave(sender)
    if name is None:
        raise CutOff(await _begun(journal, client, known, None))
    return _say_detached("planned", name, as_json=as_json)


def _say_left_out(name: str, rows: int) -> None:
    """How many rows a job lost to others when it was resumed, before it goes on."""
    if rows:
        them = "1 row is" if rows == 1 else f"{rows:,} rows are"
        say(
            f"mailkit: {plain(name)}: {them} left out, since other jobs have sent them this "
            f"message, or will; to list them: mailkit report {quote(plain(name))} --csv "
            "--state duplicate",
            "left_out",
            job=name,
            rows=rows,
        )


def _say_detached(done: str, name: str, *, as_json: bool) -> int:
    note("detached", f"{name}: {done}; workers will send it", job=name)
    if as_json:
        print_json(msgspec.json.encode({"job": name}).decode())
    else:
        shown = plain(name)
        print(f"{shown} is {done}; workers will send it. To check: mailkit status {quote(shown)}")
    return Exit.DONE


def print_report(report: Report, *, as_json: bool) -> None:
    """The report on stdout."""
    if as_json:
        print_json(report.to_json())
    else:
        for line in report_text(report):
            print(line)
