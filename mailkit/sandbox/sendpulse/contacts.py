"""The SendPulse operations on the contacts of one mailing list."""

from collections.abc import Iterator, Mapping
from datetime import date

from mailkit.sandbox.delivery import is_address, meaning
from mailkit.sandbox.sendpulse import life, shapes, words
from mailkit.sandbox.sendpulse.fields import Ask, Refusal, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import (
    ACTIVE,
    LEFT_ALL,
    UNSUBSCRIBED,
    Contact,
    Desk,
    MailingList,
)
from mailkit.sandbox.truth import Mailing, normalised

MAX_ADDRESSES = 100
LANGUAGES = ("en", "ru", "ua", "tr", "es", "pt")


def page(desk: Desk, ask: Ask) -> object:
    """A page of contacts in the order in which they were added."""
    contacts = list(ask.mailing_list(desk).contacts.values())
    if _asked(ask, "active") or _asked(ask, "not_active"):
        wanted = _asked(ask, "active")
        contacts = [one for one in contacts if (life.status(desk, one) in (0, ACTIVE)) == wanted]
    return [shapes.row(desk, one) for one in contacts[ask.page()]]


def find(desk: Desk, ask: Ask) -> object:
    """The contacts whose variable has the value."""
    name, value = ask.args["name"], ask.args["value"]
    return [
        {"email": one.email, "status": code, "status_explain": words.CONTACTS[code]}
        for one in ask.mailing_list(desk).contacts.values()
        if str(_variable(one, name)) == value
        for code in [life.status(desk, one)]
    ]


def add(desk: Desk, ask: Ask) -> object:
    """Add or update contacts; addresses that cannot be are passed over in silence."""
    found = ask.mailing_list(desk)
    for contact in _put(desk, found, list(_entries(ask)), 0):
        _tell_new(desk, found, contact)
    return {"result": True}


def add_confirmed(desk: Desk, ask: Ask) -> object:
    """The same, but new contacts are asked by a message first; those who wait are asked again."""
    found = ask.mailing_list(desk)
    entries = list(_entries(ask))
    sender = desk.account.senders.get(ask.address("sender_email"))
    if ask.fields.get("message_lang") not in LANGUAGES:
        raise wrong("message_lang", f"must be one of {', '.join(LANGUAGES)}")
    if (sender is None or not sender.active) and not desk.settings.any_sender:
        raise refuse(422, "Sender is not active", 422)
    new = _put(desk, found, entries, 2)
    for contact in new:
        _tell_new(desk, found, contact)
    asked = dict.fromkeys(normalised(email) for email, _ in entries)
    waiting = [
        email
        for email in asked
        if email in found.contacts and life.status(desk, found.contacts[email]) == 2
    ]
    if waiting:
        subject = "Please confirm your subscription"
        mailing = Mailing(
            "sendpulse.mailing_lists.add_contacts_double_opt_in",
            desk.now,
            ask.text("sender_email"),
            subject,
            waiting,
        )
        desk.truth.record(mailing, [(subject, subject)] * len(waiting))
    return {"result": True}


def remove(desk: Desk, ask: Ask) -> object:
    """Take contacts off the list; addresses that are not on it do not matter."""
    found = ask.mailing_list(desk)
    for email in ask.addresses("emails", MAX_ADDRESSES):
        if found.contacts.pop(email, None) is not None:
            life.tell_gone(desk, found, email)
    return {"result": True}


def unsubscribe(desk: Desk, ask: Ask) -> object:
    """Contacts of the list get no more messages through it."""
    found = ask.mailing_list(desk)
    for email in ask.addresses("emails", MAX_ADDRESSES):
        if email in found.contacts:
            life.unsubscribe(desk.account, found, email, desk.now)
    return {"result": True}


def contact(desk: Desk, ask: Ask) -> object:
    """One contact of the list."""
    found = ask.mailing_list(desk)
    one = _contact(found, ask.address())
    status = life.status(desk, one)
    return {
        "email": one.email,
        "abook_id": found.id if desk.quirk() else str(found.id),
        "phone": shapes.phone(desk, one),
        "status": status,
        "status_explain": words.CONTACTS[status],
        "variables": shapes.variables(one),
    }


