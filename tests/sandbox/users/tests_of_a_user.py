"""The tests of somebody who uses mailkit; tests/sandbox/test_plugin.py runs them."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from mailkit import Devino, Journal, SendPulse, SmsBy, blocking
from mailkit.sandbox import Fault, Sandbox, SmsBySettings
from mailkit.testing import FakeClock

EMAIL: Any = {"sender": "news@shop.by", "to": "a@b.by", "subject": "Hi", "html": "<p>Hi</p>"}


@pytest.mark.asyncio
async def test_in_a_loop_of_the_test(mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy) -> None:
    await mailkit_smsby.emails.send(**EMAIL)
    assert mailkit_sandbox.truth.count("a@b.by") == 1


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("n", range(2))
async def test_in_a_loop_of_the_session(
    n: int, mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy
) -> None:
    await mailkit_smsby.emails.send(**EMAIL)
    assert mailkit_sandbox.truth.count("a@b.by") == 1
    mailkit_sandbox.smsby.settings.token = "changed"
    mailkit_sandbox.clock.advance(1e6)


@pytest.mark.anyio
@pytest.mark.parametrize("n", range(2))
async def test_with_anyio(n: int, mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy) -> None:
    await mailkit_smsby.emails.send(**EMAIL)
    assert mailkit_sandbox.truth.count("a@b.by") == 1


@pytest.mark.asyncio
async def test_of_the_others(
    mailkit_sandbox: Sandbox, mailkit_devino: Devino, mailkit_sendpulse: SendPulse
) -> None:
    await mailkit_devino.messages.send(
        sender="news@shop.by", recipients=["a@b.by"], subject="Hi", html="[Unsubscribe]"
    )
    assert mailkit_sandbox.truth.count("a@b.by") == 1
    assert mailkit_sandbox.sendpulse.settings.balance == 7
    await mailkit_sendpulse.balance.get()


def test_without_async(mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy) -> None:
    with blocking(lambda: mailkit_smsby) as smsby:
        smsby.emails.send(**EMAIL)
    assert mailkit_sandbox.truth.count("a@b.by") == 1


def test_in_loops_that_end(mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy) -> None:
    for _ in range(2):
        asyncio.run(mailkit_smsby.emails.send(**EMAIL))
    assert mailkit_sandbox.truth.mailed_twice == ["a@b.by"]


@pytest.mark.parametrize("n", range(2))
def test_of_what_lives_for_the_session(n: int, app: Any, mailkit_sandbox: Sandbox) -> None:
    app.emails.send(**EMAIL)
    assert mailkit_sandbox.truth.count("a@b.by") == 1


@pytest.mark.mailkit_sandbox(speed=0, smsby=SmsBySettings(token="mine"))
@pytest.mark.parametrize("n", range(2))
def test_with_a_sandbox_of_its_own(
    n: int, mailkit_sandbox: Sandbox, mailkit_session_sandbox: Sandbox
) -> None:
    assert mailkit_sandbox is not mailkit_session_sandbox
    assert os.environ["MAILKIT_SMSBY_TOKEN"] == "mine"
    assert os.environ["MAILKIT_SMSBY_URL"] == mailkit_sandbox.url
    assert mailkit_sandbox.sendpulse.settings.balance == 7
    assert mailkit_sandbox.smsby.settings.balance is None
    mailkit_sandbox.smsby.settings.balance = 1


@pytest.mark.usefixtures("mailkit_sandbox")
def test_the_environment_is_the_sandbox_s_alone(tmp_path: Path) -> None:
    assert os.environ["MAILKIT_JOURNAL"] == str(tmp_path / "journal.db")
    assert "MAILKIT_SENDPULSE_API_KEY" not in os.environ
    assert repr(SendPulse.from_env()).endswith(f"at {os.environ['MAILKIT_SENDPULSE_URL']}>")


@pytest.mark.asyncio
@pytest.mark.usefixtures("mailkit_sandbox")
async def test_a_journal_is_the_test_s_own(tmp_path: Path) -> None:
    async with await Journal.open():
        assert (tmp_path / "journal.db").exists()


def test_without_the_fixture() -> None:
    assert os.environ.get("MAILKIT_SMSBY_TOKEN") in (None, "sandbox-token")


@pytest.mark.asyncio
async def test_in_made_up_time(
    mailkit_clock: FakeClock, mailkit_sandbox: Sandbox, mailkit_smsby: SmsBy
) -> None:
    mailkit_sandbox.faults.add(Fault("rate_limited", retry_after=30, times=1))
    before = mailkit_sandbox.clock.now()
    await mailkit_smsby.with_options(attempts=2).templates.list()
    assert mailkit_clock.slept == [30]
    assert mailkit_sandbox.clock.now() == before + 30
