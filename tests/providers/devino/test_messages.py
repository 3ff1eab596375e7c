"""messages.send: what travels, what the responses mean, what is refused before the network."""

from __future__ import annotations

from typing import Any

import pytest

from mailkit.address import Address
from mailkit.core.wire import Response
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    InvalidArgument,
    MailkitError,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.providers.devino import (
    AcceptedRecipient,
    Devino,
    MessageRecipient,
    RecipientInDoubt,
    RefusedRecipient,
    SendMessagesResult,
)

from .doubles import KEY, LETTER, Service, devino, response, sample

PEOPLE = ["a@shop.example", "b@shop.example", "c@shop.example", "d@shop.example"]


async def send(service: Service, to: Any = "a@shop.example", **changes: Any) -> SendMessagesResult:
    to = [to] if isinstance(to, str) else to
    letter: dict[str, Any] = LETTER | changes
    return await devino(service).messages.send(recipients=to, **letter)


async def test_a_letter_travels_as_the_page_has_it() -> None:
    service = Service()
    sent = await send(
        service,
        [
            MessageRecipient("A@Shop.example", "Ann", {"Name": "Ann"}, {"key": "1"}),
            Address("b@shop.example", "Bob"),
            "Cid <c@shop.example>",
            "d@shop.example",
        ],
        attachment_ids=["f1"],
        check_unsubscription=False,
    )
    assert service.letters == [
        {
            "Recipients": [
                {
                    "Address": "A@shop.example",
                    "Name": "Ann",
                    "MergeFields": {"Name": "Ann"},
                    "ExtraData": {"key": "1"},
                },
                {"Address": "b@shop.example", "Name": "Bob"},
                {"Address": "c@shop.example", "Name": "Cid"},
                {"Address": "d@shop.example"},
            ],
            "Sender": {"Address": "news@shop.example", "Name": "Shop"},
            "Subject": "Autumn",
            "Body": {"Html": "<p>Hi</p>[Unsubscribe]"},
            "AttachmentsIds": ["f1"],
            "CheckUnsubscription": False,
        }
    ]
    [request] = service.requests
    assert (request.verb, request.url) == ("POST", "https://api.devino.online/email/messages")
    assert request.headers["Authorization"] == f"Key {KEY}"
    assert [one.message_id for one in sent.accepted] == ["m0", "m1", "m2", "m3"]
    assert sent.refused == ()


async def test_a_text_travels_as_plain_text_and_what_is_not_given_stays_out() -> None:
    service = Service()
    await send(service, html=None, text="Hi [Unsubscribe]", sender="news@shop.example")
    [letter] = service.letters
    assert letter["Body"] == {"PlainText": "Hi [Unsubscribe]"}
    assert letter["Sender"] == {"Address": "news@shop.example"}
    assert letter.keys() == {"Recipients", "Sender", "Subject", "Body"}


async def test_the_published_answer_is_read() -> None:
    to = ["recipient.1@email.com", "recipient.2@email.com"]
    sent = await send(Service(sample("sent")), to)
    assert sent.accepted == (
        AcceptedRecipient(0, to[0], "dwY4BSnjQ2X"),
        AcceptedRecipient(1, to[1], "dwY4BSnjQ2i"),
    )


async def test_recipients_are_joined_by_index_and_each_is_accepted_refused_or_unnamed() -> None:
    sent = await send(Service(sample("partly_sent")), PEOPLE)
    assert sent == SendMessagesResult(
        accepted=(
            AcceptedRecipient(0, PEOPLE[0], "17"),
            AcceptedRecipient(3, PEOPLE[3], "m3"),
        ),
        refused=(RefusedRecipient(1, PEOPLE[1], ("unsubscribed (address)",)),),
        in_doubt=(RecipientInDoubt(2, PEOPLE[2], "not named in the response"),),
    )


def taken(*items: object, **more: object) -> Response:
    return response({"result": list(items), "description": "ok", **more})


def item(index: object, **more: object) -> dict[str, object]:
    address = PEOPLE[index] if isinstance(index, int) and index in range(4) else "x@y.example"
    return {"index": index, "address": address, "messageId": f"m{index}", **more}


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"code": "ok"}, {"code": "OK"}, {"code": None}, {"code": "no"}, {"description": "ok"},
        {"reasons": []}, {"reasons": ["no"]}, {"more": 1}, {"index": True}, {"index": 1.0},
        {"index": "1"}, {"index": 0}, {"index": 9}, {"address": PEOPLE[0]}, {"address": None},
        {"address": "B@SHOP.example"}, {"messageId": " "}, {"messageId": 7}, {"messageId": None},
        {"messageId": ""},
    ],
)  # fmt: skip
async def test_the_order_of_the_items_does_not_matter(odd: dict[str, Any]) -> None:
    items = [item(0), item(1) | odd, item(2), item(3)]
    assert await send(Service(taken(*items)), PEOPLE) == await send(
        Service(taken(*reversed(items))), PEOPLE
    )


