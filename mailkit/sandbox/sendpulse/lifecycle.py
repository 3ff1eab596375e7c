"""What happens to contacts and campaigns as time goes by.

A campaign copies its addresses (13), waits for the moderator if it must (1) and for its date (0),
is sent (2) and is over (3). It has status 12 where nobody active was copied, 5 or 27 after a
moderator's no, 16 if it was cancelled, 26 as a draft, 4 and then 8 as a test.
"""

import attrs

from mailkit.sandbox.delivery import meaning, steps
from mailkit.sandbox.sendpulse import codes
from mailkit.sandbox.sendpulse.emails import links, record
from mailkit.sandbox.sendpulse.state import (
    ACTIVE,
    BLOCKED,
    LEFT_ALL,
    SENDING_ERROR,
    UNSUBSCRIBED,
    Account,
    Campaign,
    Contact,
    Context,
    MailingList,
    ScheduledEvent,
)

VERDICTS = {"approve": 0, "reject": 5, "edit": 27}
_TOLD = {
    "delivered": "delivered",
    "opened": "open",
    "undelivered": "hard_bounces",
    "deferred": "soft_bounces",
    "complained": "spam",
}
CLICKED_AFTER = 30.0


def status(context: Context, contact: Contact) -> int:
    """The contact's status now; the blacklist hides every other."""
    if contact.email in context.account.blacklist:
        return BLOCKED
    return contact.code(context.now, context.settings)


def campaign_status(context: Context, campaign: Campaign) -> int:
    """The campaign's status now."""
    now = context.now
    if campaign.cancelled:
        return 16
    if campaign.draft:
        return 26
    if campaign.test:
        return 4 if now < campaign.copied_at else 8
    if now < campaign.copied_at:
        return 13
    if not campaign.copied and not campaign.dynamic:
        return 12
    if campaign.started:
        if not campaign.recipients:
            return 12
        return 2 if now < campaign.starts_at + context.settings.sending else 3
    if now < campaign.approved_at:
        return 1
    return campaign.verdict


def plan(account: Account, campaign: Campaign) -> None:
    """Put the campaign's future on the timeline."""
    if campaign.moderated:
        account.timeline.add(campaign.copied_at, ScheduledEvent("moderation", campaign.id))
        account.timeline.add(campaign.approved_at, ScheduledEvent("verdict", campaign.id))
    account.timeline.add(campaign.starts_at, ScheduledEvent("start", campaign.id))


def active(context: Context, lists: list[int]) -> list[str]:
    """The active addresses of the lists, each of them once."""
    found = dict.fromkeys(
        contact.email
        for number in lists
        if number in context.account.lists
        for contact in context.account.lists[number].contacts.values()
        if status(context, contact) == ACTIVE
    )
    return list(found)


def tick(context: Context) -> None:
    """Let everything happen that is due."""
    timeline = context.account.timeline
    while (taken := timeline.take(context.now)) is not None:
        at, event = taken
        campaign = context.account.campaigns.get(event.campaign)
        if campaign is not None:
            _apply(attrs.evolve(context, now=at), campaign, event)


