"""The sandbox: it lets the services act on requests, and responds, or fails on order."""

import asyncio
import math
import threading
from collections.abc import Iterable, Mapping
from copy import deepcopy
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from aiohttp import web

from mailkit.sandbox.adjusting import adjust
from mailkit.sandbox.clock import Clock
from mailkit.sandbox.control import PREFIX, Control
from mailkit.sandbox.endpoints import Match
from mailkit.sandbox.expecting import mismatch
from mailkit.sandbox.faults import Fault, FaultContext, Faults
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.http_server import HttpServer
from mailkit.sandbox.inbox import Inbox
from mailkit.sandbox.nearest import meant
from mailkit.sandbox.origin import OriginCheck, PageToken, is_local
from mailkit.sandbox.page.pages import Page
from mailkit.sandbox.page.visit import Site
from mailkit.sandbox.request_log import RequestLog
from mailkit.sandbox.scheduler import Scheduler
from mailkit.sandbox.service import RawRequest, Request, Response, Service, Shared, WebhookPost
from mailkit.sandbox.services import open_services
from mailkit.sandbox.truth import Email, Outcome, Truth
from mailkit.sandbox.wire import Reset, method, read_body, whole

if TYPE_CHECKING:  # the services are loaded by their entry points
    from mailkit.sandbox.devino import Devino
    from mailkit.sandbox.sendpulse import SendPulse
    from mailkit.sandbox.smsby import SmsBy

PAGES = f"{PREFIX}page/"
UNKNOWN = "unknown"


