"""A web service with FastAPI that receives webhooks about its messages.

    MAILKIT_WEBHOOK_SECRET=… uvicorn fastapi_webhooks:app
    curl localhost:8000/people/anna@mail.by

Have the services call https://YOUR-HOST/webhooks/sendpulse/SECRET and …/devino/SECRET. Their events
go into the journal of this machine, next to the jobs that are sent from it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mailkit import DeliveryStatus, WebhookReceiver
from mailkit.events import DeliveryEvent

receiver = WebhookReceiver(secret=os.environ["MAILKIT_WEBHOOK_SECRET"].split(","))
left: set[str] = set()


@receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED)
async def leave(event: DeliveryEvent) -> None:
    """Called after the response, and again if it fails: a second call must do no harm."""
    # A real service would mark the person in its own database here.
    left.add(event.address or "")


@asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    """Open the journal at startup, close it at shutdown: mounted apps hear of neither."""
    async with receiver:
        yield


app = FastAPI(lifespan=life)
app.mount("/webhooks", receiver)


@app.get("/people/{email}")
async def person(email: str) -> dict[str, bool]:
    """Whether the person still wants mail."""
    return {"mail": email not in left}
