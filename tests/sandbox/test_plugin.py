import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

import mailkit.sandbox
from mailkit.sandbox import (
    Fault,
    Sandbox,
    SendPulseSettings,
    SmsBySettings,
    sandbox_in_thread,
)

from .conftest import MESSAGE, Api, Hook, request_bytes


def send(sandbox: Sandbox, address: str) -> object:
    form = {**MESSAGE, "token": sandbox.smsby.settings.token, "email": address}
    with urllib.request.urlopen(
        f"{sandbox.url}/api/v2/sendEmail", urlencode(form).encode(), timeout=10
    ) as answer:
        return json.load(answer)["result"]


def order(sandbox: Sandbox, address: str) -> None:
    body = {
        "Sender": {"Address": "news@shop.by", "Name": "Shop"},
        "Recipients": [{"Address": address}],
        "Subject": "Autumn",
        "Body": {"Html": "<p>Hello</p>[Unsubscribe]"},
    }
    key = f"Key {sandbox.devino.settings.api_key}"
    headers = {"Content-Type": "application/json", "Authorization": key}
    request = urllib.request.Request(
        f"{sandbox.url}/email/messages", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["result"][0]["messageId"]


def test_a_plain_test_gets_a_running_sandbox(mailkit_sandbox: Sandbox) -> None:
    assert send(mailkit_sandbox, "anna@mail.by") == {"email_id": 1234567}
    assert mailkit_sandbox.truth.count("anna@mail.by") == 1
    mailkit_sandbox.reset()
    assert mailkit_sandbox.truth.emails == 0
    assert mailkit_sandbox.clock.speed == 1


async def test_an_async_test_gets_the_same(mailkit_sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession(mailkit_sandbox.url) as session:
        api = Api(session, mailkit_sandbox.smsby.settings.token)
        assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result
    assert mailkit_sandbox.truth.emails == 1


@pytest.mark.mailkit_sandbox(speed=0, smsby=SmsBySettings(token="mine"))
def test_settings_come_from_the_marker(mailkit_sandbox: Sandbox) -> None:
    assert mailkit_sandbox.environment()["MAILKIT_SMSBY_TOKEN"] == "mine"
    before = mailkit_sandbox.clock.now()
    mailkit_sandbox.clock.advance(5)
    assert mailkit_sandbox.clock.now() == before + 5


def test_the_port_can_be_closed_from_another_thread(mailkit_sandbox: Sandbox) -> None:
    mailkit_sandbox.faults.add(Fault("refuse", seconds=1000))
    with pytest.raises(OSError, match="refused"):
        send(mailkit_sandbox, "anna@mail.by")
    mailkit_sandbox.faults.clear()
    assert send(mailkit_sandbox, "anna@mail.by")


def test_several_threads_may_read_while_it_works(mailkit_sandbox: Sandbox) -> None:
    sender = threading.Thread(
        target=lambda: [send(mailkit_sandbox, f"person{n}@mail.by") for n in range(40)]
    )
    sender.start()
    while sender.is_alive():
        assert mailkit_sandbox.truth.mailed_twice == []
        assert len(mailkit_sandbox.truth.kept) <= mailkit_sandbox.truth.emails
    sender.join()
    assert mailkit_sandbox.truth.emails == 40


def test_what_goes_wrong_at_the_start_is_raised() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="speed"), sandbox_in_thread(speed=-1):
        pass
    with sandbox_in_thread() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), sandbox_in_thread(port=port):
            pass
    assert threading.active_count() == before


def test_a_stopped_sandbox_can_still_be_asked() -> None:
    with sandbox_in_thread() as sandbox:
        send(sandbox, "anna@mail.by")
    assert sandbox.truth.emails == 1
    sandbox.faults.clear()
    sandbox.reset()


