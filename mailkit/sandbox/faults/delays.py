"""Faults of time: the service, or its response, is slow."""

import attrs
from aiohttp import web

from mailkit.sandbox.faults.kind import FaultContext, FaultKind
from mailkit.sandbox.values import Seconds, typed
from mailkit.sandbox.wire import Bytes, encoded, head, whole


@attrs.frozen(field_transformer=typed)
class SlowBeforeActing(FaultKind):
    """The request is carried out, and answered, `seconds` later."""

    name = "slow_before_acting"
    can_choose = False
    seconds: Seconds = 1.0

    async def before_acting(self, context: FaultContext) -> None:
        await context.pause(self.seconds)


@attrs.frozen(field_transformer=typed)
class SlowAnswer(FaultKind):
    """The request is carried out at once, and answered `seconds` later."""

    name = "slow_answer"
    can_choose = False
    seconds: Seconds = 1.0

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        await context.pause(self.seconds)
        return whole(context.true)


@attrs.frozen(field_transformer=typed)
class SlowHeaders(FaultKind):
    """The response's headers trickle in over `seconds`."""

    name = "slow_headers"
    can_choose = False
    seconds: Seconds = 1.0

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        body = encoded(context.true)
        start = head(context.true.status, len(body), context.true.headers)
        steps = [start[at : at + 4] for at in range(0, len(start), 4)]
        return Bytes(*steps, body, interval=self.seconds / len(steps), pause=context.pause)
