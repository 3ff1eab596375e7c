"""One fault of each end on the way of a Devino job's attachment, which goes before any letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from mailkit.attachment import Attachment
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    InvalidArgument,
    MailkitError,
    NotFound,
    Refused,
    Unavailable,
)
from mailkit.sandbox import Fault
from mailkit.sandbox.truth import AttachedFile

from .calls import CALLS
from .runs import DEVINO, Run, open_run
from .table import Error, Row, one_of_each

UPLOAD = CALLS["devino.files.upload"]
PRICES = Attachment("prices.txt", b"tea 3.20")

STOPS: dict[Error, Error] = {
    Refused: InvalidArgument,
    NotFound: InvalidArgument,
    BadResponse: Unavailable,
}
"""What a job makes of an upload's error, where that is another one: no letter is refused."""


each_fault = pytest.mark.parametrize("row", one_of_each(UPLOAD), ids=lambda row: row.fault)


@asynccontextmanager
async def open_job(row: Row) -> AsyncIterator[Run]:
    async with open_run(row, DEVINO) as run:
        yield attrs.evolve(run, message=attrs.evolve(run.message, attachments=(PRICES,)))


async def stopped(run: Run, row: Row, *, resumed: bool) -> None:
    """The fault is on the way of the upload until the job has been stopped by it."""
    arrived = run.world.arrivals(UPLOAD.operation)
    run.world.gate.order(UPLOAD.path, row.trouble(run.world, UPLOAD.operation))
    caught: MailkitError | None = None
    try:
        await (run.resume() if resumed else run.start())
    except MailkitError as error:
        caught = error
    await run.world.gate.end()
    assert type(caught) is (STOPS.get(row.asks, row.asks) or type(None)), caught
    assert run.world.arrivals(UPLOAD.operation) - arrived == row.questions


async def done(run: Run) -> None:
    """Everybody has one letter, with the attachment."""
    report = await run.report()
    await run.check(report, (10, 0, 0, 0))
    assert report.complete
    mailings = run.world.sandbox.truth.mailings
    assert [one.attachments for one in mailings] == [(AttachedFile("prices.txt", 8),)] * 5


@each_fault
async def test_a_job_whose_upload_fails_mails_nobody_and_can_be_started_again(row: Row) -> None:
    async with open_job(row) as run:
        await stopped(run, row, resumed=False)
        if row.asks is not None:
            assert (run.requests, run.world.letters) == (0, 0)
            await run.start()
        await done(run)


@each_fault
async def test_a_job_whose_upload_fails_when_it_goes_on_mails_nobody_and_can_go_on(
    row: Row,
) -> None:
    async with open_job(row) as run:
        key_refused = Fault("token_refused", on=DEVINO.operation, after=1)
        run.world.sandbox.faults.add(key_refused)
        report, error = await run.start()
        assert type(error) is AuthenticationFailed
        await run.check(report, (2, 0, 0, 8))
        run.world.sandbox.faults.clear()

        await stopped(run, row, resumed=True)
        if row.asks is not None:
            await run.check(await run.report(), (2, 0, 0, 8))
            assert (run.requests, run.world.letters) == (2, 2)
            await run.resume()
        await done(run)
