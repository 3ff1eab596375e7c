"""The SendPulse operations on the contacts of one mailing list."""

from collections.abc import Iterable
from datetime import date
from itertools import islice

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse import contact_entries, events, lifecycle, serializers, tags
from mailkit.sandbox.sendpulse.codes import NEW_OR_ACTIVE, ContactStatus
from mailkit.sandbox.sendpulse.fields import Params, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.lists import Contact, MailingList, kind
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.truth import Mailing

MAX_ADDRESSES = 100
LANGUAGES = ("en", "ru", "ua", "tr", "es", "pt")


@endpoint("sendpulse.mailing_lists.contacts", "GET /addressbooks/{id}/emails")
def page(context: Context, params: Params) -> object:
    """A page of contacts in the order in which they were added."""
    found, part = params.mailing_list(context), params.page()
    shown = found.count(context.now, context.settings)
    contacts: Iterable[Contact] = islice(found.contacts.values(), shown)
    if _is_set(params, "active") or _is_set(params, "not_active"):
        wanted = _is_set(params, "active")
        contacts = (
            one for one in contacts if (lifecycle.status(context, one) in NEW_OR_ACTIVE) == wanted
        )
    rows = islice(contacts, part.start, part.stop)
    return [serializers.row(context, found, one) for one in rows]


@endpoint(
    "sendpulse.mailing_lists.find_by_variable", "GET /addressbooks/{id}/variables/{name}/{value}"
)
def find(context: Context, params: Params) -> object:
    """The contacts whose variable has the value."""
    name, value, found = params.args["name"], params.args["value"], params.mailing_list(context)
    if name not in found.types and name.lower() != "phone":
        raise not_found("Variable not found", 299)
    return [
        {"email": one.email, "status": status, "status_explain": status.label}
        for one in found.contacts.values()
        if str(_variable(found, one, name)) == value
        for status in [lifecycle.status(context, one)]
    ]


@endpoint("sendpulse.mailing_lists.add_contacts", "POST /addressbooks/{id}/emails")
def add(context: Context, params: Params) -> object:
    """Add or update contacts; one bad address refuses them all.

    `dont_update` leaves those alone who are there, `disable_webhook` tells nobody, `tags` are given
    to all.
    """
    found, entries = params.mailing_list(context), contact_entries.entries(context, params)
    labels = tags.chosen(context, params) if params.given("tags") else []
    if params.flag("dont_update"):
        entries = [one for one in entries if one[0] not in found.contacts]
    new = contact_entries.put(context, found, entries, ContactStatus.NEW)
    if labels:
        tags.pin(context, [one[0] for one in entries], labels)
    if not params.flag("disable_webhook"):
        events.notify_new(context, found, new)
    return {"result": True}


@endpoint(
    "sendpulse.mailing_lists.add_contacts_double_opt_in",
    "POST /addressbooks/{id}/emails",
    when=("confirmation", "force"),
)
def add_confirmed(context: Context, params: Params) -> object:
    """The same, but new contacts are asked to confirm; those who have not yet are asked again."""
    found = params.mailing_list(context)
    entries = contact_entries.entries(context, params)
    sender = context.account.senders.get(params.address("sender_email"))
    if params.fields.get("message_lang") not in LANGUAGES:
        raise wrong("message_lang", f"must be one of {', '.join(LANGUAGES)}")
    if (sender is None or not sender.active) and not context.settings.any_sender:
        raise refuse(422, "Sender is not valid", 422)
    new = contact_entries.put(context, found, entries, ContactStatus.CONFIRMATION_REQUESTED)
    events.notify_new(context, found, new)
    given = dict.fromkeys(one[0] for one in entries)
    waiting = [
        email
        for email in given
        if email in found.contacts
        and lifecycle.status(context, found.contacts[email]) is ContactStatus.CONFIRMATION_REQUESTED
    ]
    if waiting:
        subject = "Please confirm your subscription"
        mailing = Mailing(
            "sendpulse.mailing_lists.add_contacts_double_opt_in",
            context.now,
            params.text("sender_email"),
            subject,
            waiting,
        )
        context.truth.record(mailing, [(subject, subject)] * len(waiting))
    return {"result": True}


