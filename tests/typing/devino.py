"""Checked by mypy --strict and pyright, never run: what Devino's methods take and return."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import assert_type

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.core.call import CallResult
from mailkit.provider import Provider
from mailkit.providers.devino import (
    Devino,
    MessageRecipient,
    RecipientInDoubt,
    RefusedRecipient,
    SendMessagesResult,
    UploadedFile,
)


async def answers(devino: Devino) -> None:
    to: list[MessageRecipient | Address | str]
    to = [MessageRecipient("a@b.by", merge_fields={"name": "A"}), Address("c@d.by"), "e@f.by"]
    sent = await devino.messages.send(recipients=to, sender="a@b.by", subject="s", html="h")
    assert_type(sent, SendMessagesResult)
    assert_type(sent.refused, tuple[RefusedRecipient, ...])
    assert_type(sent.in_doubt, tuple[RecipientInDoubt, ...])
    reply = await devino.messages.send.raw(recipients=to, sender="a@b.by", subject="s", text="t")
    assert_type(reply, CallResult[SendMessagesResult])
    assert_type(await devino.files.upload(Path()), UploadedFile)
    assert_type(await devino.files.upload(b"", "a.pdf"), UploadedFile)
    assert_type(await devino.files.upload(Attachment("a.pdf", b"")), UploadedFile)
    assert_type(Devino.from_env(account="a"), Devino)
    provider: Provider = devino
    assert_type(provider.name, str)


async def misuses(devino: Devino, at: datetime) -> None:
    await devino.messages.send(sender="a@b.by", subject="s", html="h")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await devino.messages.send(["a@b.by"], sender="", subject="", html="")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await devino.messages.send(recipients=[1], sender="", subject="", html="")  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    await devino.messages.send(recipients=[], sender="", subject="", html="", send_at=at)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await devino.files.upload("a.pdf")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await devino.files.upload(Path(), category="OTHER")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Devino()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Devino.from_env(zone="Europe/Minsk")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
