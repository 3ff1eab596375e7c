"""Devino's part in a bulk send: one messages.send a chunk, each recipient with merge fields.

The response names who is taken and who is refused; nothing can be asked afterwards, and callbacks
tell the rest. So that they can, each recipient's ExtraData carries the row's token as ``mailkit``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING

import attrs
import msgspec

from mailkit.address import normalize
from mailkit.attachment import Attachment
from mailkit.core.checks import number
from mailkit.core.dispatch import (
    SEND,
    TOKEN_BYTES,
    Cost,
    Limits,
    NotTaken,
    PollResult,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.core.loops import PerLoop
from mailkit.core.message_parts import check_parts
from mailkit.core.words import about_account
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    InvalidArgument,
    Refused,
    Unavailable,
    Unsupported,
)
from mailkit.message import Message
from mailkit.providers.devino import fields
from mailkit.providers.devino.macros import Macros
from mailkit.providers.devino.messages import (
    MessageRecipient,
    SendMessagesResult,
    recipient_tree,
)

if TYPE_CHECKING:
    from mailkit.providers.devino import Devino

__all__ = ["TOKEN", "ChunkLimits", "DevinoDispatch", "Uploads"]

TOKEN = "mailkit"  # noqa: S105 - the key in ExtraData, no secret
"""The key in ExtraData that has the row's token."""

_EXTRA_DATA = len(f',"ExtraData":{{"{TOKEN}":""}}') + TOKEN_BYTES
_REASON = 500  # characters of the service's words about a row
_REQUEST = 1_000  # bytes of a request besides its recipients and the message
_ADDRESS = "a@b.by"  # whose bytes don't matter
_encode = msgspec.json.Encoder().encode


@attrs.frozen
class ChunkLimits:
    """How much one messages.send carries: recipients and bytes. The service publishes neither."""

    rows: int = attrs.field(default=1_000, validator=number(least=1, whole=True))
    size: int = attrs.field(default=4_000_000, validator=number(least=1, whole=True))


