"""A network that fails: it carries requests to the sandbox's service, which has no socket here."""

from __future__ import annotations

import asyncio
import math
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from mailkit.core.lateness import is_too_late
from mailkit.core.wire import Request, Response
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.sandbox import RawRequest

from .process import Died, current

if TYPE_CHECKING:
    from .world import World


class Network:
    """Carries requests of one process to the service, or not; see ``_fate``. The process may be cut
    off for a while.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = current()
        rng = world.rng
        self._cut = self._mended = math.inf
        if rng.random() < world.cuts:
            self._cut = world.loop.now + rng.expovariate(1)
            self._mended = self._cut + rng.expovariate(1 / rng.choice((1, 300)))
        self.arrivals: list[tuple[float, str]] = []

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        rng = self._world.rng
        stopped = rng.uniform(250, 900) if rng.random() < self._world.trouble / 4 else 0.0
        try:
            answer = await self._carry(request, timeout)
        except (NotSent, OutcomeUnknown):
            await asyncio.sleep(stopped)
            raise
        await asyncio.sleep(stopped)  # the process was, and the response lay in its socket
        return answer

    async def _carry(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        world = self._world
        assert world.side.service.find(request.verb, urlsplit(request.url).path) is not None
        fate = self._fate()
        still_out = self._coin()
        if fate == "not sent":
            await self._pass(0.1)
            request.began = False
            raise NotSent("connection refused")
        if is_too_late():
            request.began = False
            raise NotSent("too late")
        request.began = True
        arrived = False
        try:
            await self._pass(0.1)
            if fate == "lost before":
                raise OutcomeUnknown("reset before reading")
            if fate == "slow":  # it acts when nobody listens any more
                delay = world.rng.uniform(0.1, 3)
                world.loop.call_later(timeout * delay, self._act, request, delay <= 1)
                arrived = True
                await self._pass(1000, at_least=timeout)
                raise OutcomeUnknown("timeout")
            if fate in _NOT_NOW:
                return _NOT_NOW[fate]
            arrived = True
            answer = self._act(request)
            await self._pass(0.2)
            if self._is_cut:
                raise OutcomeUnknown("no response")
        except asyncio.CancelledError:
            if not arrived and still_out:
                self._act(request)  # the bytes were out when the process died
            raise
        if fate == "lost after":
            raise OutcomeUnknown("reset after acting")
        if fate == "cut":
            return Response(200, {}, answer.body[: len(answer.body) // 2])
        return _GATEWAY.get(fate, answer)

    async def aclose(self) -> None:
        return

    @property
    def _is_cut(self) -> bool:
        return self._cut <= self._world.loop.now < self._mended

    def _fate(self) -> str:
        rng, world = self._world.rng, self._world
        if self._is_cut:
            return rng.choice(("not sent", "lost before"))
        return rng.choice(_FATES) if rng.random() < world.trouble else "answered"

    def _coin(self) -> bool:
        """Whether the bytes are out if the process dies; known beforehand, since requests that
        are cancelled together are cancelled in any order, and may draw nothing by then.
        """
        self._world.requests += 1
        return Random(f"{self._world.seed} {self._world.requests}").random() < 0.5

    async def _pass(self, mean: float, *, at_least: float = 0.0) -> None:
        if not self._process.alive:
            raise Died
        wait = at_least or self._world.rng.expovariate(1 / mean)
        await asyncio.sleep(wait)

    def _act(self, request: Request, counted: bool = True) -> Response:
        world = self._world
        parts = urlsplit(request.url)
        match = world.side.service.find(request.verb, parts.path)
        assert match is not None
        if counted:  # a request that was held up beyond its deadline is beyond any quota's reach
            self.arrivals.append((world.loop.now, match[0]))
        kind = request.headers.get("Content-Type", "")
        key = request.headers.get("Authorization", "")
        query = parts.query.encode()
        raw = RawRequest(*match, request.verb, parts.path, query, kind, request.body or b"", key)
        words = None if match[0] not in world.side.sending else world.refusal(raw.body or b"")
        if words is not None:
            reply = world.side.service.refused(words)
        else:
            reply = world.side.service.act(world.side.service.parse(raw))
        if world.postman is not None:
            world.postman.look()
        return Response(reply.status, dict(reply.headers), msgspec.json.encode(reply.value))


_NOT_NOW = {
    "429": Response(429, {"Retry-After": "3"}, b'{"error":"too many"}'),
    "503": Response(503, {}, b'{"status":"error","message":"later"}'),
    "500": Response(500, {}, b"<html>oops</html>"),
    "html": Response(200, {}, b"<html>Welcome to the hotel's network</html>"),
    "gateway 403": Response(403, {}, b"<html>Access denied</html>"),
    "gateway 404": Response(
        404, {}, b'{"timestamp":1,"status":404,"error":"Not Found","path":"/"}'
    ),
    "gateway 413": Response(413, {}, b"<html>Request Entity Too Large</html>"),
}
"""Nothing was done, whether the response says so or not."""
_GATEWAY = {
    "gateway 402": Response(402, {}, b"<html>Payment Required</html>"),
    "gateway 409": Response(409, {}, b"<html>Conflict</html>"),
    "gateway 502": Response(502, {}, b"<html>Bad Gateway</html>"),
    "gateway 503": Response(
        503, {}, b'{"type":"about:blank","title":"Service Unavailable","status":503}'
    ),
    "gateway 504": Response(
        504, {}, b'{"error":{"code":504,"message":"x","status":"UNAVAILABLE"}}'
    ),
}
"""The service has acted, and a gateway answers in its place."""
_FATES = ("not sent", "lost before", "lost after", "slow", "cut", *_NOT_NOW, *_GATEWAY)
