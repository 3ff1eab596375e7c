"""What becomes of a message after it was accepted, and the addresses that have a meaning.

The beginning of an address decides; every other address is delivered within half a minute, and
some of them open the message.

| address      | what happens                                                              |
|--------------|---------------------------------------------------------------------------|
| bounce…      | accepted, then undelivered with a reason                                   |
| complaint…   | delivered; a minute later the person has unsubscribed                      |
| unsubscribed…| refused as unsubscribed, until subscribed again                            |
| invalid…     | refused as an incorrect address, though its form is right                  |
| missing…     | accepted with the rest, then forgotten: never mailed, in no list           |
| opens…       | delivered and opened (if opens are tracked)                                |
| slow…        | deferred: waits for an hour before it is delivered                         |

A state is worked out when somebody asks: from the address, the time at which sending began, and
the present. No task runs for a message, and the same question has the same answer.
"""

import re
from collections.abc import Container
from typing import Literal
from zlib import crc32

import attrs

Meaning = Literal["", "bounce", "complaint", "unsubscribed", "invalid", "missing", "opens", "slow"]
Stage = Literal["queued", "sent", "delivered", "opened", "undelivered"]

_MEANINGS: tuple[Meaning, ...] = (
    "bounce",
    "complaint",
    "unsubscribed",
    "invalid",
    "missing",
    "opens",
    "slow",
)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])")

SENT_AFTER = 1.0
COMPLAINT_AFTER = 60.0
OPENED_AFTER = 30.0
SLOW = 3600.0


@attrs.frozen
class State:
    """The stage of a message and, if it was not delivered, the reason."""

    stage: Stage
    error: str = ""


def is_address(text: str) -> bool:
    """True for a plain ASCII address with a dotted domain, at most 254 characters long."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def meaning(address: str) -> Meaning:
    """The word that the address begins with, or ""."""
    if address.startswith(_MEANINGS):
        for word in _MEANINGS:
            if address.startswith(word):
                return word
    return ""


def state(address: str, began: float, now: float, *, tracked: bool, open_share: float) -> State:
    """The state at `now` of a message whose sending began at `began` (sandbox seconds).

    `open_share` is the share (0 to 1) of ordinary addresses that open a tracked message.
    """
    age = now - began
    if age < SENT_AFTER:
        return _QUEUED
    word = meaning(address)
    arrives = arrival(address)
    if age < arrives:
        return _SENT
    if word == "bounce":
        return _BOUNCED
    if not tracked:
        return _DELIVERED
    if word == "opens":
        return _OPENED if age >= arrives + OPENED_AFTER else _DELIVERED
    dice = opening_dice(address)
    if not word and dice % 1000 < open_share * 1000:
        return _OPENED if age >= arrives + OPENED_AFTER + dice % 3600 else _DELIVERED
    return _DELIVERED


def arrival(address: str) -> float:
    """Seconds from the beginning of sending to delivery: 2 to 30, an hour more for slow ones."""
    seconds = 2 + crc32(address.encode()) % 2800 / 100
    return seconds + SLOW if meaning(address) == "slow" else seconds


def opening_dice(address: str) -> int:
    """A number that decides whether and when an ordinary address opens a message."""
    return crc32(address.encode()) >> 12


def complained(address: str, began: float, now: float) -> bool:
    """True if the message's reader has complained by `now`."""
    return now >= began + arrival(address) + COMPLAINT_AFTER


def opted_out(address: str, unsubscribed: Container[str], resubscribed: Container[str]) -> bool:
    """True if the address is unsubscribed: by its meaning, or by an earlier call."""
    if address in unsubscribed:
        return True
    return address.startswith("unsubscribed") and address not in resubscribed


_QUEUED = State("queued")
_SENT = State("sent")
_DELIVERED = State("delivered")
_OPENED = State("opened")
_BOUNCED = State("undelivered", "550 mailbox does not exist")
