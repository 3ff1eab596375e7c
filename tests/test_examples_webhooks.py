"""The examples that take webhooks, each in a process of its own, over a real socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from mailkit.bulk.journal import Journal

from .webhooks.posting import SECRET, body, callback

OLD = "the-one-that-is-being-replaced"
EXAMPLES = Path(__file__).parent.parent / "examples"
SERVED = {
    "fastapi_webhooks": ["uvicorn", "fastapi_webhooks:app", "--uds"],
    "django_webhooks": ["uvicorn", "django_webhooks:application", "--uds"],
    "aiohttp_webhooks": ["aiohttp.web", "aiohttp_webhooks:make_app", "-U"],
}
"""As each says of itself, but on a socket of its own instead of a port."""


@contextmanager
def served(command: list[str], folder: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """The example's server and its log, until SIGTERM has ended it."""
    log = folder / "log"
    environment = {
        **os.environ,
        "MAILKIT_WEBHOOK_SECRET": f"{SECRET},{OLD}",
        "MAILKIT_JOURNAL": str(folder / "journal.db"),
    }
    with (
        TemporaryDirectory() as short,  # a socket's path may not be long
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", *command, f"{short}/socket"],
            cwd=EXAMPLES,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
        closing(
            httpx.Client(
                transport=httpx.HTTPTransport(uds=f"{short}/socket"), base_url="http://shop.test"
            )
        ) as browser,
    ):
        try:
            until(lambda: process.poll() is not None or listens(f"{short}/socket"))
            yield browser, log
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM), log.read_text()
        finally:
            process.kill()


def listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(path) == 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "this never happened"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such sockets")
@pytest.mark.parametrize("name", SERVED)
async def test_who_unsubscribes_is_not_mailed_any_more(name: str, tmp_path: Path) -> None:
    with served(SERVED[name], tmp_path) as (browser, log):
        assert browser.get("/people/anna@example.com").json() == {"mail": True}
        data = body(callback(1, "DELIVERED"), callback(2, "UNSUBSCRIBED"))
        for secret in (SECRET, OLD):
            assert browser.post(f"/webhooks/devino/{secret}", content=data).status_code == 200
        assert browser.post("/webhooks/devino/a-forged-secret", content=data).status_code == 404
        assert browser.post(f"/webhooks/devino/{SECRET}", content=b"{}").status_code == 400
        until(lambda: browser.get("/people/anna@example.com").json() == {"mail": False})
        assert browser.get("/webhooks/health").text == "ok"
    text = log.read_text()
    assert SECRET not in text
    assert "forged" not in text
    assert "Traceback" not in text
    journal = await Journal.open(tmp_path / "journal.db", create=False)
    try:
        assert not await journal.handler_calls.waiting()
    finally:
        await journal.close()
