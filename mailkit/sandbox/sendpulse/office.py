"""The SendPulse operations on senders, the account's money, and the account itself."""

from mailkit.sandbox.sendpulse.fields import Ask, Refusal, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import Account, Desk, Sender
from mailkit.sandbox.truth import Mailing, normalised

CURRENCIES = ("USD", "EUR", "RUR", "RUB", "UAH", "BYN", "GBP", "INR", "JPY", "KZT")


def senders(desk: Desk, ask: Ask) -> object:
    """All senders; is_allowed_for_smtp is absent for some."""
    rows: list[dict[str, object]] = []
    for one in desk.account.senders.values():
        row: dict[str, object] = {
            "email": one.email,
            "name": one.name,
            "status": "Active" if one.active else "Not active",
        }
        if not desk.quirk():
            row["is_allowed_for_smtp"] = one.active
        rows.append(row)
    return rows


def add_sender(desk: Desk, ask: Ask) -> object:
    """A new sender, not yet active."""
    email, name = ask.address(), ask.text("name")
    if email in desk.account.senders:
        raise refuse(422, "The sender exists already", 422)
    desk.account.senders[email] = Sender(email, name)
    return {"result": True}


def remove_sender(desk: Desk, ask: Ask) -> object:
    """A sender less."""
    del desk.account.senders[_sender(desk, ask).email]
    return {"result": True}


def request_code(desk: Desk, ask: Ask) -> object:
    """Mail the activation code, here always that of the settings, to the sender."""
    email = _sender(desk, ask).email
    subject, text = "Activate your sender", f"Your code is {desk.settings.activation_code}"
    mailing = Mailing("sendpulse.senders.request_code", desk.now, email, subject, [email])
    desk.truth.record(mailing, [(subject, text)])
    return {"result": True, "email": email}


def activate(desk: Desk, ask: Ask) -> object:
    """Activate a sender by its code."""
    found = _sender(desk, ask)
    if ask.text("code") != desk.settings.activation_code:
        raise wrong("code", "is not the right one")
    found.active = True
    return {"result": True, "email": found.email}


def balance(desk: Desk, ask: Ask) -> object:
    """The account's money, in a currency or its own; everything is worth the same here."""
    currency = ask.args.get("currency", desk.settings.currency).upper()
    if currency not in CURRENCIES:
        raise wrong("currency", "is unknown")
    return {"currency": currency, "balance_currency": desk.settings.balance}


def balance_details(desk: Desk, ask: Ask) -> object:
    """The account's money and tariffs."""
    settings = desk.settings
    contacts = {email for found in desk.account.lists.values() for email in found.contacts}
    ends = desk.date(desk.now + 30 * 86400)
    return {
        "balance": {
            "main": f"{settings.balance:.2f}",
            "bonus": "0.00",
            "currency": settings.currency,
        },
        "email": {
            "tariff_name": "Sandbox",
            "finished_time": ends,
            "emails_left": max(0, settings.tariff_emails - desk.account.spent),
            "maximum_subscribers": settings.tariff_emails,
            "current_subscribers": len(contacts),
        },
        "smtp": {"tariff_name": "Sandbox SMTP", "end_date": ends, "auto_renew": 1},
        "push": {"tariff_name": "Sandbox push", "end_date": ends[:10], "auto_renew": 1},
    }


def user_info(desk: Desk, ask: Ask) -> object:
    """Who the account belongs to."""
    return {
        "id": 7043663,
        "name": "Sandbox",
        "email": "owner@sandbox.example",
        "timezone": desk.settings.timezone,
        "currency": desk.settings.currency,
    }


def furnish(account: Account, pairs: tuple[tuple[str, str], ...]) -> None:
    """Put the senders that are active from the beginning into a new account."""
    for email, name in pairs:
        account.senders[normalised(email)] = Sender(normalised(email), name, active=True)


def _sender(desk: Desk, ask: Ask) -> Sender:
    found = desk.account.senders.get(ask.address())
    if found is None:
        raise _unknown()
    return found


def _unknown() -> Refusal:
    return not_found("Sender not found")
