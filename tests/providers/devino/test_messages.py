"""messages.send: what travels, what the answers mean, what is refused before the network."""

from __future__ import annotations

from typing import Any

import pytest

from mailkit.address import Address
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    OutcomeUnknown,
    RateLimited,
    Refused,
)
from mailkit.providers.devino import (
    AcceptedRecipient,
    Devino,
    MessageRecipient,
    MessagesSent,
    RefusedRecipient,
    UnnamedRecipient,
)

from .doubles import KEY, LETTER, Service, answer, devino, sample

PEOPLE = ["a@shop.example", "b@shop.example", "c@shop.example", "d@shop.example"]


async def send(service: Service, to: Any = "a@shop.example", **changes: Any) -> MessagesSent:
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
    assert sent == MessagesSent(
        accepted=(
            AcceptedRecipient(0, PEOPLE[0], "17"),
            AcceptedRecipient(3, PEOPLE[3], "m3"),
        ),
        refused=(RefusedRecipient(1, PEOPLE[1], ("unsubscribed (address)",)),),
        unnamed=(UnnamedRecipient(2, PEOPLE[2]),),
    )


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"index": 0}, "the answer has no message id for it"),
        ({"index": "0", "messageId": ""}, "the answer has no message id for it"),
        ({"index": 0, "messageId": "m", "code": "blocked"}, "blocked"),
        ({"index": 0, "Code": 7, "Description": "no such domain"}, "no such domain"),
        ({"index": 0, "reasons": ["spam trap", {"Key": "k"}, {"odd": 1}]}, 'spam trap;k;{"odd":1}'),
    ],
)
async def test_an_item_that_is_not_ok_is_a_refused_recipient(
    item: dict[str, Any], reason: str
) -> None:
    sent = await send(Service(answer({"result": [item], "code": "ok"})))
    assert sent.accepted == ()
    assert [";".join(one.reasons) for one in sent.refused] == [reason]


async def test_of_two_words_about_one_recipient_the_good_one_counts() -> None:
    items = [{"index": 0, "messageId": "m"}, {"index": 0, "code": "blocked"}]
    sent = await send(Service(answer({"result": items})))
    assert (len(sent.accepted), len(sent.refused)) == (1, 0)


@pytest.mark.parametrize(
    "tree",
    [
        {"description": "ok"},
        {"description": "ok", "result": []},
        {"description": "ok", "result": "fine"},
        {"result": [{"messageId": "m"}]},
        {"result": [{"index": 4, "messageId": "m"}]},
        {"result": [{"index": True, "messageId": "m"}]},
        {"result": ["m"]},
        {"result": [{"index": 0, "address": "B@shop.example", "messageId": "m"}]},
        {},
        [],
    ],
)
async def test_an_answer_that_can_t_be_joined_leaves_the_outcome_unknown(tree: object) -> None:
    service = Service(answer(tree))
    with pytest.raises(OutcomeUnknown):
        await send(service, PEOPLE)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [200, 400, 422])
async def test_a_refusal_has_the_service_s_words(status: int) -> None:
    with pytest.raises(Refused) as refused:
        await send(Service(sample("validation_failed", status)))
    assert refused.value.reasons == ("validation.recipients.must.be.greather.then.0 (recipients)",)
    assert refused.value.status == status


async def test_a_refusal_without_reasons_has_its_description() -> None:
    with pytest.raises(Refused) as refused:
        await send(Service(answer({"code": 12, "description": "no money"}, 402)))
    assert (refused.value.reasons, refused.value.code) == (("no money",), 12)


async def test_a_refused_result_with_a_bad_status_is_a_refusal() -> None:
    with pytest.raises(Refused):
        await send(Service(answer({"result": [{"index": 0}], "description": "no"}, 400)))


@pytest.mark.parametrize(
    "said",
    [answer({"description": "who?"}, 401), answer({}, 403), answer({"Description": "Bad API key"})],
)
async def test_a_wrong_key_is_told_and_never_shown(said: Any) -> None:
    with pytest.raises(AuthenticationFailed) as failed:
        await send(Service(said))
    assert KEY not in f"{failed.value!r}{failed.value.where!r}{devino(Service())!r}"


async def test_a_lost_answer_is_unknown_and_the_letter_is_not_sent_again() -> None:
    service = Service(OutcomeUnknown("reset"), OutcomeUnknown("reset"))
    with pytest.raises(OutcomeUnknown):
        await send(service)
    assert len(service.letters) == 1


async def test_too_many_requests_are_told() -> None:
    service = Service(*[answer({"description": "slow down"}, 429)] * 9)
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
