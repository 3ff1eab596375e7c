"""What the service posts in a made-up world, and the process that takes it into the journal.

A post comes late and out of order, twice, cut off, or not at all; its response is lost, or its
receiver dies over it; nobody may be there to take it. Whatever did not get a 200 is posted again.
Between them come posts about what this journal never sent. In some worlds a handler, which
fails now and then, is called for each event.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from mailkit.events import WebhookEvent
from mailkit.sandbox import Posting, WebhookPost
from mailkit.webhooks import WebhookReceiver

from .process import Died, current

if TYPE_CHECKING:
    from .world import World

__all__ = ["HOOK", "RECEIVER", "Postman", "posting"]

RECEIVER = "receiver"
HOOK = "http://shop.by/webhooks"
_SECRET = "a-secret-of-this-world"
_PATIENT = 600.0
_EMPTIED = 300.0
_FATES = ("lost", "cut", "in pieces", "response lost", "held up")


def posting(rng: Random) -> Posting:
    """How the service of a world posts: it never gives up."""
    return Posting(
        batch=rng.choice((1, 7, 100)),
        every=rng.choice((0.0, 5.0, 60.0)),
        repeated=rng.choice((0.0, 0.2)),
        late=rng.choice((0.0, 0.3)),
        late_by=rng.choice((10.0, 3600.0)),
        shuffled=rng.random() < 0.5,
        retries=(1.0, 5.0, 30.0, 60.0, 300.0, *[_PATIENT] * 1000),
    )


class Postman:
    """Carries the service's posts to the receiver, and keeps a receiver alive, more or less."""

    def __init__(self, world: World) -> None:
        self.happened = Counter[str]()
        self._world = world
        self._outside = contextvars.copy_context()  # no process's: it dies with none
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._has_handler = Random(f"{world.seed} handler").random() < 0.3
        self._told: set[bytes] = set()
        self._handled: set[bytes] = set()
        self._door: Callable[[bytes, int], asyncio.Task[int]] | None = None
        self._forged = 0
        self._is_calm = False
        self._begin(self._keep_receiving())

    def look(self) -> None:
        """There may be something to post, now or later."""
        world = self._world
        due = world.side.service.due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = max(due - world.side.now(), 0.0) + world.rng.expovariate(1)
            self._timer = world.loop.call_later(wait, self._post, context=self._outside)

    async def emptied(self) -> None:
        """Wait until the service has nothing to say any more."""
        while len(self._tasks) > 1 or self._world.side.service.due() is not None:
            for task in self._tasks:
                assert not task.done(), task.result()
            await asyncio.sleep(_EMPTIED)

    async def handled(self) -> None:
        """Wait until all calls of the handler were made; AssertionError if it never heard of an
        event.
        """
        async with self._world.disk.opened() as journal:
            while await journal.handler_calls.waiting():  # noqa: ASYNC110 - in another process
                await asyncio.sleep(_EMPTIED)
        assert not self._has_handler or self._told <= self._handled, "an event was never handled"

    def calm_down(self) -> None:
        """From now on every post arrives, and the receiver lives."""
        self._is_calm = True

    def close(self) -> None:
        """The world ends."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        ended = asyncio.gather(*self._tasks, return_exceptions=True)
        for end in self._world.loop.run_until_complete(ended):
            if isinstance(end, Exception):
                raise end

    def _begin(self, work: Any) -> None:
        task = self._world.loop.create_task(work, context=self._outside)
        self._tasks.append(task)

    def _post(self) -> None:
        side = self._world.side
        side.tick()
        for post in side.service.posts(side.now(), early=False):
            self._begin(self._carry(post))
        self.look()

    async def _carry(self, post: WebhookPost) -> None:
        """Make one post; the service does it again if it was not taken."""
        world, task = self._world, asyncio.current_task()
        await asyncio.sleep(world.rng.expovariate(1))
        taken = await self._try(msgspec.json.encode(post.value))
        self.happened["posts taken" if taken else "posts not taken"] += 1
        if taken:
            assert isinstance(post.value, list)
            self._told.update(map(_canonical, post.value))
        if taken and not self._is_calm and world.rng.random() < 0.2:
            await self._forge(post.value)
        post.ended(post, world.side.now(), is_taken=taken)
        assert task is not None
        self._tasks.remove(task)
        self.look()

    async def _try(self, body: bytes) -> bool:
        """Whether the service hears that the post was taken."""
        rng, trouble = self._world.rng, max(self._world.trouble, 0.05)
        fate = rng.choice(_FATES) if not self._is_calm and rng.random() < trouble else "taken"
        if fate == "held up":
            await asyncio.sleep(rng.expovariate(1 / 1800))
        if fate == "lost":
            return False
        if fate == "cut":
            assert await self._ask(body[: len(body) // 2]) != 200, "half a post was taken"
            return False
        if fate == "in pieces":
            assert await self._ask(body, 2) != 200, "half a post was taken"
            return False
        status = await self._ask(body)
        await asyncio.sleep(rng.expovariate(10))
        return status == 200 and fate != "response lost"

    async def _ask(self, body: bytes, pieces: int = 1) -> int | None:
        """The receiver's response, if somebody is there who lives so long."""
        if self._door is None:
            return None
        answer = self._door(body, pieces)
        await asyncio.wait({answer})
        if answer.cancelled() or isinstance(answer.exception(), Died):
            return None  # the receiver died over it
        status = answer.result()
        assert status in (200, 400, 503), f"a post was answered with {status}"
        return status

    async def _forge(self, value: object) -> None:
        """Somebody else's events come to the same address, with what is true of ours in them."""
        assert isinstance(value, list)
        self._forged += 1
        rows = [self._world.side.forge(row, self._forged) for row in value[:3]]
        if await self._ask(msgspec.json.encode(rows)) == 200:
            self.happened["forged events"] += len(rows)

    async def _keep_receiving(self) -> None:
        """Begin a receiver whenever there is none."""
        world, rng = self._world, self._world.rng
        pause = rng.choice((0.1, 30.0, 300.0))
        while True:
            await asyncio.sleep(rng.expovariate(1 / pause))
            if not world.disk.there:
                continue
            process, life = world.begin(RECEIVER, self._receive())
            if not self._is_calm and rng.random() < 0.5:
                process.dies(rng.randint(1, 12), before=rng.random() < 0.5)
            await asyncio.wait({life})
            self.happened["receivers killed"] += not process.alive
            if process.failure is None and process in world.processes:
                world.processes.remove(process)

    async def _handle(self, event: WebhookEvent) -> None:
        """The shop's own part, which may take long or fail."""
        rng = self._world.rng
        await asyncio.sleep(rng.expovariate(1 / 10))
        if not self._is_calm and rng.random() < 0.2:
            raise RuntimeError
        self._handled.add(_canonical(event.raw))
        self.happened["handlers called"] += 1

    async def _receive(self) -> None:
        """One life of a receiver; after a while, or an error of the journal, it ends."""
        world, context = self._world, contextvars.copy_context()
        broken = asyncio.Event()
        answers: list[asyncio.Task[int]] = []

        def door(body: bytes, pieces: int) -> asyncio.Task[int]:
            work = _answer(receiver, f"{world.side.name}/{_SECRET}", body, pieces, broken)
            answers.append(world.loop.create_task(work, context=context))
            return answers[-1]

        async with world.disk.opened() as journal:
            receiver = WebhookReceiver(journal, secret=_SECRET, clock=world.clock)
            if self._has_handler:
                receiver.on(WebhookEvent, name="shop")(self._handle)
            try:
                async with receiver:
                    self._door = door
                    ends = world.rng.expovariate(1 / world.rng.choice((60.0, 3600.0, 86400.0)))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(broken.wait(), ends)
                    self._door = None
                    await asyncio.gather(*answers)  # what is under way is answered
            finally:
                self._door = None


def _canonical(row: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(row, order="sorted")


async def _answer(
    receiver: WebhookReceiver, path: str, body: bytes, pieces: int, broken: asyncio.Event
) -> int:
    """Post to the ASGI app, whole, or in pieces of which the last never comes."""
    cut = len(body) // pieces
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": body[:cut], "more_body": pieces > 1},
        {"type": "http.disconnect"},
    ]
    status = 0

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {"type": "http", "method": "POST", "path": f"/webhooks/{path}", "headers": []}
    await receiver(scope, receive, send)
    if not current().alive:
        raise Died
    if status == 503:
        broken.set()
    return status
