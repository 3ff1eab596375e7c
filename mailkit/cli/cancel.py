"""``mailkit cancel``: a job is sent no further, and what was sent is taken back if it can be."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import attrs
import msgspec
import typer

from mailkit.bulk.cancel import RecallResult
from mailkit.bulk.cancel import cancel as stop_sending
from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report
from mailkit.bulk.report.advice import unfound
from mailkit.bulk.sender import BulkSender
from mailkit.cli import orders
from mailkit.cli.options import Account, AdoptAs, AsJson, JobName, JournalPlace
from mailkit.cli.run import Exit, opened, run
from mailkit.cli.show import moment_of, print_json
from mailkit.errors import InvalidArgument
from mailkit.providers import open_provider
from mailkit.text import counted, plain

__all__ = ["cancel"]


def cancel(
    job: JobName,
    recall: Annotated[
        bool,
        typer.Option(
            "--recall",
            help="Also ask the provider to take back messages that are not delivered yet.",
        ),
    ] = False,
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a job, from any terminal: nothing more of it is sent.

    Processes that are sending it finish their requests under way and stop. If these send the rest,
    the job is not cancelled. Recipients that are still unsent can be mailed by another job, or by
    resume --cancelled.
    """

    async def command() -> int:
        async with opened(journal, adopt=adopt) as store:
            try:
                report = await stop_sending(store, job)
            except InvalidArgument:
                if not await orders.drop(journal, job):
                    raise
                if as_json:
                    print_json(msgspec.json.encode({"job": job, "order": "dropped"}).decode())
                else:
                    print(f"{plain(job)}: no worker will plan it: the order is dropped")
                return Exit.DONE
            if not as_json:
                for line in _told(report):
                    print(line)
            if await orders.drop(journal, job) and not as_json:
                print(f"{plain(job)}: the order to plan another job of this name is dropped")
            if not as_json:
                sys.stdout.flush()
            found: RecallResult | None = None
            if recall:
                found = await _recall(store, job, report.provider, account)
                if not as_json:
                    for line in _recalled(found, report):
                        print(line)
        if as_json:
            facts = {**report.to_dict(), "recall": found and attrs.asdict(found)}
            print_json(msgspec.json.encode(facts).decode())
        return _code(report, found)

    raise typer.Exit(run(command))


async def _recall(store: Journal, job: str, provider: str, account: str | None) -> RecallResult:
    async with (
        open_provider(provider, account) as client,
        BulkSender(client, journal=store) as sender,
    ):
        return await sender.recall(job)


def _told(report: Report) -> list[str]:
    counts, job = report.counts, plain(report.job)
    handed = f"{counts.accepted:,} accepted, {counts.rejected:,} rejected"
    if counts.in_doubt:
        handed += f", {counts.in_doubt:,} in doubt"
    quoted = shlex.quote(job)
    if report.cancelled is None:
        lines = [f"{job}: nothing is left to cancel: {handed}"]
    else:
        at = moment_of(report.cancelled)
        lines = [f"{job}: cancelled at {at}: {handed}, {counts.unsent:,} unsent"]
    if counts.unsent and report.running:
        lines.append(f"It is still being sent: a request takes long; see mailkit status {quoted}")
    if counts.in_doubt:
        lines.append(
            f"To settle what is in doubt: mailkit status {quoted}; what turns out not to be sent "
            "stays unsent"
        )
    if report.unreconciled:
        lines.append(str(unfound(report, moment_of)))
    if report.stopped and counts.unsent:
        lines.append(f"To send the rest after all: mailkit resume {quoted} --cancelled")
    return lines


def _recalled(found: RecallResult, report: Report) -> list[str]:
    if not (found.recalled or found.refused or found.unknown):
        return [f"there is nothing to take back: {report.provider} has accepted nothing"]
    lines = [f"taken back by {report.provider}: {counted(found.recalled, 'chunk')}"]
    for n, why in found.refused.items():
        lines.append(plain(f"  chunk {n} was not taken back: {why}"))
    for n, why in found.unknown.items():
        lines.append(plain(f"  chunk {n}: unknown whether it was taken back: {why}"))
    if found.recalled:
        job = shlex.quote(plain(report.job))
        lines.append(f"To see what was sent before that: mailkit status {job} --follow")
    if found.unknown:
        lines.append("Check in the provider's dashboard, or run the command again")
    return lines


def _code(report: Report, found: RecallResult | None) -> Exit:
    """Nothing is left undone that was asked for; nobody knows; or something was refused."""
    if report.counts.in_doubt or (found and found.unknown):
        return Exit.IN_DOUBT
    return Exit.ERROR if found and found.refused else Exit.DONE
