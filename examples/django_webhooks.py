"""A web service with Django's ASGI that receives webhooks about its messages.

    MAILKIT_WEBHOOK_SECRET=… uvicorn django_webhooks:application
    curl localhost:8000/people/anna@mail.by

Have the services call https://YOUR-HOST/webhooks/sendpulse/SECRET and …/devino/SECRET. Their events
go into the journal of this machine, next to the jobs that are sent from it.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from mailkit import DeliveryStatus, WebhookReceiver
from mailkit.events import DeliveryEvent

receiver = WebhookReceiver(secret=os.environ["MAILKIT_WEBHOOK_SECRET"].split(","))
left: set[str] = set()


@receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED)
async def leave(event: DeliveryEvent) -> None:
    """Called after the response, and again if it fails: a second call must do no harm."""
    # A real service would mark the person in its own database here.
    left.add(event.address or "")


async def person(request: HttpRequest, email: str) -> JsonResponse:
    """Whether the person still wants mail."""
    return JsonResponse({"mail": email not in left})


# What a project has in its settings.py and urls.py.
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
urlpatterns = [path("people/<str:email>", person)]

django = get_asgi_application()


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """What a project has in its asgi.py. Django does not take the server's startup and shutdown:
    they are the receiver's, which opens the journal and closes it.
    """
    if scope["type"] == "lifespan" or scope["path"].startswith("/webhooks/"):
        await receiver(scope, receive, send)
    else:
        await django(scope, receive, send)
