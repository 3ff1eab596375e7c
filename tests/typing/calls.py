"""Checked by mypy --strict and pyright, never run: what the clients' methods take and return.

Each ``type: ignore`` stands for a misuse that the checkers must refuse: mypy reports an ignore
that is not needed.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import assert_type

from mailkit.address import Address
from mailkit.core.call import CallResult
from mailkit.core.client import Client
from mailkit.core.quota import LocalPermits, Permits, Quota
from mailkit.providers.smsby import (
    BulkStatus,
    EmailStatus,
    ImportContactsResult,
    PersonalMessage,
    SendBulkResult,
    SendEmailResult,
    SendToListResult,
    SmsBy,
    Template,
)


async def answers(smsby: SmsBy, at: datetime) -> None:
    sent = await smsby.emails.send(
        sender=Address("a@b.by"), to="c@d.by", subject="s", html="h", send_at=at, attachment=Path()
    )
    assert_type(sent, SendEmailResult)
    reply = await smsby.emails.send.raw(sender="a@b.by", to="c@d.by", subject="s", html="h")
    assert_type(reply, CallResult[SendEmailResult])
    assert_type(reply.value.email_id, int)
    listed = await smsby.emails.send_to_list(list_id=1, sender="a@b.by", subject="s", html="h")
    assert_type(listed, SendToListResult)
    assert_type(await smsby.emails.delivery_list(1), list[EmailStatus])
    letters = [PersonalMessage("a@b.by", "s", "m")]
    assert_type(await smsby.bulk.send(sender="a@b.by", delivery_list=letters), SendBulkResult)
    assert_type(await smsby.bulk.status("uuid"), list[BulkStatus])
    await smsby.subscriptions.subscribe("a@b.by")
    await smsby.subscriptions.unsubscribe("a@b.by", [1], reason="asked")
    assert_type(await smsby.templates.list(), list[Template])
    assert_type(await smsby.mailing_lists.create("name"), int)
    assert_type(
        await smsby.mailing_lists.import_contacts(1, ["email"], [["a@b.by"]]), ImportContactsResult
    )


async def misuses(smsby: SmsBy, naive: str) -> None:
    await smsby.emails.send(sender="a@b.by", to="c@d.by", subject="s")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await smsby.emails.send("a@b.by", to="c@d.by", subject="s", html="h")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await smsby.emails.send(sender=1, to="c@d.by", subject="s", html="h")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await smsby.emails.send(sender="", to="", subject="", html="", text="")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await smsby.emails.send(sender="", to="", subject="", html="", send_at=naive)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await smsby.emails.delivery_list("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await smsby.emails.delivery_list.raw()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await smsby.bulk.send(sender="", delivery_list=[1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    smsby.emails.nothing()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    SmsBy()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SmsBy("t", zone=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SmsBy.from_env(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def clients(smsby: SmsBy) -> None:
    assert_type(smsby.with_options(timeout=3), SmsBy)
    assert_type(SmsBy.from_env(account="a"), SmsBy)
    assert_type(smsby.name, str)
    async with smsby as same:
        assert_type(same, SmsBy)
    permits: Permits = LocalPermits({"requests": Quota(1, 1.0)})
    assert_type(smsby.with_permits(permits), SmsBy)


def a_client_of_any_kind(client: Client) -> None:
    assert_type(client.with_options(attempts=1), Client)
