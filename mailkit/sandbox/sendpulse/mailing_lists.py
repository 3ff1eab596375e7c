"""The SendPulse operations on mailing lists as a whole."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse import lifecycle, serializers
from mailkit.sandbox.sendpulse.codes import ContactStatus
from mailkit.sandbox.sendpulse.fields import Params
from mailkit.sandbox.sendpulse.state import Context, MailingList


@endpoint("sendpulse.mailing_lists.create", "POST /addressbooks")
def create(context: Context, params: Params) -> object:
    """A new, empty list."""
    name = params.text("bookName")
    made = MailingList(context.account.new_id(), name, context.now)
    context.account.lists[made.id] = made
    return {"id": made.id}


@endpoint("sendpulse.mailing_lists.rename", "PUT /addressbooks/{id}")
def rename(context: Context, params: Params) -> object:
    """Rename a list."""
    found = params.mailing_list(context)
    found.name = params.text("name")
    return {"result": True}


@endpoint("sendpulse.mailing_lists.list", "GET /addressbooks")
def all_lists(context: Context, params: Params) -> object:
    """A page of the account's lists, oldest first."""
    return [
        serializers.mailing_list(context, one, phones=True)
        for one in list(context.account.lists.values())[params.page()]
    ]


@endpoint("sendpulse.mailing_lists.get", "GET /addressbooks/{id}")
def one_list(context: Context, params: Params) -> object:
    """One list, inside an array."""
    return [serializers.mailing_list(context, params.mailing_list(context), phones=False)]


@endpoint("sendpulse.mailing_lists.delete", "DELETE /addressbooks/{id}")
def delete(context: Context, params: Params) -> object:
    """Delete the list and its contacts; campaigns that have copied them go on."""
    del context.account.lists[params.mailing_list(context).id]
    return {"result": True}


@endpoint("sendpulse.mailing_lists.variables", "GET /addressbooks/{id}/variables")
def variables(context: Context, params: Params) -> object:
    """The variables that contacts of the list have, with their types."""
    types = {"email": "string", **params.mailing_list(context).types}
    return [{"name": name, "type": kind} for name, kind in types.items()]


@endpoint("sendpulse.mailing_lists.count", "GET /addressbooks/{id}/emails/total")
def count(context: Context, params: Params) -> object:
    """How many contacts are on the list, whatever their status."""
    return {"total": len(params.mailing_list(context).contacts)}


@endpoint("sendpulse.mailing_lists.cost", "GET /addressbooks/{id}/cost")
def cost(context: Context, params: Params) -> object:
    """What a campaign to the active contacts of the list would cost."""
    found = params.mailing_list(context)
    settings = context.settings
    active = sum(
        lifecycle.status(context, contact) is ContactStatus.ACTIVE
        for contact in found.contacts.values()
    )
    covered = min(active, max(0, settings.tariff_emails - context.account.spent))
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


@endpoint("sendpulse.mailing_lists.campaigns", "GET /addressbooks/{id}/campaigns")
def campaigns(context: Context, params: Params) -> object:
    """The campaigns made from the list, newest first."""
    found = params.mailing_list(context)
    rows = [
        {
            "task_id": one.id,
            "task_name": one.name,
            "task_status": lifecycle.campaign_status(context, one),
        }
        for one in reversed(context.account.campaigns.values())
        if found.id in one.lists
    ]
    return rows[params.page()]
