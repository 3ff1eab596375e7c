"""Whatever stands in an argument, the request is the same but for that one value.

Each place is filled with a harmless value and with evil ones; what then leaves is read by parsers
that know nothing of mailkit, and compared with the value taken out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from mailkit.core.wire import Response
from mailkit.errors import InvalidArgument, Refused
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy

from ..core.doubles import Script
from .acts import FREE, HOSTS
from .forms import parts_of
from .places import PLACES
from .service import no

CLIENTS: dict[str, Callable[..., Any]] = {
    "smsby": partial(SmsBy, "our-token"),
    "devino": partial(Devino, "our-key"),
    "sendpulse": partial(SendPulse, api_key="our-key", **FREE),
}

HARMLESS = "Autumn.pdf"
LINES = [
    "Ж" * 10_000,
    "\u202efdp.exe",
    "‮{{ x }}",
    "{{name}}[Unsubscribe][x]",
    "<script>&amp;</script>",
    "%0d%0aBcc: x@y.by",
    "../../x?y#z%2f",
    "a=1&token=mine",
    "\",\"token\":\"mine\"",
    "--boundary--",
    "=?utf-8?q?x?=",
    "\\",
]  # fmt: skip
BREAKS = ["a\r\nBcc: x@y.by", "a\nb", "a\rb", "a\0b", "a\x1b[2Jb", "a\x85b", "a\u2028b"]
HALF = "a\ud83d"


LINE_PLACES = [name for name, (kind, _) in PLACES.items() if kind == "line"]
PATH_PLACES = [name for name, (kind, _) in PLACES.items() if kind == "path"]


def a_refusal(place: str) -> Script:
    return Script(Response(400, {}, no(place.partition(".")[0], "no").encode()))


async def request_with(place: str, value: str) -> object:
    """What leaves with this value, read back, and a mark where the value was."""
    script = a_refusal(place)
    client = CLIENTS[place.partition(".")[0]](transport=script)
    with pytest.raises(Refused):
        await PLACES[place][1](client, value)
    [(verb, url, headers, body)] = script.requests
    for text in (url, *headers, *headers.values()):
        assert text.isascii()
        assert text.isprintable()
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", HOSTS[place.partition(".")[0]])
    assert parts.fragment == ""
    kind = headers.pop("Content-Type", "")
    found = (
        verb,
        [unquote(piece) for piece in parts.path.split("/")],
        parse_qsl(parts.query, keep_blank_values=True),
        sorted(headers.items()),
        kind.partition(";")[0],
        _read(kind, body),
    )
    marked = _marked(found, value)
    assert "<mark>" in repr(marked)
    return marked


def _read(kind: str, body: bytes | None) -> object:
    if kind.startswith("multipart"):
        return [
            [_utf8(name), _utf8(file or ""), *rest]
            for name, file, *rest in parts_of(kind, body or b"")
        ]
    if kind.endswith("json"):
        return json.loads(body or b"")
    return parse_qsl((body or b"").decode("ascii"), keep_blank_values=True)


def _utf8(name: str) -> str:
    return name.encode("ascii", "surrogateescape").decode()


def _marked(found: Any, value: str) -> Any:
    if isinstance(found, str):
        coded = base64.b64encode(value.encode()).decode()
        return found.replace(value, "<mark>").replace(coded, "<mark>")
    if isinstance(found, bytes):
        return found.replace(value.encode(), b"<mark>")
    if isinstance(found, dict):
        return {_marked(key, value): _marked(item, value) for key, item in found.items()}
    if isinstance(found, list | tuple):
        return [_marked(item, value) for item in found]
    return found


async def is_refused(place: str, value: str) -> bool:
    """Whether nothing leaves with this value."""
    script = a_refusal(place)
    try:
        await PLACES[place][1](CLIENTS[place.partition(".")[0]](transport=script), value)
    except InvalidArgument:
        return script.requests == []
    except Refused:
        return False
    return False


@pytest.mark.parametrize("place", PLACES)
async def test_a_value_changes_nothing_but_itself(place: str) -> None:
    kind, _ = PLACES[place]
    harmless = await request_with(place, HARMLESS)
    for value in LINES if kind == "line" else LINES + BREAKS:
        if kind == "line" and await is_refused(place, value):
            # Names of files must not lead elsewhere, and Devino's names of senders are short.
            assert "file" in place or "upload" in place or len(value) == 10_000
            continue
        assert await request_with(place, value) == harmless, value


@pytest.mark.parametrize("place", LINE_PLACES)
async def test_no_line_break_and_no_control_character_gets_into_a_line(place: str) -> None:
    for value in BREAKS:
        assert await is_refused(place, value), value


@pytest.mark.parametrize("place", PLACES)
async def test_half_a_character_is_refused(place: str) -> None:
    assert await is_refused(place, HALF)


@pytest.mark.parametrize("place", PATH_PLACES)
@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_a_piece_of_a_path_that_would_leave_it_is_refused(place: str, value: str) -> None:
    assert await is_refused(place, value)


@pytest.mark.parametrize("place", [name for name in LINE_PLACES if "file" in name])
@pytest.mark.parametrize("name", ["../x", "/etc/x", "..\\x", "C:\\x", 'x"; filename="y'])
async def test_a_file_s_name_leads_nowhere(place: str, name: str) -> None:
    assert await is_refused(place, name)
