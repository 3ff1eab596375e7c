"""A sandbox in a background thread, for tests that block or that run a loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from mailkit.sandbox.server import Sandbox


@contextmanager
def sandbox_in_thread(**settings: Any) -> Iterator[Sandbox]:
    """A started Sandbox(**settings) whose server runs in its own thread and event loop.

    What the sandbox offers can be used in any thread; its start and stop belong to this function.
    """
    started: Future[tuple[Sandbox, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        done = asyncio.Event()
        async with Sandbox(**settings) as sandbox:
            started.set_result((sandbox, asyncio.get_running_loop(), done))
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="mailkit-sandbox", daemon=True)
    thread.start()
    try:
        sandbox, loop, done = started.result(timeout=30)
        try:
            yield sandbox
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join(timeout=30)
