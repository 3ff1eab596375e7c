"""What each provider makes of each field of a Message: it goes out, or it is refused by name
before anything is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from mailkit import Attachment, BulkSender, Journal, Message, Recipient, read_recipients
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.sandbox import Sandbox
from mailkit.testing import FakeClock

from .job import CLIENTS, PROVIDERS

SENDER = "Shop <news@shop.by>"
HTML = "<p>Hello {{ name }}</p><a href='{{ unsubscribe }}'>Leave</a>"
TEXT = "Hello {{ name }} {{ unsubscribe }}"
FILES = tuple(Attachment(f"{n}.pdf", b"%PDF-1.4", "application/pdf") for n in range(6))
PERSON = "opens@example.com"
LATER = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=2)

GIVEN: Mapping[str, Mapping[str, Any]] = {
    "sender": {"sender": SENDER},
    "subject": {"subject": "Autumn"},
    "subject with a placeholder": {"subject": "Hello {{ name }}"},
    "html": {"html": HTML},
    "html without unsubscribe": {"html": "<p>Hello {{ name }}</p>"},
    "text": {"html": None, "text": TEXT},
    "html and text": {"text": TEXT},
    "reply_to": {"reply_to": "answers@shop.by"},
    "headers": {"headers": {"List-Unsubscribe": "<mailto:leave@shop.by>"}},
    "attachments": {"attachments": FILES[:1]},
    "attachments, six": {"attachments": FILES},
    "send_at": {"send_at": LATER},
    "send_at in a zone": {"send_at": LATER},
    "track_opens": {"track_opens": False},
    "track_clicks": {"track_clicks": False},
}
"""Each field in a message of its own, by its name and what is special about it."""

REFUSED: Mapping[tuple[str, str], str] = {
    **{(name, "html and text"): "html and text" for name in PROVIDERS},
    **{(name, "reply_to"): "reply_to" for name in PROVIDERS},
    **{(name, "headers"): "headers" for name in PROVIDERS},
    ("smsby", "attachments"): "attachments",
    ("smsby", "attachments, six"): "attachments",
    ("devino", "subject with a placeholder"): "subject",
    ("devino", "html without unsubscribe"): "unsubscribe",
    ("devino", "send_at"): "send_at",
    ("devino", "send_at in a zone"): "send_at",
    ("devino", "track_opens"): "track_opens",
    ("devino", "track_clicks"): "track_clicks",
    ("sendpulse", "text"): "text",
    ("sendpulse", "attachments, six"): "attachments",
    ("sendpulse", "send_at"): "send_at",
}
"""What a provider can't do, with the word by which it is refused."""


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(speed=0, seed=1) as running:
        running.sendpulse.settings.requests_per_second = 11
        yield running


def test_every_field_is_here() -> None:
    names = {field.name for field in attrs.fields(Message)}
    assert {given.split(",")[0].split(" ")[0] for given in GIVEN} == names


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_field_goes_out_or_is_refused_by_name(
    provider: str, given: str, sandbox: Sandbox
) -> None:
    fields: dict[str, Any] = {"sender": SENDER, "subject": "Autumn", "html": HTML, **GIVEN[given]}
    message = Message(**fields)
    clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
    zone = {"zone": "UTC"} if provider == "sendpulse" and given.endswith("zone") else {}
    journal = await Journal.open(":memory:")
    async with (
        CLIENTS[provider](sandbox, clock=clock, hooks=[clock.hook], **zone) as client,
        BulkSender(client, journal=journal, clock=clock) as sender,
    ):
        people = read_recipients([Recipient(PERSON, {"name": "Anna"})])
        word = REFUSED.get((provider, given))
        if word is not None:
            with pytest.raises((Unsupported, InvalidArgument), match=word):
                await sender.start(message, people, name="autumn")
            assert not sandbox.requests, "it was refused after a request"
            assert not await journal.jobs.list()
        else:
            job = await sender.start(message, people, name="autumn")
            assert (await job.wait()).counts.accepted == 1
            clock.advance(3 * 86400.0)
            sandbox.sendpulse.tick(sandbox.clock.now())
            _check(sandbox, message)
    await journal.close()


def _check(sandbox: Sandbox, message: Message) -> None:
    [email] = sandbox.truth.kept
    assert (email.address, email.sender) == (PERSON, "news@shop.by")
    assert email.subject == message.subject.replace("{{ name }}", "Anna")
    assert "Hello Anna" in email.body
    assert "{{" not in email.body
    assert [file.name for file in email.attachments] == [file.name for file in message.attachments]
    [outcome] = sandbox.outcomes(in_the_end=True)
    assert outcome.state == ("delivered" if message.track_opens is False else "opened")
    if message.send_at is not None:
        begun = sandbox.smsby.account.messages.values()
        at = {one.sending.begins_at for one in begun} or {email.at}
        assert at == {message.send_at.timestamp()}
