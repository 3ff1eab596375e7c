import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.truth import AttachedFile

from .conftest import BULK, MESSAGE, Api

CATALOGUE = Path(__file__).parent.parent / "catalogue.json"


async def bulk(api: Api, **fields: str) -> str:
    uuid: str = (await api.post("sendBulkEmail", {**BULK, **fields})).result["uuid"]
    return uuid


async def status(api: Api, uuid: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await api("statusBulkEmail", uuid=uuid)).result
    return rows


async def new_list(api: Api, *addresses: str) -> int:
    list_id: int = (await api("createSubscriberList", name="Autumn")).result["list_id"]
    rows = {f"data[{index}][0]": address for index, address in enumerate(addresses)}
    if rows:
        await api.post("importContacts", {"list_id": list_id, "field_names[0]": "email", **rows})
    return list_id


async def test_one_email(api: Api, sandbox: Sandbox) -> None:
    answer = await api("sendEmail", **MESSAGE, email=" Anna@Mail.BY ", track_open=0)
    assert answer.result == {"email_id": 1234567}
    assert sandbox.truth.count("anna@mail.by") == 1
    [email] = sandbox.truth.kept
    assert (email.sender, email.subject, email.body) == (
        "news@shop.by",
        "Autumn",
        "<p>Hello</p>",
    )
    assert (email.operation, email.at) == ("smsby.emails.send", sandbox.clock.now())


async def test_an_attachment_is_kept_with_its_name_and_size(api: Api, sandbox: Sandbox) -> None:
    form = aiohttp.FormData({"token": api.token, **MESSAGE, "email": "anna@mail.by"})
    form.add_field("attachment", b"%PDF-1.7", filename="price.pdf")
    async with api.session.post("/api/v2/sendEmail", data=form) as response:
        assert (await response.json())["status"] == "OK"
    assert sandbox.truth.kept[0].attachments == (AttachedFile("price.pdf", 8),)
    assert sandbox.requests.last[-1].files == (("attachment", "price.pdf", 8),)


async def test_the_same_message_to_many(api: Api, sandbox: Sandbox) -> None:
    [message] = await status(api, await bulk(api, name="Sale"))
    assert (message["name"], message["sender_email"]) == ("Sale", "news@shop.by")
    assert [(row["recipient"], row["error"]) for row in message["success"]] == [
        ("anna@mail.by", None),
        ("boris@mail.by", None),
    ]
    assert message["errors"] == []
    assert sandbox.truth.emails == 2
    assert sandbox.truth.mailings[0].subject == "Autumn"


async def test_a_message_of_their_own_to_each(api: Api, sandbox: Sandbox) -> None:
    people = {
        f"delivery_list[{index}][{key}]": f"{value}{index}{end}"
        for index in range(3)
        for key, value, end in [
            ("email", "person", "@mail.by"),
            ("subject", "Hi ", ""),
            ("message", "Text ", ""),
        ]
    }
    answer = await api(
        "sendBulkEmail", sender_email="news@shop.by", message_type="personal", **people
    )
    assert len(answer.result["uuid"]) == 36
    assert [(one.address, one.subject, one.body) for one in sandbox.truth.kept] == [
        (f"person{index}@mail.by", f"Hi {index}", f"Text {index}") for index in range(3)
    ]


async def test_a_personal_message_without_text_is_refused_alone(api: Api, sandbox: Sandbox) -> None:
    answer = await api(
        "sendBulkEmail",
        sender_email="news@shop.by",
        message_type="personal",
        **{
            "delivery_list[0][email]": "anna@mail.by",
            "delivery_list[0][subject]": "Hi",
            "delivery_list[1][email]": "boris@mail.by",
            "delivery_list[1][subject]": "Hi",
            "delivery_list[1][message]": "Text",
            "delivery_list[2]": "carl@mail.by",
        },
    )
    [message] = await status(api, answer.result["uuid"])
    assert [row["email"] for row in message["errors"]] == ["anna@mail.by", "carl@mail.by"]
    assert dict(sandbox.truth.mailed) == {"boris@mail.by": 1}


