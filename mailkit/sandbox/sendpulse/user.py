"""The SendPulse operation on the account itself."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse.codes import USER
from mailkit.sandbox.sendpulse.fields import Params
from mailkit.sandbox.sendpulse.state import Context


@endpoint("sendpulse.user.info", "GET /user/info")
def info(context: Context, params: Params) -> object:
    """Who the account belongs to."""
    return {
        "id": USER,
        "name": "Sandbox",
        "email": "owner@sandbox.example",
        "timezone": context.settings.timezone,
        "currency": context.settings.currency,
    }
