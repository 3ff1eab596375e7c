from base64 import b64encode
from typing import Any

from mailkit.sandbox import Sandbox

from .conftest import JsonApi

DONE = {"result": True}


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def test_templates(sendpulse: JsonApi) -> None:
    body = {"name": "My message", "body": base64("<p>1</p>"), "lang": "en"}
    made = (await sendpulse("POST", "/template", body)).value
    assert made["result"] is True
    real_id = made["real_id"]
    one = (await sendpulse("GET", f"/template/{real_id}")).value
    assert (one["name"], one["name_slug"], one["owner"]) == ("My message", "my-message", "you")
    assert one["body"] == "<p>1</p>"
    assert (one["category_info"], one["tags"], one["full_description"]) == ([], [], None)
    assert (await sendpulse("GET", f"/template/{one['id']}")).value == one
    assert (await sendpulse("GET", "/template/slug/my-message")).value == one
    edit = {"body": base64("<p>2</p>"), "lang": "en"}
    assert (await sendpulse("POST", f"/template/edit/{one['id']}", edit)).value == DONE
    assert (await sendpulse("GET", f"/template/{one['id']}")).status == 404
    again = (await sendpulse("GET", f"/template/{real_id}")).value
    assert again["id"] != one["id"]
    by_default = (await sendpulse("GET", "/templates")).value
    own = (await sendpulse("GET", "/templates/?owner=me")).value
    system = (await sendpulse("GET", "/templates/?owner=sendpulse")).value
    assert [row["real_id"] for row in own] == [real_id]
    assert by_default == system
    assert (await sendpulse("GET", "/templates?limit=1&offset=1")).value == system[1:]
    assert isinstance(system[0]["category_info"], dict)
    russian = (await sendpulse("GET", "/templates/ru/?owner=sendpulse")).value
    assert [row["lang"] for row in russian] == ["ru"]
    assert (await sendpulse("GET", "/templates/ru/?owner=me")).value == []
    again = await sendpulse("POST", "/template", body)
    assert (again.status, again.value["error_code"]) == (422, 573)
    other = {**body, "name": "My, message"}
    second = (await sendpulse("POST", "/template", other)).value["real_id"]
    assert (await sendpulse("GET", f"/template/{second}")).value["name_slug"] != "my-message"
    assert (await sendpulse("GET", "/template/7")).value["error_code"] == 290


async def test_templates_that_are_not_in_order(sendpulse: JsonApi) -> None:
    body = {"body": base64("x"), "lang": "en"}
    real_id = (await sendpulse("POST", "/template", body)).value["real_id"]
    named = (await sendpulse("GET", f"/template/{real_id}")).value["name"]
    assert named.startswith("Template 20")
    for change in ({"body": "?"}, {"body": None}, {"lang": "xx"}, {"lang": None}):
        assert (await sendpulse("POST", "/template", {**body, **change})).status == 422
    wrong = {**body, "lang": "ru"}
    assert (await sendpulse("POST", f"/template/edit/{real_id}", wrong)).status == 422
    assert (await sendpulse("POST", "/template/edit/508742", body)).status == 403
    assert (await sendpulse("GET", "/templates/xx/")).status == 404
    assert (await sendpulse("GET", "/templates?owner=you")).status == 422
    assert (await sendpulse("GET", "/template/slug/none")).status == 404


