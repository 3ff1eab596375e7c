"""The SendPulse operations on mailing lists as a whole."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse import lifecycle, serializers
from mailkit.sandbox.sendpulse.fields import Params, check_sendable, refuse
from mailkit.sandbox.sendpulse.lists import MailingList
from mailkit.sandbox.sendpulse.state import Context


@endpoint("sendpulse.mailing_lists.create", "POST /addressbooks")
def create(context: Context, params: Params) -> object:
    """A new, empty list; HTTP 422 with 203 if another one has its name."""
    name = _free_name(context, params.text("bookName"))
    made = MailingList(context.account.new_id(), name, context.now)
    context.account.lists[made.id] = made
    return {"id": made.id}


@endpoint("sendpulse.mailing_lists.rename", "PUT /addressbooks/{id}")
def rename(context: Context, params: Params) -> object:
    """Rename a list; HTTP 422 with 203 if another one has the name."""
    found = params.mailing_list(context)
    found.name = _free_name(context, params.text("name"), found)
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
    """Delete the list and its contacts; HTTP 422 while a campaign to it is under way."""
    found = params.mailing_list(context)
    under_way = any(
        found.id in one.lists and lifecycle.campaign_status(context, one).is_under_way
        for one in context.account.campaigns.values()
    )
    if under_way:
        raise refuse(422, "The mailing list has an active campaign", 422)
    del context.account.lists[found.id]
    return {"result": True}


@endpoint("sendpulse.mailing_lists.variables", "GET /addressbooks/{id}/variables")
def variables(context: Context, params: Params) -> object:
    """The variables that contacts of the list have, with their types."""
    types = {"email": "string", **params.mailing_list(context).types}
    return [{"name": name, "type": kind} for name, kind in types.items()]


@endpoint("sendpulse.mailing_lists.count", "GET /addressbooks/{id}/emails/total")
def count(context: Context, params: Params) -> object:
    """How many contacts are on the list, whatever their status; those being loaded are not yet."""
    return {"total": params.mailing_list(context).count(context.now, context.settings)}


@endpoint("sendpulse.mailing_lists.cost", "GET /addressbooks/{id}/cost")
def cost(context: Context, params: Params) -> object:
    """What a campaign to the active contacts of the list would cost; 211 for an empty list."""
    found, settings = params.mailing_list(context), context.settings
    check_sendable(context, [found])
    active = len(lifecycle.active(context, found))
    bill = context.bill(active)
    return {
        "cur": settings.currency,
        "sent_emails_qty": active,
        "overdraftAllEmailsPrice": bill.price or 0,
        "addressesDeltaFromBalance": bill.beyond,
        "addressesDeltaFromTariff": bill.covered,
        "max_emails_per_task": settings.max_emails_per_task,
        "result": bill.price <= context.money,
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


def _free_name(context: Context, name: str, renamed: MailingList | None = None) -> str:
    """The name, if no other list has it."""
    name = name.strip()
    if any(one.name == name and one is not renamed for one in context.account.lists.values()):
        raise refuse(422, "This mailing list name already exists", 203)
    return name