async def test_each_entry_of_a_list_is_mailed(api: Api, sandbox: Sandbox) -> None:
    await bulk(api, **{"delivery_list[1]": "ANNA@mail.by"})
    assert sandbox.truth.mailed_twice == ["anna@mail.by"]


async def test_addresses_the_service_does_not_mail(api: Api, sandbox: Sandbox) -> None:
    odd = ["invalid@mail.by", "unsubscribed@mail.by", "missing@mail.by", "no address", "anna@by"]
    uuid = await bulk(api, **{f"delivery_list[{9 + i}]": one for i, one in enumerate(odd)})
    [message] = await status(api, uuid)
    assert [row["recipient"] for row in message["success"]] == ["anna@mail.by", "boris@mail.by"]
    assert [row["email"] for row in message["errors"]] == [o for o in odd if "missing" not in o]
    assert all(row["error"] for row in message["errors"])
    assert set(sandbox.truth.mailed) == {"anna@mail.by", "boris@mail.by"}


async def test_a_bulk_of_refused_addresses_only_has_a_status(api: Api, sandbox: Sandbox) -> None:
    answer = await api("sendBulkEmail", **MESSAGE, **{"delivery_list[]": "invalid@mail.by"})
    [message] = await status(api, answer.result["uuid"])
    assert (message["success"], len(message["errors"])) == ([], 1)
    assert sandbox.truth.emails == 0
    assert sandbox.truth.mailings == []


