"""What a person or a test makes happen to a message is what its service then says of it."""

from base64 import b64encode
from typing import Any

import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.happening import HAPPENINGS, CannotHappen

from .conftest import BULK, MESSAGE, Api, Hook, JsonApi

STATES = {
    "deliver": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "undelivered",
    "complain": "complained",
    "unsubscribe": "unsubscribed",
}
JSON = {"Content-Type": "application/json"}


async def happens(api: JsonApi | Api, number: int, what: str) -> Any:
    path = f"/sandbox/messages/{number}/{what}"
    url = api.url + path if isinstance(api, JsonApi) else path
    async with api.session.post(url, headers=JSON) as response:
        return await response.json()


def steps(sandbox: Sandbox, number: int) -> list[str]:
    now = sandbox.clock.now()
    return [step for at, step in sandbox.inbox.course(sandbox.inbox.get(number)) if at <= now]


def order(*addresses: str) -> dict[str, object]:
    return {
        "Sender": {"Address": "news@shop.by", "Name": "Shop"},
        "Subject": "Autumn",
        "Body": {"Html": "<p>Hi [Name] [Unsubscribe]</p>"},
        "Recipients": [
            {"Address": one, "MergeFields": {"Name": "Anna"}, "ExtraData": {"row": 7}}
            for one in addresses
        ],
    }


