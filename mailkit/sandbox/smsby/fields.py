"""Reading the parameters of an sms.by call, and the shapes in which the host refuses."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.service import Reply
from mailkit.sandbox.truth import normalised

MINSK = ZoneInfo("Europe/Minsk")

_SCHEDULE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)


class Refusal(Exception):
    """The call is refused with `reply`, and nothing has been done."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


def error_at_200(text: str) -> Refusal:
    """The error stands in a successful HTTP answer."""
    return Refusal(Reply(200, {"error": text}))


def status_error(status: int, text: str) -> Refusal:
    """The error stands in a message beside a status word."""
    return Refusal(Reply(status, {"status": "error", "message": text}))


def required(fields: PhpArray, *names: str) -> None:
    """Refuse with HTTP 400 if one of the fields is absent or empty."""
    for name in names:
        if not fields.get(name):
            raise Refusal(Reply(400, {"error": f"Required parameter {name} not given"}))


def address(fields: PhpArray, name: str) -> str:
    """The normalised address in the field; HTTP 421 if it cannot be one."""
    found = normalised(fields.text(name))
    if not is_address(found):
        raise unverified(name, "not an e-mail address")
    return found


def unverified(name: str, reason: str) -> Refusal:
    """The host's answer to a value of the wrong form."""
    return status_error(421, f"Validation of {name} failed: {reason}")


def number(fields: PhpArray, name: str) -> int:
    """The field as a positive number; HTTP 421 if it is none."""
    text = fields.text(name).strip()
    if not is_number(text):
        raise unverified(name, "a number is needed")
    return int(text)


def is_number(text: str) -> bool:
    """True for plain digits, not too many."""
    return text.isascii() and text.isdigit() and len(text) < 18


def flag(fields: PhpArray, name: str) -> bool:
    """The field as 1 or 0, by default 1."""
    if name not in fields:
        return True
    text = fields.text(name)
    if text not in ("0", "1"):
        raise unverified(name, "1 or 0 is needed")
    return text == "1"


def begins_at(fields: PhpArray, now: float) -> float:
    """When sending begins: at d_schedule in Minsk's time, or now if it is absent or has passed."""
    if "d_schedule" not in fields:
        return now
    text = fields.text("d_schedule")
    if not _SCHEDULE.fullmatch(text):
        raise unverified("d_schedule", "YYYY-MM-DD HH:MM is needed")
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=MINSK)
    except ValueError:
        raise unverified("d_schedule", "no such day or time") from None
    return max(now, moment.timestamp())
