"""What is wrong with a message.toml, in TOML's terms: what is there and what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from difflib import get_close_matches

__all__ = ["EXAMPLES", "KEYS", "form", "syntax_hint", "type_fault", "unknown_key"]

_MOMENT = datetime(2030, 5, 1, 10, tzinfo=timezone(timedelta(hours=3)))

EXAMPLES = {
    "sender": '"Shop <news@shop.by>"',
    "reply_to": '"Anna <anna@shop.by>"',
    "subject": '"Autumn lamps"',
    "html": '"<p>Hello</p>"',
    "html_file": '"autumn.html"',
    "text": '"Hello"',
    "text_file": '"letter.txt"',
    "attachments": '["price.pdf"]',
    "headers": '{ List-Unsubscribe = "<https://shop.by/bye>" }',
    "send_at": _MOMENT.isoformat(),
    "track_opens": "true",
    "track_clicks": "true",
}
KEYS: Mapping[str, str] = {
    "sender": "the name and the address; quote a name that contains a comma or an @. Required",
    "reply_to": "the address for replies",
    "subject": "one line of text. Required",
    "html": "the HTML body",
    "html_file": "a file with the HTML body",
    "text": "the plain-text body",
    "text_file": "a file with the plain-text body",
    "attachments": "files to attach, 50 MB in all",
    "headers": "additional headers",
    "send_at": "when the service sends it; if left out, at once",
    "track_opens": "whether opens are counted; if left out, the service decides",
    "track_clicks": "whether clicks are counted; if left out, the service decides",
}
"""What a message.toml may have, and what it means."""

_TEXTS = ("sender", "reply_to", "subject", "html", "html_file", "text", "text_file")
_TRUTHS = ("track_opens", "track_clicks")

_MEANT = {
    "from": "sender",
    "from_email": "sender",
    "sender_email": "sender",
    "reply-to": "reply_to",
    "replyto": "reply_to",
    "title": "subject",
    "topic": "subject",
    "body": "html or text",
    "content": "html or text",
    "message": "html or text",
    "attachment": "attachments",
    "files": "attachments",
    "date": "send_at",
    "send_date": "send_at",
    "schedule": "send_at",
    "track_open": "track_opens",
    "track_click": "track_clicks",
}
_ELSEWHERE = {
    "name": 'the name is part of the sender: sender = "Shop <news@shop.by>"',
    "from_name": 'the name is part of the sender: sender = "Shop <news@shop.by>"',
    "sender_name": 'the name is part of the sender: sender = "Shop <news@shop.by>"',
    "to": "the list says who gets the message",
    "cc": "the list says who gets the message",
    "bcc": "the list says who gets the message",
    "recipients": "the list says who gets the message",
    "preheader": "put it at the beginning of the html",
    "list": "the list is an argument of its own",
    "list-unsubscribe": 'put it into headers: headers = { List-Unsubscribe = "…" }',
}


def unknown_key(word: str, value: object) -> str:
    """Why a key can't stand in a message, and what may be meant by it."""
    if isinstance(value, Mapping):
        return f"unknown section [{word[:80]}]; a message has no sections: remove this line"
    key, known = word.lower(), f"unknown key {word[:80]!r}; "
    if key in _ELSEWHERE:
        return known + _ELSEWHERE[key]
    near = get_close_matches(key, KEYS, 1)
    meant = key if key in KEYS else _MEANT.get(key) or (near[0] if near else "")
    return known + (f"did you mean {meant}?" if meant else f"the keys are {', '.join(KEYS)}")


def type_fault(word: str, value: object) -> str | None:
    """What is wrong with the kind of a key's value; None if it is right."""
    if word in _TEXTS:
        good = isinstance(value, str)
    elif word in _TRUTHS:
        good = isinstance(value, bool)
    elif word == "attachments":
        good = isinstance(value, list) and all(isinstance(one, str) for one in value)
    elif word == "headers":
        good = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    else:
        return _moment_fault(value)
    if good:
        return None
    return f"{word}: {_kind(value)}; write {form(word)}: {word} = {_right(word, value)}"


def form(word: str) -> str:
    """How a key's value is written."""
    if word == "send_at":
        return "a date and time with a UTC offset, without quotes"
    if word in _TRUTHS:
        return "true or false without quotes"
    if word in ("attachments", "headers"):
        kind = "an array" if word == "attachments" else "a table"
        return f"{kind} of strings"
    return "text in quotes"


def _right(word: str, value: object) -> str:
    """The value as it may be meant, else an example."""
    if word in _TRUTHS:
        return "false" if str(value).strip().lower() in ("false", "no", "off", "0") else "true"
    if word == "attachments" and isinstance(value, str) and value:
        return f'["{value[:80]}"]'
    if word == "sender" and isinstance(value, Mapping):
        email, name = value.get("email") or value.get("address"), value.get("name")
        if isinstance(email, str) and isinstance(name, str):
            return f'"{name[:80]} <{email[:80]}>"'
    if word in _TEXTS and isinstance(value, int | float) and not isinstance(value, bool):
        return f'"{str(value)[:80]}"'
    return EXAMPLES[word]