def set_phone(desk: Desk, ask: Ask) -> object:
    """Set the phone of a contact."""
    one = _contact(ask.mailing_list(desk), ask.address())
    one.phone = ask.text("phone").strip()
    return {"result": True}


def set_variables(desk: Desk, ask: Ask) -> object:
    """Set variables of a contact; the types that the list knows are kept to."""
    found = ask.mailing_list(desk)
    one = _contact(found, ask.address())
    rows = ask.serialised("variables")
    if not isinstance(rows, list) or not rows:
        raise wrong("variables", "must be a list of name and value")
    values: dict[str, object] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise wrong("variables", "must be a list of name and value")
        if isinstance(row.get("value"), dict | list):
            raise wrong("variables", "must have plain values")
        _check_type(found, row["name"], row.get("value"))
        values[row["name"]] = row.get("value")
    _set(found, one, values)
    return {"result": True}


def _entries(ask: Ask) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Address and variables of each entry; HTTP 422 for anything else."""
    entries = ask.serialised("emails")
    if not isinstance(entries, list) or not entries:
        raise wrong("emails", "must be a list")
    for entry in entries:
        if isinstance(entry, str):
            yield entry, {}
        elif isinstance(entry, dict) and isinstance(entry.get("email"), str):
            variables = entry.get("variables") or {}
            if not isinstance(variables, dict):
                raise wrong("emails", "must have objects as variables")
            if any(isinstance(value, dict | list) for value in variables.values()):
                raise wrong("emails", "must have plain values as variables")
            yield entry["email"], variables
        else:
            raise wrong("emails", "must hold addresses, or objects with an email")


def _put(
    desk: Desk,
    found: MailingList,
    entries: list[tuple[str, Mapping[str, object]]],
    status: int,
) -> list[Contact]:
    new: list[Contact] = []
    for raw, variables in entries:
        email = normalised(raw)
        one = found.contacts.get(email)
        if one is None:
            if not is_address(email) or meaning(email) in ("invalid", "missing"):
                continue
            one = Contact(email, _first_status(desk, email, status), desk.now)
            found.contacts[email] = one
            new.append(one)
        if variables:
            _set(found, one, variables)
    found.loading_until = max(found.loading_until, desk.now + desk.settings.loading)
    return new


def _first_status(desk: Desk, email: str, status: int) -> int:
    if email in desk.account.left_all:
        return LEFT_ALL
    return UNSUBSCRIBED if meaning(email) == "unsubscribed" else status


def _set(found: MailingList, one: Contact, variables: Mapping[str, object]) -> None:
    for name, value in variables.items():
        if name.lower() == "phone":
            one.phone = str(value)
        else:
            one.variables[name] = value
            found.types.setdefault(name, shapes.kind(value))


def _check_type(found: MailingList, name: str, value: object) -> None:
    known = found.types.get(name, "string")
    if known == "number" and shapes.kind(value) != "number":
        raise wrong("variables", f"must have a number as {name}")
    if known == "date":
        try:
            if shapes.kind(value) != "date":
                raise ValueError
            date.fromisoformat(str(value))
        except ValueError:
            raise wrong("variables", f"must have a date YYYY-MM-DD as {name}") from None


def _variable(one: Contact, name: str) -> object:
    return one.phone if name.lower() == "phone" else one.variables.get(name)


def _contact(found: MailingList, email: str) -> Contact:
    one = found.contacts.get(email)
    if one is None:
        raise _unknown()
    return one


def _unknown() -> Refusal:
    return not_found("Email not found", 303)


def _asked(ask: Ask, name: str) -> bool:
    return ask.query.text(name).lower() in ("1", "true")


def _tell_new(desk: Desk, found: MailingList, one: Contact) -> None:
    event = {
        "email": one.email,
        "book_id": str(found.id),
        "variables": shapes.variables(one),
        "source": "address book",
    }
    desk.account.hooks.tell("new_emails", desk.now, event)
