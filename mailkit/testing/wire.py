"""The wire between a client and its service, with trouble on order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

import attrs

from mailkit.core.http import AiohttpTransport
from mailkit.core.wire import Request, Response
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.testing.clock import FakeClock

__all__ = ["POLL", "SETTLE", "Errand", "Killed", "Strike", "Trouble", "Violation", "Wire", "errand"]

POLL, SETTLE = "poll", "settle"
HELD_UP_SECONDS = 60.0
_PAGE = b"<html><body><h1>nginx</h1></body></html>"


class Violation(AssertionError):
    """What a provider does wrong, in a sentence."""


class Killed(BaseException):
    """The end of the run: nothing is written down any more, as after kill -9."""


class Trouble(Enum):
    """What goes wrong with a request, whether it reaches the service, and whether that is known."""

    NOT_CONNECTED = "no connection", False, True
    TURNED_AWAY = "a gateway's page with 403", False, True
    REQUEST_LOST = "no response, and the request has not arrived", False, False
    RESPONSE_LOST = "no response, and the request has arrived", True, False
    HELD_UP = "no response, and the request arrives a minute later", True, False
    BAD_GATEWAY = "a gateway's page with 502", True, False
    STRANGE_PAGE = "a page with 200", True, False
    KILLED_BEFORE = "killed before the request", False, False
    KILLED_AFTER = "killed after the request", True, False

    def __init__(self, words: str, arrives: bool, known: bool) -> None:
        self.words = words
        self.arrives = arrives
        self.known = known

    @property
    def kills(self) -> bool:
        """Whether the run ends there."""
        return self in (Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER)


@attrs.define
class Strike:
    """A trouble that strikes the next ``times`` requests of a stage, a poll or a settling."""

    trouble: Trouble
    at: str
    times: int = 1


@attrs.define
class Errand:
    """What a request belongs to: a task of the stage ``name``, a poll or a settling."""

    name: str
    repeatable: bool = True
    largest: int = 0
    lost: bool = False


_current: ContextVar[Errand | None] = ContextVar("errand", default=None)


class Wire:
    """A client's transport, with trouble on order; time stands still while a request is on its
    way. The ``times`` of all requests are noted.
    """

    def __init__(
        self, clock: FakeClock, strikes: Sequence[Strike] = (), times: list[float] | None = None
    ) -> None:
        self._times = [] if times is None else times
        self._clock = clock
        self._inner = AiohttpTransport()
        self._strikes = list(strikes)
        self._held_up: list[asyncio.Task[None]] = []

    @property
    def struck(self) -> bool:
        """Whether all that was ordered has come."""
        return not self._strikes

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        """Send the request, unless something else was ordered."""
        self._times.append(self._clock.monotonic())
        with self._clock.held():
            return await self._send(request, timeout)

    async def _send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        errand = _current.get()
        if errand is None:
            return await self._inner.send(request, timeout)
        if errand.lost and not errand.repeatable:
            raise Violation(
                f"stage {errand.name}: it is not repeatable, and a request whose outcome was "
                "unknown was sent again"
            )
        errand.largest = max(errand.largest, len(request.body or b""))
        trouble = self._next(errand.name)
        if trouble is None:
            return await self._inner.send(request, timeout)
        if trouble is Trouble.HELD_UP:
            self._held_up.append(asyncio.create_task(self._deliver(request, timeout)))
        elif trouble.arrives:
            await self._inner.send(request, timeout)
        request.began = trouble is not Trouble.NOT_CONNECTED
        errand.lost = not trouble.known
        match trouble:
            case Trouble.NOT_CONNECTED:
                raise NotSent(trouble.words)
            case Trouble.REQUEST_LOST | Trouble.RESPONSE_LOST | Trouble.HELD_UP:
                raise OutcomeUnknown(trouble.words)
            case Trouble.KILLED_BEFORE | Trouble.KILLED_AFTER:
                raise Killed(trouble.words)
        status = {Trouble.TURNED_AWAY: 403, Trouble.BAD_GATEWAY: 502}.get(trouble, 200)
        return Response(status, {"Content-Type": "text/html"}, _PAGE)

    async def aclose(self) -> None:
        """Close the connections, once everything has arrived."""
        await asyncio.gather(*self._held_up)
        await self._inner.aclose()

    async def _deliver(self, request: Request, timeout: float) -> None:  # noqa: ASYNC109
        await self._clock.sleep(HELD_UP_SECONDS)
        with self._clock.held():
            await self._inner.send(request, timeout)

    def _next(self, name: str) -> Trouble | None:
        strike = next((strike for strike in self._strikes if strike.at == name), None)
        if strike is None:
            return None
        strike.times -= 1
        if not strike.times:
            self._strikes.remove(strike)
        return strike.trouble


@contextmanager
def errand(of: Errand) -> Iterator[Errand]:
    """All requests in this context are part of this errand."""
    token = _current.set(of)
    try:
        yield of
    finally:
        _current.reset(token)
