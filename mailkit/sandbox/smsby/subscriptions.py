"""The sms.by operations on subscriptions, and the recipients who leave by themselves."""

from mailkit.sandbox.delivery import has_left
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import PhpArray, is_number
from mailkit.sandbox.smsby.fields import address, mailing_list, required
from mailkit.sandbox.smsby.state import Context, MailingList


@endpoint("smsby.subscriptions.unsubscribe", "POST /api/v2/unsubscribeEmail")
def unsubscribe(context: Context, fields: PhpArray) -> object:
    """Take an address off the given lists, or off everything."""
    required(fields, "email")
    email = address(fields, "email")
    chosen = _chosen(context, fields)
    if chosen is None:
        leave(context, email)
    for found in chosen or ():
        found.unsubscribed.add(email)
    return {"status": "OK"}


@endpoint("smsby.subscriptions.subscribe", "POST /api/v2/subscribeEmail")
def subscribe(context: Context, fields: PhpArray) -> object:
    """Undo an unsubscription on the given lists, or altogether."""
    required(fields, "email")
    email = address(fields, "email")
    chosen = _chosen(context, fields)
    account = context.account
    if chosen is None:
        account.unsubscribed.discard(email)
        account.resubscribed.add(email)
    for found in account.lists.values() if chosen is None else chosen:
        found.unsubscribed.discard(email)
    return {"status": "OK"}


def let_leave(context: Context) -> None:
    """Unsubscribe the recipients who have complained or unsubscribed by now."""
    leaving = context.account.leaving
    due = [email for email, began in leaving.items() if has_left(email, began, context.now)]
    for email in due:
        del leaving[email]
        leave(context, email)


def leave(context: Context, email: str) -> None:
    """Take an address off everything."""
    context.account.unsubscribed.add(email)
    context.account.resubscribed.discard(email)
    for found in context.account.lists.values():
        found.unsubscribed.add(email)


def _chosen(context: Context, fields: PhpArray) -> list[MailingList] | None:
    """The lists named in list_ids, or None if the parameter is absent."""
    if "list_ids" not in fields:
        return None
    chosen = []
    for part in fields.text("list_ids").split(","):
        text = part.strip()
        chosen.append(mailing_list(context, int(text) if is_number(text) else 0))
    return chosen