async def test_senders(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    new = {"email": "sale@shop.by", "name": "Sale"}
    assert (await sendpulse("POST", "/senders", new)).value == DONE
    assert (await sendpulse("POST", "/senders", new)).status == 422
    rows = (await sendpulse("GET", "/senders")).value
    assert [(row["email"], row["status"]) for row in rows] == [
        ("news@shop.by", "Active"),
        ("sale@shop.by", "Not active"),
    ]
    where = "/senders/sale%40shop.by/code"
    answer = {**DONE, "email": "sale@shop.by"}
    assert (await sendpulse("GET", where)).value == answer
    soon = await sendpulse("GET", where)
    assert (soon.status, soon.value["error_code"]) == (422, 1004)
    sandbox.clock.advance(900)
    assert (await sendpulse("GET", where)).value == answer
    assert (await sendpulse("POST", where, {"code": "wrong"})).status == 422
    assert (await sendpulse("POST", where, {"code": "sandbox-code"})).value == answer
    assert (await sendpulse("GET", "/senders")).value[1]["status"] == "Active"
    assert (await sendpulse("DELETE", "/senders", new)).value == DONE
    assert (await sendpulse("DELETE", "/senders", new)).status == 404
    assert (await sendpulse("GET", where)).status == 404


async def test_addresses_over_all_lists(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    books = []
    for name in ("One", "Two"):
        number = (await sendpulse("POST", "/addressbooks", {"bookName": name})).value["id"]
        row = {"email": "anna@b.by", "variables": {"Name": "Anna"}}
        await sendpulse("POST", f"/addressbooks/{number}/emails", {"emails": [row]})
        books.append(number)
    variables = [{"name": "Name", "type": "string", "value": "Anna"}]
    one = {"status": 1, "variables": variables}
    assert (await sendpulse("GET", "/emails/anna%40b.by")).value == [
        {"book_id": book, "email": "anna@b.by", "status_explain": "Active", **one} for book in books
    ]
    details = (await sendpulse("GET", "/emails/anna@b.by/details")).value
    assert [(row["list_id"], row["list_name"]) for row in details] == [
        (books[0], "One"),
        (books[1], "Two"),
    ]
    assert len(details[0]["add_date"]) == 19
    people = {"emails": ["anna@b.by", "nobody@b.by"]}
    assert (await sendpulse("POST", "/emails", people)).value == {
        "anna@b.by": [{"book_id": book, **one} for book in books]
    }
    assert (await sendpulse("POST", "/emails", {"emails": ["nobody@b.by"]})).value == []
    message = {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Hi",
        "body": base64("x"),
        "list_id": books[0],
    }
    await sendpulse("POST", "/campaigns", message)
    sandbox.clock.advance(10)
    await sendpulse("POST", "/blacklist", {"emails": base64("anna@b.by")})
    assert (await sendpulse("GET", "/emails/anna@b.by/campaigns")).value == {
        "statistic": {"sent": 1, "open": 0, "link": 0},
        "blacklist": True,
        "addressbooks": [
            {"id": books[0], "address_book_name": "One"},
            {"id": books[1], "address_book_name": "Two"},
        ],
    }
    assert (await sendpulse("POST", "/emails/campaigns", people)).value == {
        "anna@b.by": {
            "sent": 1,
            "open": 0,
            "link": 0,
            "adressbooks": [{"id": books[0], "name": "One"}, {"id": books[1], "name": "Two"}],
            "blacklist": True,
        },
        "nobody@b.by": {"sent": 0, "open": 0, "link": 0, "adressbooks": [], "blacklist": False},
    }
    assert (await sendpulse("GET", "/emails/anna@b.by")).value[0]["status"] == 8
    assert (await sendpulse("DELETE", "/emails/anna@b.by")).value == DONE
    for end in ("", "/details"):
        assert (await sendpulse("GET", f"/emails/anna@b.by{end}")).status == 404


async def test_the_blacklist(sendpulse: JsonApi) -> None:
    people = {"emails": base64("Anna@b.by, boris@b.by"), "comment": "asked for it"}
    assert (await sendpulse("POST", "/blacklist", people)).value == DONE
    assert (await sendpulse("GET", "/blacklist")).value == ["anna@b.by", "boris@b.by"]
    one = {"emails": base64("anna@b.by")}
    assert (await sendpulse("DELETE", "/blacklist", one)).value == DONE
    assert (await sendpulse("GET", "/blacklist")).value == ["boris@b.by"]
    wrong: list[Any] = ["anna@b.by", ["anna@b.by"], None, base64("no address")]
    for value in wrong:
        assert (await sendpulse("POST", "/blacklist", {"emails": value})).status == 422


async def test_balance_and_account(sendpulse: JsonApi) -> None:
    assert (await sendpulse("GET", "/balance")).value == {
        "currency": "USD",
        "balance_currency": 10.0,
    }
    assert (await sendpulse("GET", "/balance/eur")).value["currency"] == "EUR"
    assert (await sendpulse("GET", "/balance/XXX")).status == 422
    details = (await sendpulse("GET", "/user/balance/detail")).value
    assert set(details) == {"balance", "email", "smtp", "push"}
    assert details["balance"]["main"] == "10.00"
    assert details["email"]["emails_left"] == 10_000_000
    assert (await sendpulse("GET", "/user/info")).value["email"]


async def test_tags(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    async def tags() -> Any:
        answer = (await sendpulse("GET", "/tags")).value
        assert set(answer) == {"tags", "user_id", "version"}
        return answer["tags"]

    async def done(method: str, path: str, body: object = None) -> bool:
        answer = await sendpulse(method, path, body)
        return (answer.status, answer.value["success"], answer.value["failure"]) == (
            200,
            True,
            False,
        )

    assert await done("POST", "/tags", {"name": "vip", "color": "#f0f4f6"})
    [made] = await tags()
    number = made["id"]
    assert made == {"id": number, "name": "vip", "color": "#f0f4f6"}
    assert await done("PUT", f"/tags/{number}", {"name": "VIP"})
    assert await done("PUT", f"/tags/{number}", {"color": "#000000"})
    assert await tags() == [{"id": number, "name": "VIP", "color": "#000000"}]
    worn = {"emails": ["Anna@b.by"], "tags": [number]}
    assert await done("POST", "/tags/pin/email", worn)
    assert sandbox.sendpulse.account.tagged == {"anna@b.by": {number}}
    assert await done("POST", "/tags/unpin/email", worn)
    phone = {"phone": "375291112233", "tags": [number]}
    assert await done("POST", "/tags/pin/phone", phone)
    assert await done("POST", "/tags/unpin/phone", phone)
    for path, body in (
        ("/tags", {"name": "vip"}),
        ("/tags/pin/email", {"tags": [number]}),
        ("/tags/pin/email", {"emails": ["a@b.by"]}),
    ):
        assert (await sendpulse("POST", path, body)).status == 422
    assert (await sendpulse("PUT", f"/tags/{number}", {})).status == 422
    assert (await sendpulse("POST", "/tags/pin/email", {**worn, "tags": [7]})).status == 404
    assert await done("DELETE", f"/tags/{number}")
    assert await tags() == []
