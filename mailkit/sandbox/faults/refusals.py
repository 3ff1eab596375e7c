"""Faults in which the service, or a server in front of it, says no."""

import attrs
from aiohttp import web

from mailkit.sandbox.faults.kind import FaultContext, FaultKind
from mailkit.sandbox.service import Response
from mailkit.sandbox.values import Status, typed
from mailkit.sandbox.wire import page, whole


@attrs.frozen(field_transformer=typed)
class RateLimited(FaultKind):
    """HTTP 429 with `retry_after` as the header Retry-After, or without it if that is null."""

    name = "rate_limited"
    acts = False
    retry_after: str | float | None = "1"
    status: Status = 429

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        after = self.retry_after
        headers = () if after is None else (("Retry-After", str(after)),)
        value = context.service.refused("Too many requests").value
        return whole(Response(self.status, value, headers))


@attrs.frozen(field_transformer=typed)
class ServerError(FaultKind):
    """HTTP `status` with the service's error, or with an HTML page if `html` is true."""

    name = "server_error"
    acts = False
    status: Status = 500
    html: bool = False

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        if self.html:
            return page(self.status, "Something went wrong")
        return whole(Response(self.status, context.service.refused("Internal error").value))


@attrs.frozen(field_transformer=typed)
class ErrorEnvelope(FaultKind):
    """The service's error, with its own HTTP status or another."""

    name = "error_envelope"
    acts = False
    status: Status | None = None

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        response = context.service.refused("The request was refused")
        return whole(Response(self.status or response.status, response.value))


@attrs.frozen(field_transformer=typed)
class TokenRefused(FaultKind):
    """The service's response to a wrong token."""

    name = "token_refused"
    acts = False
    status: Status | None = None

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        response = context.service.token_refused()
        return whole(Response(self.status or response.status, response.value, response.headers))


@attrs.frozen(field_transformer=typed)
class Redirect(FaultKind):
    """HTTP `status` to `location`, or to a path of the sandbox if that is null."""

    name = "redirect"
    acts = False
    status: Status = 307
    location: str | None = None

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        location = self.location or f"{context.url}/moved"
        return whole(Response(self.status, {}, (("Location", location),)))
