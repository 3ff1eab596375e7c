"""What became of a campaign's messages, in the service's codes, in figures that add up."""

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
from mailkit.sandbox.sendpulse import codes, lifecycle
from mailkit.sandbox.sendpulse.emails import links
from mailkit.sandbox.sendpulse.state import Campaign, Context

NOT_SENT = 13
LEFT = 20
ERRORS = (6, 8, 9, 10, 12, 14, 16)
_CODES = {
    Step.QUEUED: 0,
    Step.SENT: 1,
    Step.DELIVERED: 2,
    Step.OPENED: 3,
    Step.UNDELIVERED: 6,
}


def status(context: Context, campaign: Campaign, email: str) -> int | None:
    """The code of one address now; None if it has no part in the campaign."""
    if email in campaign.left:
        return LEFT
    if not campaign.started:
        if email not in campaign.copied:
            return None
        return NOT_SENT if lifecycle.campaign_status(context, campaign) in (5, 16, 27) else 0
    return _one(context, campaign, email) if email in campaign.places else None


def _one(context: Context, campaign: Campaign, email: str) -> int:
    age, word = context.now - campaign.starts_at, meaning(email)
    step = step_at(email, age, tracked=campaign.opens, open_share=context.settings.open_share)
    arrives = arrival(email)
    if word == "slow" and DEFERRED_AFTER <= age < arrives:
        return 7
    if age >= arrives + COMPLAINT_AFTER and word in ("complaint", "unsubscribed"):
        return 11 if word == "complaint" else 5
    if word == "opens" and step is Step.OPENED and _clicked(campaign, age - arrives):
        return 4
    return _CODES[step]


def _clicked(campaign: Campaign, since: float) -> bool:
    late = since >= OPENED_AFTER + lifecycle.CLICKED_AFTER
    return campaign.clicks and late and bool(links(campaign.body))


def counts(context: Context, campaign: Campaign) -> Counter[int]:
    """How many addresses have each code."""
    everybody = campaign.recipients if campaign.started else campaign.copied
    if not campaign.started:
        silent = NOT_SENT if lifecycle.campaign_status(context, campaign) in (5, 16, 27) else 0
        return Counter({silent: len(everybody)})
    found = Counter(_one(context, campaign, email) for email in everybody)
    found[LEFT] += len(campaign.left)
    return found


def totals(counted: Counter[int]) -> dict[str, int]:
    """The counters: who was delivered to was sent to, who has opened was delivered to."""
    clicked = counted[4]
    opened = counted[3] + clicked
    delivered = counted[2] + opened + counted[5] + counted[11]
    error = sum(counted[one] for one in ERRORS)
    return {
        "sent": delivered + error + counted[1] + counted[7],
        "delivered": delivered,
        "opening": opened,
        "link_redirected": clicked,
        "unsubscribe": counted[5],
        "error": error,
    }


def general(counted: Counter[int]) -> list[dict[str, object]]:
    """All codes with figures: 1 to 4 count whoever has come so far, the others who stands there."""
    sums = totals(counted)
    far = {
        1: sums["sent"],
        2: sums["delivered"],
        3: sums["opening"],
        4: sums["link_redirected"],
    }
    return [
        {"code": one, "count": far.get(one, counted[one]), "explain": text}
        for one, text in codes.RECIPIENTS.items()
    ]


def clicks(context: Context, campaign: Campaign) -> list[dict[str, object]]:
    """The links of the message with the number of clicks: readers take the first one."""
    clicked = counts(context, campaign)[4]
    return [
        {"url": link, "count": clicked if at == 0 else 0}
        for at, link in enumerate(links(campaign.body))
    ]
