"""The SendPulse operations that report on campaigns."""

from collections import Counter

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse import campaign_statistics, lifecycle
from mailkit.sandbox.sendpulse.campaigns import find
from mailkit.sandbox.sendpulse.codes import RecipientStatus
from mailkit.sandbox.sendpulse.fields import Params, not_found, wrong
from mailkit.sandbox.sendpulse.state import Campaign, Context

_ARRIVED = (
    RecipientStatus.DELIVERED,
    RecipientStatus.OPENED,
    RecipientStatus.CLICKED,
    RecipientStatus.UNSUBSCRIBED,
    RecipientStatus.COMPLAINED,
)
_COUNTRIES = ("BY", "UA", "US")


@endpoint("sendpulse.campaigns.get", "GET /campaigns/{id}")
def campaign(context: Context, params: Params) -> object:
    """One campaign with its statistics by code; the older shape is a plain list."""
    found = find(context.account, params.args["id"])
    general = campaign_statistics.general(campaign_statistics.counts(context, found))
    answer = _written(context, found, with_body=True)
    answer["external_stat"] = {
        "check_open_email": found.opens,
        "check_redirect_link": found.clicks,
    }
    answer["permalink"] = f"http://archive.sendpulse.example/u/{found.id}/"
    if context.quirk():
        answer["statistics"] = [row for row in general if row["count"]]
    else:
        answer["statistics"] = {
            "general": general,
            "clicks": campaign_statistics.clicks(context, found),
        }
    return answer


@endpoint("sendpulse.campaigns.list", "GET /campaigns")
def campaigns(context: Context, params: Params) -> object:
    """A page of campaigns; the newest are first, unless order is desc, as on the page."""
    rows = list(context.account.campaigns.values())
    order = params.query.text("order") or "asc"
    if order not in ("asc", "desc"):
        raise wrong("order", "must be asc or desc")
    if order == "asc":
        rows.reverse()
    wanted = params.listed("status")
    if not all(is_number(text) for text in wanted):
        raise wrong("status", "must hold numbers")
    if wanted:
        numbers = {int(text) for text in wanted}
        rows = [one for one in rows if lifecycle.campaign_status(context, one) in numbers]
    if params.query.text("planed") in ("1", "true"):
        rows = [one for one in rows if one.scheduled and not one.started]
    written = []
    for one in rows[params.page()]:
        row = _written(context, one, with_body=False)
        row["statistics"] = campaign_statistics.totals(campaign_statistics.counts(context, one))
        written.append(row)
    return written


@endpoint("sendpulse.campaigns.countries", "GET /campaigns/{id}/countries")
def countries(context: Context, params: Params) -> object:
    """Opens by country; an empty array if there are none."""
    found = find(context.account, params.args["id"])
    opened = campaign_statistics.totals(campaign_statistics.counts(context, found))["opening"]
    spread = Counter(_COUNTRIES[at % len(_COUNTRIES)] for at in range(opened))
    return dict(spread) or []


@endpoint("sendpulse.campaigns.referrals", "GET /campaigns/{id}/referrals")
def referrals(context: Context, params: Params) -> object:
    """Clicks by link."""
    found = find(context.account, params.args["id"])
    rows = campaign_statistics.clicks(context, found)
    return [{"link": row["url"], "count": row["count"]} for row in rows]


@endpoint("sendpulse.campaigns.recipient", "GET /campaigns/{id}/email/{email}")
def recipient(context: Context, params: Params) -> object:
    """The status of one address in a campaign."""
    found = find(context.account, params.args["id"])
    code = campaign_statistics.status(context, found, params.address())
    if code is None:
        raise not_found("Email not found in the campaign", 303)
    detailed = code in _ARRIVED
    total = RecipientStatus.SENT if detailed else code
    key = "send_date" if context.quirk() else "sent_date"
    answer: dict[str, object] = {
        key: context.date(found.starts_at) if found.started else None,
        "global_status": total,
        "global_status_explain": total.label,
    }
    if code or not context.quirk():
        answer |= {"detail_status": code, "detail_status_explain": code.label}
    return answer


def _written(context: Context, found: Campaign, *, with_body: bool) -> dict[str, object]:
    size, price = len(found.copied), found.bill.price or 0
    message: dict[str, object] = {
        "sender_name": found.sender_name,
        "sender_email": found.sender_email,
        "subject": found.subject,
        "attachments": ", ".join(one.name for one in found.attachments),
        "list_id": found.lists[0] if found.lists else None,
    }
    if with_body:
        message |= {"body": found.body, "preheader": ""}
    return {
        "id": found.id,
        "name": found.name,
        "is_sms": False,
        "is_viber": False,
        "message": message,
        "status": lifecycle.campaign_status(context, found),
        "all_email_qty": size,
        "tariff_email_qty": found.bill.covered,
        "paid_email_qty": found.bill.beyond,
        "overdraft_price": context.settings.overdraft_price if found.bill.beyond else 0,
        "company_price": price if context.quirk() else str(price),
        "overdraft_currency": context.settings.currency,
        "send_date": _no_date(context) if found.draft else context.date(found.starts_at),
    }


def _no_date(context: Context) -> str:
    return "0000-00-00 00:00:00" if context.quirk() else ""
