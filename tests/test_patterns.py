"""Every regular expression of mailkit: right on every Python, and linear on any text."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import mailkit
from tests.backtracking import CHARS, sample, steps

METHODS = {"match", "fullmatch", "search", "findall", "finditer", "split", "sub"}
LONG = 30


def uses(name: str) -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """The patterns of a module, each with its place and the method that it is used by."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    source = Path(module.__file__).read_text(encoding="utf-8")
    for variable, value in vars(module).items():
        place = f"{name}.{variable}"
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, re.Pattern):
                for method in re.findall(rf"\b{variable}\.(\w+)\b", source):
                    yield place, one, method
            elif isinstance(pattern := getattr(one, "__self__", None), re.Pattern):
                yield place, pattern, one.__name__
    if not re.search(r"\bre\.", source):
        return
    for node in ast.walk(ast.parse(source)):
        match node:  # re.sub(r"…", …)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=method),
                args=[ast.Constant(value=str(text)), *_],
            ) if method in METHODS:
                yield f"{name}:{node.lineno}", re.compile(text), method


MODULES = [module.name for module in pkgutil.walk_packages(mailkit.__path__, "mailkit.")]
USES = {
    (pattern, method): place
    for name in MODULES
    if not name.endswith("__main__")
    for place, pattern, method in uses(name)
}
every_use = pytest.mark.parametrize(("pattern", "method"), USES, ids=USES.values())


@pytest.fixture
def deep() -> Iterator[None]:
    """Room for the matcher, which calls itself for each character."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


def test_the_patterns_are_found() -> None:
    assert len(USES) > 25
    assert "mailkit.address._common" in USES.values()
    assert any(":" in place for place in USES.values())  # in a call
    assert any(isinstance(pattern.pattern, bytes) for pattern, _ in USES)


@every_use
def test_only_single_characters_are_possessive(pattern: re.Pattern[Any], method: str) -> None:
    """After a group and in an atomic one, Python before 3.11.5 matches wrongly."""
    text = str(pattern.pattern)
    assert not re.search(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>", text)


@every_use
def test_no_text_takes_more_than_linear_time(
    pattern: re.Pattern[Any], method: str, deep: None
) -> None:
    """Texts that match, with a piece of each many times over, and an end that may not fit."""
    random = Random(1)
    for _ in range(20):
        text = sample(pattern, random)
        start = random.randrange(len(text) + 1)
        last = random.choice(CHARS)
        end = text[start:] * random.randint(0, 1)
        end += last if isinstance(text, str) else last.encode("latin1", "replace")
        piece = (text + end)[start : start + random.randint(1, 3)]
        costs = []
        for times in (LONG, 2 * LONG):
            longer = text[:start] + piece * times + end
            found, cost = steps(pattern, method, longer)
            assert found == found_by_re(pattern, method, longer), longer
            costs.append(cost)
        assert costs[1] < 2.5 * costs[0] + 50, longer


def found_by_re(pattern: re.Pattern[Any], method: str, text: Any) -> list[tuple[int, int]]:
    if method in ("match", "fullmatch", "search"):
        found = getattr(pattern, method)(text)
        return [found.span()] if found else []
    return [found.span() for found in pattern.finditer(text)]