def _apply(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    if event.kind == "moderation":
        if not campaign.cancelled and campaign.copied:
            tell_campaign(context, campaign, "on_moderation")
    elif event.kind == "verdict":
        if not campaign.cancelled and campaign.copied:
            word = {0: "approve", 5: "rejected", 27: "need_edit"}[campaign.verdict]
            tell_campaign(context, campaign, word)
    elif event.kind == "start":
        waits = not (campaign.started or campaign.cancelled or campaign.verdict)
        if waits and campaign.starts_at == context.now:
            _start(context, campaign)
    else:
        _reach(context, campaign, event)


def _start(context: Context, campaign: Campaign) -> None:
    """Hand the messages over: this is the moment that the truth counts."""
    campaign.started = True
    if campaign.dynamic:
        campaign.copied = active(context, campaign.lists)
    still = set(active(context, campaign.lists))
    gone = {email for email in campaign.copied if email not in still}
    known = {
        email
        for number in campaign.lists
        if number in context.account.lists
        for email in context.account.lists[number].contacts
    }
    campaign.left = {
        email for email in gone if email in known or email in context.account.blacklist
    }
    campaign.recipients = [email for email in campaign.copied if email not in campaign.left]
    campaign.places = {email: at for at, email in enumerate(campaign.recipients)}
    if not campaign.recipients:
        return
    tell_campaign(context, campaign, "sending")
    record(context, campaign)
    told = bool(context.account.webhook_queue.by_id)
    for email in campaign.recipients:
        if told or meaning(email) in ("bounce", "complaint", "unsubscribed"):
            _follow(context, campaign, email)


def _follow(context: Context, campaign: Campaign, email: str) -> None:
    for after, step in steps(email, tracked=campaign.opens, open_share=context.settings.open_share):
        if step != "sent":
            context.account.timeline.add(
                context.now + after, ScheduledEvent(step, campaign.id, email)
            )
        if step == "opened" and campaign.clicks and meaning(email) == "opens":
            at = context.now + after + CLICKED_AFTER
            context.account.timeline.add(at, ScheduledEvent("clicked", campaign.id, email))


def _reach(context: Context, campaign: Campaign, event: ScheduledEvent) -> None:
    """A message reaches a step: statuses of contacts change, webhooks are told."""
    account, email = context.account, event.email
    lists = [account.lists[number] for number in campaign.lists if number in account.lists]
    fields: dict[str, object] = {"task_id": str(campaign.id), "email": email}
    if event.kind == "unsubscribed":
        for found in lists:
            if email in found.contacts:
                unsubscribe(account, found, email, context.now, campaign.id)
    if event.kind == "clicked":
        for link in links(campaign.body)[:1]:
            account.webhook_queue.tell(
                "redirect", context.now, {**fields, "link_url": link, "link_id": 1}
            )
    if event.kind == "undelivered":
        _mark(lists, email, SENDING_ERROR)
        fields["smtp_server_response"] = "550 mailbox does not exist"
        fields["smtp_server_response_code"] = "550"
        fields["smtp_server_response_subcode"] = "5.1.1"
    if event.kind == "deferred":
        fields["smtp_server_response"] = "450 try again later"
        fields["smtp_server_response_code"] = "450"
        fields["smtp_server_response_subcode"] = "4.2.0"
    if event.kind == "complained":
        account.left_all.add(email)
        _mark(list(account.lists.values()), email, LEFT_ALL)
    if event.kind == "opened":
        fields["open_device"] = "Desktop"
        fields["open_platform"] = "Linux"
        fields["browser_name"] = "Firefox"
        fields["browser_ver"] = "130.0"
    if event.kind in _TOLD:
        account.webhook_queue.tell(_TOLD[event.kind], context.now, fields)


def _mark(lists: list[MailingList], email: str, code: int) -> None:
    for found in lists:
        if email in found.contacts:
            found.contacts[email].status = code


def unsubscribe(
    account: Account, found: MailingList, email: str, now: float, campaign: int = 0
) -> None:
    """The contact leaves the list."""
    found.contacts[email].status = UNSUBSCRIBED
    event = {
        "task_id": str(campaign) if campaign else "",
        "from_all": 0,
        "email": email,
        "reason": None,
        "book_id": str(found.id),
        "categories": "",
    }
    account.webhook_queue.tell("unsubscribe", now, event)


def tell_gone(context: Context, found: MailingList, email: str) -> None:
    """The contact was taken off the list."""
    event = {"email": email, "book_id": str(found.id)}
    context.account.webhook_queue.tell("delete", context.now, event)


def tell_campaign(context: Context, campaign: Campaign, word: str) -> None:
    """The campaign has reached another stage."""
    event = {
        "status": word,
        "status_explain": codes.CAMPAIGN_EVENTS[word],
        "task_id": str(campaign.id),
        "book_id": str(campaign.lists[0]) if campaign.lists else "",
    }
    context.account.webhook_queue.tell("task_status_update", context.now, event)
