from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mailkit.core.wire import Response
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    MailkitError,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.testing import FakeClock

from ...core.doubles import Script, response
from .doubles import DONE, client, sample, sent

LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "S",
    "html": "<p>",
    "list_id": 7,
}

STATUSES = [
    *(*range(200, 209), 226, 250, 299, *range(300, 309), 350, 399, *range(400, 432), 444, 451),
    *(460, 499, *range(500, 512), *range(520, 531), 561, 598, 599),
]
"""All that mean something to anybody, and some between."""


@pytest.mark.parametrize(
    "said",
    [
        response(200, {"result": False}),
        response(200, {"success": False}),
        response(200, {"success": True, "data": [False]}),
        response(200, {"success": True, "data": [True, False]}),
        response(200, {"message": "No such book", "error_code": 213}),
        response(200, {"result": False, "message": "No such book", "error_code": 213}),
        response(400, {"message": "No such book", "error_code": 213, "error": "no"}),
        sample("validation", 422),
    ],
)
async def test_a_no_is_a_refusal_whatever_the_status(said: Response) -> None:
    script = Script(said)
    with pytest.raises(Refused) as caught:
        await client(script).webhooks.delete(1)
    assert caught.value.reasons
    assert caught.value.code in (None, 213, 422)


@pytest.mark.parametrize(
    "tree",
    [
        {"message": "No"},
        {"error_code": 5},
        {"message": "No", "error_code": "213"},
        {"message": "No", "error_code": "PERMISSION_DENIED"},
        {"message": "No", "error_code": True},
        {"message": "No", "error_code": 5.0},
        {"message": "", "error_code": 5},
        {"message": ["No"], "error_code": 5},
        {"error_msg": "No", "error_code": "APIG.0101"},
        {"message": "No", "error_code": 5, "request_id": "1"},
        {"message": "No", "error_code": 5, "result": True},
        {"message": "No", "code": 7},
        {"error": "invalid_client", "error_description": "No"},
        {"error": "No"},
        {"success": False, "errors": [{"code": 1000, "message": "No"}], "result": None},
        {"success": False, "message": "No"},
        {"success": 0},
        {"result": 0},
        {"result": False, "reason": "no"},
    ],
)
async def test_what_has_another_form_refuses_nothing(tree: object) -> None:
    for status in STATUSES:
        script = Script(*[response(status, tree)] * 4)
        with pytest.raises((OutcomeUnknown, Unavailable, AuthenticationFailed)) as caught:
            await client(script).campaigns.create(**LETTER)
        assert status == 401 or not isinstance(caught.value, Refused)
        assert len(script.requests) == 1
        with pytest.raises((BadResponse, Unavailable, RateLimited)):
            await client(script).campaigns.cancel(1)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused), (402, Refused), (422, Refused), (401, AuthenticationFailed),
        (403, AuthenticationFailed), (404, NotFound), (429, RateLimited), (503, Unavailable),
        (408, OutcomeUnknown), (500, OutcomeUnknown), (502, OutcomeUnknown), (504, OutcomeUnknown),
        (302, OutcomeUnknown),
    ],
)  # fmt: skip
async def test_an_error_with_a_message_and_a_code_is_the_service_s(
    status: int, error: type[MailkitError]
) -> None:
    said = response(status, {"message": "No", "error_code": 5})
    with pytest.raises(error) as caught:
        await client(Script(*[said] * 3)).campaigns.create(**LETTER)
    assert type(caught.value) is error


async def test_a_page_of_503_with_a_code_may_be_anybody_s() -> None:
    said = response(503, {"message": "Service Unavailable", "error_code": 503})
    with pytest.raises(OutcomeUnknown):
        await client(Script(said)).campaigns.create(**LETTER)


async def test_a_401_of_a_gateway_sends_nothing_again() -> None:
    for body in ({"message": "Unauthorized"}, {"message": "Unauthenticated."}, b"<html>", b""):
        script = Script(response(401, body))
        with pytest.raises(AuthenticationFailed):
            await client(script).campaigns.create(**LETTER)
        assert len(script.requests) == 1


async def test_the_reasons_of_a_validation_are_all_kept() -> None:
    with pytest.raises(Refused, match=r"given data was invalid.*limit must be at least 1"):
        await client(Script(sample("validation", 422))).mailing_lists.list()


async def test_no_money_is_an_answer_and_no_refusal() -> None:
    cost = await client(Script(sample("cost_without_money"))).mailing_lists.cost(7)
    assert (cost.affordable, cost.max_emails_per_task, str(cost.overdraft_price)) == (
        False,
        500,
        "1.5",
    )


