"""The real clients, over real sockets, to the real sandbox, with a gate where troubles begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import attrs

from mailkit.core.hooks import Attempt
from mailkit.core.http import AiohttpTransport
from mailkit.core.wire import Request, Response
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.providers import devino, sendpulse, smsby
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import DevinoSettings, Sandbox, SendPulseSettings, SmsBySettings
from mailkit.testing import FakeClock

TOKEN = "canary-7Qm9vZm9v"
"""The credential of every account."""
End = Response | NotSent | OutcomeUnknown
"""What a transport makes of an attempt."""
Concerns = Callable[[Request], bool]
PATIENT = 30.0
"""Seconds for what must not run out of time, however busy the machine is."""


class Gate:
    """The clients' transport: aiohttp's, with a trouble on the way of one operation.

    The trouble begins before the ``first`` attempt of the operation that is counted, and ends after
    the ``last``. Meanwhile ``detour`` may send the attempts to another address, and ``patience``
    gives them so many seconds. ``ends`` are what came of the attempts.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.tries = 0
        self.ends: list[End] = []
        self.detour: str | None = None
        self.patience = PATIENT
        self._clock = clock
        self._concerns: Concerns = lambda request: False
        self._first: int | None = None
        self._last: int | None = None
        self._trouble: AbstractAsyncContextManager[None] | None = None
        self._transports: list[AiohttpTransport] = []
        self.renew()

    def renew(self, *, connections: int = 100, connect: float = PATIENT) -> None:
        """From here on there are no open connections."""
        largest = 2**20
        new = AiohttpTransport(connections=connections, connect=connect, largest=largest)
        self._transports.append(new)

    @property
    def transport(self) -> AiohttpTransport:
        return self._transports[-1]

    def order(
        self,
        where: str | Concerns,
        trouble: AbstractAsyncContextManager[None],
        *,
        first: int = 1,
        last: int | None = None,
    ) -> None:
        """Let the trouble begin at the first attempt on this path, in which ``*`` stands for
        anything, or at the first of those that it concerns; last None: until ``end``.
        """
        if isinstance(where, str):
            self._concerns = lambda request: fnmatchcase(urlsplit(request.url).path, where)
        else:
            self._concerns = where
        self._trouble, self._first, self._last = trouble, first, last

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        parts = urlsplit(request.url)
        if not self._concerns(request):
            with self._clock.held():
                return await self.transport.send(request, timeout)
        self.tries += 1
        number, url = self.tries, request.url
        with self._clock.held():
            if number == self._first and self._trouble is not None:
                await self._trouble.__aenter__()
            if self.detour is not None:
                request.url = url.replace(f"{parts.scheme}://{parts.netloc}", self.detour, 1)
            troubled = self._trouble is not None and number >= (self._first or 1)
            patience = min(timeout, self.patience) if troubled else timeout
            try:
                response = await self.transport.send(request, patience)
            except (NotSent, OutcomeUnknown) as error:
                self.ends.append(error)
                raise
            else:
                self.ends.append(response)
                return response
            finally:
                request.url = url
                if number == self._last:
                    await self.end()

    async def end(self) -> None:
        """The trouble is over."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None and self._first is not None and self.tries >= self._first:
            await trouble.__aexit__(None, None, None)

    async def aclose(self) -> None:
        await self.end()
        for transport in self._transports:
            await transport.aclose()


@attrs.define
class World:
    """The services, and a client of each. ``attempts`` are those that have ended; ``astray``
    counts the requests that a server other than the sandbox has read, ``strangers`` who reached a
    host that nobody should reach. ``folder`` is empty. ``options`` are those of the clients.
    """

    sandbox: Sandbox
    clock: FakeClock
    gate: Gate
    options: dict[str, Any]
    smsby: SmsBy
    devino: Devino
    sendpulse: SendPulse
    folder: Path
    attempts: list[Attempt] = attrs.field(factory=list)
    astray: int = 0
    strangers: int = 0

    def arrivals(self, operation: str) -> int:
        return self.sandbox.requests[operation] + self.astray

    @property
    def letters(self) -> int:
        """How many letters have gone out, those of campaigns that are due included."""
        self.sandbox.sendpulse.tick(self.sandbox.clock.now())
        return self.sandbox.truth.emails


# Where time stands still, campaigns begin at once, and no second is ever over.
_SENDPULSE = SendPulseSettings(
    api_key=TOKEN,
    client_secret=TOKEN,
    requests_per_second=None,
    copying=0.0,
    moderated_first=0,
)


@asynccontextmanager
async def open_world(*, moves: bool = False) -> AsyncIterator[World]:
    """A chunk of a bulk send has two rows here. The services' time stands still, or it ``moves``
    with that of the clients.
    """
    clock = FakeClock(moved=lambda seconds: sandbox.clock.advance(seconds) if moves else None)
    gate = Gate(clock)
    attempts: list[Attempt] = []
    options: dict[str, Any] = {
        "timeout": PATIENT,
        "clock": clock,
        "random": Random(1),
        "transport": gate,
        "hooks": [lambda attempt: attempts.append(attempt) if attempt.outcome else None],
    }
    with TemporaryDirectory() as folder:
        async with (
            Sandbox(
                speed=0,
                seed=1,
                smsby=SmsBySettings(token=TOKEN),
                devino=DevinoSettings(api_key=TOKEN),
                sendpulse=attrs.evolve(_SENDPULSE),
            ) as sandbox,
            SmsBy(TOKEN, sandbox.url, limits=smsby.ChunkLimits(bulk_rows=2), **options) as first,
            Devino(TOKEN, sandbox.url, limits=devino.ChunkLimits(rows=2), **options) as second,
            SendPulse(
                url=sandbox.url,
                api_key=TOKEN,
                limits=sendpulse.ChunkLimits(rows=2, part_rows=2),
                **options,
            ) as third,
        ):
            yield World(sandbox, clock, gate, options, first, second, third, Path(folder), attempts)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens on the other side of a socket; the caller asserts it afterwards."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.001)
