"""What ``mailkit doctor`` reads of an account of SendPulse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mailkit.core.call import Call
from mailkit.core.diagnosis import Check
from mailkit.errors import InvalidArgument
from mailkit.providers.sendpulse.balance import BalanceDetails, GetBalance, GetBalanceDetails
from mailkit.providers.sendpulse.campaign_reports import GetCampaign, ListCampaigns
from mailkit.providers.sendpulse.list_contacts import CountContacts, ListContacts
from mailkit.providers.sendpulse.mailing_lists import (
    Cost,
    GetCost,
    GetMailingList,
    ListMailingLists,
    ListVariables,
    MailingList,
)
from mailkit.providers.sendpulse.senders import ListSenders, Sender, inactive
from mailkit.providers.sendpulse.tags import ListTags
from mailkit.providers.sendpulse.templates import ListTemplates
from mailkit.providers.sendpulse.user import GetUserInfo
from mailkit.providers.sendpulse.webhooks import ListWebhooks

__all__ = ["CHECKS"]


def _senders(found: Sequence[Sender]) -> str:
    active = sum(not inactive(one.status) for one in found)
    if not active:
        raise InvalidArgument(f"none of {len(found)} senders is active: activate one")
    return f"{active} of {len(found)} active"


def _money(found: BalanceDetails) -> str:
    if found.email is None:
        raise InvalidArgument("there is no tariff for email campaigns")
    return "the balance and the tariff for campaigns can be read"


def _cost(found: Cost) -> str:
    return (
        "has the largest number of emails in a campaign"
        if found.max_emails_per_task
        else "lacks the largest number of emails in a campaign"
    )


def _number(found: Sequence[Any]) -> str:
    return f"{len(found)} can be read" if found else "none"


def _of_a_list(
    make: Callable[[int], Call[Any]], *, filled: bool = False
) -> Callable[[Mapping[str, Any]], Call[Any] | None]:
    """The read of one mailing list, if there is one; with ``filled``, one with active contacts."""

    def call(values: Mapping[str, Any]) -> Call[Any] | None:
        lists: Sequence[MailingList] = values.get("mailing lists", ())
        ids = [one.id for one in lists if one.active_email_qty or not filled]
        return make(ids[0]) if ids else None

    return call


def _campaign(values: Mapping[str, Any]) -> Call[Any] | None:
    campaigns = values.get("campaigns", ())
    return GetCampaign(campaigns[0].id) if campaigns else None


CHECKS: Sequence[Check] = (
    Check("account", GetUserInfo(), lambda found: "the credential works"),
    Check("senders", ListSenders(), _senders),
    Check("balance", GetBalance()),
    Check("tariff", GetBalanceDetails(), _money),
    Check("mailing lists", ListMailingLists(limit=100), _number),
    Check("mailing list", _of_a_list(GetMailingList)),
    Check("variables", _of_a_list(ListVariables), _number),
    Check("contacts", _of_a_list(lambda id: ListContacts(id, limit=10), filled=True), _number),
    Check("contact count", _of_a_list(CountContacts, filled=True)),
    Check("cost", _of_a_list(GetCost, filled=True), _cost),
    Check("campaigns", ListCampaigns(limit=10), _number),
    Check("campaign", _campaign),
    Check("templates", ListTemplates(limit=10), _number),
    Check("webhooks", ListWebhooks(), _number),
    Check("tags", ListTags(), _number),
)
