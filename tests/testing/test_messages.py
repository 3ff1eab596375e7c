"""What a test may ask the sandbox for, alike for all providers; and what it reads if that fails."""

from __future__ import annotations

import pytest

from mailkit import BulkSender, Devino, Message, SendPulse, SmsBy, read_recipients
from mailkit.sandbox import Sandbox
from mailkit.sandbox.truth import AttachedFile
from mailkit.testing import FakeClock

from ..approval import approve

MESSAGE = Message(
    "Shop <news@shop.by>",
    "Autumn",
    html='<p>Hello {{ name }}</p><a href="https://shop.by/">Shop</a> {{ unsubscribe }}',
)
PROVIDERS = ["smsby", "sendpulse", "devino"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_message_is_found_by_its_address(
    provider: str,
    mailkit_sandbox: Sandbox,
    mailkit_clock: FakeClock,
    request: pytest.FixtureRequest,
) -> None:
    client: SmsBy | SendPulse | Devino = request.getfixturevalue(f"mailkit_{provider}")
    rows = read_recipients(
        [{"email": "A@b.by", "name": "Anna"}, {"email": "opens@b.by", "name": "Boris"}]
    )
    async with client, BulkSender(client, clock=mailkit_clock) as sender:
        job = await sender.start(MESSAGE, rows, name="autumn")
        await job.wait()
    message = mailkit_sandbox.one_message_to(" a@B.by")
    for asked in ("a@b.by", "Anna <A@b.by> ", "<a@b.by>"):
        assert mailkit_sandbox.messages_to(asked) == [message]
    assert (message.address, message.service) == ("a@b.by", provider)
    assert (message.sender, message.sender_name) == ("news@shop.by", "Shop")
    assert message.subject == "Autumn"
    assert "<p>Hello Anna</p>" in message.html
    assert message.text.startswith("Hello Anna\nShop (https://shop.by/)")
    assert "{{" not in message.html
    assert (message.campaign is not None) == (provider == "sendpulse")
    if provider != "smsby":  # which gets each message with its values in it
        assert message.values == {"name": "Anna"}
    other = mailkit_sandbox.one_message_to("opens@b.by")
    mailkit_sandbox.clock.advance(3600)
    assert mailkit_sandbox.history(other)[-3:] == ["sent", "delivered", "opened"]


@pytest.mark.mailkit_sandbox(speed=0)
async def test_a_message_that_is_missing_says_what_there_is(
    mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy, mailkit_sendpulse: SendPulse
) -> None:
    with pytest.raises(AssertionError) as nothing:
        mailkit_sandbox.one_message_to("a@b.by")
    approve("no message, no request", str(nothing.value))
    await mailkit_smsby.templates.list()
    with pytest.raises(AssertionError) as nobody:
        mailkit_sandbox.one_message_to("a@b.by")
    approve("no message, nobody mailed", str(nobody.value))
    for n in range(7):
        await mailkit_smsby.emails.send(
            sender="news@shop.by", to=f"anna{n // 2}@b.by", subject="Hi", html="<p>Hi</p>"
        )
    with pytest.raises(AssertionError) as others:
        mailkit_sandbox.one_message_to("ana3@b.by")
    approve("no message, others mailed", str(others.value))
    with pytest.raises(AssertionError) as twice:
        mailkit_sandbox.one_message_to("anna0@b.by")
    approve("two messages instead of one", str(twice.value))
    made = await mailkit_sendpulse.mailing_lists.create("autumn")
    await mailkit_sendpulse.mailing_lists.add_contacts(made, ["c@d.by"])
    await mailkit_sendpulse.campaigns.create(
        sender="Shop <news@shop.by>", subject="Hi", html="<p>Hi</p>", list_id=made
    )
    with pytest.raises(AssertionError, match=r"due in 5 s: sandbox\.clock\.advance\(6\)"):
        mailkit_sandbox.one_message_to("c@d.by")
    mailkit_sandbox.clock.advance(606)
    assert mailkit_sandbox.one_message_to("c@d.by").campaign


def test_a_history_is_of_a_message(mailkit_sandbox: Sandbox) -> None:
    with pytest.raises(TypeError, match=r"history is of a message, .* not 'a@b.by'"):
        mailkit_sandbox.history("a@b.by")  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", ["sendpulse", "devino"])
async def test_values_are_as_they_were_sent(
    provider: str,
    mailkit_sandbox: Sandbox,
    mailkit_clock: FakeClock,
    request: pytest.FixtureRequest,
) -> None:
    client: SendPulse | Devino = request.getfixturevalue(f"mailkit_{provider}")
    async with client, BulkSender(client, clock=mailkit_clock) as sender:
        rows = read_recipients([{"email": "a@b.by", "name": "<Anna>"}])
        await (await sender.start(MESSAGE, rows)).wait()
    message = mailkit_sandbox.one_message_to("a@b.by")
    assert message.values == {"name": "&lt;Anna&gt;"}
    assert message.text.startswith("Hello <Anna>")


async def test_attachments_and_plain_text(
    mailkit_sandbox: Sandbox, mailkit_devino: Devino, mailkit_smsby: SmsBy
) -> None:
    file = await mailkit_devino.files.upload(b"price", "price.txt")
    await mailkit_devino.messages.send(
        sender="news@shop.by",
        recipients=["a@b.by"],
        subject="Hi",
        text="Hi [Unsubscribe]",
        attachment_ids=[file.file_id],
    )
    message = mailkit_sandbox.one_message_to("a@b.by")
    assert message.html == ""
    assert message.text == message.body == "Hi https://devino.sandbox.example/unsubscribe/a@b.by"
    assert message.attachments == (AttachedFile("price.txt", 5),)


async def test_what_pytest_shows_is_short(mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy) -> None:
    addresses = [f"a{n}@b.by" for n in range(500)]
    await mailkit_smsby.bulk.send(
        sender="news@shop.by", delivery_list=addresses, subject="Hi", html="<p>Hi</p>" * 1000
    )
    truth = mailkit_sandbox.truth
    shown = [
        repr(mailkit_sandbox).replace(mailkit_sandbox.url, "URL"),
        repr(truth.kept[0]),
        repr(truth.kept[0].content),
        repr(truth.mailings),
        repr(truth.compare(["x@y.by"])),
        repr(truth.compare(addresses)),
        repr(mailkit_sandbox.requests.last[0]),
    ]
    approve("what a failing test shows", "\n".join(shown))
