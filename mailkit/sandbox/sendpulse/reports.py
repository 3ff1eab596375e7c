"""The SendPulse operations that tell about campaigns."""

from collections import Counter

from mailkit.sandbox.sendpulse import life, statistics, words
from mailkit.sandbox.sendpulse.campaigns import find
from mailkit.sandbox.sendpulse.fields import Ask, is_number, not_found, wrong
from mailkit.sandbox.sendpulse.state import Campaign, Desk

_COUNTRIES = ("BY", "UA", "US")


def campaign(desk: Desk, ask: Ask) -> object:
    """One campaign with its statistics by code; the older shape is a plain list."""
    found = find(desk.account, ask.args["id"])
    general = statistics.general(statistics.codes(desk, found))
    answer = _written(desk, found, with_body=True)
    answer["external_stat"] = {
        "check_open_email": found.opens,
        "check_redirect_link": found.clicks,
    }
    answer["permalink"] = f"http://archive.sendpulse.example/u/{found.id}/"
    if desk.quirk():
        answer["statistics"] = [row for row in general if row["count"]]
    else:
        answer["statistics"] = {"general": general, "clicks": statistics.clicks(desk, found)}
    return answer


def campaigns(desk: Desk, ask: Ask) -> object:
    """A page of campaigns; the newest are first, unless order is desc: so the page has it."""
    rows = list(desk.account.campaigns.values())
    order = ask.query.text("order") or "asc"
    if order not in ("asc", "desc"):
        raise wrong("order", "must be asc or desc")
    if order == "asc":
        rows.reverse()
    wanted = ask.listed("status")
    if not all(is_number(text) for text in wanted):
        raise wrong("status", "must hold numbers")
    if wanted:
        numbers = {int(text) for text in wanted}
        rows = [one for one in rows if life.campaign_status(desk, one) in numbers]
    if ask.query.text("planed") in ("1", "true"):
        rows = [one for one in rows if one.scheduled and not one.started]
    written = []
    for one in rows[ask.page()]:
        row = _written(desk, one, with_body=False)
        row["statistics"] = statistics.totals(statistics.codes(desk, one))
        written.append(row)
    return written


def countries(desk: Desk, ask: Ask) -> object:
    """Opens by country; an empty array if there are none."""
    found = find(desk.account, ask.args["id"])
    opened = statistics.totals(statistics.codes(desk, found))["opening"]
    spread = Counter(_COUNTRIES[at % len(_COUNTRIES)] for at in range(opened))
    return dict(spread) or []


def referrals(desk: Desk, ask: Ask) -> object:
    """Clicks by link."""
    found = find(desk.account, ask.args["id"])
    rows = statistics.clicks(desk, found)
    return [{"link": row["url"], "count": row["count"]} for row in rows]


def recipient(desk: Desk, ask: Ask) -> object:
    """What became of one address in a campaign."""
    found = find(desk.account, ask.args["id"])
    code = statistics.code(desk, found, ask.address())
    if code is None:
        raise not_found("Email not found in the campaign", 303)
    detailed = code in (2, 3, 4, 5, 11)
    total = 1 if detailed else code
    key = "send_date" if desk.quirk() else "sent_date"
    answer: dict[str, object] = {
        key: desk.date(found.starts_at) if found.started else None,
        "global_status": total,
        "global_status_explain": words.RECIPIENTS[total],
    }
    if code or not desk.quirk():
        answer |= {"detail_status": code, "detail_status_explain": words.RECIPIENTS[code]}
    return answer


def _written(desk: Desk, found: Campaign, *, with_body: bool) -> dict[str, object]:
    size = len(found.copied)
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
        "status": life.campaign_status(desk, found),
        "all_email_qty": size,
        "tariff_email_qty": size,
        "paid_email_qty": 0,
        "overdraft_price": 0,
        "company_price": 0 if desk.quirk() else "0",
        "overdraft_currency": desk.settings.currency,
        "send_date": "" if found.draft else desk.date(found.starts_at),
    }
