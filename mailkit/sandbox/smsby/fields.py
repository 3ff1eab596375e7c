"""Reading the parameters of an sms.by call, and the shapes in which the host refuses."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.php import PhpArray, is_number
from mailkit.sandbox.service import Refusal, Response
from mailkit.sandbox.smsby.state import Context, MailingList
from mailkit.sandbox.truth import normalized

MINSK = ZoneInfo("Europe/Minsk")

_SCHEDULE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)


def error_at_200(text: str) -> Refusal:
    """The error is in a successful HTTP response."""
    return Refusal(Response(200, {"error": text}))


def status_error(status: int, text: str) -> Refusal:
    """The error is a message next to a status word."""
    return Refusal(Response(status, {"status": "error", "message": text}))


def required(fields: PhpArray, *names: str) -> None:
    """Refuse with HTTP 400 if one of the fields is absent or empty."""
    for name in names:
        if not fields.get(name):
            raise Refusal(Response(400, {"error": f"Required parameter {name} not given"}))


def address(fields: PhpArray, name: str) -> str:
    """The normalized address in the field; HTTP 421 if it cannot be one."""
    found = normalized(fields.text(name))
    if not is_address(found):
        raise unverified(name, "not an e-mail address")
    return found


def unverified(name: str, reason: str) -> Refusal:
    """The host's response to a value of the wrong form."""
    return status_error(421, f"Validation of {name} failed: {reason}")


def number(fields: PhpArray, name: str) -> int:
    """The field as a positive number; HTTP 421 if it is not one."""
    text = fields.text(name).strip()
    if not is_number(text):
        raise unverified(name, "a number is needed")
    return int(text)


def mailing_list(context: Context, number: int) -> MailingList:
    """The mailing list of that number; HTTP 404 if there is none."""
    found = context.account.lists.get(number)
    if found is None:
        raise status_error(404, "Mailing list not found")
    return found


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
