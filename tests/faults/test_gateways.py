"""A gateway in a service's place: every dialect with every status, to every call.

The whole product is played on the decision alone, without a socket; the table has answers of each
kind over sockets. Here whole jobs follow, in which every second request meets another gateway, and
answers that are other requests'.
"""

from __future__ import annotations

from http.client import responses
from itertools import product
from typing import Any

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.core.classify import Failure
from mailkit.core.http import Transport
from mailkit.core.retry import Outcome
from mailkit.core.wire import Request, Response
from mailkit.errors import AuthenticationFailed, OutcomeUnknown, Refused, Unavailable
from mailkit.providers import devino, smsby
from mailkit.providers.devino import Devino
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import DevinoSettings, Sandbox, SmsBySettings
from mailkit.testing import FakeClock
from tests.bulk.fakes import memory_journal

from .decisions import NAMES, Decisions
from .gateways import (
    BEFORE_PASSING_ON,
    DIALECTS,
    NOT_TOLD_APART,
    STATUSES,
    Front,
    page,
    phrase,
    plays,
    turned_away,
)
from .runs import DEVINO, MESSAGES, SMSBY
from .test_calls import ROUTES
from .world import TOKEN

ONCE = [name for name in NAMES if not ROUTES[name].repeatable]
AGAIN = [name for name in NAMES if ROUTES[name].repeatable]


ITS_OWN = {("sendpulse.campaigns.send_test", "null"), ("sendpulse.webhooks.create", "list")}
"""What the service may well answer, too: of the first nothing is published."""


@pytest.mark.parametrize("name", ONCE)
def test_no_gateway_is_taken_for_the_service_by_a_call_that_is_not_repeated(name: str) -> None:
    decisions = Decisions(name)
    provider = name.partition(".")[0]
    # The calls of a service share the statuses that mean nothing to anybody.
    calls = [one for one in ONCE if one.startswith(f"{provider}.")]
    odd = [status for status in STATUSES if status not in responses]
    mine = [*filter(responses.get, STATUSES), *odd[calls.index(name) :: len(calls)]]
    for dialect, status in product(DIALECTS, mine):
        if (provider, dialect, status) in NOT_TOLD_APART or (name, dialect) in ITS_OWN:
            continue
        answer = page(dialect, status)
        end = decisions.classify(answer)
        assert isinstance(end, Failure), (dialect, status)
        wanted = Outcome.NOT_NOW if turned_away(answer) else Outcome.UNKNOWN
        assert end.outcome is wanted, (dialect, status)
        error = decisions.error(end)
        away = AuthenticationFailed if status == 401 else Unavailable
        kinds = {Outcome.NOT_NOW: away, Outcome.UNKNOWN: OutcomeUnknown}
        assert type(error) is kinds[wanted], (dialect, status)


@pytest.mark.parametrize("name", AGAIN)
def test_no_gateway_is_a_refusal_of_anything(name: str) -> None:
    decisions = Decisions(name)
    provider = name.partition(".")[0]
    for dialect, status in product(DIALECTS, (400, 401, 402, 403, 404, 409, 422, 429, 451)):
        if (provider, dialect, status) not in NOT_TOLD_APART:
            end = decisions.classify(page(dialect, status))
            assert isinstance(end, Failure)
            error = decisions.error(end)
            assert not isinstance(error, Refused), (dialect, status)


# Jobs.

CALL_OF = {"smsby": SMSBY, "devino": DEVINO}
each_provider = pytest.mark.parametrize("provider", CALL_OF)


def sandbox() -> Sandbox:
    return Sandbox(
        speed=0,
        seed=1,
        smsby=SmsBySettings(token=TOKEN),
        devino=DevinoSettings(api_key=TOKEN),
    )


async def run(
    provider: str, transport: Transport, people: list[str], journal: Journal, rows: int = 1
) -> Report:
    """A job with one request at a time, so many rows in each."""
    clock = FakeClock()
    options: dict[str, Any] = {"transport": transport, "clock": clock}
    client = (
        SmsBy(TOKEN, limits=smsby.ChunkLimits(bulk_rows=rows), **options)
        if provider == "smsby"
        else Devino(TOKEN, limits=devino.ChunkLimits(rows=rows), **options)
    )
    settings = EngineSettings(concurrency=1)
    async with BulkSender(client, journal=journal, clock=clock, settings=settings) as sender:
        message = MESSAGES[CALL_OF[provider]]
        return await (await sender.start(message, read_recipients(people), name="autumn")).wait()


async def accepted(journal: Journal) -> list[str]:
    record = await journal.jobs.get("autumn")
    return [
        row.address
        async for rows in journal.reports.rows(record)
        for row in rows
        if row.state == "accepted"
    ]


@each_provider
async def test_a_job_behind_gateways_mails_nobody_twice_and_rejects_nobody(provider: str) -> None:
    service, faults = sandbox(), list(plays(provider))
    every_second = [play for fault in faults for play in (fault, None)]
    front = Front(getattr(service, provider), CALL_OF[provider].operation, every_second)
    people = [f"p{n}@mail.by" for n in range(2 * len(faults))]
    unknown = sum(not turned_away(page) for page, _ in faults)
    async with memory_journal() as journal:
        report = await run(provider, front, people, journal)
        assert report.stopped is None
        counts = report.counts
        assert (counts.rejected, counts.in_doubt, counts.unsent) == (0, unknown, 0)
        assert counts.accepted == len(people) - unknown
        assert service.truth.mailed_twice == []
        assert service.truth.emails == counts.accepted + sum(acted for _, acted in faults)
        assert {service.truth.count(one) for one in await accepted(journal)} == {1}


