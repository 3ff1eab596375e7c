"""Which operation a method and a path call."""

from urllib.parse import unquote

TOKEN = "sendpulse.auth.token"  # noqa: S105 -- the name of an operation
ADD = "sendpulse.mailing_lists.add_contacts"
CONFIRM = "sendpulse.mailing_lists.add_contacts_double_opt_in"

_HOOK = "/v2/email-service/webhook"
ROUTES = {
    TOKEN: "POST /oauth/access_token",
    "sendpulse.mailing_lists.create": "POST /addressbooks",
    "sendpulse.mailing_lists.list": "GET /addressbooks",
    "sendpulse.mailing_lists.rename": "PUT /addressbooks/{id}",
    "sendpulse.mailing_lists.get": "GET /addressbooks/{id}",
    "sendpulse.mailing_lists.delete": "DELETE /addressbooks/{id}",
    "sendpulse.mailing_lists.variables": "GET /addressbooks/{id}/variables",
    "sendpulse.mailing_lists.contacts": "GET /addressbooks/{id}/emails",
    "sendpulse.mailing_lists.count": "GET /addressbooks/{id}/emails/total",
    "sendpulse.mailing_lists.find_by_variable": "GET /addressbooks/{id}/variables/{name}/{value}",
    ADD: "POST /addressbooks/{id}/emails",
    "sendpulse.mailing_lists.set_phone": "PUT /addressbooks/{id}/phone",
    "sendpulse.mailing_lists.remove_contacts": "DELETE /addressbooks/{id}/emails",
    "sendpulse.mailing_lists.cost": "GET /addressbooks/{id}/cost",
    "sendpulse.mailing_lists.campaigns": "GET /addressbooks/{id}/campaigns",
    "sendpulse.mailing_lists.contact": "GET /addressbooks/{id}/emails/{email}",
    "sendpulse.mailing_lists.set_variables": "POST /addressbooks/{id}/emails/variable",
    "sendpulse.mailing_lists.unsubscribe": "POST /addressbooks/{id}/emails/unsubscribe",
    "sendpulse.campaigns.create": "POST /campaigns",
    "sendpulse.campaigns.send_test": "PATCH /campaigns",
    "sendpulse.campaigns.list": "GET /campaigns",
    "sendpulse.campaigns.edit": "PATCH /campaigns/{id}",
    "sendpulse.campaigns.get": "GET /campaigns/{id}",
    "sendpulse.campaigns.cancel": "DELETE /campaigns/{id}",
    "sendpulse.campaigns.countries": "GET /campaigns/{id}/countries",
    "sendpulse.campaigns.referrals": "GET /campaigns/{id}/referrals",
    "sendpulse.campaigns.recipient": "GET /campaigns/{id}/email/{email}",
    "sendpulse.templates.create": "POST /template",
    "sendpulse.templates.edit": "POST /template/edit/{id}",
    "sendpulse.templates.get_by_slug": "GET /template/slug/{slug}",
    "sendpulse.templates.get": "GET /template/{id}",
    "sendpulse.templates.list": "GET /templates",
    "sendpulse.templates.list_by_language": "GET /templates/{lang}",
    "sendpulse.senders.list": "GET /senders",
    "sendpulse.senders.add": "POST /senders",
    "sendpulse.senders.remove": "DELETE /senders",
    "sendpulse.senders.activate": "POST /senders/{email}/code",
    "sendpulse.senders.request_code": "GET /senders/{email}/code",
    "sendpulse.contacts.get_many": "POST /emails",
    "sendpulse.contacts.campaign_stats_many": "POST /emails/campaigns",
    "sendpulse.contacts.get": "GET /emails/{email}",
    "sendpulse.contacts.delete": "DELETE /emails/{email}",
    "sendpulse.contacts.details": "GET /emails/{email}/details",
    "sendpulse.contacts.campaign_stats": "GET /emails/{email}/campaigns",
    "sendpulse.blacklist.list": "GET /blacklist",
    "sendpulse.blacklist.add": "POST /blacklist",
    "sendpulse.blacklist.remove": "DELETE /blacklist",
    "sendpulse.balance.get": "GET /balance",
    "sendpulse.balance.get ": "GET /balance/{currency}",
    "sendpulse.balance.details": "GET /user/balance/detail",
    "sendpulse.user.info": "GET /user/info",
    "sendpulse.webhooks.list": f"GET {_HOOK}",
    "sendpulse.webhooks.create": f"POST {_HOOK}",
    "sendpulse.webhooks.get": f"GET {_HOOK}/{{id}}",
    "sendpulse.webhooks.update": f"PUT {_HOOK}/{{id}}",
    "sendpulse.webhooks.delete": f"DELETE {_HOOK}/{{id}}",
    "sendpulse.tags.list": "GET /tags",
    "sendpulse.tags.create": "POST /tags",
    "sendpulse.tags.update": "PUT /tags/{id}",
    "sendpulse.tags.delete": "DELETE /tags/{id}",
    "sendpulse.tags.pin_email": "POST /tags/pin/email",
    "sendpulse.tags.pin_phone": "POST /tags/pin/phone",
    "sendpulse.tags.unpin_email": "POST /tags/unpin/email",
    "sendpulse.tags.unpin_phone": "POST /tags/unpin/phone",
}

_Route = tuple[str, tuple[str, ...]]


def _table() -> dict[tuple[str, int], list[_Route]]:
    """Routes by method and number of parts; a plain part goes before a named one."""
    table: dict[tuple[str, int], list[_Route]] = {}
    for operation, route in ROUTES.items():
        method, _, path = route.partition(" ")
        parts = tuple(path.split("/")[1:])
        table.setdefault((method, len(parts)), []).append((operation.strip(), parts))
    for routes in table.values():
        routes.sort(key=lambda route: [part.startswith("{") for part in route[1]])
    return table


_TABLE = _table()


def match(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The operation and the decoded parts of the path; one slash at the end does not count."""
    if path.endswith("/"):
        path = path[:-1]
    parts = path.split("/")[1:]
    for operation, route in _TABLE.get((method, len(parts)), ()):
        args: dict[str, str] = {}
        for part, name in zip(parts, route, strict=True):
            if name.startswith("{") and part:
                args[name[1:-1]] = unquote(part)
            elif part != name:
                break
        else:
            return operation, args
    return None
