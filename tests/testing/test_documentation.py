"""The tests that docs/testing.md shows pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/testing.md"


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(**{f"test_{n}": block for n, block in enumerate(blocks)})
    tests = sum(len(re.findall(r"^(?:async )?def test_", block, re.MULTILINE)) for block in blocks)
    quiet = ("-W", "ignore:Using `httpx` with")  # of FastAPI's TestClient, for its own successor
    ended = pytester.runpytest_inprocess("-p", "no:cacheprovider", *quiet)
    ended.assert_outcomes(passed=tests)
