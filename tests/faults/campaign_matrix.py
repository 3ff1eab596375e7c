"""``python -m tests.faults.campaign_matrix``: a bulk send over SendPulse with a fault of each end
on the way of each kind of its requests, once and from there on.

Six people, two in a campaign, one request at a time, in a time that goes on. However the fault
ends, nobody is rejected or left in doubt, and when it is over, the job comes to its end: each list
and each campaign is there once, and each email.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import attrs

from mailkit.core.wire import Request
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    MailkitError,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.sandbox import Fault

from . import runs
from .calls import Call
from .runs import SENDPULSE, Run, open_run
from .table import Error, Row, one_of_each

PEOPLE = runs.PEOPLE[:6]
WAITED_OUT = 12
"""Requests of a fault that a job waits out, however long it lasts."""


@attrs.frozen
class Kind:
    """A kind of request of the job: its operation, and the ``first`` of them on whose way something
    can go wrong. ``plans``: it comes before the job is planned. ``repeatable``: the client repeats
    it. ``rows``: a refusal of it may be about rows. ``asks``: it is about a campaign that was
    created, or may have been.
    ``before`` is a fault on the second of other requests, without which there is none of these.
    """

    operation: str
    first: int = 2
    plans: bool = False
    repeatable: bool = True
    rows: bool = False
    asks: bool = False
    before: tuple[str, str] | None = None

    @property
    def call(self) -> Call:
        return attrs.evolve(SENDPULSE, name=self.operation, repeatable=self.repeatable)


LIST, CREATE = "sendpulse.mailing_lists.create", "sendpulse.campaigns.create"
KINDS = {
    "look at the senders": Kind("sendpulse.senders.list", first=1, plans=True),
    "create a list": Kind(LIST, repeatable=False),
    "find a list": Kind("sendpulse.mailing_lists.list", before=("reset_after_acting", LIST)),
    "read the blacklist": Kind("sendpulse.blacklist.list", first=1, rows=True),
    "look up contacts": Kind("sendpulse.contacts.get_many", rows=True),
    "load contacts": Kind("sendpulse.mailing_lists.add_contacts", rows=True),
    "look at a list": Kind("sendpulse.mailing_lists.get"),
    "count contacts": Kind("sendpulse.mailing_lists.count"),
    "ask for the cost": Kind("sendpulse.mailing_lists.cost"),
    "ask for the balance": Kind("sendpulse.balance.details", first=1),
    "create a campaign": Kind(CREATE, repeatable=False),
    "find a campaign": Kind(
        "sendpulse.mailing_lists.campaigns",
        first=1,
        asks=True,
        before=("reset_after_acting", CREATE),
    ),
    "find a campaign that is not there": Kind(
        "sendpulse.mailing_lists.campaigns",
        first=1,
        asks=True,
        before=("reset_before_reading", CREATE),
    ),
    "look at a campaign": Kind("sendpulse.campaigns.get", asks=True),
}

NOT_HERE = ("acts after its client is gone", "429, in a thousand years")
"""A second of the test is an hour of the job; and nobody resumes a job after so long."""


@attrs.frozen
class Cell:
    """A fault on the way of a kind of request: of one of them, or ``lasting``."""

    name: str
    kind: Kind
    row: Row
    lasting: bool

    @property
    def id(self) -> str:
        return f"{self.name}-{self.row.fault}-{'lasting' if self.lasting else 'once'}"

    @property
    def error(self) -> Error:
        """Why the job stops, if it does."""
        kind, row = self.kind, self.row
        end = row.ends(kind.repeatable)
        if end is None:
            return None
        if issubclass(end, AuthenticationFailed):
            return end
        if kind.asks:
            return None
        if kind.plans and self.lasting:
            return end
        if issubclass(end, RateLimited | QuotaExhausted):
            return end if kind.plans and row.arrives(True) == 1 else None
        if issubclass(end, Refused):
            return None if kind.rows and not self.lasting else end
        if not self.lasting or (kind.operation == CREATE and end is OutcomeUnknown and row.acted):
            return None
        return end

    @property
    def last(self) -> int | None:
        """The last request that the fault is on the way of; None: until the job has stopped."""
        if not self.lasting:
            return self.kind.first
        return self.kind.first + WAITED_OUT if self.error is None else None


def cells() -> Iterator[Cell]:
    """The whole matrix."""
    for name, kind in KINDS.items():
        for row in one_of_each(kind.call, but=NOT_HERE):
            for lasting in (False, True):
                yield Cell(name, kind, row, lasting)


async def play(cell: Cell) -> None:
    """A job with this fault, to its end; AssertionError if anything is not as it must be."""
    async with open_run(cell.row, SENDPULSE) as run:
        service = run.world.sandbox.sendpulse

        def concerns(request: Request) -> bool:
            found = service.find(request.verb, urlsplit(request.url).path)
            return found is not None and found[0] == cell.kind.operation

        if cell.kind.before is not None:
            fault, operation = cell.kind.before
            run.world.sandbox.faults.add(Fault(fault, on=operation, after=1, times=1))
        trouble = cell.row.trouble(run.world, cell.kind.operation)
        run.world.gate.order(concerns, trouble, first=cell.kind.first, last=cell.last)
        try:
            report, error = await run.start(people=PEOPLE)
        except MailkitError:
            assert cell.kind.plans
            assert cell.error is not None
            await run.world.gate.end()
            run.world.clock.advance(3600)  # the quota that the service spoke of is free again
            report, error = await run.start(people=PEOPLE)
            assert error is None
        tries = run.world.gate.tries
        assert tries >= cell.kind.first, "the fault was on nobody's way"
        await run.world.gate.end()
        wanted: Sequence[object] = (cell.error or type(None),)
        if cell.error in (BadResponse, Unavailable):  # the last of several
            wanted = (BadResponse, Unavailable)
        assert cell.kind.plans or type(error) in wanted, error
        counts = report.counts
        assert (counts.rejected, counts.suppressed) == (0, 0), report
        if error is not None:
            states = counts.accepted, counts.rejected, counts.in_doubt, counts.unsent
            await run.check(report, states, PEOPLE)
            report = await run.resume()
        await run.check(report, (6, 0, 0, 0), PEOPLE)
        assert (report.unreconciled, report.complete) == (0, True)
        _check_service(run)


def _check_service(run: Run) -> None:
    """Each list and each campaign is there once."""
    account = run.world.sandbox.sendpulse.account
    assert len(account.lists) == len({one.name for one in account.lists.values()}) == 3
    campaigns = account.campaigns.values()
    assert len(campaigns) == len({one.name for one in campaigns}) == 3
    assert sorted(one.lists for one in campaigns) == sorted([number] for number in account.lists)


def main() -> int:
    parser = argparse.ArgumentParser(description="Faults on the way of each request of a job.")
    parser.add_argument("--only", default="", help="the cells with this in their names")
    options = parser.parse_args()
    began, done, broken = time.monotonic(), Counter[str](), 0
    for cell in cells():
        if options.only not in cell.id:
            continue
        try:
            asyncio.run(play(cell))
        except Exception:  # noqa: BLE001 - whatever it is, it is told with its cell
            print(f"{cell.id}:\n{traceback.format_exc()}", flush=True)
            broken += 1
        done[cell.name] += 1
    for name, count in done.items():
        print(f"{count:5,}  {name}")
    print(f"{done.total():5,}  in {time.monotonic() - began:.1f} s; {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
