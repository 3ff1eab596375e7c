from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.devino.callbacks import Status
from mailkit.sandbox.truth import AttachedFile

from .conftest import Answer, Hook, JsonApi, until

MESSAGES = "/email/messages"


def order(*addresses: str, **changes: Any) -> dict[str, Any]:
    """A request in order, with changes; a change to None takes the key out."""
    whole = {
        "Recipients": [{"Address": address} for address in addresses or ("anna@mail.by",)],
        "Sender": {"Address": "news@shop.by", "Name": "Shop"},
        "Subject": "Autumn",
        "Body": {"Html": "<p>Hello, [Name]!</p>[Unsubscribe]"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def references(answer: Answer) -> list[str]:
    assert answer.status == 400
    assert answer.value["Description"] == "Validation failed"
    assert all(reason["Key"] for reason in answer.value["Reasons"])
    return [reason["Reference"] for reason in answer.value["Reasons"]]


async def test_an_email_to_each_recipient(devino: JsonApi, sandbox: Sandbox) -> None:
    answer = await devino("POST", MESSAGES, order("anna@mail.by", "Boris@mail.by"))
    assert answer.status == 200
    assert answer.value["description"] == "ok"
    rows = answer.value["result"]
    assert [(row["index"], row["address"]) for row in rows] == [
        (0, "anna@mail.by"),
        (1, "Boris@mail.by"),
    ]
    assert len({row["messageId"] for row in rows}) == 2
    assert dict(sandbox.truth.mailed) == {"anna@mail.by": 1, "boris@mail.by": 1}
    assert sandbox.truth.mailings[0].operation == "devino.messages.send"


async def test_macros_are_filled_with_the_recipients_fields(
    devino: JsonApi, sandbox: Sandbox
) -> None:
    recipient = {"Address": "anna@mail.by", "MergeFields": {"Name ": "Anna", "n": 7}}
    body = {"PlainText": "[Name], [n], [other], [Unsubscribe], [WebVersion]"}
    await devino("POST", MESSAGES, order(Recipients=[recipient], Body=body))
    [email] = sandbox.truth.kept
    assert email.subject == "Autumn"
    assert email.body.startswith("Anna, 7, [other], https://")
    assert "/web/anna@mail.by" in email.body


@pytest.mark.parametrize("key", ["", "Key wrong", "Bearer sandbox-key", "sandbox-key"])
async def test_the_key_is_needed(key: str, devino: JsonApi, sandbox: Sandbox) -> None:
    answer = await JsonApi(devino.session, sandbox.url, key)("POST", MESSAGES, order())
    assert answer.status == 401
    assert answer.value["Description"]
    assert sandbox.truth.emails == 0


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({"Recipients": None}, "recipients"),
        ({"Recipients": []}, "recipients"),
        ({"Recipients": [{"Name": "Anna"}]}, "recipients.address"),
        ({"Recipients": ["anna@mail.by"]}, "recipients.address"),
        ({"Recipients": [{"Address": "a@b.by", "MergeFields": "{}"}]}, "recipients.MergeFields"),
        ({"Recipients": [{"Address": "a@b.by", "ExtraData": [1]}]}, "recipients.ExtraData"),
        ({"Sender": None}, "sender.address"),
        ({"Sender": {"Address": "news@shop.by", "Name": "x" * 151}}, "sender.name"),
        ({"Subject": " "}, "subject"),
        ({"Body": None}, "body"),
        ({"Body": {}}, "body"),
        ({"Body": {"Html": "[Unsubscribe]", "PlainText": "[Unsubscribe]"}}, "body"),
        ({"Body": {"Html": "<p>Hello</p>"}}, "body"),
        ({"AttachmentsIds": ["nothing"]}, "attachmentsIds"),
        ({"AttachmentsIds": "nothing"}, "attachmentsIds"),
        ({"CheckUnsubscription": "true"}, "checkUnsubscription"),
    ],
)
async def test_a_request_that_is_not_in_order_is_refused_whole(
    changes: dict[str, Any], reference: str, devino: JsonApi, sandbox: Sandbox
) -> None:
    assert references(await devino("POST", MESSAGES, order(**changes))) == [reference]
    assert sandbox.truth.emails == 0


async def test_an_empty_request_has_all_the_reasons(devino: JsonApi) -> None:
    answer = await devino("POST", MESSAGES, {})
    assert references(answer) == ["recipients", "sender.address", "subject", "body"]
    assert answer.value["Reasons"][0]["Key"] == "validation.recipients.must.be.greather.then.0"


async def test_a_name_of_150_characters_is_not_too_long(devino: JsonApi) -> None:
    sender = {"Address": "news@shop.by", "Name": "x" * 150}
    assert (await devino("POST", MESSAGES, order(Sender=sender))).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
async def test_a_body_that_cannot_be_read(body: bytes, devino: JsonApi) -> None:
    answer = await devino("POST", MESSAGES, data=body, **{"skip_auto_headers": ["Content-Type"]})
    assert answer.status == 400


