"""Checked by mypy --strict and pyright, never run: what SendPulse's methods take and return.

Each ``type: ignore`` stands for a misuse that the checkers must refuse: mypy reports an ignore
that is not needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import assert_type

from mailkit.core.call import CallResult
from mailkit.core.quota import Quota
from mailkit.providers.sendpulse import (
    BatchResult,
    Campaign,
    CampaignName,
    CampaignRecipient,
    Contact,
    ContactStats,
    Cost,
    CreateCampaignResult,
    MailingList,
    NewContact,
    SendPulse,
    Stats,
    Template,
    Webhook,
    WebhookAction,
)


async def answers(sp: SendPulse, at: datetime) -> None:
    assert_type(await sp.mailing_lists.create("name"), int)
    assert_type(await sp.mailing_lists.list(10, 5), list[MailingList])
    assert_type(await sp.mailing_lists.get(7), MailingList)
    assert_type(await sp.mailing_lists.cost(7), Cost)
    assert_type(await sp.mailing_lists.remove_contacts(7, ["a@b.by"]), BatchResult)
    assert_type(await sp.mailing_lists.unsubscribe.raw(7, ["a@b.by"]), CallResult[BatchResult])
    assert_type(sp.mailing_lists.iter_contacts(7, active=True), AsyncIterator[Contact])
    await sp.mailing_lists.delete(7)
    assert_type(await sp.mailing_lists.find_by_name("name"), MailingList | None)
    assert_type(await sp.mailing_lists.find_campaign(7, "name"), CampaignName | None)
    assert_type(await sp.campaigns.find_by_name("name"), Campaign | None)
    contacts: list[NewContact | str] = [NewContact("a@b.by", {"n": 1}), "c@d.by"]
    await sp.mailing_lists.add_contacts(7, contacts)
    created = await sp.campaigns.create(
        sender="Shop <a@b.by>",
        subject="s",
        html="h",
        list_id=[1, 2],
        send_at=at,
        attachments={"a": "text", "b": b"bytes", "c": Path()},
        stats=Stats(opens=True),
    )
    assert_type(created, CreateCampaignResult)
    await sp.campaigns.send_test(sender="", subject="", html="", list_id=1, to=["a@b.by"])
    assert_type(await sp.campaigns.get.raw(27), CallResult[Campaign])
    assert_type(await sp.campaigns.countries(27), dict[str, int])
    assert_type(await sp.campaigns.recipient(27, "a@b.by"), CampaignRecipient)
    assert_type(sp.campaigns.iter_campaigns(order="asc"), AsyncIterator[Campaign])
    assert_type(await sp.templates.create(html="h", lang="ru"), int)
    edited = await sp.campaigns.edit(id=7, name="n", sender="", subject="", html="h")
    assert_type(edited, int)
    assert_type(await sp.templates.get("f32"), Template)
    assert_type(sp.templates.iter_templates("me", lang="ru"), AsyncIterator[Template])
    assert_type(await sp.contacts.get_many(["a@b.by"]), dict[str, list[Contact]])
    assert_type(await sp.contacts.campaign_stats("a@b.by"), ContactStats)
    assert_type(await sp.blacklist.list(), list[str])
    assert_type(await sp.webhooks.create("https://a", WebhookAction.OPEN), list[Webhook])
    assert_type(await sp.user.info(), dict[str, object])


async def misuses(sp: SendPulse) -> None:
    await sp.mailing_lists.create(bookName="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await sp.mailing_lists.get("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await sp.mailing_lists.unsubscribe(7)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await sp.mailing_lists.unsubscribe(7, [1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await sp.campaigns.create("Shop <a@b.by>", subject="s")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await sp.campaigns.create(sender="", subject="", text="")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await sp.campaigns.send_test(sender="", subject="", html="", list_id=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await sp.campaigns.list(order="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await sp.templates.create(html="h", lang="de")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SendPulse(api_key=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SendPulse(api_key="k", campaigns=4)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SendPulse.from_env(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def clients(sp: SendPulse) -> None:
    assert_type(sp.with_options(timeout=3), SendPulse)
    assert_type(SendPulse.from_env(campaigns=Quota(8, 3600.0)), SendPulse)
