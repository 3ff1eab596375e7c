from typing import Any
from urllib.parse import quote

import pytest

from mailkit.sandbox import Sandbox

from .conftest import Hook, JsonApi


@pytest.fixture
async def book(sendpulse: JsonApi) -> str:
    """The path of a new list."""
    answer = await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})
    assert answer.status == 200
    return f"/addressbooks/{answer.value['id']}"


async def add(api: JsonApi, book: str, *emails: Any, **more: Any) -> int:
    return (await api("POST", f"{book}/emails", {"emails": list(emails), **more})).status


async def emails(api: JsonApi, book: str, query: str = "") -> list[str]:
    answer = await api("GET", f"{book}/emails{query}")
    assert answer.status == 200
    return [row["email"] for row in answer.value]


async def test_a_list_is_made_renamed_shown_and_deleted(sendpulse: JsonApi, book: str) -> None:
    assert (await sendpulse("PUT", book, {"name": "Winter"})).value == {"result": True}
    await add(sendpulse, book, "anna@mail.by", "unsubscribed@mail.by")
    [one] = (await sendpulse("GET", book)).value
    [same] = (await sendpulse("GET", "/addressbooks?limit=10&offset=0")).value
    assert "new_phones_quantity" not in one
    assert same == {**one, "new_phones_quantity": 0}
    assert (one["name"], one["status"], one["status_explain"]) == ("Winter", 0, "Active")
    assert (one["all_email_qty"], one["active_email_qty"], one["inactive_email_qty"]) == (2, 1, 1)
    assert (await sendpulse("DELETE", book)).value == {"result": True}
    gone = await sendpulse("GET", book)
    assert (gone.status, set(gone.value)) == (404, {"message", "error_code"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/addressbooks", {}),
        ("POST", "/addressbooks", {"bookName": " "}),
        ("GET", "/addressbooks?limit=0", None),
        ("GET", "/addressbooks?limit=101", None),
        ("GET", "/addressbooks?offset=x", None),
        ("POST", "{book}/emails", {}),
        ("POST", "{book}/emails", {"emails": []}),
        ("POST", "{book}/emails", {"emails": "anna@mail.by"}),
        ("POST", "{book}/emails", {"emails": "[broken"}),
        ("POST", "{book}/emails", {"emails": [{"variables": {}}]}),
        ("POST", "{book}/emails", {"emails": [{"email": "a@b.by", "variables": [1]}]}),
        ("POST", "{book}/emails", {"emails": [{"email": "a@b.by", "variables": {"x": {}}}]}),
        ("DELETE", "{book}/emails", {"emails": [f"p{n}@mail.by" for n in range(101)]}),
        ("DELETE", "{book}/emails", {"emails": [7]}),
        ("POST", "{book}/emails/unsubscribe", {"emails": [f"p{n}@b.by" for n in range(101)]}),
        ("PUT", "{book}/phone", {"email": "no address", "phone": "1"}),
    ],
)
async def test_what_is_not_in_order_is_refused(
    method: str, path: str, body: Any, sendpulse: JsonApi, book: str
) -> None:
    answer = await sendpulse(method, path.format(book=book), body)
    assert (answer.status, answer.value["error_code"]) == (422, 422)


async def test_a_name_is_for_one_list(sendpulse: JsonApi, book: str) -> None:
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    answers = [
        await sendpulse("POST", "/addressbooks", {"bookName": " Autumn"}),
        await sendpulse("PUT", f"/addressbooks/{other}", {"name": "Autumn"}),
    ]
    assert [(one.status, one.value["error_code"]) for one in answers] == [(422, 203)] * 2
    assert (await sendpulse("PUT", book, {"name": "Autumn"})).status == 200
    await sendpulse("DELETE", book)
    assert (await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})).status == 200