async def test_settings_refuse_more(devino: JsonApi, sandbox: Sandbox) -> None:
    settings = sandbox.devino.settings
    settings.max_recipients = 1
    assert references(await devino("POST", MESSAGES, order("a@b.by", "c@d.by"))) == ["recipients"]
    settings.sender_domains = frozenset({"other.by"})
    assert references(await devino("POST", MESSAGES, order())) == ["sender.address"]
    settings.sender_domains = None
    settings.requests_per_second = 1
    sandbox.clock.advance(1)
    assert (await devino("POST", MESSAGES, order())).status == 200
    late = await devino("POST", MESSAGES, order())
    assert (late.status, late.headers["Retry-After"]) == (429, "1")
    sandbox.clock.advance(1)
    assert (await devino("POST", MESSAGES, order())).status == 200


async def test_an_address_that_is_not_in_order_is_refused_alone(
    devino: JsonApi, sandbox: Sandbox
) -> None:
    answer = await devino(
        "POST", MESSAGES, order("no address", "anna@mail.by", "invalid@mail.by", "missing@mail.by")
    )
    rows = answer.value["result"]
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert ["messageId" in row for row in rows] == [False, True, False]
    assert rows[0]["code"] != "ok"
    assert rows[0]["reasons"][0]["key"]
    assert dict(sandbox.truth.mailed) == {"anna@mail.by": 1}


async def test_answers_in_any_spelling_and_order(devino: JsonApi, sandbox: Sandbox) -> None:
    sandbox.devino.settings.mixed_case = True
    sandbox.devino.settings.shuffled = True
    people = [f"person{n}@mail.by" for n in range(20)]
    value = (await devino("POST", MESSAGES, order(*people))).value
    assert {key.lower() for key in value} == {"result", "description"}
    [rows] = [part for part in value.values() if isinstance(part, list)]
    keys = {key for row in rows for key in row}
    assert {"index", "Index", "messageId", "MessageId"} <= keys
    indices = [row.get("index", row.get("Index")) for row in rows]
    assert indices != sorted(indices)
    assert sorted(indices) == list(range(20))


async def upload(
    devino: JsonApi, name: str = "price.PDF", data: bytes = b"%PDF", category: str = ""
) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", data, filename=name)
    path = f"/files/files?category={category or 'EMAIL_ATTACHMENT'}"
    return await devino("POST", path, data=form)


async def test_a_file_is_kept_and_attached(devino: JsonApi, sandbox: Sandbox) -> None:
    stored = (await upload(devino)).value["result"]
    assert stored["publicUrl"].endswith(stored["fileId"])
    answer = await devino("POST", MESSAGES, order(AttachmentsIds=[stored["fileId"]]))
    assert answer.status == 200
    assert sandbox.truth.kept[0].attachments == (AttachedFile("price.PDF", 4),)


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({"name": "price.exe"}, "file"),
        ({"name": "price"}, "file"),
        ({"data": b""}, "file"),
        ({"category": "OTHER"}, "category"),
    ],
)
async def test_files_that_are_refused(
    changes: dict[str, Any], reference: str, devino: JsonApi
) -> None:
    assert references(await upload(devino, **changes)) == [reference]


async def test_an_upload_needs_a_file(devino: JsonApi) -> None:
    path = "/files/files?category=EMAIL_ATTACHMENT"
    assert references(await devino("POST", path)) == ["file"]


