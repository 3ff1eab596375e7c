"""The SendPulse operations on addresses across all lists."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse import campaign_statistics, events, lifecycle
from mailkit.sandbox.sendpulse.codes import RecipientStatus
from mailkit.sandbox.sendpulse.fields import Params, not_found
from mailkit.sandbox.sendpulse.lists import Contact, MailingList
from mailkit.sandbox.sendpulse.state import Context


@endpoint("sendpulse.contacts.get", "GET /emails/{email}")
def contact(context: Context, params: Params) -> object:
    """The address on every list that has it."""
    email = params.address()
    rows = [
        {
            "book_id": found.id,
            "email": email,
            "status": status,
            "status_explain": status.label,
            "variables": one.typed_variables,
        }
        for found, one in _places(context, email)
        for status in [lifecycle.status(context, one)]
    ]
    if not rows:
        raise not_found("Email not found", 303)
    return rows


@endpoint("sendpulse.contacts.details", "GET /emails/{email}/details")
def details(context: Context, params: Params) -> object:
    """When and how the address came onto each list."""
    rows = [
        {
            "list_name": found.name,
            "list_id": found.id,
            "add_date": context.date(one.added_at),
            "source": "api",
        }
        for found, one in _places(context, params.address())
    ]
    if not rows:
        raise not_found("Email not found", 303)
    return rows


@endpoint("sendpulse.contacts.get_many", "POST /emails")
def many(context: Context, params: Params) -> object:
    """Several addresses on every list; those on none are omitted."""
    answer: dict[str, object] = {}
    for email in params.addresses("emails", context.settings.lookups_per_request):
        rows = [
            {
                "book_id": found.id,
                "status": lifecycle.status(context, one),
                "variables": one.typed_variables,
            }
            for found, one in _places(context, email)
        ]
        if rows:
            answer[email] = rows
    return answer or []


@endpoint("sendpulse.contacts.delete", "DELETE /emails/{email}")
def delete(context: Context, params: Params) -> object:
    """Take the address off all lists."""
    email = params.address()
    for found, _ in _places(context, email):
        found.remove(email)
        events.notify_deleted(context, found, email)
    return {"result": True}


@endpoint("sendpulse.contacts.campaign_stats", "GET /emails/{email}/campaigns")
def stats(context: Context, params: Params) -> object:
    """The emails to one address; the older form is without lists."""
    email = params.address()
    answer: dict[str, object] = {
        "statistic": _counted(context, email),
        "blacklist": email in context.account.blacklist,
    }
    if not context.quirk():
        answer["addressbooks"] = [
            {"id": found.id, "address_book_name": found.name}
            for found, _ in _places(context, email)
        ]
    return answer


@endpoint("sendpulse.contacts.campaign_stats_many", "POST /emails/campaigns")
def stats_many(context: Context, params: Params) -> object:
    """The emails to several addresses; the key of the lists is spelled as the service spells it."""
    return {
        email: {
            **_counted(context, email),
            "adressbooks": [
                {"id": found.id, "name": found.name} for found, _ in _places(context, email)
            ],
            "blacklist": email in context.account.blacklist,
        }
        for email in params.addresses("emails", context.settings.lookups_per_request)
    }


def _places(context: Context, email: str) -> list[tuple[MailingList, Contact]]:
    return [
        (found, found.contacts[email])
        for found in context.account.lists.values()
        if email in found.contacts
    ]


def _counted(context: Context, email: str) -> dict[str, int]:
    statuses = [
        campaign_statistics.status(context, campaign, email)
        for campaign in context.account.campaigns.values()
        if campaign.started and email in campaign.reached
    ]
    return {
        "sent": len(statuses),
        "open": sum(one in (RecipientStatus.OPENED, RecipientStatus.CLICKED) for one in statuses),
        "link": statuses.count(RecipientStatus.CLICKED),
    }