async def test_two_recipients_with_one_message_id_are_in_doubt() -> None:
    items = [item(0), item(1), item(2, messageId="m0"), item(3)]
    for order in (items, items[::-1]):
        sent = await send(Service(taken(*order)), PEOPLE)
        assert [one.index for one in sent.accepted] == [1, 3]
        assert [one.index for one in sent.in_doubt] == [0, 2]


@pytest.mark.parametrize(
    ("no", "reason"),
    [
        ({"code": "blocked"}, "blocked"),
        ({"Code": 7, "Description": "no such domain"}, "no such domain"),
        ({"reasons": ["spam trap", {"Key": "k"}, {"odd": 1}]}, 'spam trap;k;{"odd":1}'),
        ({"messageId": "", "reasons": [{"key": "k", "ref": "r"}]}, "k (r)"),
        ({"messageId": None, "description": "Validation failed"}, "Validation failed"),
    ],
)
async def test_an_item_with_a_reason_and_no_id_is_a_refused_recipient(
    no: dict[str, Any], reason: str
) -> None:
    sent = await send(Service(taken({"index": 0, "address": PEOPLE[0], **no})))
    assert (sent.accepted, sent.in_doubt) == ((), ())
    assert [";".join(one.reasons) for one in sent.refused] == [reason]


@pytest.mark.parametrize(
    "items",
    [
        [],  # nobody
        [item(1, address="Stranger@elsewhere.example")],
        [item(1, address=PEOPLE[2])],
        [item(1, address="b@shop.example.evil")],
        [item(1, address="b@sh\u043ep.example")],  # a Cyrillic o
        [item(1, address=None)],
        [item(1, address="")],
        [item(1, address=["b@shop.example"])],
        [{"index": 1, "messageId": "m"}],
        [item(1), item(1)],
        [item(1), item(1, messageId="m7")],
        [item(1), item(1, messageId=None, code="blocked")],
        [item(1), item("1")],
        [item(1), item(2, address=PEOPLE[1])],
        [item(1, messageId=None, code="no"), item(9, address=PEOPLE[1])],
        [item(1), item(4, address=PEOPLE[1])],
        [item(1), item(-1, address=PEOPLE[1])],
        [item(1), item(None, address=PEOPLE[1])],
        [item(1), item(True, address=PEOPLE[1])],
        [item(1), item("\u0661", address=PEOPLE[1])],  # an Arabic 1
        [item(1), item(1.0, address=PEOPLE[1])],
        [item(1, code="blocked")],
        [item(1, description="Validation failed")],
        [item(1, code="ok", description="no")],
        [item(1, reasons=["why"])],
        [item(1, messageId=None)],
        [item(1, messageId="")],
        [item(1, messageId=" ")],
        [item(1, messageId=0)],
        [item(1, messageId=True)],
        [item(1, messageId=["m"])],
        [item(1, messageId=None, code="ok")],
        [item(1, messageId=None, code="ok", reasons=["why"])],
        [item(1, messageId=None, description="no", reasons=[{"key": "internal.error"}])],
        ["m1"],
        [[1, PEOPLE[1], "m1"]],
    ],
)  # fmt: skip
async def test_who_is_not_named_once_by_index_and_address_is_in_doubt(items: list[object]) -> None:
    sent = await send(Service(taken(item(0), item(3), *items)), PEOPLE)
    assert [one.index for one in sent.accepted if one.index != 2] == [0, 3]
    assert sent.refused == ()
    doubts = {one.index: one for one in sent.in_doubt}
    assert doubts.keys() == {1, 2} - {one.index for one in sent.accepted}
    assert (doubts[1].address, bool(doubts[1].reason)) == (PEOPLE[1], True)


