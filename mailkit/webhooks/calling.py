"""Calls handlers for events: after the response, at least once, and again while they fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from random import Random, SystemRandom

import anyio
import attrs

from mailkit.bulk.journal import HandlerCall, Journal
from mailkit.core.clock import Clock
from mailkit.core.frames import place_of
from mailkit.errors import JournalError
from mailkit.events import WebhookEvent
from mailkit.providers import WebhookParser
from mailkit.webhooks.handlers import Handler, Handlers

__all__ = ["CallLimits", "Caller", "retry_in"]

_log = logging.getLogger("mailkit.webhooks")
_LOOK = 30.0
"""Seconds after which the journal is asked again: calls of a process that died come due."""
_GRACE = 10.0
"""Seconds that calls have at the end."""
_FIRST, _LONGEST = 10.0, 3600.0


@attrs.frozen
class CallLimits:
    """For each handler: how many of its calls run at once, and for how many seconds each may."""

    concurrency: int = 8
    timeout: float = 60.0

    @property
    def lease(self) -> float:
        """After so many seconds a call that nobody ended is made again."""
        return self.timeout + 60


def retry_in(tries: int, random: Random) -> float:
    """Seconds until a call that has failed so many times is made again: 10, 20, 40, up to an hour,
    a fifth more or less.
    """
    return min(_LONGEST, _FIRST * 2.0 ** min(tries - 1, 30)) * random.uniform(0.8, 1.2)


class Caller:
    """One loop for each handler, so that none waits for another."""

    def __init__(
        self,
        journal: Journal,
        handlers: Handlers,
        parsers: Mapping[str, WebhookParser],
        clock: Clock,
        limits: CallLimits,
        random: Random | None = None,
    ) -> None:
        self._calls = journal.handler_calls
        self._handlers = handlers
        self._parsers = parsers
        self._clock = clock
        self._limits = limits
        self._random = random or SystemRandom()
        self._news: dict[str, anyio.Event] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._ending = False

    async def start(self) -> None:
        """Begin with the calls that were left from before."""
        if not self._handlers:
            return
        known = {handler.name for handler in self._handlers}
        for name, count in (await self._calls.waiting()).items():
            if name not in known:
                _log.warning(
                    "%d calls wait for the handler %s, which this program does not register",
                    count,
                    name,
                )
        for handler in self._handlers:
            self._news[handler.name] = anyio.Event()
            loop = asyncio.create_task(self._serve(handler), name=f"mailkit {handler.name}")
            self._loops.append(loop)

    def wake(self) -> None:
        """There may be new calls."""
        for news in self._news.values():
            news.set()

    async def stop(self) -> None:
        """Call what is due, for some seconds at most. What is left or cut off comes again."""
        self._ending = True
        self.wake()
        try:
            with anyio.move_on_after(_GRACE):
                await asyncio.gather(*self._loops, return_exceptions=True)
        finally:
            for task in (*self._loops, *self._running):
                task.cancel()
            await asyncio.gather(*self._loops, *self._running, return_exceptions=True)
            self._loops = []

    async def _serve(self, handler: Handler) -> None:
        running: set[asyncio.Task[None]] = set()
        while True:
            news = self._news[handler.name] = anyio.Event()
            running &= self._running
            try:
                wait = await self._claim(handler, running)
            except JournalError as error:
                _log.error("calls of the handler %s can't be claimed: %s", handler.name, error)
                wait = _LOOK
            if self._ending and wait and not running and not news.is_set():
                return
            await self._clock.sleep_until(news, wait)

    async def _claim(self, handler: Handler, running: set[asyncio.Task[None]]) -> float:
        """Begin what is due, as far as there is room; the seconds until there is more to begin."""
        names, now = [handler.name], self._clock.now()
        free = self._limits.concurrency - len(running)
        if free:
            lease = self._limits.lease
            calls = await self._calls.claim(names, now=now, lease=lease, limit=free)
            running |= {self._begin(handler, call) for call in calls}
            free -= len(calls)
        due = await self._calls.next_due(names) if free else None
        return _LOOK if due is None else min(_LOOK, max(0.0, due - now))

    def _begin(self, handler: Handler, call: HandlerCall) -> asyncio.Task[None]:
        task = asyncio.create_task(self._call(handler, call), name=f"mailkit {handler.name} call")
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._news[handler.name].set()

        task.add_done_callback(ended)
        return task

    async def _call(self, handler: Handler, call: HandlerCall) -> None:
        try:
            try:
                event = self._event(call)
                async with asyncio.timeout(self._limits.timeout):
                    await handler.function(event)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                await self._failed(handler, call, "it was cancelled")
            except Exception as error:  # noqa: BLE001 - the program's own: whatever it raises
                await self._failed(handler, call, place_of(error))
            else:
                await self._calls.done(call)
        except JournalError as error:  # the call comes again
            _log.error("a call of the handler %s can't be written: %s", handler.name, error)

    async def _failed(self, handler: Handler, call: HandlerCall, why: str) -> None:
        wait = retry_in(call.tries, self._random)
        _log.warning(
            "the handler %s failed on an event of %s (try %d): %s; trying again in %.0f s",
            handler.name,
            call.provider,
            call.tries,
            why,
            wait,
        )
        await self._calls.failed(call, why, due=self._clock.now() + wait)

    def _event(self, call: HandlerCall) -> WebhookEvent:
        (event,) = self._parsers[call.provider](call.event.encode())
        return event
