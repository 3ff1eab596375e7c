"""``mailkit status`` and ``resolve``: looking at jobs, and ending their doubts."""

from __future__ import annotations

import shlex
from typing import Annotated

import msgspec
import typer

from mailkit.bulk.report import every_report, make_report
from mailkit.bulk.resolve import replan_rejected
from mailkit.bulk.resolve import resolve as end_doubts
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.cli import orders
from mailkit.cli.options import Account, AdoptAs, JobName, JournalPlace, OnlyJson, checked, duration
from mailkit.cli.progress import follow_job
from mailkit.cli.run import Exit, exit_code, graceful, opened, run
from mailkit.cli.send import print_report
from mailkit.cli.show import jobs_table, print_json
from mailkit.errors import InvalidArgument
from mailkit.providers import open_provider
from mailkit.text import plain

__all__ = ["resolve", "status"]


def status(
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="The job's name; without it, every job."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep checking deliveries at the provider.")
    ] = False,
    track: Annotated[
        str,
        typer.Option(help="With --follow: for how long, e.g. 30m.", callback=checked(duration)),
    ] = "2h",
    account: Account = None,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
    as_json: OnlyJson = False,
) -> None:
    """Show the progress of all jobs, or of one.

    For one job: the states of its rows, the processes that work on it, what it waits for, and what
    to do.
    """

    async def command() -> int:
        async with opened(journal, adopt=adopt, look=not follow) as store:
            if job is None:
                reports = await every_report(store, reasons=as_json)
                if as_json:
                    print_json(msgspec.json.encode([one.to_dict() for one in reports]).decode())
                    return Exit.DONE
                ordered = await orders.waiting(journal)
                if reports:
                    jobs_table(reports)
                elif not ordered:
                    print(f"no jobs yet in {plain(store.place)}")
                for order in ordered:
                    print(orders.line(order))
                return Exit.DONE
            try:
                record = await store.jobs.get(job)
            except InvalidArgument:
                if (unplanned := await orders.find(journal, job)) is None:
                    raise
                if as_json:
                    raise InvalidArgument(orders.line(unplanned)) from None
                print(orders.line(unplanned))
                return Exit.ERROR if orders.failed(unplanned) else Exit.UNSENT
            if follow:
                async with (
                    open_provider(record.provider, account) as provider,
                    BulkSender(provider, journal=store, settings=EngineSettings()) as bulk,
                ):
                    run_of = await bulk.follow(job, duration(track))
                    with graceful(run_of.stop, run_of.left_behind):
                        await follow_job(run_of, quiet=as_json)
            found = await make_report(store, job, proven=False)
            print_report(found, as_json=as_json)
            if not as_json and (ordered_too := await orders.find(journal, job)) is not None:
                print(orders.line(ordered_too))
            return exit_code(found, failed=False)

    raise typer.Exit(run(command))


def resolve(
    job: JobName,
    chunks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHUNK",
            help="The chunks that you checked, as the report and the provider label them: 12, or "
            "12.2 if sent again.",
        ),
    ] = None,
    addresses: Annotated[
        list[str] | None,
        typer.Option("--address", help="Only the row with this address; may be repeated."),
    ] = None,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="The provider accepted them.")
    ] = False,
    not_sent: Annotated[
        bool, typer.Option("--not-sent", help="They were not sent: resume sends them.")
    ] = False,
    rejected: Annotated[
        bool,
        typer.Option(
            "--rejected",
            help="Plan rejected rows again, all of them unless you give chunks or addresses: "
            "resume sends them.",
        ),
    ] = False,
    journal: JournalPlace = None,
    adopt: AdoptAs = None,
) -> None:
    """Record the outcome of rows in doubt, after checking the provider's dashboard; or plan
    rejected rows again.
    """
    if accepted + not_sent + rejected != 1:
        raise typer.BadParameter("choose one of --accepted, --not-sent and --rejected")

    async def command() -> int:
        which, people, left_out = chunks or (), addresses or (), 0
        async with opened(journal, adopt=adopt) as store:
            if rejected:
                again = await replan_rejected(store, job, *which, addresses=people)
                rows, left_out = again.rows, again.elsewhere
            else:
                rows = await end_doubts(store, job, *which, accepted=accepted, addresses=people)
            cancelled = await store.cancelling.is_unwanted(await store.jobs.get(job))
        one = rows == 1
        if accepted:
            print("1 row now counts" if one else f"{rows:,} rows now count", "as accepted")
        elif rows:
            how, what = f"mailkit resume {shlex.quote(plain(job))}", "planned again; send with:"
            if cancelled:
                how, what = f"{how} --cancelled", "unsent, and the job is cancelled; send with:"
            print("1 row is" if one else f"{rows:,} rows are", what, how)
        elif not left_out:
            print(f"the job {plain(job)} has no rejected rows: nothing is planned again")
        if left_out:
            print(f"{left_out:,} left out: another job has sent them this message, or will")
        return Exit.DONE

    raise typer.Exit(run(command))
