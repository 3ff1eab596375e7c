"""What docs/webhooks.md shows runs as it stands there."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mailkit.sandbox import Sandbox
from mailkit.webhooks.secrets import LEAST

from .posting import ADDRESS, body, callback

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text(encoding="utf-8")
APP, REGISTRATION = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def run(block: str) -> dict[str, Any]:
    """The names that the block leaves."""
    names: dict[str, Any] = {}
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    running = eval(compile(block, "webhooks.md", "exec", flags, dont_inherit=True), names)
    if running is not None:
        await running
    return names


async def test_the_app_takes_posts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILKIT_JOURNAL", str(tmp_path / "journal.db"))
    app: FastAPI = (await run(APP))["app"]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.by") as client,
    ):
        path = "/webhooks/devino/a-secret-from-your-settings"
        assert (await client.post(path, content=b"[]")).status_code == 200
        data = body(callback(status="UNSUBSCRIBED"))
        assert (await client.post(path, content=data)).status_code == 200
        while not (said := capsys.readouterr().out):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
    assert said == f"no more mail to {ADDRESS}\n"


async def test_the_webhooks_are_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(speed=0) as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        await run(REGISTRATION)
        hooks = sandbox.sendpulse.account.webhook_queue.by_id.values()
        assert len({hook.action for hook in hooks}) == 8
        assert {hook.url for hook in hooks} == {
            "https://shop.by/webhooks/sendpulse/a-secret-from-your-settings"
        }


def test_the_page_says_how_long_a_secret_must_be() -> None:
    assert f"at least {LEAST} characters" in " ".join(PAGE.split())