def test_it_starts_over_as_it_was_made() -> None:
    smsby = SmsBySettings(token="mine")
    with sandbox_in_thread(smsby=smsby, seed=7, speed=2) as sandbox:
        numbers = [sandbox.services["smsby"].shared.rng.random() for _ in range(3)]
        send(sandbox, "anna@mail.by")
        sandbox.adjust({"smsby.balance": 0, "sendpulse.posting.batch": 1, "smsby.token": "x"})
        sandbox.faults.add(Fault("refuse", seconds=1000))
        sandbox.clock.advance(1e6)
        sandbox.clock.speed = 0
        sandbox.start_over()
        assert sandbox.smsby.settings == SmsBySettings(token="mine")
        assert sandbox.sendpulse.settings == SendPulseSettings()
        assert sandbox.clock.speed == 2
        assert abs(sandbox.clock.now() - time.time()) < 1e5
        assert [sandbox.services["smsby"].shared.rng.random() for _ in range(3)] == numbers
        assert (sandbox.truth.emails, sandbox.requests) == (0, {})
        assert send(sandbox, "anna@mail.by")


def test_a_post_that_nobody_takes_does_not_hold_up_the_next_test() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        sandbox_in_thread(speed=0) as sandbox,
    ):
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        for _ in range(2):
            sandbox.devino.settings.callback_url = url
            order(sandbox, "anna@mail.by")
            taken, _ = deaf.accept()
            sandbox.start_over()
            taken.close()
            assert not sandbox.scheduler.deliveries
        assert asyncio.run(sandbox.deliver()) == 0


async def test_events_are_posted_from_any_loop(mailkit_sandbox: Sandbox, hook: Hook) -> None:
    mailkit_sandbox.devino.settings.callback_url = hook.url
    mailkit_sandbox.devino.settings.posting.every = 1000
    order(mailkit_sandbox, "anna@mail.by")
    assert await mailkit_sandbox.deliver() == 1
    assert [event["status"] for event in hook.events] == ["ACCEPTED"]


def test_it_works_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            api = Api(session, sandbox.smsby.settings.token)
            assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result
            sandbox.faults.add(Fault("reset_after_acting", times=1))
            host, port = sandbox.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            message = {**MESSAGE, "message": "x", "email": "a@b.by", "token": api.token}
            writer.write(request_bytes("sendEmail", message))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.transport.abort()
            assert sandbox.truth.emails == 2
            sandbox.faults.add(Fault("refuse", seconds=1000))
            async with aiohttp.ClientSession(sandbox.url) as fresh:
                again = Api(fresh, api.token)
                with pytest.raises(aiohttp.ClientConnectorError):
                    await again("statusBulkEmail", uuid="x")
                sandbox.faults.clear()
                assert (await again("statusBulkEmail", uuid="x")).status == 200

    uvloop.run(run())


def loaded(statement: str) -> set[str]:
    """The modules that a statement loads, with an empty `mailkit` above the sandbox."""
    script = (
        "import sys, types; sys.modules['mailkit'] = parent = types.ModuleType('mailkit');"
        f"parent.__path__ = {[*mailkit.__path__]!r}; {statement}; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_plugin_alone_loads_no_server() -> None:
    modules = loaded("import mailkit.sandbox.pytest_plugin")
    assert "mailkit.sandbox.pytest_plugin" in modules
    assert not modules & {"aiohttp", "attr", "mailkit.sandbox.server"}


def test_the_sandbox_imports_nothing_else_of_mailkit() -> None:
    modules = loaded("from mailkit.sandbox import *")
    assert "mailkit.sandbox.server" in modules
    assert not {name for name in modules if name.startswith("mailkit.")} - {
        name for name in modules if name.split(".")[1:2] == ["sandbox"]
    }


@pytest.mark.parametrize("workers", ["0", "2"])
def test_users_with_other_plugins_modes_and_scopes(workers: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    shutil.copy(Path(__file__).parent / "users" / "conftest.py", tmp_path)
    shutil.copy(Path(__file__).parent / "users" / "tests_of_a_user.py", tmp_path / "test_user.py")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    options = ["-o", "asyncio_mode=strict", "--strict-markers", "-n", workers]
    variables = {**os.environ, "MAILKIT_SENDPULSE_API_KEY": "the developer's own"}
    done = subprocess.run(
        [*command, *options, "."],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=variables,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 passed" in done.stdout
    assert not done.stderr


def test_the_public_names_are_all_there() -> None:
    for name in mailkit.sandbox.__all__:
        assert getattr(mailkit.sandbox, name)
    with pytest.raises(AttributeError, match="nothing_such"):
        mailkit.sandbox.nothing_such  # noqa: B018
