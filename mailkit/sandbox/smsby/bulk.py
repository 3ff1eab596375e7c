"""The sms.by operations that send a message to many, and report on each of them."""

import uuid
from collections.abc import Iterator

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import PhpArray, Value
from mailkit.sandbox.smsby.emails import (
    INCORRECT,
    new_message,
    new_sending,
    objection,
    record,
)
from mailkit.sandbox.smsby.fields import error_at_200, required, unverified
from mailkit.sandbox.smsby.state import Context, Message
from mailkit.sandbox.truth import normalized

NO_TEXT = "Message without subject or text"


@endpoint("smsby.bulk.send", "POST /api/v2/sendBulkEmail")
def send(context: Context, fields: PhpArray) -> object:
    """One message to many, or a message of their own to each."""
    required(fields, "sender_email")
    kind = fields.text("message_type") or "bulk"
    if kind not in ("bulk", "personal"):
        raise unverified("message_type", "bulk or personal is needed")
    if kind == "bulk" or context.settings.text_at_top:
        required(fields, "subject", "message")
    sending = new_sending(context, fields)
    entries = fields.get("delivery_list")
    if not entries:
        raise error_at_200("delivery_list is empty")
    if not isinstance(entries, PhpArray):
        raise unverified("delivery_list", "an array is needed")
    common = (fields.text("subject"), fields.text("message"))
    rows: list[tuple[str, str]] = []
    contents: list[tuple[str, str]] = []
    for to, content in _entries(entries, None if kind == "personal" else common):
        reason = objection(context, to) or ("" if content[0] and content[1] else NO_TEXT)
        rows.append((to, reason))
        if not reason and not to.startswith("missing"):
            contents.append(content)
    if context.settings.strict and any(reason == INCORRECT for _, reason in rows):
        raise unverified("delivery_list", INCORRECT)
    _pay(context, len(contents))
    size = context.settings.message_size
    messages = [
        new_message(context, sending, rows[start : start + size])
        for start in range(0, len(rows), size)
    ]
    record(context, "smsby.bulk.send", messages, contents)
    bulk_id = str(uuid.UUID(int=context.rng.getrandbits(128), version=4))
    context.account.bulks[bulk_id] = messages
    return {"status": "OK", "result": {"uuid": bulk_id}}


@endpoint("smsby.bulk.status", "POST /api/v2/statusBulkEmail")
def status(context: Context, fields: PhpArray) -> object:
    """The messages of a bulk send: what was taken with its state, what was refused and why."""
    required(fields, "uuid")
    messages = context.account.bulks.get(fields.text("uuid"))
    if messages is None:
        raise error_at_200("No bulk send with this uuid")
    return {"status": "OK", "result": [row for m in messages if (row := _row(context, m))]}


def _row(context: Context, message: Message) -> dict[str, object] | None:
    success, errors = [], []
    for position in range(message.shown(context.now, context.settings.status_delay)):
        to = message.addresses[position]
        if position in message.refused:
            errors.append({context.settings.error_key: to, "error": message.refused[position]})
            continue
        status, error = message.status(position, context.now, context.settings)
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


def _pay(context: Context, emails: int) -> None:
    settings = context.settings
    if settings.balance is None:
        return
    if settings.balance < emails:
        raise error_at_200(settings.no_money)
    settings.balance -= emails


def _entries(
    entries: PhpArray, common: tuple[str, str] | None
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Address, subject and text of each entry; `common` is None for personal messages."""
    for entry in entries.values():
        yield _email(entry), common or _personal(entry)


def _email(entry: Value) -> str:
    return normalized(entry if isinstance(entry, str) else entry.text("email"))


def _personal(entry: Value) -> tuple[str, str]:
    return ("", "") if isinstance(entry, str) else (entry.text("subject"), entry.text("message"))
