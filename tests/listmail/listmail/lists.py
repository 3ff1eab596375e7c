"""Lists, and the contacts in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import attrs

from mailkit.provider import Call, Resource, WireFormat, arg, get, method, post, put

__all__ = ["Contact", "ListState", "MailingList", "MailingLists"]


class ListState(StrEnum):
    """Whether a list can be mailed."""

    IMPORTING = "importing"
    READY = "ready"


@attrs.frozen
class MailingList:
    """A list, and how many contacts it has."""

    id: int
    name: str
    state: ListState
    total: int


@attrs.frozen
class Contact:
    """An address, and the values of the merge fields."""

    email: str
    fields: Mapping[str, str] = attrs.field(factory=dict[str, str])


def _trees(contacts: Sequence[Contact], wire_format: WireFormat) -> list[dict[str, object]]:
    return [{"email": contact.email, "fields": contact.fields} for contact in contacts]


@put("/v1/lists/{name}", repeatable=True)
class CreateList(Call[MailingList]):
    """Make an empty list; Refused with the code ``list_exists`` if there is one of this name."""

    name: str


@get("/v1/lists", repeatable=True)
class FindLists(Call[list[MailingList]]):
    """The lists of this name: one, or none."""

    name: str


@get("/v1/lists/{list_id}", repeatable=True)
class GetList(Call[MailingList]):
    """A list."""

    list_id: int


@post("/v1/lists/{list_id}/contacts", repeatable=True)
class AddContacts(Call[MailingList]):
    """Add up to 500 contacts, or replace those of the same address.

    A single bad one refuses them all, and the words don't say which one it is.
    """

    list_id: int
    contacts: Sequence[Contact] = arg(write=_trees)


class MailingLists(Resource):
    """Lists."""

    create = method(CreateList)
    find = method(FindLists)
    get = method(GetList)
    add_contacts = method(AddContacts)
