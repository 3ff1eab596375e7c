"""What happens to contacts and campaigns as time goes by.

A campaign copies its addresses (13), waits for the moderator if it must (1) and for its date (0),
is sent (2) and is over (3). It has status 12 where nobody active was copied, 5 or 27 after a
moderator's no, 16 if it was cancelled, 26 as a draft, 4 and then 8 as a test.
"""

import attrs

from mailkit.sandbox.delivery import meaning
from mailkit.sandbox.journey import journey
from mailkit.sandbox.sendpulse import words
from mailkit.sandbox.sendpulse.letters import links, record
from mailkit.sandbox.sendpulse.state import (
    ACTIVE,
    BLOCKED,
    LEFT_ALL,
    SENDING_ERROR,
    UNSUBSCRIBED,
    Account,
    Campaign,
    Contact,
    Desk,
    Happening,
    MailingList,
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


def status(desk: Desk, contact: Contact) -> int:
    """The contact's status now; the blacklist hides every other."""
    if contact.email in desk.account.blacklist:
        return BLOCKED
    return contact.code(desk.now, desk.settings)


def campaign_status(desk: Desk, campaign: Campaign) -> int:
    """The campaign's status now."""
    now = desk.now
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
        return 2 if now < campaign.starts_at + desk.settings.sending else 3
    if now < campaign.approved_at:
        return 1
    return campaign.verdict


def plan(account: Account, campaign: Campaign) -> None:
    """Put the campaign's future on the agenda."""
    if campaign.moderated:
        account.agenda.add(campaign.copied_at, Happening("moderation", campaign.id))
        account.agenda.add(campaign.approved_at, Happening("verdict", campaign.id))
    account.agenda.add(campaign.starts_at, Happening("start", campaign.id))


def active(desk: Desk, lists: list[int]) -> list[str]:
    """The active addresses of the lists, each of them once."""
    found = dict.fromkeys(
        contact.email
        for number in lists
        if number in desk.account.lists
        for contact in desk.account.lists[number].contacts.values()
        if status(desk, contact) == ACTIVE
    )
    return list(found)


def tick(desk: Desk) -> None:
    """Let everything happen that is due."""
    agenda = desk.account.agenda
    while (taken := agenda.take(desk.now)) is not None:
        at, event = taken
        campaign = desk.account.campaigns.get(event.campaign)
        if campaign is not None:
            _happen(attrs.evolve(desk, now=at), campaign, event)


def _happen(desk: Desk, campaign: Campaign, event: Happening) -> None:
    if event.kind == "moderation":
        if not campaign.cancelled and campaign.copied:
            tell_campaign(desk, campaign, "on_moderation")
    elif event.kind == "verdict":
        if not campaign.cancelled and campaign.copied:
            word = {0: "approve", 5: "rejected", 27: "need_edit"}[campaign.verdict]
            tell_campaign(desk, campaign, word)
    elif event.kind == "start":
        waits = not (campaign.started or campaign.cancelled or campaign.verdict)
        if waits and campaign.starts_at == desk.now:
            _start(desk, campaign)
    else:
        _reach(desk, campaign, event)


def _start(desk: Desk, campaign: Campaign) -> None:
    """Hand the messages over: this is the moment that the truth counts."""
    campaign.started = True
    if campaign.dynamic:
        campaign.copied = active(desk, campaign.lists)
    still = set(active(desk, campaign.lists))
    gone = {email for email in campaign.copied if email not in still}
    known = {
        email
        for number in campaign.lists
        if number in desk.account.lists
        for email in desk.account.lists[number].contacts
    }
    campaign.left = {email for email in gone if email in known or email in desk.account.blacklist}
    campaign.recipients = [email for email in campaign.copied if email not in campaign.left]
    campaign.places = {email: at for at, email in enumerate(campaign.recipients)}
    if not campaign.recipients:
        return
    tell_campaign(desk, campaign, "sending")
    record(desk, campaign)
    told = bool(desk.account.hooks.by_id)
    for email in campaign.recipients:
        if told or meaning(email) in ("bounce", "complaint", "unsubscribed"):
            _follow(desk, campaign, email)


def _follow(desk: Desk, campaign: Campaign, email: str) -> None:
    for after, step in journey(email, tracked=campaign.opens, open_share=desk.settings.open_share):
        if step != "sent":
            desk.account.agenda.add(desk.now + after, Happening(step, campaign.id, email))
        if step == "opened" and campaign.clicks and meaning(email) == "opens":
            at = desk.now + after + CLICKED_AFTER
            desk.account.agenda.add(at, Happening("clicked", campaign.id, email))


def _reach(desk: Desk, campaign: Campaign, event: Happening) -> None:
    """A message reaches a step: statuses of contacts change, webhooks are told."""
    account, email = desk.account, event.email
    lists = [account.lists[number] for number in campaign.lists if number in account.lists]
    fields: dict[str, object] = {"task_id": str(campaign.id), "email": email}
    if event.kind == "unsubscribed":
        for found in lists:
            if email in found.contacts:
                unsubscribe(account, found, email, desk.now, campaign.id)
    if event.kind == "clicked":
        for link in links(campaign.body)[:1]:
            account.hooks.tell("redirect", desk.now, {**fields, "link_url": link, "link_id": 1})
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
        account.hooks.tell(_TOLD[event.kind], desk.now, fields)


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
    account.hooks.tell("unsubscribe", now, event)


def tell_gone(desk: Desk, found: MailingList, email: str) -> None:
    """The contact was taken off the list."""
    event = {"email": email, "book_id": str(found.id)}
    desk.account.hooks.tell("delete", desk.now, event)


def tell_campaign(desk: Desk, campaign: Campaign, word: str) -> None:
    """The campaign has reached another stage."""
    event = {
        "status": word,
        "status_explain": words.CAMPAIGN_EVENTS[word],
        "task_id": str(campaign.id),
        "book_id": str(campaign.lists[0]) if campaign.lists else "",
    }
    desk.account.hooks.tell("task_status_update", desk.now, event)
