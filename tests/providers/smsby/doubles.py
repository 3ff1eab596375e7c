"""sms.by over a transport that plays a script."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path
from urllib.parse import parse_qsl

from mailkit.core.wire import Response
from mailkit.providers.smsby import SmsBy
from mailkit.testing import FakeClock

from ...core.doubles import Script

SAMPLES = Path(__file__).parents[2] / "samples" / "smsby"


def sample(name: str, status: int = 200) -> Response:
    return Response(status, {}, (SAMPLES / f"{name}.json").read_bytes())


def client(
    script: Script,
    *,
    multipart: bool = True,
    zone: str = "Europe/Minsk",
    text_at_top: bool = False,
) -> SmsBy:
    return SmsBy(
        "TOKEN",
        transport=script,
        clock=FakeClock(),
        multipart=multipart,
        zone=zone,
        text_at_top=text_at_top,
        account="me",
    )


def form(script: Script) -> dict[str, str]:
    """The fields of the last request, as PHP reads them."""
    _, _, headers, body = script.requests[-1]
    assert body is not None
    if headers["Content-Type"].startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    fields = {}
    for part in message_from_bytes(head + body).walk():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if name is not None and isinstance(data, bytes):
            fields[str(name)] = data.decode()
    return fields


def is_multipart(script: Script) -> bool:
    return script.requests[-1][2]["Content-Type"].startswith("multipart/form-data")
