"""A headless Chromium, spoken to by its own protocol over aiohttp: enough to look at a page."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

_FOUND = shutil.which("chromium") or shutil.which("google-chrome")
PROGRAM = _FOUND or "chromium"

needs_chromium = pytest.mark.skipif(
    _FOUND is None and not os.environ.get("CI"), reason="Chromium is not installed"
)
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-features=IsolateSandboxedIframes",  # a frame is in the tab's own process
    "--remote-debugging-port=0",
)


class Declined(Exception):
    """The browser can't do it now."""


@attrs.define
class Tab:
    """A tab: what it is told, and what its console and the browser complained about."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    complaints: list[str] = attrs.field(factory=list)
    _events: list[str] = attrs.field(factory=list)
    _ids: count[int] = attrs.field(factory=lambda: count(1))

    async def __call__(self, method: str, /, **params: object) -> Mapping[str, Any]:
        number = next(self._ids)
        order: dict[str, object] = {"id": number, "method": method, "params": params}
        await self.socket.send_json(order | ({"sessionId": self.session} if self.session else {}))
        while True:
            heard = await self._hear()
            if heard.get("id") == number:
                if "error" in heard:
                    raise Declined(heard["error"]["message"])
                result: Mapping[str, Any] = heard["result"]
                return result

    async def heard(self, event: str) -> None:
        """Wait until the browser tells of an event."""
        async with asyncio.timeout(60):
            while event not in self._events:
                await self._hear()
        self._events.clear()

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is, once its promise has settled."""
        found = await self(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        wait = "new Promise(done => requestAnimationFrame(done))"
        async with asyncio.timeout(60):
            while True:
                with suppress(Declined):  # the page is being left
                    if await self.value(f"{wait}.then(() => !!({expression}))"):
                        return

    async def open(self, url: str) -> None:
        """Go to an address, and wait until the page is loaded."""
        await self("Page.navigate", url=url)
        await self.until(f"location.href === {url!r} && document.readyState === 'complete'")

    async def press(self, key: str, code: int) -> None:
        """Press a key that writes nothing, such as Tab, or Enter."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    async def _hear(self) -> Mapping[str, Any]:
        heard: Mapping[str, Any] = await self.socket.receive_json()
        self._events.append(heard.get("method", ""))
        if heard.get("method") == "Log.entryAdded":
            self.complaints.append(heard["params"]["entry"]["text"])
        if heard.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(heard["params"]["exceptionDetails"]))
        return heard


@asynccontextmanager
async def opened(profile: Path) -> AsyncIterator[Tab]:
    """A tab of a browser that ends with it."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *OPTIONS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while not (line := (await process.stderr.readline()).decode()).startswith("DevTools"):
                assert line, "the browser did not start"
        url = line.rpartition(" ")[2].strip()
        async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
            tab = Tab(socket)
            target = (await tab("Target.createTarget", url="about:blank"))["targetId"]
            attached = await tab("Target.attachToTarget", targetId=target, flatten=True)
            tab.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                await tab(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        await process.communicate()
