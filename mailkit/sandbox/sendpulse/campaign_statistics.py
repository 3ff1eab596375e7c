"""The statuses of a campaign's emails, in figures that add up."""

from collections import Counter
from collections.abc import Iterator

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.sendpulse import lifecycle
from mailkit.sandbox.sendpulse.codes import RecipientStatus
from mailkit.sandbox.sendpulse.emails import course, links
from mailkit.sandbox.sendpulse.state import Campaign, Context
from mailkit.sandbox.sendpulse.timetable import Timetable
from mailkit.sandbox.truth import Outcome

ERRORS = (
    RecipientStatus.NO_SUCH_ADDRESS,
    RecipientStatus.UNAVAILABLE,
    RecipientStatus.REJECTED_AS_SPAM,
    RecipientStatus.MAILBOX_FULL,
    RecipientStatus.FAILED,
    RecipientStatus.NO_SUCH_DOMAIN,
    RecipientStatus.INVALID_ADDRESS,
)
_SUBSCRIBED = Step.SUBSCRIBED
_STATUSES = {
    Step.QUEUED: RecipientStatus.QUEUED,
    Step.SENT: RecipientStatus.SENT,
    Step.DEFERRED: RecipientStatus.DEFERRED,
    Step.DELIVERED: RecipientStatus.DELIVERED,
    Step.OPENED: RecipientStatus.OPENED,
    Step.CLICKED: RecipientStatus.CLICKED,
    Step.UNDELIVERED: RecipientStatus.NO_SUCH_ADDRESS,
    Step.EXPIRED: RecipientStatus.MAILBOX_FULL,
    Step.UNSUBSCRIBED: RecipientStatus.UNSUBSCRIBED,
    Step.COMPLAINED: RecipientStatus.COMPLAINED,
}
_STATES = {status: str(step) for step, status in _STATUSES.items()}


def status(context: Context, campaign: Campaign, email: str) -> RecipientStatus | None:
    """The status of one address now; None if it is not in the campaign."""
    return _status(context, campaign, email, has_links=bool(links(campaign.body)))


def outcomes(context: Context, campaign: Campaign) -> Iterator[Outcome]:
    """What has become of each email of the campaign by now."""
    has_links = bool(links(campaign.body))
    for email in campaign.copied:
        word = _status(context, campaign, email, has_links=has_links)
        if word is not None:
            state = _STATES.get(word, "unsent")
            yield Outcome("sendpulse", email, str(campaign.id), state, int(word))


def _status(
    context: Context, campaign: Campaign, email: str, *, has_links: bool
) -> RecipientStatus | None:
    if email in campaign.left:
        return RecipientStatus.ALREADY_UNSUBSCRIBED
    if not campaign.started:
        return _before_start(context, campaign) if email in campaign.copied else None
    if email in campaign.unsent:
        return RecipientStatus.NOT_SENT
    if email not in campaign.reached:
        return None
    age, found = context.now - campaign.starts_at, RecipientStatus.QUEUED
    for at, reached in _course(campaign, email, has_links=has_links):
        if age >= at:
            found = reached
    return found


def counts(context: Context, campaign: Campaign) -> Counter[RecipientStatus]:
    """How many addresses have each status."""
    if not campaign.started:
        return Counter({_before_start(context, campaign): len(campaign.copied)})
    if campaign.timetable is None:
        has_links = bool(links(campaign.body))
        campaign.timetable = Timetable(
            _course(campaign, email, has_links=has_links) for email in campaign.recipients
        )
    found = campaign.timetable.counts(context.now - campaign.starts_at)
    found[RecipientStatus.ALREADY_UNSUBSCRIBED] += len(campaign.left)
    found[RecipientStatus.NOT_SENT] += len(campaign.unsent)
    return found


def _before_start(context: Context, campaign: Campaign) -> RecipientStatus:
    is_stopped = lifecycle.campaign_status(context, campaign).is_stopped
    return RecipientStatus.NOT_SENT if is_stopped else RecipientStatus.QUEUED


def _course(
    campaign: Campaign, email: str, *, has_links: bool
) -> Iterator[tuple[float, RecipientStatus]]:
    """The statuses of one email, with their seconds since sending began."""
    later = campaign.later.get(email, 0.0)
    for at, step in course(campaign, email, has_links=has_links):
        if step is not _SUBSCRIBED:
            yield later + at, _STATUSES[step]


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
