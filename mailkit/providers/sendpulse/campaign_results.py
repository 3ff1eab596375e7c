"""What a campaign's status and statistics say of the chunk that it was created for: pure functions.

A campaign does not list its recipients, so its status holds for every row of the chunk. Where only
some of its emails were sent, each recipient must be asked about. These results come late: they
count once they agree with the campaign's own numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import attrs

from mailkit.core.dispatch import AskRow, ChunkStatus, PollResult, RowStatus
from mailkit.events import DeliveryStatus
from mailkit.providers.sendpulse.campaign_reports import Campaign, CampaignRecipient
from mailkit.providers.sendpulse.codes import (
    CampaignPhase,
    CampaignStatus,
    RecipientStatus,
    campaign_phase,
)

__all__ = ["poll_result", "row_status"]

_FIRST, _SENDING, _MODERATION = 5.0, 60.0, 300.0
"""Seconds until the first look at a campaign, and at most between two looks."""

_RECIPIENTS, _SLOWLY = 60.0, 3600.0
"""Seconds at least and at most between two looks at the recipients of a campaign that is over."""
_CANCELS = 30.0
"""Seconds for which emails that were under way may be missing in a cancelled campaign's numbers."""
_SETTLED = 1800.0
"""Seconds after which the numbers of a campaign that is over no longer change."""

_NEVER_SENT = {
    RecipientStatus.QUEUED,
    RecipientStatus.NOT_SENT,
    RecipientStatus.BLOCKED_FOR_NOW,
    RecipientStatus.DISABLED,
    RecipientStatus.ALREADY_UNSUBSCRIBED,
}
"""What a recipient's status is to whom nothing was sent."""

_STOPPED = {
    CampaignStatus.BLOCKED: "SendPulse has blocked the campaign",
    CampaignStatus.NEEDS_EDITING: "SendPulse's moderators want the message to be edited",
    CampaignStatus.CANCELLED: "the campaign was cancelled at SendPulse",
    CampaignStatus.NO_ACTIVE_ADDRESSES: "SendPulse found no active addresses in the list",
    CampaignStatus.SENT_PARTLY: "SendPulse stopped the campaign: a limit of the account is reached",
    CampaignStatus.BLOCKED_PARTLY_SENT: "SendPulse blocked the campaign after sending a part of it",
    CampaignStatus.AUTOMATION_NO_MONEY: "SendPulse stopped the campaign: the balance is used up",
}
_OF_THE_ROWS = (CampaignStatus.CANCELLED, CampaignStatus.NO_ACTIVE_ADDRESSES)


def poll_result(
    campaign: Campaign, now: float, ask: AskRow, *, polls: int, over: float
) -> PollResult:
    """What the campaign says of its chunk, after so many polls; ``ask`` asks about a recipient, and
    ``over`` is when the campaign was first seen to be over, if it is.
    """
    counts, status = _counts(campaign), campaign.status
    wait = _FIRST * 2.0 ** min(polls, 10)
    match campaign_phase(status):
        case CampaignPhase.IN_PROGRESS:
            return _again(now + min(wait, _SENDING), "SendPulse is sending", counts)
        case CampaignPhase.MODERATION:
            why = "SendPulse's moderators look at the campaign"
            if status == CampaignStatus.IN_QUESTION:
                why = "SendPulse's moderators have a question: it is in the service's dashboard"
            return _again(now + min(wait, _MODERATION), why, counts)
        case CampaignPhase.SENT:
            return PollResult(others=_sent_to(campaign, now - over), statistics=counts, ask=ask)
        case CampaignPhase.STOPPED if status == CampaignStatus.CANCELLED and now - over < _CANCELS:
            return _again(over + _CANCELS, _stopped(status), counts)
        case CampaignPhase.STOPPED if not _sent(campaign):
            held = status not in _OF_THE_ROWS
            rejected = ChunkStatus(rejected=True, reason=_stopped(status), held=held)
            return PollResult(others=rejected, statistics=counts)
        case _:
            mailed, unsent = _numbers(campaign, now - over)
            held, why = status != CampaignStatus.CANCELLED, _stopped(status)
            doubt = ChunkStatus(in_doubt=True, reason=why, held=held, mailed=mailed, unsent=unsent)
            again = now + min(max(now - over, _RECIPIENTS), _SLOWLY)
            why += "; the results of its recipients do not agree with its numbers yet"
            return attrs.evolve(_again(again, why, counts), others=doubt, ask=ask)


def row_status(address: str, found: CampaignRecipient) -> RowStatus | None:
    """What happened to the message to one recipient; None if that may not be the last word."""
    status = found.detail_status if found.detail_status is not None else found.global_status
    if not isinstance(status, RecipientStatus) or status is RecipientStatus.QUEUED:
        return None
    words = found.detail_status_explain or found.global_status_explain
    if status is RecipientStatus.NOT_SENT:
        return RowStatus(address, None, True, "")  # the campaign's status says why
    if status in _NEVER_SENT:
        return RowStatus(address, None, True, words or status.name.lower().replace("_", " "))
    failed = status.delivery >= DeliveryStatus.UNDELIVERED
    return RowStatus(address, status.delivery, False, words if failed else "")


def _again(at: float, why: str, counts: Mapping[str, int]) -> PollResult:
    return PollResult(again=datetime.fromtimestamp(at, UTC), why=why, statistics=counts)


def _counts(campaign: Campaign) -> dict[str, int]:
    """The campaign's statistics, by the names of the statuses, without those that nobody has."""
    found = {_name(one.code): one.count for one in campaign.statistics.general if one.count}
    return found or {name: n for name, n in campaign.statistics.counters.items() if n}


def _sent(campaign: Campaign) -> bool:
    """Whether any email was sent."""
    sent = (one.count for one in campaign.statistics.general if one.code not in _NEVER_SENT)
    return any(sent) or bool(campaign.statistics.counters.get("sent"))


def _sent_to(campaign: Campaign, age: float) -> ChunkStatus:
    """The campaign is out; those that its numbers have in the queue still may not be."""
    mailed, unsent = _numbers(campaign, age)
    queued = _by_code(campaign).get(RecipientStatus.QUEUED, 0)
    delivery = DeliveryStatus.QUEUED if queued else DeliveryStatus.SENT
    why = "SendPulse left the address out"
    return ChunkStatus(delivery, reason=why, mailed=mailed + queued, unsent=unsent)


def _by_code(campaign: Campaign) -> Mapping[RecipientStatus | int, int]:
    return {one.code: one.count for one in campaign.statistics.general}


def _numbers(campaign: Campaign, age: float) -> tuple[int, int | None]:
    """How many emails were sent, and how many never will be; None: it is not known yet."""
    counted = _by_code(campaign)
    sent = counted.get(RecipientStatus.SENT, 0) or campaign.statistics.counters.get("sent", 0)
    if counted.get(RecipientStatus.QUEUED):
        return sent, None
    unsent = sum(count for code, count in counted.items() if code in _NEVER_SENT)
    if age >= _SETTLED:
        unsent = max(unsent, campaign.all_email_qty - sent)
    return sent, unsent or None


def _stopped(status: CampaignStatus | int | None) -> str:
    assert isinstance(status, CampaignStatus)  # noqa: S101 - a number has no phase
    return f"{_STOPPED[status]} (status {int(status)})"


def _name(code: RecipientStatus | int) -> str:
    return code.name.lower() if isinstance(code, RecipientStatus) else f"status_{code}"