async def test_items_of_strangers_harm_nobody_who_is_named_as_asked() -> None:
    places: tuple[object, ...] = (4, 99, -1, None, "x", True, 1.0, {}, 10**30, "9" * 30)
    strangers = [item(place, address="x@y.example") for place in places]
    sent = await send(Service(taken(*map(item, range(4)), *strangers, 7, None)), PEOPLE)
    assert [one.address for one in sent.accepted] == PEOPLE
    assert (sent.refused, sent.in_doubt) == ((), ())


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("A.B@Shop.Example", " a.b@shop.example\n"),
        ("a@shop.example", "A@SHOP.EXAMPLE"),
        ("a@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "A@xn--80a1acny.xn--p1ai"),
        ("a@xn--80a1acny.xn--p1ai", "a@\u041f\u041e\u0427\u0422\u0410.\u0440\u0444 "),
    ],
)
async def test_another_spelling_of_the_address_is_the_same_recipient(
    asked: str, named: str
) -> None:
    said = taken({"index": "0", "address": named, "messageId": 17})
    for recipient in (asked, MessageRecipient(asked), Address(asked)):
        sent = await send(Service(said), [recipient])
        assert [one.message_id for one in sent.accepted] == ["17"]


async def test_one_address_may_stand_twice_in_a_call() -> None:
    twice = [PEOPLE[0], PEOPLE[0]]
    sent = await send(Service(taken(item(0), item(1, address=PEOPLE[0]))), twice)
    assert len(sent.accepted) == 2


async def test_the_answer_to_another_request_accepts_nobody() -> None:
    others = [f"p{n}@elsewhere.example" for n in range(4)]
    shifted = [item(n, address=PEOPLE[n - 1]) for n in range(1, 4)]
    for items in ([item(n, address=others[n]) for n in range(4)], shifted, list(map(item, (4, 5)))):
        service = Service(taken(*items))
        with pytest.raises(OutcomeUnknown):
            await send(service, PEOPLE)
        assert len(service.requests) == 1


@pytest.mark.parametrize(
    "tree",
    [
        {"description": "ok"},
        {"description": "ok", "result": []},
        {"description": "ok", "result": "fine"},
        {"description": "ok", "result": {"0": item(0)}},
        {"description": "ok", "result": None, "code": "ok"},
        {"result": [item(0)]},
        {"result": [item(0)], "description": "Validation failed"},
        {"result": [item(0)], "description": "ok", "code": "error"},
        {"result": [item(0)], "description": "ok", "reasons": [{"key": "k"}]},
        {"result": [item(0)], "description": ["ok"]},
        {"result": [item(0)], "code": True},
        {"result": [item(0)], "status": "ok"},
        {"result": [item(0)], "description": "ok", "Description": "Validation failed"},
        {"result": [item(0) | {"MessageId": "m7"}], "description": "ok"},
        {},
        [],
    ],
)
async def test_an_answer_that_does_not_say_ok_leaves_the_outcome_unknown(tree: object) -> None:
    service = Service(response(tree))
    with pytest.raises(OutcomeUnknown):
        await send(service, PEOPLE)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 422])
async def test_a_refusal_has_the_service_s_words(status: int) -> None:
    with pytest.raises(Refused) as refused:
        await send(Service(sample("validation_failed", status)))
    assert refused.value.reasons == ("validation.recipients.must.be.greather.then.0 (recipients)",)
    assert refused.value.status == status


REASONS = [{"Key": "k", "Reference": "recipients"}]


@pytest.mark.parametrize(
    ("tree", "status", "error"),
    [
        ({"Description": "Validation failed", "Reasons": REASONS, "traceId": "1"}, 400, Refused),
        ({"Description": "Unauthorized", "Reasons": REASONS}, 401, AuthenticationFailed),
        ({"Description": "Validation failed", "Reasons": [{"Key": "Bad API key"}]}, 200,
         AuthenticationFailed),
        ({"code": 12, "description": "no money"}, 402, AccountRefused),
        ({"Description": "Validation failed"}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": []}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": ["k"]}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": [{"Key": 7}]}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": [{"Key": " "}]}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": [*REASONS, {}]}, 400, Unavailable),
        ({"Description": "Validation failed", "Reasons": {"Key": "k"}}, 400, Unavailable),
        ({"Description": ["no"], "Reasons": REASONS}, 400, Unavailable),
        ({"Reasons": REASONS}, 400, Unavailable),
        ({"code": "x", "description": "Forbidden"}, 403, Unavailable),
        ({"description": "Forbidden"}, 200, OutcomeUnknown),
        ({"description": "who?"}, 401, OutcomeUnknown),
        ({"description": "slow down"}, 429, OutcomeUnknown),
        ({"description": "no money", "requestId": "1"}, 402, OutcomeUnknown),
        ({"Description": "ok", "Reasons": REASONS}, 400, OutcomeUnknown),
        ({"result": [{"index": 0}], "description": "no"}, 400, OutcomeUnknown),
        ({"result": [{"index": 0}], "Reasons": REASONS}, 400, OutcomeUnknown),
        ({"Description": "Validation failed", "Reasons": REASONS}, 500, OutcomeUnknown),
        ({"Description": "Validation failed", "Reasons": REASONS}, 408, OutcomeUnknown),
        ({"Description": "x", "Reasons": [{"Key": "internal.error"}]}, 400, OutcomeUnknown),
        ({"Description": "x", "Reasons": [{"Key": "gateway.timeout"}]}, 503, OutcomeUnknown),
        ({"Description": "x", "Reasons": [*REASONS, {"Key": "db_timed_out"}]}, 429, OutcomeUnknown),
    ],
)  # fmt: skip
async def test_only_a_description_with_reasons_is_a_refusal(
    tree: object, status: int, error: type[MailkitError]
) -> None:
    with pytest.raises(error) as failed:
        await send(Service(response(tree, status)))
    assert type(failed.value) is error


