"""The sms.by operations that send messages and tell what became of them."""

import uuid
from collections.abc import Iterable, Iterator

from mailkit.sandbox.delivery import is_address, meaning, opted_out
from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray, Value
from mailkit.sandbox.smsby.fields import (
    address,
    begins_at,
    error_at_200,
    flag,
    number,
    required,
    status_error,
    unverified,
)
from mailkit.sandbox.smsby.state import Desk, Message, Sending
from mailkit.sandbox.truth import Attached, Mailing, normalised

INCORRECT = "Incorrect recipient address"
OPTED_OUT = "Recipient has unsubscribed"
NO_TEXT = "Letter without subject or text"


def send(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """One message to one address."""
    required(fields, "sender_email", "subject", "message", "email")
    sending = _sending(desk, fields)
    to = address(fields, "email")
    reason = _objection(desk, to)
    if reason == INCORRECT:
        raise unverified("email", reason)
    if reason:
        raise error_at_200(reason)
    email_id = _email_ids(desk, 1)
    if meaning(to) != "missing":
        letter = (fields.text("subject"), fields.text("message"))
        _mail(desk, "smsby.emails.send", sending, [to], [letter], files)
    return {"status": "OK", "result": {"email_id": email_id}}


def send_to_list(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """One message to everybody on a mailing list who has not left it."""
    required(fields, "list_id", "sender_email", "subject", "message")
    sending = _sending(desk, fields)
    found = desk.account.lists.get(number(fields, "list_id"))
    if found is None:
        raise status_error(404, "Mailing list not found")
    addresses = [
        contact
        for contact in found.contacts
        if "@" in contact
        and contact not in found.unsubscribed
        and not opted_out(contact, (), desk.account.resubscribed)
    ]
    if not addresses:
        raise error_at_200("The mailing list has no recipients")
    letter = (fields.text("subject"), fields.text("message"))
    rows = [(to, INCORRECT if meaning(to) == "invalid" else "") for to in addresses]
    message = _message(desk, sending, rows)
    mailed = _mailed(message)
    _mail(desk, "smsby.emails.send_to_list", sending, mailed, [letter] * len(mailed), files)
    return {"status": "OK", "result": {"message_id": message.id, "count_emails": len(addresses)}}


def send_bulk(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """One message to many, or a message of their own to each."""
    required(fields, "sender_email")
    kind = fields.text("message_type") or "bulk"
    if kind not in ("bulk", "personal"):
        raise unverified("message_type", "bulk or personal is needed")
    if kind == "bulk":
        required(fields, "subject", "message")
    sending = _sending(desk, fields)
    entries = fields.get("delivery_list")
    if not entries:
        raise error_at_200("delivery_list is empty")
    if not isinstance(entries, PhpArray):
        raise unverified("delivery_list", "an array is needed")
    common = (fields.text("subject"), fields.text("message"))
    rows: list[tuple[str, str]] = []
    letters: list[tuple[str, str]] = []
    for to, letter in _entries(entries, None if kind == "personal" else common):
        reason = _objection(desk, to) or ("" if letter[0] and letter[1] else NO_TEXT)
        rows.append((to, reason))
        if not reason and not to.startswith("missing"):
            letters.append(letter)
    if desk.settings.strict and any(reason == INCORRECT for _, reason in rows):
        raise unverified("delivery_list", INCORRECT)
    _pay(desk, len(letters))
    size = max(1, desk.settings.message_size)
    messages = [
        _message(desk, sending, rows[start : start + size]) for start in range(0, len(rows), size)
    ]
    mailed = [to for message in messages for to in _mailed(message)]
    _mail(desk, "smsby.bulk.send", sending, mailed, letters)
    bulk_id = str(uuid.UUID(int=desk.chance.getrandbits(128), version=4))
    desk.account.bulks[bulk_id] = messages
    return {"status": "OK", "result": {"uuid": bulk_id}}


def bulk_status(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """The messages of a bulk send: what was taken with its state, what was refused and why."""
    required(fields, "uuid")
    messages = desk.account.bulks.get(fields.text("uuid"))
    if messages is None:
        raise error_at_200("No bulk send with this uuid")
    return {"status": "OK", "result": [row for m in messages if (row := _bulk_row(desk, m))]}


def delivery_list(desk: Desk, fields: PhpArray, files: tuple[File, ...]) -> object:
    """The emails of one message with their states; some addresses come with a leading space."""
    required(fields, "message_id")
    message = desk.account.messages.get(number(fields, "message_id"))
    if message is None:
        raise status_error(200, "Message not found")
    rows = []
    for position in range(message.shown(desk.now, desk.settings.status_delay)):
        status, error = message.word(position, desk.now, desk.settings)
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


def _bulk_row(desk: Desk, message: Message) -> dict[str, object] | None:
    success, errors = [], []
    for position in range(message.shown(desk.now, desk.settings.status_delay)):
        to = message.addresses[position]
        if position in message.refused:
            errors.append({"email": to, "error": message.refused[position]})
            continue
        status, error = message.word(position, desk.now, desk.settings)
        success.append(
            {
                "email_id": str(message.first_email_id + position),
                "recipient": to,
                "status": status,
                "error": error or None,
            }
        )
    if not success and not errors:
        return None
    return {
        "message_id": str(message.id),
        "name": message.sending.name,
        "sender_email": message.sending.sender_email,
        "sender_name": message.sending.sender_name,
        "success": success,
        "errors": errors,
    }


def _pay(desk: Desk, letters: int) -> None:
    settings = desk.settings
    if settings.balance is None:
        return
    if settings.balance < letters:
        raise error_at_200(settings.no_money)
    settings.balance -= letters


def _entries(
    entries: PhpArray, common: tuple[str, str] | None
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Address, subject and text of each entry; `common` is None for personal messages."""
    for entry in entries.values():
        yield _email(entry), common or _personal(entry)


def _email(entry: Value) -> str:
    return normalised(entry if isinstance(entry, str) else entry.text("email"))


def _personal(entry: Value) -> tuple[str, str]:
    return ("", "") if isinstance(entry, str) else (entry.text("subject"), entry.text("message"))


def _objection(desk: Desk, to: str) -> str:
    """Why the service would not mail this address, or ""."""
    if not is_address(to) or to.startswith("invalid"):
        return INCORRECT
    if opted_out(to, desk.account.unsubscribed, desk.account.resubscribed):
        return OPTED_OUT
    return ""


def _sending(desk: Desk, fields: PhpArray) -> Sending:
    begins = begins_at(fields, desk.now)
    flag(fields, "track_click")
    return Sending(
        name=fields.text("name") or f"Mailing {desk.account.next_message_id}",
        sender_email=address(fields, "sender_email"),
        sender_name=fields.text("sender_name"),
        accepted_at=desk.now,
        begins_at=begins,
        tracked=flag(fields, "track_open"),
    )


def _message(desk: Desk, sending: Sending, rows: Iterable[tuple[str, str]]) -> Message:
    """Keep (address, reason) rows as one message; addresses to be forgotten are left out."""
    kept = [row for row in rows if row[1] or not row[0].startswith("missing")]
    account = desk.account
    message = Message(
        id=account.next_message_id,
        first_email_id=_email_ids(desk, len(kept)),
        sending=sending,
        addresses=[to for to, _ in kept],
        refused={position: reason for position, (_, reason) in enumerate(kept) if reason},
    )
    account.next_message_id += 1
    account.messages[message.id] = message
    return message


def _mailed(message: Message) -> list[str]:
    if not message.refused:
        return message.addresses
    return [to for at, to in enumerate(message.addresses) if at not in message.refused]


def _email_ids(desk: Desk, count: int) -> int:
    first = desk.account.next_email_id
    desk.account.next_email_id += count
    return first


def _mail(
    desk: Desk,
    operation: str,
    sending: Sending,
    addresses: list[str],
    letters: list[tuple[str, str]],
    files: tuple[File, ...] = (),
) -> None:
    if not addresses:
        return
    subject = letters[0][0] if letters[0] is letters[-1] else ""
    attached = tuple(Attached(f.name, len(f.data)) for f in files if f.field == "attachment")
    mailing = Mailing(operation, desk.now, sending.sender_email, subject, addresses, attached)
    desk.truth.record(mailing, letters)
    for to in addresses:
        if to.startswith("complaint"):
            desk.account.complaints.setdefault(to, sending.begins_at)
