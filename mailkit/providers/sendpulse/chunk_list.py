"""The mailing list of a chunk: what is known of it between the stages, and what they decide.

The list is created for the chunk alone, under a name that no other has. What comes of it is kept in
the journal as the chunk's cursor. All decisions are pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import msgspec

from mailkit.core.dispatch import Task, TaskRow, Wait
from mailkit.errors import AccountRefused
from mailkit.providers.sendpulse.balance import BalanceDetails
from mailkit.providers.sendpulse.codes import ContactStatus, MailingListStatus
from mailkit.providers.sendpulse.mailing_lists import Cost, MailingList
from mailkit.providers.sendpulse.models import Contact

__all__ = [
    "ChunkList",
    "Comparison",
    "compare",
    "is_complete",
    "money_of",
    "name_of",
    "not_ready",
    "opted_out",
    "price_of",
    "shortfall",
]

_NAME = 100  # characters of the job's name: the list's name must stay short enough for the service
_PATIENCE = 3600.0
"""Seconds for which a list may be locked, or its contacts new, before a person has to look."""
_SETTLES = 20.0
"""Seconds for which a list may lack contacts that the service has taken."""

_OPTED_OUT = {
    ContactStatus.UNSUBSCRIBED: "unsubscribed at SendPulse",
    ContactStatus.UNSUBSCRIBED_FROM_ALL: "unsubscribed at SendPulse from everything",
    ContactStatus.BLOCKED_BY_USER: "blocked at SendPulse",
    ContactStatus.BLOCKED_BY_DOMAIN: "blocked at SendPulse by the domain",
    ContactStatus.BLOCKED_BY_SENDER: "blocked at SendPulse by the sender's name",
    ContactStatus.BLOCKED_BY_LOCAL_PART: "blocked at SendPulse by a part of the address",
    ContactStatus.REJECTED: "rejected by SendPulse's moderators before",
    ContactStatus.SENDING_ERROR: "earlier messages could not be delivered, says SendPulse",
}
_MAILED = (ContactStatus.ACTIVE, ContactStatus.NEW)
"""The service counts new contacts as active, and activates them on its own."""
_LOCKED = (MailingListStatus.LOCKED, MailingListStatus.MOVING)


@attrs.frozen
class ChunkList:
    """The list of a chunk, as the chunk's cursor has it.

    ``variables`` maps the names that the contacts' variables were given to the columns' names,
    ``since`` is when it was looked at first after it was loaded. ``emails`` is how many a campaign
    to it would send, ``from_tariff`` and ``from_balance`` how many of these are paid by what, and
    ``price`` what the latter cost. ``missed`` is when its campaign was looked for in vain,
    ``polls`` counts how often it was looked at, and ``over`` is when it was first seen to be over.

    ``looked`` is the last take at which the campaign was looked for, and not asked for. Of those
    that are known, ``ours`` have the chunk's name, and ``others`` have not. ``listed``: there was
    no permit left once those of the list were known.
    """

    id: int
    variables: Mapping[str, str] = attrs.field(factory=dict[str, str])
    since: float | None = None
    emails: int | None = None
    from_tariff: int = 0
    from_balance: int = 0
    price: Decimal = Decimal(0)
    currency: str = ""
    affordable: bool = True
    missed: float | None = None
    polls: int = 0
    over: float | None = None
    looked: int | None = None
    listed: bool = False
    ours: Sequence[int] = ()
    others: Sequence[int] = ()

    @classmethod
    def of(cls, cursor: str | None) -> ChunkList:
        """The list that the first stage has left for the others."""
        assert cursor is not None  # noqa: S101 - no stage comes before that one
        return _decode(cursor)

    def cursor(self) -> str:
        """What the journal keeps."""
        return msgspec.json.encode(self).decode()

    def costing(self, cost: Cost | None) -> ChunkList:
        """With what the campaign costs; None: the list is empty."""
        if cost is None:
            return attrs.evolve(self, emails=0)
        return attrs.evolve(
            self,
            emails=cost.sent_emails_qty,
            from_tariff=cost.from_tariff,
            from_balance=cost.from_balance,
            price=cost.overdraft_price or Decimal(0),
            currency=cost.currency,
            affordable=cost.affordable,
        )


_decode = msgspec.json.Decoder(ChunkList).decode


def name_of(task: Task) -> str:
    """What list and campaign are called: for people, and, by the key, once in the world."""
    job, _, number = task.label.rpartition(" #")
    return f"{job[:_NAME]} #{number} {task.key}"


def _look_again(since: float, now: float) -> datetime:
    """When to look at a list again that has not been ready ``since``."""
    return datetime.fromtimestamp(now, UTC) + timedelta(seconds=min(max(now - since, 5.0), 60.0))


def not_ready(found: MailingList, name: str, since: float, now: float) -> Wait | None:
    """What to wait for before a campaign may use the list; AccountRefused if a person has to look.
    ``since``: so long it has been waited for.
    """
    status = found.status
    if status in (None, MailingListStatus.ACTIVE):
        return None
    if status in _LOCKED and now - since < _PATIENCE:
        return Wait(_look_again(since, now), f"SendPulse is still loading the list {name}")
    if status == MailingListStatus.IN_QUESTION:
        why = "SendPulse's moderators have a question about it"
    elif status == MailingListStatus.DELETED:
        why = "it is marked as deleted"
    else:
        why = f"it has been locked for {(now - since) / 60:.0f} minutes (status {status})"
    raise AccountRefused(
        f"the mailing list {name} is not ready: {why}. Look into the service's dashboard, where it "
        "may ask something, and resume the job then"
    )


def is_complete(
    found: MailingList, total: int, emails: int, task: Task, since: float, now: float
) -> bool | Wait:
    """Whether every row of the chunk is a contact that the campaign will mail; if not, the rows
    have to be compared one by one, unless time may help. AccountRefused for strangers in the list.
    """
    name, count, inactive = name_of(task), task.count, found.inactive_email_qty
    if total > count:
        raise AccountRefused(
            f"the mailing list {name} has {total:,} contacts, and {count:,} were loaded: somebody "
            "else has added some. Take them out in the service's dashboard and resume the job"
        )
    if total == count == emails:
        return True
    again = _look_again(since, now)
    if total < count and now - since < _SETTLES:
        return Wait(again, f"SendPulse has not counted all contacts of the list {name} yet")
    if emails + inactive < total and now - since < _PATIENCE:
        return Wait(again, f"SendPulse has not activated all contacts of the list {name} yet")
    return False


def opted_out(contacts: Sequence[Contact]) -> str | None:
    """Why an address that is in these lists must not be mailed; None if it may be."""
    reasons = (_opted_out(contact) for contact in contacts)
    return next((reason for reason in reasons if reason is not None), None)


def _opted_out(contact: Contact) -> str | None:
    return _OPTED_OUT.get(contact.status) if isinstance(contact.status, ContactStatus) else None


@attrs.frozen
class Comparison:
    """Rows that the campaign will not mail: numbers and reasons. The ``inactive`` ones among the
    rejected might be mailed after all if they were active once it begins.
    """

    rejected: Mapping[int, str]
    suppressed: Mapping[int, str]
    inactive: Sequence[str]


def compare(
    rows: Sequence[TaskRow], found: Mapping[str, Sequence[Contact]], list_id: int
) -> Comparison:
    """Look for each row among the contacts of its list; ``found`` has those of all lists, by the
    address in lower case.
    """
    rejected: dict[int, str] = {}
    suppressed: dict[int, str] = {}
    inactive: list[str] = []
    for row in rows:
        contacts = found.get(row.address.lower(), ())
        own = next((one for one in contacts if one.list_id == list_id), None)
        if own is None:
            rejected[row.n] = "SendPulse has not taken the address into the list"
        elif (reason := _opted_out(own)) is not None:
            suppressed[row.n] = reason
        elif own.status not in _MAILED:
            rejected[row.n] = f"SendPulse has not activated the address: {_words(own.status)}"
            inactive.append(row.address)
    return Comparison(rejected, suppressed, inactive)


def _words(status: ContactStatus | int | None) -> str:
    if isinstance(status, ContactStatus):
        return status.name.lower().replace("_", " ")
    return f"status {status}"


def shortfall(lists: Sequence[ChunkList], details: BalanceDetails) -> str | None:
    """What is missing to pay for the campaigns to all of these lists, in a sentence; None if it is
    enough, or if only the service can know.

    Each list's cost was computed as if its campaign were the only one.
    """
    emails = sum(one.emails or 0 for one in lists)
    price = sum((one.price for one in lists), Decimal(0))
    beyond = sum(one.from_balance for one in lists)
    money, currency = money_of(details)
    left = None if details.email is None else details.email.emails_left
    excess = 0 if left is None else max(0, sum(one.from_tariff for one in lists) - left)
    if excess and beyond:
        price += price / beyond * excess
    elif excess and not money:
        return f"the campaigns are {emails:,} emails, and the tariff has {left:,} left"
    alone = all(one.affordable for one in lists)
    known = money is not None and {one.currency for one in lists if one.price} <= {currency}
    if alone and not (known and money is not None and price > money):
        return None
    paid = f"{money or 0:,.2f}"
    return f"the campaigns cost {price.normalize():,f} {currency}, and the balance is {paid}"


def price_of(lists: Sequence[ChunkList]) -> dict[str, str | int]:
    """What the campaigns to all of these lists cost, in a few facts."""
    price = sum((one.price for one in lists), Decimal(0))
    currency = next((one.currency for one in lists if one.price), "")
    return {
        "emails": sum(one.emails or 0 for one in lists),
        "paid by the tariff": sum(one.from_tariff for one in lists),
        "paid by the balance": sum(one.from_balance for one in lists),
        "price": f"{price:,.2f} {currency}".rstrip(),
    }


def money_of(details: BalanceDetails) -> tuple[Decimal | None, str]:
    """The account's money, its bonus included, and the currency; None where it is not known."""
    if details.balance is None:
        return None, ""
    parts = (details.balance.main, details.balance.bonus)
    return sum((part for part in parts if part is not None), Decimal(0)), details.balance.currency
