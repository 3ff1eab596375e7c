"""A web service with aiohttp: everyone who signs up gets a welcome message.

    MAILKIT_SMSBY_TOKEN=… python -m aiohttp.web -P 8080 aiohttp_app:make_app
    curl localhost:8080/signup -d '{"email": "anna@mail.by"}'

One client serves all requests: opened with the service, closed with it.
"""

from collections.abc import AsyncIterator
from math import ceil

from aiohttp import web

from mailkit import Address, MailkitError, SmsBy
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)

CLIENT = web.AppKey("CLIENT", SmsBy)


async def client(app: web.Application) -> AsyncIterator[None]:
    """Open the client at startup, close it at shutdown."""
    async with SmsBy.from_env() as app[CLIENT]:
        yield


async def sign_up(request: web.Request) -> web.Response:
    """POST /signup with {"email": "…"}: 201, or what happened instead."""
    try:
        email = Address.parse((await request.json())["email"]).email
    except (InvalidArgument, ValueError, TypeError, KeyError):
        return web.json_response({"error": "an e-mail address is needed"}, status=422)
    # A real service would store the person here; the message is not the sign-up.
    try:
        await request.app[CLIENT].emails.send(
            sender="Shop <news@shop.by>",
            to=email,
            subject="Welcome",
            html="<p>Good to have you here.</p>",
        )
    except OutcomeUnknown:
        # The message may be on its way, so it is never sent again.
        return web.json_response({"email": email, "message": "unknown"}, status=202)
    except AuthenticationFailed:
        return web.json_response({"error": "messages can't be sent at present"}, status=502)
    except Refused as error:
        return web.json_response({"error": "refused", "reasons": error.reasons}, status=422)
    except (RateLimited, Unavailable) as error:  # nothing went out: the person may try again
        wait = {"Retry-After": str(ceil(error.retry_after or 60))}
        return web.json_response({"error": "try again later"}, status=503, headers=wait)
    except MailkitError:
        return web.json_response({"error": "try again later"}, status=503)
    return web.json_response({"email": email, "message": "sent"}, status=201)


def make_app(argv: list[str] | None = None) -> web.Application:
    """The service, for ``python -m aiohttp.web`` and for tests."""
    app = web.Application()
    app.cleanup_ctx.append(client)
    app.router.add_post("/signup", sign_up)
    return app
