"""Letters: one request carries many recipients. https://docs.devinotele.com"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from mailkit.address import Address, header_text, normalise
from mailkit.core.call import Call, Raw, Resource, arg, method, post
from mailkit.core.encoding import Encoding
from mailkit.core.reading import decode
from mailkit.core.wire import Unreadable
from mailkit.errors import InvalidArgument
from mailkit.providers.devino import fields
from mailkit.providers.devino.envelope import good, reasons

__all__ = [
    "AcceptedRecipient",
    "MessageRecipient",
    "Messages",
    "MessagesSent",
    "RefusedRecipient",
    "UnnamedRecipient",
    "written",
]


@attrs.frozen
class MessageRecipient:
    """Whom to write to, and with what: ``merge_fields`` fill the macros ``[name]`` of the body (as
    they are: html is for the caller to escape), ``extra_data`` comes back in the callbacks.
    """

    address: str
    name: str = ""
    merge_fields: Mapping[str, str] = attrs.field(factory=dict[str, str])
    extra_data: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen
class AcceptedRecipient:
    """A recipient that a letter was taken for: its place in the call, and the letter's id, which
    the callbacks name.
    """

    index: int
    address: str
    message_id: str


@attrs.frozen
class RefusedRecipient:
    """A recipient that no letter was taken for: its place in the call, and the service's words."""

    index: int
    address: str
    reasons: tuple[str, ...]


@attrs.frozen
class UnnamedRecipient:
    """A recipient that the answer does not name: nothing tells whether a letter is on its way."""

    index: int
    address: str


@attrs.frozen
class MessagesSent:
    """What became of each recipient of the call: everyone is in one of the three, by index.

    Accepted is not sent: with ``check_unsubscription`` a callback may yet say REJECTED.
    """

    accepted: tuple[AcceptedRecipient, ...] = ()
    refused: tuple[RefusedRecipient, ...] = ()
    unnamed: tuple[UnnamedRecipient, ...] = ()


Recipients = Sequence[MessageRecipient | Address | str]


def written(recipient: MessageRecipient) -> dict[str, object]:
    """A recipient as it travels; InvalidArgument for what can't."""
    tree: dict[str, object] = {"Address": normalise(recipient.address)}
    if recipient.name:
        tree["Name"] = header_text(recipient.name, "name")
    if recipient.merge_fields:
        for name in recipient.merge_fields:
            fields.macro_name(name)
        tree["MergeFields"] = recipient.merge_fields
    if recipient.extra_data:
        tree["ExtraData"] = recipient.extra_data
    return tree


def _recipients(values: Recipients, encoding: Encoding) -> list[dict[str, object]]:
    trees = []
    for place, value in enumerate(values):
        try:
            trees.append(written(_recipient(value)))
        except InvalidArgument as error:
            raise InvalidArgument(f"recipients[{place}]: {error}") from None
    return trees


def _recipient(value: MessageRecipient | Address | str) -> MessageRecipient:
    if isinstance(value, MessageRecipient):
        return value
    parsed = Address.parse(value)
    return MessageRecipient(parsed.email, parsed.name)


def _html(value: str, encoding: Encoding) -> Mapping[str, str]:
    return {"Html": fields.body(value, "html")}


def _text(value: str, encoding: Encoding) -> Mapping[str, str]:
    return {"PlainText": fields.body(value, "text")}


def _read(call: SendMessages, raw: Raw) -> MessagesSent:
    """Join the answer's items with the recipients by index.

    An index that can't be joined makes the answer unreadable: nobody may be taken for another.
    Of two words about one recipient the good one counts, since a letter may be under way.
    """
    asked = [_recipient(value).address for value in call.recipients]
    items = decode(raw).get("result")
    if not isinstance(items, list) or not items:
        raise Unreadable("an answer without a result")
    accepted: dict[int, AcceptedRecipient] = {}
    refused: dict[int, RefusedRecipient] = {}
    for index, item in _indexed(items, asked):
        message_id = item.get("messageid")
        if message_id not in (None, "") and (item.get("code") is None or good(item)):
            accepted.setdefault(index, AcceptedRecipient(index, asked[index], str(message_id)))
        else:
            why = reasons(item) or ("the answer has no message id for it",)
            refused[index] = RefusedRecipient(index, asked[index], why)
    return MessagesSent(
        tuple(accepted[index] for index in sorted(accepted)),
        tuple(refused[index] for index in sorted(refused.keys() - accepted.keys())),
        tuple(
            UnnamedRecipient(index, address)
            for index, address in enumerate(asked)
            if index not in accepted and index not in refused
        ),
    )


def _indexed(
    items: Iterable[object], asked: Sequence[str]
) -> Iterable[tuple[int, Mapping[str, object]]]:
    known = {email.lower() for email in asked}
    for item in items:
        index = item.get("index") if isinstance(item, dict) else None
        if isinstance(index, str) and index.isdecimal():
            index = int(index)
        if not isinstance(item, dict) or type(index) is not int or not 0 <= index < len(asked):
            raise Unreadable(f"an item with the index {index!r} in the answer")
        named = str(item.get("address") or "").strip().lower()
        if named in known and named != asked[index].lower():
            raise Unreadable(f"the item with the index {index} names another recipient")
        yield index, item


@post("/email/messages", repeatable=False, read=_read)
class SendMessages(Call[MessagesSent], kw_only=True):
    """Send one letter to one or many; each recipient's fields fill the macros of the body.

    ``recipients`` are MessageRecipients, Addresses or addresses. ``html`` or ``text`` is the body:
    exactly one, with the macro ``[Unsubscribe]``; ``[WebVersion]`` links to the letter on the web.
    ``attachment_ids`` come from ``files.upload``. ``check_unsubscription``: people on the
    account's list of unsubscribed get no letter (the service's default is not to look). How many
    recipients a request may have is unpublished.

    Some may be taken and others not: the value tells, and names those of whom the answer says
    nothing. Refused if nobody was taken; OutcomeUnknown if no answer tells, and then the call is
    never repeated. https://docs.devinotele.com
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
            raise InvalidArgument(f"give the letter one body, html or text; it has {found}")
        if isinstance(self.attachment_ids, str):
            raise InvalidArgument("attachment_ids: give a list, even of one")


class Messages(Resource):
    """Letters."""

    send = method(SendMessages)
