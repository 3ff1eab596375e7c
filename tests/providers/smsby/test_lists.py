"""Mailing lists, subscriptions and templates."""

from __future__ import annotations

from typing import Any

import pytest

from mailkit.errors import BadResponse, InvalidArgument, OutcomeUnknown
from mailkit.providers.smsby import ImportContactsResult, ImportProblem, SmsBy, Template
from mailkit.testing import FakeClock

from ...core.doubles import Script, response
from .doubles import client, form, sample

DONE = response(200, {"status": "OK"})


async def test_a_list_is_made_by_a_request_without_a_body() -> None:
    script = Script(response(200, {"status": "OK", "result": {"list_id": "3434"}}))
    assert await client(script).mailing_lists.create("Осень") == 3434
    verb, url, headers, body = script.requests[0]
    assert (verb, body) == ("POST", None)
    assert url.endswith(
        "/api/v2/createSubscriberList?name=%d0%9e%d1%81%d0%b5%d0%bd%d1%8c&token=TOKEN"
    )
    assert "Content-Type" not in headers


async def test_a_list_without_an_id_leaves_the_outcome_unknown() -> None:
    with pytest.raises(OutcomeUnknown):
        await client(Script(response(200, {"status": "OK"}))).mailing_lists.create("Autumn")


async def test_contacts_go_into_the_form_or_if_asked_into_the_query() -> None:
    script = Script(sample("imported"), sample("imported"))
    contacts: Any = (7, ["email", "name"], [["a@b.by", "Анна"], ["c@d.by", None], ["e@f.by", 5]])
    assert await client(script).mailing_lists.import_contacts(*contacts) == ImportContactsResult(
        2, 1, 0
    )
    assert form(script) == {
        "list_id": "7",
        "field_names[0]": "email",
        "field_names[1]": "name",
        "data[0][0]": "a@b.by",
        "data[0][1]": "Анна",
        "data[1][0]": "c@d.by",
        "data[1][1]": "",
        "data[2][0]": "e@f.by",
        "data[2][1]": "5",
        "token": "TOKEN",
    }
    other = SmsBy("TOKEN", transport=script, imports_in_query=True)
    await other.mailing_lists.import_contacts(*contacts)
    _, url, _, body = script.requests[-1]
    assert body is None
    assert "&data%5B0%5D%5B0%5D=a@b.by&" in url
    assert url.endswith("&token=TOKEN")


async def test_contacts_that_were_not_taken_are_data() -> None:
    tree = {
        "inserted": 1,
        "updated": 0,
        "invalid": 1,
        "log": [{"index": "1", "error_message": "?"}],
    }
    script = Script(response(200, {"status": "OK", "result": tree}))
    imported = await client(script).mailing_lists.import_contacts(1, ["Phone"], [["1"], ["x"]])
    assert imported == ImportContactsResult(1, 0, 1, (ImportProblem(1, "?"),))


@pytest.mark.parametrize(
    ("names", "rows", "said"),
    [
        ([], [], "field_names"),
        ("email", [["a@b.by"]], "field_names"),
        (["name"], [["A"]], "email or phone"),
        (["email", *(f"f{n}" for n in range(30))], [["x"] * 31], "1 to 30"),
        (["email"], [], "1 to 500"),
        (["email"], [["a@b.by"]] * 501, "not 501"),
        (["email", "name"], [["a@b.by"]], r"rows\[0\]: give 2"),
        (["email", "name"], [["a", "b"], "ab"], r"rows\[1\]"),
    ],
)
async def test_imports_are_checked_before_the_network(names: Any, rows: Any, said: str) -> None:
    script = Script()
    with pytest.raises(InvalidArgument, match=said):
        await client(script).mailing_lists.import_contacts(1, names, rows)
    assert script.requests == []


async def test_an_import_is_repeated_since_it_only_brings_up_to_date() -> None:
    script = Script(response(502, b""), sample("imported"))
    await client(script).mailing_lists.import_contacts(1, ["email"], [["a@b.by"]] * 500)
    assert script.requests[0] == script.requests[1]


