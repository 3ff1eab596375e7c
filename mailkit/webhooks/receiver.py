"""Takes what providers post, and answers once it is durable in the journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import anyio.to_thread
import attrs

from mailkit.bulk.journal import Journal
from mailkit.core.checks import check_number
from mailkit.core.clock import Clock
from mailkit.core.frames import place_of
from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument, JournalError
from mailkit.events import DeliveryEvent, DeliveryStatus, WebhookEvent
from mailkit.providers import webhook_parsers
from mailkit.text import counted
from mailkit.webhooks.asgi import Receive, Scope, Send, serve_asgi
from mailkit.webhooks.bodies import read_body
from mailkit.webhooks.calling import Caller, CallLimits
from mailkit.webhooks.counts import WebhookCounts
from mailkit.webhooks.exchange import Answer, Disconnected, Rejection, Request
from mailkit.webhooks.handlers import Function, Handlers
from mailkit.webhooks.masking import Masking
from mailkit.webhooks.parsing import Parsed, parse_post
from mailkit.webhooks.routes import Routes
from mailkit.webhooks.secrets import Secrets, wrapped

if TYPE_CHECKING:
    from mailkit.webhooks.aiohttp_app import Application

__all__ = ["WebhookReceiver"]

Event = TypeVar("Event", bound=WebhookEvent)

_log = logging.getLogger("mailkit.webhooks")
_LONG = 65536
"""Bytes from which a body is read in a thread: other requests go on meanwhile."""


class WebhookReceiver:
    """Takes the webhooks of all providers into a journal: ``POST …/PROVIDER/SECRET``.

    It is an ASGI app; `aiohttp_app` makes an aiohttp app of it. The journal is opened when the
    server starts, by ``async with receiver:``, or by the first request. ``journal`` is its path, an
    open Journal (which is not closed here), or None for the default place.

    ``secret`` is what tells a provider from strangers, at least 16 letters, digits and ``._~-``;
    several are all valid while an old one is being replaced. A body of more than ``max_size`` bytes
    is refused, and one that is not complete after ``body_timeout`` seconds. Of each handler,
    ``concurrency`` calls run at once, each for ``handler_timeout`` seconds at most.
    """

    def __init__(
        self,
        journal: str | Path | Journal | None = None,
        *,
        secret: str | Sequence[str | Secret],
        max_size: int = 4 * 2**20,
        body_timeout: float = 30.0,
        concurrency: int = 8,
        handler_timeout: float = 60.0,
        clock: Clock = Clock(),
    ) -> None:
        given = wrapped(secret)
        del secret  # before anything can raise: a traceback can show local variables
        secrets = Secrets(given)
        place: object = journal
        if not isinstance(place, str | Path | Journal | None):
            raise InvalidArgument("journal: give a path or an open Journal")
        check_number(max_size, "max_size", least=1, whole=True)
        check_number(body_timeout, "body_timeout", least=0)
        check_number(concurrency, "concurrency", least=1, whole=True)
        check_number(handler_timeout, "handler_timeout", least=0)
        self._place = journal
        self._max_size, self._body_timeout = max_size, body_timeout
        self._limits = CallLimits(concurrency, handler_timeout)
        self._clock = clock
        self._parsers = webhook_parsers()
        self.routes = Routes(secrets, self._parsers)
        self._masking = Masking(self.routes)
        self._handlers = Handlers()
        self._journal: Journal | None = None
        self._caller: Caller | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._counts = WebhookCounts()
        self._under_way = 0
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def providers(self) -> Sequence[str]:
        """Whose webhooks it takes."""
        return sorted(self._parsers)

    @property
    def counts(self) -> WebhookCounts:
        """What it has taken so far."""
        return self._counts

    @overload
    def on(
        self, kind: type[Event], /, *kinds: type[Event], name: str | None = None
    ) -> Callable[[Function[Event]], Function[Event]]: ...

    @overload
    def on(
        self, kind: DeliveryStatus, /, *kinds: DeliveryStatus, name: str | None = None
    ) -> Callable[[Function[DeliveryEvent]], Function[DeliveryEvent]]: ...

    def on(
        self, *kinds: type[Any] | DeliveryStatus, name: str | None = None
    ) -> Callable[[Function[Any]], Function[Any]]:
        """Register the async function below for types of events, or for statuses:
        ``@receiver.on(DeliveryStatus.UNSUBSCRIBED)``.

        It is called after the response, for each new event, at least once: again after a failure or
        a crash. Its calls are kept under its ``name``, by default that of the function and its
        module.
        """

        def register(function: Function[Any]) -> Function[Any]:
            if self._caller is not None:
                raise InvalidArgument("register handlers before the receiver is opened")
            self._handlers.add(function, kinds, name)
            return function

        return register

    async def open(self) -> None:
        """Open the journal and begin to call handlers; JournalError if it can't be used."""
        self._closed = False
        await self._opened()

    async def aclose(self) -> None:
        """End: what is due is called, for ten seconds at most; what is left comes next time."""
        self._closed = True
        async with self._opening:
            caller, self._caller = self._caller, None
            journal, self._journal = self._journal, None
            self._masking.remove()
            if caller is not None:
                await caller.stop()
            if journal is not None and journal is not self._place:
                await journal.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        await serve_asgi(self, scope, receive, send)

    def aiohttp_app(self) -> Application:
        """An aiohttp app, for ``app.add_subapp("/webhooks", receiver.aiohttp_app())``."""
        from mailkit.webhooks.aiohttp_app import make_app  # nobody else needs aiohttp's server

        return make_app(self)

    async def respond(self, request: Request) -> Answer:
        """The answer to a request, once what it brought is durable."""
        self._under_way += 1
        self._settled.clear()
        try:
            return await self._respond(request)
        except Rejection as rejection:
            return rejection.answer
        except Disconnected:
            return Answer(400, "the request was cut off", close=True)
        except JournalError as error:
            if not request.route.health:  # who asks for that sees it
                self._count(unwritten=1)
                _log.error("a post can't be recorded: %s", error)
            return Answer(503, "the journal can't be written now", {"Retry-After": "60"})
        except Exception as error:  # noqa: BLE001 - a server would log it with what it holds
            _log.error("a post can't be recorded: %s", place_of(error))
            return Answer(500, "this post can't be recorded", close=True)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until no request is under way."""
        await self._settled.wait()

    async def _respond(self, request: Request) -> Answer:
        provider = request.route.provider
        if request.route.health and request.method in ("GET", "HEAD"):
            await (await self._opened()).events.record((), now=self._clock.now())
            return Answer(200, "ok")
        if request.method != "POST":
            raise Rejection(405, "use POST", {"Allow": "POST"})
        if provider is None:
            self._count(strangers=1)
            _log.info("no such path: %s", request.route.shown)
            raise Rejection(404, "not found")
        journal = await self._opened()
        try:
            body = await read_body(request, largest=self._max_size, seconds=self._body_timeout)
            parsed = await self._parsed(provider, body)
        except Rejection as rejection:
            self._count(broken=1)
            _log.warning("a post from %s was refused: %s", provider, rejection)
            raise
        recorded = await journal.events.record(
            parsed.events, now=self._clock.now(), handlers=self._handlers.names
        )
        self._counts = self._counts.plus(recorded, parsed.left_out)
        if parsed.left_out:
            _log.warning(
                "a post from %s was accepted without %d of its items: %s",
                provider,
                parsed.left_out,
                parsed.why,
            )
        if _log.isEnabledFor(logging.INFO):
            facts = {"event": "post", "provider": provider, **attrs.asdict(recorded)}
            extra = {f"mailkit_{key}": fact for key, fact in facts.items()}
            _log.info("%s posted %s", provider, counted(len(parsed.events), "event"), extra=extra)
        if self._caller is not None:
            self._caller.wake()
        return Answer(200, "ok")

    async def _parsed(self, provider: str, body: bytes) -> Parsed:
        parse = self._parsers[provider]
        try:
            if len(body) > _LONG:
                return await anyio.to_thread.run_sync(parse_post, parse, body)
            return parse_post(parse, body)
        except InvalidArgument as error:
            raise Rejection(400, str(error)) from None

    async def _opened(self) -> Journal:
        async with self._opening:
            if self._closed:
                raise JournalError("the receiver is closed")
            if self._journal is None:
                self._journal = await self._start()
                self._masking.install()
            return self._journal

    async def _start(self) -> Journal:
        given = self._place
        journal = given if isinstance(given, Journal) else await Journal.open(given)
        caller = Caller(journal, self._handlers, self._parsers, self._clock, self._limits)
        try:
            await caller.start()
        except BaseException:
            if journal is not given:
                await journal.close()
            raise
        self._caller = caller
        return journal

    def _count(self, **more: int) -> None:
        now = {name: getattr(self._counts, name) + count for name, count in more.items()}
        self._counts = attrs.evolve(self._counts, **now)
