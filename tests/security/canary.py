"""A token that is easy to find again, wherever and however it may come to light."""

from __future__ import annotations

import base64
import html
import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import mailkit

CANARY = "Zq8-Kanarienvogel/9x+Wm==&<'>%7E\\singt"
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
    """All that a log with the values of mailkit's names shows of an error, causes and groups."""
    told: list[str] = []
    for one in _family(error, set()):
        told += [str(one), repr(one), repr(one.args), repr(vars(one))]
        seen = traceback.TracebackException(
            type(one), one, one.__traceback__, capture_locals=True, compact=True
        )
        for frame in seen.stack:
            if frame.filename.startswith(OURS):
                told += [frame.line or "", *(frame.locals or {}).values()]
    return "\n".join(told)


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
