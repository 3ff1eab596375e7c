"""The captured messages over HTTP, for programs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.clock import moment

from .conftest import BULK, MESSAGE, Api, JsonApi


async def got(api: Api | JsonApi, path: str, status: int = 200) -> Any:
    url = api.url + path if isinstance(api, JsonApi) else path
    async with api.session.get(url) as response:
        assert response.status == status
        return await response.json()


async def test_messages_are_listed_newest_first(api: Api, sandbox: Sandbox) -> None:
    await api.post("sendBulkEmail", BULK)
    at = moment(sandbox.clock.now())
    sandbox.clock.advance(60)
    await api("sendEmail", **MESSAGE, sender_name="Shop", email="carl@mail.by")
    found = await got(api, "/sandbox/messages")
    assert (found["total"], found["next"]) == (3, None)
    assert [one["to"] for one in found["messages"]] == [
        "carl@mail.by",
        "boris@mail.by",
        "anna@mail.by",
    ]
    assert found["messages"][2] == {
        "id": 1,
        "service": "smsby",
        "operation": "smsby.bulk.send",
        "campaign": None,
        "at": at,
        "from": "news@shop.by",
        "from_name": "",
        "to": "anna@mail.by",
        "subject": "Autumn",
        "state": "delivered",
        "attachments": [],
        "kept": True,
    }
    assert found["messages"][0]["from_name"] == "Shop"


async def test_a_page_at_a_time(api: Api) -> None:
    for _ in range(2):
        await api.post("sendBulkEmail", BULK)
    ids, path = [], "/sandbox/messages?limit=3"
    found = await got(api, path)
    ids.append([one["id"] for one in found["messages"]])
    found = await got(api, f"{path}&before={found['next']}")
    ids.append([one["id"] for one in found["messages"]])
    assert (ids, found["next"]) == ([[4, 3, 2], [1]], None)
    found = await got(api, "/sandbox/messages?search=to:anna&limit=1&before=4")
    assert ([one["id"] for one in found["messages"]], found["total"]) == ([3], 2)
    assert (await got(api, "/sandbox/messages?search=nobody"))["total"] == 0
    for wrong in ("limit=x", "limit=-1", "before=x", "before=1.5"):
        assert "number" in (await got(api, f"/sandbox/messages?{wrong}", 400))["error"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("messages?ful=1", "the query has no parameter 'ful': did you mean full?"),
        ("messages?q=anna", "'q': it takes search, before, limit, full"),
        ("messages/1?full=1", "it takes none"),
        ("messages?full=yes", "full must be 1 or 0, not 'yes'"),
        ("messages?limit=1001", "limit must be a number from 1 to 1000, not 1001"),
        ("messages?limit=0", "limit must be a number from 1 to 1000, not 0"),
        ("truth?full=true", "full must be 1 or 0"),
        ("truth/outcomes?end=", "end must be 1 or 0"),
        ("truth/outcomes?in_the_end=1", "it takes end, service"),
    ],
)
async def test_a_wrong_query_is_not_taken_for_another(query: str, problem: str, api: Api) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert problem in (await got(api, f"/sandbox/{query}", 400))["error"]


async def test_search_and_bodies(devino: JsonApi, sandbox: Sandbox) -> None:
    body = {
        "Sender": {"Address": "news@shop.by", "Name": "Shop"},
        "Subject": "Autumn",
        "Body": {"Html": "<p>Hi <b>[Name]</b></p>[Unsubscribe]"},
        "Recipients": [
            {"Address": one, "MergeFields": {"Name": name}}
            for one, name in (("anna@mail.by", "Anna"), ("boris@mail.by", "Boris"))
        ],
    }
    await devino("POST", "/email/messages", body)
    sandbox.clock.advance(1)
    assert [one["to"] for one in (await got(devino, "/sandbox/messages?search=hi"))["messages"]]
    [brief] = (await got(devino, "/sandbox/messages?search=to:anna"))["messages"]
    assert not brief.keys() & {"html", "text", "values", "history"}
    [full] = (await got(devino, "/sandbox/messages?search=to:anna&full=1"))["messages"]
    assert full == await got(devino, "/sandbox/messages/1")
    assert full.items() >= brief.items()
    site = "https://devino.sandbox.example/unsubscribe/anna@mail.by"
    assert (full["html"], full["text"]) == (f"<p>Hi <b>Anna</b></p>{site}", f"Hi Anna\n{site}")
    assert full["values"] == {"Name": "Anna"}
    assert [one["step"] for one in full["history"]] == ["sent"]
    [sent] = full["history"]
    accepted = datetime.fromisoformat(full["at"])
    assert accepted.tzinfo is UTC
    assert accepted < datetime.fromisoformat(sent["at"]) <= accepted + timedelta(seconds=1)
    assert (await got(devino, "/sandbox/messages?search=zoe"))["messages"] == []


async def test_plain_text_is_not_html(devino: JsonApi) -> None:
    body = {
        "Sender": {"Address": "news@shop.by"},
        "Subject": "Autumn",
        "Body": {"PlainText": "1 < 2 [Unsubscribe]"},
        "Recipients": [{"Address": "anna@mail.by"}],
    }
    await devino("POST", "/email/messages", body)
    found = await got(devino, "/sandbox/messages/1")
    assert (found["html"], found["text"][:5]) == (None, "1 < 2")


async def test_an_old_message_is_known_without_its_text() -> None:
    async with Sandbox(speed=0, keep_emails=1) as sandbox:
        import aiohttp

        async with aiohttp.ClientSession(sandbox.url) as session:
            await Api(session, sandbox.smsby.settings.token).post("sendBulkEmail", BULK)
            async with session.get("/sandbox/messages/1") as response:
                old = await response.json()
            async with session.get("/sandbox/page/messages/1") as response:
                page = await response.text()
    assert (old["to"], old["subject"], old["kept"]) == ("anna@mail.by", "Autumn", False)
    assert (old["html"], old["text"], old["values"]) == (None, "", {})
    assert "no longer kept" in page


@pytest.mark.parametrize("path", ["1", "0", "99999999999999999"])
async def test_a_message_that_is_not_there(path: str, api: Api) -> None:
    assert "no message" in (await got(api, f"/sandbox/messages/{path}", 404))["error"]


@pytest.mark.parametrize("path", ["x", "-1", "1.0", "%00", "999999999999999999999"])
async def test_what_is_no_number_of_a_message(path: str, api: Api) -> None:
    async with api.session.get(f"/sandbox/messages/{path}") as response:
        assert response.status in (400, 404)


async def test_an_event_needs_json_as_every_order_does(api: Api, sandbox: Sandbox) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    async with api.session.post("/sandbox/messages/1/open", data=b"") as response:
        assert response.status == 415
    assert sandbox.inbox.happened == 0
