"""Listmail's part in a bulk send: a list and a campaign for each chunk.

The list is made, loaded part by part, and imported by the service; once all lists are ready and the
balance pays for them, each gets its campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from listmail.campaigns import Result
from listmail.lists import Contact, ListState
from listmail.merge import MergeFields
from mailkit import DeliveryStatus, Message
from mailkit.errors import AccountRefused, Refused, Unavailable, Unsupported
from mailkit.provider import (
    Cost,
    Done,
    Limits,
    NotTaken,
    PollResult,
    RowStatus,
    Scope,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
    check_parts,
)

if TYPE_CHECKING:
    from listmail import Listmail

__all__ = ["ListmailDispatch"]

LIST = Stage("list", Scope.CHUNK, repeatable=True, carries_rows=False, rows_refusable=False)
LOAD = Stage("load", Scope.PART, repeatable=True)
READY = Stage("ready", Scope.CHUNK, repeatable=True, carries_rows=False, rows_refusable=False)
AFFORD = Stage("afford", Scope.JOB, repeatable=True, carries_rows=False, rows_refusable=False)
SEND = Stage("send", Scope.CHUNK, carries_rows=False, rows_refusable=False, settles=True)

_LOOK_AGAIN = timedelta(seconds=5)
_STATUS = {"delivered": DeliveryStatus.DELIVERED, "bounced": DeliveryStatus.HARD_BOUNCE}


class ListmailDispatch:
    """Sends the chunks of one message. See mailkit.provider.Dispatch."""

    stages: Sequence[Stage] = (LIST, LOAD, READY, AFFORD, SEND)

    def __init__(
        self, client: Listmail, message: Message, columns: Sequence[str], *, limits: Limits
    ) -> None:
        check_parts(message, "Listmail")  # reply_to, headers and a second body
        unsupported = {
            "text": message.html is None,
            "attachments": bool(message.attachments),
            "send_at": message.send_at is not None,
            "track_opens": message.track_opens is not None,
            "track_clicks": message.track_clicks is not None,
        }
        for name, used in unsupported.items():
            if used:
                raise Unsupported(f"Listmail has no {name}: take it out")
        self.limits = limits
        self._client = client
        self._once = client.with_options(attempts=1, quota_wait=0)
        self._sender = message.sender
        self._fields = MergeFields(message, ("email", *columns))

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes that this recipient adds to the request that loads it."""
        return len(msgspec.json.encode(self._contact(address, values))) + 1  # a comma

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        """Subject and html, as the service merges them."""
        return self._fields.render((address, *values))

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost:
        """The price of so many emails, and the balance that has to pay for them."""
        account = await self._client.account_info.get()
        price = emails * account.price
        facts = {"price": price, "balance": account.balance}
        return Cost(facts, enough=price <= account.balance)

    async def prepare(self) -> None:
        """Ask for the balance, which needs the right credentials."""
        await self._client.account_info.get()

    async def perform(self, task: Task) -> Done | Sent | Wait:
        """One stage of one chunk, or of one of its parts."""
        match task.stage.name:
            case "list":
                return Done(cursor=str(await self._make_list(name_of(task))))
            case "load":
                contacts = [self._contact(row.address, row.values) for row in task.rows]
                await self._client.lists.add_contacts(list_of(task), contacts)
                return Done()
            case "ready":
                return await self._look(task)
            case "afford":
                return await self._check_balance(task)
            case _:
                return await self._send(task)

    async def _make_list(self, name: str) -> int:
        try:
            return (await self._client.lists.create(name)).id
        except Refused as error:
            if error.code != "list_exists":
                raise
        (known,) = await self._client.lists.find(name)  # of an attempt whose outcome was unknown
        return known.id

    async def _look(self, task: Task) -> Done | Wait:
        found = await self._client.lists.get(list_of(task))
        if found.state is ListState.IMPORTING:
            until = datetime.fromtimestamp(self._client.clock.now(), UTC) + _LOOK_AGAIN
            return Wait(until, "the list is being imported")
        if found.total != task.count:
            raise Unavailable(f"the list has {found.total} contacts, and not {task.count}")
        return Done()

    async def _check_balance(self, task: Task) -> Done:
        account = await self._client.account_info.get()
        cost = task.count * account.price
        if cost > account.balance:
            raise AccountRefused(
                f"{task.count:,} messages cost {cost:,}, and the balance is {account.balance:,}"
            )
        return Done()

    async def _send(self, task: Task) -> Sent:
        campaign = await self._once.campaigns.create(
            name=name_of(task),
            list_id=list_of(task),
            sender=str(self._sender),
            subject=self._fields.subject,
            html=self._fields.html,
        )
        return Sent(str(campaign.id))

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        """The campaign is found by its name, or was never made."""
        found = await self._client.campaigns.find(name_of(task))
        if len(found) > 1:
            return None
        return Sent(str(found[0].id)) if found else NotTaken("there is no campaign of this name")

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        """All pages of the campaign's results."""
        statuses: list[RowStatus] = []
        page = await self._client.campaigns.results(int(reference))
        statuses += map(status_of, page.results)
        while page.next is not None:
            page = await self._client.campaigns.results(int(reference), page.next)
            statuses += map(status_of, page.results)
        return PollResult(statuses)

    async def test(self, row: TaskRow) -> Sent:
        """Unsupported: campaigns go to whole lists."""
        raise Unsupported("Listmail has no test messages")

    async def recall(self, reference: str | None) -> None:
        """Unsupported: campaigns are sent at once."""
        raise Unsupported("Listmail can't take back what it has accepted")

    def _contact(self, address: str, values: Sequence[str]) -> Contact:
        return Contact(address, self._fields.values((address, *values)))


def name_of(task: Task) -> str:
    """What list and campaign are called: for people, and, by the key, once in the world."""
    return f"{task.label} {task.key}"


def list_of(task: Task) -> int:
    """The id that the first stage has left for the others."""
    assert task.cursor is not None
    return int(task.cursor)


def status_of(result: Result) -> RowStatus:
    """What the service says of one contact, in mailkit's words."""
    skipped = result.status == "skipped"
    reason = "unsubscribed at the service" if skipped else ""
    return RowStatus(result.email, _STATUS.get(result.status), skipped, reason)