@each_provider
@pytest.mark.parametrize("status", sorted(BEFORE_PASSING_ON - {401}))
async def test_a_gateway_that_turns_everything_away_stops_the_job(
    provider: str, status: int
) -> None:
    service = sandbox()
    always = [(page("nginx", status), False)] * 20
    front = Front(getattr(service, provider), CALL_OF[provider].operation, always)
    async with memory_journal() as journal:
        report = await run(provider, front, ["a@mail.by", "b@mail.by"], journal)
        assert (report.counts.unsent, service.truth.emails) == (2, 0)
        assert report.stopped is not None
        assert report.stopped.startswith("no request gets through to the provider: ")
        assert f"the request was turned away: {status} {phrase(status)}" in report.stopped


@each_provider
@pytest.mark.parametrize("words", [b"", b'{"error":"Unauthorized"}', b"<html>401</html>"])
async def test_a_401_stops_the_job_with_nobody_in_doubt(provider: str, words: bytes) -> None:
    service = sandbox()
    front = Front(
        getattr(service, provider), CALL_OF[provider].operation, [(Response(401, {}, words), False)]
    )
    async with memory_journal() as journal:
        report = await run(provider, front, ["a@mail.by", "b@mail.by"], journal)
        assert (report.counts.unsent, report.counts.in_doubt, service.truth.emails) == (2, 0, 0)
        assert report.stopped is not None
        assert "the request was turned away: Unauthorized (HTTP 401)" in report.stopped


FAILED = {
    "smsby": [
        b'{"error":"Internal error","trace_id":"abc"}',
        b'{"status":"error","code":500,"message":"Internal error"}',
        b'{"status":"error","code":422,"message":"Zzz"}',
        '{"error":"Внутренняя'.encode(),
        b'<b>Warning</b>: x in <b>/a.php</b>{"error":"Invalid email"}',
    ],
    "devino": [
        b'{"code":"internal_error","description":"Internal server error"}',
        b'{"Description":"Internal server error","Reasons":[]}',
        b"<b>Fatal error</b>: Uncaught PDOException: MySQL server has gone away in /a.php:3",
    ],
}


@each_provider
async def test_a_program_that_fails_after_the_act_mails_nobody_twice(provider: str) -> None:
    service = sandbox()
    answers = [
        Response(status, {}, words)
        for words in FAILED[provider]
        for status in sorted(BEFORE_PASSING_ON)
    ]
    every_second = [play for answer in answers for play in ((answer, True), None)]
    front = Front(getattr(service, provider), CALL_OF[provider].operation, every_second)
    people = [f"p{n}@mail.by" for n in range(2 * len(answers))]
    async with memory_journal() as journal:
        report = await run(provider, front, people, journal)
        assert (report.counts.in_doubt, report.counts.accepted) == (len(answers), len(answers))
        assert service.truth.mailed_twice == []


@each_provider
async def test_a_job_shows_the_words_it_is_turned_away_with(provider: str) -> None:
    words = b'{"status":"error","code":422,"message":"Account blocked\\u001b[2J"}'
    always = [(Response(403, {}, words), False)] * 20
    service = sandbox()
    front = Front(getattr(service, provider), CALL_OF[provider].operation, always)
    async with memory_journal() as journal:
        report = await run(provider, front, ["a@mail.by"], journal)
        assert report.stopped is not None
        assert "turned away: Account blocked\\x1b[2J (HTTP 403)" in report.stopped
        assert "can't be reached" not in report.stopped


# Other requests' answers.


class Cache(Front):
    """Passes everything on, and answers each request of the operation as it did the first."""

    first: Response | None = None

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        answer = await super().send(request, timeout)
        if self.operation_of(request) != self.operation:
            return answer
        self.first = self.first or answer
        return self.first


@each_provider
async def test_another_request_s_answer_leaves_its_chunk_in_doubt_at_once(provider: str) -> None:
    service = sandbox()
    cache = Cache(getattr(service, provider), CALL_OF[provider].operation, ())
    people = [f"p{n}@mail.by" for n in range(10)]
    async with memory_journal() as journal:
        report = await run(provider, cache, people, journal, rows=2)
        counts = report.counts
        assert (counts.accepted, counts.rejected, counts.in_doubt, counts.unsent) == (2, 0, 6, 2)
        assert await accepted(journal) == people[:2]
        assert report.stopped is not None
        assert "3 chunks in a row" in report.stopped
        if provider == "smsby":
            assert "the reference of chunk 1 of autumn" in report.doubts[0].reason
        again = await run_again(provider, service, journal)
        assert (again.counts.accepted, again.counts.in_doubt, again.counts.unsent) == (4, 6, 0)
        assert service.truth.mailed_twice == []


async def run_again(provider: str, service: Sandbox, journal: Journal) -> Report:
    front = Front(getattr(service, provider), "", ())
    make: Any = SmsBy if provider == "smsby" else Devino
    client = make(TOKEN, transport=front)
    async with BulkSender(client, journal=journal, clock=FakeClock()) as sender:
        return await (await sender.resume("autumn")).wait()
