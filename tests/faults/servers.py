"""What servers need that stand in for the service, or between it and its client."""

from __future__ import annotations

import asyncio


async def message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message with a Content-Length, or without a body."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head + await reader.readexactly(int(value))
    return head


async def ask(url: str, request: bytes) -> bytes:
    """The sandbox's own answer to this request."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return await message(reader)
    finally:
        writer.close()
        await writer.wait_closed()
