"""The Devino operation that sends a message to one or many."""

from collections.abc import Callable, Mapping

import attrs

from mailkit.sandbox.delivery import is_address, meaning, opted_out
from mailkit.sandbox.devino.callbacks import AcceptedEmail
from mailkit.sandbox.devino.fields import Validation, ValidationFailed, part, text
from mailkit.sandbox.devino.macros import UNSUBSCRIBE, rendered
from mailkit.sandbox.devino.state import Context
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.service import Request
from mailkit.sandbox.truth import AttachedFile, Content, Mailing, normalized

Wrong = Callable[[str, str], None]

MAX_NAME = 150


@attrs.frozen
class Recipient:
    """One entry of Recipients, read."""

    address: str
    fields: Mapping[str, object]
    extra: Mapping[str, object]


@endpoint("devino.messages.send", "POST /email/messages")
def send(context: Context, request: Request) -> object:
    """One message to each recipient, with their own fields in its macros."""
    order: Mapping[str, object] = request.json if isinstance(request.json, dict) else {}
    account = context.account
    problems = _problems(context, order)
    if problems:
        raise ValidationFailed(problems)
    _pay(context, sum(map(_taken, map(_recipient, _entries(order)))))
    attached = tuple(account.files[name] for name in _ids(order))
    check = order.get("CheckUnsubscription") is True
    items: list[dict[str, object]] = []
    mailed: list[Recipient] = []
    accepted: list[AcceptedEmail] = []
    is_posted = context.settings.callback_url is not None
    for index, entry in enumerate(_entries(order)):
        recipient = _recipient(entry)
        found = normalized(recipient.address)
        item: dict[str, object] = {"index": index, "address": recipient.address}
        if meaning(found) == "missing":
            continue
        items.append(item)
        if not _taken(recipient):
            item["code"] = "validation.failed"
            item["reasons"] = [
                {"key": "validation.recipient.address.invalid", "reference": "recipients.address"}
            ]
            account.refused.append(found)
            continue
        message_id = item["messageId"] = account.message_id()
        taken = attrs.evolve(recipient, address=found)
        rejected = check and opted_out(found, account.unsubscribed, account.resubscribed)
        share, extra = context.settings.open_share, taken.extra if is_posted else None
        email = AcceptedEmail(message_id, found, context.now, rejected, share, extra)
        if not rejected:
            mailed.append(taken)
            accepted.append(email)
        account.emails.append(email)
        account.callbacks.plan(email)
    _mail(context, order, mailed, accepted, attached)
    if context.settings.shuffled:
        context.rng.shuffle(items)
    return {"result": items, "description": "ok"}


def _taken(recipient: Recipient) -> bool:
    found = normalized(recipient.address)
    return is_address(found) and meaning(found) != "invalid"


def _pay(context: Context, emails: int) -> None:
    settings = context.settings
    if settings.balance is None:
        return
    if settings.balance < emails:
        raise ValidationFailed([Validation("balance.exhausted", "account")])
    settings.balance -= emails


def _problems(context: Context, order: Mapping[str, object]) -> list[Validation]:
    """Everything that is wrong with the request as a whole."""
    found: list[Validation] = []

    def wrong(key: str, reference: str) -> None:
        found.append(Validation(f"validation.{key}", reference))

    entries = order.get("Recipients")
    if not isinstance(entries, list) or not entries:
        wrong("recipients.must.be.greather.then.0", "recipients")
    else:
        limit = context.settings.max_recipients
        if limit is not None and len(entries) > limit:
            wrong(f"recipients.must.be.less.or.equal.then.{limit}", "recipients")
        if not all(isinstance(entry, dict) and text(entry, "Address") for entry in entries):
            wrong("recipients.address.required", "recipients.address")
        else:
            if context.settings.strict and not all(map(_taken, map(_recipient, entries))):
                wrong("recipient.address.invalid", "recipients.address")
            for name in ("MergeFields", "ExtraData"):
                if not all(isinstance(entry.get(name) or {}, dict) for entry in entries):
                    wrong(f"recipients.{name.lower()}.must.be.object", f"recipients.{name}")
    _check_sender(context, part(order, "Sender"), wrong)
    if not text(order, "Subject").strip():
        wrong("subject.required", "subject")
    body = part(order, "Body")
    given = [kind for kind in ("Html", "PlainText") if text(body, kind)]
    if len(given) != 1:
        wrong("body.must.be.html.or.plaintext", "body")
    elif UNSUBSCRIBE not in text(body, given[0]):
        wrong("body.unsubscribe.macro.required", "body")
    ids = order.get("AttachmentsIds")
    known = context.account.files.keys()
    if ids is not None and (not isinstance(ids, list) or set(_ids(order)) - known):
        wrong("attachments.not.found", "attachmentsIds")
    if not isinstance(order.get("CheckUnsubscription", False), bool):
        wrong("checkunsubscription.must.be.boolean", "checkUnsubscription")
    return found


def _check_sender(context: Context, sender: Mapping[str, object], wrong: Wrong) -> None:
    address = text(sender, "Address").strip()
    if not is_address(address):
        wrong("sender.address.invalid", "sender.address")
    domains = context.settings.sender_domains
    if domains is not None and address.rpartition("@")[2].lower() not in domains:
        wrong("sender.domain.not.approved", "sender.address")
    if len(text(sender, "Name")) > MAX_NAME:
        wrong("sender.name.too.long", "sender.name")


def _entries(order: Mapping[str, object]) -> list[Mapping[str, object]]:
    entries = order["Recipients"]
    return entries if isinstance(entries, list) else []


def _recipient(entry: Mapping[str, object]) -> Recipient:
    return Recipient(text(entry, "Address"), part(entry, "MergeFields"), part(entry, "ExtraData"))


def _ids(order: Mapping[str, object]) -> list[str]:
    ids = order.get("AttachmentsIds")
    return [str(one) for one in ids] if isinstance(ids, list) else []


def _mail(
    context: Context,
    order: Mapping[str, object],
    mailed: list[Recipient],
    accepted: list[AcceptedEmail],
    attached: tuple[AttachedFile, ...],
) -> None:
    if not mailed:
        return
    body, sender = part(order, "Body"), part(order, "Sender")
    subject, html = text(order, "Subject"), text(body, "Html")
    mailing = Mailing(
        "devino.messages.send",
        context.now,
        text(sender, "Address"),
        subject,
        [one.address for one in mailed],
        attached,
        sender_name=text(sender, "Name"),
        origin=accepted,
    )
    template = html or text(body, "PlainText")
    context.truth.record(mailing, _Contents(subject, template, mailed, bool(html)))


@attrs.frozen
class _Contents:
    subject: str
    template: str
    recipients: list[Recipient]
    is_html: bool

    def __getitem__(self, index: int) -> Content:
        one = self.recipients[index]
        text = rendered(self.template, one.fields, one.address)
        return Content(self.subject, text, one.fields, self.is_html)
