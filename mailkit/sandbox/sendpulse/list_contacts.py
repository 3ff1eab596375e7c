"""The SendPulse operations on the contacts of one mailing list."""

from collections.abc import Iterator, Mapping
from datetime import date

from mailkit.sandbox.delivery import is_address, meaning
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse import lifecycle, serializers
from mailkit.sandbox.sendpulse.codes import NEW_OR_ACTIVE, ContactStatus, WebhookAction
from mailkit.sandbox.sendpulse.fields import Params, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import Contact, Context, MailingList
from mailkit.sandbox.truth import Mailing, normalized

MAX_ADDRESSES = 100
LANGUAGES = ("en", "ru", "ua", "tr", "es", "pt")


@endpoint("sendpulse.mailing_lists.contacts", "GET /addressbooks/{id}/emails")
def page(context: Context, params: Params) -> object:
    """A page of contacts in the order in which they were added."""
    contacts = list(params.mailing_list(context).contacts.values())
    if _is_set(params, "active") or _is_set(params, "not_active"):
        wanted = _is_set(params, "active")
        contacts = [
            one for one in contacts if (lifecycle.status(context, one) in NEW_OR_ACTIVE) == wanted
        ]
    return [serializers.row(context, one) for one in contacts[params.page()]]


@endpoint(
    "sendpulse.mailing_lists.find_by_variable", "GET /addressbooks/{id}/variables/{name}/{value}"
)
def find(context: Context, params: Params) -> object:
    """The contacts whose variable has the value."""
    name, value = params.args["name"], params.args["value"]
    return [
        {"email": one.email, "status": status, "status_explain": status.label}
        for one in params.mailing_list(context).contacts.values()
        if str(_variable(one, name)) == value
        for status in [lifecycle.status(context, one)]
    ]


@endpoint("sendpulse.mailing_lists.add_contacts", "POST /addressbooks/{id}/emails")
def add(context: Context, params: Params) -> object:
    """Add or update contacts; invalid addresses are silently skipped."""
    found = params.mailing_list(context)
    for contact in _put(context, found, list(_entries(params)), ContactStatus.NEW):
        _notify_new(context, found, contact)
    return {"result": True}


@endpoint(
    "sendpulse.mailing_lists.add_contacts_double_opt_in",
    "POST /addressbooks/{id}/emails",
    when=("confirmation", "force"),
)
def add_confirmed(context: Context, params: Params) -> object:
    """The same, but new contacts are asked to confirm; those who have not yet are asked again."""
    found = params.mailing_list(context)
    entries = list(_entries(params))
    sender = context.account.senders.get(params.address("sender_email"))
    if params.fields.get("message_lang") not in LANGUAGES:
        raise wrong("message_lang", f"must be one of {', '.join(LANGUAGES)}")
    if (sender is None or not sender.active) and not context.settings.any_sender:
        raise refuse(422, "Sender is not active", 422)
    new = _put(context, found, entries, ContactStatus.CONFIRMATION_REQUESTED)
    for contact in new:
        _notify_new(context, found, contact)
    given = dict.fromkeys(normalized(email) for email, _ in entries)
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
    """Take contacts off the list; addresses that are not on it are ignored."""
    found = params.mailing_list(context)
    for email in params.addresses("emails", MAX_ADDRESSES):
        if found.contacts.pop(email, None) is not None:
            lifecycle.notify_deleted(context, found, email)
    return {"result": True}


@endpoint("sendpulse.mailing_lists.unsubscribe", "POST /addressbooks/{id}/emails/unsubscribe")
def unsubscribe(context: Context, params: Params) -> object:
    """Contacts of the list get no more emails through it."""
    found = params.mailing_list(context)
    for email in params.addresses("emails", MAX_ADDRESSES):
        if email in found.contacts:
            lifecycle.unsubscribe(context.account, found, email, context.now)
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
        "phone": serializers.phone(context, one),
        "status": status,
        "status_explain": status.label,
        "variables": serializers.variables(one),
    }


@endpoint("sendpulse.mailing_lists.set_phone", "PUT /addressbooks/{id}/phone")
def set_phone(context: Context, params: Params) -> object:
    """Set the phone of a contact."""
    one = _contact(params.mailing_list(context), params.address())
    one.phone = params.text("phone").strip()
    return {"result": True}


@endpoint("sendpulse.mailing_lists.set_variables", "POST /addressbooks/{id}/emails/variable")
def set_variables(context: Context, params: Params) -> object:
    """Set variables of a contact; their types must be those of the list."""
    found = params.mailing_list(context)
    one = _contact(found, params.address())
    rows = params.from_json("variables")
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


def _entries(params: Params) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Address and variables of each entry; HTTP 422 for anything else."""
    entries = params.from_json("emails")
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
    context: Context,
    found: MailingList,
    entries: list[tuple[str, Mapping[str, object]]],
    status: ContactStatus,
) -> list[Contact]:
    new: list[Contact] = []
    for raw, variables in entries:
        email = normalized(raw)
        one = found.contacts.get(email)
        if one is None:
            if not is_address(email) or meaning(email) in ("invalid", "missing"):
                continue
            one = Contact(email, _first_status(context, email, status), context.now)
            found.contacts[email] = one
            new.append(one)
        if variables:
            _set(found, one, variables)
    found.loading_until = max(found.loading_until, context.now + context.settings.loading)
    return new


def _first_status(context: Context, email: str, status: ContactStatus) -> ContactStatus:
    if email in context.account.left_all:
        return ContactStatus.UNSUBSCRIBED_FROM_ALL
    return ContactStatus.UNSUBSCRIBED if meaning(email) == "unsubscribed" else status


def _set(found: MailingList, one: Contact, variables: Mapping[str, object]) -> None:
    for name, value in variables.items():
        if name.lower() == "phone":
            one.phone = str(value)
        else:
            one.variables[name] = value
            found.types.setdefault(name, serializers.kind(value))


def _check_type(found: MailingList, name: str, value: object) -> None:
    known = found.types.get(name, "string")
    if known == "number" and serializers.kind(value) != "number":
        raise wrong("variables", f"must have a number as {name}")
    if known == "date":
        try:
            if serializers.kind(value) != "date":
                raise ValueError
            date.fromisoformat(str(value))
        except ValueError:
            raise wrong("variables", f"must have a date YYYY-MM-DD as {name}") from None


def _variable(one: Contact, name: str) -> object:
    return one.phone if name.lower() == "phone" else one.variables.get(name)


def _contact(found: MailingList, email: str) -> Contact:
    one = found.contacts.get(email)
    if one is None:
        raise not_found("Email not found", 303)
    return one


def _is_set(params: Params, name: str) -> bool:
    return params.query.text(name).lower() in ("1", "true")


def _notify_new(context: Context, found: MailingList, one: Contact) -> None:
    event = {
        "email": one.email,
        "book_id": str(found.id),
        "variables": serializers.variables(one),
        "source": "address book",
    }
    context.account.webhook_queue.put(WebhookAction.NEW_EMAILS, context.now, event)
