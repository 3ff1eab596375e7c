"""A web service with FastAPI: everyone who signs up gets a welcome message.

    MAILKIT_SMSBY_TOKEN=… uvicorn fastapi_app:app
    curl localhost:8000/signup --json '{"email": "anna@mail.by"}'

One client serves all requests: opened with the service, closed with it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel

from mailkit import Address, MailkitError, SmsBy
from mailkit.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[None]:
    """Open the client at startup, close it at shutdown."""
    async with SmsBy.from_env() as app.state.smsby:
        yield


app = FastAPI(lifespan=client)


def smsby(request: Request) -> SmsBy:
    """The client, for the parameters of an endpoint."""
    opened: SmsBy = request.app.state.smsby
    return opened


class SignUp(BaseModel):
    """The person who signs up; an invalid address gets HTTP 422."""

    email: Annotated[str, AfterValidator(lambda text: Address.parse(text).email)]


@app.post("/signup", status_code=201)
async def sign_up(person: SignUp, smsby: Annotated[SmsBy, Depends(smsby)]) -> dict[str, str]:
    """Send the welcome message; the handlers below respond to errors."""
    # A real service would store the person here; the message is not the sign-up.
    await smsby.emails.send(
        sender="Shop <news@shop.by>",
        to=person.email,
        subject="Welcome",
        html="<p>Good to have you here.</p>",
    )
    return {"email": person.email, "message": "sent"}


@app.exception_handler(OutcomeUnknown)
async def unknown(request: Request, error: OutcomeUnknown) -> JSONResponse:
    """The message may be on its way, so it is never sent again."""
    return JSONResponse({"message": "unknown"}, 202)


@app.exception_handler(Refused)
async def refused(request: Request, error: Refused) -> JSONResponse:
    """The service refused the message, or the credentials, which the visitor can't fix."""
    if isinstance(error, AuthenticationFailed):
        return JSONResponse({"error": "messages can't be sent at present"}, 502)
    return JSONResponse({"error": "refused", "reasons": error.reasons}, 422)


@app.exception_handler(MailkitError)
async def later(request: Request, error: MailkitError) -> JSONResponse:
    """Nothing went out: the person may try again."""
    wait = error.retry_after if isinstance(error, RateLimited | Unavailable) else None
    return JSONResponse({"error": "try again later"}, 503, {"Retry-After": str(ceil(wait or 60))})
