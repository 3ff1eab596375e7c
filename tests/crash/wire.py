"""What a sender reaches its database through: a process that can be stopped, and then nothing comes
through, although no connection is closed.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from .processes import Forked

__all__ = ["Wire"]

PIECE = 65_536


class Wire(Forked):
    """A port of 127.0.0.1 that leads to this Unix socket, for the sender of this number."""

    def __init__(self, path: Path, number: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port: int = listening.getsockname()[1]
            super().__init__(f"wire {number}", lambda: asyncio.run(_carry(listening, path)))


async def _carry(listening: socket.socket, path: Path) -> int:
    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(path)
        except OSError:  # the server is down
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    server = await asyncio.start_server(attend, sock=listening)
    await server.serve_forever()
    return 0


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one of both ends is dead
    finally:
        writer.close()
