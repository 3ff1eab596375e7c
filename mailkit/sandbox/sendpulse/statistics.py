"""What became of a campaign's messages, in the service's codes, in figures that add up."""

from collections import Counter

from mailkit.sandbox.delivery import (
    COMPLAINT_AFTER,
    OPENED_AFTER,
    SENT_AFTER,
    arrival,
    meaning,
    state,
)
from mailkit.sandbox.sendpulse import life, words
from mailkit.sandbox.sendpulse.letters import links
from mailkit.sandbox.sendpulse.state import Campaign, Desk

NOT_SENT = 13
LEFT = 20
ERRORS = (6, 8, 9, 10, 12, 14, 16)
_CODES = {"queued": 0, "sent": 1, "delivered": 2, "opened": 3, "undelivered": 6}


def code(desk: Desk, campaign: Campaign, email: str) -> int | None:
    """The code of one address now; None if it has no part in the campaign."""
    if email in campaign.left:
        return LEFT
    if not campaign.started:
        if email not in campaign.copied:
            return None
        return NOT_SENT if life.campaign_status(desk, campaign) in (5, 16, 27) else 0
    return _letter(desk, campaign, email) if email in campaign.places else None


def _letter(desk: Desk, campaign: Campaign, email: str) -> int:
    began, word = campaign.starts_at, meaning(email)
    found = state(
        email, began, desk.now, tracked=campaign.opens, open_share=desk.settings.open_share
    )
    age, arrives = desk.now - began, arrival(email)
    if word == "slow" and SENT_AFTER + 1 <= age < arrives:
        return 7
    if age >= arrives + COMPLAINT_AFTER and word in ("complaint", "unsubscribed"):
        return 11 if word == "complaint" else 5
    if word == "opens" and found.stage == "opened" and _clicked(campaign, age - arrives):
        return 4
    return _CODES[found.stage]


def _clicked(campaign: Campaign, since: float) -> bool:
    late = since >= OPENED_AFTER + life.CLICKED_AFTER
    return campaign.clicks and late and bool(links(campaign.body))


def codes(desk: Desk, campaign: Campaign) -> Counter[int]:
    """How many addresses have each code."""
    everybody = campaign.recipients if campaign.started else campaign.copied
    if not campaign.started:
        silent = NOT_SENT if life.campaign_status(desk, campaign) in (5, 16, 27) else 0
        return Counter({silent: len(everybody)})
    counted = Counter(_letter(desk, campaign, email) for email in everybody)
    counted[LEFT] += len(campaign.left)
    return counted


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
        for one, text in words.RECIPIENTS.items()
    ]


def clicks(desk: Desk, campaign: Campaign) -> list[dict[str, object]]:
    """The links of the message with the number of clicks: readers take the first one."""
    counted = codes(desk, campaign)[4]
    return [
        {"url": link, "count": counted if at == 0 else 0}
        for at, link in enumerate(links(campaign.body))
    ]
