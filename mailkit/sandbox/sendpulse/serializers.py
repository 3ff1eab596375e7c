"""Lists and contacts as the service writes them, in the shapes that differ from page to page."""

from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse import lifecycle
from mailkit.sandbox.sendpulse.lists import Contact, MailingList
from mailkit.sandbox.sendpulse.state import Context


def mailing_list(context: Context, found: MailingList, *, phones: bool) -> dict[str, object]:
    """A list with its counters; only the overview of all lists counts new phones."""
    total = found.count(context.now, context.settings)
    active = max(0, total - lifecycle.count_inactive(context, found))
    status = found.status(context.now, context.settings)
    return {
        "id": found.id,
        "name": found.name,
        "all_email_qty": total,
        "active_email_qty": active,
        "inactive_email_qty": total - active,
        **({"new_phones_quantity": 0} if phones else {}),
        "active_phones_quantity": len(found.phones),
        "exc_phones_quantity": 0,
        "creationdate": context.date(found.created_at),
        "status": status,
        "status_explain": status.label,
    }


def row(context: Context, found: MailingList, contact: Contact) -> dict[str, object]:
    """A contact in a page of its list: variables as an object, or an empty array."""
    status = lifecycle.status(context, contact)
    written: dict[str, object] = {
        "email": contact.email,
        "status": status,
        "status_explain": status.label,
        "variables": contact.variables or [],
    }
    if contact.email in found.phones or context.quirk():
        written["phone"] = phone(context, found, contact)
    return written


def phone(context: Context, found: MailingList, contact: Contact) -> object:
    """A phone as a text, or now and then as a number."""
    text = found.phones.get(contact.email, "")
    return int(text) if is_number(text) and context.quirk() else text