async def test_not_there_is_not_found() -> None:
    said = response(404, {"message": "Not found", "error_code": 404})
    with pytest.raises(NotFound):
        await client(Script(said)).mailing_lists.get(7)


@pytest.mark.parametrize("status", [200, 400, 429])
async def test_no_campaigns_left_tells_when_there_are(status: int) -> None:
    clock, script = FakeClock(), Script(sample("campaigns_used_up", status))
    with pytest.raises(QuotaExhausted) as caught:
        await client(script, clock).campaigns.create(**LETTER)
    assert caught.value.available_at == clock.utc + timedelta(hours=1)
    assert (caught.value.code, len(script.requests)) == (791, 1)


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_too_many_in_a_second_are_sent_again_a_second_later(status: int) -> None:
    clock, script = FakeClock(), Script(sample("too_fast", status), DONE)
    await client(script, clock).campaigns.cancel(1)
    assert clock.slept == [1.0]


async def test_too_many_for_three_attempts_are_told_as_a_quota() -> None:
    clock = FakeClock()
    with pytest.raises(QuotaExhausted) as caught:
        await client(Script(*[sample("too_fast", 429)] * 3), clock).campaigns.create(**LETTER)
    assert caught.value.code == 2020202020
    assert caught.value.available_at == clock.utc + timedelta(seconds=1)


@pytest.mark.parametrize(
    "said",
    [
        response(500, b"<html>"),
        response(502, {"message": "oops", "error_code": 502}),
        response(503, {"message": "Service Unavailable"}),  # a gateway may say that
        response(200, b"<html>"),
        response(200, b""),
        response(200, {"count": 1}),
    ],
)
async def test_a_campaign_whose_answer_is_lost_is_never_sent_again(said: Response) -> None:
    script = Script(said)
    with pytest.raises(OutcomeUnknown):
        await client(script).campaigns.create(**LETTER)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [(response(500, b"<html>"), Unavailable), (response(200, b"<html>"), BadResponse)],
)
async def test_a_page_of_html_is_asked_about_three_times(
    said: Response, kind: type[MailkitError]
) -> None:
    script = Script(said, said, said)
    with pytest.raises(kind):
        await client(script).campaigns.cancel(1)
    assert not script.acts


async def test_what_could_send_a_letter_twice_is_not_repeated() -> None:
    lost = OutcomeUnknown("no response: reset")
    script = Script(lost, lost, lost, lost, lost)
    sendpulse = client(script)
    for call in (
        sendpulse.senders.request_code("a@mail.by"),
        sendpulse.senders.add("a@mail.by", "A"),
        sendpulse.mailing_lists.add_contacts_double_opt_in(7, ["a@mail.by"], "b@mail.by", "ru"),
        sendpulse.campaigns.send_test(**LETTER, to=["a@mail.by"]),
        sendpulse.campaigns.create(**LETTER),
    ):
        with pytest.raises(OutcomeUnknown):
            await call
    assert not script.acts


@pytest.mark.parametrize(
    "said",
    [
        b'{"result":[true]}', b'{"result":"no"}', b'{"success":{}}', b"not now", b"[tr", b"", b"{}",
        b"[]", b"[false]", b"[1]", b"[true]", b"null", b'{"id":5}',
        b'{"result":1}', b'{"result":"true"}',
        b'{"result":true,"error":"no"}', b'{"result":true,"result":0}', b'{"detail":"ok"}',
        b'{"result":true,"success":false}', b'{"status":"OK"}', b'{"errorMessage":"x"}',
    ],
)  # fmt: skip
async def test_an_answer_that_does_not_say_yes_is_no_success(said: bytes) -> None:
    for name in ("request_code", "add"):
        script = Script(response(200, said))
        arguments = ["a@mail.by"] if name == "request_code" else ["a@mail.by", "A"]
        with pytest.raises(OutcomeUnknown):
            await getattr(client(script).senders, name)(*arguments)
        assert len(script.requests) == 1
    script = Script(*[response(200, said)] * 6)
    with pytest.raises((BadResponse, Refused)):
        await client(script).mailing_lists.unsubscribe(7, ["a@mail.by"])
    with pytest.raises((BadResponse, Refused)):
        await client(script).mailing_lists.add_contacts(7, ["a@mail.by"])


async def test_what_changes_nothing_twice_is_repeated() -> None:
    lost = OutcomeUnknown("no response: reset")
    script = Script(lost, DONE)
    await client(script).mailing_lists.add_contacts(7, ["a@mail.by"])
    assert script.requests[0] == script.requests[1]
    assert sent(script).body == {"emails": ["a@mail.by"]}
