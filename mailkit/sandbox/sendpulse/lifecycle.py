"""What happens to contacts and campaigns as time goes by.

A campaign copies its addresses (CREATING), waits for the moderator if it must (MODERATION) and for
its date (NEW), is sent (SENDING) and is over (SENT).
"""

from itertools import chain

import attrs

from mailkit.sandbox.delivery import BOUNCE, Step, meaning, steps
from mailkit.sandbox.sendpulse.codes import (
    NEW_OR_ACTIVE,
    CampaignEvent,
    CampaignStatus,
    ContactStatus,
    WebhookAction,
)
from mailkit.sandbox.sendpulse.emails import links, record
from mailkit.sandbox.sendpulse.state import (
    Account,
    Campaign,
    Contact,
    Context,
    EventKind,
    MailingList,
    ScheduledEvent,
)

VERDICTS = {str(event): event for event in CampaignEvent}
_ACTIONS: dict[Step | EventKind, WebhookAction] = {
    Step.DELIVERED: WebhookAction.DELIVERED,
    Step.OPENED: WebhookAction.OPEN,
    Step.UNDELIVERED: WebhookAction.HARD_BOUNCES,
    Step.DEFERRED: WebhookAction.SOFT_BOUNCES,
    Step.COMPLAINED: WebhookAction.SPAM,
}
_BROWSER = {
    "open_device": "Desktop",
    "open_platform": "Linux",
    "browser_name": "Firefox",
    "browser_ver": "130.0",
}
CLICKED_AFTER = 30.0


def status(context: Context, contact: Contact) -> ContactStatus:
    """The contact's status now; the blacklist hides every other."""
    if contact.email in context.account.blacklist:
        return ContactStatus.BLOCKED
    return contact.status_at(context.now, context.settings)


def count_inactive(context: Context, found: MailingList) -> int:
    """How many contacts of the list are neither new nor active now."""
    blocked = context.account.blacklist.keys() & found.contacts.keys()
    others = found.apart | blocked if blocked else found.apart
    return sum(status(context, found.contacts[email]) not in NEW_OR_ACTIVE for email in others)


def campaign_status(context: Context, campaign: Campaign) -> CampaignStatus:
    """The campaign's status now."""
    now = context.now
    if campaign.cancelled:
        return CampaignStatus.CANCELLED
    if campaign.draft:
        return CampaignStatus.DRAFT
    if campaign.test:
        return CampaignStatus.TEST if now < campaign.copied_at else CampaignStatus.TEST_SENT
    if now < campaign.copied_at:
        return CampaignStatus.CREATING
    if not campaign.copied and not campaign.dynamic:
        return CampaignStatus.NO_ACTIVE_ADDRESSES
    if campaign.started:
        if not campaign.recipients:
            return CampaignStatus.NO_ACTIVE_ADDRESSES
        if now >= campaign.starts_at + context.settings.sending:
            return campaign.ends
        in_parts = campaign.verdict is CampaignEvent.APPROVED_IN_PARTS
        return CampaignStatus.SENDING_PARTIALLY if in_parts else CampaignStatus.SENDING
    return CampaignStatus.MODERATION if now < campaign.approved_at else campaign.verdict.holds


def plan(account: Account, campaign: Campaign) -> None:
    """Put the campaign's future on the timeline."""
    if campaign.moderated:
        account.timeline.add(campaign.copied_at, ScheduledEvent(EventKind.MODERATION, campaign.id))
        account.timeline.add(campaign.approved_at, ScheduledEvent(EventKind.VERDICT, campaign.id))
    account.timeline.add(campaign.starts_at, ScheduledEvent(EventKind.START, campaign.id))


def active(context: Context, found: MailingList) -> list[str]:
    """The active addresses of a list."""
    wanted, now, settings = ContactStatus.ACTIVE, context.now, context.settings
    blacklist = context.account.blacklist
    return [
        contact.email
        for contact in found.contacts.values()
        if contact.status_at(now, settings) is wanted and contact.email not in blacklist
    ]


def active_of(context: Context, lists: list[int]) -> list[str]:
    """The active addresses of the lists, each of them once."""
    known = context.account.lists
    return once([active(context, known[number]) for number in lists if number in known])


def once(lists: list[list[str]]) -> list[str]:
    """The addresses of all lists, each of them once."""
    return lists[0] if len(lists) == 1 else list(dict.fromkeys(chain.from_iterable(lists)))


def tick(context: Context) -> None:
    """Let everything happen that is due."""
    timeline = context.account.timeline
    while (taken := timeline.take(context.now)) is not None:
        at, event = taken
        campaign = context.account.campaigns.get(event.campaign)
        if campaign is not None:
            _apply(attrs.evolve(context, now=at), campaign, event)


