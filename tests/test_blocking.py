"""A client in code that is not async."""

from __future__ import annotations

import contextlib
import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mailkit import BulkSender, MailkitError, SendPulse, SmsBy, blocking
from mailkit.errors import InvalidArgument, Refused
from mailkit.sandbox import Sandbox


@pytest.fixture(autouse=True)
def at_the_sandbox(mailkit_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in mailkit_sandbox.environment().items():
        monkeypatch.setenv(name, value)


def test_calls_block_and_return_what_they_would_be_awaited_for(mailkit_sandbox: Sandbox) -> None:
    message = {"sender": "news@shop.by", "subject": "Hi", "html": "<p>Hi</p>"}
    with blocking(SmsBy.from_env) as smsby:
        assert smsby.emails.send(to="a@mail.by", **message).email_id
        assert (
            smsby.with_options(timeout=5).emails.send.raw(to="b@mail.by", **message).status == 200
        )
        assert (smsby.name, smsby.emails.send.__name__) == ("smsby", "send")
        assert "subject" in inspect.signature(smsby.emails.send).parameters
        assert "emails" in dir(smsby)
        with pytest.raises(InvalidArgument, match="html: give text, not a list"):
            smsby.emails.send(to="a@mail.by", **{**message, "html": ["x"]})
        with pytest.raises(MailkitError):
            smsby.bulk.status("no such")
        addresses = [f"n{n}@mail.by" for n in range(8)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda to: smsby.emails.send(to=to, **message), addresses))
    everybody = ["a@mail.by", "b@mail.by", *addresses]
    assert [mailkit_sandbox.truth.count(address) for address in everybody] == [1] * 10


def test_what_iterates_does_so() -> None:
    with blocking(SendPulse.from_env) as sendpulse:
        made = sendpulse.mailing_lists.create("Autumn")
        assert made in [one.id for one in sendpulse.mailing_lists.iter_lists()]
        assert sendpulse.mailing_lists.find_by_name("Autumn").id == made


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_is_told_so() -> None:
    with blocking(SmsBy.from_env) as smsby:
        child = os.fork()
        if not child:
            code = 1
            try:
                smsby.templates.list()
            except InvalidArgument:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert smsby.templates.list()


def test_a_client_outside_of_its_block_says_so(mailkit_sandbox: Sandbox) -> None:
    block = blocking(SmsBy.from_env)
    with pytest.raises(InvalidArgument, match="emails: use the client in its block: with blocking"):
        _ = block.emails  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with block as smsby:
        emails = smsby.emails
        with pytest.raises(InvalidArgument, match="this block has been entered"), block:
            pass
    with pytest.raises(InvalidArgument, match="block has ended: create another client"):
        emails.send(sender="news@shop.by", to="a@mail.by", subject="Hi", html="<p>Hi</p>")
    with block as smsby:
        assert smsby.templates.list()
    assert mailkit_sandbox.truth.count("a@mail.by") == 0


def test_what_makes_no_client_is_refused() -> None:
    wrong: Any = SmsBy("t")
    with pytest.raises(
        InvalidArgument, match=r"give a function that creates the client: blocking\(lambda: SmsBy"
    ):
        blocking(wrong)
    for nothing in (None, "smsby"):
        with pytest.raises(InvalidArgument, match="give a function that creates"):
            blocking(nothing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def later() -> SmsBy:
        return SmsBy("t")

    for make in (lambda: 5, later, lambda: BulkSender(SmsBy("t"))):
        odd: Any = make
        with pytest.raises(InvalidArgument, match="blocking is for clients"), blocking(odd):
            pass


class Held:
    """A server that takes requests and holds its responses back."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.taken = threading.Event()
        self.answers = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection, self._server:
            connection.recv(65_536)
            self.taken.set()
            self.answers.wait(20)
            with contextlib.suppress(OSError):
                connection.sendall(
                    b"HTTP/1.1 400 No\r\nContent-Length: 14\r\n\r\n" + b'{"error":"no"}'
                )


def check_what_is_known(smsby: Any) -> None:
    """Of a call that Ctrl-C meets once the server has taken it."""
    with pytest.raises(KeyboardInterrupt) as caught:
        smsby.emails.send(sender="news@shop.by", to="a@mail.by", subject="Hi", html="<p>Hi</p>")
    assert caught.value.__notes__ == [
        "smsby.emails.send was cancelled: the service may have processed it: check there"
    ]


def test_a_call_that_is_interrupted_says_what_is_known() -> None:
    server = Held()

    def interrupt() -> None:
        server.taken.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    with blocking(lambda: SmsBy("abcdefgh", server.url)) as smsby:
        threading.Thread(target=interrupt).start()
        check_what_is_known(smsby)
    server.answers.set()


def test_a_call_that_is_interrupted_as_it_starts_says_what_is_known() -> None:
    server = Held()

    class Calls(set[Any]):
        def add(self, call: Any) -> None:
            server.taken.wait(20)
            raise KeyboardInterrupt

    with blocking(lambda: SmsBy("abcdefgh", server.url)) as smsby:
        smsby._thread._calls = Calls()
        check_what_is_known(smsby)
    server.answers.set()


def test_a_block_ends_after_the_calls_of_other_threads() -> None:
    server = Held()
    with ThreadPoolExecutor(1) as threads:
        with blocking(lambda: SmsBy("abcdefgh", server.url)) as smsby:
            found = threads.submit(smsby.templates.list)
            assert server.taken.wait(20)
            threading.Timer(0.05, server.answers.set).start()
        assert server.answers.is_set()  # the block waited
        assert isinstance(found.exception(20), Refused)


def test_a_block_that_is_never_left_does_not_hold_the_interpreter() -> None:
    program = (
        "from mailkit import SmsBy, blocking\n"
        "smsby = blocking(lambda: SmsBy('t')).__enter__()\n"
        "print(smsby.with_options(timeout=5).name)\n"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "smsby\n", "")
