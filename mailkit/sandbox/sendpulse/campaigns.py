"""The SendPulse operations that make, change and cancel campaigns."""

from math import ceil

import attrs

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse import campaign_params, lifecycle
from mailkit.sandbox.sendpulse.codes import CampaignEvent, CampaignStatus
from mailkit.sandbox.sendpulse.emails import record_test
from mailkit.sandbox.sendpulse.fields import (
    Params,
    check_sendable,
    moment,
    not_found,
    refuse,
    wrong,
)
from mailkit.sandbox.sendpulse.state import (
    Account,
    Bill,
    Campaign,
    Context,
    EventKind,
    ScheduledEvent,
)
from mailkit.sandbox.timeline import Window
from mailkit.sandbox.truth import normalized

MAX_TEST_ADDRESSES = 3
_NOT_YET = (
    CampaignStatus.NEW,
    CampaignStatus.MODERATION,
    CampaignStatus.CREATING,
    CampaignStatus.DRAFT,
    CampaignStatus.NEEDS_EDITING,
)


@endpoint("sendpulse.campaigns.create", "POST /campaigns")
def create(context: Context, params: Params) -> object:
    """A campaign, a draft, or a test message to the sender; each counts toward the hourly quota."""
    _spend_quota(context)
    content = campaign_params.content(context, params, required=True)
    draft, test = campaign_params.is_draft(params), params.flag("is_test")
    lists = campaign_params.lists(context, params, required=True)
    scheduled = params.given("send_date") and not context.settings.strict_dmarc
    starts = moment(context, "send_date", params.fields["send_date"]) if scheduled else context.now
    attached = campaign_params.attachments(params)
    copies, bill = _audience(context, lists, draft=draft)
    if test:
        _spend_test_quota(context)
    number = context.account.new_id()
    name = params.text("name") if params.given("name") else f"Campaign_{number}"
    made = Campaign(number, name, *content, lists, context.now, 0, 0, starts)
    made = _timed(context, made, params, len(copies))
    made.copied, made.attachments, made.scheduled = copies, attached, scheduled
    made.draft, made.test, made.bill = draft, test and not draft, bill
    context.account.campaigns[number] = made
    if made.test:
        record_test(context, made, "sendpulse.campaigns.create", [normalized(made.sender_email)])
    elif not draft:
        _set_out(context, made)
    return _created(context, made)


@endpoint("sendpulse.campaigns.send_test", "PATCH /campaigns")
def send_test(context: Context, params: Params) -> object:
    """A message to at most three addresses, without a campaign."""
    content = campaign_params.content(context, params, required=True)
    lists = campaign_params.lists(context, params, required=False)
    attached = campaign_params.attachments(params)
    addresses = params.addresses("send_test_only", MAX_TEST_ADDRESSES)
    if not all(is_address(one) for one in addresses):
        raise wrong("send_test_only", "must hold e-mail addresses")
    _spend_test_quota(context)
    number = context.account.new_id()
    now = context.now
    made = Campaign(number, f"Test_{number}", *content, lists, now, now, now, now)
    made.test, made.attachments, made.copied = True, attached, addresses
    context.account.campaigns[number] = made
    record_test(context, made, "sendpulse.campaigns.send_test", addresses)
    return {**_created(context, made), "status": CampaignStatus.NEW, "count": len(addresses)}


@endpoint("sendpulse.campaigns.edit", "PATCH /campaigns/{id}")
def edit(context: Context, params: Params) -> object:
    """Change a campaign that is scheduled, a draft, or sent back for editing."""
    found = find(context.account, params.args["id"])
    status = lifecycle.campaign_status(context, found)
    if status not in _NOT_YET or not (found.scheduled or found.draft or found.verdict.holds):
        raise refuse(422, "The campaign can not be edited", 422)
    name = params.text("name")
    sender_name, sender_email, subject, body = campaign_params.content(
        context, params, required=False
    )
    starts = found.starts_at
    if params.given("send_date"):
        starts = moment(context, "send_date", params.fields["send_date"])
    found.name, found.sender_name, found.sender_email = name, sender_name, sender_email
    found.subject, found.body = subject, body or found.body
    if status is CampaignStatus.NEEDS_EDITING:
        found.moderated, found.verdict = True, CampaignEvent.APPROVED
        found.approved_at = context.now + context.settings.moderation
    earliest = max(found.approved_at, found.copied_at)
    if not found.draft and (starts != found.starts_at or status is CampaignStatus.NEEDS_EDITING):
        found.starts_at = max(starts, earliest)
        context.account.timeline.add(found.starts_at, ScheduledEvent(EventKind.START, found.id))
    return {"result": True, "id": found.id}


