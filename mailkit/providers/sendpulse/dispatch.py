"""SendPulse's part in a bulk send: a mailing list and a campaign for each chunk.

The list is created, its contacts are looked up and loaded part by part, and once the service has
activated all of them and the lists of all chunks can be paid for, each gets its campaign. Lists and
campaigns have names that no other has, so that those of a lost response are found again.

For 500 recipients it takes two requests, one that looks for opt-outs and one that loads them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import attrs
import msgspec

from mailkit.core.checks import number
from mailkit.core.dispatch import (
    Cost,
    Done,
    Limits,
    NotTaken,
    PollResult,
    Recut,
    RowStatus,
    Scope,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.core.message_parts import check_parts
from mailkit.core.wire_format import WireFormat
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    InvalidArgument,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    Refused,
    RequestError,
    Unavailable,
    Unsupported,
)
from mailkit.message import Message
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.campaign_reports import Campaign
from mailkit.providers.sendpulse.campaign_results import poll_result, row_status
from mailkit.providers.sendpulse.campaigns import Stats
from mailkit.providers.sendpulse.chunk_list import (
    ChunkList,
    compare,
    is_complete,
    money_of,
    name_of,
    not_ready,
    opted_out,
    price_of,
    shortfall,
)
from mailkit.providers.sendpulse.codes import campaign_phase
from mailkit.providers.sendpulse.error_codes import CAMPAIGN_REFUSED
from mailkit.providers.sendpulse.list_contacts import NewContact
from mailkit.providers.sendpulse.mailing_lists import Cost as CampaignCost
from mailkit.providers.sendpulse.models import Contact
from mailkit.providers.sendpulse.placeholders import Placeholders
from mailkit.providers.sendpulse.senders import inactive

if TYPE_CHECKING:
    from mailkit.providers.sendpulse import SendPulse

__all__ = ["ChunkLimits", "SendPulseDispatch"]

LIST = Stage("list", Scope.CHUNK, repeatable=True, carries_rows=False, rows_refusable=False)
SCREEN = Stage("screen", Scope.PART, repeatable=True)
LOAD = Stage("load", Scope.PART, repeatable=True)
READY = Stage("ready", Scope.CHUNK, repeatable=True, carries_rows=False, rows_refusable=False)
COMPARE = Stage("compare", Scope.PART, repeatable=True, rows_refusable=False, optional=True)
AFFORD = Stage("afford", Scope.JOB, repeatable=True, carries_rows=False, rows_refusable=False)
SEND = Stage(
    "send",
    Scope.CHUNK,
    carries_rows=False,
    rows_refusable=False,
    settles=True,
    believed=frozenset(CAMPAIGN_REFUSED),
    quotas=("campaigns",),
)

_NAME_TAKEN, _LIST_EMPTY = 203, 211
_REQUEST = 1_000  # bytes of a request that loads contacts, besides these
_ATTACHMENTS = 5
_TESTS = "mailkit tests"  # a list for them, in an account without any
_TIMEOUT = 60.0  # seconds for the request that creates a campaign
_ENDS = timedelta(seconds=10 + _TIMEOUT)
"""After so long, counted from its take, the request for a campaign is over."""
_LISTED = timedelta(minutes=20)
"""A campaign that is not there so long after the request for it was never created."""
_BETWEEN_LOOKS = timedelta(minutes=1)
_SHOWN = timedelta(days=1)
"""After so long, a campaign that webhooks speak of and SendPulse does not show is a riddle."""
_BLACKLIST_IS_GOOD = 600.0  # seconds
_LOOKED_AT_ANEW = ChunkList(0)  # the list does not matter any more

_bad_address = re.compile(r"(?i)argument emails? is invalid").match


class _NotShown(Unavailable):
    """Webhooks speak of a campaign that SendPulse does not show."""


@attrs.frozen
class ChunkLimits:
    """How much a campaign and its requests carry; the service publishes no figures.

    ``rows`` of a campaign, less where the account's tariff allows less; ``part_rows`` are loaded by
    a request of at most ``size`` bytes, and ``lookup_rows`` looked up by one.
    """

    rows: int = attrs.field(default=50_000, validator=number(least=1, whole=True))
    part_rows: int = attrs.field(default=500, validator=number(least=1, whole=True))
    lookup_rows: int = attrs.field(default=500, validator=number(least=1, whole=True))
    size: int = attrs.field(default=4_000_000, validator=number(least=_REQUEST + 1, whole=True))


class SendPulseDispatch:
    """Sends the chunks of one message. See mailkit.provider.Dispatch."""

    stages: Sequence[Stage] = (LIST, SCREEN, LOAD, READY, COMPARE, AFFORD, SEND)

    def __init__(
        self,
        client: SendPulse,
        message: Message,
        columns: Sequence[str],
        *,
        limits: ChunkLimits,
        unsubscribe: str,
        escape: bool,
        wire_format: WireFormat,
    ) -> None:
        check_parts(message, "SendPulse")
        if message.html is None:
            raise Unsupported("SendPulse sends html only: give the message html instead of text")
        if len(message.attachments) > _ATTACHMENTS:
            raise Unsupported(
                f"SendPulse takes {_ATTACHMENTS} attachments, not {len(message.attachments)}: link "
                "to the others instead"
            )
        fields.attachments(message.attachments, wire_format)  # refuses two of one name
        fields.sender(message.sender, wire_format)
        if message.send_at is not None:
            fields.moment(message.send_at, wire_format)
        self._client = client
        # No waiting and no repeats here: while a chunk waits, it must count as planned.
        self._once = client.with_options(attempts=1, quota_wait=0, timeout=_TIMEOUT)
        self._message = message
        self._columns = ("email", *columns)
        self._unsubscribe = unsubscribe
        self._escape = escape
        self._placeholders = self._made()
        self._stored = {tuple(self._placeholders.names): self._placeholders}
        self._lookup_rows = limits.lookup_rows
        self._most: int | None = None  # emails that the tariff allows a campaign
        self._blacklist: frozenset[str] = frozenset()
        self._blacklist_until = -inf
        self._asking = asyncio.Lock()
        self.limits = Limits(limits.rows, limits.size, base=_REQUEST, part_rows=limits.part_rows)

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes that this recipient adds to the request that loads it."""
        return _size(address, self._placeholders.values((address, *values)))

    def measure_many(
        self, addresses: Sequence[str], values: Sequence[Sequence[str]]
    ) -> Sequence[int]:
        """The bytes that each of them adds to it."""
        rows = [(address, *row) for address, row in zip(addresses, values, strict=True)]
        return [*map(_size, addresses, self._placeholders.values_of(rows))]

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        """Subject and html; what stands for the service's link to unsubscribe stays."""
        return self._placeholders.render((address, *values))

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost:
        """The tariff and the balance; and, of lists that are loaded, the price. What emails cost
        that the tariff does not cover is said of lists alone.
        """
        details = await self._client.balance.details()
        lists = [ChunkList.of(cursor) for cursor in cursors]
        exact = bool(lists) and all(one.emails is not None for one in lists)
        facts: dict[str, str | int] = price_of(lists) if exact else {}
        enough: bool | None = None
        if (tariff := details.email) is not None:
            facts["tariff"] = tariff.tariff_name
            if tariff.emails_left is not None:
                facts["emails left"] = tariff.emails_left
                enough = emails <= tariff.emails_left
        money, currency = money_of(details)
        if money is not None:
            facts["balance"] = f"{money:,.2f} {currency}"
            enough = enough or (None if money else enough)  # the balance may pay for the rest
        return Cost(facts, shortfall(lists, details) is None if exact else enough)

    async def prepare(self) -> None:
        """Look whether the sender may send, and how many emails the tariff allows a campaign."""
        sender = self._message.sender.email
        senders = {one.email.lower(): one.status for one in await self._client.senders.list()}
        if sender.lower() not in senders or inactive(senders[sender.lower()]):
            active = ", ".join(email for email, status in senders.items() if not inactive(status))
            raise InvalidArgument(
                f"sender: {sender} is not an active sender of the SendPulse account; it has "
                f"{active or 'none'}"
            )
        self._most = await self._most_in_a_campaign()
        if self._most is not None:
            self.limits = attrs.evolve(self.limits, rows=min(self.limits.rows, self._most))

    async def _most_in_a_campaign(self) -> int | None:
        """What the tariff allows, which the service says of lists that are not empty."""
        for one in await self._client.mailing_lists.list():
            if one.active_email_qty > 0 and (cost := await self._cost(one.id)) is not None:
                return cost.max_emails_per_task or None
        return None

    async def perform(self, task: Task) -> Done | Sent | Wait | Recut:
        """One stage of one chunk, or of one of its parts."""
        match task.stage.name:
            case "list":
                return await self._make_list(task)
            case "screen":
                return await self._screen(task)
            case "load":
                return await self._load(task, ChunkList.of(task.cursor))
            case "ready":
                return await self._look(task, ChunkList.of(task.cursor))
            case "compare":
                return await self._compare(task, ChunkList.of(task.cursor))
            case "afford":
                return await self._afford(task)
            case _:
                return await self._send(task, ChunkList.of(task.cursor))

    async def _make_list(self, task: Task) -> Done | Recut:
        lists, name = self._client.mailing_lists, name_of(task)
        if self._most is not None and task.count > self._most:
            return Recut(self._most)
        try:
            found = await lists.create(name)
        except Refused as error:
            if error.code != _NAME_TAKEN:
                raise
            known = await lists.find_by_name(name)  # of an attempt whose outcome was unknown
            if known is None:
                raise Unavailable(f"the mailing list {name} exists, and is not found") from error
            found = known.id
        return Done(cursor=ChunkList(found, self._placeholders.names).cursor())

    async def _screen(self, task: Task) -> Done:
        blacklist, found = await self._blocked(), await self._look_up(task)
        suppressed = {}
        for row in task.rows:
            address = row.address.lower()
            reason = opted_out(found.get(address, ()))
            if reason is None and address in blacklist:
                reason = "in SendPulse's blacklist"
            if reason is not None:
                suppressed[row.n] = reason
        return Done(suppressed=suppressed)

    async def _load(self, task: Task, chunk: ChunkList) -> Done:
        addresses = task.addresses
        rows = [(row.address, *row.values) for row in task.rows]
        variables = self._stored_placeholders(chunk).values_of(rows)
        contacts = [*map(NewContact, addresses, variables)]
        try:
            await self._client.mailing_lists.add_contacts(chunk.id, contacts)
        except Refused as error:
            if len(contacts) > 1 or not _bad_address(error.text):
                raise
            return Done(rejected={task.rows[0].n: error.text})
        return Done()

    async def _look(self, task: Task, chunk: ChunkList) -> Done | Wait | Recut:
        lists, now = self._client.mailing_lists, self._client.clock.now()
        since = now if chunk.since is None else chunk.since
        found = await lists.get(chunk.id)
        wait = not_ready(found, name_of(task), since, now)
        if wait is None:
            total, cost = await lists.count(chunk.id), await self._cost(chunk.id)
            chunk = chunk.costing(cost)
            if cost is not None and cost.max_emails_per_task:
                self._most = cost.max_emails_per_task
                if task.count > self._most:
                    return Recut(self._most)
            complete = is_complete(found, total, chunk.emails or 0, task, since, now)
            if not isinstance(complete, Wait):
                return Done(cursor=chunk.cursor(), skips=int(complete))
            wait = complete
        return attrs.evolve(wait, cursor=attrs.evolve(chunk, since=since).cursor())

    async def _compare(self, task: Task, chunk: ChunkList) -> Done:
        found = compare(task.rows, await self._look_up(task), chunk.id)
        if found.inactive:
            removed = await self._client.mailing_lists.remove_contacts(chunk.id, found.inactive)
            for error in removed.failed.values():
                raise error
        return Done(rejected=found.rejected, suppressed=found.suppressed)

    async def _afford(self, task: Task) -> Done:
        details = await self._client.balance.details()
        lists = [ChunkList.of(cursor) for cursor in task.cursors]
        if shortfall(lists, details) is not None:  # it may have been paid for since
            lists = [one.costing(await self._cost(one.id)) for one in lists]
        missing = shortfall(lists, details)
        if missing is not None:
            raise AccountRefused(f"{missing}: top up the account or choose another tariff")
        return Done()

    async def _send(self, task: Task, chunk: ChunkList) -> Sent | Wait:
        """Create the campaign; before any request but the first one, look whether it is there.

        Where permits are missing on the way, the next take goes on from there: as long as no
        campaign was asked for, nobody else can have left one.
        """
        listed = chunk.listed and chunk.looked == task.take - 1
        known = attrs.evolve(chunk, looked=task.take, listed=True)
        looked = listed or task.tried is None
        try:
            if task.tried is not None:
                async for found in self._look_again(task, chunk, listed=listed):
                    known = attrs.evolve(found, looked=task.take, listed=True)
                    looked = True
                if len(known.ours) > 1:
                    raise OutcomeUnknown(f"SendPulse has two campaigns called {name_of(task)}")
                if known.ours:
                    return Sent(str(known.ours[0]), cursor=task.cursor)
            return await self._create(task, chunk)
        except QuotaExhausted as error:
            if not looked or error.available_at is None or error.status is not None:
                raise
            return Wait(error.available_at, error.text, known.cursor())
        except AuthenticationFailed as error:
            # The token may have expired; then there is another one after this look.
            async for found in self._look_for(self._client, task, chunk, listed=False):
                if found.ours:
                    return Sent(str(found.ours[0]), cursor=task.cursor)
            raise OutcomeUnknown(error.text, error.context) from error

    async def _look_again(
        self, task: Task, chunk: ChunkList, *, listed: bool
    ) -> AsyncIterator[ChunkList]:
        """See `_look_for`. If that fails, nothing but this look has left."""
        try:
            async for found in self._look_for(self._once, task, chunk, listed=listed):
                yield found
        except QuotaExhausted:
            raise
        except AuthenticationFailed as error:
            async for found in self._look_for(self._client, task, chunk, listed=False):
                yield found
            raise NotSent(error.text, error.context) from error
        except RequestError as error:
            raise NotSent(error.text, error.context) from error

    async def _create(self, task: Task, chunk: ChunkList) -> Sent:
        message, written = self._message, self._stored_placeholders(chunk)
        stats = None
        if message.track_opens is not None or message.track_clicks is not None:
            stats = Stats(message.track_opens, message.track_clicks)
        campaign = await self._once.campaigns.create(
            sender=message.sender,
            subject=written.subject,
            html=written.html,
            list_id=chunk.id,
            name=name_of(task),
            send_at=message.send_at,
            attachments=message.attachments or None,
            stats=stats,
        )
        return Sent(str(campaign.id), cursor=task.cursor)

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        """The campaign is found by its name among those of its list. It counts as never created if
        it is absent at two looks, long after its request could have arrived; not if webhooks speak
        of one that SendPulse does not show for a day: then a person must look.
        """
        name, chunk = name_of(task), ChunkList.of(task.cursor)
        now = self._now()
        try:
            looks = self._look_for(self._client, task, chunk, listed=False)
            found = [known.ours async for known in looks][-1]
        except _NotShown:
            if task.started is None or now < task.started + _SHOWN:
                raise
            return None
        if len(found) > 1:
            return None
        if found:
            return Sent(str(found[0]), cursor=task.cursor)
        over = [moment for moment in (task.started and task.started + _ENDS, task.tried) if moment]
        wait = self._wait(task, chunk, max(over, default=now - _LISTED))
        return wait or NotTaken(f"there is no campaign {name} at SendPulse")

    def _wait(self, task: Task, chunk: ChunkList, over: datetime) -> Wait | None:
        """What to wait for before it is certain that the request, which is ``over``, created no
        campaign; None: it is.
        """
        now, why = self._now(), f"no campaign {name_of(task)} at SendPulse so far"
        until, missed = over + _LISTED, chunk.missed
        if now >= until and (missed is None or not until.timestamp() <= missed <= now.timestamp()):
            missed = now.timestamp()
        if missed is not None and now >= until:
            until = datetime.fromtimestamp(missed, UTC) + _BETWEEN_LOOKS
        if now >= until:
            return None
        return Wait(until, why, attrs.evolve(chunk, missed=missed, listed=False).cursor())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._client.clock.now(), UTC)

    async def _look_for(
        self, client: SendPulse, task: Task, chunk: ChunkList, *, listed: bool
    ) -> AsyncIterator[ChunkList]:
        """The campaigns of the chunk's name, as known after each step: those of its list, which may
        not show a new one for a while, unless they are ``listed`` already, and those that webhooks
        have named. Raises Unavailable if there is none, and one of these can't be read.
        """
        name = name_of(task)
        if not listed:
            chunk = attrs.evolve(chunk, ours=(), others=())
            async for one in client.mailing_lists.iter_campaigns(chunk.id):
                if one.name.strip() == name:
                    chunk = attrs.evolve(chunk, ours=sorted({*chunk.ours, one.id}))
                    yield chunk  # the page behind this one is but a check
            yield chunk
        not_shown: _NotShown | None = None
        for reference in map(int, filter(str.isdecimal, task.heard_of)):
            if reference in chunk.ours or reference in chunk.others:
                continue
            try:
                campaign = await self._campaign(client, reference)
            except _NotShown as error:
                not_shown = error
                continue
            if campaign.name.strip() == name:
                chunk = attrs.evolve(chunk, ours=sorted([*chunk.ours, reference]))
            else:
                chunk = attrs.evolve(chunk, others=[*chunk.others, reference])
            yield chunk
        if not_shown is not None and not chunk.ours:
            raise not_shown

    async def _campaign(self, client: SendPulse, id: int) -> Campaign:
        try:
            return await client.campaigns.get(id)
        except NotFound as error:
            why = f"SendPulse has sent webhooks for campaign {id}, but does not show it"
            raise _NotShown(why, error.context) from error

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        """The campaign's status and statistics."""
        campaign = await self._client.campaigns.get(int(reference))

        now = self._client.clock.now()
        chunk = _LOOKED_AT_ANEW if cursor is None else ChunkList.of(cursor)
        over = now if chunk.over is None else chunk.over
        found = poll_result(
            campaign, now, partial(self._ask, campaign.id), polls=chunk.polls, over=over
        )
        known = over if campaign_phase(campaign.status).final else None
        chunk = attrs.evolve(chunk, polls=chunk.polls + 1, over=known)
        return attrs.evolve(found, cursor=chunk.cursor())

    async def test(self, row: TaskRow) -> Sent:
        """One test of a campaign, with the values filled in here. It has to name a mailing list,
        which does not matter: any that there is.
        """
        lists = self._client.mailing_lists
        some = await lists.list(limit=1)
        list_id = some[0].id if some else await lists.create(_TESTS)
        subject, body = self.render(row.address, row.values)
        patient = self._client.with_options(attempts=1, timeout=_TIMEOUT)
        await patient.campaigns.send_test(
            sender=self._message.sender,
            subject=subject,
            html=body,
            list_id=list_id,
            attachments=self._message.attachments or None,
            to=[row.address],
        )
        return Sent(None)

    async def recall(self, reference: str | None) -> None:
        """Cancel the campaign: what is sent by then stays sent."""
        if reference is None:
            raise InvalidArgument("a chunk without a campaign can't be taken back")
        await self._client.campaigns.cancel(int(reference))

    async def _ask(self, campaign_id: int, address: str) -> RowStatus | None:
        try:
            found = await self._client.campaigns.recipient(campaign_id, address)
        except NotFound:
            return None  # it was left out, or its result is not there yet
        status = row_status(address, found)
        if status is None or not status.reason:
            return status
        return status._replace(reason=self._client.scrubbed(status.reason))

    async def _look_up(self, task: Task) -> Mapping[str, Sequence[Contact]]:
        """The rows' addresses in all lists of the account, in lower case."""
        addresses = task.addresses
        found: dict[str, Sequence[Contact]] = {}
        for first in range(0, len(addresses), self._lookup_rows):
            some = addresses[first : first + self._lookup_rows]
            known = await self._client.contacts.get_many(some)
            found |= {address.lower(): contacts for address, contacts in known.items()}
        return found

    async def _blocked(self) -> frozenset[str]:
        """The account's blacklist; there is no question about single addresses."""
        async with self._asking:
            if self._client.clock.monotonic() >= self._blacklist_until:
                listed = await self._client.blacklist.list()
                self._blacklist = frozenset(address.strip().lower() for address in listed)
                self._blacklist_until = self._client.clock.monotonic() + _BLACKLIST_IS_GOOD
        return self._blacklist

    async def _cost(self, list_id: int) -> CampaignCost | None:
        """The cost of a campaign to the list; None if that is empty."""
        try:
            return await self._client.mailing_lists.cost(list_id)
        except Refused as error:
            if error.code != _LIST_EMPTY:
                raise
            return None

    def _made(self, names: Iterable[str] | None = None) -> Placeholders:
        return Placeholders(
            self._message,
            self._columns,
            unsubscribe=self._unsubscribe,
            escape=self._escape,
            names=names,
        )

    def _stored_placeholders(self, chunk: ChunkList) -> Placeholders:
        """The placeholders by the names that the chunk's contacts have."""
        names = tuple(chunk.variables)
        if names not in self._stored:
            self._stored[names] = self._made(names)
        return self._stored[names]


def _size(address: str, variables: Mapping[str, str]) -> int:
    return len(_encode({"email": address, "variables": variables})) + 1  # a comma


_encode = msgspec.json.Encoder().encode
