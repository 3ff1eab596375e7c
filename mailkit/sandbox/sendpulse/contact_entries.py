"""Reading the entries of a request that adds contacts, and putting them on a list."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from mailkit.sandbox.delivery import Meaning, is_address, meaning
from mailkit.sandbox.sendpulse.codes import ContactStatus
from mailkit.sandbox.sendpulse.fields import Params, refuse, wrong
from mailkit.sandbox.sendpulse.lists import Contact, MailingList, kind
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.truth import normalized

Entry: TypeAlias = tuple[str, Meaning, Mapping[str, object]]
"""An address, what it means, and its variables."""

TARIFF_EXCEEDED = 3030303030
_CONTAINERS = (dict, list)


def entries(context: Context, params: Params) -> list[Entry]:
    """Address and variables of each entry; HTTP 422 for anything else."""
    entries = params.structure("emails")
    if not isinstance(entries, list) or not entries:
        raise wrong("emails", "must be a list")
    limit = context.settings.contacts_per_request
    if limit is not None and len(entries) > limit:
        raise wrong("emails", f"may hold {limit} entries at most")
    pattern = context.settings.variable_name
    return [_entry(entry, pattern) for entry in entries]


def _entry(entry: object, pattern: str) -> Entry:
    """One entry; what it says about a status is ignored, as by the service."""
    email, variables = entry, None
    if isinstance(entry, dict):
        email, variables = entry.get("email"), entry.get("variables")
    if not isinstance(email, str):
        raise wrong("emails", "must hold addresses, or objects with an email")
    address = normalized(email)
    word = meaning(address)
    if word == "invalid" or not is_address(address):
        raise refuse(422, "Argument email is invalid", 422)
    if not variables:
        return address, word, {}
    if not isinstance(variables, dict):
        raise wrong("emails", "must have objects as variables")
    for name, value in variables.items():
        if not is_name(name, pattern):
            raise wrong("variables", f"can not have {name!r} as a name")
        if isinstance(value, _CONTAINERS):
            raise wrong("emails", "must have plain values as variables")
    return address, word, variables


@lru_cache(maxsize=4096)
def is_name(name: str, pattern: str) -> bool:
    """Whether a variable can have the name."""
    return re.fullmatch(pattern, name) is not None


def put(
    context: Context, found: MailingList, entries: list[Entry], status: ContactStatus
) -> list[Contact]:
    """Add those who are not on the list, and set everybody's variables; returns the new ones."""
    _check_room(context, found, entries)
    found.load(context.now, context.settings)
    new: list[Contact] = []
    for email, word, variables in entries:
        one = found.contacts.get(email)
        if one is None:
            if word == "missing":
                continue
            first = ContactStatus.UNSUBSCRIBED if word == "unsubscribed" else status
            one = Contact(email, _kept(context, email) or first, context.now)
            found.add(one)
            new.append(one)
        if variables:
            set_variables(found, one, variables)
    return new


def _check_room(context: Context, found: MailingList, entries: list[Entry]) -> None:
    """HTTP 403 if the tariff does not allow so many contacts; an address counts once."""
    room, lists = context.settings.max_subscribers, context.account.lists.values()
    if sum(len(one.contacts) for one in lists) + len(entries) <= room:
        return
    known = {email for one in lists for email in one.contacts}
    known.update(one[0] for one in entries)
    if len(known) > room:
        raise refuse(403, "The tariff does not allow more contacts", TARIFF_EXCEEDED)


def _kept(context: Context, email: str) -> ContactStatus | None:
    """The status of somebody who opted out before and stays so."""
    before = context.account.opted_out.get(email)
    if before is ContactStatus.UNSUBSCRIBED_FROM_ALL or context.settings.opt_outs == "kept":
        return before
    return None


def set_variables(found: MailingList, one: Contact, variables: Mapping[str, object]) -> None:
    """Set variables of a contact; the phone is kept apart from them."""
    if not found.has_seen(variables):
        variables = dict(variables)
        for name in [name for name in variables if name.lower() == "phone"]:
            found.phones[one.email] = str(variables.pop(name))
        for name, value in variables.items():
            found.types.setdefault(name, kind(value))
    found.set_variables(one, variables)
