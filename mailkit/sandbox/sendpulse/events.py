"""What happens to the emails of a campaign, and what webhooks are told of that and of lists."""

from mailkit.sandbox.delivery import BOUNCE, Step, meaning, steps
from mailkit.sandbox.sendpulse.codes import CampaignEvent, ContactStatus, WebhookAction
from mailkit.sandbox.sendpulse.emails import links
from mailkit.sandbox.sendpulse.lists import MailingList
from mailkit.sandbox.sendpulse.state import Account, Campaign, Context, EventKind, ScheduledEvent

CLICKED_AFTER = 30.0
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


def follow(context: Context, campaign: Campaign, email: str) -> None:
    """Put what will happen to an email that goes out now on the timeline."""
    for after, step in steps(email, tracked=campaign.opens, open_share=campaign.open_share):
        if step is not Step.SENT:
            context.account.timeline.add(
                context.now + after, ScheduledEvent(step, campaign.id, email)
            )
        if step is Step.OPENED and campaign.clicks and meaning(email) == "opens":
            at = context.now + after + CLICKED_AFTER
            context.account.timeline.add(at, ScheduledEvent(EventKind.CLICK, campaign.id, email))


def reach(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    """An email reaches a step: statuses of contacts change, webhooks are called."""
    account, email = context.account, event.email
    lists = account.lists_of(campaign)
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
