"""One message to one address, as a test before it goes to a list; no job is made of it."""

from __future__ import annotations

from contextlib import aclosing

import attrs

from mailkit.address import normalize
from mailkit.bulk.columns import Columns, columns_of, link_of
from mailkit.bulk.source import RecipientSource, Row
from mailkit.core.dispatch import Provider, Sent, TaskRow
from mailkit.errors import AccountRefused, ErrorContext, InvalidArgument, OutcomeUnknown, Refused
from mailkit.message import Message
from mailkit.remedies import remedy
from mailkit.template import InvalidRow, Template
from mailkit.text import counted

__all__ = ["SampleResult", "send_single"]


@attrs.frozen
class SampleResult:
    """The provider took the message; ``reference`` is its name for it, if it gave one. ``line`` is
    that of the row whose values the message has.
    """

    to: str
    subject: str
    html: str | None
    text: str | None
    reference: str | None
    line: int | None = None


async def send_single(
    provider: Provider,
    message: Message,
    address: str,
    recipients: RecipientSource | None,
    number: int,
) -> SampleResult:
    """Send the message to the address, with the values of a row if there are recipients.

    InvalidArgument and Unsupported: nothing was sent. Refused, or another RequestError: as told.
    """
    message = attrs.evolve(message, send_at=None)
    address = normalize(address)
    template = Template.parse(message)
    link = link_of(provider, template)
    if recipients is None:
        columns = Columns(template, None, link)
    else:
        columns = await columns_of(recipients, template, link)
    row = None if recipients is None else await _row(recipients, number)
    try:
        values = [""] * len(columns.names) if row is None else columns.values(row.values)
        if columns.has_addresses:
            values = columns.with_address(values, address)
        dispatch = provider.dispatch(message, columns.names)
        subject, body = dispatch.render(address, values)
    except InvalidRow as error:
        where = (
            remedy("give recipients to take it from", "give a list to take it from, with --list")
            if row is None
            else f"row {number}, line {row.line}"
        )
        raise InvalidArgument(f"{error.reason}: {where}") from None
    await dispatch.prepare()
    sent = await dispatch.test(TaskRow(1, address, values))
    _check(sent, ErrorContext(provider.name))
    html, text = (None, body) if message.html is None else (body, None)
    line = None if row is None else row.line
    return SampleResult(address, subject, html, text, sent.reference, line)


async def _row(recipients: RecipientSource, number: int) -> Row:
    read = 0
    async with aclosing(recipients.batches(1_000)) as batches:
        async for batch in batches:
            if number <= read + len(batch):
                row = batch[number - read - 1]
                if row.reason is not None:
                    raise InvalidArgument(f"row {number}, line {row.line}: {row.reason}")
                return row
            read += len(batch)
    raise InvalidArgument(f"the list has only {counted(read, 'row')}, so no row {number:,}")


def _check(sent: Sent, context: ErrorContext) -> None:
    """Raise what became of the message, unless the provider took it."""
    for words in sent.held.values():
        raise AccountRefused(words, context)
    for words in sent.rejected.values():
        raise Refused(words, context)
    for words in sent.in_doubt.values():
        raise OutcomeUnknown(words, context)
