"""Faults of the body: the response is not what it should be, or far too large."""

import asyncio
import zlib
from functools import lru_cache

import attrs
from aiohttp import web

from mailkit.sandbox.faults.distort import partial, wrong_types
from mailkit.sandbox.faults.kind import FaultContext, FaultKind
from mailkit.sandbox.service import Response
from mailkit.sandbox.values import Count, Status, typed
from mailkit.sandbox.wire import Bytes, encoded, head, page, whole

MEGABYTE = 1024 * 1024


@attrs.frozen
class CutJson(FaultKind):
    """A complete response whose JSON breaks off."""

    name = "cut_json"

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        body = encoded(context.true)
        body = body[: max(1, len(body) // 2)]
        return Bytes(head(context.true.status, len(body)) + body)


@attrs.frozen
class WrongTypes(FaultKind):
    """The right envelope with other types inside."""

    name = "wrong_types"

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return whole(Response(context.true.status, wrong_types(context.true.value)))


@attrs.frozen
class Partial(FaultKind):
    """Lists in another order, with a row missing and a strange row."""

    name = "partial"

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return whole(Response(context.true.status, partial(context.true.value)))


@attrs.frozen(field_transformer=typed)
class Html200(FaultKind):
    """An HTML page instead of JSON."""

    name = "html_200"
    status: Status = 200

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return page(self.status, "Welcome")


@attrs.frozen(field_transformer=typed)
class Empty200(FaultKind):
    """No body at all."""

    name = "empty_200"
    status: Status = 200

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return Bytes(head(self.status, 0))


@attrs.frozen(field_transformer=typed)
class GzipBomb(FaultKind):
    """A small gzip body of `size` bytes once unpacked."""

    name = "gzip_bomb"
    size: Count = 100 * MEGABYTE

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        body = await asyncio.to_thread(_bomb, encoded(context.true), self.size)
        return Bytes(head(context.true.status, len(body), [("Content-Encoding", "gzip")]) + body)


@attrs.frozen(field_transformer=typed)
class HugeBody(FaultKind):
    """A body of `size` bytes, streamed."""

    name = "huge_body"
    size: Count = 100 * MEGABYTE

    async def apply(self, context: FaultContext) -> web.StreamResponse:
        return _Huge(self.size)


class _Huge(web.StreamResponse):
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


@lru_cache(maxsize=4)
def _bomb(body: bytes, size: int) -> bytes:
    """The JSON with blanks before its last bracket up to `size` bytes, compressed by gzip."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * MEGABYTE
    pressed = [press.compress(body[:-1])]
    left = max(0, size - len(body))
    while left:
        pressed.append(press.compress(block[: min(left, MEGABYTE)]))
        left -= min(left, MEGABYTE)
    pressed.extend((press.compress(body[-1:]), press.flush()))
    return b"".join(pressed)