async def campaign(
    sendpulse: JsonApi,
    sandbox: Sandbox,
    *emails: str,
    body: str = "<a href='https://shop.by'>x</a>",
) -> int:
    book = (await sendpulse("POST", "/addressbooks", {"bookName": body})).value["id"]
    contacts = [{"email": one, "variables": {"Name": "Anna"}} for one in emails]
    await sendpulse("POST", f"/addressbooks/{book}/emails", {"emails": contacts})
    made = {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Hello {{Name}}",
        "body": b64encode(body.encode()).decode(),
        "list_id": book,
    }
    number: int = (await sendpulse("POST", "/campaigns", made)).value["id"]
    sandbox.clock.advance(5)
    return number


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_smsby_says_what_was_made_to_happen(what: str, api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.open_share = 0
    uuid = (await api.post("sendBulkEmail", BULK)).result["uuid"]
    assert (await happens(api, 2, what))["state"] == STATES[what]
    sandbox.clock.advance(7200)
    [row] = (await api("statusBulkEmail", uuid=uuid)).result
    words = {"open": "OPEN", "click": "OPEN", "bounce": "UNDELIVERED"}
    shown = {one["recipient"]: one["status"] for one in row["success"]}
    assert shown["boris@mail.by"] == words.get(what, "DELIVERED")
    assert shown["anna@mail.by"] == "DELIVERED"
    states = [(one.address, one.state) for one in sandbox.outcomes()]
    known = {"open": "opened", "click": "opened", "bounce": "undelivered"}
    assert states[1] == ("boris@mail.by", known.get(what, "delivered"))
    again = await api("sendEmail", **MESSAGE, email="boris@mail.by")
    assert ("error" in again.value) == (what in ("complain", "unsubscribe"))


async def test_smsby_counts_only_those_whom_it_took(api: Api, sandbox: Sandbox) -> None:
    addresses = ["invalid@mail.by", "missing@mail.by", "anna@mail.by", "boris@mail.by"]
    sandbox.smsby.settings.message_size = 2
    entries = {f"delivery_list[{at}]": one for at, one in enumerate(addresses)}
    uuid = (await api.post("sendBulkEmail", {**MESSAGE, **entries})).result["uuid"]
    await happens(api, 2, "bounce")
    rows = (await api("statusBulkEmail", uuid=uuid)).result
    shown = {one["recipient"]: one["status"] for row in rows for one in row["success"]}
    assert shown == {"anna@mail.by": "QUEUED", "boris@mail.by": "UNDELIVERED"}


async def test_nothing_comes_after_what_was_made_to_happen(api: Api, sandbox: Sandbox) -> None:
    await api("sendEmail", **MESSAGE, email="complaint@mail.by")
    await happens(api, 1, "bounce")
    sandbox.clock.advance(86400)
    assert steps(sandbox, 1) == ["sent", "undelivered"]
    assert (await api("sendEmail", **MESSAGE, email="complaint@mail.by")).result


@pytest.mark.parametrize("second", HAPPENINGS)
@pytest.mark.parametrize("first", HAPPENINGS)
async def test_a_state_never_goes_back(
    first: str, second: str, api: Api, devino: JsonApi, sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    await api.post("sendBulkEmail", BULK)
    await devino("POST", "/email/messages", order("anna@mail.by"))
    await campaign(sendpulse, sandbox, "anna@mail.by")
    ranks = ("deliver", "open", "click", "bounce", "unsubscribe", "complain")
    goes_on = ranks.index(second) > ranks.index(first)
    taken = {first, second} if goes_on else {first}
    for number in (1, 3, 4):
        await happens(api, number, first)
        before = steps(sandbox, number)
        answer = await happens(api, number, second)
        email = sandbox.inbox.get(number)
        if goes_on:
            assert answer["state"] == STATES[second]
        else:
            assert answer["error"] == (
                f"nothing happens: the message's state is already {STATES[first]}"
            )
            assert steps(sandbox, number) == before
        state = sandbox.inbox.state(email)
        assert state == STATES[second if goes_on else first]
        outcome = sandbox.outcomes(service=email.service)[0]
        if email.service == "smsby":  # whose status knows no more
            shown = "opened" if taken & {"open", "click"} else "delivered"
            assert outcome.state == ("undelivered" if "bounce" in taken else shown)
        else:
            assert outcome.state == state
    assert sandbox.inbox.happened == (6 if goes_on else 3)


async def test_who_has_subscribed_again_can_unsubscribe_again(
    devino: JsonApi, sandbox: Sandbox
) -> None:
    await devino("POST", "/email/messages", order("returns@mail.by"))
    sandbox.clock.advance(7200)
    assert steps(sandbox, 1)[-2:] == ["unsubscribed", "subscribed"]
    assert sandbox.inbox.state(sandbox.inbox.get(1)) == "unsubscribed"
    assert "already unsubscribed" in (await happens(devino, 1, "open"))["error"]
    assert (await happens(devino, 1, "unsubscribe"))["state"] == "unsubscribed"
    assert steps(sandbox, 1)[-2:] == ["subscribed", "unsubscribed"]
    assert "returns@mail.by" in sandbox.devino.account.unsubscribed


async def test_what_a_message_does_not_track_cannot_happen(api: Api, sandbox: Sandbox) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by", track_open=0)
    for what, problem in (("open", "track"), ("click", "track"), ("explode", "deliver, open")):
        assert problem in (await happens(api, 1, what))["error"]
    assert "no message 2" in (await happens(api, 2, "open"))["error"]
    assert steps(sandbox, 1) == []


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_devino_posts_what_was_made_to_happen(
    what: str, devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.devino.settings.callback_url = hook.url
    sandbox.devino.settings.open_share = 0
    sent = await devino("POST", "/email/messages", order("bounce@mail.by", "anna@mail.by"))
    message_id = sent.value["result"][0]["messageId"]
    answer = await happens(devino, 1, what)
    assert (answer["state"], answer["posts"]) == (STATES[what], 1)
    events = [one for one in hook.events if one["messageId"] == message_id]
    expected = {
        "deliver": ["DELIVERED"],
        "open": ["DELIVERED", "OPENED"],
        "click": ["DELIVERED", "OPENED", "CLICKED"],
        "bounce": ["BOUNCED"],
        "complain": ["DELIVERED", "COMPLAINED"],
        "unsubscribe": ["DELIVERED", "UNSUBSCRIBED"],
    }[what]
    assert [one["status"] for one in events] == ["ACCEPTED", "SENT", *expected]
    assert {one["row"] for one in events} == {7}
    sandbox.clock.advance(86400)
    await sandbox.deliver()
    assert [one for one in hook.events if one["messageId"] == message_id] == events
    assert sandbox.outcomes()[0].state == STATES[what]
    assert sandbox.outcomes()[1].state == "delivered"
    opted_out = "bounce@mail.by" in sandbox.devino.account.unsubscribed
    assert opted_out == (what in ("complain", "unsubscribe"))


async def test_devino_posts_nothing_of_what_was_sent_without_an_address(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await devino("POST", "/email/messages", order("anna@mail.by"))
    sandbox.devino.settings.callback_url = hook.url
    assert (await happens(devino, 1, "open"))["posts"] == 0
    assert steps(sandbox, 1) == ["sent", "delivered", "opened"]


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_sendpulse_posts_and_counts_what_was_made_to_happen(
    what: str, sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    actions = ["delivered", "open", "redirect", "hard_bounces", "spam", "unsubscribe"]
    body = {"url": hook.url, "actions": actions}
    await sendpulse("POST", "/v2/email-service/webhook", body)
    number = await campaign(sendpulse, sandbox, "bounce@mail.by", "anna@mail.by")
    assert (await happens(sendpulse, 1, what))["state"] == STATES[what]
    expected = {
        "deliver": ["delivered"],
        "open": ["delivered", "open"],
        "click": ["delivered", "open", "redirect"],
        "bounce": ["hard_bounces"],
        "complain": ["delivered", "spam"],
        "unsubscribe": ["delivered", "unsubscribe"],
    }[what]
    assert [one["event"] for one in hook.events] == expected
    assert {(one["email"], int(one["task_id"])) for one in hook.events} == {
        ("bounce@mail.by", number)
    }
    hook.posts.clear()
    sandbox.clock.advance(86400)
    await sandbox.deliver()
    assert {one["email"] for one in hook.events} == {"anna@mail.by"}
    assert sandbox.outcomes()[0].state == STATES[what]
    figures = (await sendpulse("GET", f"/campaigns/{number}")).value["statistics"]["general"]
    counts = {one["explain"]: one["count"] for one in figures}
    assert counts["No such email"] == (what == "bounce")
    assert counts["Link redirected"] == (what == "click")
    assert counts["Sent"] == 2


async def test_sendpulse_counts_anew_after_it_was_asked(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    number = await campaign(sendpulse, sandbox, "anna@mail.by")
    sandbox.clock.advance(60)
    path = f"/campaigns/{number}"
    before = (await sendpulse("GET", path)).value["statistics"]["general"]
    await happens(sendpulse, 1, "bounce")
    after = (await sendpulse("GET", path)).value["statistics"]["general"]
    failed = [
        {one["explain"]: one["count"] for one in figures}["No such email"]
        for figures in (before, after)
    ]
    assert failed == [0, 1]


async def test_sendpulse_follows_only_campaigns_and_only_what_they_track(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    await sendpulse("POST", "/senders", {"email": "new@shop.by", "name": "New"})
    await sendpulse("GET", "/senders/new@shop.by/code")
    assert "campaigns only" in (await happens(sendpulse, 1, "open"))["error"]
    assert sandbox.inbox.state(sandbox.inbox.get(1)) == "accepted"
    await campaign(sendpulse, sandbox, "anna@mail.by", body="<p>No link</p>")
    assert "no link" in (await happens(sendpulse, 2, "click"))["error"]
    assert steps(sandbox, 2) == []


async def test_what_a_service_of_another_package_does_not_follow(sandbox: Sandbox) -> None:
    from mailkit.sandbox import Mailing

    sandbox.truth.record(Mailing("acme.send", 1.0, "a@b.by", "Hi", ["c@d.by"]), [("Hi", "")])
    email = sandbox.inbox.get(1)
    assert sandbox.inbox.state(email) == "accepted"
    with pytest.raises(CannotHappen, match="no service"):
        sandbox.inbox.happen(email, "open")
