"""What a person sees of the SendPulse account, and makes happen to its emails."""

from collections.abc import Iterator

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.happening import CannotHappen, Course, following, past
from mailkit.sandbox.sendpulse import campaign_statistics, events, lifecycle
from mailkit.sandbox.sendpulse import emails as campaign_emails
from mailkit.sandbox.sendpulse.state import Campaign, Context, ScheduledEvent
from mailkit.sandbox.service import Table, newest
from mailkit.sandbox.truth import Email


def course(context: Context, email: Email) -> Course:
    """The steps of an email of a campaign."""
    campaign = _campaign(context, email)
    went_out = _went_out(campaign, email.address)
    has_links = bool(campaign_emails.links(campaign.body))
    steps = campaign_emails.course(campaign, email.address, has_links=has_links)
    return [(went_out + after, step) for after, step in steps]


def happen(context: Context, email: Email, step: Step) -> None:
    """Let an email take this step now, and tell the webhooks."""
    campaign, address = _campaign(context, email), email.address
    tracks_clicks = campaign.clicks and bool(campaign_emails.links(campaign.body))
    if step is Step.OPENED and not campaign.opens:
        raise CannotHappen("the campaign does not track opens")
    if step is Step.CLICKED and not tracks_clicks:
        raise CannotHappen("the campaign does not track clicks, or has no link to follow")
    went_out = _went_out(campaign, address)
    reached = past(course(context, email), context.now)
    new = [
        (at, one)
        for at, one in following(reached, context.now, step)
        if campaign.opens or one is not Step.OPENED
    ]
    campaign.changed[address] = [(at - went_out, one) for at, one in [*reached, *new]]
    campaign.timetable = None
    for _, one in new:
        events.reach(context, campaign, ScheduledEvent(one, campaign.id, address))


def tables(context: Context) -> Iterator[Table]:
    """Quotas, lists, campaigns and webhooks."""
    account = context.account
    yield Table.of("Quotas", ("quota", "used", "limit"), _quotas(context))
    lists = [
        (
            one.id,
            one.name,
            one.status(context.now, context.settings).label,
            one.count(context.now, context.settings),
            lifecycle.count_inactive(context, one),
        )
        for one in newest(account.lists)
    ]
    columns: tuple[str, ...] = ("id", "name", "status", "contacts", "inactive")
    yield Table("Mailing lists", columns, lists, len(account.lists))
    columns = ("id", "name", "status", "emails", "delivered", "opened", "clicked", "failed")
    campaigns = [_row(context, one) for one in newest(account.campaigns)]
    yield Table("Campaigns", columns, campaigns, len(account.campaigns))
    hooks = account.webhook_queue.by_id
    rows = [(one.url, one.action, one.outbox.waiting, one.outbox.lost) for one in newest(hooks)]
    yield Table("Webhooks", ("address", "event", "waiting", "lost"), rows, len(hooks))


def _quotas(context: Context) -> Iterator[tuple[str, object, object]]:
    account, settings, now = context.account, context.settings, context.now
    for name, window, limit, seconds in (
        ("requests in a second", account.each_second, settings.requests_per_second, "second"),
        ("requests in a minute", account.each_minute, settings.requests_per_minute, "minute"),
        ("requests in a day", account.each_day, settings.requests_per_day, "day"),
        ("campaigns in an hour", account.campaign_hour, settings.campaigns_per_hour, "hour"),
        ("test messages in an hour", account.test_hour, settings.tests_per_hour, "hour"),
    ):
        yield name, window.used(now, getattr(settings, seconds)), limit
    yield "emails of the tariff", account.spent, settings.tariff_emails
    yield f"money ({settings.currency})", round(account.paid, 2), settings.balance


def _row(context: Context, campaign: Campaign) -> tuple[object, ...]:
    word = lifecycle.campaign_status(context, campaign).name.replace("_", " ").lower()
    if campaign.test or campaign.draft:
        return (campaign.id, campaign.name, word, len(campaign.copied), "", "", "", "")
    sums = campaign_statistics.totals(campaign_statistics.counts(context, campaign))
    figures = (sums["delivered"], sums["opening"], sums["link_redirected"], sums["error"])
    return (campaign.id, campaign.name, word, len(campaign.copied), *figures)


def _campaign(context: Context, email: Email) -> Campaign:
    found = context.account.campaigns.get(email.mailing.campaign or 0)
    if found is None or found.test:
        raise CannotHappen("the service follows the messages of campaigns only")
    return found


def _went_out(campaign: Campaign, address: str) -> float:
    return campaign.starts_at + campaign.later.get(address, 0.0)
