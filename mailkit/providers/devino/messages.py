"""Messages: one request carries many recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import attrs
import msgspec

from mailkit.address import Address, dedupe_key, normalize
from mailkit.core.call import Call, Raw, Resource, arg, method, post
from mailkit.core.model import Model
from mailkit.core.reading import decode
from mailkit.core.wire import Unreadable
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.devino import fields
from mailkit.providers.devino.envelope import failure_in, oks, reasons
from mailkit.text import header_text

__all__ = [
    "AcceptedRecipient",
    "MessageRecipient",
    "Messages",
    "RecipientInDoubt",
    "RefusedRecipient",
    "SendMessagesResult",
    "recipient_tree",
]


@attrs.frozen
class MessageRecipient:
    """A recipient and their values: ``merge_fields`` fill the macros ``[name]`` of the body (as
    they are: html is for the caller to escape), ``extra_data`` comes back in the callbacks.
    """

    address: str
    name: str = ""
    merge_fields: Mapping[str, str] = attrs.field(factory=dict[str, str])
    extra_data: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class AcceptedRecipient(Model):
    """A recipient whose message was accepted: the index in the call, and the message's id, which
    the callbacks name.
    """

    index: int
    address: str
    message_id: str


@attrs.frozen
class RefusedRecipient(Model):
    """A recipient who was refused: the index in the call, and the service's words."""

    index: int
    address: str
    reasons: tuple[str, ...]


@attrs.frozen
class RecipientInDoubt(Model):
    """A recipient about whom the response says neither yes nor no: a message may be on its way."""

    index: int
    address: str
    reason: str


@attrs.frozen
class SendMessagesResult(Model):
    """What happened to each recipient of the call: each one is in one of the three, by index.

    Accepted is not sent: with ``check_unsubscription`` a callback may yet say REJECTED.
    """

    accepted: tuple[AcceptedRecipient, ...] = ()
    refused: tuple[RefusedRecipient, ...] = ()
    in_doubt: tuple[RecipientInDoubt, ...] = ()


Recipients = Sequence[MessageRecipient | Address | str]


def recipient_tree(recipient: MessageRecipient) -> dict[str, object]:
    """A recipient as sent; InvalidArgument for what can't be sent."""
    tree: dict[str, object] = {"Address": normalize(recipient.address)}
    if recipient.name:
        tree["Name"] = header_text(recipient.name, "name")
    if recipient.merge_fields:
        for name in recipient.merge_fields:
            fields.macro_name(name)
        tree["MergeFields"] = recipient.merge_fields
    if recipient.extra_data:
        tree["ExtraData"] = recipient.extra_data
    return tree


def _recipients(values: Recipients, wire_format: WireFormat) -> msgspec.Raw:
    trees = []
    for place, value in enumerate(values):
        try:
            trees.append(recipient_tree(_recipient(value)))
        except InvalidArgument as error:
            raise InvalidArgument(f"recipients[{place}]: {error}") from None
    return msgspec.Raw(msgspec.json.encode(trees))


def _recipient(value: MessageRecipient | Address | str) -> MessageRecipient:
    if isinstance(value, MessageRecipient):
        return value
    parsed = Address.parse(value)
    return MessageRecipient(parsed.email, parsed.name)


def _html(value: str, wire_format: WireFormat) -> Mapping[str, str]:
    return {"Html": fields.body(value, "html")}


def _text(value: str, wire_format: WireFormat) -> Mapping[str, str]:
    return {"PlainText": fields.body(value, "text")}


Item = Mapping[str, object]


def _read(call: SendMessages, raw: Raw) -> SendMessagesResult:
    """Join the response's items with the recipients, by index *and* address.

    Who is not named exactly once, at their own index, by their own address and with a message id of
    their own, is in doubt: the response may be that to another request.
    """
    asked = [_recipient(value).address for value in call.recipients]
    tree = decode(raw)
    items = tree.get("result")
    if not any(oks(tree)) or not isinstance(items, list):
        raise Unreadable("a response without a result that is ok")
    if everybody := _everybody(items, asked):
        return SendMessagesResult(everybody)
    keys = [_key(address) for address in asked]
    named: dict[int, list[Item]] = {}
    strays: set[str] = set()
    for item in items:
        if isinstance(item, dict):
            index, key = _index(item), _key(str(item.get("address") or ""))
            if 0 <= index < len(keys):
                named.setdefault(index, []).append(item)
            if not 0 <= index < len(keys) or keys[index] != key:
                strays.add(key)
        elif isinstance(item, str):
            strays.add(_key(item))
    words = [
        _word(index, address, named.get(index, []), key, strays)
        for index, (address, key) in enumerate(zip(asked, keys, strict=True))
    ]
    times = Counter(word.message_id for word in words if isinstance(word, AcceptedRecipient))
    shared = "the response gives another recipient the same message id"
    words = [
        RecipientInDoubt(word.index, word.address, shared)
        if isinstance(word, AcceptedRecipient) and times[word.message_id] > 1
        else word
        for word in words
    ]
    accepted = tuple(word for word in words if isinstance(word, AcceptedRecipient))
    refused = tuple(word for word in words if isinstance(word, RefusedRecipient))
    if not accepted and not refused:
        raise Unreadable("the response names none of the recipients as accepted or refused")
    in_doubt = tuple(word for word in words if isinstance(word, RecipientInDoubt))
    return SendMessagesResult(accepted, refused, in_doubt)


