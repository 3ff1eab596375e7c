from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import pytest

from mailkit.address import Address
from mailkit.core.wire import Response
from mailkit.errors import BadResponse, InvalidArgument, Refused, Unavailable
from mailkit.providers.sendpulse import (
    BatchResult,
    Campaign,
    CampaignName,
    MailingList,
    NewContact,
    SendPulse,
    WebhookAction,
)

from ...core.doubles import Script, response
from .doubles import DONE, client, sent

MANY = [f"n{n}@mail.by" for n in range(250)]
NO = response(200, {"result": False})


def page(start: int, count: int) -> Any:
    return response(200, [{"id": n, "email": f"n{n}@mail.by"} for n in range(start, start + count)])


async def test_all_pages_are_walked_until_one_is_empty() -> None:
    script = Script(page(0, 100), page(100, 40), page(0, 0))
    found = [one.email async for one in client(script).mailing_lists.iter_contacts(7, active=True)]
    assert found == [f"n{n}@mail.by" for n in range(140)]
    assert [sent(script, place).query for place in range(3)] == [
        [("limit", "100"), ("offset", offset), ("active", "1")] for offset in ("0", "100", "140")
    ]


async def test_every_paged_list_has_an_iterator() -> None:
    sendpulse = client(Script(page(1, 1), page(0, 0), page(1, 1), page(0, 0)))
    assert [one.id async for one in sendpulse.mailing_lists.iter_lists()] == [1]
    assert [one.id async for one in sendpulse.campaigns.iter_campaigns(order="asc")] == [1]
    script = Script(
        response(200, [{"task_id": "5", "task_name": "A", "tast_status": 3}]), page(0, 0)
    )
    (campaign,) = [one async for one in client(script).mailing_lists.iter_campaigns(7)]
    assert (campaign.id, campaign.name, campaign.status) == (5, "A", 3)


async def test_a_service_that_does_not_look_at_the_offset_is_not_asked_for_ever() -> None:
    script = Script(page(0, 100), page(0, 100))
    with pytest.raises(BadResponse, match="page at 100"):
        async for _ in client(script).mailing_lists.iter_lists():
            pass
    assert not script.acts


async def test_a_page_that_comes_again_and_is_not_full_was_the_only_one() -> None:
    script = Script(page(0, 3), page(0, 3))
    assert [one.id async for one in client(script).mailing_lists.iter_lists()] == [0, 1, 2]


async def test_templates_are_walked_by_owner_and_language() -> None:
    first, last = (
        response(200, [{"real_id": n} for n in range(start, end)])
        for start, end in ((0, 100), (0, 0))
    )
    script = Script(first, last, first, last)
    templates = client(script).templates
    assert len([one async for one in templates.iter_templates("me")]) == 100
    assert len([one async for one in templates.iter_templates("me", lang="ru")]) == 100
    assert (sent(script, 0).path, sent(script, 2).path) == ("/templates", "/templates/ru/")
    for place, offset in ((0, "0"), (1, "100"), (2, "0"), (3, "100")):
        assert sent(script, place).query == [("owner", "me"), ("limit", "100"), ("offset", offset)]


def names(*found: str) -> Response:
    return response(200, [{"id": n, "name": name} for n, name in enumerate(found)])


async def test_a_list_and_a_campaign_are_found_by_name_on_whatever_page() -> None:
    script = Script(names("autumn 10", "Autumn 1"), names("autumn 1"))
    found = await client(script).mailing_lists.find_by_name(" autumn 1")
    assert found == MailingList(0, "autumn 1")
    assert await client(Script(names("a"), names("b"))).campaigns.find_by_name("b") == Campaign(
        0, "b"
    )
    tasks = [{"task_id": 5, "task_name": "a"}, {"task_id": 6, "task_name": "a"}]
    script = Script(response(200, tasks))
    assert await client(script).mailing_lists.find_campaign(7, "a") == CampaignName(5, "a")
    assert sent(script).path == "/addressbooks/7/campaigns"


async def test_a_name_is_absent_only_after_the_last_page() -> None:
    for found in (
        client(Script(names("a"), names())).mailing_lists.find_by_name("b"),
        client(Script(names("a"), names())).campaigns.find_by_name("b"),
        client(Script(names())).mailing_lists.find_campaign(7, "b"),
    ):
        assert await found is None
    with pytest.raises(Unavailable):
        await client(Script(names("a"), *[response(500, b"")] * 3)).campaigns.find_by_name("b")


@pytest.mark.parametrize("name", ["remove_contacts", "unsubscribe"])
async def test_more_than_a_hundred_addresses_go_in_batches(name: str) -> None:
    script = Script(DONE, DONE, DONE)
    method = getattr(client(script).mailing_lists, name)
    assert await method(7, [*MANY[:-1], Address(MANY[-1])]) == BatchResult(tuple(MANY))
    batches = [sent(script, place).body["emails"] for place in range(3)]
    assert batches == [MANY[:100], MANY[100:200], MANY[200:]]


async def test_what_is_done_and_what_is_not_is_told_together() -> None:
    script = Script(DONE, NO, DONE)
    end = await client(script).mailing_lists.unsubscribe(7, MANY)
    assert end.done == (*MANY[:100], *MANY[200:])
    assert list(end.failed) == MANY[100:200]
    assert {type(error) for error in end.failed.values()} == {Refused}


async def test_batches_raise_only_if_all_fail() -> None:
    script = Script(NO, *[response(500, b"<html>")] * 3, NO)
    with pytest.raises(Refused):
        await client(script).mailing_lists.remove_contacts(7, MANY)
    assert not script.acts
    with pytest.raises(Unavailable):
        await client(Script(*[response(500, b"")] * 3)).mailing_lists.remove_contacts(7, MANY[:1])


