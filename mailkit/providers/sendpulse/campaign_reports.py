"""Campaigns and their results: the calls behind ``campaigns``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

import attrs

from mailkit.core.call import Call, arg, get, wire
from mailkit.core.model import Model
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.codes import CampaignStatus, RecipientStatus
from mailkit.providers.sendpulse.models import FileNames, LinkClicks, ListIds, Statistics
from mailkit.providers.sendpulse.pages import only

__all__ = [
    "Campaign",
    "CampaignMessage",
    "CampaignRecipient",
    "ExternalStat",
    "GetCampaign",
    "GetCountries",
    "GetRecipient",
    "GetReferrals",
    "ListCampaigns",
    "Order",
]

Order = Literal["asc", "desc"]


@attrs.frozen
class CampaignMessage(Model):
    """A campaign's message; ``html`` is the body as plain HTML, where the response has it."""

    sender_name: str = ""
    sender_email: str = ""
    subject: str = ""
    html: str = attrs.field(default="", metadata=wire("body"))
    preheader: str = ""
    attachments: FileNames = attrs.field(factory=FileNames)
    list_ids: ListIds = attrs.field(factory=ListIds, metadata=wire("list_id"))


@attrs.frozen
class ExternalStat(Model):
    """Whether opens and clicks are counted."""

    check_open_email: bool = False
    check_redirect_link: bool = False


@attrs.frozen
class Campaign(Model):
    """A campaign; ``send_date`` is in the account's zone, and naive."""

    id: int
    name: str = ""
    status: CampaignStatus | int | None = None
    is_sms: bool = False
    is_viber: bool = False
    send_date: datetime | None = None
    all_email_qty: int = 0
    tariff_email_qty: int = 0
    paid_email_qty: int = 0
    overdraft_price: Decimal | None = None
    overdraft_currency: str = attrs.field(
        default="", metadata=wire("overdraft_currency", "ovedraft_currency")
    )
    company_price: Decimal | None = None
    message: CampaignMessage | None = None
    external_stat: ExternalStat | None = None
    statistics: Statistics = attrs.field(factory=Statistics)
    permalink: str = ""


@attrs.frozen
class CampaignRecipient(Model):
    """What happened to a campaign's message to one address; ``sent_date`` is naive.

    The detailed status can be absent.
    """

    global_status: RecipientStatus | int
    sent_date: datetime | None = attrs.field(default=None, metadata=wire("sent_date", "send_date"))
    global_status_explain: str = ""
    detail_status: RecipientStatus | int | None = None
    detail_status_explain: str = ""


def _statuses(value: Sequence[int], wire_format: WireFormat) -> object:
    if not value:  # which the service would take for all of them
        raise InvalidArgument("status: give at least one, or leave it out for all campaigns")
    return [int(one) for one in value]


@get("/campaigns/{id}", repeatable=True, pick=only)
class GetCampaign(Call[Campaign]):
    """A campaign with its message and its statistics."""

    id: int


@get("/campaigns", repeatable=True)
class ListCampaigns(Call[list[Campaign]]):
    """A page of the account's campaigns, ``limit`` at most 100; ``iter_campaigns`` has them all.

    ``status``: only those with one of these; ``scheduled``: those that wait for their time.
    """

    limit: int | None = None
    offset: int | None = None
    order: Order | None = None
    status: Sequence[CampaignStatus | int] | None = arg(
        default=None, wire="status[]", write=_statuses
    )
    scheduled: bool | None = arg(default=None, wire="planed")

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)


@get("/campaigns/{id}/countries", repeatable=True)
class GetCountries(Call[dict[str, int]]):
    """How often the message was opened, by two-letter country code."""

    id: int


@get("/campaigns/{id}/referrals", repeatable=True)
class GetReferrals(Call[list[LinkClicks]]):
    """How often each of the message's links was followed."""

    id: int


@get("/campaigns/{id}/email/{email}", repeatable=True, pick=only)
class GetRecipient(Call[CampaignRecipient]):
    """What happened to the campaign's message to one address; NotFound if it has none to it."""

    id: int
    email: str
