"""The SendPulse operations on the blacklist."""

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse.fields import Params, html, wrong
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.truth import normalized


@endpoint("sendpulse.blacklist.list", "GET /blacklist")
def all_blocked(context: Context, params: Params) -> object:
    """All addresses on the blacklist."""
    return list(context.account.blacklist)


@endpoint("sendpulse.blacklist.add", "POST /blacklist")
def add(context: Context, params: Params) -> object:
    """Put addresses on the blacklist: no campaign reaches them any more."""
    comment = params.fields.get("comment")
    for email in _hidden(params):
        context.account.blacklist[email] = comment if isinstance(comment, str) else ""
    return {"result": True}


@endpoint("sendpulse.blacklist.remove", "DELETE /blacklist")
def remove(context: Context, params: Params) -> object:
    """Take addresses off the blacklist."""
    for email in _hidden(params):
        context.account.blacklist.pop(email, None)
    return {"result": True}


def _hidden(params: Params) -> list[str]:
    """The addresses in base64, with commas between them."""
    found = [normalized(one) for one in html("emails", params.fields.get("emails")).split(",")]
    if not all(is_address(one) for one in found):
        raise wrong("emails", "must hold e-mail addresses, separated by commas")
    return found