async def test_unsubscribing_names_lists_or_none() -> None:
    script = Script(DONE, DONE, DONE)
    sms = client(script)
    await sms.subscriptions.unsubscribe("a@B.by", [1, 2], "asked")
    assert form(script) == {
        "email": "a@b.by",
        "list_ids": "1,2",
        "reason": "asked",
        "token": "TOKEN",
    }
    await sms.subscriptions.unsubscribe("a@b.by")
    assert form(script) == {"email": "a@b.by", "token": "TOKEN"}
    await sms.subscriptions.subscribe("a@b.by", (3,))
    assert form(script) == {"email": "a@b.by", "list_ids": "3", "token": "TOKEN"}


@pytest.mark.parametrize(
    "said",
    [
        b"{}", b"[]", b"null", b"true", b'"OK"', b"[false]", b'{"failure":true}',
        b'{"is_error":true}', b'{"result":true}', b'{"status":"OK","result":false}',
        b'{"status":"OK","result":[false]}', b'{"status":"OK","result":{"failure":true}}',
        b'{"status":"OK","is_error":true}', b'{"status":"OK","failure":true}',
        b'{"status":"OK","errors":["no"]}', b'{"status":"OK","data":0}',
    ],
)  # fmt: skip
async def test_an_address_is_unsubscribed_only_if_the_service_says_so(said: bytes) -> None:
    for name in ("unsubscribe", "subscribe"):
        script = Script(*[response(200, said)] * 3)
        with pytest.raises(BadResponse):
            await getattr(client(script).subscriptions, name)("a@b.by")
        assert not script.acts


async def test_a_yes_to_unsubscribing_may_hold_nothing_or_a_yes() -> None:
    for more in ({}, {"result": None}, {"result": True}, {"success": "OK", "is_error": False}):
        script = Script(response(200, {"status": "OK", **more}))
        await client(script).subscriptions.unsubscribe("a@b.by")


@pytest.mark.parametrize("number", [0, -7, True, None, "", "x"])
async def test_a_list_that_was_made_has_a_number(number: object) -> None:
    script = Script(response(200, {"status": "OK", "result": {"list_id": number}}))
    with pytest.raises(OutcomeUnknown):
        await client(script).mailing_lists.create("Autumn")


async def test_a_list_may_be_an_object_whose_keys_are_numbers() -> None:
    rows = {"0": {"id": 11, "title": "A"}, "2": {"id": 12}}
    script = Script(response(200, {"status": "OK", "result": rows}))
    assert await client(script).templates.list() == [Template(11, "A"), Template(12)]
    said = {
        "message_id": 5,
        "success": {"1": {"email_id": 6}},
        "errors": {"0": {"email": "a@b.by"}},
    }
    script = Script(response(200, {"status": "OK", "result": {"0": said}}))
    (status,) = await client(script).bulk.status("u-1")
    assert [one.email_id for one in status.success] == [6]
    assert [one.address for one in status.errors] == ["a@b.by"]


@pytest.mark.parametrize("wrong", [[], (), "12", ""])
async def test_no_list_never_means_every_list(wrong: Any) -> None:
    script = Script()
    for change in (
        client(script).subscriptions.unsubscribe,
        client(script).subscriptions.subscribe,
    ):
        with pytest.raises(InvalidArgument, match="list_ids"):
            await change("a@b.by", wrong)
    assert script.requests == []


async def test_templates_are_asked_for_with_the_token_in_the_query() -> None:
    tree = {"status": "OK", "result": [{"id": "11", "title": "A"}, {"id": 12, "title": None}]}
    script = Script(response(200, tree))
    assert await client(script).templates.list() == [Template(11, "A"), Template(12)]
    verb, url, _, body = script.requests[0]
    assert (verb, body) == ("POST", None)
    assert url == "https://app.sms.by/api/v2/getEmailTemplates?token=TOKEN"


async def test_limits_of_the_account_are_a_setting() -> None:
    from mailkit.core.quota import Quota

    script, clock = Script(*[response(200, {"status": "OK", "result": []})] * 4), FakeClock()
    sms = SmsBy("TOKEN", transport=script, clock=clock, requests=Quota(2, 10.0))
    for _ in range(4):
        await sms.templates.list()
    assert clock.monotonic() == 10
