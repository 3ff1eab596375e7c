"""The sms.by operations on mailing lists, subscriptions and templates."""

from mailkit.sandbox.delivery import complained, is_address
from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.fields import (
    address,
    is_number,
    number,
    required,
    status_error,
    unverified,
)
from mailkit.sandbox.smsby.state import Desk, MailingList
from mailkit.sandbox.truth import normalised

MAX_CONTACTS = 500
MAX_FIELDS = 30


def create(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """A new, empty mailing list."""
    required(fields, "name")
    account = desk.account
    made = MailingList(account.next_list_id, fields.text("name"))
    made.unsubscribed |= account.unsubscribed
    account.next_list_id += 1
    account.lists[made.id] = made
    return {"status": "OK", "result": {"list_id": made.id}}


def import_contacts(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """Add or update contacts; rows with a wrong address are counted and logged."""
    required(fields, "list_id", "field_names", "data")
    target = desk.account.lists.get(number(fields, "list_id"))
    if target is None:
        raise status_error(404, "Mailing list not found")
    names, rows = fields["field_names"], fields["data"]
    if isinstance(names, str) or isinstance(rows, str):
        raise unverified("field_names and data", "arrays are needed")
    if len(names) > MAX_FIELDS or len(rows) > MAX_CONTACTS:
        raise unverified("data", f"at most {MAX_CONTACTS} contacts of {MAX_FIELDS} fields a call")
    if not {"email", "phone"} & {name for name in names.values() if isinstance(name, str)}:
        raise unverified("field_names", "email or phone must be among them")
    inserted = updated = 0
    log: list[dict[str, object]] = []
    for index, row in rows.items():
        contact = {} if isinstance(row, str) else _contact(names, row)
        email, phone = normalised(contact.get("email", "")), contact.get("phone", "").strip()
        if (email and not is_address(email)) or not (email or phone):
            log.append({"index": index, "error_message": "Wrong address"})
            continue
        key = email or phone
        if key in target.contacts:
            updated += 1
        else:
            inserted += 1
        target.contacts.setdefault(key, {}).update(contact)
    result: dict[str, object] = {"inserted": inserted, "updated": updated, "invalid": len(log)}
    if log:
        result["log"] = log
    return {"status": "OK", "result": result}


def unsubscribe(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """Take an address off the given lists, or off everything."""
    required(fields, "email")
    who = address(fields, "email")
    chosen = _chosen(desk, fields)
    if chosen is None:
        _leave(desk, who)
    for mailing_list in chosen or ():
        mailing_list.unsubscribed.add(who)
    return {"status": "OK"}


def subscribe(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """Undo an unsubscription on the given lists, or altogether."""
    required(fields, "email")
    who = address(fields, "email")
    chosen = _chosen(desk, fields)
    account = desk.account
    if chosen is None:
        account.unsubscribed.discard(who)
        account.resubscribed.add(who)
    for mailing_list in account.lists.values() if chosen is None else chosen:
        mailing_list.unsubscribed.discard(who)
    return {"status": "OK"}


def templates(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """All templates of the account."""
    return {"status": "OK", "result": desk.account.templates}


def hear_complaints(desk: Desk) -> None:
    """Unsubscribe the readers who have complained by now."""
    complaints = desk.account.complaints
    due = [who for who, began in complaints.items() if complained(who, began, desk.now)]
    for who in due:
        del complaints[who]
        _leave(desk, who)


def _leave(desk: Desk, who: str) -> None:
    desk.account.unsubscribed.add(who)
    desk.account.resubscribed.discard(who)
    for mailing_list in desk.account.lists.values():
        mailing_list.unsubscribed.add(who)


def _chosen(desk: Desk, fields: PhpArray) -> list[MailingList] | None:
    """The lists named in list_ids, or None if the parameter is absent."""
    if "list_ids" not in fields:
        return None
    chosen = []
    for part in fields.text("list_ids").split(","):
        text = part.strip()
        found = desk.account.lists.get(int(text)) if is_number(text) else None
        if found is None:
            raise status_error(404, "Mailing list not found")
        chosen.append(found)
    return chosen


def _contact(names: PhpArray, row: PhpArray) -> dict[str, str]:
    return {
        name: value
        for column, name in names.items()
        if isinstance(name, str) and isinstance(value := row.get(column), str)
    }
