"""A web service with aiohttp that receives webhooks about its messages.

    MAILKIT_WEBHOOK_SECRET=… python -m aiohttp.web -P 8080 aiohttp_webhooks:make_app
    curl localhost:8080/people/anna@mail.by

Have the services call https://YOUR-HOST/webhooks/sendpulse/SECRET and …/devino/SECRET. Their events
go into the journal of this machine, next to the jobs that are sent from it.
"""

import os

from aiohttp import web

from mailkit import DeliveryStatus, WebhookReceiver
from mailkit.events import DeliveryEvent

receiver = WebhookReceiver(secret=os.environ["MAILKIT_WEBHOOK_SECRET"].split(","))
left: set[str] = set()


@receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED)
async def leave(event: DeliveryEvent) -> None:
    """Called after the response, and again if it fails: a second call must do no harm."""
    # A real service would mark the person in its own database here.
    left.add(event.address or "")


async def person(request: web.Request) -> web.Response:
    """Whether the person still wants mail."""
    return web.json_response({"mail": request.match_info["email"] not in left})


def make_app(argv: list[str] | None = None) -> web.Application:
    """The service; its startup and shutdown open the journal and close it."""
    app = web.Application()
    app.router.add_get("/people/{email}", person)
    app.add_subapp("/webhooks", receiver.aiohttp_app())
    return app
