"""sms.by's part in a bulk send: one bulk.send a chunk, then its status lists.

A message without placeholders goes out in the mode ``bulk``; any other, also one whose link for
``{{ unsubscribe }}`` has some, is rendered here, a message for each recipient, in the mode
``personal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from mailkit.core.checks import number
from mailkit.core.dispatch import (
    SEND,
    Cost,
    Limits,
    NotTaken,
    PollResult,
    RowStatus,
    Sent,
    SharedStatus,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.core.fields import in_columns
from mailkit.core.message_parts import check_parts
from mailkit.core.words import about_account
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.events import FINAL
from mailkit.message import Message
from mailkit.providers.smsby.bulk import BulkError
from mailkit.providers.smsby.deliveries import RenderedMessages
from mailkit.providers.smsby.emails import EmailStatus, by_delivery
from mailkit.remedies import remedy
from mailkit.template import LinkTemplate, Template

if TYPE_CHECKING:
    from mailkit.providers.smsby import SmsBy

__all__ = ["ChunkLimits", "SmsByDispatch"]

_PART = 120  # bytes around a value in a multipart body, and more than around an urlencoded one
_REQUEST = 2_000  # bytes of a request besides its recipients and the common message
_LINK_VARIABLE = "MAILKIT_SMSBY_UNSUBSCRIBE_URL"
_REASON = 500  # characters of the service's words about a row
_MESSAGES = 5  # of a chunk, at most, that are asked about one by one


@attrs.frozen
class ChunkLimits:
    """How much one bulk.send carries. The service publishes no figures; these stay below PHP's
    usual 1,000 fields (an address is one field, a personal message three) and 8 MB.
    """

    bulk_rows: int = attrs.field(default=500, validator=number(least=1, whole=True))
    personal_rows: int = attrs.field(default=300, validator=number(least=1, whole=True))
    size: int = attrs.field(default=4_000_000, validator=number(least=1, whole=True))


class SmsByDispatch:
    """Sends the chunks of one message. See mailkit.provider.Dispatch."""

    stages: Sequence[Stage] = (SEND,)

    def __init__(
        self,
        client: SmsBy,
        message: Message,
        columns: Sequence[str],
        *,
        limits: ChunkLimits,
        unsubscribe: LinkTemplate | None,
        text_at_top: bool = False,
    ) -> None:
        check_parts(message, "sms.by")
        if message.attachments:
            raise Unsupported(
                "sms.by takes no attachments in bulk: link to the files instead"
                + remedy(", or send the messages one by one with emails.send", "")
            )
        template = Template.parse(message)
        if template.unsubscribe and unsubscribe is None:
            raise InvalidArgument(
                "the message has {{ unsubscribe }}, but sms.by has no link of its own for it: "
                + remedy(
                    f"give the address of your page as unsubscribe_url=… or {_LINK_VARIABLE}",
                    f"set {_LINK_VARIABLE} to the address of your page",
                )
            )
        # No waiting and no repeats here: while a chunk waits, it must count as planned.
        self._client = client.with_options(attempts=1, quota_wait=0)
        self._polling = client
        self._message = message
        self._render = template.compile(("email", *columns), unsubscribe=unsubscribe)
        linked = unsubscribe.fields if unsubscribe and template.unsubscribe else ()
        self._personal = bool(template.fields or linked)
        once = text_at_top or not self._personal
        common = len(message.subject) + len(message.body.encode()) if once else 0
        self.limits = Limits(
            limits.personal_rows if self._personal else limits.bulk_rows,
            limits.size,
            base=_REQUEST + common,
        )
        if self.limits.base >= limits.size:
            raise InvalidArgument(
                f"the message has {common:,} bytes; a request to sms.by takes {limits.size:,}"
            )

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes that this recipient adds to a request."""
        if not self._personal:
            return _PART + len(address)
        return 3 * _PART + len(address) + self._render.size((address, *values))

    def measure_many(
        self, addresses: Sequence[str], values: Sequence[Sequence[str]]
    ) -> Sequence[int]:
        """The bytes that each of them adds to a request."""
        lengths = map(len, addresses)
        if not self._personal:
            return [_PART + length for length in lengths]
        sizes = self._render.sizes([addresses, *in_columns(values)])
        return [3 * _PART + length + size for length, size in zip(lengths, sizes, strict=True)]

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        """Subject and body."""
        return self._render((address, *values))

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        """Nothing: the service has no call for prices or the balance."""
        return None

    async def prepare(self) -> None:
        """Ask for the templates, which costs nothing and needs a right token."""
        await self._polling.templates.list()

    async def perform(self, task: Task) -> Sent:
        """One bulk.send; the response names nobody, so nobody is rejected yet."""
        message = self._message
        subject = html = None
        deliveries: Sequence[str] | RenderedMessages
        deliveries = emails = task.addresses
        if self._personal:
            deliveries = RenderedMessages(self._render, emails, task.values)
        else:
            subject, html = self._render(())
        sent = await self._client.bulk.send(
            sender=message.sender,
            subject=subject,
            html=html,
            name=task.label,
            send_at=message.send_at,
            track_opens=message.track_opens,
            track_clicks=message.track_clicks,
            delivery_list=deliveries,
        )
        return Sent(sent.uuid)

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        """Nobody can be asked: the label stands in the service's dashboard, for a person."""
        return None

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        """The chunk's status lists; once all rows are found, only those of unfinished messages that
        refused nobody: whoever was refused counts as undelivered there, as if it had been sent.
        """
        if cursor is not None:
            return await self._look_again(cursor.split())
        messages = await self._polling.bulk.status(reference)
        statuses: list[RowStatus | SharedStatus] = []
        moving: list[int | None] = []
        for message in messages:
            found = self._statuses(message.success)
            statuses += found
            statuses += self._refusals(message.errors)
            if _moving(found):
                moving.append(None if message.errors else message.message_id)
        return PollResult(statuses, _cursor(moving))

    async def test(self, row: TaskRow) -> Sent:
        """One emails.send; the reference is the email's number."""
        message = self._message
        subject, html = self.render(row.address, row.values)
        sent = await self._polling.emails.send(
            sender=message.sender,
            to=row.address,
            subject=subject,
            html=html,
            track_opens=message.track_opens,
            track_clicks=message.track_clicks,
        )
        return Sent(str(sent.email_id))

    async def recall(self, reference: str | None) -> None:
        """Unsupported: there is no such call."""
        raise Unsupported("sms.by can't take back what it has accepted")

    async def _look_again(self, message_ids: Sequence[str]) -> PollResult:
        statuses: list[SharedStatus] = []
        unfinished = []
        for message_id in message_ids:
            listed = await self._polling.emails.delivery_list(int(message_id))
            found = self._statuses(listed)
            statuses += found
            if _moving(found):
                unfinished.append(message_id)
        return PollResult(statuses, " ".join(unfinished or message_ids))

    def _statuses(self, found: Iterable[EmailStatus]) -> list[SharedStatus]:
        return [
            SharedStatus(addresses, delivery, reason=self._clean(reason))
            for (delivery, reason), addresses in by_delivery(found).items()
        ]

    def _refusals(self, errors: Iterable[BulkError]) -> list[RowStatus]:
        return [
            RowStatus(
                error.address,
                None,
                True,
                self._clean(error.error or "refused by sms.by"),
                held=about_account([error.error or ""]),
            )
            for error in errors
        ]

    def _clean(self, reason: str) -> str:
        """A reason that can be stored and shown."""
        return self._polling.scrubbed(reason[:_REASON]) if reason else ""


def _moving(statuses: Iterable[SharedStatus]) -> bool:
    return any(status.delivery not in FINAL for status in statuses)


def _cursor(moving: Sequence[int | None]) -> str | None:
    """The messages to ask about one by one; None where the whole is asked about more cheaply."""
    if not 0 < len(moving) <= _MESSAGES or None in moving:
        return None
    return " ".join(map(str, moving))
