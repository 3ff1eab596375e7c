"""What happens to contacts and campaigns as time goes by.

A campaign copies its addresses (CREATING), waits for the moderator if it must (MODERATION) and for
its date (NEW), is sent (SENDING) and is over (SENT).
"""

from itertools import chain
from math import ceil

import attrs

from mailkit.sandbox.delivery import LEAVE, meaning
from mailkit.sandbox.sendpulse import events
from mailkit.sandbox.sendpulse.codes import (
    NEW_OR_ACTIVE,
    CampaignEvent,
    CampaignStatus,
    ContactStatus,
)
from mailkit.sandbox.sendpulse.emails import links, record
from mailkit.sandbox.sendpulse.lists import Contact, MailingList
from mailkit.sandbox.sendpulse.state import Account, Campaign, Context, EventKind, ScheduledEvent

_CHANGE = LEAVE | {"bounce", "complaint"}
"""Those whose contacts get another status by what happens to an email."""
VERDICTS = {str(event): event for event in CampaignEvent}


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
            events.notify_campaign(context, campaign, CampaignEvent.ON_MODERATION)
    elif event.kind is EventKind.VERDICT:
        if not campaign.cancelled and campaign.copied:
            events.notify_campaign(context, campaign, campaign.verdict)
            if campaign.verdict is CampaignEvent.CONFIRM_ADDRESSES:
                for found in context.account.lists_of(campaign):
                    found.in_question = True
    elif event.kind is EventKind.START:
        waits = not (campaign.started or campaign.cancelled or campaign.verdict.holds)
        if waits and campaign.starts_at == context.now:
            _start(context, campaign)
    elif event.kind is EventKind.REST:
        _send_rest(context, campaign)
    elif event.email not in campaign.changed:
        events.reach(context, campaign, event)


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
    if reached:
        events.notify_campaign(context, campaign, CampaignEvent.SENDING)
        _send_part(context, campaign)


def _send_part(context: Context, campaign: Campaign) -> None:
    """Hand over what goes out at once, and set the rest for half-way through."""
    in_parts = campaign.verdict is CampaignEvent.APPROVED_IN_PARTS
    share = 0.5 if in_parts else context.settings.sent_at_once
    first = ceil(len(campaign.recipients) * share)
    if first < len(campaign.recipients):
        campaign.later = dict.fromkeys(campaign.recipients[first:], context.settings.sending / 2)
        at = context.now + context.settings.sending / 2
        context.account.timeline.add(at, ScheduledEvent(EventKind.REST, campaign.id))
    _hand_over(context, campaign, campaign.recipients[:first])


def _send_rest(context: Context, campaign: Campaign) -> None:
    """Hand over what was left for later."""
    if not campaign.cancelled:
        campaign.rest_is_out = True
        _hand_over(context, campaign, list(campaign.later))


def cancel(campaign: Campaign) -> None:
    """Stop a campaign; what was not handed over yet stays unsent."""
    campaign.cancelled, campaign.timetable = True, None
    if not campaign.rest_is_out:
        campaign.unsent |= campaign.later.keys()
        campaign.recipients = [one for one in campaign.recipients if one not in campaign.later]


def _hand_over(context: Context, campaign: Campaign, emails: list[str]) -> None:
    record(context, campaign, emails)
    has_webhooks = bool(context.account.webhook_queue.by_id)
    has_links = bool(links(campaign.body))
    for email in emails:
        if has_webhooks or meaning(email) in _CHANGE:
            events.follow(context, campaign, email, has_links=has_links)


def _is_known(context: Context, campaign: Campaign, email: str) -> bool:
    """Whether a list of the campaign still has the address, or the blacklist."""
    on_list = any(email in one.contacts for one in context.account.lists_of(campaign))
    return on_list or email in context.account.blacklist
