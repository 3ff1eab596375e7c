"""Reads what was posted: as a whole, or item by item where one of them can't be read."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailkit.core.webhook_items import split_items
from mailkit.errors import InvalidArgument
from mailkit.events import WebhookEvent
from mailkit.providers import WebhookParser

__all__ = ["Parsed", "parse_post"]


@attrs.frozen
class Parsed:
    """The events of a post, how many of its items could not be read, and why not the first."""

    events: Sequence[WebhookEvent]
    left_out: int = 0
    why: str = ""


def parse_post(parse: WebhookParser, body: bytes) -> Parsed:
    """What can be read of a post's body; InvalidArgument if nothing can.

    A service may repeat a post that is refused as it was, or never: an odd item must not cost the
    others.
    """
    try:
        return Parsed(parse(body))
    except InvalidArgument as error:
        items = split_items(body)
        events: list[WebhookEvent] = []
        left_out = 0
        for item in items:
            try:
                events += parse(item)
            except InvalidArgument:
                left_out += 1
        if left_out == len(items):
            raise
        return Parsed(events, left_out, str(error))
