from base64 import b64encode
from itertools import count
from typing import Any

import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.clock import moment
from mailkit.sandbox.sendpulse.codes import WebhookAction

from .conftest import Answer, Hook, JsonApi

NUMBERS = count()
WEBHOOKS = "/v2/email-service/webhook"


async def register(api: JsonApi, url: str, *actions: str) -> Answer:
    form = [("url", url), *(("actions[]", action) for action in actions)]
    return await api("POST", f"{WEBHOOKS}/", data=form)


async def campaign(api: JsonApi, *emails: str, **more: Any) -> int:
    name = f"Autumn {next(NUMBERS)}"
    book = (await api("POST", "/addressbooks", {"bookName": name})).value["id"]
    await api("POST", f"/addressbooks/{book}/emails", {"emails": emails})
    body = {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Hi",
        "body": b64encode(b'<a href="https://shop.by/">x</a>').decode(),
        "list_id": book,
        **more,
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
    people = ["clicks@b.by", "bounce@b.by", "complaint@b.by", "slow@b.by"]
    number = await campaign(sendpulse, *people)
    assert await sandbox.deliver(early=False) == 0
    sandbox.clock.advance(60)
    assert await sandbox.deliver(early=False) == 1
    assert [row["email"] for row in hook.posts[0]] == people
    sandbox.clock.advance(7200)
    await sandbox.deliver()
    told = {(row["event"], row.get("email") or row.get("status")) for row in hook.events}
    assert {
        ("delivered", "clicks@b.by"),
        ("open", "clicks@b.by"),
        ("redirect", "clicks@b.by"),
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


async def test_a_hundred_events_do_not_wait(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, "new_emails")
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})).value["id"]
    people = [f"person{n}@b.by" for n in range(150)]
    await sendpulse("POST", f"/addressbooks/{book}/emails", {"emails": people})
    await sandbox.deliver(early=False)
    assert [len(post) for post in hook.posts] == [100]
    sandbox.clock.advance(60)
    await sandbox.deliver(early=False)
    assert [len(post) for post in hook.posts[1:]] == [50]


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
    sandbox.sendpulse.settings.posting.batch = 1
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
    assert moved.value == {"now": moment(before + 60)}
    assert sandbox.truth.emails == 1
    assert (await sendpulse("POST", "/sandbox/advance", {"seconds": -1})).status == 400
    assert (await sendpulse("POST", "/sandbox/deliver", {})).value == {
        "posts": 1,
        "waiting": 0,
        "lost": 0,
    }
    assert hook.events[0]["email"] == "anna@b.by"


async def played(sendpulse: JsonApi, sandbox: Sandbox, hook: Hook, *people: str) -> list[Any]:
    """What webhooks are told of a campaign to these people."""
    await register(sendpulse, hook.url, *WebhookAction)
    await campaign(sendpulse, *people)
    sandbox.clock.advance(2 * 86400)
    await sandbox.deliver()
    return hook.events


