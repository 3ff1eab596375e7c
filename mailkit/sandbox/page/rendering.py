"""HTML from templates; the only module that needs jinja2."""

import re
from datetime import datetime
from functools import cache

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailkit.sandbox.page.responses import FOLDER
from mailkit.sandbox.truth import Email

TONES = {
    "accepted": "waiting",
    "queued": "waiting",
    "sent": "waiting",
    "deferred": "warning",
    "delivered": "good",
    "opened": "good",
    "clicked": "good",
    "subscribed": "good",
    "undelivered": "bad",
    "expired": "bad",
    "complained": "bad",
    "unsubscribed": "warning",
}

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, and those that turn the text around."""


def render(template: str, values: dict[str, object]) -> str:
    """The template with these values, escaped."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clock": _clock, "moment": _moment, "json": _json, "tone": _tone}
    made.filters |= {"date": _date, "span": _span, "figure": _figure}
    made.filters |= {"counted": _counted, "often": _often, "subject": _subject}
    return made


def _visible(value: object) -> object:
    """What is shown of a value: of text, what could deceive as an escape, such as `\\u202e`."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def _clock(at: float, now: float) -> str:
    """A moment as short as it can be told, in this machine's zone."""
    then, today = (datetime.fromtimestamp(one).astimezone() for one in (at, now))
    return then.strftime("%H:%M:%S" if then.date() == today.date() else "%b %d, %H:%M")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")


def _date(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%b %d, %Y, %H:%M:%S %Z")


def _span(seconds: float) -> str:
    """A time to wait, in the two largest units."""
    left = round(seconds)
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _subject(email: Email) -> str:
    kept = email.content is not None
    return email.subject or ("(no subject)" if kept else "(subject no longer kept)")


def _counted(count: int, noun: str) -> str:
    """So many of something: "1 event", "1,200 events"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _often(count: int) -> str:
    return "once" if count == 1 else _counted(count, "time")


def _figure(value: object) -> str:
    """A cell of a table: what is not there has no limit."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()


def _tone(state: str) -> str:
    return TONES.get(state, "waiting")
