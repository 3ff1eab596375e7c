"""What a campaign's status and statistics say of the chunk that it was created for: pure functions.

A campaign names nobody. So its status holds for every row of the chunk; only where a part of the
emails was sent must each recipient be asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from mailkit.core.dispatch import AskRows, ChunkStatus, PollResult, RowStatus
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
}
_OF_THE_ACCOUNT = (CampaignStatus.BLOCKED, CampaignStatus.NEEDS_EDITING)


def poll_result(campaign: Campaign, now: float, ask: AskRows, *, polls: int) -> PollResult:
    """What the campaign says of its chunk, after so many polls; ``ask`` asks about recipients."""
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
            return PollResult(others=ChunkStatus(DeliveryStatus.SENT), statistics=counts, ask=ask)
        case CampaignPhase.STOPPED if not _sent(campaign):
            assert isinstance(status, CampaignStatus)  # noqa: S101 - a number has no phase
            held = status in _OF_THE_ACCOUNT
            rejected = ChunkStatus(rejected=True, reason=_STOPPED[status], held=held)
            return PollResult(others=rejected, statistics=counts)
        case _:
            why = f"SendPulse has sent a part of the campaign only (status {_number(status)})"
            doubt = ChunkStatus(in_doubt=True, reason=why)
            return PollResult(others=doubt, statistics=counts, ask=ask)


def row_status(address: str, found: CampaignRecipient) -> RowStatus | None:
    """What happened to the message to one recipient; None if that may not be the last word."""
    status = found.detail_status if found.detail_status is not None else found.global_status
    if not isinstance(status, RecipientStatus) or status is RecipientStatus.QUEUED:
        return None
    words = found.detail_status_explain or found.global_status_explain
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


def _name(code: RecipientStatus | int) -> str:
    return code.name.lower() if isinstance(code, RecipientStatus) else f"status_{code}"


def _number(status: CampaignStatus | int | None) -> int | None:
    return None if status is None else int(status)
