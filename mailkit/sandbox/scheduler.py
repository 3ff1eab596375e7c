"""What the services do by themselves as time goes by, and what they post to customers.

Nothing polls: after each request, and each time the clock was moved, one timer is set for the
next thing that is due. With a clock that is stopped only `Clock.advance` makes things happen.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from threading import RLock
from typing import Any

import aiohttp
import attrs

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.service import Backlog, Service, WebhookPost


@attrs.frozen
class WebhookDelivery:
    """A post that was made: to where, what, the HTTP status, or None without a response, which
    attempt it was, and how long it took, in real seconds.
    """

    url: str
    value: object
    status: int | None
    attempt: int
    seconds: float

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        what = f"{len(self.value)} events" if isinstance(self.value, list) else "an event"
        return f"<WebhookDelivery of {what} to {self.url}: {self.status or 'no response'}>"


class Scheduler:
    """Lets the services' time pass; `start` and `stop` belong to the server's loop."""

    def __init__(self, clock: Clock, services: Sequence[Service[Any]], lock: "RLock") -> None:
        self._clock = clock
        self._services = services
        self._lock = lock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._delivering: asyncio.Task[int] | None = None
        self._one_at_a_time = asyncio.Lock()
        self.deliveries: deque[WebhookDelivery] = deque(maxlen=1000)
        """The last posts, oldest first."""
        self.holds = False
        """Whether nothing is posted by itself."""
        clock.moved = self._moved

    def start(self) -> None:
        """Work in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._one_at_a_time = asyncio.Lock()
        self._set_timer()

    async def stop(self) -> None:
        """Stop; a post under way is cancelled."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        await self._cut_off()

    def wake(self) -> None:
        """Check again what is due next; from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._set_timer()
        else:
            loop.call_soon_threadsafe(self._set_timer)

    async def deliver(self, *, early: bool) -> int:
        """Post everything that is due now, in order, and wait for the responses; from any loop."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await self._deliver(early=early)
        there = asyncio.run_coroutine_threadsafe(self._deliver(early=early), loop)
        return await asyncio.wrap_future(there)

    def take(self) -> list[WebhookPost]:
        """What would be posted now; it counts as taken."""
        with self._lock:
            posts = self._collect(early=True)
            for post in posts:
                post.ended(post, self._clock.now(), is_taken=True)
        return posts

    def cut_off(self) -> None:
        """Cancel the posts that it makes by itself; from another thread than the server's."""
        loop = self._loop
        if loop is not None and not loop.is_closed() and threading.get_ident() != self._thread:
            asyncio.run_coroutine_threadsafe(self._cut_off(), loop).result(timeout=10)

    async def _cut_off(self) -> None:
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.gather(self._delivering, return_exceptions=True)

    async def _deliver(self, *, early: bool) -> int:
        async with self._one_at_a_time:
            posts = self._collect(early=early)
            if not posts:
                return 0
            async with aiohttp.ClientSession() as session:
                for post in posts:
                    await self._post(session, post)
            self.wake()
            return len(posts)

    async def _post(self, session: aiohttp.ClientSession, post: WebhookPost) -> None:
        began = time.perf_counter()
        status = await _send(session, post)
        seconds = time.perf_counter() - began
        self.deliveries.append(WebhookDelivery(post.url, post.value, status, post.attempt, seconds))
        with self._lock:
            is_taken = status is not None and 200 <= status < 300
            post.ended(post, self._clock.now(), is_taken=is_taken)

    @property
    def backlog(self) -> Backlog:
        """The events that no customer has taken yet, and those that none ever will."""
        with self._lock:
            each = [service.backlog() for service in self._services]
        return Backlog(sum(one.waiting for one in each), sum(one.lost for one in each))

    def _collect(self, *, early: bool) -> list[WebhookPost]:
        with self._lock:
            now = self._tick()
            return [post for service in self._services for post in service.posts(now, early=early)]

    def _moved(self) -> None:
        self._tick()
        self.wake()

    def _tick(self) -> float:
        with self._lock:
            now = self._clock.now()
            for service in self._services:
                service.tick(now)
        return now

    def due_in(self) -> float | None:
        """The seconds of the sandbox's time until something happens by itself, if anything will."""
        with self._lock:
            moments = [at for service in self._services if (at := service.due()) is not None]
        return min(moments) - self._clock.now() if moments else None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop, left = self._loop, self.due_in()
        if loop is None or left is None or (self.holds and left <= 0):
            return
        if left <= 0:
            self._timer = loop.call_later(0, self._wake_up)
        elif self._clock.speed > 0:
            self._timer = loop.call_later(left / self._clock.speed + 0.001, self._wake_up)

    def _wake_up(self) -> None:
        if self._loop is None:
            return
        self._tick()
        if not self.holds and (self._delivering is None or self._delivering.done()):
            self._delivering = self._loop.create_task(self.deliver(early=False))
            self._delivering.add_done_callback(lambda _: self._set_timer())


async def _send(session: aiohttp.ClientSession, post: WebhookPost) -> int | None:
    timeout = aiohttp.ClientTimeout(total=post.timeout)
    try:
        async with session.post(
            post.url, json=post.value, allow_redirects=False, timeout=timeout
        ) as response:
            return response.status
    except (aiohttp.ClientError, OSError, ValueError):
        return None
