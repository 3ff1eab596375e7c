"""The unsubscribe page that docs/web-service.md shows suppresses whoever presses its button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ..test_public_names import ROOT
from .test_pages import blocks


async def test_the_button_of_the_page_suppresses_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILKIT_JOURNAL", str(tmp_path / "journal.db"))
    programs = [
        one.text for one in blocks(ROOT / "docs/web-service.md") if one.language == "python"
    ]
    names: dict[str, Any] = {}
    for program in (programs[0], next(one for one in programs if "/bye" in one)):
        exec(program, names)
    app: FastAPI = names["app"]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.by") as client,
    ):
        page = await client.get("/bye", params={"e": "anna+1@mail.by"})
        assert page.status_code == 200
        assert [one async for one in app.state.journal.suppressions.list()] == []
        assert (await client.post(page.url)).status_code == 200
        [one] = [one async for one in app.state.journal.suppressions.list()]
    assert (one.address, one.reason) == ("anna+1@mail.by", "unsubscribed")
