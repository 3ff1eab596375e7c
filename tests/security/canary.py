"""A token that is easy to find again, wherever and however it may come to light."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import traceback
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from rich import pretty

import mailkit
from mailkit.core.client import Attempt

CANARY = "Zq8-Kanarienvogel/9x+Wm==&<'>%7E\\singt"
TEXT = CANARY.replace("\\", "/")  # what JSON holds as it is
HALVES = (CANARY[: len(CANARY) // 2], CANARY[len(CANARY) // 2 :])
PIECE = 8

OURS = str(Path(mailkit.__file__).parent)

ECHOES = {
    "plain": CANARY,
    "URL-encoded": quote(CANARY, safe=""),
    "URL-encoded in lower case": quote(CANARY, safe="").lower().replace("%7e", "%7e"),
    "URL-encoded but for slashes": quote(CANARY),
    "as JSON": json.dumps(CANARY)[1:-1],
    "as PHP's JSON": json.dumps(CANARY)[1:-1].replace("/", "\\/"),
    "as HTML": html.escape(CANARY),
    "cut": CANARY[:-3] + "…",
    "cut to a few": CANARY[:12] + "…",
    "without its beginning": "…" + CANARY[5:],
    "broken by line ends": "\r\n".join(CANARY[n : n + 19] for n in range(0, len(CANARY), 19)),
    "broken by blanks": " ".join(CANARY[n : n + 11] for n in range(0, len(CANARY), 11)),
    "twice in a row": CANARY * 2,
    "within a word": f"xx{CANARY}yy",
    "at the end of what is shown": "z" * 490 + CANARY,
    "beyond what is shown": "z" * 5000 + CANARY,
    "a hundred times": f"{CANARY} " * 100,
}
"""How a service may say the token back."""


def hits(shown: str | bytes) -> list[str]:
    """Where eight characters of the token in a row show, or all of it in disguise."""
    text = shown if isinstance(shown, str) else shown.decode("utf-8", "replace")
    found = [CANARY[n : n + PIECE] for n in range(len(CANARY) - PIECE + 1)]
    found = [piece for piece in found if piece in text]
    views = (
        unquote(text),
        html.unescape(text),
        text.replace("\\/", "/"),
        text.replace("\\\\", "\\"),
    )
    found += [view[:100] for view in views if CANARY in view]
    disguises = (
        base64.b64encode(CANARY.encode())[:-4].decode(),
        CANARY.encode().hex(),
        CANARY[::-1],
    )
    return found + [disguise for disguise in disguises if disguise in text]


def assert_hidden(shown: str | bytes) -> None:
    found = hits(shown)
    assert not found, (found, shown if len(shown) < 3000 else shown[:3000])


def everything(error: BaseException) -> str:
    """All that a log with the values of mailkit's names shows of an error, causes and groups, with
    the standard library and with rich, which looks into objects.
    """
    told: list[str] = []
    for one in _family(error, set()):
        told += [str(one), repr(one), repr(one.args), repr(vars(one))]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(OURS):
                for value in frame.f_locals.values():
                    told += [_shown(value, repr), _shown(value, _as_rich)]
    return "\n".join(told)


def _as_rich(value: object) -> str:
    return pretty.traverse(value, max_string=80).render(max_width=10_000)


def _shown(value: object, show: Callable[[object], str]) -> str:
    try:
        return show(value)
    except AttributeError:  # an object that could not be made
        return object.__repr__(value)


def watched(
    act: Callable[[list[Attempt]], Coroutine[Any, Any, object]], logged: pytest.LogCaptureFixture
) -> BaseException | None:
    """Run it with asyncio's and aiohttp's debugging on, and look at all that is logged; the error
    it ends with, if any.
    """
    logged.set_level(logging.DEBUG)
    seen: list[Attempt] = []
    failure: BaseException | None = None
    try:
        asyncio.run(act(seen), debug=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must show nothing
        failure = error
        assert_hidden(everything(error))
    assert_hidden(logged.text + repr(seen))
    assert "asyncio" in {record.name for record in logged.records}
    for record in logged.records:
        assert_hidden(repr(record.args) + repr(record.__dict__))
    return failure


def _family(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    yield from _family(error.__cause__, seen)
    yield from _family(error.__context__, seen)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _family(one, seen)


def folder(place: Path) -> str:
    """The bytes of every file below, and the files' names."""
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return "\n".join(f"{path}\n{path.read_bytes().decode('utf-8', 'replace')}" for path in files)
