"""How a fault is played on the socket once the request was read and, perhaps, carried out."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from functools import lru_cache

import attrs
from aiohttp import web

from mailkit.sandbox.distort import partial, wrong_types
from mailkit.sandbox.faults import Fault
from mailkit.sandbox.service import Reply, Service
from mailkit.sandbox.wire import HTML, Bytes, Pause, Reset, answer, encoded, head, last_answer

MEGABYTE = 1024 * 1024
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Service</title></head><body><h1>%s</h1></body></html>\n"
)


@attrs.frozen
class Scene:
    """What a fault needs to be played.

    `reply` is the true reply, or None if the request was not carried out; `pause` waits for real
    seconds, or raises an OSError if the sandbox stops meanwhile.
    """

    fault: Fault
    service: Service
    reply: Reply | None
    url: str
    pause: Pause

    @property
    def true(self) -> Reply:
        """The true reply; where nothing was done, the service's plain error."""
        return self.service.refused("Nothing was done") if self.reply is None else self.reply


async def play(scene: Scene) -> web.StreamResponse:
    """The answer that the fault makes of the reply."""
    return await _PLAYS[scene.fault.kind](scene)


async def _reset(scene: Scene) -> web.StreamResponse:
    return Reset()


async def _refuse(scene: Scene) -> web.StreamResponse:
    return last_answer(scene.true)


async def _answer(scene: Scene) -> web.StreamResponse:
    return answer(scene.true)


async def _slow_answer(scene: Scene) -> web.StreamResponse:
    await scene.pause(scene.fault.seconds)
    return answer(scene.true)


async def _slow_headers(scene: Scene) -> web.StreamResponse:
    body = encoded(scene.true)
    start = head(scene.true.status, len(body), scene.true.headers)
    steps = [start[at : at + 4] for at in range(0, len(start), 4)]
    return Bytes(*steps, body, interval=scene.fault.seconds / len(steps), pause=scene.pause)


async def _cut_answer(scene: Scene) -> web.StreamResponse:
    body = encoded(scene.true)
    start = head(scene.true.status, len(body), scene.true.headers)
    return Bytes(start + body[: len(body) // 2], keep=False)


async def _wrong_length(scene: Scene) -> web.StreamResponse:
    body = encoded(scene.true)
    off = -5 if scene.fault.size is None else scene.fault.size
    return Bytes(head(scene.true.status, max(0, len(body) + off)) + body, keep=False)


async def _cut_json(scene: Scene) -> web.StreamResponse:
    body = encoded(scene.true)
    body = body[: max(1, len(body) // 2)]
    return Bytes(head(scene.true.status, len(body)) + body)


async def _wrong_types(scene: Scene) -> web.StreamResponse:
    return answer(Reply(scene.true.status, wrong_types(scene.true.value)))


async def _partial(scene: Scene) -> web.StreamResponse:
    return answer(Reply(scene.true.status, partial(scene.true.value)))


async def _html_200(scene: Scene) -> web.StreamResponse:
    return _page(scene.fault.status or 200, b"Welcome")


async def _empty_200(scene: Scene) -> web.StreamResponse:
    return Bytes(head(scene.fault.status or 200, 0))


async def _gzip_bomb(scene: Scene) -> web.StreamResponse:
    size = 100 * MEGABYTE if scene.fault.size is None else scene.fault.size
    body = await asyncio.to_thread(_bomb, encoded(scene.true), size)
    return Bytes(head(scene.true.status, len(body), [("Content-Encoding", "gzip")]) + body)


async def _huge_body(scene: Scene) -> web.StreamResponse:
    return _Huge(100 * MEGABYTE if scene.fault.size is None else scene.fault.size)


async def _rate_limited(scene: Scene) -> web.StreamResponse:
    text = scene.fault.retry_after
    headers = () if text is None else (("Retry-After", str(text)),)
    value = scene.service.refused("Too many requests").value
    return answer(Reply(scene.fault.status or 429, value, headers))


async def _server_error(scene: Scene) -> web.StreamResponse:
    status = scene.fault.status or 500
    if scene.fault.html:
        return _page(status, b"Something went wrong")
    return answer(Reply(status, scene.service.refused("Internal error").value))


async def _error_envelope(scene: Scene) -> web.StreamResponse:
    reply = scene.service.refused("The request was refused")
    return answer(Reply(scene.fault.status or reply.status, reply.value))


async def _token_refused(scene: Scene) -> web.StreamResponse:
    reply = scene.service.token_refused()
    return answer(Reply(scene.fault.status or reply.status, reply.value, reply.headers))


async def _redirect(scene: Scene) -> web.StreamResponse:
    location = scene.fault.location or f"{scene.url}/moved"
    return answer(Reply(scene.fault.status or 307, {}, (("Location", location),)))


class _Huge(web.StreamResponse):
    """A JSON string of `size` bytes in all, written no faster than the client reads."""

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Type": "application/json"})
        self._size = size
        self.content_length = size

    async def write_eof(self, data: bytes = b"") -> None:
        block = b" " * (64 * 1024)
        left = self._size
        while left:
            piece = block[: min(left, len(block))]
            await self.write(piece)
            left -= len(piece)
        await super().write_eof(data)


def _page(status: int, title: bytes) -> Bytes:
    body = PAGE % title
    return Bytes(head(status, len(body), content_type=HTML) + body)


@lru_cache(maxsize=4)
def _bomb(body: bytes, size: int) -> bytes:
    """The JSON, blown up to `size` bytes with blanks before its last bracket, in gzip's form."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * MEGABYTE
    pressed = [press.compress(body[:-1])]
    left = max(0, size - len(body))
    while left:
        pressed.append(press.compress(block[: min(left, MEGABYTE)]))
        left -= min(left, MEGABYTE)
    pressed.extend((press.compress(body[-1:]), press.flush()))
    return b"".join(pressed)


_PLAYS: dict[str, Callable[[Scene], Awaitable[web.StreamResponse]]] = {
    "refuse": _refuse,
    "reset_before_reading": _reset,
    "reset_after_reading": _reset,
    "reset_after_acting": _reset,
    "slow_before_acting": _answer,
    "slow_answer": _slow_answer,
    "slow_headers": _slow_headers,
    "cut_answer": _cut_answer,
    "wrong_length": _wrong_length,
    "cut_json": _cut_json,
    "wrong_types": _wrong_types,
    "partial": _partial,
    "html_200": _html_200,
    "empty_200": _empty_200,
    "gzip_bomb": _gzip_bomb,
    "huge_body": _huge_body,
    "rate_limited": _rate_limited,
    "server_error": _server_error,
    "error_envelope": _error_envelope,
    "token_refused": _token_refused,
    "redirect": _redirect,
}