def _apply(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    if event.kind is EventKind.MODERATION:
        if not campaign.cancelled and campaign.copied:
            notify_campaign(context, campaign, CampaignEvent.ON_MODERATION)
    elif event.kind is EventKind.VERDICT:
        if not campaign.cancelled and campaign.copied:
            notify_campaign(context, campaign, campaign.verdict)
            if campaign.verdict is CampaignEvent.CONFIRM_ADDRESSES:
                for found in _lists(context.account, campaign):
                    found.in_question = True
    elif event.kind is EventKind.START:
        waits = not (campaign.started or campaign.cancelled or campaign.verdict.holds)
        if waits and campaign.starts_at == context.now:
            _start(context, campaign)
    else:
        _reach(context, campaign, event)


def _start(context: Context, campaign: Campaign) -> None:
    """Hand the emails over: this is the moment that the truth counts."""
    campaign.started = True
    still = active_of(context, campaign.lists)
    if campaign.dynamic:
        campaign.copied = still
    gone = set(campaign.copied).difference(still)
    campaign.left = {email for email in gone if _is_known(context, campaign, email)}
    reached = [email for email in campaign.copied if email not in campaign.left]
    halt = context.settings.halts_after
    if halt is not None and len(reached) > halt:
        campaign.ends = CampaignStatus(context.settings.halted_status)
        campaign.unsent = set(reached[halt:])
        reached = reached[:halt]
    campaign.recipients, campaign.open_share = reached, context.settings.open_share
    campaign.places = {email: at for at, email in enumerate(campaign.recipients)}
    if not campaign.recipients:
        return
    notify_campaign(context, campaign, CampaignEvent.SENDING)
    record(context, campaign)
    has_webhooks = bool(context.account.webhook_queue.by_id)
    for email in campaign.recipients:
        if has_webhooks or meaning(email) in ("bounce", "complaint", "unsubscribed"):
            _follow(context, campaign, email)


def _is_known(context: Context, campaign: Campaign, email: str) -> bool:
    """Whether a list of the campaign still has the address, or the blacklist."""
    on_list = any(email in one.contacts for one in _lists(context.account, campaign))
    return on_list or email in context.account.blacklist


def _lists(account: Account, campaign: Campaign) -> list[MailingList]:
    """The campaign's lists that are still there."""
    return [account.lists[number] for number in campaign.lists if number in account.lists]


def _follow(context: Context, campaign: Campaign, email: str) -> None:
    for after, step in steps(email, tracked=campaign.opens, open_share=campaign.open_share):
        if step is not Step.SENT:
            context.account.timeline.add(
                context.now + after, ScheduledEvent(step, campaign.id, email)
            )
        if step is Step.OPENED and campaign.clicks and meaning(email) == "opens":
            at = context.now + after + CLICKED_AFTER
            context.account.timeline.add(at, ScheduledEvent(EventKind.CLICK, campaign.id, email))


def _reach(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    """An email reaches a step: statuses of contacts change, webhooks are called."""
    account, email = context.account, event.email
    lists = _lists(account, campaign)
    fields: dict[str, object] = {"task_id": str(campaign.id), "email": email}
    if event.kind is Step.UNSUBSCRIBED:
        for found in lists:
            if email in found.contacts:
                unsubscribe(account, found, email, context.now, campaign.id)
    if event.kind is EventKind.CLICK:
        for link in links(campaign.body)[:1]:
            row = {**fields, **_BROWSER, "link_url": link, "link_id": "71741389"}
            account.webhook_queue.put(WebhookAction.REDIRECT, context.now, row)
    if event.kind is Step.UNDELIVERED:
        _opt_out(account, lists, email, ContactStatus.SENDING_ERROR)
        fields["smtp_server_response"] = BOUNCE
        fields["smtp_server_response_code"] = "550"
        fields["smtp_server_response_subcode"] = "5.1.1"
    if event.kind is Step.DEFERRED:
        fields["smtp_server_response"] = "450 try again later"
        fields["smtp_server_response_code"] = "450"
        fields["smtp_server_response_subcode"] = "4.2.0"
    if event.kind is Step.COMPLAINED:
        everywhere = list(account.lists.values())
        _opt_out(account, everywhere, email, ContactStatus.UNSUBSCRIBED_FROM_ALL)
    if event.kind is Step.OPENED:
        fields |= _BROWSER
    if event.kind in _ACTIONS:
        account.webhook_queue.put(_ACTIONS[event.kind], context.now, fields)


def _opt_out(account: Account, lists: list[MailingList], email: str, status: ContactStatus) -> None:
    """Remember that the address is not to be mailed any more, and mark it on the lists."""
    if account.opted_out.get(email) is not ContactStatus.UNSUBSCRIBED_FROM_ALL:
        account.opted_out[email] = status
    for found in lists:
        found.mark(email, status)


def unsubscribe(
    account: Account, found: MailingList, email: str, now: float, campaign: int = 0
) -> None:
    """The contact leaves the list."""
    _opt_out(account, [found], email, ContactStatus.UNSUBSCRIBED)
    event = {
        "task_id": str(campaign) if campaign else "",
        "from_all": "0",
        "email": email,
        "reason": None,
        "book_id": str(found.id),
        "categories": "",
    }
    account.webhook_queue.put(WebhookAction.UNSUBSCRIBE, now, event)


def notify_deleted(context: Context, found: MailingList, email: str) -> None:
    """The contact was taken off the list."""
    event = {"email": email, "book_id": str(found.id)}
    context.account.webhook_queue.put(WebhookAction.DELETE, context.now, event)


def notify_campaign(context: Context, campaign: Campaign, event: CampaignEvent) -> None:
    """The campaign has reached another stage."""
    row = {
        "status": event,
        "status_explain": event.label,
        "task_id": str(campaign.id),
        "book_id": str(campaign.lists[0]) if campaign.lists else "",
    }
    context.account.webhook_queue.put(WebhookAction.TASK_STATUS_UPDATE, context.now, row)
