"""What happens to the emails of a campaign, and what webhooks are told of that and of lists."""

from mailkit.sandbox.delivery import Step, failure, meaning
from mailkit.sandbox.sendpulse.codes import CampaignEvent, ContactStatus, WebhookAction
from mailkit.sandbox.sendpulse.emails import course, links
from mailkit.sandbox.sendpulse.lists import Contact, MailingList
from mailkit.sandbox.sendpulse.state import Account, Campaign, Context, ScheduledEvent

_ACTIONS = {
    Step.DELIVERED: WebhookAction.DELIVERED,
    Step.OPENED: WebhookAction.OPEN,
    Step.CLICKED: WebhookAction.REDIRECT,
    Step.UNDELIVERED: WebhookAction.HARD_BOUNCES,
    Step.DEFERRED: WebhookAction.SOFT_BOUNCES,
    Step.EXPIRED: WebhookAction.SOFT_BOUNCES,
    Step.COMPLAINED: WebhookAction.SPAM,
}
_BROWSER: dict[str, object] = {
    "open_device": "Desktop",
    "open_platform": "Linux",
    "browser_name": "Firefox",
    "browser_ver": "130.0",
}
_LINK_ID = 71741389


def follow(context: Context, campaign: Campaign, email: str, *, has_links: bool) -> None:
    """Put what will happen to an email that goes out now on the timeline."""
    for after, step in course(campaign, email, has_links=has_links):
        if step is not Step.SENT:
            event = ScheduledEvent(step, campaign.id, email)
            context.account.timeline.add(context.now + after, event)


def reach(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    """An email reaches a step: statuses of contacts change, webhooks are called."""
    account, email = context.account, event.email
    lists = account.lists_of(campaign)
    if event.kind is Step.UNSUBSCRIBED:
        _leave(context, lists, email, campaign)
    elif event.kind is Step.SUBSCRIBED:
        _return(context, lists, email)
    elif event.kind is Step.UNDELIVERED:
        _opt_out(account, lists, email, ContactStatus.SENDING_ERROR)
    elif event.kind is Step.COMPLAINED:
        everywhere = list(account.lists.values())
        _opt_out(account, everywhere, email, ContactStatus.UNSUBSCRIBED_FROM_ALL)
    if isinstance(event.kind, Step) and event.kind in _ACTIONS:
        fields = {"task_id": campaign.id, "email": email, **_details(campaign, event)}
        context.tell(_ACTIONS[event.kind], fields)


def _details(campaign: Campaign, event: ScheduledEvent) -> dict[str, object]:
    """What an event says besides campaign and address."""
    if event.kind is Step.OPENED:
        return _BROWSER
    if event.kind is Step.CLICKED:
        return {**_BROWSER, "link_url": links(campaign.body)[0], "link_id": _LINK_ID}
    if event.kind is Step.UNDELIVERED:
        return _bounce(failure(event.email), "5.1.1")
    if event.kind is Step.EXPIRED:
        return _bounce(failure(event.email), "4.2.2")
    return _bounce("450 try again later", "4.2.0") if event.kind is Step.DEFERRED else {}


def _bounce(response: str, subcode: str) -> dict[str, object]:
    return {
        "smtp_server_response": response,
        "smtp_server_response_code": int(response[:3]),
        "smtp_server_response_subcode": subcode,
    }


def _leave(context: Context, lists: list[MailingList], email: str, campaign: Campaign) -> None:
    """The recipient unsubscribes from the campaign's lists, or from everything."""
    account = context.account
    if meaning(email) == "leaves":
        everywhere = list(account.lists.values())
        _opt_out(account, everywhere, email, ContactStatus.UNSUBSCRIBED_FROM_ALL)
        book = next((found.id for found in lists if email in found.contacts), "")
        _notify_unsubscribed(context, book, email, campaign.id, from_all=1)
        return
    for found in lists:
        if email in found.contacts:
            unsubscribe(context, found, email, campaign.id)


def _return(context: Context, lists: list[MailingList], email: str) -> None:
    """The recipient fills in the form to subscribe."""
    context.account.opted_out.pop(email, None)
    for found in lists:
        contact = found.contacts.get(email)
        if contact is not None:
            found.mark(email, ContactStatus.ACTIVE)
            notify_new(context, found, [contact], "subscription form")


def _opt_out(account: Account, lists: list[MailingList], email: str, status: ContactStatus) -> None:
    """Remember that the address is not to be mailed any more, and mark it on the lists."""
    if account.opted_out.get(email) is not ContactStatus.UNSUBSCRIBED_FROM_ALL:
        account.opted_out[email] = status
    for found in lists:
        found.mark(email, status)


def unsubscribe(context: Context, found: MailingList, email: str, campaign: int = 0) -> None:
    """The contact leaves the list."""
    _opt_out(context.account, [found], email, ContactStatus.UNSUBSCRIBED)
    _notify_unsubscribed(context, found.id, email, campaign, from_all=0)


def _notify_unsubscribed(
    context: Context, book: int | str, email: str, campaign: int, *, from_all: int
) -> None:
    event = {
        "task_id": campaign or "",
        "from_all": from_all,
        "email": email,
        "reason": None,
        "book_id": book,
        "categories": "",
    }
    context.tell(WebhookAction.UNSUBSCRIBE, event)


def notify_new(
    context: Context, found: MailingList, new: list[Contact], source: str = "address book"
) -> None:
    """Tell the webhooks of new contacts."""
    if not context.account.webhook_queue.by_id:
        return
    for one in new:
        event = {
            "email": one.email,
            "book_id": found.id,
            "variables": one.typed_variables,
            "source": source,
        }
        context.tell(WebhookAction.NEW_EMAILS, event)


def notify_deleted(context: Context, found: MailingList, email: str) -> None:
    """The contact was taken off the list."""
    context.tell(WebhookAction.DELETE, {"email": email, "book_id": found.id})


def notify_campaign(context: Context, campaign: Campaign, event: CampaignEvent) -> None:
    """The campaign has reached another stage."""
    row = {
        "status": event,
        "status_explain": event.label,
        "task_id": campaign.id,
        "book_id": campaign.lists[0] if campaign.lists else "",
    }
    context.tell(WebhookAction.TASK_STATUS_UPDATE, row)
