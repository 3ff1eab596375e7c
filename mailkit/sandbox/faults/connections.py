"""Faults of the connection: it is refused, reset, or cut."""

import attrs
from aiohttp import web

from mailkit.sandbox.faults.kind import FaultContext, FaultKind
from mailkit.sandbox.values import Seconds, typed
from mailkit.sandbox.wire import Bytes, Reset, encoded, head, last


@attrs.frozen(field_transformer=typed)
class Refuse(FaultKind):
    """Connections are refused for `seconds` (infinity: until the faults are cleared)."""

    name = "refuse"
    can_choose = False
    seconds: Seconds = 1.0

    @property
    def closes_port_for(self) -> float:
        return self.seconds

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return last(context.true)


@attrs.frozen
class ResetBeforeReading(FaultKind):
    """TCP reset once the headers are in, the body unread."""

    name = "reset_before_reading"
    acts = False
    can_choose = False
    reads = False

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return Reset()


@attrs.frozen
class ResetAfterReading(FaultKind):
    """TCP reset after the whole request was read."""

    name = "reset_after_reading"
    acts = False
    can_choose = False

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return Reset()


@attrs.frozen
class ResetAfterActing(FaultKind):
    """TCP reset after the request was carried out."""

    name = "reset_after_acting"
    can_choose = False

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return Reset()


@attrs.frozen
class CutAnswer(FaultKind):
    """Half of the body under the right Content-Length, then the connection ends."""

    name = "cut_answer"

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        body = encoded(context.true)
        start = head(context.true.status, len(body), context.true.headers)
        return Bytes(start + body[: len(body) // 2], keep=False)


@attrs.frozen(field_transformer=typed)
class WrongLength(FaultKind):
    """A Content-Length that is off by `size` bytes."""

    name = "wrong_length"
    size: int = -5

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        body = encoded(context.true)
        return Bytes(head(context.true.status, max(0, len(body) + self.size)) + body, keep=False)
