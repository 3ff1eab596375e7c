"""The way of a message step by step, in the words of `mailkit.sandbox.delivery`.

`delivery.state` answers what became of a message by a moment; here stands when each step comes, for
services that announce the steps.
"""

from collections.abc import Iterator
from typing import Literal

from mailkit.sandbox.delivery import (
    COMPLAINT_AFTER,
    OPENED_AFTER,
    SENT_AFTER,
    arrival,
    meaning,
    opening_dice,
)

Step = Literal[
    "sent", "deferred", "delivered", "undelivered", "opened", "unsubscribed", "complained"
]


def journey(address: str, *, tracked: bool, open_share: float) -> Iterator[tuple[float, Step]]:
    """The steps of a message with their seconds after the beginning of sending, in order.

    The reader of a message to `unsubscribed…` leaves, the reader of one to `complaint…` complains,
    both a minute after it has come.
    """
    word = meaning(address)
    arrives = arrival(address)
    yield SENT_AFTER, "sent"
    if word == "slow":
        yield SENT_AFTER + 1, "deferred"
    if word == "bounce":
        yield arrives, "undelivered"
        return
    yield arrives, "delivered"
    if word == "complaint":
        yield arrives + COMPLAINT_AFTER, "complained"
    elif word == "unsubscribed":
        yield arrives + COMPLAINT_AFTER, "unsubscribed"
    elif tracked and word == "opens":
        yield arrives + OPENED_AFTER, "opened"
    elif tracked and not word:
        dice = opening_dice(address)
        if dice % 1000 < open_share * 1000:
            yield arrives + OPENED_AFTER + dice % 3600, "opened"