async def test_all_ten_events_come_with_every_field(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    people = ["clicks@b.by", "bounce@b.by", "slow@b.by", "complaint@b.by", "unsubscribes@b.by"]
    told = await played(sendpulse, sandbox, hook, *people)
    book = next(row["book_id"] for row in told if "book_id" in row)
    await sendpulse("DELETE", f"/addressbooks/{book}/emails", {"emails": ["clicks@b.by"]})
    await sandbox.deliver()
    fields = {row["event"]: set(row) - {"event", "timestamp"} for row in hook.events}
    mail = {"task_id", "email"}
    device = {"open_device", "open_platform", "browser_ver", "browser_name"}
    bounce = {"smtp_server_response", "smtp_server_response_code", "smtp_server_response_subcode"}
    assert fields == {
        "new_emails": {"email", "book_id", "variables", "source"},
        "delete": {"email", "book_id"},
        "unsubscribe": mail | {"from_all", "reason", "book_id", "categories"},
        "task_status_update": {"task_id", "status", "status_explain", "book_id"},
        "open": mail | device,
        "delivered": mail,
        "redirect": mail | device | {"link_url", "link_id"},
        "spam": mail,
        "hard_bounces": mail | bounce,
        "soft_bounces": mail | bounce,
    }
    assert set(fields) == set(WebhookAction)


async def test_people_leave_a_list_or_everything_or_come_back(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    where = f"/addressbooks/{other}/emails"
    people = ["unsubscribes@b.by", "leaves@b.by", "returns@b.by"]
    await sendpulse("POST", where, {"emails": people})
    told = await played(sendpulse, sandbox, hook, *people)
    left = {row["email"]: row["from_all"] for row in told if row["event"] == "unsubscribe"}
    assert left == {"unsubscribes@b.by": 0, "leaves@b.by": 1, "returns@b.by": 0}
    new = [(row["email"], row["source"]) for row in told if row["event"] == "new_emails"]
    assert new[-1] == ("returns@b.by", "subscription form")
    rows = (await sendpulse("GET", where)).value
    assert [row["status"] for row in rows] == [1, 6, 1]
    book = next(row["book_id"] for row in told if row["event"] == "unsubscribe")
    rows = (await sendpulse("GET", f"/addressbooks/{book}/emails")).value
    assert [row["status"] for row in rows] == [4, 6, 1]


async def test_an_email_that_expires_bounces_softly_to_the_end(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    told = await played(sendpulse, sandbox, hook, "expires@b.by")
    mine = [row for row in told if row.get("email") == "expires@b.by"]
    assert [row["event"] for row in mine if row["event"] != "new_emails"] == ["soft_bounces"] * 2
    first, last = (int(row["timestamp"]) for row in mine if row["event"] == "soft_bounces")
    assert last - first > 80_000


async def test_what_is_not_tracked_is_not_seen(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await register(sendpulse, hook.url, *WebhookAction)
    for stats in ({"opens": True, "clicks": False}, {"opens": False, "clicks": True}):
        await campaign(sendpulse, "clicks@b.by", stats=stats)
    sandbox.clock.advance(3600)
    await sandbox.deliver()
    seen = [row["event"] for row in hook.events if row["event"] in ("open", "redirect")]
    assert seen == ["open", "redirect"]


@pytest.mark.parametrize(
    ("numbers", "kinds"),
    [
        ("documented", {("timestamp", str), ("task_id", str), ("from_all", int)}),
        ("text", {("timestamp", str), ("task_id", str), ("from_all", str)}),
        ("number", {("timestamp", int), ("task_id", int), ("from_all", int)}),
    ],
)
async def test_numbers_are_written_as_ordered(
    numbers: Any, kinds: set[Any], sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.sendpulse.settings.webhook_numbers = numbers
    told = await played(sendpulse, sandbox, hook, "unsubscribes@b.by")
    [row] = [row for row in told if row["event"] == "unsubscribe"]
    assert {(name, type(row[name])) for name in ("timestamp", "task_id", "from_all")} == kinds


async def test_numbers_are_mixed_within_an_event(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.sendpulse.settings.webhook_numbers = "mixed"
    told = await played(sendpulse, sandbox, hook, *[f"person{n}@b.by" for n in range(30)])
    kinds = {(type(row["timestamp"]), type(row["task_id"])) for row in told if "task_id" in row}
    assert kinds == {(int, int), (int, str), (str, int), (str, str)}


async def test_a_post_that_was_not_taken_comes_again(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    hook.refusals = [500]
    await register(sendpulse, hook.url, "new_emails")
    await campaign(sendpulse, "anna@b.by")
    await sandbox.deliver()
    assert (hook.events, sandbox.scheduler.backlog) == ([], (1, 0))
    sandbox.clock.advance(60)
    await sandbox.deliver()
    assert [row["email"] for row in hook.events] == ["anna@b.by"]
    assert sandbox.scheduler.backlog == (0, 0)