async def test_states_are_posted_as_time_goes_by(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.devino.settings.callback_url = hook.url
    people = ["opens@mail.by", "bounce@mail.by", "complaint@mail.by", "unsubscribed@mail.by"]
    entries = [{"Address": one, "ExtraData": {"row": n}} for n, one in enumerate(people)]
    began = sandbox.clock.now()
    answer = await devino("POST", MESSAGES, order(Recipients=entries))
    ids = {row["address"]: row["messageId"] for row in answer.value["result"]}
    await sandbox.deliver()
    assert {row["status"] for row in hook.events} == {"ACCEPTED"}
    sandbox.clock.advance(3600)
    await sandbox.deliver()
    states: dict[str, list[str]] = {}
    for row in hook.events:
        assert row["messageId"] == ids[row["email"]]
        assert row["row"] == people.index(row["email"])
        assert began * 1000 - 1 <= row["ts"] <= (began + 3600) * 1000
        states.setdefault(row["email"], []).append(row["status"])
    assert states == {
        "opens@mail.by": ["ACCEPTED", "SENT", "DELIVERED", "OPENED"],
        "bounce@mail.by": ["ACCEPTED", "SENT", "BOUNCED"],
        "complaint@mail.by": ["ACCEPTED", "SENT", "DELIVERED", "COMPLAINED"],
        "unsubscribed@mail.by": ["ACCEPTED", "SENT", "DELIVERED", "UNSUBSCRIBED"],
    }
    assert await sandbox.deliver() == 0


async def test_all_eleven_states_come(devino: JsonApi, sandbox: Sandbox, hook: Hook) -> None:
    sandbox.devino.settings.callback_url = hook.url
    people = ["clicks@b.by", "bounce@b.by", "expires@b.by", "complaint@b.by", "returns@b.by"]
    await devino("POST", MESSAGES, order(*people))
    await devino("POST", MESSAGES, order("unsubscribed@b.by", CheckUnsubscription=True))
    sandbox.clock.advance(2 * 86400)
    await sandbox.deliver()
    states: dict[str, list[str]] = {}
    for row in sorted(hook.events, key=lambda row: row["ts"]):
        states.setdefault(row["email"], []).append(row["status"])
    assert {tuple(state) for state in states.values()} == {
        ("ACCEPTED", "SENT", "DELIVERED", "OPENED", "CLICKED"),
        ("ACCEPTED", "SENT", "BOUNCED"),
        ("ACCEPTED", "SENT", "EXPIRED"),
        ("ACCEPTED", "SENT", "DELIVERED", "COMPLAINED"),
        ("ACCEPTED", "SENT", "DELIVERED", "UNSUBSCRIBED", "SUBSCRIBED"),
        ("ACCEPTED", "REJECTED"),
    }
    assert {status for state in states.values() for status in state} == set(Status)


async def test_whoever_returns_is_mailed_again_and_who_leaves_is_not(
    devino: JsonApi, sandbox: Sandbox
) -> None:
    for _ in range(2):
        people = ("returns@b.by", "unsubscribes@b.by", "leaves@b.by")
        await devino("POST", MESSAGES, order(*people, CheckUnsubscription=True))
        sandbox.clock.advance(3600)
    assert dict(sandbox.truth.mailed) == {
        "returns@b.by": 2,
        "unsubscribes@b.by": 1,
        "leaves@b.by": 1,
    }


async def test_statuses_come_in_any_spelling(devino: JsonApi, sandbox: Sandbox, hook: Hook) -> None:
    settings = sandbox.devino.settings
    settings.callback_url, settings.mixed_case = hook.url, True
    settings.callback_numbers = "text"
    people = [{"Address": f"person{n}@mail.by", "ExtraData": {"row": n}} for n in range(20)]
    await devino("POST", MESSAGES, order(Recipients=people))
    await sandbox.deliver()
    keys = {key for row in hook.events for key in row}
    assert keys == {
        *("messageId", "MessageId", "ts", "Ts", "status", "Status", "email", "Email"),
        "row",
    }
    assert {type(row.get("ts", row.get("Ts"))) for row in hook.events} == {str}


async def test_posts_are_batched_and_remembered(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    settings = sandbox.devino.settings
    settings.posting.batch = 2
    settings.extra_data_key, settings.callback_url = "extraData", hook.url
    people = [{"Address": f"person{n}@mail.by", "ExtraData": {"n": n}} for n in range(3)]
    await devino("POST", MESSAGES, order(Recipients=people))
    await sandbox.deliver()
    assert [len(post) for post in hook.posts] == [2, 1]
    assert hook.events[0]["extraData"] == {"n": 0}
    assert [one.status for one in sandbox.scheduler.deliveries] == [200] * 2
    settings.callback_url = "http://127.0.0.1:1/nobody"
    await devino("POST", MESSAGES, order())
    await sandbox.deliver()
    assert sandbox.scheduler.deliveries[-1].status is None


async def test_states_come_by_themselves_while_time_runs(
    hook: Hook,
) -> None:
    async with Sandbox(speed=100_000) as fast, aiohttp.ClientSession() as session:
        fast.devino.settings.callback_url = hook.url
        api = JsonApi(session, fast.url, f"Key {fast.devino.settings.api_key}")
        await api("POST", MESSAGES, order("opens@b.by"))
        await until(lambda: len(hook.events) == 4)
    assert [row["status"] for row in hook.events][-1] == "OPENED"


async def test_unsubscribed_people_are_rejected_if_asked_for(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    await devino("POST", MESSAGES, order("complaint@mail.by"))
    sandbox.clock.advance(200)
    sandbox.devino.settings.callback_url = hook.url
    people = ["complaint@mail.by", "unsubscribed@mail.by", "anna@mail.by"]
    answer = await devino("POST", MESSAGES, order(*people, CheckUnsubscription=True))
    assert all(row["messageId"] for row in answer.value["result"])
    assert dict(sandbox.truth.mailed) == {"complaint@mail.by": 1, "anna@mail.by": 1}
    sandbox.clock.advance(10)
    await sandbox.deliver()
    rejected = [row["email"] for row in hook.events if row["status"] == "REJECTED"]
    assert rejected == people[:2]


async def test_reset_forgets_what_is_to_come(devino: JsonApi, sandbox: Sandbox, hook: Hook) -> None:
    sandbox.devino.settings.callback_url = hook.url
    await devino("POST", MESSAGES, order())
    sandbox.reset()
    sandbox.clock.advance(3600)
    assert await sandbox.deliver() == 0
