"""The sms.by operations on mailing lists."""

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.fields import mailing_list, number, required, unverified
from mailkit.sandbox.smsby.state import Context, MailingList
from mailkit.sandbox.truth import normalized

MAX_CONTACTS = 500
MAX_FIELDS = 30


@endpoint("smsby.mailing_lists.create", "POST /api/v2/createSubscriberList", parameters="either")
def create(context: Context, fields: PhpArray) -> object:
    """A new, empty mailing list."""
    required(fields, "name")
    account = context.account
    made = MailingList(account.next_list_id, fields.text("name"))
    made.unsubscribed |= account.unsubscribed
    account.next_list_id += 1
    account.lists[made.id] = made
    return {"status": "OK", "result": {"list_id": made.id}}


@endpoint("smsby.mailing_lists.import_contacts", "POST /api/v2/importContacts", parameters="either")
def import_contacts(context: Context, fields: PhpArray) -> object:
    """Add or update contacts; rows with a wrong address are counted and logged."""
    required(fields, "list_id", "field_names", "data")
    target = mailing_list(context, number(fields, "list_id"))
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
        email, phone = normalized(contact.get("email", "")), contact.get("phone", "").strip()
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


def _contact(names: PhpArray, row: PhpArray) -> dict[str, str]:
    return {
        name: value
        for column, name in names.items()
        if isinstance(name, str) and isinstance(value := row.get(column), str)
    }