def _everybody(items: list[Any], asked: Sequence[str]) -> tuple[AcceptedRecipient, ...] | None:
    """What a response says that accepts them all, in their order and by the very addresses; None
    for one that takes a closer look.
    """
    if len(items) != len(asked):
        return None
    found = []
    for index, address in enumerate(asked):
        item = items[index]
        if type(item) is not dict or len(item) - (item.get("code") == "ok") != 3:
            return None
        message_id, at = item.get("messageid"), item.get("index")
        if type(message_id) is not str or not message_id.strip() or type(at) is not int:
            return None
        if at != index or item.get("address") != address:
            return None
        found.append(AcceptedRecipient(index, address, message_id))
    ids = {one.message_id for one in found}
    return tuple(found) if len(ids) == len(found) else None


def _word(
    index: int, address: str, items: Sequence[Item], key: str, strays: AbstractSet[str]
) -> AcceptedRecipient | RefusedRecipient | RecipientInDoubt:
    """What the response says of one recipient."""
    if not items and key not in strays:
        return RecipientInDoubt(index, address, "not named in the response")
    if len(items) != 1 or key in strays:
        return RecipientInDoubt(index, address, "named more than once in the response")
    [item] = items
    if _key(str(item.get("address") or "")) != key:
        return RecipientInDoubt(index, address, "the response has another address in this place")
    message_id, marks, why = item.get("messageid"), oks(item), item.get("reasons")
    if _is_id(message_id) and all(marks) and not why:
        return AcceptedRecipient(index, address, str(message_id))
    if message_id in (None, "") and not any(marks) and (marks or why):
        words = reasons(item)
        if failure_in(item):
            return RecipientInDoubt(index, address, "; ".join(words))
        return RefusedRecipient(index, address, words)
    return RecipientInDoubt(index, address, "the response says neither yes nor no")


def _index(item: Item) -> int:
    """The item's index; -1 if it is none."""
    index = item.get("index")
    if isinstance(index, str) and index.isascii() and index.isdigit() and len(index) < 10:
        return int(index)
    return index if type(index) is int else -1


def _is_id(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else type(value) is int and value > 0


def _key(address: str) -> str:
    """What two spellings of an address share."""
    try:
        return dedupe_key(normalize(address))
    except InvalidArgument:
        return address.strip().casefold()


@post("/email/messages", repeatable=False, read=_read)
class SendMessages(Call[SendMessagesResult], kw_only=True):
    """Send one message to one or many; each recipient's fields fill the macros of the body.

    ``recipients`` are MessageRecipients, Addresses or addresses. ``html`` or ``text`` is the body:
    exactly one, with the macro ``[Unsubscribe]``; ``[WebVersion]`` links to the message on the web.
    ``attachment_ids`` come from ``files.upload``. ``check_unsubscription``: people on the
    account's list of unsubscribed get no message (the service's default is not to look). How many
    recipients a request may have is unpublished.

    Some may be accepted and others not: the result says, and names those left in doubt. Refused if
    nobody was accepted; OutcomeUnknown if there is no usable response, and then the call is never
    repeated.
    """

    recipients: Recipients = arg(wire="Recipients", write=_recipients)
    sender: Address | str = arg(wire="Sender", write=fields.sender)
    subject: str = arg(wire="Subject", write=fields.one_line("subject"))
    html: str | None = arg(default=None, wire="Body", write=_html)
    text: str | None = arg(default=None, wire="Body", write=_text)
    attachment_ids: Sequence[str] | None = arg(default=None, wire="AttachmentsIds")
    check_unsubscription: bool | None = arg(default=None, wire="CheckUnsubscription")

    def __attrs_post_init__(self) -> None:
        if isinstance(self.recipients, str) or not self.recipients:
            raise InvalidArgument("recipients: give a list with at least one recipient")
        if (self.html is None) == (self.text is None):
            found = "neither" if self.html is None else "both"
            raise InvalidArgument(f"give the message one body, html or text; it has {found}")
        if isinstance(self.attachment_ids, str):
            raise InvalidArgument("attachment_ids: give a list, even for one item")


class Messages(Resource):
    """Messages."""

    send = method(SendMessages)
