from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from mailkit.errors import BadResponse
from mailkit.events import DeliveryStatus
from mailkit.providers.sendpulse import (
    CampaignPhase,
    CampaignStatus,
    Contact,
    ContactStatus,
    LinkClicks,
    MailingListStatus,
    RecipientStatus,
    Statistics,
    StatusCount,
    Variables,
    WebhookAction,
    campaign_phase,
)

from ...core.doubles import Script, response
from .doubles import client, sample


async def test_contacts_are_read_in_every_shape() -> None:
    found = await client(Script(sample("contacts_of_all_shapes"))).mailing_lists.contacts(7)
    assert found == [
        Contact("a@mail.by", ContactStatus.NEW, "New", "", Variables({"name": "Anna", "age": 31})),
        Contact("b@mail.by", ContactStatus.ACTIVE, "Active", "375291234567"),
        Contact("c@mail.by", 99, variables=Variables({"Name": "Vera", "n": 2}), list_id=422325),
        Contact("d@mail.by"),
    ]
    assert found[2].variables.types == {"Name": "string", "n": "number"}


async def test_a_campaign_is_read_with_a_plain_list_of_statistics() -> None:
    campaign = await client(Script(sample("campaign_plain_statistics"))).campaigns.get(10113867)
    assert (campaign.id, campaign.status) == (10113867, CampaignStatus.SENT)
    assert campaign.statistics == Statistics(
        general=(
            StatusCount(RecipientStatus.SENT, 1000, "Sent"),
            StatusCount(19, 2, "Something new"),
        )
    )
    assert campaign.message is not None
    assert campaign.message.attachments == ("file.zip", "file2.zip")
    assert campaign.message.list_ids == (2128929, 2128930)
    assert campaign.company_price == Decimal("0.05")
    assert (campaign.send_date, campaign.external_stat, campaign.permalink) == (None, None, "")


async def test_statistics_come_as_counters_in_two_parts_empty_or_not_at_all() -> None:
    script = Script(
        response(
            200,
            [
                {"id": 1, "statistics": {"sent": 2, "opening": "1"}},
                {
                    "id": 2,
                    "statistics": {
                        "general": [{"code": 3, "count": 2, "explain": "Opened"}],
                        "clicks": [{"url": "", "count": 1}, {"url": "https://a", "count": 3}],
                    },
                },
                {"id": 3, "statistics": []},
                {"id": 4, "statistics": None, "message": []},
                {"id": 5},
            ],
        )
    )
    found = [one.statistics for one in await client(script).campaigns.list()]
    assert found == [
        Statistics({"sent": 2, "opening": 1}),
        Statistics(
            general=(StatusCount(RecipientStatus.OPENED, 2, "Opened"),),
            clicks=(LinkClicks("", 1), LinkClicks("https://a", 3)),
        ),
        Statistics(),
        Statistics(),
        Statistics(),
    ]


async def test_a_mailing_list_comes_bare_or_in_a_list() -> None:
    bare = {"id": "1", "name": "A", "status": "4", "creationdate": "2015-04-20 08:52:40"}
    for said in (bare, [bare]):
        found = await client(Script(response(200, said))).mailing_lists.get(1)
        assert (found.id, found.status) == (1, MailingListStatus.LOCKED)
        assert found.created == datetime(2015, 4, 20, 8, 52, 40)


async def test_an_empty_map_may_be_written_as_a_list() -> None:
    script = Script(response(200, []), response(200, []))
    assert await client(script).campaigns.countries(1) == {}
    assert await client(script).contacts.get_many(["a@mail.by"]) == {}


async def test_the_numbers_of_an_address_are_the_same_in_both_answers() -> None:
    one = {
        "statistic": {"sent": 9, "open": "2", "link": 0},
        "blacklist": False,
        "addressbooks": [{"id": 154441, "address_book_name": "L"}],
    }
    many = {
        "a@mail.by": {
            "sent": 9,
            "open": 2,
            "link": 0,
            "adressbooks": [{"id": "154441", "name": "L"}],
            "blacklist": False,
        }
    }
    sendpulse = client(
        Script(response(200, one), response(200, many), response(200, {"statistic": []}))
    )
    stats = await sendpulse.contacts.campaign_stats("a@mail.by")
    assert await sendpulse.contacts.campaign_stats_many(["a@mail.by"]) == {"a@mail.by": stats}
    assert (stats.sent, stats.opened, stats.mailing_lists[0].name) == (9, 2, "L")
    assert (await sendpulse.contacts.campaign_stats("b@mail.by")).sent == 0


