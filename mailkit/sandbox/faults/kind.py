"""What each kind of fault is made of: its name, its parameters, and what it does."""

from typing import Any, ClassVar

import attrs
from aiohttp import web

from mailkit.sandbox.service import Response, Service
from mailkit.sandbox.wire import Pause, whole


@attrs.frozen
class FaultContext:
    """The request that a fault strikes.

    `response` is the true response, or None if the request was not carried out; `pause` waits for
    real seconds, or raises an OSError if the sandbox stops meanwhile.
    """

    service: Service[Any]
    response: Response | None
    url: str
    pause: Pause

    @property
    def true(self) -> Response:
        """The true response; where nothing was done, the service's plain error."""
        return self.service.refused("Nothing was done") if self.response is None else self.response


@attrs.frozen
class FaultKind:
    """A kind of fault. Its docstring is its help, its fields are its parameters."""

    name: ClassVar[str]
    acts: ClassVar[bool] = True
    """Whether the service carries out the request all the same."""
    can_choose: ClassVar[bool] = True
    """Whether `acted` may say otherwise."""
    reads: ClassVar[bool] = True
    """Whether the request's body is read before it strikes."""

    @property
    def closes_port_for(self) -> float | None:
        """Real seconds for which connections are refused after the response, if they are."""
        return None

    async def before_acting(self, context: FaultContext) -> None:
        """Happens between reading the request and carrying it out."""

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        """What the client gets instead of the true response."""
        return whole(context.true)
