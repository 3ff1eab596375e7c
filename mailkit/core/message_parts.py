"""What not every service takes of a message."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mailkit.errors import Unsupported
from mailkit.message import Message

__all__ = ["MessagePart", "check_parts"]

MessagePart = Literal["reply_to", "headers", "both bodies"]
"""A part of a message that only some services take."""


def check_parts(message: Message, service: str, takes: Collection[MessagePart] = ()) -> None:
    """Unsupported for a part of the message that the service does not take, by its name."""
    if message.reply_to is not None and "reply_to" not in takes:
        raise Unsupported(
            f"reply_to: {service} takes none, so that replies go to the sender: take reply_to out"
        )
    if message.headers and "headers" not in takes:
        names = ", ".join(message.headers)
        raise Unsupported(f"headers: {service} takes none: take headers ({names[:200]}) out")
    if message.html is not None and message.text is not None and "both bodies" not in takes:
        raise Unsupported(f"html and text: {service} takes one body: give one of them")
