"""The places of a call that a value can be put into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.providers.devino import MessageRecipient
from mailkit.providers.sendpulse import NewContact, Stats
from mailkit.providers.smsby import PersonalMessage

from .acts import LETTER

LONG = "x" * 2000  # makes multipart of a letter to sms.by
Call = Callable[[Any, str], Any]


def line(call: Call) -> tuple[str, Call]:
    return "line", call


def text(call: Call) -> tuple[str, Call]:
    return "text", call


def path(call: Call) -> tuple[str, Call]:
    return "path", call


def letter(**words: Any) -> dict[str, Any]:
    return LETTER | words


def named(name: str) -> Address:
    return Address("news@shop.by", name)


def recipient(**words: Any) -> MessageRecipient:
    return MessageRecipient("c@d.by", **words)


PLACES: dict[str, tuple[str, Call]] = {
    "smsby.emails.send, subject": line(
        lambda c, v: c.emails.send(to="c@d.by", **letter(subject=v))
    ),
    "smsby.emails.send, sender": line(
        lambda c, v: c.emails.send(to="c@d.by", **letter(sender=named(v)))
    ),
    "smsby.emails.send, html": text(
        lambda c, v: c.emails.send(to="c@d.by", **letter(html=v + LONG))
    ),
    "smsby.emails.send, multipart": line(
        lambda c, v: c.emails.send(to="c@d.by", **letter(subject=v, html=LONG))
    ),
    "smsby.emails.send, file": line(
        lambda c, v: c.emails.send(to="c@d.by", attachment=Attachment(f"{v}.pdf", b"x"), **LETTER)
    ),
    "smsby.emails.send_to_list, name": line(
        lambda c, v: c.emails.send_to_list(list_id=7, name=v, **LETTER)
    ),
    "smsby.bulk.send, name": line(
        lambda c, v: c.bulk.send(delivery_list=["c@d.by"], name=v, **LETTER)
    ),
    "smsby.bulk.send, personal subject": line(
        lambda c, v: c.bulk.send(
            sender="a@b.by", delivery_list=[PersonalMessage("c@d.by", v, "m")] * 2
        )
    ),
    "smsby.bulk.send, personal letter": text(
        lambda c, v: c.bulk.send(
            sender="a@b.by", delivery_list=[PersonalMessage("c@d.by", "s", v)] * 2
        )
    ),
    "smsby.mailing_lists.create, name": line(lambda c, v: c.mailing_lists.create(v)),
    "devino.messages.send, subject": line(
        lambda c, v: c.messages.send(recipients=["c@d.by"], **letter(subject=v))
    ),
    "devino.messages.send, sender": line(
        lambda c, v: c.messages.send(recipients=["c@d.by"], **letter(sender=named(v)))
    ),
    "devino.messages.send, html": text(
        lambda c, v: c.messages.send(recipients=["c@d.by"], **letter(html=f"{v}[Unsubscribe]"))
    ),
    "devino.messages.send, recipient": line(
        lambda c, v: c.messages.send(recipients=[recipient(name=v)], **LETTER)
    ),
    "devino.messages.send, merge field": text(
        lambda c, v: c.messages.send(recipients=[recipient(merge_fields={"x": v})], **LETTER)
    ),
    "devino.messages.send, extra data": text(
        lambda c, v: c.messages.send(recipients=[recipient(extra_data={v: v})], **LETTER)
    ),
    "devino.messages.send, file": text(
        lambda c, v: c.messages.send(recipients=["c@d.by"], attachment_ids=[v], **LETTER)
    ),
    "devino.files.upload, name": line(lambda c, v: c.files.upload(Attachment(f"{v}.pdf", b"x"))),
    "sendpulse.campaigns.create, subject": line(
        lambda c, v: c.campaigns.create(list_id=7, **letter(subject=v))
    ),
    "sendpulse.campaigns.create, sender": line(
        lambda c, v: c.campaigns.create(list_id=7, **letter(sender=named(v)))
    ),
    "sendpulse.campaigns.create, name": line(
        lambda c, v: c.campaigns.create(list_id=7, name=v, **LETTER)
    ),
    "sendpulse.campaigns.create, html": text(
        lambda c, v: c.campaigns.create(list_id=7, **letter(html=v))
    ),
    "sendpulse.campaigns.create, template": text(
        lambda c, v: c.campaigns.create(list_id=7, template_id=v, **letter(html=None))
    ),
    "sendpulse.campaigns.create, utm": text(
        lambda c, v: c.campaigns.create(list_id=7, stats=Stats(utm_campaign=v), **LETTER)
    ),
    "sendpulse.campaigns.create, file": line(
        lambda c, v: c.campaigns.create(list_id=7, attachments=[Attachment(v, b"x")], **LETTER)
    ),
    "sendpulse.campaigns.create, text file": line(
        lambda c, v: c.campaigns.create(list_id=7, attachments={v: "x"}, **LETTER)
    ),
    "sendpulse.campaigns.send_test, subject": line(
        lambda c, v: c.campaigns.send_test(list_id=7, to=["c@d.by"], **letter(subject=v))
    ),
    "sendpulse.add_contacts_double_opt_in, variable": text(
        lambda c, v: c.mailing_lists.add_contacts_double_opt_in(
            7, [NewContact("c@d.by", {v: v}, v)], "news@shop.by", "en", v
        )
    ),
    "sendpulse.mailing_lists.create, name": line(lambda c, v: c.mailing_lists.create(v)),
    "sendpulse.templates.create, name": line(
        lambda c, v: c.templates.create(html="x", lang="en", name=v)
    ),
    "sendpulse.tags.create, name": line(lambda c, v: c.tags.create(v, "#f0f4f6")),
    "sendpulse.senders.add, name": line(lambda c, v: c.senders.add("news@shop.by", v)),
    "sendpulse.webhooks.create, address": line(lambda c, v: c.webhooks.create(v, "open")),
    "sendpulse.webhooks.create, event": text(
        lambda c, v: c.webhooks.create("https://shop.by/hook", v)
    ),
    "sendpulse.senders.request_code": path(lambda c, v: c.senders.request_code(v)),
    "sendpulse.senders.activate": path(lambda c, v: c.senders.activate(v, v)),
    "sendpulse.templates.get_by_slug": path(lambda c, v: c.templates.get_by_slug(v)),
    "sendpulse.templates.edit": path(lambda c, v: c.templates.edit(v, "x")),
    "sendpulse.contacts.delete": path(lambda c, v: c.contacts.delete(v)),
    "sendpulse.mailing_lists.find_by_variable": path(
        lambda c, v: c.mailing_lists.find_by_variable(7, v, v)
    ),
    "sendpulse.balance.get": path(lambda c, v: c.balance.get(v)),
}
"""A call with a value in one of its places, and what may stand there: a line, any text, or a piece
of a path.
"""
