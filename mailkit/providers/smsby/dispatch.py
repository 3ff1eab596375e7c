"""sms.by's part in a bulk send: one bulk.send a chunk, then its status lists.

A message without placeholders goes out in the mode ``bulk``; any other is rendered here, a
letter for each recipient, in the mode ``personal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from mailkit.core.dispatch import Chunk, Polled, RowStatus, Sent
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.message import Message
from mailkit.providers.smsby.bulk import BulkError, BulkStatus, PersonalLetter
from mailkit.providers.smsby.emails import EmailStatus
from mailkit.template import Template

if TYPE_CHECKING:
    from mailkit.providers.smsby import SmsBy

__all__ = ["ChunkLimits", "SmsByDispatch"]

_PART = 120  # bytes around a value in a multipart body, and more than around an urlencoded one
_REQUEST = 2_000  # bytes of a request besides its recipients and the common letter
_REASON = 500  # characters of the service's words about a row
_MESSAGES = 5  # of a chunk, at most, that are asked about one by one


@attrs.frozen
class ChunkLimits:
    """How much one bulk.send carries. The service publishes no figures; these stay below PHP's
    usual 1,000 fields (an address is one field, a personal letter three) and 8 MB.
    """

    bulk_rows: int = attrs.field(default=500, validator=attrs.validators.ge(1))
    personal_rows: int = attrs.field(default=300, validator=attrs.validators.ge(1))
    size: int = attrs.field(default=4_000_000, validator=attrs.validators.ge(1))


class SmsByDispatch:
    """Sends the chunks of one message. See mailkit.core.dispatch.Dispatch."""

    def __init__(
        self,
        client: SmsBy,
        message: Message,
        columns: Sequence[str],
        *,
        limits: ChunkLimits,
        unsubscribe: str | None,
    ) -> None:
        if message.attachments:
            raise Unsupported(
                "sms.by takes no attachments in bulk: link to the files instead, or send the "
                "letters one by one with emails.send"
            )
        template = Template.parse(message)
        if template.unsubscribe and unsubscribe is None:
            raise InvalidArgument(
                "the message has {{ unsubscribe }}, and sms.by fills none in: give the address of "
                "your page as unsubscribe_url=… or MAILKIT_SMSBY_UNSUBSCRIBE_URL"
            )
        # No waiting and no repeats here: while a chunk waits, it must count as planned.
        self._client = client.with_options(attempts=1, quota_wait=0)
        self._polling = client
        self._message = message
        self._render = template.compile(("email", *columns), unsubscribe=unsubscribe)
        self._personal = bool(template.fields)
        common = 0 if self._personal else len(message.subject) + len(message.body.encode())
        self.chunk_rows = limits.personal_rows if self._personal else limits.bulk_rows
        self.chunk_bytes = limits.size
        self.base_bytes = _REQUEST + common
        if self.base_bytes >= self.chunk_bytes:
            raise InvalidArgument(
                f"the letter has {common:,} bytes; a request to sms.by takes {limits.size:,}"
            )

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes that this recipient adds to a request."""
        if not self._personal:
            return _PART + len(address)
        return 3 * _PART + len(address) + self._render.size((address, *values))

    async def check(self) -> None:
        """Ask for the templates, which costs nothing and needs a right token."""
        await self._polling.templates.list()

    async def send(self, chunk: Chunk, *, late: bool) -> Sent:
        """One bulk.send; the answer names nobody, so nobody is refused yet."""
        message, render = self._message, self._render
        subject = html = None
        deliveries: Sequence[str] | Sequence[PersonalLetter]
        if self._personal:
            deliveries = [
                PersonalLetter(row.address, *render.encoded((row.address, *row.values)))
                for row in chunk.rows
            ]
        else:
            subject, html = render(())
            deliveries = [row.address for row in chunk.rows]
        sent = await self._client.bulk.send(
            sender=message.sender,
            subject=subject,
            html=html,
            name=chunk.label,
            send_at=None if late else message.send_at,
            track_opens=message.track_opens,
            track_clicks=message.track_clicks,
            delivery_list=deliveries,
        )
        return Sent(sent.uuid)

    async def poll(self, reference: str, cursor: str | None) -> Polled:
        """The chunk's status lists; once all rows are found, only those of unfinished messages."""
        if cursor is not None:
            return await self._look_again(cursor.split())
        messages = await self._polling.bulk.status(reference)
        statuses: list[RowStatus] = []
        for message in messages:
            statuses += self._clean(_status(letter) for letter in message.success)
            statuses += self._clean(_refusal(error) for error in message.errors)
        return Polled(statuses, _cursor(messages))

    async def _look_again(self, message_ids: Sequence[str]) -> Polled:
        statuses: list[RowStatus] = []
        unfinished = []
        for message_id in message_ids:
            letters = await self._polling.emails.delivery_list(int(message_id))
            statuses += self._clean(_status(letter) for letter in letters)
            if any(_moving(letter) for letter in letters):
                unfinished.append(message_id)
        return Polled(statuses, " ".join(unfinished or message_ids))

    def _clean(self, statuses: Iterable[RowStatus]) -> Iterable[RowStatus]:
        """With reasons that can be stored and shown."""
        for status in statuses:
            if status.reason:
                yield status._replace(reason=self._polling.scrubbed(status.reason[:_REASON]))
            else:
                yield status


def _refusal(error: BulkError) -> RowStatus:
    return RowStatus(error.address, None, True, error.error or "refused by sms.by")


def _status(letter: EmailStatus) -> RowStatus:
    return RowStatus(letter.address, letter.delivery, False, letter.error or "")


def _moving(letter: EmailStatus) -> bool:
    return letter.delivery is None or not letter.delivery.final


def _cursor(messages: Sequence[BulkStatus]) -> str | None:
    """The messages to ask about one by one; None where the whole is asked about more cheaply."""
    moving = [message for message in messages if any(map(_moving, message.success))]
    if not 0 < len(moving) <= _MESSAGES or any(message.message_id is None for message in moving):
        return None
    return " ".join(str(message.message_id) for message in moving)
