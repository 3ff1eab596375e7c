"""Reads a request's body: within a size and a time, packed or not."""

from __future__ import annotations

import asyncio

from mailkit.core.unpack import BadBody, Body, TooLong
from mailkit.webhooks.exchange import Rejection, Request

__all__ = ["read_body"]


async def read_body(request: Request, *, largest: int, seconds: float) -> bytes:
    """The whole body, unpacked; no more of it than ``largest`` bytes is ever kept.

    Raises Rejection, and Disconnected if the sender goes away.
    """
    try:
        if request.length.isdecimal() and int(request.length[:20]) > largest:
            raise TooLong
        body = Body(request.encoding, largest)
        async with asyncio.timeout(seconds):
            async for piece in request.body:
                body.add(piece)
        return body.whole()
    except TooLong:
        raise Rejection(413, f"a body may have at most {largest} bytes") from None
    except BadBody:
        raise Rejection(400, "the body can't be unpacked: use gzip, deflate or none") from None
    except TimeoutError:
        raise Rejection(408, f"the body did not arrive within {seconds:g} seconds") from None
