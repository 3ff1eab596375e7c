from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mailkit.core.wire import Answer
from mailkit.errors import (
    BadAnswer,
    MailkitError,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)

from ...core.doubles import Script, Time, answer
from .doubles import DONE, client, sample, sent

LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "S",
    "html": "<p>",
    "list_id": 7,
}


@pytest.mark.parametrize(
    "said",
    [
        answer(200, {"result": False}),
        answer(200, {"success": False}),
        answer(200, {"success": True, "data": [False]}),
        answer(200, {"success": True, "data": [True, False]}),
        answer(200, {"message": "No such book", "error_code": 213}),
        answer(200, {"result": False, "message": "No such book", "error_code": "213"}),
        sample("validation", 422),
    ],
)
async def test_a_no_is_a_refusal_whatever_the_status(said: Answer) -> None:
    script = Script(said)
    with pytest.raises(Refused) as caught:
        await client(script).webhooks.delete(1)
    assert caught.value.reasons
    assert caught.value.code in (None, 213, 422)


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
    said = answer(404, {"message": "Not found", "error_code": 404})
    with pytest.raises(NotFound):
        await client(Script(said)).mailing_lists.get(7)


@pytest.mark.parametrize("status", [200, 400, 429])
async def test_no_campaigns_left_tells_when_there_are(status: int) -> None:
    time, script = Time(), Script(sample("campaigns_used_up", status))
    with pytest.raises(QuotaExhausted) as caught:
        await client(script, time).campaigns.create(**LETTER)
    assert caught.value.available_at == datetime.fromtimestamp(time.seconds + 3600, UTC)
    assert (caught.value.code, len(script.requests)) == (791, 1)


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_too_many_in_a_second_are_sent_again_a_second_later(status: int) -> None:
    time, script = Time(), Script(sample("too_fast", status), DONE)
    await client(script, time).campaigns.cancel(1)
    assert time.slept == [1.0]


async def test_too_many_for_three_attempts_are_told() -> None:
    with pytest.raises(RateLimited) as caught:
        await client(Script(*[sample("too_fast", 429)] * 3)).campaigns.create(**LETTER)
    assert caught.value.code == 2020202020


@pytest.mark.parametrize(
    "said",
    [
        answer(500, b"<html>"),
        answer(502, {"message": "oops", "error_code": 502}),
        answer(503, {"message": "Service Unavailable"}),  # a gateway may say that
        answer(200, b"<html>"),
        answer(200, b""),
        answer(200, {"count": 1}),
    ],
)
async def test_a_campaign_whose_answer_is_lost_is_never_sent_again(said: Answer) -> None:
    script = Script(said)
    with pytest.raises(OutcomeUnknown):
        await client(script).campaigns.create(**LETTER)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("said", "kind"), [(answer(500, b"<html>"), Unavailable), (answer(200, b"<html>"), BadAnswer)]
)
async def test_a_page_of_html_is_asked_about_three_times(
    said: Answer, kind: type[MailkitError]
) -> None:
    script = Script(said, said, said)
    with pytest.raises(kind):
        await client(script).campaigns.cancel(1)
    assert not script.acts


async def test_what_could_send_a_letter_twice_is_not_repeated() -> None:
    lost = OutcomeUnknown("no answer: reset")
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
    [b'{"result":[true]}', b'{"result":"no"}', b'{"success":{}}', b"not now", b"[tr", b""],
)
async def test_an_answer_that_does_not_say_yes_is_no_success(said: bytes) -> None:
    script = Script(answer(200, said))
    with pytest.raises(OutcomeUnknown):
        await client(script).senders.request_code("a@mail.by")
    assert len(script.requests) == 1


@pytest.mark.parametrize("said", [b'{"result":0}', b'{"success":0}'])
async def test_nought_is_a_no(said: bytes) -> None:
    with pytest.raises(Refused):
        await client(Script(answer(200, said))).senders.request_code("a@mail.by")


async def test_what_changes_nothing_twice_is_repeated() -> None:
    lost = OutcomeUnknown("no answer: reset")
    script = Script(lost, DONE)
    await client(script).mailing_lists.add_contacts(7, ["a@mail.by"])
    assert script.requests[0] == script.requests[1]
    assert sent(script).body == {"emails": ["a@mail.by"]}
