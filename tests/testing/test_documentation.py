"""The tests and the requests that docs/testing.md shows pass."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import aiohttp
import pytest

from mailkit import SmsBy
from mailkit.sandbox import Fault, Sandbox

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text(encoding="utf-8")


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(**{f"test_{n}": block for n, block in enumerate(blocks)})
    tests = sum(len(re.findall(r"^(?:async )?def test_", block, re.MULTILINE)) for block in blocks)
    quiet = ("-W", "ignore:Using `httpx` with")  # of FastAPI's TestClient, for its own successor
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider", *quiet)
    ended.assert_outcomes(passed=tests)


async def test_the_requests_of_the_page_do_what_it_says() -> None:
    commands = re.findall(r"^curl .*$", PAGE.replace("\\\n", " "), re.MULTILINE)
    responses = []
    async with Sandbox(speed=0) as sandbox, aiohttp.ClientSession() as http:
        async with SmsBy(sandbox.smsby.settings.token, sandbox.url) as smsby:
            for n in range(7):
                await smsby.emails.send(
                    sender="news@shop.by", to=f"a{n}@b.by", subject="Hi", html="<p>Hi</p>"
                )
        seventh, began = sandbox.one_message_to("a6@b.by"), sandbox.clock.now()
        for command in commands:
            words = shlex.split(command)
            [url] = [word for word in words if word.startswith("http://127.0.0.1:8025/")]
            body = words[words.index("-d") + 1] if "-d" in words else None
            headers = {"Content-Type": "application/json"} if "-H" in words else {}
            method = "POST" if body or "POST" in words else "GET"
            url = url.replace("http://127.0.0.1:8025", sandbox.url)
            async with http.request(method, url, data=body, headers=headers) as response:
                assert response.status == 200, await response.text()
                responses.append(json.loads(await response.read()))
            if url.endswith("/faults"):
                assert sandbox.faults.active() == [
                    Fault("reset_after_acting", on="smsby.bulk.send", times=1)
                ]
            if url.endswith("/open"):
                assert "opened" in sandbox.history(seventh)
        assert len(responses) == 5
        assert responses[3]["mailed"] == {f"a{n}@b.by": 1 for n in range(7)}
        assert sandbox.clock.now() == began + 3600
        assert sandbox.truth.emails == 0