@pytest.mark.parametrize("status", [200, 401, 403])
async def test_a_wrong_key_is_told_and_never_shown(status: int) -> None:
    said = {"Description": "Unauthorized", "Reasons": [{"Key": f"Unauthorized {KEY}"}]}
    with pytest.raises(AuthenticationFailed) as failed:
        await send(Service(response(said, status)))
    assert KEY not in f"{failed.value!r}{failed.value.context!r}{devino(Service())!r}"


async def test_a_lost_answer_is_unknown_and_the_letter_is_not_sent_again() -> None:
    service = Service(OutcomeUnknown("reset"), OutcomeUnknown("reset"))
    with pytest.raises(OutcomeUnknown):
        await send(service)
    assert len(service.letters) == 1


async def test_too_many_requests_are_told() -> None:
    service = Service(*[response({"description": "slow down", "reasons": REASONS}, 429)] * 9)
    client = devino(service).with_options(attempts=1)
    with pytest.raises(RateLimited):
        await client.messages.send(recipients=["a@shop.example"], **LETTER)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"to": []}, "at least one"),
        ({"to": ["nobody"]}, r"recipients\[0\]"),
        ({"to": [MessageRecipient("a@shop.example\nBcc: b@shop.example")]}, r"recipients\[0\]"),
        ({"to": [MessageRecipient("a@shop.example", "A\r\nB")]}, "line break"),
        ({"to": [MessageRecipient("a@shop.example", merge_fields={"a]b": ""})]}, "macro"),
        ({"to": [MessageRecipient("a@shop.example", merge_fields={" ": ""})]}, "macro"),
        (
            {"to": [MessageRecipient("a@shop.example", merge_fields={"unsubscribe": ""})]},
            "fills in itself",
        ),
        ({"subject": "a\nb"}, "subject"),
        ({"sender": "nobody"}, "sender"),
        ({"sender": Address("a@shop.example", "n" * 151)}, "151 characters"),
        ({"html": None}, "neither"),
        ({"text": "[Unsubscribe]"}, "both"),
        ({"html": "<p>Hi</p>"}, "Unsubscribe"),
        ({"html": None, "text": "Hi [unsubscribe]"}, "Unsubscribe"),
        ({"attachment_ids": "f1"}, "give a list"),
    ],
)
async def test_what_the_service_would_refuse_never_reaches_it(
    changes: dict[str, Any], word: str
) -> None:
    service = Service()
    with pytest.raises(InvalidArgument, match=word):
        await send(service, **changes)
    assert service.requests == []


async def test_a_sender_s_name_of_150_characters_is_taken() -> None:
    sent = await send(Service(), sender=Address("a@shop.example", "n" * 150))
    assert len(sent.accepted) == 1


def test_the_client_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILKIT_DEVINO_API_KEY", raising=False)
    with pytest.raises(InvalidArgument, match="MAILKIT_DEVINO_API_KEY"):
        Devino.from_env()
    monkeypatch.setenv("MAILKIT_DEVINO_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("MAILKIT_DEVINO_URL", "http://127.0.0.1:8025/devino/")
    client = Devino.from_env()
    assert repr(client) == f"<Devino {client.account} at http://127.0.0.1:8025/devino>"
    assert client.account == Devino(KEY).account
    monkeypatch.setenv("MAILKIT_DEVINO_URL", "http://shop.example")
    with pytest.raises(InvalidArgument, match="MAILKIT_DEVINO_URL"):
        Devino.from_env(account="shop")
