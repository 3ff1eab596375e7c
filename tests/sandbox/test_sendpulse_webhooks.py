from base64 import b64encode
from typing import Any

import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.sendpulse.codes import WebhookAction

from .conftest import Answer, Hook, JsonApi

WEBHOOKS = "/v2/email-service/webhook"


async def register(api: JsonApi, url: str, *actions: str) -> Answer:
    form = [("url", url), *(("actions[]", action) for action in actions)]
    return await api("POST", f"{WEBHOOKS}/", data=form)


async def campaign(api: JsonApi, *emails: str) -> int:
    book = (await api("POST", "/addressbooks", {"bookName": "Autumn"})).value["id"]
    await api("POST", f"/addressbooks/{book}/emails", {"emails": emails})
    body = {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Hi",
        "body": b64encode(b'<a href="https://shop.by/">x</a>').decode(),
        "list_id": book,
    }
    number: int = (await api("POST", "/campaigns", body)).value["id"]
    return number


async def test_webhooks_are_kept(sendpulse: JsonApi) -> None:
    made = await register(sendpulse, "https://shop.by/hook", "open", "spam")
    assert made.value["success"] is True
    first, second = made.value["data"]
    assert (first["action"], second["action"]) == ("open", "spam")
    assert (await sendpulse("GET", WEBHOOKS)).value == made.value
    where = f"{WEBHOOKS}/{first['id']}"
    changed = await sendpulse("PUT", where, data={"url": "https://shop.by/other"})
    assert changed.value == {"success": True, "data": [True]}
    one = (await sendpulse("GET", where)).value["data"]
    assert one == {**first, "url": "https://shop.by/other"}
    assert (await sendpulse("DELETE", where)).value == {"success": True, "data": [True]}
    assert (await sendpulse("DELETE", where)).value == {"success": True, "data": [False]}
    assert (await sendpulse("GET", where)).status == 404
    single = await sendpulse("POST", WEBHOOKS, data={"url": "http://a.by", "actions": "open"})
    assert len(single.value["data"]) == 1
    body = {"url": "http://a.by", "actions": ["open", "spam", "open"]}
    several = (await sendpulse("POST", WEBHOOKS, body)).value["data"]
    assert [one["action"] for one in several] == ["open", "spam"]
    where = f"{WEBHOOKS}/{several[0]['id']}"
    assert (await sendpulse("PUT", where, {"url": "http://b.by"})).value["data"] == [True]
    assert (await sendpulse("GET", where)).value["data"]["url"] == "http://b.by"


async def test_webhooks_that_are_not_in_order(sendpulse: JsonApi) -> None:
    body: dict[str, Any] = {"url": "https://shop.by", "actions": {"0": "open"}}
    assert (await sendpulse("POST", WEBHOOKS, body)).status == 422
    for url in ("", "shop.by", "ftp://shop.by", "http://[::1"):
        assert (await register(sendpulse, url, "open")).status == 422
    assert (await register(sendpulse, "https://shop.by")).status == 422
    assert (await register(sendpulse, "https://shop.by", "open", "close")).status == 422


async def test_events_are_told_in_batches(sendpulse: JsonApi, sandbox: Sandbox, hook: Hook) -> None:
    await register(sendpulse, hook.url, *WebhookAction)
    people = ["opens@b.by", "bounce@b.by", "complaint@b.by", "slow@b.by"]
    number = await campaign(sendpulse, *people)
    assert await sandbox.deliver(early=False) == 0
    sandbox.clock.advance(60)
    assert await sandbox.deliver(early=False) == 1
    assert [row["email"] for row in hook.posts[0]] == people
    sandbox.clock.advance(7200)
    await sandbox.deliver()
    told = {(row["event"], row.get("email") or row.get("status")) for row in hook.events}
    assert {
        ("delivered", "opens@b.by"),
        ("open", "opens@b.by"),
        ("redirect", "opens@b.by"),
        ("hard_bounces", "bounce@b.by"),
        ("spam", "complaint@b.by"),
        ("soft_bounces", "slow@b.by"),
        ("delivered", "slow@b.by"),
        ("task_status_update", "sending"),
    } <= told
    for row in hook.events:
        assert int(row["timestamp"]) <= sandbox.clock.now()
        assert row.get("task_id") in (None, str(number))
    [bounce] = [row for row in hook.events if row["event"] == "hard_bounces"]
    assert bounce["smtp_server_response_code"] == "550"


async def test_contacts_that_come_and_go_are_told(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, "new_emails", "delete", "unsubscribe")
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})).value["id"]
    where = f"/addressbooks/{book}/emails"
    one = {"emails": ["anna@b.by"]}
    await sendpulse("POST", where, one)
    await sendpulse("POST", where, one)
    await sendpulse("POST", f"{where}/unsubscribe", one)
    await sendpulse("DELETE", where, one)
    assert await sandbox.deliver() == 3
    assert sorted(row["event"] for row in hook.events) == ["delete", "new_emails", "unsubscribe"]
    assert {row["book_id"] for row in hook.events} == {str(book)}


async def test_a_hundred_events_do_not_wait_and_posts_can_repeat(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, "new_emails")
    sandbox.sendpulse.settings.webhook_twice = True
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})).value["id"]
    people = [f"person{n}@b.by" for n in range(150)]
    await sendpulse("POST", f"/addressbooks/{book}/emails", {"emails": people})
    await sandbox.deliver(early=False)
    assert [len(post) for post in hook.posts] == [100, 100]
    assert hook.posts[0] == hook.posts[1]
    sandbox.clock.advance(60)
    await sandbox.deliver(early=False)
    assert [len(post) for post in hook.posts[2:]] == [50, 50]


@pytest.mark.parametrize(
    ("verdict", "goes_on"),
    [
        ("approve", True),
        ("approve_part", True),
        ("only_active", True),
        ("confirm_addresses", False),
        ("need_edit", False),
        ("rejected", False),
    ],
)
async def test_the_moderator_is_told_of(
    verdict: Any, goes_on: bool, sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    settings = sandbox.sendpulse.settings
    settings.moderated_first, settings.verdict = 1, verdict
    await register(sendpulse, hook.url, "task_status_update")
    await campaign(sendpulse, "anna@b.by")
    sandbox.clock.advance(3600)
    await sandbox.deliver()
    told = [row["status"] for row in hook.events]
    assert told == ["on_moderation", verdict, *(["sending"] if goes_on else [])]
    assert all(row["status_explain"] for row in hook.events)
    assert sandbox.truth.emails == goes_on


async def test_numbers_come_as_texts_or_as_numbers(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, "delivered")
    sandbox.sendpulse.settings.quirks = True
    sandbox.sendpulse.settings.webhook_batch = 1
    await campaign(sendpulse, *[f"person{n}@b.by" for n in range(20)])
    sandbox.clock.advance(3600)
    await sandbox.deliver()
    kinds = {(type(row["timestamp"]), type(row["task_id"])) for row in hook.events}
    assert kinds == {(str, str), (int, int)}


async def test_other_processes_move_time_and_order_posts(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, "delivered")
    await campaign(sendpulse, "anna@b.by")
    before = sandbox.clock.now()
    moved = await sendpulse("POST", "/sandbox/advance", {"seconds": 60})
    assert moved.value == {"now": before + 60}
    assert sandbox.truth.emails == 1
    assert (await sendpulse("POST", "/sandbox/advance", {"seconds": -1})).status == 400
    assert (await sendpulse("POST", "/sandbox/deliver", {})).value == {"posts": 1}
    assert hook.events[0]["email"] == "anna@b.by"