async def test_a_wrong_address_stops_all_batches_before_the_first() -> None:
    script = Script()
    with pytest.raises(InvalidArgument, match=r"emails\[250\].*nobody"):
        await client(script).mailing_lists.remove_contacts(7, [*MANY, "nobody"])
    assert not script.requests


async def test_raw_is_one_request() -> None:
    script = Script(DONE)
    result = await client(script).mailing_lists.unsubscribe.raw(7, ["a@mail.by"])
    assert (result.status, result.value) == (200, BatchResult(("a@mail.by",)))
    with pytest.raises(InvalidArgument, match="100"):
        await client(script).mailing_lists.unsubscribe.raw(7, MANY)


async def test_contacts_go_out_as_addresses_or_with_their_variables() -> None:
    script = Script(DONE, DONE)
    lists = client(script).mailing_lists
    await lists.add_contacts(7, ["a@mail.by", Address("b@mail.by", "B")], tags=[5])
    assert sent(script).body == {"emails": ["a@mail.by", "b@mail.by"], "tags": [5]}
    born = NewContact("a@mail.by", {"name": "Anna", "born": date(2000, 1, 2)}, phone="375")
    await lists.add_contacts(7, [born, "b@mail.by", NewContact("c@mail.by")], dont_update=True)
    assert sent(script).body == {
        "emails": [
            {
                "email": "a@mail.by",
                "variables": {"name": "Anna", "born": "2000-01-02", "Phone": "375"},
            },
            {"email": "b@mail.by"},
            {"email": "c@mail.by"},
        ],
        "dont_update": True,
    }


async def test_double_opt_in_is_asked_for_by_force() -> None:
    script = Script(DONE)
    lists = client(script).mailing_lists
    await lists.add_contacts_double_opt_in(7, ["a@mail.by"], "news@shop.by", "ru", "a3e4")
    assert sent(script).body == {
        "emails": ["a@mail.by"],
        "sender_email": "news@shop.by",
        "message_lang": "ru",
        "template_id": "a3e4",
        "confirmation": "force",
    }


async def test_paths_forms_and_base64_are_written_as_the_service_reads_them() -> None:
    hooks = response(200, {"success": True, "data": [{"id": 1}]})
    script = Script(
        DONE,
        page(0, 0),
        DONE,
        hooks,
        DONE,
        response(200, {"currency": "USD", "balance_currency": 1}),
    )
    sendpulse = client(script)
    await sendpulse.mailing_lists.set_variables(7, "a@mail.by", {"n": 1, "d": date(2019, 2, 1)})
    assert sent(script).body["variables"] == [
        {"name": "n", "value": 1},
        {"name": "d", "value": "2019-02-01"},
    ]
    await sendpulse.mailing_lists.find_by_variable(7, "город", "Брест/1")
    assert sent(script).path.endswith("/%D0%91%D1%80%D0%B5%D1%81%D1%82%2F1")
    await sendpulse.blacklist.add(["user1@mailserver.com", "user2@mailserver.com"])
    assert sent(script).body == {
        "emails": "dXNlcjFAbWFpbHNlcnZlci5jb20sdXNlcjJAbWFpbHNlcnZlci5jb20="
    }
    await sendpulse.webhooks.create("https://a", [WebhookAction.OPEN, WebhookAction.SPAM])
    assert sent(script).body == [
        ("url", "https://a"),
        ("actions[]", "open"),
        ("actions[]", "spam"),
    ]
    await sendpulse.senders.activate("a+b@mail.by", "code")
    assert sent(script).path == "/senders/a%2Bb%40mail.by/code"
    await sendpulse.balance.get("USD")
    assert sent(script).path == "/balance/USD"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda it: it.mailing_lists.create(" "), "name"),
        (lambda it: it.mailing_lists.list(0), "limit"),
        (lambda it: it.mailing_lists.contacts(7, 101), "limit"),
        (lambda it: it.campaigns.list(offset=-1), "offset"),
        (lambda it: it.campaigns.list(status=[]), "status"),
        (lambda it: it.templates.list("me", 101), "limit"),
        (lambda it: it.templates.list_by_language("ru", offset=-1), "offset"),
        (lambda it: it.tags.create("vip", ""), "color"),
        (lambda it: it.mailing_lists.contacts(7, active=True, not_active=True), "active"),
        (lambda it: it.mailing_lists.add_contacts(7, []), "emails"),
        (lambda it: it.mailing_lists.add_contacts(7, "a@mail.by"), "emails"),
        (lambda it: it.mailing_lists.add_contacts(7, ["a@mail.by", "b"]), r"emails\[1\]"),
        (
            lambda it: it.mailing_lists.add_contacts(
                7,
                [NewContact("a@mail.by", {"at": datetime(2000, 1, 1)})],
            ),
            "dates only",
        ),
        (lambda it: it.mailing_lists.remove_contacts(7, []), "emails"),
        (lambda it: it.mailing_lists.set_variables(7, "a@mail.by", {}), "variables"),
        (lambda it: it.contacts.get_many("a@mail.by"), "emails"),
        (lambda it: it.blacklist.add([]), "emails"),
        (lambda it: it.webhooks.create("https://a", []), "actions"),
        (lambda it: it.tags.pin_email("a@mail.by", []), "tags"),
        (lambda it: it.templates.create(html="", lang="ru"), "html"),
    ],
)
async def test_what_can_not_be_sent_is_refused_before_the_network(
    call: Callable[[SendPulse], Awaitable[object]], words: str
) -> None:
    script = Script()
    with pytest.raises(InvalidArgument, match=words):
        await call(client(script))
    assert not script.requests
