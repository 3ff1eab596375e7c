"""The sms.by operations on subscriptions, and the readers who complain."""

from mailkit.sandbox.delivery import complained
from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.fields import address, is_number, required, status_error
from mailkit.sandbox.smsby.state import Context, MailingList


def unsubscribe(context: Context, fields: PhpArray, files: tuple[File, ...]) -> object:
    """Take an address off the given lists, or off everything."""
    required(fields, "email")
    who = address(fields, "email")
    chosen = _chosen(context, fields)
    if chosen is None:
        _leave(context, who)
    for mailing_list in chosen or ():
        mailing_list.unsubscribed.add(who)
    return {"status": "OK"}


def subscribe(context: Context, fields: PhpArray, files: tuple[File, ...]) -> object:
    """Undo an unsubscription on the given lists, or altogether."""
    required(fields, "email")
    who = address(fields, "email")
    chosen = _chosen(context, fields)
    account = context.account
    if chosen is None:
        account.unsubscribed.discard(who)
        account.resubscribed.add(who)
    for mailing_list in account.lists.values() if chosen is None else chosen:
        mailing_list.unsubscribed.discard(who)
    return {"status": "OK"}


def hear_complaints(context: Context) -> None:
    """Unsubscribe the readers who have complained by now."""
    complaints = context.account.complaints
    due = [who for who, began in complaints.items() if complained(who, began, context.now)]
    for who in due:
        del complaints[who]
        _leave(context, who)


def _leave(context: Context, who: str) -> None:
    context.account.unsubscribed.add(who)
    context.account.resubscribed.discard(who)
    for mailing_list in context.account.lists.values():
        mailing_list.unsubscribed.add(who)


def _chosen(context: Context, fields: PhpArray) -> list[MailingList] | None:
    """The lists named in list_ids, or None if the parameter is absent."""
    if "list_ids" not in fields:
        return None
    chosen = []
    for part in fields.text("list_ids").split(","):
        text = part.strip()
        found = context.account.lists.get(int(text)) if is_number(text) else None
        if found is None:
            raise status_error(404, "Mailing list not found")
        chosen.append(found)
    return chosen
