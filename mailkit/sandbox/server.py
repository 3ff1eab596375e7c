"""The sandbox's server: it reads requests, lets a service act, and answers, or fails on order."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterable
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import ClientError, web

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.control import PREFIX, control
from mailkit.sandbox.devino import Devino, DevinoSettings
from mailkit.sandbox.faults import Fault, Faults
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.listener import Listener
from mailkit.sandbox.origin import OriginCheck
from mailkit.sandbox.request_log import RequestLog
from mailkit.sandbox.scheduler import Scheduler
from mailkit.sandbox.sendpulse import SendPulse, SendPulseSettings
from mailkit.sandbox.service import Call, Raw, Reply, Service
from mailkit.sandbox.smsby import SmsBy, SmsBySettings
from mailkit.sandbox.trouble import Scene, play
from mailkit.sandbox.truth import Truth
from mailkit.sandbox.wire import Bytes, Reset, answer, read_body

UNKNOWN = "unknown"


class Sandbox:
    """The services on one local port; everything but start and stop may be used in any thread.

    host, port: where to listen; port 0 takes a free one.
    hosts: further names by which clients may reach it, beside localhost and IP addresses.
    speed: how fast the sandbox's time runs; 0 stands still (see `Clock`).
    seed: makes random faults and uuids repeatable.
    smsby_token: the token that the sms.by account accepts.
    devino_api_key: the key that the Devino account accepts.
    sendpulse_client_id, sendpulse_client_secret, sendpulse_api_key: what the SendPulse account
        accepts: the first two for a token, the last one instead of a token.
    smsby, devino, sendpulse: the services' settings.
    keep_emails: how many of the last messages are kept whole.
    keep_requests: how many of the last requests are kept with their parameters.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hosts: Iterable[str] = (),
        speed: float = 1.0,
        seed: int | None = None,
        smsby_token: str = "sandbox-token",  # noqa: S107 -- a fake, and meant to be known
        smsby: SmsBySettings | None = None,
        devino_api_key: str = "sandbox-key",
        devino: DevinoSettings | None = None,
        sendpulse_client_id: str = "sandbox-client",
        sendpulse_client_secret: str = "sandbox-secret",  # noqa: S107
        sendpulse_api_key: str = "sandbox-api-key",
        sendpulse: SendPulseSettings | None = None,
        keep_emails: int = 1000,
        keep_requests: int = 32,
    ) -> None:
        self._lock = threading.RLock()
        self._host = host
        self._port = port
        self._origin = OriginCheck([host, *hosts])
        self._listener: Listener | None = None
        self._http: web.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._busy: set[object] = set()
        self._ending: set[object] = set()
        self._stopping = asyncio.Event()
        chance = Random(seed)  # noqa: S311 -- repeatable, not secret
        self.clock = Clock(speed)
        self.truth = Truth(keep_emails=keep_emails, lock=self._lock)
        self.requests = RequestLog(keep=keep_requests)
        self.smsby = SmsBy(
            token=smsby_token, clock=self.clock, truth=self.truth, chance=chance, settings=smsby
        )
        self.devino = Devino(
            api_key=devino_api_key,
            clock=self.clock,
            truth=self.truth,
            chance=chance,
            settings=devino,
        )
        self.sendpulse = SendPulse(
            client_id=sendpulse_client_id,
            client_secret=sendpulse_client_secret,
            api_key=sendpulse_api_key,
            clock=self.clock,
            truth=self.truth,
            chance=chance,
            settings=sendpulse,
        )
        self._services: tuple[Service, ...] = (self.smsby, self.devino, self.sendpulse)
        self.scheduler = Scheduler(self.clock, self._services, self._lock)
        self.faults = Faults(
            operations=[name for service in self._services for name in service.operations],
            chance=chance,
            lock=self._lock,
            close_port=lambda seconds: self._in_loop(lambda: self._refuse(seconds)),
            open_port=lambda: self._in_loop(self._accept),
        )

    @property
    def url(self) -> str:
        """Where the sandbox listens, without a slash at the end; RuntimeError before the start."""
        if self._listener is None:
            raise RuntimeError("the sandbox has not been started")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

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

    async def deliver(self, *, early: bool = True) -> int:
        """Post what the services have for customers' own addresses; gives the number of posts.

        Only for the server's own loop. With `early` false a batch that a service still collects
        stays where it is. What was posted, and the answers, stand in `scheduler.deliveries`.
        """
        return await self.scheduler.deliver(early=early)

    async def start(self) -> None:
        """Listen; OSError if the port is taken, RuntimeError if it listens already."""
        if self._listener is not None:
            raise RuntimeError("the sandbox has been started already")
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stopping.clear()
        # No lingering: a body left unread on purpose must not hold the connection.
        self._http = web.Server(
            self._handle, access_log=None, lingering_time=0, auto_decompress=False
        )
        listener = Listener(self._host, self._port, self._http)
        listener.open()
        self._listener = listener
        self._port = listener.port
        self.scheduler.start()
        await listener.settled()

    async def stop(self) -> None:
        """Close the port and all connections; answers still held back are dropped."""
        if self._listener is None or self._http is None:
            return
        self._stopping.set()
        listener, self._listener = self._listener, None
        await self.scheduler.stop()
        await listener.settled()
        listener.close()
        await self._http.shutdown(timeout=1)
        await asyncio.sleep(0)

    async def serve_forever(self) -> None:
        """Serve until cancelled, then stop; starts if that was not done."""
        if self._listener is None:
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

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            response = await self._respond(request)
            if request.protocol in self._ending:
                response.force_close()
            return response
        except (OSError, ClientError):
            return Bytes(keep=False)  # one of the two sides went away in the middle of the request
        finally:
            self._busy.discard(request.protocol)
            self._ending.discard(request.protocol)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        objection = self._origin.problem(request.headers)
        if objection is not None:
            await read_body(request, 0)
            return answer(Reply(403, {"error": objection}))
        if request.path.startswith(PREFIX):
            return answer(await control(self, request))
        return await self._serve(request)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        found = self._find(request.method, request.rel_url.raw_path)
        if found is None:
            with self._lock:
                self.requests[UNKNOWN] += 1
            await read_body(request, 0)
            return answer(Reply(404, {"status": "error", "message": "Not found"}))
        service, operation = found
        call: Call | Reply | None = None
        if operation in service.undecided:
            call = await self._read(service, operation, request)
            if isinstance(call, Call):
                operation = call.operation
        with self._lock:
            self.requests[operation] += 1
        fault = self.faults.take(operation)
        if fault is not None and fault.kind == "reset_before_reading":
            return Reset()
        if call is None:
            call = await self._read(service, operation, request)
        if fault is None:
            return answer(self._act(service, call))
        return await self._fail(fault, service, call)

    async def _fail(self, fault: Fault, service: Service, call: Call | Reply) -> web.StreamResponse:
        if fault.kind == "slow_before_acting":
            await self._pause(fault.seconds)
        reply = self._act(service, call) if fault.acts else None
        response = await play(Scene(fault, service, reply, self.url, self._pause))
        if fault.kind == "refuse" and self._loop is not None:
            self._loop.call_soon(self._refuse, fault.seconds)
        return response

    async def _read(
        self, service: Service, operation: str, request: web.BaseRequest
    ) -> Call | Reply:
        """The call, or the answer to a request that cannot be read."""
        raw = Raw(
            operation,
            request.method,
            request.rel_url.raw_path,
            request.rel_url.raw_query_string.encode(),
            request.headers.get("Content-Type", ""),
            await read_body(request, service.body_limit),
            request.headers.get("Authorization", ""),
        )
        try:
            call = service.parse(raw)
        except Malformed as error:
            return service.malformed(str(error))
        with self._lock:
            self.requests.keep(raw, call)
        return call

    def _act(self, service: Service, call: Call | Reply) -> Reply:
        if isinstance(call, Reply):
            return call
        with self._lock:
            reply = service.act(call)
        self.scheduler.wake()
        return reply

    def _find(self, method: str, path: str) -> tuple[Service, str] | None:
        for service in self._services:
            operation = service.find(method, path)
            if operation is not None:
                return service, operation
        return None

    async def _pause(self, seconds: float) -> None:
        """Wait for real seconds; if the sandbox stops meanwhile, the connection is given up."""
        try:
            async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the sandbox has stopped")

    def _refuse(self, seconds: float) -> None:
        """Close the port and the idle connections; the others end after their answer."""
        if self._listener is None or self._http is None:
            return
        self._listener.close_for(seconds)
        for connection in self._http.connections:
            if connection in self._busy:
                self._ending.add(connection)
            else:
                connection.force_close()

    def _accept(self) -> None:
        if self._listener is not None:
            self._listener.open()

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` in the server's loop and wait for it, from whatever thread."""
        loop = self._loop
        if loop is None or loop.is_closed() or self._listener is None:
            return
        if threading.get_ident() == self._thread:
            action()
            return

        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), loop).result(timeout=10)
