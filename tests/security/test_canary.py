"""The token never comes to light: not in an answer's echo, a log, a traceback, a file, a report."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.bulk.engine import EngineSettings
from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.core.client import Attempt, Client
from mailkit.core.quota import Quota
from mailkit.core.secret import Secret, scrub
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    JobExists,
    JournalError,
    MailkitError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.message import Message
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import PersonalLetter, SmsBy
from mailkit.sandbox import Fault

from ..cli.shop import PERSONAL, PLAIN, SEND, Ended, Shop, customer, open_shop
from .canary import CANARY, ECHOES, HALVES, assert_hidden, everything, folder, hits
from .service import (
    EMPTY,
    SENT,
    Said,
    Serve,
    answer,
    chunked,
    raw_service,
    resetting,
    saying,
    service,
    stalling,
    taken,
)


@attrs.frozen
class Act:
    """A call that carries the token in one of the ways there are."""

    client: Callable[..., Client]
    call: Callable[[Any], Awaitable[object]]


LETTER: dict[str, Any] = {"sender": "a@b.by", "subject": "s", "html": "[Unsubscribe]"}
ACTS: dict[str, Act] = {
    "in a form": Act(
        partial(SmsBy, CANARY), lambda client: client.emails.send(**LETTER, to="c@d.by")
    ),
    "in multipart": Act(
        partial(SmsBy, CANARY),
        lambda client: client.bulk.send(
            sender="a@b.by", delivery_list=[PersonalLetter("c@d.by", "s", "m")]
        ),
    ),
    "in the query": Act(partial(SmsBy, CANARY), lambda client: client.templates.list()),
    "in a header": Act(
        partial(Devino, CANARY),
        lambda client: client.messages.send(**LETTER, recipients=["c@d.by"]),
    ),
    "as a bearer": Act(
        partial(SendPulse, api_key=CANARY), lambda client: client.mailing_lists.list()
    ),
}


def test_the_canary_is_found_in_every_disguise() -> None:
    for name, echo in ECHOES.items():
        assert hits(f"… {echo} …"), name
        assert hits(f"… {echo} …".encode()), name
    assert not hits("a service that says nothing of it")


@pytest.mark.parametrize("echo", ECHOES)
def test_what_is_scrubbed_holds_no_piece_of_the_canary(echo: str) -> None:
    assert_hidden(scrub(f"Token {ECHOES[echo]} is wrong", (Secret(CANARY),)))


@settings(derandomize=True)
@given(st.text(), st.text(), st.integers(0, 40), st.integers(0, 40))
def test_no_cut_and_no_place_lets_a_piece_through(
    before: str, after: str, start: int, end: int
) -> None:
    text = before + CANARY[start : max(end, start)] + after
    shown = scrub(text, (Secret(CANARY),))
    assert_hidden(shown)
    if not hits(text):
        assert shown == text


# calls: each outcome, with every log at DEBUG


def watched(
    act: Callable[[list[Attempt]], Coroutine[Any, Any, object]], logged: pytest.LogCaptureFixture
) -> BaseException | None:
    """Run it with asyncio's and aiohttp's debugging on; the error it ends with, if any."""
    logged.set_level(logging.DEBUG)
    seen: list[Attempt] = []
    failure: BaseException | None = None
    try:
        asyncio.run(act(seen), debug=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must show nothing
        failure = error
        assert_hidden(everything(error))
    assert_hidden(logged.text + repr(seen))
    assert {"asyncio", "mailkit"} <= {record.name for record in logged.records}
    for record in logged.records:
        assert_hidden(repr(record.args) + repr(record.__dict__))
    return failure


TEXT = CANARY.replace("\\", "/")  # what JSON holds as it is
DONE = answer(200, '{"status":"OK","result":[]}')
LOST = (OutcomeUnknown, Unavailable)

ENDS: dict[str, tuple[Serve | None, type[MailkitError] | tuple[type[MailkitError], ...]]] = {
    "answered": (saying(DONE), MailkitError),
    "no port": (None, NotSent),
    "reset": (resetting, LOST),
    "silent": (stalling(), LOST),
    "cut": (saying(answer(200, f'{{"error": "{CANARY}"').replace(b"h: ", b"h: 9")), LOST),
    "a chunk that is none": (
        saying(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", f"zz{CANARY}\r\n".encode()),
        LOST,
    ),
    "a status that is none": (saying(f"HTTP/1.1 2{CANARY}\r\n\r\n".encode()), LOST),
    "a page": (saying(answer(200, f"<p>{CANARY}</p>")), MailkitError),
    "other types": (saying(answer(200, f'{{"status":"OK","result":"{TEXT}"}}')), MailkitError),
    "refused": (saying(*chunked(400, f'{{"error": "{TEXT}"}}')), Refused),
    "refused at 200": (saying(answer(200, f'{{"error": "{TEXT}"}}')), Refused),
    "a code": (saying(answer(400, f'{{"error": "no", "code": "{TEXT}"}}')), Refused),
    "halves": (
        saying(answer(400, f'{{"error": "{HALVES[0]}", "message": "{TEXT[len(HALVES[0]) :]}"}}')),
        Refused,
    ),
    "an object": (saying(answer(400, f'{{"error": {{"{TEXT}": ["{TEXT}"]}}}}')), Refused),
    "unauthorised": (saying(answer(401, f'{{"error": "{TEXT}"}}')), AuthenticationFailed),
    "not found": (saying(answer(404, f'{{"error": "{TEXT}"}}')), NotFound),
    "limited": (saying(answer(429, CANARY, "Retry-After: 9", f"X: {TEXT}")), RateLimited),
    "unavailable": (saying(answer(503, f'{{"error": "{TEXT}"}}')), Unavailable),
    "an error's page": (saying(answer(500, CANARY * 50)), LOST),
    "a redirect": (
        saying(answer(302, CANARY, f"Location: https://evil.example/?token={TEXT}")),
        MailkitError,
    ),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_call_shows_the_token(
    end: str, act: str, caplog: pytest.LogCaptureFixture
) -> None:
    serve, expected = ENDS[end]

    async def call(seen: list[Attempt]) -> None:
        with raw_service(serve) as url:
            async with ACTS[act].client(url=url, hooks=[seen.append], timeout=0.3) as client:
                assert_hidden(repr(client) + client.account)
                try:
                    assert_hidden(repr(await ACTS[act].call(client.with_options(attempts=1))))
                finally:
                    assert len(seen) == 2

    failure = watched(call, caplog)
    if end == "answered" and act == "in the query":
        assert failure is None
    else:
        smsby = act.startswith("in ") and act != "in a header"
        assert isinstance(failure, expected if smsby else MailkitError), failure


def test_an_answer_s_headers_show_only_if_they_are_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = answer(200, '{"status":"OK","result":[]}', f"Set-Cookie: token={TEXT}")

    async def call(seen: list[Attempt]) -> None:
        with raw_service(saying(said)) as url:
            async with SmsBy(CANARY, url) as smsby:
                reply = await smsby.templates.list.raw()
                assert TEXT in reply.headers["set-cookie"]
                assert_hidden(repr(reply) + str(reply))

    assert watched(call, caplog) is None


@pytest.mark.parametrize("act", ACTS)
def test_a_call_that_is_cancelled_in_its_answer_shows_nothing(
    act: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = answer(400, CANARY + "x" * 100).replace(b"h: 1", b"h: 91")

    async def call(seen: list[Attempt]) -> None:
        with raw_service(stalling(said[:-50], said[-50:])) as url:
            async with ACTS[act].client(url=url) as client:

                async def run() -> object:
                    return await ACTS[act].call(client)

                task = asyncio.create_task(run())
                await asyncio.sleep(0.06)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as error:
                    assert_hidden(everything(error))
                else:
                    pytest.fail("it was not cancelled")

    assert watched(call, caplog) is None


@pytest.mark.parametrize("act", ACTS)
def test_a_hook_that_fails_shows_nothing(act: str, caplog: pytest.LogCaptureFixture) -> None:
    def hook(attempt: Attempt) -> None:
        if attempt.outcome is not None:
            raise ZeroDivisionError("in a hook")

    async def call(seen: list[Attempt]) -> None:
        with raw_service(saying(answer(400, CANARY))) as url:
            async with ACTS[act].client(url=url, hooks=[seen.append, hook]) as client:
                await ACTS[act].call(client)

    assert isinstance(watched(call, caplog), ZeroDivisionError)


async def test_a_body_that_cannot_be_put_together_shows_nothing() -> None:
    class Exhausted(random.Random):
        def getrandbits(self, k: int) -> int:
            raise MemoryError("while the body is put together")

    with pytest.raises(MemoryError) as caught:
        await ACTS["in multipart"].call(SmsBy(CANARY, random=Exhausted()))
    assert_hidden(everything(caught.value))


def test_a_quota_that_is_used_up_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def call(seen: list[Attempt]) -> None:
        with raw_service(saying(DONE)) as url:
            async with SmsBy(CANARY, url, requests=Quota(1, 60.0)) as smsby:
                await smsby.templates.list()
                await smsby.with_options(quota_wait=0).templates.list()

    assert isinstance(watched(call, caplog), QuotaExhausted)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500, 503])
def test_a_secret_that_tokens_are_fetched_with_does_not_show(
    status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    said = Said(f'{{"error": "{TEXT}", "message": "{TEXT}"}}'.encode(), status)

    async def call(seen: list[Attempt]) -> None:
        with service({"access_token": said}) as running:
            async with SendPulse("id", CANARY, running.url, hooks=[seen.append]) as client:
                assert_hidden(repr(client) + client.account)
                await client.mailing_lists.list()

    assert isinstance(watched(call, caplog), MailkitError)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500, 503])
def test_a_token_that_was_fetched_does_not_show(
    status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    grant = Said(f'{{"access_token": "{TEXT}", "expires_in": 3600}}'.encode())
    said = Said(f'{{"error": "{TEXT}", "message": "{TEXT}"}}'.encode(), status)

    async def call(seen: list[Attempt]) -> None:
        with service({"access_token": grant, "addressbooks": said}) as running:
            async with SendPulse("id", "secret", running.url, hooks=[seen.append]) as client:
                await client.mailing_lists.list()

    assert isinstance(watched(call, caplog), MailkitError)


# jobs: the journal's bytes, the report, the errors


@pytest.mark.parametrize("echo", ECHOES)
async def test_no_answer_to_a_job_gets_into_its_journal_or_report(
    tmp_path: Path, echo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.bulk.engine.FIRST_POLL", 0.01)
    said = ECHOES[echo].replace("\\", "\\\\").replace("\r\n", "\\r\\n")
    error = f'{{"error": "bad token {said}", "code": "{said}"}}'.encode()
    statuses = (
        f'{{"status":"OK","result":[{{"message_id":1,"success":[{{"email":"a@b.by","status":'
        f'"SENT","error":"{said}"}}],"errors":[{{"email":"c@d.by","error":"{said}"}}]}}]}}'
    ).encode()
    scripts = [
        {"sendBulkEmail": Said(error, 400)},
        {"sendBulkEmail": Said(error, 401)},
        {"sendBulkEmail": Said(error, 500)},
        {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(statuses)},
        {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(error, 403)},
        {"getEmailTemplates": Said(error, 400)},
    ]
    message = Message(sender="news@shop.example", subject="Hi", html="x")
    settings = EngineSettings(senders=1, reconcile=0.02)
    journal = await Journal.open(tmp_path / "journal.db")
    try:
        with service() as running:
            for n, script in enumerate(scripts):
                running.script = script
                async with (
                    SmsBy(CANARY, running.url) as smsby,
                    BulkSender(smsby, journal=journal, settings=settings) as sender,
                ):
                    try:
                        people = read_recipients(["a@b.by", "c@d.by"])
                        job = await sender.start(message, people, name=f"job {n}", again=True)
                        report = await job.wait()
                    except MailkitError as failed:
                        assert n == len(scripts) - 1
                        assert_hidden(everything(failed))
                        continue
                    assert n < len(scripts) - 1
                    assert_hidden(repr(report) + report.to_json() + repr(job.error))
                    if job.error is not None:
                        assert_hidden(everything(job.error))
                    record = await journal.jobs.get(job.name)
                    async for rows in journal.accounts.rows(record, running=False):
                        assert_hidden(repr(rows))
        assert_hidden(folder(tmp_path))
    finally:
        await journal.close()
    shown = folder(tmp_path)
    assert_hidden(shown)
    assert "***" in shown or "beyond" in echo


async def test_refusals_of_jobs_show_nothing(tmp_path: Path) -> None:
    message = Message(sender="news@shop.example", subject="Hi", html="x")
    notes = tmp_path / "notes.txt"
    notes.write_text("no database at all\n" * 100)
    script = {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(taken("a@b.by"))}
    with service(script) as running:
        async with (
            SmsBy(CANARY, running.url) as smsby,
            BulkSender(smsby, journal=tmp_path / "journal.db") as sender,
        ):
            people = read_recipients(["a@b.by"])
            await (await sender.start(message, people, name="a")).wait()
            for name in ("a", "b"):
                with pytest.raises(JobExists) as exists:
                    await sender.start(message, people, name=name)
                assert_hidden(everything(exists.value))
            with pytest.raises(InvalidArgument) as invalid:
                await sender.start(message, read_recipients([]), name="c")
            assert_hidden(everything(invalid.value))
        with pytest.raises(JournalError) as broken:
            async with SmsBy(CANARY) as smsby, BulkSender(smsby, journal=notes):
                pass
        assert_hidden(everything(broken.value))
    assert_hidden(folder(tmp_path))


# the command line


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("mailkit.bulk.engine.FIRST_POLL", 0.01)
    with open_shop(tmp_path, smsby_token=CANARY) as opened:
        assert opened.environment["MAILKIT_SMSBY_TOKEN"] == CANARY
        yield opened


def shown(ended: Ended) -> Ended:
    assert_hidden(ended.out + ended.err)
    return ended


COMMANDS: list[list[str]] = [
    ["status"],
    ["status", "--json"],
    ["status", "autumn"],
    ["status", "autumn", "--follow", "--track", "0s"],
    ["report", "autumn"],
    ["report", "autumn", "--json"],
    ["report", "autumn", "--csv"],
    ["report", "autumn", "--as-recipients"],
    ["resume", "autumn"],
    ["resolve", "autumn", "--not-sent"],
    ["resume", "autumn", "--json"],
    ["report", "nobody"],
    ["send", "--help"],
    ["send", "--nonsense"],
]


@pytest.mark.parametrize(
    "kind",
    [None, "reset_after_acting", "error_envelope", "token_refused", "server_error", "html_200",
     "rate_limited", "redirect", "cut_json", "wrong_types"],
)  # fmt: skip
def test_no_command_and_no_file_shows_the_token(
    shop: Shop, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if kind is not None:
        shop.sandbox.faults.add(Fault(kind, on=SEND, times=1, retry_after=0))
    people = shop.table(["email,name", *(f"{customer(n)},N {n}" for n in range(3)), "nobody,x"])
    shown(shop.send(shop.letter(**PERSONAL), people, "--name", "autumn"))
    for words in COMMANDS:
        shown(shop(*words))
    assert shop.sandbox.requests[SEND] >= 1
    assert "smsby bulk.send" in caplog.text
    assert_hidden(caplog.text)
    assert_hidden(folder(shop.folder))


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize("path", ["getEmailTemplates", "sendBulkEmail", "statusBulkEmail"])
def test_no_echo_reaches_the_terminal(
    tmp_path: Path, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.bulk.engine.FIRST_POLL", 0.01)
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    said = Said(f'{{"error": "bad token {TEXT}"}}'.encode(), status, {"Retry-After": "0"})
    good = {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(taken(customer(0)))}
    script = good | {path: [said, good.get(path, Said(EMPTY))]}
    with service(script) as running, open_shop(tmp_path, smsby_token=CANARY) as shop:
        shop.environment["MAILKIT_SMSBY_URL"] = running.url
        ended = shown(shop.send(shop.letter(), shop.customers(1), "--name", "autumn"))
        assert ended.code in (0, 1, 3)
        for words in COMMANDS[:2]:
            shown(shop(*words))
    assert_hidden(folder(tmp_path))


def test_a_process_with_every_log_on_shows_nothing(shop: Shop) -> None:
    shop.environment.update(PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1")
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, times=1))
    letter, people = shop.letter(**PLAIN), shop.customers(2)
    ended = shown(shop.run("send", letter, people, "--provider", "smsby", "--json"))
    assert ended.code == 1
    assert_hidden(folder(shop.folder))
