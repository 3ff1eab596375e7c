"""The parts of a message that not every service supports."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mailkit.errors import Unsupported
from mailkit.message import Message

__all__ = ["MessagePart", "check_parts"]

MessagePart = Literal["reply_to", "headers", "both bodies"]
"""A part of a message that only some services take."""


def check_parts(message: Message, service: str, takes: Collection[MessagePart] = ()) -> None:
    """Raise Unsupported, with the part's name, for a part that the service does not take."""
    if message.reply_to is not None and "reply_to" not in takes:
        raise Unsupported(
            f"reply_to: {service} does not support it; replies go to the sender: remove reply_to"
        )
    if message.headers and "headers" not in takes:
        names = ", ".join(message.headers)
        raise Unsupported(f"headers: {service} takes no headers of your own: remove {names[:200]}")
    if message.html is not None and message.text is not None and "both bodies" not in takes:
        raise Unsupported(f"html and text: {service} takes only one body: keep one of them")
