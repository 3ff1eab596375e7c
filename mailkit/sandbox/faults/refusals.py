"""Faults in which the service, or a server in front of it, says no."""

from types import NoneType

import attrs
from aiohttp import web
from attrs import validators as v

from mailkit.sandbox.faults.kind import FaultContext, FaultKind, own_status, status
from mailkit.sandbox.service import Response
from mailkit.sandbox.wire import page, whole


@attrs.frozen
class RateLimited(FaultKind):
    """HTTP 429 with `retry_after` as it is (None: without the header)."""

    name = "rate_limited"
    acts = False
    retry_after: str | float | None = attrs.field(
        default="1", validator=v.instance_of((str, int, float, NoneType))
    )
    status: int = status(429)

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        after = self.retry_after
        headers = () if after is None else (("Retry-After", str(after)),)
        value = context.service.refused("Too many requests").value
        return whole(Response(self.status, value, headers))


@attrs.frozen
class ServerError(FaultKind):
    """HTTP `status` with the service's error, or with `html`."""

    name = "server_error"
    acts = False
    status: int = status(500)
    html: bool = attrs.field(default=False, validator=v.instance_of(bool))

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        if self.html:
            return page(self.status, "Something went wrong")
        return whole(Response(self.status, context.service.refused("Internal error").value))


@attrs.frozen
class ErrorEnvelope(FaultKind):
    """The service's error, with its own HTTP status or another."""

    name = "error_envelope"
    acts = False
    status: int | None = own_status()

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        response = context.service.refused("The request was refused")
        return whole(Response(self.status or response.status, response.value))


@attrs.frozen
class TokenRefused(FaultKind):
    """The service's response to a wrong token."""

    name = "token_refused"
    acts = False
    status: int | None = own_status()

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        response = context.service.token_refused()
        return whole(Response(self.status or response.status, response.value, response.headers))


@attrs.frozen
class Redirect(FaultKind):
    """HTTP `status` to `location` (None: to a path of the sandbox)."""

    name = "redirect"
    acts = False
    status: int = status(307)
    location: str | None = attrs.field(default=None, validator=v.optional(v.instance_of(str)))

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        location = self.location or f"{context.url}/moved"
        return whole(Response(self.status, {}, (("Location", location),)))
