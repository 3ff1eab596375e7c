"""The delivery of an email step by step, and the addresses that have a meaning.

The beginning of an address decides; an email to any other address is delivered within half a
minute, and some of them are opened.

| address      | what happens                                                              |
|--------------|---------------------------------------------------------------------------|
| bounce…      | accepted, then undelivered with a reason                                  |
| expires…     | deferred, and given up after a day                                        |
| complaint…   | delivered; a minute later the recipient complains and is unsubscribed     |
| unsubscribes…| delivered; a minute later the recipient unsubscribes                      |
| leaves…      | the same, from everything of the sender and not from one list alone       |
| returns…     | unsubscribes, and another minute later subscribes again                   |
| unsubscribed…| refused as unsubscribed until subscribed again                            |
| invalid…     | refused as an incorrect address, although its form is right               |
| missing…     | accepted with the rest, then forgotten: never mailed, in no list          |
| opens…       | delivered and opened (if opens are tracked)                               |
| clicks…      | delivered, opened, and a link in it followed (if that is tracked)         |
| slow…        | deferred: delivered after an hour                                         |

A step is computed on demand, from the address, the time at which sending began, and the present.
No task runs for an email, and the same question has the same answer.
"""

import re
from collections.abc import Container, Iterator
from enum import StrEnum
from typing import Literal
from zlib import crc32

Meaning = Literal[
    "",
    "bounce",
    "expires",
    "complaint",
    "unsubscribes",
    "leaves",
    "returns",
    "unsubscribed",
    "invalid",
    "missing",
    "opens",
    "clicks",
    "slow",
]


class Step(StrEnum):
    """How far the delivery of an email has come."""

    QUEUED = "queued"
    SENT = "sent"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    COMPLAINED = "complained"

    __hash__ = str.__hash__  # an enum's own is slow, and a report asks for one at each step


_MEANINGS: tuple[Meaning, ...] = (
    "bounce",
    "expires",
    "complaint",
    "unsubscribes",
    "leaves",
    "returns",
    "unsubscribed",
    "invalid",
    "missing",
    "opens",
    "clicks",
    "slow",
)
LEAVE: frozenset[Meaning] = frozenset({"unsubscribes", "leaves", "returns", "unsubscribed"})
"""Those who unsubscribe once they are mailed."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])")

SENT_AFTER = 1.0
DEFERRED_AFTER = 2.0
COMPLAINT_AFTER = 60.0
RETURN_AFTER = 60.0
OPENED_AFTER = 30.0
CLICKED_AFTER = 30.0
SLOW = 3600.0
LIFETIME = 86400.0
BOUNCE = "550 mailbox does not exist"
FULL = "452 mailbox is full"
# A member's look-up costs as much as the rest of `step_at`, which runs for each row of a status.
_QUEUED, _SENT, _DELIVERED = Step.QUEUED, Step.SENT, Step.DELIVERED
_OPENED, _UNDELIVERED = Step.OPENED, Step.UNDELIVERED


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


def steps(address: str, *, tracked: bool, open_share: float) -> Iterator[tuple[float, Step]]:
    """The steps of an email with their seconds since sending began, in order.

    `open_share` is the share (0 to 1) of ordinary addresses that open a tracked email. Whoever
    unsubscribes or complains does so a minute after the arrival, `unsubscribed…` too, if mailed.
    """
    word = meaning(address)
    arrives = arrival(address)
    yield SENT_AFTER, _SENT
    if word in ("slow", "expires"):
        yield DEFERRED_AFTER, Step.DEFERRED
    if word in ("bounce", "expires"):
        yield arrives, _UNDELIVERED if word == "bounce" else Step.EXPIRED
        return
    yield arrives, _DELIVERED
    if word == "complaint":
        yield arrives + COMPLAINT_AFTER, Step.COMPLAINED
    elif word in LEAVE:
        yield arrives + COMPLAINT_AFTER, Step.UNSUBSCRIBED
        if word == "returns":
            yield arrives + COMPLAINT_AFTER + RETURN_AFTER, Step.SUBSCRIBED
    elif tracked:
        opens = _opens_after(address, word, open_share)
        if opens is not None:
            yield arrives + opens, _OPENED
            if word == "clicks":
                yield arrives + opens + CLICKED_AFTER, Step.CLICKED


def step_at(address: str, age: float, *, tracked: bool, open_share: float) -> Step:
    """The step that an email has reached `age` seconds after sending began.

    One of queued, sent, delivered, undelivered (which an expired one is, too) and opened, which is
    all that a status list shows.
    """
    if age < SENT_AFTER:
        return _QUEUED
    arrives = arrival(address)
    if age < arrives:
        return _SENT
    word = meaning(address)
    if word in ("bounce", "expires"):
        return _UNDELIVERED
    if tracked:
        opens = _opens_after(address, word, open_share)
        if opens is not None and age >= arrives + opens:
            return _OPENED
    return _DELIVERED


def arrival(address: str) -> float:
    """Seconds from the beginning of sending to delivery, or its end: 2 to 30, an hour more for slow
    ones, a day more for those that expire.
    """
    seconds = 2 + crc32(address.encode()) % 2800 / 100
    if address.startswith("slow"):
        return seconds + SLOW
    return seconds + LIFETIME if address.startswith("expires") else seconds


def failure(address: str) -> str:
    """What the receiving server says of an email that was not delivered."""
    return FULL if address.startswith("expires") else BOUNCE


def has_left(address: str, began: float, now: float) -> bool:
    """True if the recipient of the email, one who complains or leaves, has done so by `now`."""
    return now >= began + arrival(address) + COMPLAINT_AFTER


def opted_out(address: str, unsubscribed: Container[str], resubscribed: Container[str]) -> bool:
    """True if the address is unsubscribed: by its meaning, or by an earlier call."""
    if address in unsubscribed:
        return True
    return address.startswith("unsubscribed") and address not in resubscribed


def _opens_after(address: str, word: Meaning, open_share: float) -> float | None:
    """Seconds from the arrival of a tracked email until it is opened, if it ever is."""
    if word in ("opens", "clicks"):
        return OPENED_AFTER
    dice = crc32(address.encode()) >> 12
    return OPENED_AFTER + dice % 3600 if not word and dice % 1000 < open_share * 1000 else None
