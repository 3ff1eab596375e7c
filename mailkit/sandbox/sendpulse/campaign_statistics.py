"""The statuses of a campaign's emails, in figures that add up."""

from collections import Counter

from mailkit.sandbox.delivery import (
    COMPLAINT_AFTER,
    DEFERRED_AFTER,
    OPENED_AFTER,
    Step,
    arrival,
    meaning,
    step_at,
)
from mailkit.sandbox.sendpulse import lifecycle
from mailkit.sandbox.sendpulse.codes import RecipientStatus
from mailkit.sandbox.sendpulse.emails import links
from mailkit.sandbox.sendpulse.state import Campaign, Context

ERRORS = (
    RecipientStatus.NO_SUCH_ADDRESS,
    RecipientStatus.UNAVAILABLE,
    RecipientStatus.REJECTED_AS_SPAM,
    RecipientStatus.MAILBOX_FULL,
    RecipientStatus.FAILED,
    RecipientStatus.NO_SUCH_DOMAIN,
    RecipientStatus.INVALID_ADDRESS,
)
_STATUSES = {
    Step.QUEUED: RecipientStatus.QUEUED,
    Step.SENT: RecipientStatus.SENT,
    Step.DELIVERED: RecipientStatus.DELIVERED,
    Step.OPENED: RecipientStatus.OPENED,
    Step.UNDELIVERED: RecipientStatus.NO_SUCH_ADDRESS,
}


def status(context: Context, campaign: Campaign, email: str) -> RecipientStatus | None:
    """The status of one address now; None if it is not in the campaign."""
    if email in campaign.left:
        return RecipientStatus.ALREADY_UNSUBSCRIBED
    if not campaign.started:
        return _before_start(context, campaign) if email in campaign.copied else None
    return _status(context, campaign, email) if email in campaign.places else None


def _before_start(context: Context, campaign: Campaign) -> RecipientStatus:
    is_stopped = lifecycle.campaign_status(context, campaign).is_stopped
    return RecipientStatus.NOT_SENT if is_stopped else RecipientStatus.QUEUED


def _status(context: Context, campaign: Campaign, email: str) -> RecipientStatus:
    age, word = context.now - campaign.starts_at, meaning(email)
    step = step_at(email, age, tracked=campaign.opens, open_share=context.settings.open_share)
    arrives = arrival(email)
    if word == "slow" and DEFERRED_AFTER <= age < arrives:
        return RecipientStatus.DEFERRED
    if age >= arrives + COMPLAINT_AFTER and word == "complaint":
        return RecipientStatus.COMPLAINED
    if age >= arrives + COMPLAINT_AFTER and word == "unsubscribed":
        return RecipientStatus.UNSUBSCRIBED
    if word == "opens" and step is Step.OPENED and _clicked(campaign, age - arrives):
        return RecipientStatus.CLICKED
    return _STATUSES[step]


def _clicked(campaign: Campaign, since: float) -> bool:
    late = since >= OPENED_AFTER + lifecycle.CLICKED_AFTER
    return campaign.clicks and late and bool(links(campaign.body))


def counts(context: Context, campaign: Campaign) -> Counter[RecipientStatus]:
    """How many addresses have each status."""
    if not campaign.started:
        return Counter({_before_start(context, campaign): len(campaign.copied)})
    found = Counter(_status(context, campaign, email) for email in campaign.recipients)
    found[RecipientStatus.ALREADY_UNSUBSCRIBED] += len(campaign.left)
    return found


def totals(counted: Counter[RecipientStatus]) -> dict[str, int]:
    """The counters: whoever has opened was delivered to, whoever was delivered to was sent to."""
    clicked = counted[RecipientStatus.CLICKED]
    unsubscribed = counted[RecipientStatus.UNSUBSCRIBED]
    opened = counted[RecipientStatus.OPENED] + clicked
    arrived = counted[RecipientStatus.DELIVERED] + counted[RecipientStatus.COMPLAINED]
    delivered = arrived + opened + unsubscribed
    error = sum(counted[one] for one in ERRORS)
    under_way = counted[RecipientStatus.SENT] + counted[RecipientStatus.DEFERRED]
    return {
        "sent": delivered + error + under_way,
        "delivered": delivered,
        "opening": opened,
        "link_redirected": clicked,
        "unsubscribe": unsubscribed,
        "error": error,
    }


def general(counted: Counter[RecipientStatus]) -> list[dict[str, object]]:
    """All codes with figures: SENT to CLICKED count whoever has come this far, the others whoever
    is there now.
    """
    sums = totals(counted)
    reached = {
        RecipientStatus.SENT: sums["sent"],
        RecipientStatus.DELIVERED: sums["delivered"],
        RecipientStatus.OPENED: sums["opening"],
        RecipientStatus.CLICKED: sums["link_redirected"],
    }
    return [
        {"code": one, "count": reached.get(one, counted[one]), "explain": one.label}
        for one in RecipientStatus
    ]


def clicks(context: Context, campaign: Campaign) -> list[dict[str, object]]:
    """The links of the message with the number of clicks: everybody follows the first one."""
    clicked = counts(context, campaign)[RecipientStatus.CLICKED]
    return [
        {"url": link, "count": clicked if at == 0 else 0}
        for at, link in enumerate(links(campaign.body))
    ]
