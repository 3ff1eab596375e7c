"""Campaigns: a message to a mailing list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from mailkit.address import Address
from mailkit.core.call import Call, Raw, Resource, arg, delete, method, patch, post, wire
from mailkit.core.model import Model
from mailkit.core.reading import Reader, decode, new_id
from mailkit.core.wire import Unreadable
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.campaign_reports import (
    Campaign,
    GetCampaign,
    GetCountries,
    GetRecipient,
    GetReferrals,
    ListCampaigns,
    Order,
)
from mailkit.providers.sendpulse.codes import CampaignStatus
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE
from mailkit.providers.sendpulse.pages import named, paged

__all__ = ["Campaigns", "CreateCampaignResult", "Stats"]

T = TypeVar("T")

_LISTS = 10  # in one campaign
_TEST_ADDRESSES = 3


@attrs.frozen
class CreateCampaignResult(Model):
    """The service took the campaign: its id, and what it costs."""

    id: int = attrs.field(validator=attrs.validators.gt(0))
    status: CampaignStatus | int | None = None
    count: int = 0
    tariff_email_qty: int = 0
    paid_email_qty: int = 0
    overdraft_price: Decimal | None = None
    overdraft_currency: str = attrs.field(
        default="", metadata=wire("ovedraft_currency", "overdraft_currency")
    )


@attrs.frozen
class Stats:
    """What a campaign counts: opens and clicks, both unless False; ``utm_campaign`` is put into
    the message's links.
    """

    opens: bool | None = None
    clicks: bool | None = None
    utm_campaign: str | None = None


def _lists(value: int | Sequence[int], wire_format: WireFormat) -> object:
    """A list alone goes out as a number: a test or a segment takes no more."""
    numbers = [value] if isinstance(value, int) else [int(one) for one in value]
    return numbers[0] if len(numbers) == 1 else numbers


def _given(value: Stats, wire_format: WireFormat) -> Mapping[str, object]:
    return attrs.asdict(value, filter=lambda _, item: item is not None)


def _draft(value: bool, wire_format: WireFormat) -> Mapping[str, object]:
    return {"type": "draft"} if value else {}


def _declared(cls: type[_Campaign[T]]) -> type[_Campaign[T]]:
    return attrs.frozen(cls, kw_only=True)


@_declared
class _Campaign(Call[T], kw_only=True):
    """What a campaign and its test have in common."""

    sender: Address | str = arg(expand=fields.sender)
    subject: str = arg(write=fields.one_line("subject"))
    html: str | None = arg(default=None, wire="body", write=fields.base64_text("html"))
    template_id: int | str | None = None
    list_id: int | Sequence[int] | None = arg(default=None, write=_lists)
    segment_id: int | None = None
    is_test: bool | None = None
    send_at: datetime | None = arg(default=None, wire="send_date", write=fields.moment)
    name: str | None = arg(default=None, write=fields.one_line("name"))
    use_dynamic_list: bool | None = None
    attachments: fields.Attachments | None = arg(default=None, expand=fields.attachments, file=True)
    draft: bool = arg(default=False, expand=_draft)
    amp: str | None = arg(default=None, wire="body_amp", write=fields.base64_text("amp"))
    stats: Stats | None = arg(default=None, write=_given)

    def __attrs_post_init__(self) -> None:
        fields.exactly_one(html=self.html, template_id=self.template_id)
        if self.list_id is None and self.segment_id is None:
            raise InvalidArgument("give list_id, or segment_id, or both")
        if self.list_id is not None and not isinstance(self.list_id, int):
            self._check_lists(len(fields.some(self.list_id, "list_id")))
        if self.use_dynamic_list and self.send_at is None:
            raise InvalidArgument("use_dynamic_list is for campaigns with send_at: give it too")
        if self.is_test and (self.draft or self.send_at is not None):
            other = "draft" if self.draft else "send_at"
            raise InvalidArgument(f"is_test sends one message at once: leave out {other}")

    def _check_lists(self, count: int) -> None:
        if count > _LISTS:
            raise InvalidArgument(f"list_id: a campaign takes {_LISTS} lists, not {count}")
        if count > 1 and (self.is_test or self.segment_id is not None):
            other = "is_test" if self.is_test else "segment_id"
            raise InvalidArgument(f"list_id: {other} goes with one list, not {count}")


def _quotas(call: _Campaign[Any]) -> tuple[str, ...]:
    return ("campaigns", "tests") if call.is_test else ("campaigns",)


@post("/campaigns", repeatable=False, quotas=_quotas)
class CreateCampaign(_Campaign[CreateCampaignResult], kw_only=True):
    """Send a message to mailing lists or to a segment, at once or at ``send_at``.

    Exactly one of ``html`` and ``template_id``. ``list_id`` is one list, or up to 10;
    ``segment_id`` is a part of one list, whose ``list_id`` may be given too. ``sender`` needs a
    name. ``send_at`` is an aware datetime; the client must know the account's zone.
    ``use_dynamic_list``: contacts added until then get the message too. ``attachments`` are at most
    5. ``amp`` is the message's AMP version. ``draft`` keeps the campaign unsent. ``is_test`` sends
    one message, to the sender's address. Each of these counts for the quota of 4 campaigns an hour.
    A lost response raises OutcomeUnknown: look for the name among the campaigns.
    """


def _tested(tree: Any) -> None:
    """The response to a test is unpublished: a campaign, or a yes."""
    try:
        _created.structure(tree)
    except Unreadable:
        confirmed(tree)


_created = Reader[CreateCampaignResult](CreateCampaignResult)


@patch("/campaigns", repeatable=False, quotas=("tests",), pick=_tested)
class SendTest(_Campaign[None], kw_only=True):
    """Send the message to at most 3 addresses in ``to``, 20 times an hour.

    The other arguments are those of ``create``. Described on the Russian page alone; ``is_test``
    of ``create`` is the other way.
    """

    to: Sequence[Address | str] = arg(
        wire="send_test_only", write=lambda value, _: fields.plain_addresses(value, "to")
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        fields.some(self.to, "to")
        if len(self.to) > _TEST_ADDRESSES:
            raise InvalidArgument(
                f"to: a test takes {_TEST_ADDRESSES} addresses, not {len(self.to)}"
            )


def _edited(call: EditCampaign, raw: Raw) -> int:
    tree = decode(raw)
    confirmed(tree)
    return _id.structure(tree) if "id" in tree else call.id


_id = Reader[int](int, new_id("id"))


@patch("/campaigns/{id}", repeatable=True, read=_edited)
class EditCampaign(Call[int], kw_only=True):
    """Change a campaign that waits for its time, and return its id.

    The arguments are those of ``create``.
    """

    id: int
    name: str = arg(write=fields.one_line("name"))
    sender: Address | str = arg(expand=fields.sender)
    subject: str = arg(write=fields.one_line("subject"))
    html: str | None = arg(default=None, wire="body", write=fields.base64_text("html"))
    template_id: int | str | None = None
    send_at: datetime | None = arg(default=None, wire="send_date", write=fields.moment)

    def __attrs_post_init__(self) -> None:
        fields.exactly_one(html=self.html, template_id=self.template_id)


@delete("/campaigns/{id}", repeatable=True, body="none", pick=confirmed, gone=GONE)
class CancelCampaign(Call[None]):
    """Cancel a campaign; of one that is being sent, what is not sent yet."""

    id: int


class Campaigns(Resource):
    """Campaigns, their tests and their statistics."""

    create = method(CreateCampaign)
    send_test = method(SendTest)
    edit = method(EditCampaign)
    get = method(GetCampaign)
    list = method(ListCampaigns)
    countries = method(GetCountries)
    referrals = method(GetReferrals)
    cancel = method(CancelCampaign)
    recipient = method(GetRecipient)

    def iter_campaigns(
        self,
        *,
        order: Order | None = None,
        status: Sequence[CampaignStatus | int] | None = None,
        scheduled: bool | None = None,
    ) -> AsyncIterator[Campaign]:
        """All campaigns of the account, page by page; see ``list``."""
        return paged(lambda limit, offset: self.list(limit, offset, order, status, scheduled))

    async def find_by_name(self, name: str) -> Campaign | None:
        """A campaign of this name among all of the account, or None; names are not unique.

        Looks through all campaigns, page by page; ``mailing_lists.find_campaign`` looks through
        those of one list.
        """
        return await named(self.iter_campaigns(), name)
