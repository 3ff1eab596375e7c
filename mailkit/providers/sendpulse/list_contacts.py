"""The contacts of a mailing list, the calls behind ``mailing_lists``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import attrs
import msgspec

from mailkit.address import Address
from mailkit.core.call import Call, arg, delete, get, post, put
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import NOBODY_ACTIVE, NOBODY_THERE
from mailkit.providers.sendpulse.models import Contact
from mailkit.providers.sendpulse.pages import BatchResult, all_done, only

__all__ = [
    "AddContacts",
    "AddContactsDoubleOptIn",
    "CountContacts",
    "FindByVariable",
    "GetContact",
    "ListContacts",
    "NewContact",
    "RemoveContacts",
    "SetPhone",
    "SetVariables",
    "Unsubscribe",
]

NewValue = str | int | float | date


@attrs.frozen
class NewContact:
    """An address for a list, with its variables; ``phone`` is one of them, as the service has it.

    A date goes out as YYYY-MM-DD, which is what the service takes for one.
    """

    email: Address | str
    variables: Mapping[str, NewValue] = attrs.field(factory=dict[str, NewValue])
    phone: str | None = None


def _contacts(values: Sequence[NewContact | Address | str], wire_format: WireFormat) -> object:
    emails = fields.plain_addresses(
        [value.email if isinstance(value, NewContact) else value for value in values]
    )
    if not any(isinstance(value, NewContact) for value in values):
        return emails
    contacts = [
        {"email": email, **_variables(value)} for email, value in zip(emails, values, strict=True)
    ]
    return msgspec.Raw(msgspec.json.encode(contacts))


def _variables(contact: NewContact | Address | str) -> Mapping[str, object]:
    if not isinstance(contact, NewContact):
        return {}
    variables: Mapping[str, object] = contact.variables
    if {*map(type, variables.values())} != {str}:
        variables = {name: _value(value) for name, value in contact.variables.items()}
    if contact.phone is not None:
        variables = {**variables, "Phone": contact.phone}
    return {"variables": variables} if variables else {}


def _pairs(values: Mapping[str, NewValue], wire_format: WireFormat) -> object:
    return [{"name": name, "value": _value(value)} for name, value in values.items()]


def _value(value: NewValue) -> object:
    if isinstance(value, datetime):
        raise InvalidArgument(f"variables: {value} has a time; the service keeps dates only")
    return value.isoformat() if isinstance(value, date) else value


@get("/addressbooks/{id}/emails", repeatable=True)
class ListContacts(Call[list[Contact]]):
    """A page of the list's contacts, ``limit`` at most 100; ``iter_contacts`` has them all.

    ``active``: only the new and active ones; ``not_active``: only the others.
    """

    id: int
    limit: int | None = None
    offset: int | None = None
    active: bool | None = None
    not_active: bool | None = None

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)
        if self.active and self.not_active:
            raise InvalidArgument("active and not_active: give one of them, or neither for all")


@get("/addressbooks/{id}/emails/total", repeatable=True, pick="total")
class CountContacts(Call[int]):
    """How many contacts the list has."""

    id: int


@get("/addressbooks/{id}/variables/{variable}/{value}", repeatable=True)
class FindByVariable(Call[list[Contact]]):
    """The list's contacts whose variable has this value."""

    id: int
    variable: str
    value: str | int | float


@post("/addressbooks/{id}/emails", repeatable=True, pick=confirmed)
class AddContacts(Call[None]):
    """Add contacts, or bring known ones up to date; nobody gets a message.

    ``emails`` holds addresses, or NewContacts where there are variables. How many one call takes
    is unpublished. ``tags`` are ids of tags to pin; ``dont_update`` leaves known contacts as they
    are; ``check_emails`` has the service verify the addresses; ``disable_webhook`` calls no
    webhook.
    """

    id: int
    emails: Sequence[NewContact | Address | str] = arg(write=_contacts)
    tags: Sequence[int] | None = None
    dont_update: bool | None = None
    check_emails: bool | None = None
    disable_webhook: bool | None = None

    def __attrs_post_init__(self) -> None:
        fields.some(self.emails, "emails")


@post(
    "/addressbooks/{id}/emails", repeatable=False, fixed={"confirmation": "force"}, pick=confirmed
)
class AddContactsDoubleOptIn(Call[None]):
    """Add contacts and send each a message that asks for confirmation.

    ``sender_email`` must be an activated sender. ``template_id`` names the message, which has a
    default; ``message_lang`` is its language.
    """

    id: int
    emails: Sequence[NewContact | Address | str] = arg(write=_contacts)
    sender_email: Address | str = arg(write=fields.address)
    message_lang: fields.Language
    template_id: str | None = None

    def __attrs_post_init__(self) -> None:
        fields.some(self.emails, "emails")


@put("/addressbooks/{id}/phone", repeatable=True, pick=confirmed)
class SetPhone(Call[None]):
    """Set or change a contact's phone number."""

    id: int
    email: Address | str = arg(write=fields.address)
    phone: str


@delete("/addressbooks/{id}/emails", repeatable=True, read=all_done, gone=NOBODY_THERE)
class RemoveContacts(Call[BatchResult]):
    """Take contacts off the list, any number of them, 100 in a request.

    Raises only if all requests fail; else ``failed`` says whose did.
    """

    id: int
    emails: Sequence[Address | str] = arg(write=fields.addresses)

    def __attrs_post_init__(self) -> None:
        fields.some(self.emails, "emails")


@get("/addressbooks/{id}/emails/{email}", repeatable=True, pick=only)
class GetContact(Call[Contact]):
    """One contact of the list."""

    id: int
    email: str


@post("/addressbooks/{id}/emails/variable", repeatable=True, pick=confirmed)
class SetVariables(Call[None]):
    """Set variables of one contact; those not named stay as they are."""

    id: int
    email: Address | str = arg(write=fields.address)
    variables: Mapping[str, NewValue] = arg(write=_pairs)

    def __attrs_post_init__(self) -> None:
        if not self.variables:
            raise InvalidArgument("variables: give at least one")


@post("/addressbooks/{id}/emails/unsubscribe", repeatable=True, read=all_done, gone=NOBODY_ACTIVE)
class Unsubscribe(Call[BatchResult]):
    """Unsubscribe contacts from the list, any number of them, 100 in a request.

    Raises only if all requests fail; else ``failed`` says whose did.
    """

    id: int
    emails: Sequence[Address | str] = arg(write=fields.addresses)

    def __attrs_post_init__(self) -> None:
        fields.some(self.emails, "emails")
