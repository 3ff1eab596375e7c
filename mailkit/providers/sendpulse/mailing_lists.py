"""Mailing lists and what is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from mailkit.core.call import Call, Resource, arg, delete, get, method, post, put, wire
from mailkit.core.model import Model
from mailkit.core.reading import new_id
from mailkit.core.wire import Missing
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.codes import MailingListStatus
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE
from mailkit.providers.sendpulse.list_contacts import (
    AddContacts,
    AddContactsDoubleOptIn,
    CountContacts,
    FindByVariable,
    GetContact,
    ListContacts,
    RemoveContacts,
    SetPhone,
    SetVariables,
    Unsubscribe,
)
from mailkit.providers.sendpulse.models import CampaignName, Contact
from mailkit.providers.sendpulse.pages import batched, named, only, paged

__all__ = ["Cost", "MailingList", "MailingLists", "Variable"]


@attrs.frozen
class MailingList(Model):
    """A mailing list; ``created`` is in the account's zone, and naive."""

    id: int
    name: str = ""
    all_email_qty: int = 0
    active_email_qty: int = 0
    inactive_email_qty: int = 0
    new_phones_quantity: int = 0
    active_phones_quantity: int = 0
    exc_phones_quantity: int = 0
    created: datetime | None = attrs.field(default=None, metadata=wire("creationdate"))
    status: MailingListStatus | int | None = None
    status_explain: str = ""


@attrs.frozen
class Variable(Model):
    """A variable that contacts of a list can have, and its type: string, number or date."""

    name: str
    type: str = ""


@attrs.frozen
class Cost(Model):
    """What a campaign to a list would cost.

    ``affordable`` says whether there is enough money, ``max_emails_per_task`` how many addresses
    the tariff allows in one campaign.
    """

    affordable: bool = attrs.field(metadata=wire("result"))
    currency: str = attrs.field(default="", metadata=wire("cur"))
    sent_emails_qty: int = 0
    overdraft_price: Decimal | None = attrs.field(
        default=None, metadata=wire("overdraftAllEmailsPrice")
    )
    from_balance: int = attrs.field(default=0, metadata=wire("addressesDeltaFromBalance"))
    from_tariff: int = attrs.field(default=0, metadata=wire("addressesDeltaFromTariff"))
    max_emails_per_task: int | None = None


@post("/addressbooks", repeatable=False, pick=new_id("id"))
class CreateMailingList(Call[int]):
    """Create a mailing list and return its id.

    Names are unique: Refused with code 203 for one that exists.
    """

    name: str = arg(wire="bookName", write=fields.one_line("name"))


@put("/addressbooks/{id}", repeatable=True, pick=confirmed)
class RenameMailingList(Call[None]):
    """Rename a mailing list."""

    id: int
    name: str = arg(write=fields.one_line("name"))


@get("/addressbooks", repeatable=True)
class ListMailingLists(Call[list[MailingList]]):
    """A page of the account's mailing lists, ``limit`` at most 100; ``iter_lists`` has them all."""

    limit: int | None = None
    offset: int | None = None

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)


def _one(tree: Any) -> Any:
    """The list in the response, which is a list of lists."""
    if tree == []:
        raise Missing("there is no mailing list with this id")
    return only(tree)


@get("/addressbooks/{id}", repeatable=True, pick=_one)
class GetMailingList(Call[MailingList]):
    """One mailing list; NotFound if there is none with this id."""

    id: int


@get("/addressbooks/{id}/variables", repeatable=True)
class ListVariables(Call[list[Variable]]):
    """The variables that contacts of the list can have."""

    id: int


@delete("/addressbooks/{id}", repeatable=True, body="none", pick=confirmed, gone=GONE)
class DeleteMailingList(Call[None]):
    """Delete the list with its contacts."""

    id: int


@get("/addressbooks/{id}/cost", repeatable=True)
class GetCost(Call[Cost]):
    """What a campaign to the list would cost, and whether the balance covers it."""

    id: int


@get("/addressbooks/{id}/campaigns", repeatable=True)
class ListCampaignsOfList(Call[list[CampaignName]]):
    """A page of the campaigns that went to the list; ``iter_campaigns`` has them all."""

    id: int
    limit: int | None = None
    offset: int | None = None

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)


class MailingLists(Resource):
    """Mailing lists and their contacts."""

    create = method(CreateMailingList)
    rename = method(RenameMailingList)
    list = method(ListMailingLists)
    get = method(GetMailingList)
    variables = method(ListVariables)
    contacts = method(ListContacts)
    count = method(CountContacts)
    find_by_variable = method(FindByVariable)
    add_contacts = method(AddContacts)
    add_contacts_double_opt_in = method(AddContactsDoubleOptIn)
    set_phone = method(SetPhone)
    remove_contacts = batched(RemoveContacts)
    delete = method(DeleteMailingList)
    cost = method(GetCost)
    campaigns = method(ListCampaignsOfList)
    contact = method(GetContact)
    set_variables = method(SetVariables)
    unsubscribe = batched(Unsubscribe)

    def iter_lists(self) -> AsyncIterator[MailingList]:
        """All mailing lists of the account, page by page."""
        return paged(self.list)

    def iter_contacts(
        self, id: int, *, active: bool | None = None, not_active: bool | None = None
    ) -> AsyncIterator[Contact]:
        """All contacts of the list, page by page; see ``contacts``.

        A contact added or removed meanwhile can shift another past the page's edge.
        """
        return paged(lambda limit, offset: self.contacts(id, limit, offset, active, not_active))

    def iter_campaigns(self, id: int) -> AsyncIterator[CampaignName]:
        """All campaigns that went to the list, page by page."""
        return paged(lambda limit, offset: self.campaigns(id, limit, offset))

    async def find_by_name(self, name: str) -> MailingList | None:
        """The mailing list of this name, or None; names are unique in an account.

        Looks through all lists, page by page: one that is deleted meanwhile can hide another.
        """
        return await named(self.iter_lists(), name)

    async def find_campaign(self, id: int, name: str) -> CampaignName | None:
        """A campaign of this name among those that went to the list, or None."""
        return await named(self.iter_campaigns(id), name)
