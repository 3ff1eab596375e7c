"""The examples run as they stand, against the sandbox over a real socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import attrs
import httpx
import pytest
from aiohttp.test_utils import TestClient, TestServer

from mailkit.sandbox import Fault, Sandbox

EXAMPLES = Path(__file__).parent.parent / "examples"
SEND = "smsby.emails.send"


@attrs.frozen
class Answer:
    status: int
    value: Any
    headers: Mapping[str, str]


Post = Callable[[object], Awaitable[Answer]]


@asynccontextmanager
async def aiohttp_app() -> AsyncIterator[Post]:
    app = import_module("aiohttp_app").make_app()
    async with TestClient(TestServer(app)) as browser:

        async def post(body: object) -> Answer:
            async with browser.post("/signup", json=body) as response:
                return Answer(response.status, await response.json(), response.headers)

        yield post


@asynccontextmanager
async def fastapi_app() -> AsyncIterator[Post]:
    app = import_module("fastapi_app").app
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop.test") as browser,
    ):

        async def post(body: object) -> Answer:
            response = await browser.post("/signup", json=body)
            return Answer(response.status_code, response.json(), response.headers)

        yield post


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.syspath_prepend(EXAMPLES)
    async with Sandbox(seed=1) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(params=[aiohttp_app, fastapi_app])
async def post(sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    async with request.param() as posting:
        yield posting


async def test_who_signs_up_gets_one_message(sandbox: Sandbox, post: Post) -> None:
    answer = await post({"email": "anna@mail.by"})
    assert (answer.status, answer.value) == (201, {"email": "anna@mail.by", "message": "sent"})
    assert dict(sandbox.truth.mailed) == {"anna@mail.by": 1}


@pytest.mark.parametrize("kind", ["reset_after_acting", "reset_after_reading", "html_200"])
async def test_a_lost_answer_is_told_and_never_sent_again(
    sandbox: Sandbox,
    post: Post,
    kind: Literal["reset_after_acting", "reset_after_reading", "html_200"],
) -> None:
    sandbox.faults.add(Fault(kind, on=SEND, times=1))
    answer = await post({"email": "anna@mail.by"})
    assert (answer.status, answer.value["message"]) == (202, "unknown")
    assert sandbox.requests[SEND] == 1
    assert sandbox.truth.emails == (kind != "reset_after_reading")


async def test_a_refused_message_is_told_with_the_service_s_reasons(
    sandbox: Sandbox, post: Post
) -> None:
    answer = await post({"email": "invalid@mail.by"})
    assert (answer.status, answer.value["error"]) == (422, "refused")
    assert answer.value["reasons"]
    assert sandbox.truth.emails == 0


@pytest.mark.parametrize("body", [{"email": "nobody"}, {"email": 5}, {}, []])
async def test_what_is_no_address_never_leaves(sandbox: Sandbox, post: Post, body: object) -> None:
    assert (await post(body)).status == 422
    assert sandbox.requests[SEND] == 0


async def test_a_wrong_token_is_not_the_person_s_fault(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.add(Fault("token_refused", on=SEND))
    assert (await post({"email": "anna@mail.by"})).status == 502


async def test_a_busy_service_says_when_to_come_back(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.add(Fault("rate_limited", on=SEND, retry_after=900))
    answer = await post({"email": "anna@mail.by"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "900")
    assert sandbox.truth.emails == 0


async def test_a_service_out_of_reach_is_for_later(sandbox: Sandbox, post: Post) -> None:
    sandbox.faults.add(Fault("refuse", seconds=float("inf")))
    assert (await post({"email": "anna@mail.by"})).status == 503
    sandbox.faults.clear()
    assert (await post({"email": "anna@mail.by"})).status == 201


async def bulk(*arguments: str, folder: Path) -> tuple[int | None, str, str]:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "bulk.py"),
        *arguments,
        cwd=folder,
        env={**os.environ, "MAILKIT_JOURNAL": str(folder / "journal.db")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await program.communicate()
    return program.returncode, out.decode(), errors.decode()


async def test_a_list_is_sent_with_progress_and_only_once(sandbox: Sandbox, tmp_path: Path) -> None:
    rows = [f"n{n}@mail.by,Anna,Minsk" for n in range(500)]
    (tmp_path / "autumn.csv").write_text("\n".join(["email,name,city", *rows]), encoding="utf-8")
    code, out, errors = await bulk("autumn.csv", "autumn", folder=tmp_path)
    assert (code, errors) == (0, "")
    assert "500 of 500" in out
    assert "500 accepted of 500 rows" in out
    code, _, errors = await bulk("autumn.csv", "autumn", folder=tmp_path)
    assert (code, "autumn" in errors) == (1, True)
    code, out, _ = await bulk("--resume", "autumn", folder=tmp_path)
    assert code == 0
    assert sandbox.truth.emails == 500
    assert not sandbox.truth.mailed_twice


async def test_a_lost_answer_of_a_list_stays_in_doubt(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "autumn.csv").write_text("email,name,city\na@b.by,,Minsk\n", encoding="utf-8")
    sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", times=1))
    code, out, _ = await bulk("autumn.csv", "autumn", folder=tmp_path)
    assert (code, "mailkit resolve autumn 1" in out) == (3, True)
    assert sandbox.truth.count("a@b.by") == 1


async def test_the_list_without_arguments_tells_how(tmp_path: Path) -> None:
    code, _, errors = await bulk(folder=tmp_path)
    assert (code, "--resume autumn" in errors) == (1, True)
