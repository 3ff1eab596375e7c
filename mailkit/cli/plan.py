"""``mailkit plan``: what a send would do, without sending anything."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from mailkit.bulk.estimate import Duration
from mailkit.bulk.job import Job
from mailkit.bulk.journal import LeftBehind
from mailkit.bulk.reasons import ReasonGroup, first_of
from mailkit.bulk.rehearsal import Plan, Sample
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_suppressions
from mailkit.cli.excerpt import shown
from mailkit.cli.options import (
    Account,
    AdoptAs,
    Again,
    Delimiter,
    EmailColumn,
    Encoding,
    JournalPlace,
    Map,
    MessageFile,
    NewName,
    OnlyJson,
    ProviderName,
    Rate,
    Recipients,
    Sheet,
    Suppress,
    list_of,
)
from mailkit.cli.progress import follow_job, planning
from mailkit.cli.run import CutOff, Exit, graceful, opened, run
from mailkit.cli.show import SHOWN, print_json
from mailkit.cli.suppress import say_ignored
from mailkit.core.moments import spoken
from mailkit.message import Message
from mailkit.providers import open_provider
from mailkit.text import counted, plain

__all__ = ["plan"]


def plan(
    context: typer.Context,
    message: MessageFile,
    recipients: Recipients,
    provider: ProviderName,
    name: NewName = None,
    again: Again = False,
    suppress: Suppress = None,
    upload: Annotated[
        bool,
        typer.Option(
            "--upload",
            help="Upload the list to the service, which then reports the exact cost; the job is "
            "kept, and resume sends it.",
        ),
    ] = False,
    rate: Rate = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    email_column: EmailColumn = None,
    renames: Map = None,
    sheet: Sheet = None,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: OnlyJson = False,
) -> None:
    """Show what a send would do, without sending: who is left out and why, the first messages, the
    requests, the cost and the time.

    The list is read and compared with other jobs and suppressions, as for a send. It is not kept,
    unless you upload it.
    """

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
        found: Plan | None = None
        job: Job | None = None
        async with (
            open_provider(provider, account) as client,
            opened(journal, adopt=adopt, make=True) as store,
            BulkSender(client, journal=store) as sender,
        ):
            with anyio.CancelScope() as scope:

                def stop() -> None:
                    if job is None:
                        scope.cancel()
                    else:
                        job.stop()

                begin = sender.upload if upload else sender.plan

                def left_behind() -> LeftBehind | None:
                    return LeftBehind() if job is None else job.left_behind()

                with graceful(stop, left_behind, planned=lambda: job is not None):
                    async with planning(source, quiet=as_json):
                        began = await begin(
                            parsed, source, name=name, again=again, suppress=unwanted, rate=rate
                        )
                    say_ignored(unwanted)
                    found, job = began if isinstance(began, tuple) else (began, None)
                    if job is not None:
                        return await _uploaded(sender, found, job, recipients, as_json=as_json)
        if found is None:
            raise CutOff
        if as_json:
            print_json(found.to_json())
        else:
            for line in plan_text(found, recipients):
                print(line)
            if found.counts.to_send:
                words = ["mailkit", "send", str(message), recipients, "--provider", provider]
                options = {
                    "--name": name,
                    "--suppress": suppress,
                    "--rate": rate,
                    "--encoding": encoding,
                    "--delimiter": delimiter,
                    "--email-column": email_column,
                    "--sheet": sheet,
                    "--account": account,
                }
                words += [word for one, value in options.items() if value for word in (one, value)]
                words += [word for one in renames or () for word in ("--map", one)]
                words += ["--again"] * again
                print(f"Nothing was sent. To send it: {plain(shlex.join(words))}")
        return _code(found)

    raise typer.Exit(run(command))


async def _uploaded(
    sender: BulkSender, found: Plan, job: Job, recipients: str, *, as_json: bool
) -> int:
    """Wait for the end of the upload, and say what it costs to send it."""
    report = await follow_job(job, quiet=as_json)
    found = await sender.uploaded(found, job.name)
    if as_json:
        facts = {**found.to_dict(), "job": report.to_dict()}
        print_json(msgspec.json.encode(facts).decode())
    else:
        for line in plan_text(found, recipients):
            print(line)
        if report.counts.rejected or report.counts.suppressed > found.counts.suppressed:
            suppressed = report.counts.suppressed - found.counts.suppressed
            print(f"the upload: {report.counts.rejected:,} rejected, {suppressed:,} suppressed")
        why = plain(report.stopped or "")
        print(f"{why[:1].upper()}{why[1:]}. To send it: mailkit resume {shlex.quote(job.name)}")
    return Exit.ERROR if job.error is not None else _code(found)


def _code(found: Plan) -> Exit:
    too_little = found.cost is not None and found.cost.enough is False
    return Exit.ERROR if too_little or not found.counts.to_send else Exit.DONE


def plan_text(plan: Plan, recipients: str) -> Iterator[str]:
    """What would be done with the list of this name, line by line."""
    counts = plan.counts
    yield plain(f"{recipients} over {plan.provider}: {plan.subject}")
    yield f"  {'rows read':<12}{counts.read:>14,}"
    for state, rows in (
        ("invalid", counts.invalid),
        ("duplicate", counts.duplicate),
        ("suppressed", counts.suppressed),
        ("to send", counts.to_send),
    ):
        yield f"  {state:<12}{rows:>14,}"
    if plan.left_out:
        yield "left out:"
        shown = first_of(plan.left_out, SHOWN)
        for group in shown:
            yield from _group(group)
        if more := len(plan.left_out) - len(shown):
            yield f"  and {more:,} more reasons: see --json"
    if not counts.to_send:
        yield "Nobody is left to mail."
        return
    yield "the first messages:" if counts.to_send > 1 else "the message:"
    for sample in plan.samples:
        yield from _message(sample)
    yield f"requests: {plan.requests:,}, for {counted(plan.chunks, 'chunk')}"
    yield from _cost(plan)
    yield f"time: {_time(plan.duration)}"


def _group(group: ReasonGroup) -> Iterator[str]:
    yield f"  {group.rows:,} {group.kind}: {plain(group.reason)}"
    for row in group.examples:
        reason = "" if row.reason == group.reason else f" ({row.reason})"
        yield plain(f"    line {row.line}: {row.address or '(no address)'}{reason}")


def _message(sample: Sample) -> Iterator[str]:
    yield plain(f"  line {sample.line}, to {sample.to}")
    yield plain(f"    {sample.subject}")
    yield plain(f"    {shown(sample.html, sample.text)}")


def _cost(plan: Plan) -> Iterator[str]:
    if plan.cost is None:
        yield "cost: unknown"
        return
    facts = (
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in plan.cost.facts.items()
    )
    verdict = {True: "; that is enough", False: "; that is NOT ENOUGH", None: ""}
    yield plain(f"cost: {', '.join(facts)}{verdict[plan.cost.enough]}")


def _time(duration: Duration) -> str:
    if duration.quota is None:
        return "no quota applies"
    return f"at least {spoken(duration.seconds)}, because of the quota of {duration.quota}"
