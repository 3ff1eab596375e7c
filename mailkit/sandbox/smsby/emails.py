"""The sms.by operations that send one message, or one to a list, and report on its emails."""

from collections.abc import Iterable

from mailkit.sandbox.delivery import is_address, meaning, opted_out
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.fields import (
    address,
    begins_at,
    error_at_200,
    flag,
    mailing_list,
    number,
    required,
    status_error,
    unverified,
)
from mailkit.sandbox.smsby.state import Context, Message, Sending
from mailkit.sandbox.truth import AttachedFile, Mailing

INCORRECT = "Incorrect recipient address"
OPTED_OUT = "Recipient has unsubscribed"
LEAVING = ("complaint", "unsubscribes", "leaves")


@endpoint("smsby.emails.send", "POST /api/v2/sendEmail")
def send(context: Context, fields: PhpArray) -> object:
    """One message to one address."""
    required(fields, "sender_email", "subject", "message", "email")
    sending = new_sending(context, fields)
    to = address(fields, "email")
    reason = objection(context, to)
    if reason == INCORRECT:
        raise unverified("email", reason)
    if reason:
        raise error_at_200(reason)
    email_id = _email_ids(context, 1)
    if meaning(to) != "missing":
        content = (fields.text("subject"), fields.text("message"))
        message = Message(0, email_id, sending, [to], {})
        record(context, "smsby.emails.send", [message], [content])
    return {"status": "OK", "result": {"email_id": email_id}}


@endpoint("smsby.emails.send_to_list", "POST /api/v2/sendEmailByList")
def send_to_list(context: Context, fields: PhpArray) -> object:
    """One message to everybody on a mailing list who has not unsubscribed from it."""
    required(fields, "list_id", "sender_email", "subject", "message")
    sending = new_sending(context, fields)
    found = mailing_list(context, number(fields, "list_id"))
    addresses = [
        contact
        for contact in found.contacts
        if "@" in contact
        and contact not in found.unsubscribed
        and not opted_out(contact, (), context.account.resubscribed)
    ]
    if not addresses:
        raise error_at_200("The mailing list has no recipients")
    content = (fields.text("subject"), fields.text("message"))
    rows = [(to, INCORRECT if meaning(to) == "invalid" else "") for to in addresses]
    message = new_message(context, sending, rows)
    contents = [content] * len(recipients(message))
    record(context, "smsby.emails.send_to_list", [message], contents)
    return {"status": "OK", "result": {"message_id": message.id, "count_emails": len(addresses)}}


@endpoint("smsby.emails.delivery_list", "POST /api/v2/getEmailDeliveryList")
def delivery_list(context: Context, fields: PhpArray) -> object:
    """The emails of one message with their states; some addresses come with a leading space."""
    required(fields, "message_id")
    message = context.account.messages.get(number(fields, "message_id"))
    if message is None:
        raise status_error(200, "Message not found")
    rows = []
    for position in range(message.shown(context.now, context.settings.status_delay)):
        status, error = message.status(position, context.now, context.settings)
        blank = " " if position % 2 == 0 else ""
        rows.append(
            {
                "email_id": str(message.first_email_id + position),
                "email": blank + message.addresses[position],
                "status": status,
                "error": error,
            }
        )
    return {"status": "OK", "result": rows}


def objection(context: Context, to: str) -> str:
    """Why the service would not mail this address, or ""."""
    if not is_address(to) or to.startswith("invalid"):
        return INCORRECT
    if opted_out(to, context.account.unsubscribed, context.account.resubscribed):
        return OPTED_OUT
    return ""


def new_sending(context: Context, fields: PhpArray) -> Sending:
    """Who sends, when, and how opens are tracked."""
    begins = begins_at(fields, context.now)
    flag(fields, "track_click")
    return Sending(
        name=fields.text("name") or f"Mailing {context.account.next_message_id}",
        sender_email=address(fields, "sender_email"),
        sender_name=fields.text("sender_name"),
        accepted_at=context.now,
        begins_at=begins,
        tracked=flag(fields, "track_open"),
    )


def new_message(context: Context, sending: Sending, rows: Iterable[tuple[str, str]]) -> Message:
    """Keep (address, reason) rows as one message; addresses to be forgotten are left out."""
    kept = [row for row in rows if row[1] or not row[0].startswith("missing")]
    account = context.account
    message = Message(
        id=account.next_message_id,
        first_email_id=_email_ids(context, len(kept)),
        sending=sending,
        addresses=[to for to, _ in kept],
        refused={position: reason for position, (_, reason) in enumerate(kept) if reason},
    )
    account.next_message_id += 1
    account.messages[message.id] = message
    return message


def recipients(message: Message) -> list[str]:
    """The addresses that are mailed."""
    if not message.refused:
        return message.addresses
    return [to for at, to in enumerate(message.addresses) if at not in message.refused]


def _email_ids(context: Context, count: int) -> int:
    first = context.account.next_email_id
    context.account.next_email_id += count
    return first


def record(
    context: Context,
    operation: str,
    messages: list[Message],
    contents: list[tuple[str, str]],
) -> None:
    """Count the emails in the truth; `contents` holds subject and text of each."""
    addresses = [to for message in messages for to in recipients(message)]
    if not addresses:
        return
    sending = messages[0].sending
    subject = contents[0][0] if contents[0] is contents[-1] else ""
    attached = tuple(
        AttachedFile(file.name, len(file.data))
        for file in context.files
        if file.field == "attachment"
    )
    mailing = Mailing(
        operation,
        context.now,
        sending.sender_email,
        subject,
        addresses,
        attached,
        sender_name=sending.sender_name,
        origin=messages,
    )
    context.truth.record(mailing, contents)
    for to in addresses:
        if to.startswith(LEAVING):
            context.account.leaving.setdefault(to, sending.begins_at)
