"""The SendPulse operations that make, change and cancel campaigns."""

from math import ceil

import attrs

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.sendpulse import life, order
from mailkit.sandbox.sendpulse.fields import Ask, is_number, moment, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.letters import record_test
from mailkit.sandbox.sendpulse.state import Account, Campaign, Desk, Happening
from mailkit.sandbox.truth import normalised

HOUR = 3600.0
MAX_TEST_ADDRESSES = 3
_NOT_YET = (0, 1, 13, 26, 27)


def create(desk: Desk, ask: Ask) -> object:
    """A campaign, a draft, or a test message to the sender; each counts for the hour's quota."""
    _spend_quota(desk)
    content = order.content(desk, ask, required=True)
    draft, test = order.is_draft(ask), ask.flag("is_test")
    lists = order.lists(desk, ask, required=not test)
    scheduled = ask.given("send_date")
    starts = moment(desk, "send_date", ask.fields["send_date"]) if scheduled else desk.now
    attached = order.attachments(ask)
    if any(desk.account.lists[one].status(desk.now) for one in lists) and not draft:
        raise refuse(422, "The mailing list is locked", 422)
    copied = life.active(desk, lists)
    if len(copied) > desk.settings.max_emails_per_task:
        raise refuse(422, "Too many addresses for the tariff", 422)
    if test:
        _spend_test_quota(desk)
    number = desk.account.new_id()
    name = ask.text("name") if ask.given("name") else f"Campaign_{number}"
    made = _campaign(desk, Campaign(number, name, *content, lists, desk.now, 0, 0, starts), ask)
    made.copied, made.attachments, made.scheduled = copied, attached, scheduled
    made.draft, made.test = draft, test and not draft
    desk.account.campaigns[number] = made
    if made.test:
        record_test(desk, made, "sendpulse.campaigns.create", [normalised(made.sender_email)])
    elif not draft:
        _set_out(desk, made)
    return _created(desk, made)


def send_test(desk: Desk, ask: Ask) -> object:
    """A message to at most three addresses, without a campaign."""
    content = order.content(desk, ask, required=True)
    lists = order.lists(desk, ask, required=False)
    attached = order.attachments(ask)
    addresses = ask.addresses("send_test_only", MAX_TEST_ADDRESSES)
    if not all(is_address(one) for one in addresses):
        raise wrong("send_test_only", "must hold e-mail addresses")
    _spend_test_quota(desk)
    number = desk.account.new_id()
    now = desk.now
    made = Campaign(number, f"Test_{number}", *content, lists, now, now, now, now)
    made.test, made.attachments, made.copied = True, attached, addresses
    desk.account.campaigns[number] = made
    record_test(desk, made, "sendpulse.campaigns.send_test", addresses)
    return {**_created(desk, made), "status": 0, "count": len(addresses)}


def edit(desk: Desk, ask: Ask) -> object:
    """Change a campaign that is scheduled, a draft, or sent back for editing."""
    found = find(desk.account, ask.args["id"])
    status = life.campaign_status(desk, found)
    if status not in _NOT_YET or not (found.scheduled or found.draft or found.verdict):
        raise refuse(422, "The campaign can not be edited", 422)
    name = ask.text("name")
    sender_name, sender_email, subject, body = order.content(desk, ask, required=False)
    starts = found.starts_at
    if ask.given("send_date"):
        starts = moment(desk, "send_date", ask.fields["send_date"])
    found.name, found.sender_name, found.sender_email = name, sender_name, sender_email
    found.subject, found.body = subject, body or found.body
    if status == 27:
        found.moderated, found.verdict = True, 0
        found.approved_at = desk.now + desk.settings.moderation
    earliest = max(found.approved_at, found.copied_at)
    if not found.draft and (starts != found.starts_at or status == 27):
        found.starts_at = max(starts, earliest)
        desk.account.agenda.add(found.starts_at, Happening("start", found.id))
    return {"result": True, "id": found.id}


def cancel(desk: Desk, ask: Ask) -> object:
    """Cancel a campaign that is not over; messages that have gone out have gone out."""
    found = find(desk.account, ask.args["id"])
    if life.campaign_status(desk, found) in (3, 5, 8, 12, 16):
        raise refuse(422, "The campaign can not be cancelled", 422)
    found.cancelled = True
    return {"result": True}


def find(account: Account, text: str) -> Campaign:
    """The campaign with the id; HTTP 404 if there is none."""
    found = account.campaigns.get(int(text)) if is_number(text) else None
    if found is None:
        raise not_found("Campaign not found", 404)
    return found


def _campaign(desk: Desk, made: Campaign, ask: Ask) -> Campaign:
    """The campaign with its times and what it watches."""
    settings, size = desk.settings, len(life.active(desk, made.lists))
    before = sum(not (one.draft or one.test) for one in desk.account.campaigns.values())
    copied = desk.now + settings.copying
    moderated = size >= settings.moderated_from or before < settings.moderated_first
    approved = copied + settings.moderation if moderated else copied
    opens, clicks = order.watched(ask)
    return attrs.evolve(
        made,
        copied_at=copied,
        approved_at=approved,
        starts_at=max(made.starts_at, approved),
        moderated=moderated,
        verdict=life.VERDICTS[settings.verdict] if moderated else 0,
        dynamic=ask.flag("use_dynamic_list"),
        opens=opens,
        clicks=clicks,
    )


def _set_out(desk: Desk, made: Campaign) -> None:
    desk.account.spent += len(made.copied)
    for number in made.lists:
        desk.account.lists[number].copying_until = made.copied_at
    life.plan(desk.account, made)


def _created(desk: Desk, made: Campaign) -> dict[str, object]:
    over = max(0, desk.account.spent - desk.settings.tariff_emails)
    paid = min(over, len(made.copied))
    price = desk.settings.overdraft_price if paid else 0
    answer: dict[str, object] = {
        "id": made.id,
        "status": 26 if made.draft else 13,
        "count": 1 if made.test else len(made.copied),
        "tariff_email_qty": len(made.copied) - paid,
        "overdraft_price": str(price),
        "ovedraft_currency": desk.settings.currency,
    }
    if desk.quirk():
        answer |= {"overdraft_price": price, "paid_email_qty": paid}
    return answer


def _spend_quota(desk: Desk) -> None:
    settings = desk.settings
    wait = desk.account.campaign_hour.wait(desk.now, settings.campaigns_per_hour, HOUR)
    if wait is not None:
        limit = f"Not more than {settings.campaigns_per_hour} campaigns an hour"
        raise refuse(settings.campaign_quota_status, f"{limit}; wait {ceil(wait)} s", 791)


def _spend_test_quota(desk: Desk) -> None:
    settings = desk.settings
    wait = desk.account.test_hour.wait(desk.now, settings.tests_per_hour, HOUR)
    if wait is not None:
        limit = f"Not more than {settings.tests_per_hour} test letters an hour"
        raise refuse(settings.campaign_quota_status, f"{limit}; wait {ceil(wait)} s", 791)