@endpoint("sendpulse.mailing_lists.remove_contacts", "DELETE /addressbooks/{id}/emails")
def remove(context: Context, params: Params) -> object:
    """Take contacts off the list; HTTP 404 with 303 if none of the addresses is on it."""
    found = params.mailing_list(context)
    gone = [email for email in params.addresses("emails", MAX_ADDRESSES) if found.remove(email)]
    if not gone:
        raise not_found("Can't find email addresses in the mailing list", 303)
    for email in gone:
        events.notify_deleted(context, found, email)
    return {"result": True}


@endpoint("sendpulse.mailing_lists.unsubscribe", "POST /addressbooks/{id}/emails/unsubscribe")
def unsubscribe(context: Context, params: Params) -> object:
    """Contacts of the list get no more emails through it; HTTP 422 if none of them is active."""
    found = params.mailing_list(context)
    active = [
        email
        for email in dict.fromkeys(params.addresses("emails", MAX_ADDRESSES))
        if email in found.contacts
        and lifecycle.status(context, found.contacts[email]) in NEW_OR_ACTIVE
    ]
    if not active:
        raise refuse(422, "Active emails not found", 422)
    for email in active:
        events.unsubscribe(context, found, email)
    return {"result": True}


@endpoint("sendpulse.mailing_lists.contact", "GET /addressbooks/{id}/emails/{email}")
def contact(context: Context, params: Params) -> object:
    """One contact of the list."""
    found = params.mailing_list(context)
    one = _contact(found, params.address())
    status = lifecycle.status(context, one)
    return {
        "email": one.email,
        "abook_id": found.id if context.quirk() else str(found.id),
        "phone": serializers.phone(context, found, one),
        "status": status,
        "status_explain": status.label,
        "variables": one.typed_variables,
    }


@endpoint("sendpulse.mailing_lists.set_phone", "PUT /addressbooks/{id}/phone")
def set_phone(context: Context, params: Params) -> object:
    """Set the phone of a contact."""
    found = params.mailing_list(context)
    one = _contact(found, params.address())
    found.phones[one.email] = params.text("phone").strip()
    return {"result": True}


@endpoint("sendpulse.mailing_lists.set_variables", "POST /addressbooks/{id}/emails/variable")
def set_variables(context: Context, params: Params) -> object:
    """Set variables of a contact; their types must be those of the list."""
    found = params.mailing_list(context)
    one = _contact(found, params.address())
    rows = params.structure("variables")
    if not isinstance(rows, list) or not rows:
        raise wrong("variables", "must be a list of name and value")
    values: dict[str, object] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise wrong("variables", "must be a list of name and value")
        if isinstance(row.get("value"), dict | list):
            raise wrong("variables", "must have plain values")
        if not contact_entries.is_name(row["name"], context.settings.variable_name):
            raise wrong("variables", f"can not have {row['name']!r} as a name")
        _check_type(found, row["name"], row.get("value"))
        values[row["name"]] = row.get("value")
    contact_entries.set_variables(found, one, values)
    return {"result": True}


def _check_type(found: MailingList, name: str, value: object) -> None:
    known = found.types.get(name, "string")
    if known == "number" and kind(value) != "number":
        raise wrong("variables", f"must have a number as {name}")
    if known == "date":
        try:
            if kind(value) != "date":
                raise ValueError
            date.fromisoformat(str(value))
        except ValueError:
            raise wrong("variables", f"must have a date YYYY-MM-DD as {name}") from None


def _variable(found: MailingList, one: Contact, name: str) -> object:
    return found.phones.get(one.email) if name.lower() == "phone" else one.variables.get(name)


def _contact(found: MailingList, email: str) -> Contact:
    one = found.contacts.get(email)
    if one is None:
        raise not_found("Can't find the email address", 502)
    return one


def _is_set(params: Params, name: str) -> bool:
    return params.query.text(name).lower() in ("1", "true")
