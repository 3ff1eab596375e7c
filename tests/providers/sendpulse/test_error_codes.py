"""What the caller is told by a refusal's class, code and words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailkit.core.wire import Response
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadResponse,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
)
from mailkit.providers.sendpulse import BatchResult, SendPulse

from ...approval import approve
from ...core.doubles import Script, response
from .doubles import client

LOST = OutcomeUnknown("no response: reset")
PAGE = response(200, b"<html>")

Ask = Callable[[SendPulse], Awaitable[object]]


def no(code: int, said: str = "No", status: int = 422) -> Response:
    return response(status, {"message": said, "error_code": code})


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (no(707, "Not enough money"), AccountRefused),
        (no(708, "Your tariff plan is too small", 403), AccountRefused),
        (no(3030303030, "Subscribers limit exceeded", 403), AccountRefused),
        (no(422, "Your tariff plan ended"), AccountRefused),
        (no(403, "Not available on your tariff", 403), AccountRefused),
        (no(422, "Sender is not valid"), AccountRefused),
        (no(602, "Campaign not available"), Refused),
        (no(800, "Unauthorized action.", 403), AuthenticationFailed),
        (no(203, "Book name already in use"), Refused),
        (no(211, "Book is empty"), Refused),
        (no(213, "Book not found"), NotFound),
        (no(213, "Book not found", 404), NotFound),
        (no(31, "Template not found"), NotFound),
        (no(290, "Template not found"), NotFound),
        (no(299, "Variable not found"), NotFound),
        (no(303, "Emails not found"), NotFound),
        (no(502, "Email not found in the book"), NotFound),
        (no(573, "Template name already in use"), Refused),
    ],
)
async def test_a_code_says_what_the_caller_does_next(said: Response, error: type[Refused]) -> None:
    with pytest.raises(Refused) as caught:
        await client(Script(said)).mailing_lists.cost(7)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("name", "code", "status", "said"),
    [
        ("no money", 707, 422, "Not enough money"),
        ("more than the plan", 708, 422, "Too many"),
        ("above the tariff", 3030303030, 403, "Subscribers limit exceeded"),
        ("a campaign that is gone", 602, 422, "Campaign not available"),
        ("a sender that is not active", 422, 422, "Sender is not valid"),
    ],
)
async def test_the_words_come_with_a_remedy(name: str, code: int, status: int, said: str) -> None:
    with pytest.raises(Refused) as caught:
        await client(Script(no(code, said, status))).campaigns.cancel(1)
    assert caught.value.reasons == (said,)
    assert "credential" not in str(caught.value)
    approve(f"sendpulse: {name}", str(caught.value))


async def test_a_code_that_was_just_sent_is_sent_again_in_a_quarter_of_an_hour() -> None:
    script = Script(no(1004, "Code already sent"))
    with pytest.raises(RateLimited) as caught:
        await client(script).senders.request_code("a@mail.by")
    assert caught.value.retry_after == 900
    approve("sendpulse: a code that was just sent", str(caught.value))


async def test_a_list_that_does_not_exist_is_one_request() -> None:
    bodies: list[object] = [[], {"success": True, "data": []}]
    for said in bodies:
        script = Script(response(200, said))
        with pytest.raises(NotFound) as caught:
            await client(script).mailing_lists.get(7)
        assert len(script.requests) == 1
        approve("sendpulse: no such list", str(caught.value))


async def test_an_empty_list_is_nothing_where_one_thing_is_meant() -> None:
    with pytest.raises(BadResponse):
        await client(Script(*[response(200, [])] * 3)).campaigns.get(7)


GONE: list[tuple[Ask, Response, object]] = [
    (lambda it: it.mailing_lists.delete(7), no(213), None),
    (lambda it: it.mailing_lists.delete(7), no(404, status=404), None),
    (
        lambda it: it.mailing_lists.remove_contacts(7, ["a@mail.by"]),
        no(303),
        BatchResult(("a@mail.by",)),
    ),
    (
        lambda it: it.mailing_lists.unsubscribe(7, ["a@mail.by"]),
        no(422, "Active emails not found."),
        BatchResult(("a@mail.by",)),
    ),
    (lambda it: it.contacts.delete("a@mail.by"), no(502), None),
    (lambda it: it.contacts.delete("a@mail.by"), no(404, status=404), None),
    (lambda it: it.blacklist.remove(["a@mail.by"]), no(404, status=404), None),
    (lambda it: it.senders.remove("a@mail.by"), no(404, status=404), None),
    (lambda it: it.campaigns.cancel(7), no(404, status=404), None),
    (lambda it: it.tags.delete(7), no(404, status=404), None),
    (lambda it: it.webhooks.delete(7), no(404, status=404), None),
    (lambda it: it.webhooks.delete(7), response(200, {"success": True, "data": [False]}), None),
]


@pytest.mark.parametrize(("ask", "said", "value"), GONE)
async def test_not_there_after_a_lost_response_is_done(
    ask: Ask, said: Response, value: object
) -> None:
    for before in ([LOST], [PAGE], [LOST, PAGE]):
        script = Script(*before, said)
        assert await ask(client(script)) == value
        assert not script.acts


@pytest.mark.parametrize(("ask", "said", "value"), GONE)
async def test_not_there_at_once_is_a_refusal(ask: Ask, said: Response, value: object) -> None:
    gateway, early = response(404, b"<html>"), response(429, {"message": "Wait", "error_code": 1})
    for before in ([], [gateway], [early]):  # neither of them has done anything
        script = Script(*before, said)
        with pytest.raises(Refused):
            await ask(client(script))
        assert not script.acts


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda it: it.mailing_lists.remove_contacts(7, ["a@mail.by"]), no(213, status=404)),
        (lambda it: it.mailing_lists.unsubscribe(7, ["a@mail.by"]), no(213, status=404)),
        (lambda it: it.mailing_lists.unsubscribe(7, ["a@mail.by"]), no(502)),
        (lambda it: it.mailing_lists.delete(7), no(422, "The list has an active campaign")),
        (lambda it: it.campaigns.cancel(7), no(602, status=404)),
        (lambda it: it.campaigns.cancel(7), no(422, "The campaign can't be cancelled")),
        (lambda it: it.mailing_lists.rename(7, "A"), no(213, status=404)),
        (lambda it: it.mailing_lists.get(7), no(213, status=404)),
        (lambda it: it.mailing_lists.delete(7), response(200, {"result": False})),
        (lambda it: it.webhooks.update(7, "https://a"), no(404, status=404)),
        (lambda it: it.webhooks.delete(7), no(800, "Unauthorized action.", 403)),
    ],
)
async def test_another_no_after_a_lost_response_stays_one(ask: Ask, said: Response) -> None:
    script: Any = Script(LOST, said)
    with pytest.raises(Refused):
        await ask(client(script))
    assert not script.acts