@endpoint("sendpulse.campaigns.cancel", "DELETE /campaigns/{id}")
def cancel(context: Context, params: Params) -> object:
    """Cancel a campaign that is not over; emails that were sent stay sent."""
    found = find(context.account, params.args["id"])
    if lifecycle.campaign_status(context, found).is_over:
        text = "Can't find the campaign. Probably, it has already been sent."
        raise refuse(422, text, 602)
    lifecycle.cancel(found)
    return {"result": True}


def find(account: Account, text: str) -> Campaign:
    """The campaign with the id; HTTP 404 if there is none."""
    found = account.campaigns.get(int(text)) if is_number(text) else None
    if found is None:
        raise not_found("Campaign not found", 802)
    return found


def _audience(context: Context, lists: list[int], *, draft: bool) -> tuple[list[str], Bill]:
    """Whom a campaign to the lists would reach, and its cost; refused if it can't be sent.

    An address on several lists is mailed once, but each of its copies is charged.
    """
    known, settings = [context.account.lists[one] for one in lists], context.settings
    if draft:
        return lifecycle.active_of(context, lists), Bill()
    if any(one.status(context.now, settings) for one in known):
        raise refuse(422, "The mailing list is locked", 422)
    check_sendable(context, known)
    active = [lifecycle.active(context, one) for one in known]
    copies = lifecycle.once(active)
    if len(copies) > settings.max_emails_per_task:
        text = "The number of campaign recipients exceeds the limit of the tariff"
        raise refuse(settings.tariff_status, text, 708)
    bill = context.bill(sum(map(len, active)))
    if bill.price > context.money:
        raise refuse(settings.tariff_status, "Account balance depleted", 707)
    return copies, bill


def _timed(context: Context, made: Campaign, params: Params, size: int) -> Campaign:
    """The campaign with its times and what it tracks."""
    settings = context.settings
    before = sum(not (one.draft or one.test) for one in context.account.campaigns.values())
    copied = context.now + settings.copying
    moderated = size >= settings.moderated_from or before < settings.moderated_first
    approved = copied + settings.moderation if moderated else copied
    opens, clicks = campaign_params.tracked(params)
    return attrs.evolve(
        made,
        copied_at=copied,
        approved_at=approved,
        starts_at=max(made.starts_at, approved),
        moderated=moderated,
        verdict=lifecycle.VERDICTS[settings.verdict] if moderated else CampaignEvent.APPROVED,
        dynamic=params.flag("use_dynamic_list"),
        opens=opens,
        clicks=clicks,
    )


def _set_out(context: Context, made: Campaign) -> None:
    context.account.spent += made.bill.covered + made.bill.beyond
    context.account.paid += made.bill.price
    for number in made.lists:
        context.account.lists[number].copying_until = made.copied_at
    lifecycle.plan(context.account, made)


def _created(context: Context, made: Campaign) -> dict[str, object]:
    price = context.settings.overdraft_price if made.bill.beyond else 0
    answer: dict[str, object] = {
        "id": made.id,
        "status": CampaignStatus.DRAFT if made.draft else CampaignStatus.CREATING,
        "count": 1 if made.test else len(made.copied),
        "tariff_email_qty": made.bill.covered,
        "overdraft_price": str(price),
        "ovedraft_currency": context.settings.currency,
    }
    if context.quirk():
        answer |= {"overdraft_price": price, "paid_email_qty": made.bill.beyond}
    return answer


def _spend_quota(context: Context) -> None:
    limit = context.settings.campaigns_per_hour
    _spend(context, context.account.campaign_hour, limit, "campaigns")


def _spend_test_quota(context: Context) -> None:
    _spend(context, context.account.test_hour, context.settings.tests_per_hour, "test emails")


def _spend(context: Context, window: Window, limit: int | None, what: str) -> None:
    settings = context.settings
    wait = window.wait(context.now, limit, settings.hour)
    if wait is not None:
        text = f"Not more than {limit} {what} an hour; wait {ceil(wait)} s"
        raise refuse(settings.campaign_quota_status, text, 791, over_quota=True)
