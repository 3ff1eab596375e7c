"""The SendPulse operations on mailing lists as a whole."""

from mailkit.sandbox.sendpulse import life, shapes
from mailkit.sandbox.sendpulse.fields import Ask
from mailkit.sandbox.sendpulse.state import ACTIVE, Desk, MailingList


def create(desk: Desk, ask: Ask) -> object:
    """A new, empty list."""
    name = ask.text("bookName")
    made = MailingList(desk.account.new_id(), name, desk.now)
    desk.account.lists[made.id] = made
    return {"id": made.id}


def rename(desk: Desk, ask: Ask) -> object:
    """Another name for a list."""
    found = ask.mailing_list(desk)
    found.name = ask.text("name")
    return {"result": True}


def all_lists(desk: Desk, ask: Ask) -> object:
    """A page of the account's lists, oldest first."""
    return [
        shapes.mailing_list(desk, one, phones=True)
        for one in list(desk.account.lists.values())[ask.page()]
    ]


def one_list(desk: Desk, ask: Ask) -> object:
    """One list, inside an array."""
    return [shapes.mailing_list(desk, ask.mailing_list(desk), phones=False)]


def delete(desk: Desk, ask: Ask) -> object:
    """The list and its contacts are gone; campaigns that have copied them go on."""
    del desk.account.lists[ask.mailing_list(desk).id]
    return {"result": True}


def variables(desk: Desk, ask: Ask) -> object:
    """The variables that contacts of the list have, with their types."""
    types = {"email": "string", **ask.mailing_list(desk).types}
    return [{"name": name, "type": kind} for name, kind in types.items()]


def count(desk: Desk, ask: Ask) -> object:
    """How many contacts are on the list, whatever their status."""
    return {"total": len(ask.mailing_list(desk).contacts)}


def cost(desk: Desk, ask: Ask) -> object:
    """What a campaign to the active contacts of the list would cost."""
    found = ask.mailing_list(desk)
    settings = desk.settings
    active = sum(life.status(desk, contact) == ACTIVE for contact in found.contacts.values())
    covered = min(active, max(0, settings.tariff_emails - desk.account.spent))
    price = round((active - covered) * settings.overdraft_price, 4)
    return {
        "cur": settings.currency,
        "sent_emails_qty": active,
        "overdraftAllEmailsPrice": price or 0,
        "addressesDeltaFromBalance": active - covered,
        "addressesDeltaFromTariff": covered,
        "max_emails_per_task": settings.max_emails_per_task,
        "result": price <= settings.balance,
    }


def campaigns(desk: Desk, ask: Ask) -> object:
    """The campaigns made from the list, newest first."""
    found = ask.mailing_list(desk)
    rows = [
        {
            "task_id": one.id,
            "task_name": one.name,
            "task_status": life.campaign_status(desk, one),
        }
        for one in reversed(desk.account.campaigns.values())
        if found.id in one.lists
    ]
    return rows[ask.page()]
