"""What the account knows about an address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, delete, get, method, post, wire
from mailkit.core.model import Model
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE
from mailkit.providers.sendpulse.models import Contact
from mailkit.providers.sendpulse.pages import many

__all__ = ["ContactDetails", "ContactStats", "Contacts", "ListName"]


@attrs.frozen
class ContactDetails(Model):
    """When and from where an address came into a list; ``add_date`` is naive."""

    list_id: int
    list_name: str = ""
    add_date: datetime | None = None
    source: str = ""


@attrs.frozen
class ListName(Model):
    """A mailing list's id and name."""

    id: int
    name: str = attrs.field(default="", metadata=wire("name", "address_book_name"))


@attrs.frozen
class ContactStats(Model):
    """An address's messages in numbers, its lists, and whether it is in the blacklist; None where
    the response doesn't say.
    """

    sent: int = 0
    opened: int = attrs.field(default=0, metadata=wire("open"))
    clicked: int = attrs.field(default=0, metadata=wire("link"))
    blacklist: bool | None = None
    mailing_lists: tuple[ListName, ...] = attrs.field(
        default=(), metadata=wire("addressbooks", "adressbooks")
    )


def _stats(tree: Any) -> Any:
    """The numbers of one address are a level deeper than those of many."""
    inner = {} if "sent" in tree else tree["statistic"]
    return tree | inner if isinstance(inner, dict) else tree


def _stats_of_many(tree: Any) -> Any:
    """The same of many, where nothing is an empty list."""
    if not isinstance(tree, dict):
        return tree
    return {email: {} if row == [] else row for email, row in tree.items()}


@get("/emails/{email}", repeatable=True, pick=many)
class FindContact(Call[list[Contact]]):
    """The address in each of its mailing lists."""

    email: str


@get("/emails/{email}/details", repeatable=True, pick=many)
class GetDetails(Call[list[ContactDetails]]):
    """When and from where the address came into its lists."""

    email: str


@post("/emails", repeatable=True)
class GetManyContacts(Call[dict[str, list[Contact]]]):
    """Several addresses in their lists, by address, without the unknown ones."""

    emails: Sequence[Address | str] = arg(write=fields.addresses)


@delete("/emails/{email}", repeatable=True, body="none", pick=confirmed, gone=GONE)
class DeleteContact(Call[None]):
    """Remove the address from all mailing lists."""

    email: str


@get("/emails/{email}/campaigns", repeatable=True, pick=_stats)
class GetCampaignStats(Call[ContactStats]):
    """The address's messages in numbers, its lists, and whether it is in the blacklist."""

    email: str


@post("/emails/campaigns", repeatable=True, pick=_stats_of_many)
class GetManyCampaignStats(Call[dict[str, ContactStats]]):
    """The same for several addresses, by address."""

    emails: Sequence[Address | str] = arg(write=fields.addresses)


class Contacts(Resource):
    """Addresses across all mailing lists."""

    get = method(FindContact)
    details = method(GetDetails)
    get_many = method(GetManyContacts)
    delete = method(DeleteContact)
    campaign_stats = method(GetCampaignStats)
    campaign_stats_many = method(GetManyCampaignStats)