async def test_nothing_is_added_with_a_bad_address(sendpulse: JsonApi, book: str) -> None:
    anna = {"email": "anna@b.by", "status": 4, "variables": {"name": "Anna"}}
    assert await add(sendpulse, book, anna, {"email": "boris@b"}) == 422
    assert await emails(sendpulse, book) == []
    assert await add(sendpulse, book, anna) == 200
    [row] = (await sendpulse("GET", f"{book}/emails")).value
    assert (row["status"], row["variables"]) == (1, {"name": "Anna"})


async def test_the_tariff_limits_the_contacts(
    sendpulse: JsonApi, book: str, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.max_subscribers = 3
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    assert await add(sendpulse, book, "anna@b.by", "boris@b.by") == 200
    assert await add(sendpulse, f"/addressbooks/{other}", "anna@b.by", "carl@b.by") == 200
    answer = await sendpulse("POST", f"{book}/emails", {"emails": ["dora@b.by"]})
    assert (answer.status, answer.value["error_code"]) == (403, 3030303030)
    assert await add(sendpulse, book, "carl@b.by") == 200
    sandbox.sendpulse.settings.contacts_per_request = 1
    assert await add(sendpulse, book, "anna@b.by", "boris@b.by") == 422


async def test_none_of_the_addresses_is_there(sendpulse: JsonApi, book: str) -> None:
    nobody = {"emails": ["nobody@b.by"]}
    gone = await sendpulse("DELETE", f"{book}/emails", nobody)
    assert (gone.status, gone.value["error_code"]) == (404, 303)
    await add(sendpulse, book, "unsubscribed@b.by")
    for email in ("nobody@b.by", "unsubscribed@b.by"):
        left = await sendpulse("POST", f"{book}/emails/unsubscribe", {"emails": [email]})
        assert (left.status, left.value["message"]) == (422, "Active emails not found")


@pytest.mark.parametrize(("verdict", "code"), [("approve", 0), ("ask", 3), ("block", 4)])
async def test_a_list_is_locked_while_it_is_loaded_and_can_stay_so(
    verdict: Any, code: int, sendpulse: JsonApi, book: str, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.loading, settings.list_verdict = 30, verdict
    assert (await sendpulse("GET", book)).value[0]["status"] == 0
    await add(sendpulse, book, "anna@b.by")
    assert (await sendpulse("GET", book)).value[0]["status"] == 4
    settings.loading_status = 5
    assert (await sendpulse("GET", book)).value[0]["status"] == 5
    sandbox.clock.advance(29)
    await add(sendpulse, book, "boris@b.by")
    sandbox.clock.advance(29)
    assert (await sendpulse("GET", book)).value[0]["status"] == 5
    assert (await sendpulse("GET", f"{book}/emails/total")).value == {"total": 0}
    sandbox.clock.advance(1)
    assert (await sendpulse("GET", book)).value[0]["status"] == code
    await add(sendpulse, book, "carl@b.by")
    assert (await sendpulse("GET", f"{book}/emails/total")).value == {"total": 2}
    assert await emails(sendpulse, book) == ["anna@b.by", "boris@b.by"]
    sandbox.clock.advance(30)
    assert (await sendpulse("GET", f"{book}/emails/total")).value == {"total": 3}


@pytest.mark.parametrize(("opt_outs", "code"), [("kept", 4), ("forgotten", 1)])
async def test_a_new_list_can_forget_who_unsubscribed(
    opt_outs: Any, code: int, sendpulse: JsonApi, book: str, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.opt_outs = opt_outs
    await add(sendpulse, book, "anna@b.by")
    await sendpulse("POST", f"{book}/emails/unsubscribe", {"emails": ["anna@b.by"]})
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    await add(sendpulse, f"/addressbooks/{other}", "anna@b.by")
    rows = (await sendpulse("GET", "/emails/anna@b.by")).value
    assert [row["status"] for row in rows] == [4, code]


@pytest.mark.parametrize("number", ["7", "x", "9" * 40])
async def test_a_list_that_does_not_exist(number: str, sendpulse: JsonApi) -> None:
    for end in ("", "/emails", "/variables", "/cost", "/campaigns", "/emails/total"):
        assert (await sendpulse("GET", f"/addressbooks/{number}{end}")).status == 404


async def test_adding_is_an_upsert(sendpulse: JsonApi, book: str) -> None:
    anna = {"email": "Anna@Mail.by", "variables": {"name": "Anna", "Phone": "375291112233"}}
    assert await add(sendpulse, book, anna, "boris@mail.by") == 200
    anna["variables"] = {"age": 7, "born": "2019-02-01"}
    assert await add(sendpulse, book, anna) == 200
    rows = (await sendpulse("GET", f"{book}/emails")).value
    assert rows[0] == {
        "email": "anna@mail.by",
        "status": 1,
        "status_explain": "Active",
        "variables": {"name": "Anna", "age": 7, "born": "2019-02-01"},
        "phone": "375291112233",
    }
    assert rows[1]["variables"] == []
    assert (await sendpulse("GET", f"{book}/emails/total")).value == {"total": 2}
    assert (await sendpulse("GET", f"{book}/variables")).value == [
        {"name": "email", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "age", "type": "number"},
        {"name": "born", "type": "date"},
    ]


async def test_pages_hold_a_hundred_at_most(sendpulse: JsonApi, book: str) -> None:
    await add(sendpulse, book, *[f"person{n}@mail.by" for n in range(150)])
    assert len(await emails(sendpulse, book)) == 100
    assert await emails(sendpulse, book, "?limit=2&offset=100") == [
        "person100@mail.by",
        "person101@mail.by",
    ]
    assert await emails(sendpulse, book, "?offset=150") == []


async def test_addresses_with_a_meaning(sendpulse: JsonApi, book: str) -> None:
    for bad in ("no address", "invalid@b.by", " ", "anna@b"):
        answer = await sendpulse("POST", f"{book}/emails", {"emails": ["boris@b.by", bad]})
        assert (answer.status, answer.value["message"]) == (422, "Argument email is invalid")
    await add(sendpulse, book, "missing@b.by", "unsubscribed@b.by", "anna@b.by")
    assert await emails(sendpulse, book) == ["unsubscribed@b.by", "anna@b.by"]
    assert await emails(sendpulse, book, "?active=1") == ["anna@b.by"]
    assert await emails(sendpulse, book, "?not_active=true") == ["unsubscribed@b.by"]


async def test_contacts_become_active_in_time(
    sendpulse: JsonApi, book: str, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.active_after = 60
    sandbox.sendpulse.settings.loading = 5
    await add(sendpulse, book, "anna@b.by")
    assert (await sendpulse("GET", book)).value[0]["status"] == 4
    sandbox.clock.advance(5)
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 0
    sandbox.clock.advance(55)
    assert (await sendpulse("GET", book)).value[0]["status"] == 0
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 1
    sandbox.sendpulse.settings.active_after = None
    await add(sendpulse, book, "boris@b.by")
    sandbox.clock.advance(10**6)
    assert (await sendpulse("GET", f"{book}/emails?offset=1")).value[0]["status"] == 0


async def test_double_opt_in_asks_by_an_email(
    sendpulse: JsonApi, book: str, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.confirmed_after = 3600
    asked = {"confirmation": "force", "sender_email": "news@shop.by", "message_lang": "en"}
    operation = "sendpulse.mailing_lists.add_contacts_double_opt_in"
    for times in (1, 2):
        assert await add(sendpulse, book, "anna@b.by", **asked) == 200
        assert sandbox.truth.count("anna@b.by") == times
        assert sandbox.requests[operation] == times
    assert sandbox.requests["sendpulse.mailing_lists.add_contacts"] == 0
    assert sandbox.truth.mailings[0].operation == operation
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 2
    sandbox.clock.advance(3600)
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 1
    assert await add(sendpulse, book, "anna@b.by", **asked) == 200
    assert sandbox.truth.emails == 2
    assert await add(sendpulse, book, "b@b.by", **{**asked, "message_lang": "xx"}) == 422
    assert await add(sendpulse, book, "b@b.by", **{**asked, "sender_email": "x@shop.by"}) == 422


async def test_contacts_are_removed_and_unsubscribed(sendpulse: JsonApi, book: str) -> None:
    await add(sendpulse, book, "anna@b.by", "boris@b.by")
    chosen = {"emails": ["ANNA@b.by", "nobody@b.by"]}
    left = await sendpulse("POST", f"{book}/emails/unsubscribe", chosen)
    assert left.value == {"result": True}
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 4
    await add(sendpulse, book, "anna@b.by")
    assert (await sendpulse("GET", f"{book}/emails")).value[0]["status"] == 4
    assert (await sendpulse("DELETE", f"{book}/emails", chosen)).value == {"result": True}
    assert await emails(sendpulse, book) == ["boris@b.by"]


async def test_one_contact(sendpulse: JsonApi, book: str, sandbox: Sandbox) -> None:
    await add(
        sendpulse, book, {"email": "anna@b.by", "variables": {"age": 7, "born": "2019-02-01"}}
    )
    where = f"{book}/emails/{quote('anna@b.by', safe='')}"
    phone = {"email": "anna@b.by", "phone": "375291112233"}
    assert (await sendpulse("PUT", f"{book}/phone", phone)).value == {"result": True}
    change = {"email": "anna@b.by", "variables": [{"name": "age", "value": 8}]}
    answer = await sendpulse("POST", f"{book}/emails/variable", change)
    assert answer.value == {"result": True}
    one = (await sendpulse("GET", where)).value
    assert one == {
        "email": "anna@b.by",
        "abook_id": book.rpartition("/")[2],
        "phone": "375291112233",
        "status": 1,
        "status_explain": "Active",
        "variables": [
            {"name": "age", "type": "number", "value": 8},
            {"name": "born", "type": "date", "value": "2019-02-01"},
        ],
    }
    for name, value in (("age", "x"), ("born", "2017-1-1"), ("born", "2017-02-30"), ("new", {})):
        change["variables"] = [{"name": name, "value": value}]
        assert (await sendpulse("POST", f"{book}/emails/variable", change)).status == 422
    for rows in ("x", [], [7], [{"value": 1}]):
        change["variables"] = rows  # type: ignore[assignment]
        assert (await sendpulse("POST", f"{book}/emails/variable", change)).status == 422
    sandbox.sendpulse.settings.quirks = True
    seen = [(await sendpulse("GET", where)).value for _ in range(30)]
    assert {type(row["abook_id"]) for row in seen} == {str, int}
    assert {type(row["phone"]) for row in seen} == {str, int}
    assert (await sendpulse("GET", f"{book}/emails/nobody@b.by")).status == 404


async def test_contacts_are_found_by_a_variable(sendpulse: JsonApi, book: str) -> None:
    await add(sendpulse, book, {"email": "anna@b.by", "variables": {"city": "Минск/1"}})
    await add(sendpulse, book, {"email": "boris@b.by", "variables": {"Phone": "7"}})
    where = f"{book}/variables/city/{quote('Минск/1', safe='')}"
    assert (await sendpulse("GET", where)).value == [
        {"email": "anna@b.by", "status": 1, "status_explain": "Active"}
    ]
    [row] = (await sendpulse("GET", f"{book}/variables/phone/7")).value
    assert row["email"] == "boris@b.by"
    assert (await sendpulse("GET", f"{book}/variables/city/x")).value == []
    unknown = await sendpulse("GET", f"{book}/variables/town/x")
    assert (unknown.status, unknown.value["error_code"]) == (404, 299)


async def test_the_names_of_variables(sendpulse: JsonApi, book: str, sandbox: Sandbox) -> None:
    def anna(name: str) -> dict[str, Any]:
        return {"email": "anna@b.by", "variables": {"имя_2": 1, name: 2}}

    for bad in ("first name", "a.b", "", "x{{y}}"):
        assert await add(sendpulse, book, anna(bad)) == 422
        change = {"email": "anna@b.by", "variables": [{"name": bad, "value": 1}]}
        assert (await sendpulse("POST", f"{book}/emails/variable", change)).status != 200
    assert await emails(sendpulse, book) == []
    assert await add(sendpulse, book, anna("first-name")) == 200
    sandbox.sendpulse.settings.variable_name = ".+"
    assert await add(sendpulse, book, anna("first name")) == 200


async def test_further_parameters_of_adding(
    sendpulse: JsonApi, book: str, sandbox: Sandbox, hook: Hook
) -> None:
    hooks = {"url": hook.url, "actions": ["new_emails"]}
    await sendpulse("POST", "/v2/email-service/webhook", hooks)
    await sendpulse("POST", "/tags", {"name": "vip", "color": "#f0f4f6"})
    [tag] = (await sendpulse("GET", "/tags")).value["tags"]
    anna = {"email": "anna@b.by", "variables": {"name": "Anna"}}
    assert await add(sendpulse, book, anna, tags=[tag["id"]], disable_webhook=True) == 200
    assert sandbox.sendpulse.account.tagged == {"anna@b.by": {tag["id"]}}
    anna["variables"] = {"name": "Ann"}
    assert await add(sendpulse, book, anna, "boris@b.by", dont_update=True) == 200
    rows = (await sendpulse("GET", f"{book}/emails")).value
    assert [row["variables"] for row in rows] == [{"name": "Anna"}, []]
    await sandbox.deliver()
    assert [row["email"] for row in hook.events] == ["boris@b.by"]
    assert await add(sendpulse, book, "carl@b.by", tags=[7]) == 404


PEOPLE = (
    'a:2:{i:0;a:2:{s:5:"email";s:9:"anna@b.by";s:9:"variables";a:2:{s:4:"name";s:8:"Анна";'
    's:3:"age";i:7;}}i:1;a:1:{s:5:"email";s:10:"boris@b.by";}}'
)


async def test_arrays_come_serialized_by_php(sendpulse: JsonApi, book: str) -> None:
    assert (await sendpulse("POST", f"{book}/emails", data={"emails": PEOPLE})).status == 200
    rows = (await sendpulse("GET", f"{book}/emails")).value
    assert [(row["email"], row["variables"]) for row in rows] == [
        ("anna@b.by", {"name": "Анна", "age": 7}),
        ("boris@b.by", []),
    ]
    gone = {"emails": 'a:1:{i:0;s:9:"anna@b.by";}'}
    assert (await sendpulse("DELETE", f"{book}/emails", data=gone)).status == 200
    assert await emails(sendpulse, book) == ["boris@b.by"]
    cut = {"emails": 'a:1:{i:0;s:8:"anna@b.by";}'}
    assert (await sendpulse("POST", f"{book}/emails", data=cut)).status == 422


async def test_the_cost(sendpulse: JsonApi, book: str, sandbox: Sandbox) -> None:
    await add(sendpulse, book, "anna@b.by", "boris@b.by", "unsubscribed@b.by")
    settings = sandbox.sendpulse.settings
    settings.max_emails_per_task = 500
    assert (await sendpulse("GET", f"{book}/cost")).value == {
        "cur": "USD",
        "sent_emails_qty": 2,
        "overdraftAllEmailsPrice": 0,
        "addressesDeltaFromBalance": 0,
        "addressesDeltaFromTariff": 2,
        "max_emails_per_task": 500,
        "result": True,
    }
    settings.tariff_emails, settings.balance, settings.overdraft_price = 1, 0.0, 0.5
    cost = (await sendpulse("GET", f"{book}/cost")).value
    assert (cost["overdraftAllEmailsPrice"], cost["addressesDeltaFromBalance"]) == (0.5, 1)
    assert cost["result"] is False
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    answer = await sendpulse("GET", f"/addressbooks/{other}/cost")
    assert (answer.status, answer.value["error_code"]) == (422, 211)
    settings.tariff_ended = True
    answer = await sendpulse("GET", f"{book}/cost")
    assert (answer.status, answer.value["message"]) == (422, "Your tariff plan ended")
