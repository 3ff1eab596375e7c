"""What a person sees of the sms.by account, and makes happen to its emails."""

from collections.abc import Iterator

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.happening import CannotHappen, Course
from mailkit.sandbox.service import Table, newest
from mailkit.sandbox.smsby.state import Context, Message
from mailkit.sandbox.smsby.subscriptions import leave
from mailkit.sandbox.timeline import Window
from mailkit.sandbox.truth import Email


def course(context: Context, email: Email) -> Course:
    """The steps of an email."""
    message, position = _located(email)
    return message.course(position, context.settings)


def happen(context: Context, email: Email, step: Step) -> None:
    """Let an email take this step now."""
    message, position = _located(email)
    if step in (Step.OPENED, Step.CLICKED) and not message.sending.tracked:
        raise CannotHappen("the message does not track opens and clicks")
    message.change(position, step, context.now, context.settings)
    context.account.leaving.pop(email.address, None)
    if step in (Step.UNSUBSCRIBED, Step.COMPLAINED):
        leave(context, email.address)


def tables(context: Context, window: Window) -> Iterator[Table]:
    """Quotas, lists and bulk sends."""
    account, settings = context.account, context.settings
    rate = settings.requests_per_second
    used = 0 if rate is None else window.used(context.now, max(1.0, 1.0 / rate))
    quotas = [("requests in a second", used, rate), ("emails paid for", None, settings.balance)]
    yield Table.of("Quotas", ("quota", "used", "limit"), quotas)
    lists = [
        (one.id, one.name, len(one.contacts), len(one.unsubscribed))
        for one in newest(account.lists)
    ]
    columns: tuple[str, ...] = ("id", "name", "contacts", "unsubscribed")
    yield Table("Mailing lists", columns, lists, len(account.lists))
    messages = [
        (one.id, one.sending.name, one.sending.sender_email, len(one.addresses), len(one.refused))
        for one in newest(account.messages)
    ]
    columns = ("id", "name", "from", "addresses", "refused")
    yield Table("Messages to many", columns, messages, len(account.messages))


def _located(email: Email) -> tuple[Message, int]:
    """The message and the position that the service knows the email by."""
    messages, index = email.mailing.origin, email.index
    for message in messages if isinstance(messages, list) else ():
        mailed = [at for at in range(len(message.addresses)) if at not in message.refused]
        if index < len(mailed):
            return message, mailed[index]
        index -= len(mailed)
    raise CannotHappen("the service does not follow this message")