class Uploads:
    """The ids of uploaded attachments, by name and content; kept in the process."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, bytes], str] = {}
        self._locks = PerLoop(asyncio.Lock)

    async def ids(
        self, client: Devino, attachments: Sequence[Attachment], *, anew: bool = False
    ) -> list[str]:
        """The attachments' ids; what is not there yet, or everything if ``anew``, is uploaded.

        Raises InvalidArgument for a file that the storage refuses: no message is refused by that.
        """
        keys = [(file.name, blake2b(file.content).digest()) for file in attachments]
        async with self._locks.here():
            for key, file in zip(keys, attachments, strict=True):
                if anew or key not in self._ids:
                    self._ids[key] = await _upload(client, file)
        return [self._ids[key] for key in keys]


async def _upload(client: Devino, file: Attachment) -> str:
    try:
        return (await client.files.upload(file)).file_id
    except AuthenticationFailed:
        raise
    except Refused as error:
        raise InvalidArgument(f"attachment {file.name}: {error}") from error
    except BadResponse as error:
        raise Unavailable(f"attachment {file.name}: {error.text}", error.context) from error


class DevinoDispatch:
    """Sends the chunks of one message. See mailkit.provider.Dispatch."""

    stages: Sequence[Stage] = (SEND,)

    def __init__(
        self,
        client: Devino,
        message: Message,
        columns: Sequence[str],
        *,
        limits: ChunkLimits,
        uploads: Uploads,
        escape: bool,
    ) -> None:
        check_parts(message, "Devino")
        if message.send_at is not None:
            raise Unsupported("Devino sends at once: take send_at out and start the job then")
        if message.track_opens is not None or message.track_clicks is not None:
            raise Unsupported(
                "Devino's tracking can't be set for a message: take track_opens and track_clicks "
                "out"
            )
        for file in message.attachments:
            fields.allowed(file.name)
        self._macros = Macros(message, ("email", *columns), escape=escape)
        # No waiting and no repeats here: while a chunk waits, it must count as planned.
        self._client = client.with_options(attempts=1, quota_wait=0)
        self._storage = client
        # The same texts in a list have all bytes but those around them.
        blank = MessageRecipient(_ADDRESS, merge_fields=dict.fromkeys(self._macros.names, ""))
        texts = [_ADDRESS, *blank.merge_fields.values()]
        self._around = len(_encode(recipient_tree(blank))) - len(_encode(texts)) + _EXTRA_DATA
        self._uploads = uploads
        self._message = message
        # What stands once in a request: encoding it here also checks the sender before the plan.
        common = (dict(fields.sender_of(message.sender)), message.subject, self._macros.body)
        size = len(_encode(common))
        self.limits = Limits(limits.rows, limits.size, base=_REQUEST + size)
        if self.limits.base >= limits.size:
            raise InvalidArgument(
                f"the message has {size:,} bytes; a request to Devino takes {limits.size:,}"
            )

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes that this recipient adds to a request."""
        return self._size(address, self._macros.values((address, *values)))

    def measure_many(
        self, addresses: Sequence[str], values: Sequence[Sequence[str]]
    ) -> Sequence[int]:
        """The bytes that each of them adds to a request."""
        rows = [(address, *row) for address, row in zip(addresses, values, strict=True)]
        return [*map(self._size, addresses, self._macros.values_of(rows))]

    def _size(self, address: str, fields: Mapping[str, str]) -> int:
        return self._around + len(_encode((normalize(address), *fields.values())))

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        """Subject and body; the service's own macros stay as they are."""
        return self._message.subject, self._macros.render((address, *values))

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        """Nothing: the service publishes no prices, and no call for the balance."""
        return None

    async def prepare(self) -> None:
        """Upload the attachments, if there are any: before the first chunk, so that no chunk is
        in doubt for a file's sake. Nothing else can be asked without sending, so that wrong
        credentials show here or at the first chunk.
        """
        await self._uploads.ids(self._storage, self._message.attachments, anew=True)

    async def perform(self, task: Task) -> Sent:
        """One messages.send; its response refuses rows by name, and leaves in doubt whom it doesn't
        name as it should. The first message's id is its receipt.
        """
        tokens = [{TOKEN: task.token(row)} for row in task.rows]
        sent = await self._send(self._client, self._merged(task.rows, tokens))
        receipt = next((one.message_id for one in sent.accepted), None)
        return attrs.evolve(self._outcome(sent, task.rows), receipt=receipt)

    async def test(self, row: TaskRow) -> Sent:
        """One messages.send; the reference is the message's id, which the callbacks name."""
        sent = await self._send(self._storage, self._merged([row], [{}]))
        outcome = self._outcome(sent, [row])
        return attrs.evolve(outcome, reference=next((o.message_id for o in sent.accepted), None))

    async def recall(self, reference: str | None) -> None:
        """Unsupported: there is no such call."""
        raise Unsupported("Devino can't take back what it has accepted")

    async def _send(
        self, client: Devino, recipients: Sequence[MessageRecipient]
    ) -> SendMessagesResult:
        message, body = self._message, self._macros.body
        attachment_ids = await self._uploads.ids(self._storage, message.attachments)
        return await client.messages.send(
            recipients=recipients,
            sender=message.sender,
            subject=message.subject,
            html=None if message.html is None else body,
            text=None if message.text is None else body,
            attachment_ids=attachment_ids or None,
            check_unsubscription=True,
        )

    def _outcome(self, sent: SendMessagesResult, rows: Sequence[TaskRow]) -> Sent:
        rejected = {
            rows[one.index].n: self._client.scrubbed("; ".join(one.reasons)[:_REASON])
            for one in sent.refused
        }
        in_doubt = {rows[one.index].n: one.reason for one in sent.in_doubt}
        held = {n: rejected.pop(n) for n, why in list(rejected.items()) if about_account([why])}
        return Sent(None, rejected, in_doubt, held)

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        """Nobody can be asked: a person must look, or callbacks tell row by row."""
        return None

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        """Unsupported: callbacks tell what became of the messages."""
        raise Unsupported("Devino can't be asked for the status of a message; use its callbacks")

    def _merged(
        self, rows: Sequence[TaskRow], extra_data: Iterable[Mapping[str, str]]
    ) -> list[MessageRecipient]:
        addresses = [row.address for row in rows]
        fields = self._macros.values_of([(row.address, *row.values) for row in rows])
        return [*map(MessageRecipient, addresses, repeat(""), fields, extra_data)]
