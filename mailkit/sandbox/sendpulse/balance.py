"""The SendPulse operations on the account's money."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse.fields import Params, wrong
from mailkit.sandbox.sendpulse.state import Context

CURRENCIES = ("USD", "EUR", "RUR", "RUB", "UAH", "BYN", "GBP", "INR", "JPY", "KZT")


@endpoint("sendpulse.balance.get", "GET /balance", "GET /balance/{currency}")
def get(context: Context, params: Params) -> object:
    """The account's money, in a currency or its own; everything is worth the same here."""
    currency = params.args.get("currency", context.settings.currency).upper()
    if currency not in CURRENCIES:
        raise wrong("currency", "is unknown")
    return {"currency": currency, "balance_currency": context.money}


@endpoint("sendpulse.balance.details", "GET /user/balance/detail")
def details(context: Context, params: Params) -> object:
    """The account's money and tariffs."""
    settings = context.settings
    contacts = {email for found in context.account.lists.values() for email in found.contacts}
    ends = context.date(context.now + 30 * 86400)
    return {
        "balance": {
            "main": f"{context.money:.2f}",
            "bonus": "0.00",
            "currency": settings.currency,
        },
        "email": {
            "tariff_name": "Sandbox",
            "finished_time": ends,
            "emails_left": max(0, settings.tariff_emails - context.account.spent),
            "maximum_subscribers": settings.max_subscribers,
            "current_subscribers": len(contacts),
        },
        "smtp": {"tariff_name": "Sandbox SMTP", "end_date": ends, "auto_renew": 1},
        "push": {"tariff_name": "Sandbox push", "end_date": ends[:10], "auto_renew": 1},
    }