async def test_what_is_not_said_about_an_address_is_none() -> None:
    script = Script(response(200, {"a@mail.by": [], "b@mail.by": {"sent": 1, "blacklist": True}}))
    stats = await client(script).contacts.campaign_stats_many(["a@mail.by", "b@mail.by"])
    assert [(one.sent, one.blacklist) for one in stats.values()] == [(0, None), (1, True)]


async def test_a_counter_without_a_number_spoils_no_page() -> None:
    said = [{"id": 1, "statistics": {"sent": 2, "error": None, "opening": ""}}, {"id": 2}]
    first, second = await client(Script(response(200, said))).campaigns.list()
    assert (first.statistics.counters, second.id) == ({"sent": 2}, 2)


async def test_a_recipient_has_its_date_under_either_name_and_may_lack_details() -> None:
    script = Script(
        response(200, {"sent_date": "2021-03-29 07:46:58", "global_status": 0}),
        response(200, {"send_date": "2021-03-29 07:46:58", "global_status": "21"}),
    )
    first = await client(script).campaigns.recipient(1, "a@mail.by")
    second = await client(script).campaigns.recipient(1, "a@mail.by")
    assert first.sent_date == second.sent_date == datetime(2021, 3, 29, 7, 46, 58)
    assert (first.global_status, second.global_status) == (RecipientStatus.QUEUED, 21)
    assert first.detail_status is None


async def test_a_created_campaign_is_read_as_both_pages_show_it() -> None:
    letter: dict[str, Any] = {
        "sender": "Shop <news@shop.by>",
        "subject": "S",
        "html": "<p>",
        "list_id": 7,
    }
    created = await client(Script(sample("campaign_created_russian"))).campaigns.create(**letter)
    assert (created.id, created.overdraft_currency) == (27, "RUR")
    assert created.overdraft_price == Decimal(0)


async def test_webhooks_come_as_one_or_as_many() -> None:
    hook = {"id": "1", "url": "https://a", "action": "open", "user_id": 7}
    new = {"id": 2, "action": "something_new"}
    script = Script(
        *(response(200, {"success": True, "data": data}) for data in (hook, [hook], hook, [new]))
    )
    webhooks = client(script).webhooks
    assert await webhooks.get(1) == await webhooks.get(1)
    (first,) = await webhooks.create("https://a", WebhookAction.OPEN)
    assert first.action is WebhookAction.OPEN
    (second,) = await webhooks.list()
    assert second.action == "something_new"


TEMPLATE = {"id": "f32", "real_id": 1153018, "name": "Webinar", "owner": "you"}


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("<p>Ж</p>", "<p>Ж</p>"),
        ("PHA+0JY8L3A+", "<p>Ж</p>"),
        ("Hello, all", "Hello, all"),
        ("abc", "abc"),
        ("", ""),
        (None, ""),
    ],
)
async def test_a_template_has_its_message_plain_or_in_base64(body: str | None, html: str) -> None:
    said = response(200, {**TEMPLATE, "body": body})
    templates = client(Script(said, said)).templates
    assert (await templates.get(1153018)).html == html
    assert (await templates.get_by_slug("webinar")).html == html
    assert (await client(Script(response(200, TEMPLATE))).templates.get("f32")).html == ""


async def test_an_edited_campaign_has_the_number_that_the_service_says() -> None:
    letter: dict[str, Any] = {"sender": "Shop <news@shop.by>", "subject": "S", "html": "<p>"}
    ends: list[tuple[dict[str, object], int | None]] = [
        ({"result": True, "id": "5"}, 5),
        ({"result": True}, 28),
        ({"result": True, "id": 0}, None),
        ({"id": 5}, None),
    ]
    for said, number in ends:
        edit = client(Script(*[response(200, said)] * 3)).campaigns.edit
        if number is None:
            with pytest.raises(BadResponse):
                await edit(id=28, name="autumn", **letter)
        else:
            assert await edit(id=28, name="autumn", **letter) == number


async def test_a_date_of_zeros_spoils_no_page() -> None:
    script = Script(
        response(200, [{"id": 1, "send_date": "0000-00-00 00:00:00"}, {"id": 2}]),
        response(200, [{"id": 1, "creationdate": "0000-00-00 00:00:00"}]),
        response(200, {"email": {"tariff_name": "T", "finished_time": "0000-00-00 00:00:00"}}),
    )
    sendpulse = client(script)
    assert [one.send_date for one in await sendpulse.campaigns.list()] == [None, None]
    assert (await sendpulse.mailing_lists.list())[0].created is None
    details = await sendpulse.balance.details()
    assert details.email is not None
    assert details.email.finished_time is None


def numbered(*items: object) -> dict[str, object]:
    """A list with gaps, as PHP writes it."""
    return {str(2 * place): item for place, item in enumerate(items)}