class Sandbox:
    """The services on one local port; everything but start and stop may be used in any thread.

    host, port: where to listen; port 0 takes a free one.
    hosts: further names by which clients may reach it, besides localhost and IP addresses.
    remote: whether clients on other machines may see the page and use the control API, too.
    speed: how fast the sandbox's time runs; 0 stops it (see `Clock`).
    seed: makes random faults and uuids repeatable.
    keep_emails: how many of the last emails are kept whole.
    keep_requests: how many of the last requests are kept with their parameters.
    settings: those of a service by its name, e.g. smsby=SmsBySettings(token="…").
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hosts: str | Iterable[str] = (),
        remote: bool = False,
        speed: float = 1.0,
        seed: int | None = None,
        keep_emails: int = 1000,
        keep_requests: int = 32,
        **settings: object,
    ) -> None:
        self._lock = threading.RLock()
        self._origin = OriginCheck(host, hosts)
        self._remote = remote
        self._server = HttpServer(host, port, self._respond)
        self._seed = seed
        self._rng = rng = Random(seed)  # noqa: S311 -- repeatable, not secret
        self.clock = Clock(speed)
        self.truth = Truth(keep_emails=keep_emails, lock=self._lock)
        shared, arguments = Shared(self.clock, self.truth, rng), Sandbox.__init__.__kwdefaults__
        self.services = open_services(shared, settings, arguments or ())
        services = self._services = tuple(self.services.values())
        self._settings = {name: deepcopy(one.settings) for name, one in self.services.items()}
        operations = [one.operation for service in services for one in service.endpoints]
        self.requests = RequestLog(keep=keep_requests, operations=[*operations, UNKNOWN])
        self._plain = {
            route: (service, match)
            for service in reversed(services)
            for route, match in service.endpoints.plain.items()
        }
        self.scheduler = Scheduler(self.clock, services, self._lock)
        self.faults = Faults(
            operations=operations,
            rng=rng,
            lock=self._lock,
            close_port=self._server.close_port,
            open_port=self._server.open_port,
        )
        self.inbox = Inbox(
            clock=self.clock,
            truth=self.truth,
            services=self.services,
            lock=self._lock,
            wake=self.scheduler.wake,
        )
        token = PageToken()
        self._control = Control(
            clock=self.clock,
            truth=self.truth,
            inbox=self.inbox,
            token=token,
            requests=self.requests,
            faults=self.faults,
            url=lambda: self.url,
            outcomes=self.outcomes,
            adjust=self.adjust,
            backlog=lambda: self.scheduler.backlog,
            deliver=self.deliver,
            reset=self.reset,
        )
        site = Site(
            control=self._control,
            services=self.services,
            deliveries=self.scheduler.deliveries,
            lock=self._lock,
        )
        self._page = Page(site, self._server.pause)

    @property
    def smsby(self) -> "SmsBy":
        """The service sms.by."""
        return cast("SmsBy", self.services["smsby"])

    @property
    def devino(self) -> "Devino":
        """The service Devino."""
        return cast("Devino", self.services["devino"])

    @property
    def sendpulse(self) -> "SendPulse":
        """The service SendPulse."""
        return cast("SendPulse", self.services["sendpulse"])

    @property
    def url(self) -> str:
        """Where the sandbox listens, without a slash at the end; RuntimeError before the start."""
        return self._server.url

    @property
    def is_idle(self) -> bool:
        """Whether every request that has arrived was answered."""
        return self._server.is_idle

    def environment(self) -> dict[str, str]:
        """The environment variables that point mailkit at this sandbox."""
        variables: dict[str, str] = {}
        for service in self._services:
            variables.update(service.environment(self.url))
        return variables

    def reset(self) -> None:
        """Forget state, truth, counts and faults; settings, time and connections stay."""
        self.faults.clear()
        self.faults.struck.clear()
        with self._lock:
            for service in self._services:
                service.reset()
            self.truth.clear()
            self.requests.clear()
            self.scheduler.deliveries.clear()

    def start_over(self) -> None:
        """Be as it was when it was made: `reset`, with the settings, the time and the random
        numbers of the beginning.
        """
        self.scheduler.cut_off()
        with self._lock:
            self.clock.start_over()
            self._rng.seed(self._seed)
            for name, service in self.services.items():
                service.settings = deepcopy(self._settings[name])
            self.reset()
            self.scheduler.holds = False

    def adjust(self, changes: Mapping[str, object]) -> None:
        """Change settings by their names, such as `{"devino.posting.repeated": 0.2}`; ValueError
        says what is wrong with one, and none is changed.
        """
        with self._lock:
            adjust(self.services, changes)

    def messages_to(self, address: str) -> list[Email]:
        """The messages to the address, oldest first."""
        return self.truth.messages_to(address)

    def one_message_to(self, address: str) -> Email:
        """The only message to the address; AssertionError says what was sent instead."""
        __tracebackhide__ = True  # pytest shows the test's own line
        found = self.messages_to(address)
        if len(found) == 1:
            return found[0]
        due_in = self.scheduler.due_in()
        raise AssertionError(mismatch(address, found, self.truth, self.requests, due_in))

    def history(self, email: Email) -> list[str]:
        """What has happened to a message by now, such as `["sent", "delivered", "opened"]`."""
        if not isinstance(email, Email):
            raise TypeError(f"history is of a message, such as one_message_to gives, not {email!r}")
        return self.inbox.history(email)

    def outcomes(self, *, in_the_end: bool = False, service: str | None = None) -> list[Outcome]:
        """What has become of each email by now, or will have `in_the_end`, for one service or all,
        in the order of the emails; ValueError for another service.
        """
        if service is not None and service not in self.services:
            hint = meant(service, self.services, f"there are {', '.join(self.services)}")
            raise ValueError(f"the sandbox has no service {service!r}: {hint}")
        now = math.inf if in_the_end else self.clock.now()
        with self._lock:
            return [
                outcome
                for name, one in self.services.items()
                if service is None or service == name
                for outcome in one.outcomes(now)
            ]

    def hold_posts(self) -> None:
        """From now on post nothing to customers' own addresses but by `deliver`; what is due waits
        for `take_posts`.
        """
        self.scheduler.holds = True

    def take_posts(self) -> list[WebhookPost]:
        """What the services have for customers' own addresses, each with `url` and `value`, for a
        test that hands it to a program which has no port.
        """
        return self.scheduler.take()

    async def deliver(self, *, early: bool = True) -> int:
        """Post what the services have for customers' own addresses; returns the number of posts.

        In any event loop or thread. With `early` false a batch that a service still collects stays
        where it is. The posts and their results are in `scheduler.deliveries`.
        """
        return await self.scheduler.deliver(early=early)

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        place = self.url if self._server.is_open else "not started"
        return f"<Sandbox {place}: {self.truth.summary}>"

    async def start(self) -> None:
        """Listen; OSError if the port is taken, RuntimeError if it listens already."""
        self._server.open()
        self.scheduler.start()
        await self._server.settled()

    async def stop(self) -> None:
        """Close the port and all connections; responses still held back are dropped."""
        if self._server.is_open:
            await self.scheduler.stop()
            await self._server.close()

    async def serve_forever(self) -> None:
        """Serve until cancelled, then stop; starts if that was not done."""
        if not self._server.is_open:
            await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        path, is_read = request.path, method(request) == "GET"
        is_page = path.startswith(PAGES) or (path == "/" and is_read)
        problem = self._origin.problem(request.headers, is_page=is_page and is_read)
        if problem is not None:
            return await self._turn_away(request, problem)
        if not (is_page or path.startswith(PREFIX)):
            return await self._serve(request)
        if not (self._remote or is_local(request.remote)):
            return await self._turn_away(request, "only clients on this machine may use this path")
        if is_page:
            return await self._page.respond(request)
        return whole(await self._control.respond(request))

    async def _turn_away(self, request: web.BaseRequest, problem: str) -> web.StreamResponse:
        await read_body(request, 0)
        return whole(Response(403, {"error": problem}))

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        found = self._find(request.method, request.rel_url.raw_path)
        if found is None:
            with self._lock:
                self.requests.count(UNKNOWN, self.clock.now())
            await read_body(request, 0)
            return whole(Response(404, {"status": "error", "message": "Not found"}))
        service, match = found
        operation = match[0]
        call: Request | Response | None = None
        if operation in service.endpoints.undecided:
            call = await self._read(service, match, request)
            if isinstance(call, Request):
                operation = call.operation
        with self._lock:
            self.requests.count(operation, self.clock.now())
        fault = self.faults.take(operation)
        if fault is not None and not fault.effect.reads:
            return Reset()
        if call is None:
            call = await self._read(service, match, request)
        if fault is None:
            return whole(self._act(service, call))
        return await self._fail(fault, service, call)

    def _find(self, method: str, path: str) -> tuple[Service[Any], Match] | None:
        found = self._plain.get((method, path))
        if found is not None:
            return found
        for service in self._services:
            match = service.find(method, path)
            if match is not None:
                return service, match
        return None

    async def _fail(
        self, fault: Fault, service: Service[Any], call: Request | Response
    ) -> web.StreamResponse:
        effect, pause = fault.effect, self._server.pause
        await effect.before_acting(FaultContext(service, None, self.url, pause))
        response = self._act(service, call) if fault.acts else None
        struck = await effect.apply(FaultContext(service, response, self.url, pause))
        if effect.closes_port_for is not None:
            self._server.close_port_soon(effect.closes_port_for)
        return struck

    async def _read(
        self, service: Service[Any], match: Match, request: web.BaseRequest
    ) -> Request | Response:
        """The request, or the response to one that cannot be read."""
        raw = RawRequest(
            *match,
            request.method,
            request.rel_url.raw_path,
            request.rel_url.raw_query_string.encode(),
            request.headers.get("Content-Type", ""),
            await read_body(request, service.body_limit),
            request.headers.get("Authorization", ""),
        )
        try:
            parsed = service.parse(raw)
        except Malformed as error:
            return service.malformed(str(error))
        with self._lock:
            self.requests.keep(raw, parsed)
        return parsed

    def _act(self, service: Service[Any], call: Request | Response) -> Response:
        if isinstance(call, Response):
            return call
        with self._lock:
            response = service.act(call)
            if response.over_quota:
                self.requests.over_quota[call.operation] += 1
        self.scheduler.wake()
        return response