async def test_a_bulk_is_kept_as_several_messages(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.message_size = 2
    uuid = await bulk(api, **{"delivery_list[2]": "carl@mail.by"})
    messages = await status(api, uuid)
    assert [len(message["success"]) for message in messages] == [2, 1]
    ids = [row["email_id"] for message in messages for row in message["success"]]
    assert ids == ["1234567", "1234568", "1234569"]
    assert [message["message_id"] for message in messages] == ["1234", "1235"]


async def test_emails_travel(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.open_share = 0
    uuid = await bulk(
        api, **{"delivery_list[0]": "bounce@mail.by", "delivery_list[1]": "opens@b.by"}
    )

    async def words() -> list[str]:
        return [row["status"] for row in (await status(api, uuid))[0]["success"]]

    assert await words() == ["QUEUED", "QUEUED"]
    sandbox.clock.advance(1.5)
    assert await words() == ["SENT", "SENT"]
    sandbox.clock.advance(70)
    assert await words() == ["UNDELIVERED", "OPEN"]
    [bounced, opened] = (await status(api, uuid))[0]["success"]
    assert bounced["error"]
    assert opened["error"] is None


async def test_the_delivery_list_has_its_own_ways(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.open_share = 0
    uuid = await bulk(api, **{"delivery_list[2]": "invalid@mail.by"})
    sandbox.clock.advance(40)
    message_id = (await status(api, uuid))[0]["message_id"]
    rows = (await api("getEmailDeliveryList", message_id=message_id)).result
    assert [(row["email"], row["status"]) for row in rows] == [
        (" anna@mail.by", "DELIVERED"),
        ("boris@mail.by", "DELIVERED"),
        (" invalid@mail.by", "UNDELIVERED"),
    ]
    assert [bool(row["error"]) for row in rows] == [False, False, True]
    assert rows[0]["error"] == ""


async def test_the_words_before_delivery_are_a_setting(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.waiting_states = ("NEW", "ON THE WAY")
    uuid = await bulk(api)
    assert (await status(api, uuid))[0]["success"][0]["status"] == "NEW"
    sandbox.clock.advance(1.5)
    assert (await status(api, uuid))[0]["success"][0]["status"] == "ON THE WAY"


async def test_rows_can_take_their_time_to_appear(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.status_delay = 10
    uuid = await bulk(api)
    assert await status(api, uuid) == []
    sandbox.clock.advance(5)
    assert len((await status(api, uuid))[0]["success"]) == 1
    assert len((await api("getEmailDeliveryList", message_id=1234)).result) == 1
    sandbox.clock.advance(5)
    assert len((await status(api, uuid))[0]["success"]) == 2


async def test_a_scheduled_message_counts_at_once_and_travels_later(
    api: Api, sandbox: Sandbox
) -> None:
    sandbox.clock.advance(4102434000 - sandbox.clock.now())  # 2099-12-31 21:00 UTC
    uuid = await bulk(api, d_schedule="2100-01-01 01:00")  # an hour later in Minsk
    assert sandbox.truth.emails == 2
    sandbox.clock.advance(3599)
    assert (await status(api, uuid))[0]["success"][0]["status"] == "QUEUED"
    sandbox.clock.advance(2.5)
    assert (await status(api, uuid))[0]["success"][0]["status"] == "SENT"


async def test_a_schedule_that_has_passed_means_now(api: Api, sandbox: Sandbox) -> None:
    uuid = await bulk(api, d_schedule="2001-01-01 00:00")
    sandbox.clock.advance(1.5)
    assert (await status(api, uuid))[0]["success"][0]["status"] == "SENT"


async def test_mailing_lists(api: Api, sandbox: Sandbox) -> None:
    list_id = await new_list(api, "anna@mail.by", "boris@mail.by", "missing@mail.by")
    assert list_id == 3434
    sent = (await api("sendEmailByList", **MESSAGE, list_id=list_id, name="Sale")).result
    assert sent == {"message_id": 1234, "count_emails": 3}
    rows = (await api("getEmailDeliveryList", message_id=sent["message_id"])).result
    assert [row["email"].strip() for row in rows] == ["anna@mail.by", "boris@mail.by"]
    assert set(sandbox.truth.mailed) == {"anna@mail.by", "boris@mail.by"}


async def test_an_import_reports_what_it_did(api: Api) -> None:
    list_id = await new_list(api, "anna@mail.by")
    fields = {"list_id": str(list_id), "field_names[0]": "name", "field_names[1]": "email"}
    rows = {
        "data[0][0]": "Anna",
        "data[0][1]": "ANNA@mail.by",
        "data[1][0]": "Boris",
        "data[1][1]": "boris@mail.by",
        "data[2][1]": "nobody",
        "data[3][0]": "nameless",
    }
    result = (await api.post("importContacts", {**fields, **rows})).result
    assert (result["inserted"], result["updated"], result["invalid"]) == (1, 1, 2)
    assert [row["index"] for row in result["log"]] == [2, 3]
    again = (await api.post("importContacts", {**fields, "data[0][1]": "anna@mail.by"})).result
    assert again == {"inserted": 0, "updated": 1, "invalid": 0}


async def test_contacts_may_be_phones(api: Api) -> None:
    list_id = await new_list(api)
    fields = {"list_id": str(list_id), "field_names[0]": "phone", "data[0][0]": "+375291234567"}
    assert (await api.post("importContacts", fields)).result["inserted"] == 1
    answer = await api("sendEmailByList", **MESSAGE, list_id=list_id)
    assert "error" in answer.value


async def test_parameters_of_list_calls_may_stand_in_the_query(api: Api) -> None:
    query = {"token": api.token, "name": "Autumn"}
    async with api.session.post("/api/v2/createSubscriberList", params=query) as response:
        assert (await response.json())["result"] == {"list_id": 3434}
    query = {"token": api.token, "list_id": "3434", "field_names[]": "email", "data[0][]": "a@b.by"}
    async with api.session.post("/api/v2/importContacts", params=query) as response:
        assert (await response.json())["result"]["inserted"] == 1


async def test_who_unsubscribed_is_not_mailed_until_subscribed_again(
    api: Api, sandbox: Sandbox
) -> None:
    list_id = await new_list(api, "anna@mail.by", "boris@mail.by")
    assert (await api("unsubscribeEmail", email="anna@mail.by", reason="Enough")).value == {
        "status": "OK"
    }
    [message] = await status(api, await bulk(api))
    assert [row["email"] for row in message["errors"]] == ["anna@mail.by"]
    assert "error" in (await api("sendEmail", **MESSAGE, email="anna@mail.by")).value
    sent = (await api("sendEmailByList", **MESSAGE, list_id=list_id)).result
    assert sent["count_emails"] == 1
    assert (await api("subscribeEmail", email="anna@mail.by")).value == {"status": "OK"}
    assert (await api("sendEmailByList", **MESSAGE, list_id=list_id)).result["count_emails"] == 2
    assert sandbox.truth.count("anna@mail.by") == 1
    assert sandbox.truth.count("boris@mail.by") == 3


async def test_unsubscribing_from_some_lists(api: Api) -> None:
    first, second = await new_list(api, "anna@mail.by"), await new_list(api, "anna@mail.by")
    await api("unsubscribeEmail", email="anna@mail.by", list_ids=f"{first}, {second}")
    await api("subscribeEmail", email="anna@mail.by", list_ids=str(second))
    assert "error" in (await api("sendEmailByList", **MESSAGE, list_id=first)).value
    assert (await api("sendEmailByList", **MESSAGE, list_id=second)).result["count_emails"] == 1
    assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result


async def test_the_address_that_means_unsubscribed_can_subscribe(api: Api) -> None:
    await api("subscribeEmail", email="unsubscribed@mail.by")
    assert (await api("sendEmail", **MESSAGE, email="unsubscribed@mail.by")).result
    await api("unsubscribeEmail", email="unsubscribed@mail.by")
    assert "error" in (await api("sendEmail", **MESSAGE, email="unsubscribed@mail.by")).value


async def test_who_complains_is_unsubscribed_a_while_later(api: Api, sandbox: Sandbox) -> None:
    message = {**MESSAGE, "email": "complaint@mail.by"}
    assert (await api.post("sendEmail", message)).result
    assert (await api.post("sendEmail", message)).result
    sandbox.clock.advance(100)
    assert "error" in (await api.post("sendEmail", message)).value
    assert sandbox.truth.count("complaint@mail.by") == 2


async def test_a_forgotten_single_email_looks_sent(api: Api, sandbox: Sandbox) -> None:
    assert (await api("sendEmail", **MESSAGE, email="missing@mail.by")).result["email_id"]
    assert sandbox.truth.emails == 0


def same_shape(value: Any, example: Any) -> bool:
    if isinstance(example, dict):
        return (
            isinstance(value, dict)
            and value.keys() == example.keys()
            and all(same_shape(value[key], example[key]) for key in example)
        )
    if isinstance(example, list):
        return isinstance(value, list) and all(same_shape(one, example[0]) for one in value)
    return type(value) is type(example) or (value is None and isinstance(example, str))


def operations(tree: Any) -> list[dict[str, Any]]:
    """The sms.by rows of the catalogue, wherever they stand in it."""
    if isinstance(tree, dict):
        if str(tree.get("id", "")).startswith("smsby."):
            return [tree]
        return [row for part in tree.values() for row in operations(part)]
    return [row for part in tree for row in operations(part)] if isinstance(tree, list) else []


@pytest.mark.parametrize(
    "row", operations(json.loads(CATALOGUE.read_text(encoding="utf-8"))), ids=lambda row: row["id"]
)
async def test_every_operation_of_the_catalogue_answers_like_its_example(
    row: dict[str, Any], api: Api, sandbox: Sandbox
) -> None:
    list_id = await new_list(api, "anna@mail.by")
    sandbox.smsby.settings.open_share = 0
    uuid = await bulk(api, **{"delivery_list[1]": "invalid@mail.by"})
    sandbox.clock.advance(40)
    sandbox.requests.clear()
    known = {
        **BULK,
        "token": api.token,
        "uuid": uuid,
        "list_id": str(list_id),
        "message_id": "1234",
        "email": "anna@mail.by",
        "name": "Autumn",
        "field_names[0]": "email",
        "data[0][0]": "boris@mail.by",
        "data[1][0]": "nobody",
    }
    wanted = {param["name"] for param in row["params"] if param["required"]} | {"delivery_list"}
    fields = {name: value for name, value in known.items() if name.split("[")[0] in wanted}
    in_query = row["params"][0].get("in") == "query"
    query, form = (fields, None) if in_query else (None, fields)
    async with api.session.post(row["path"], params=query, data=form) as response:
        assert response.status == 200
        value = await response.json()
    assert same_shape(value, row["response_example"]), value
    assert sandbox.requests == {row["id"]: 1}
    assert sandbox.requests.last[-1].operation == row["id"]
    assert set(sandbox.requests.last[-1].params) == {name.split("[")[0] for name in fields}