def _kind(value: object) -> str:
    match value:
        case bool():
            return f"{str(value).lower()} without quotes"
        case int() | float():
            return f"{str(value)[:40]} is a number"
        case str():
            return f"{value[:40]!r} is text in quotes"
        case datetime():
            return f"{value.isoformat()} is a date and time"
        case date():
            return f"{value.isoformat()} is a date"
        case time():
            return f"{value.isoformat()} is a time"
        case list() | dict():
            kind = "an array" if isinstance(value, list) else "a table"
            parts = value if isinstance(value, list) else value.values()
            odd = next((one for one in parts if not isinstance(one, str | list | dict)), None)
            return f"this is {kind}" if odd is None else f"this is {kind}, in which {_kind(odd)}"
        case _:
            return "this is something else"


def _moment_fault(value: object) -> str | None:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return None
        right = value.replace(tzinfo=_MOMENT.tzinfo).isoformat()
        return (
            f"send_at: {value.isoformat()} has no UTC offset, so its time zone is unknown; "
            f"add one: send_at = {right}"
        )
    if isinstance(value, date):
        right = datetime.combine(value, _MOMENT.timetz()).isoformat()
        return f"send_at: {value.isoformat()} has no time; write both: send_at = {right}"
    if isinstance(value, str):
        meant = _read(value)
        if meant is not None and meant.tzinfo is not None:
            return f"send_at: write it without quotes: send_at = {meant.isoformat()}"
        right = (meant or _MOMENT).replace(tzinfo=_MOMENT.tzinfo).isoformat()
        return (
            f"send_at: write a date and time without quotes and with a UTC offset: send_at = "
            f"{right}"
        )
    return (
        f"send_at: {_kind(value)}; write a date and time with a UTC offset: send_at = "
        f"{_MOMENT.isoformat()}"
    )


def _read(text: str) -> datetime | None:
    text = text.strip()
    for read in (
        datetime.fromisoformat,
        lambda text: datetime.strptime(text, "%d.%m.%Y %H:%M"),
        lambda text: datetime.strptime(text, "%d.%m.%Y"),
    ):
        try:
            return read(text)
        except ValueError:
            continue
    return None


_place = re.compile(r"\(at line (\d++), column (\d++)\)").search
_assigned = re.compile(r"[ \t]*+([A-Za-z0-9_-]++)[ \t]*+=[ \t]*+(.*+)").match
_with_colon = re.compile(r"[ \t]*+[\w-]++[ \t]*+:").match
_truth = re.compile(r"(?:true|false|yes|no|on|off)\b", re.IGNORECASE).match
_straight = re.compile(r"[“”„«»‘’`]").search


def syntax_hint(text: str, fault: str) -> str:
    """What to write in place of what TOML can't read, or "" if nobody knows."""
    begin = text.lstrip()[:1]
    if begin in ("{", "<"):
        return (
            'this looks like JSON, but a message is TOML: one line per key, e.g. subject = "Hi"'
            if begin == "{"
            else 'this looks like HTML: name it in a message.toml, e.g. html_file = "autumn.html"'
        )
    if "Cannot overwrite" in fault and '""' not in text:
        return "a key appears twice"
    if "character" in fault and "\\n" not in fault and "\\" in fault:
        return "it has an invisible character: retype the line"
    if "Unescaped" in fault or "hex value" in fault:
        return "a backslash is an escape character: write two, or / in a path"
    lines, found = text.rstrip().split("\n"), _place(fault)
    line = lines[int(found[1]) - 1] if found and int(found[1]) <= len(lines) else lines[-1]
    if not (assigned := _assigned(line)):
        is_open = "Unterminated" in fault or 'Expected "' in fault
        return "a quote is not closed" if is_open else _key_hint(line, lines[0])
    return _value_hint(assigned[1], assigned[2].rstrip(), fault)


def _key_hint(line: str, first: str) -> str:
    if "=" not in first and any(mark in first for mark in ",;\t@"):
        return "this looks like a list: the message comes first, and then the list"
    if _with_colon(line):
        return 'write = instead of the colon, e.g. subject = "Hi"'
    if line.lstrip().startswith((";", "//")):
        return "a comment begins with #"
    if "=" in line:
        return "a key has only letters, digits, _ and -; retype it"
    return 'write one line per key, e.g. subject = "Hi"'


def _value_hint(key: str, value: str, fault: str) -> str:
    if key == "send_at":
        right = f"send_at = {_MOMENT.isoformat()}"
        return f"write a date and time with seconds and a UTC offset: {right}"
    if (key in _TRUTHS and not value.startswith('"')) or _truth(value):
        key = key if key in _TRUTHS else _TRUTHS[0]
        return f"write true or false in lower case: {key} = {_right(key, value)}"
    if _straight(value) and value.count('"') + value.count("'") < 2:
        return f'use straight quotes: {key} = "…"'
    if not value or value[0] not in "\"'[{":
        return f'text needs quotes: {key} = "…"'
    if value[0] in "[{":
        return f"write it as {key} = {EXAMPLES.get(key, EXAMPLES['attachments'])}"
    if "at end of document" in fault:
        return "a quote is not closed"
    if value.count(value[0]) > 2:
        return f"text that contains quotes needs other ones around it: {key} = '''…'''"
    return f'text of several lines needs triple quotes: {key} = """…"""'
