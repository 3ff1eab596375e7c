"""A token that is easy to find again, wherever and however it may come to light."""

from __future__ import annotations

import asyncio
import base64
import html
import itertools
import json
import logging
import re
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from rich import pretty

from mailkit.core.hooks import Attempt
from mailkit.core.secret import Secret

CANARY = "Zq8-Kanarienvogel/9x+Wm==&<'>%7E\\singt"
TEXT = CANARY.replace("\\", "/")  # what JSON holds as it is
HALVES = (CANARY[: len(CANARY) // 2], CANARY[len(CANARY) // 2 :])
PIECE = 8

TESTS = str(Path(__file__).parent.parent)

_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def lower_escapes(text: str, each: int = 1) -> str:
    """URL-encoded text with every nth of its escapes in lower case."""
    places = itertools.count()
    return _ESCAPE.sub(
        lambda found: found[0].lower() if next(places) % each == 0 else found[0], text
    )


def based(data: str, encode: Callable[[bytes], bytes] = base64.b64encode) -> str:
    return encode(data.encode()).decode()


ECHOES = {
    "plain": CANARY,
    "in upper case": CANARY.upper(),
    "URL-encoded": quote(CANARY, safe=""),
    "URL-encoded in lower case": lower_escapes(quote(CANARY, safe="")),
    "URL-encoded in mixed case": lower_escapes(quote(CANARY, safe=""), each=2),
    "URL-encoded, letters too": "".join(f"%{ord(one):02x}" for one in CANARY),
    "URL-encoded, all in lower case": quote(CANARY, safe="").lower(),
    "URL-encoded but for slashes": quote(CANARY),
    "URL-encoded twice": quote(quote(CANARY, safe=""), safe=""),
    "URL-encoded twice in lower case": lower_escapes(quote(lower_escapes(quote(CANARY)), safe="")),
    "URL-encoded three times": quote(quote(quote(CANARY, safe=""))),
    "URL-encoded as in old scripts": "".join(f"%u{ord(one):04X}" for one in CANARY),
    "as a form": quote_plus(f"the token {CANARY} is wrong"),
    "as JSON, all escaped": "".join(f"\\u{ord(one):04x}" for one in CANARY),
    "as JSON, all escaped in upper case": "".join(f"\\u{ord(one):04X}" for one in CANARY),
    "as JSON, URL-encoded": json.dumps(lower_escapes(quote(CANARY, safe=""))),
    "as HTML in decimal": "".join(f"&#{ord(one)};" for one in CANARY),
    "as HTML in decimal with zeros": "".join(f"&#00{ord(one)};" for one in CANARY),
    "as HTML in hexadecimal": "".join(f"&#x{ord(one):x};" for one in CANARY),
    "as HTML in upper case": "".join(f"&#X{ord(one):02X};" for one in CANARY),
    "as HTML twice": html.escape(html.escape(CANARY)),
    "as JSON in HTML": html.escape(json.dumps(CANARY).replace("/", "\\/")),
    "as a URL in JSON in HTML": html.escape(json.dumps(quote(CANARY)).replace("/", "\\/")),
    "as base64": based(CANARY),
    "as base64 after an id": based(f"some-id:{CANARY}"),
    "as base64 after a longer id": based(f"some-id-1:{CANARY}"),
    "as base64 after a scheme": based(f"Bearer {CANARY}, and more"),
    "as base64 for URLs": based(f"id:{CANARY}", base64.urlsafe_b64encode),
    "as base64, URL-encoded": lower_escapes(quote(based(CANARY), safe="")),
    "as base64 in lines": base64.encodebytes(f"id:{CANARY * 3}".encode()).decode(),
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
    """Where eight characters of the token in a row show, in any case and however they are spelled;
    read with other means than those that hide it.
    """
    text = shown if isinstance(shown, str) else shown.decode("utf-8", "replace")
    found = []
    for view in _views(text):
        found += PIECES.within(view.lower())
    return found + DISGUISES.within(text)


def _views(text: str) -> set[str]:
    """The text, and how it reads with escapes read, one within the other up to three deep."""
    views, new = {text}, {text}
    for _ in range(3):
        new = {read for view in new for read in _read(view)} - views
        views |= new
    return views


def _read(view: str) -> Iterator[str]:
    if "%" in view:
        yield unquote(view)
    if "&" in view:
        yield html.unescape(view)
    if "\\" in view:
        yield re.sub(r"\\([/\\\"'])", r"\1", view)
    old_escapes = re.sub(r"%u(?=[0-9A-Fa-f]{4})", r"\\u", view) if "%u" in view else view
    if "\\u" in old_escapes:
        yield re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), old_escapes)


class Pieces:
    """The pieces of some texts that are so long. Few texts hold any, so they are asked first for
    shorter ones, of which each piece has at least one.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        self.all = {text[n : n + size] for text in texts for n in range(len(text) - size + 1)}
        short = size // 2
        self._short = {
            text[n : n + short]
            for text in texts
            for n in range(0, len(text) - short + 1, size - short + 1)
        }

    def within(self, text: str) -> list[str]:
        """Those that the text holds."""
        if not any(short in text for short in self._short):
            return []
        return [piece for piece in self.all if piece in text]


PIECES = Pieces([CANARY.lower()], PIECE)
DISGUISES = Pieces(
    [
        CANARY.encode().hex(),
        CANARY[::-1],
        *(
            based(start + CANARY, encode)[4:-4]
            for start in ("", "x", "xx")
            for encode in (base64.b64encode, base64.urlsafe_b64encode)
        ),
    ],
    12,
)


def assert_hidden(shown: str | bytes) -> None:
    found = hits(shown)
    assert not found, (found, shown if len(shown) < 3000 else shown[:3000])


def everything(error: BaseException) -> str:
    """All that a log with the values of names shows of an error, its causes and groups, in whatever
    frame but the tests' own: as the standard library shows them, as rich does, which looks into
    objects, and as error trackers do, which look into collections. It looks into mailkit's and
    aiohttp's objects too, whether they let it or not.
    """
    told: list[str] = []
    seen: dict[int, tuple[object, int]] = {}
    for one in _family(error, set()):
        told += [str(one), repr(one), repr(one.args), repr(vars(one))]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                for value in frame.f_locals.values():
                    told += [_shown(value, _as_rich), *_deep(value, 5, seen)]
    return "\n".join(told)


def _deep(value: object, depth: int, seen: dict[int, tuple[object, int]]) -> Iterator[str]:
    """The value, and what is in it, down to a depth; no Secret is revealed, and what was ``seen``
    from as high up is not looked at again.
    """
    if id(value) in seen and seen[id(value)][1] >= depth:
        return
    seen[id(value)] = value, depth  # kept alive, so that nothing else gets its id
    yield _shown(value, repr)
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("utf-8", "replace")
    elif depth and not isinstance(value, str | Secret | type | ModuleType):
        for inner in _inside(value):
            yield from _deep(inner, depth - 1, seen)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return list(value)
    if not type(value).__module__.startswith(("mailkit", "aiohttp", "yarl", "multidict")):
        return []
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    names = {*getattr(value, "__dict__", {}), *slots}
    return [getattr(value, name, None) for name in names]


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
