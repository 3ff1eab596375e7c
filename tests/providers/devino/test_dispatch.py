"""Devino in the bulk engine, over a service in memory: who was mailed, refused, in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from mailkit.attachment import Attachment
from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import Item, read_recipients
from mailkit.core.dispatch import SEND, TOKEN_BYTES, Task, TaskRow
from mailkit.core.wire import Response
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    NotSent,
    OutcomeUnknown,
    Unavailable,
    Unsupported,
)
from mailkit.message import Message
from mailkit.providers.devino import ChunkLimits, Devino
from mailkit.testing import FakeClock
from tests.bulk.fakes import memory_journal, people

from .doubles import KEY, Service, devino, response, sample, taken

SETTINGS = EngineSettings(concurrency=1)
MESSAGE = Message("Shop <news@shop.example>", "Autumn", html="<p>Hi</p>{{ unsubscribe }}")
PERSONAL = Message(
    "Shop <news@shop.example>",
    "Autumn",
    html="<p>{{ name }} of {{ city | 'a city' }}</p>[Unsubscribe]",
)
REASONS = [{"Key": "key", "Reference": "Authorization"}]
UNAUTHORIZED = response({"Description": "Unauthorized", "Reasons": REASONS}, 401)
LATER = response({"Description": "Later", "Reasons": REASONS}, 429)
WITH_FILES = Message(
    "news@shop.example",
    "Autumn",
    text="[Unsubscribe]",
    attachments=[Attachment("a.txt", b"aaaa"), Attachment("b.pdf", b"bbbb")],
)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


def sending(journal: Journal, client: Devino) -> BulkSender:
    return BulkSender(client, journal=journal, clock=FakeClock(), settings=SETTINGS)


async def run(
    journal: Journal, client: Devino, people: list[Item], message: Message = MESSAGE
) -> Report:
    async with sending(journal, client) as sender:
        return await (await sender.start(message, read_recipients(people), name="autumn")).wait()


async def resumed(journal: Journal, client: Devino) -> Report:
    async with sending(journal, client) as sender:
        return await (await sender.resume("autumn")).wait()


def some(count: int) -> list[Item]:
    return list(people(count))


async def reasons(journal: Journal, state: str) -> dict[str, str | None]:
    record = await journal.jobs.get("autumn")
    return {
        row.address: row.reason
        async for rows in journal.reports.rows(record)
        for row in rows
        if row.state == state
    }


async def test_each_chunk_is_one_request_and_each_recipient_has_its_token(journal: Journal) -> None:
    service = Service()
    report = await run(journal, devino(service, rows=2), some(3))
    assert report.complete
    assert report.counts.accepted == 3
    tokens = [one["ExtraData"]["mailkit"] for body in service.letters for one in body["Recipients"]]
    assert [token.split("/")[1:] for token in tokens] == [
        ["1", "1", "1", "1"], ["1", "1", "1", "2"], ["1", "2", "1", "3"],
    ]  # fmt: skip
    assert service.letters == [
        {
            "Recipients": [
                {
                    "Address": f"p{row - 1}@example.com",
                    "ExtraData": {"mailkit": tokens[row - 1]},
                }
                for row in rows
            ],
            "Sender": {"Address": "news@shop.example", "Name": "Shop"},
            "Subject": "Autumn",
            "Body": {"Html": "<p>Hi</p>[Unsubscribe]"},
            "CheckUnsubscription": True,
        }
        for rows in ((1, 2), (3,))
    ]


@pytest.mark.parametrize("name", ["autumn", "a/b #1%2F?", "осень", "я" * 200])
async def test_no_request_is_larger_than_was_measured_whatever_the_job_is_called(
    journal: Journal, name: str
) -> None:
    service = Service()
    client = devino(service)
    rows: list[Item] = [
        {"email": f"p{n}@example.com", "name": "Анна", "city": ""} for n in range(9)
    ]
    async with sending(journal, client) as sender:
        job = await sender.start(PERSONAL, read_recipients(rows), name=name)
        assert (await job.wait()).counts.accepted == 9
    dispatch = client.dispatch(PERSONAL, ["name", "city"])
    [body] = service.letters
    measured = sum(dispatch.measure(name, ["Анна", ""]) for name in people(9))
    assert len(msgspec.json.encode(body["Recipients"])) <= measured
    assert len(msgspec.json.encode(body)) <= dispatch.limits.base + measured


def test_no_token_is_longer_than_is_said() -> None:
    most = 2**31
    task = Task("a", most, SEND, key="f" * 10, attempt=most, job_id=most)
    assert len(task.token(TaskRow(2**32, "a@example.com", ()))) <= TOKEN_BYTES


async def test_values_travel_as_merge_fields(journal: Journal) -> None:
    service = Service()
    list_ = [
        {"email": "a@shop.example", "name": "<Ann>", "city": ""},
        {"email": "b@shop.example", "name": "", "city": "Minsk"},
        {"email": "c@shop.example", "name": "Cid", "city": "Minsk"},
    ]
    report = await run(journal, devino(service), list_, PERSONAL)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert (report.counts.accepted, report.counts.invalid) == (2, 1)
    assert await reasons(journal, "invalid") == {"b@shop.example": "no value for {{ name }}"}
    [letter] = service.letters
    assert letter["Body"] == {"Html": "<p>[name] of [city]</p>[Unsubscribe]"}
    assert [one["MergeFields"] for one in letter["Recipients"]] == [
        {"name": "&lt;Ann&gt;", "city": "a city"},
        {"name": "Cid", "city": "Minsk"},
    ]


async def test_recipients_that_are_refused_are_rejected_and_the_unnamed_are_in_doubt(
    journal: Journal,
) -> None:
    def partly(letter: dict[str, Any]) -> Response:
        items = msgspec.json.decode(taken(letter).body)["result"]
        items[0] |= {"messageId": None, "code": "error", "Reasons": [{"Key": "unsubscribed"}]}
        return response({"Result": items[2::-2], "Description": "ok"})

    report = await run(journal, devino(Service(partly)), some(4))
    assert not report.complete
    assert report.counts.accepted == 1
    assert await reasons(journal, "rejected") == {"p0@example.com": "unsubscribed"}
    assert await reasons(journal, "in doubt") == {
        "p1@example.com": "not named in the response",
        "p3@example.com": "not named in the response",
    }
    assert await resolve(journal, "autumn", 1, accepted=False) == 2
    assert (await resumed(journal, devino(Service()))).counts.accepted == 3


async def test_answers_to_other_requests_accept_nobody_and_nobody_is_mailed_again(
    journal: Journal,
) -> None:
    def of_others(letter: dict[str, Any]) -> Response:
        others = {"Recipients": [{"Address": f"s{n}@elsewhere.example"} for n in range(2)]}
        return taken(others)

    service = Service(*[of_others] * 9)
    report = await run(journal, devino(service, rows=2), some(10))
    assert (report.counts.accepted, report.counts.in_doubt, report.counts.unsent) == (0, 6, 4)
    assert len(service.letters) == 3
    report = await resumed(journal, devino(Service(), rows=2))
    assert (report.counts.accepted, report.counts.in_doubt, report.counts.unsent) == (4, 6, 0)


async def test_a_recipient_under_another_address_is_in_doubt_alone(journal: Journal) -> None:
    def with_a_stranger(letter: dict[str, Any]) -> Response:
        items = msgspec.json.decode(taken(letter).body)["result"]
        items[1]["address"] = "stranger@elsewhere.example"
        return response({"result": items, "description": "ok"})

    report = await run(journal, devino(Service(with_a_stranger)), some(3))
    assert (report.counts.accepted, report.counts.in_doubt) == (2, 1)
    assert await reasons(journal, "in doubt") == {
        "p1@example.com": "the response has another address in this place"
    }


async def test_recipients_that_the_account_can_not_pay_for_are_planned_again(
    journal: Journal,
) -> None:
    def poor(letter: dict[str, Any]) -> Response:
        items = msgspec.json.decode(taken(letter).body)["result"]
        items[1] |= {"messageId": "", "code": "error", "Reasons": [{"Key": "account.no.money"}]}
        return response({"Result": items, "Description": "ok"})

    report = await run(journal, devino(Service(poor)), some(2))
    assert (report.counts.accepted, report.counts.rejected, report.counts.unsent) == (1, 0, 1)
    assert report.stopped is not None
    assert "account.no.money" in report.stopped


async def test_requests_that_are_refused_whole_reject_nobody_and_stop(journal: Journal) -> None:
    refused = [sample("validation_failed")] * 9
    report = await run(journal, devino(Service(*refused), rows=2), some(4))
    assert (report.counts.rejected, report.counts.unsent) == (0, 4)
    assert report.stopped is not None
    assert "validation.recipients" in report.stopped


@pytest.mark.parametrize(
    "lost",
    [
        OutcomeUnknown("reset"),
        response({"description": "ok"}),
        Response(502, {}, b"<html>"),
        Response(503, {}, b'{"message": "Service Unavailable"}'),  # a gateway may say that
        Response(400, {}, b'{"description": "Internal error"}'),  # as here
    ],
)
async def test_a_lost_answer_leaves_its_chunk_in_doubt_and_nobody_is_mailed_again(
    journal: Journal, lost: Response | Exception
) -> None:
    service = Service(lost)
    report = await run(journal, devino(service, rows=2), some(4))
    assert (report.counts.in_doubt, report.counts.accepted) == (2, 2)
    report = await resumed(journal, devino(service))
    assert (report.counts.in_doubt, report.counts.accepted) == (2, 2)
    assert len(service.letters) == 2


async def test_wrong_credentials_put_the_first_chunk_back_and_stop(journal: Journal) -> None:
    service = Service(UNAUTHORIZED)
    client = devino(service, rows=2)
    async with sending(journal, client) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(4)), name="autumn")
        report = await job.wait()
        assert isinstance(job.error, AuthenticationFailed)
    assert (report.counts.unsent, len(service.letters)) == (4, 1)
    report = await resumed(journal, devino(service, rows=2))
    assert report.complete
    assert report.counts.accepted == 4


async def test_what_was_not_sent_goes_out_later(journal: Journal) -> None:
    service = Service(NotSent("refused"), LATER)
    report = await run(journal, devino(service), some(2))
    assert report.complete
    assert len(service.letters) == 3


async def test_attachments_are_uploaded_once_for_the_job(journal: Journal) -> None:
    service = Service()
    report = await run(journal, devino(service, rows=1), some(3), WITH_FILES)
    assert report.complete
    assert len(service.files) == 2
    assert [letter["AttachmentsIds"] for letter in service.letters] == [["file-1", "file-2"]] * 3


async def test_after_a_restart_attachments_are_uploaded_again(journal: Journal) -> None:
    files = [response({"result": {"fileId": name}}) for name in ("x", "y")]
    service = Service(*files, UNAUTHORIZED)
    await run(journal, devino(service), some(1), WITH_FILES)
    report = await resumed(journal, devino(service))
    assert report.complete
    assert [letter["AttachmentsIds"] for letter in service.letters] == [
        ["x", "y"],
        ["file-3", "file-4"],
    ]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ([sample("validation_failed")], InvalidArgument),
        ([UNAUTHORIZED], AuthenticationFailed),
        ([response({"description": "ok"})] * 3, Unavailable),
        ([Response(413, {}, b"<html>")] * 3, Unavailable),
    ],
)
async def test_an_attachment_that_can_t_be_uploaded_stops_the_job_before_it_begins(
    journal: Journal, said: list[Response], error: type[Exception]
) -> None:
    service = Service(*said)
    client = Devino(KEY, transport=service, clock=FakeClock())
    with pytest.raises(error):
        await run(journal, client, some(1), WITH_FILES)
    assert service.letters == []
    assert await journal.jobs.list() == []


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"send_at": datetime(2100, 1, 1, tzinfo=UTC)}, Unsupported),
        ({"track_opens": True}, Unsupported),
        ({"track_clicks": False}, Unsupported),
        ({"subject": "Hi {{ name }}"}, Unsupported),
        ({"html": "Hi"}, InvalidArgument),
        ({"html": "[Unsubscribe]{{ nothing }}"}, InvalidArgument),
        ({"sender": f"{'n' * 151} <news@shop.example>"}, InvalidArgument),
        ({"attachments": [Attachment("a.zip", b"")]}, InvalidArgument),
        ({"html": "[Unsubscribe]" + "x" * 4_000_000}, InvalidArgument),
    ],
)
async def test_what_devino_can_t_do_is_refused_before_anything_is_sent(
    journal: Journal, message: dict[str, Any], error: type[Exception]
) -> None:
    service = Service()
    letter = Message(
        **{"sender": "news@shop.example", "subject": "Hi", "html": "[Unsubscribe]", **message}
    )
    with pytest.raises(error):
        await run(journal, devino(service), [{"email": "a@shop.example", "name": "A"}], letter)
    assert service.requests == []


async def test_requests_stay_below_their_size(journal: Journal) -> None:
    service = Service()
    client = Devino(KEY, transport=service, limits=ChunkLimits(size=20_000))
    names = [{"email": f"p{n}@example.com", "name": "Ж" * 200, "city": ""} for n in range(100)]
    report = await run(journal, client, names, PERSONAL)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert report.counts.accepted == 100
    assert len(service.letters) > 2
    assert all(len(request.body or b"") < 20_000 for request in service.requests)


async def test_deliveries_can_t_be_asked_for(journal: Journal) -> None:
    service = Service()
    with pytest.raises(Unsupported):
        await devino(service).dispatch(MESSAGE, ()).poll("", None)
    tracking = EngineSettings(track=60.0)
    async with BulkSender(devino(service), journal=journal, settings=tracking) as sender:
        with pytest.raises(Unsupported, match="leave out the tracking"):
            await sender.start(MESSAGE, read_recipients(some(1)))
    assert await journal.jobs.list() == []
    await run(journal, devino(service, rows=2), some(3))
    async with sending(journal, devino(service)) as sender:
        with pytest.raises(Unsupported, match="leave out the tracking"):
            await sender.follow("autumn", 60.0)
    assert len(service.letters) == 2
