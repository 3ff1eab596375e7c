"""Multipart forms as the standard library reads them."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message as Part

__all__ = ["as_read", "parts_of"]


def parts_of(content_type: str, body: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Name, file name, type and content of each part, as the standard library reads them."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    message: Part = email.message_from_bytes(head + body, policy=email.policy.compat32)
    assert message.is_multipart()
    assert not message.defects
    found = []
    for part in message.get_payload():
        assert isinstance(part, Part)
        headers = dict(part.raw_items())
        assert set(headers) <= {"Content-Disposition", "Content-Type"}
        names = _disposition(headers["Content-Disposition"])
        assert names is not None, headers
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((names[1], names[2], part.get_content_type(), content))
    return found


_disposition = re.compile(r'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?').fullmatch


def as_read(name: str) -> str:
    """A name as browsers write it, and as a reader that knows bytes alone sees it."""
    text = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return text.encode().decode("ascii", "surrogateescape")