async def test_a_list_may_be_an_object_whose_keys_are_numbers() -> None:
    value = {"name": "city", "type": "string", "value": "Brest"}
    hook = {"id": 1, "action": "open"}
    script = Script(
        response(200, numbered({"id": 1}, {"id": 2})),
        response(200, numbered({"id": 7})),
        response(200, numbered({"email": "a@mail.by", "variables": numbered(value)})),
        response(200, {"a@mail.by": numbered({"book_id": 7, "status": 1})}),
        response(200, {"id": 1, "message": {"list_id": numbered(7, 8)}, "statistics": numbered()}),
        response(200, {"id": 1, "statistics": numbered({"code": 3, "count": 2})}),
        response(200, {"success": True, "data": numbered(hook, {**hook, "id": 2})}),
        response(200, {"success": True, "data": numbered(True)}),
        response(200, {"tags": numbered({"id": 5, "name": "vip"})}),
        response(200, numbered("a@mail.by", "b@mail.by")),
    )
    sendpulse = client(script)
    assert [one.id for one in await sendpulse.mailing_lists.list()] == [1, 2]
    assert (await sendpulse.mailing_lists.get(7)).id == 7
    (contact,) = await sendpulse.mailing_lists.contacts(7)
    assert contact.variables == {"city": "Brest"}
    assert [one.list_id for one in (await sendpulse.contacts.get_many(["a@mail.by"]))["a@mail.by"]]
    message = (await sendpulse.campaigns.get(1)).message
    assert message is not None
    assert message.list_ids == (7, 8)
    (count,) = (await sendpulse.campaigns.get(1)).statistics.general
    assert (count.code, count.count) == (RecipientStatus.OPENED, 2)
    assert [one.id for one in await sendpulse.webhooks.list()] == [1, 2]
    await sendpulse.webhooks.delete(1)
    assert [one.name for one in await sendpulse.tags.list()] == ["vip"]
    assert await sendpulse.blacklist.list() == ["a@mail.by", "b@mail.by"]


async def test_a_variable_may_be_called_by_a_number() -> None:
    script = Script(response(200, [{"email": "a@mail.by", "variables": {"0": "x", "1": 5}}]))
    (contact,) = await client(script).mailing_lists.contacts(7)
    assert contact.variables == {"0": "x", "1": 5}


async def test_tags_stand_under_a_key_or_alone() -> None:
    script = Script(sample("tags"), response(200, [{"id": "2506", "name": "vip", "color": None}]))
    tags = client(script).tags
    assert [(one.id, one.name) for one in [*await tags.list(), *await tags.list()]] == [
        (2506, "vip"),
        (2506, "vip"),
    ]


async def test_a_variable_that_is_no_plain_value_is_kept_as_text() -> None:
    said = [
        {"email": "a@mail.by", "variables": {"x": [1, {"y": 2}], "z": None}},
        {"email": "b@mail.by", "variables": ""},
    ]
    first, second = await client(Script(response(200, said))).mailing_lists.contacts(7)
    assert first.variables == {"x": '[1,{"y":2}]', "z": None}
    assert second.variables == {}


async def test_an_answer_of_quite_another_shape_is_a_bad_answer() -> None:
    for said in ([{"email": "a@mail.by", "variables": 5}], {"a": 1}, [5]):
        with pytest.raises(BadResponse):
            await client(Script(*[response(200, said)] * 3)).mailing_lists.contacts(7)
    with pytest.raises(BadResponse, match="2 things"):
        await client(Script(*[response(200, [{}, {}])] * 3)).mailing_lists.get(7)


def test_every_recipient_status_has_a_place_among_mailkits() -> None:
    assert all(isinstance(status.delivery, DeliveryStatus) for status in RecipientStatus)


@pytest.mark.parametrize(
    ("phase", "codes"),
    [
        (CampaignPhase.MODERATION, {1, 11}),
        (CampaignPhase.SENT, {3, 8}),
        (CampaignPhase.STOPPED, {5, 12, 16, 27}),
        (CampaignPhase.PARTLY_SENT, {23, 25, 33}),
        (CampaignPhase.IN_PROGRESS, {0, 2, 4, 6, 7, 9, 10, 13, 14, 15, 22, 26, 28, 36}),
    ],
)
def test_every_campaign_status_has_a_phase(phase: CampaignPhase, codes: set[int]) -> None:
    assert {status for status in CampaignStatus if campaign_phase(status) is phase} == codes


def test_a_campaign_is_over_in_some_phases_and_in_progress_in_a_status_nobody_knows() -> None:
    over = {status for status in CampaignStatus if status.final}
    assert over == {3, 5, 8, 12, 16, 23, 25, 27, 33}
    assert campaign_phase(99) is campaign_phase(None) is CampaignPhase.IN_PROGRESS
