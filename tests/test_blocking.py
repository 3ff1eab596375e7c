"""A client in code that is not async."""

from __future__ import annotations

import inspect
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailkit import MailkitError, SendPulse, SmsBy, blocking
from mailkit.errors import InvalidArgument
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
