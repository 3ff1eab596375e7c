from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from math import inf
from threading import get_ident

import pytest

from mailkit.core.auth import Bearer, Grant
from mailkit.core.call import Call, arg, post
from mailkit.core.forms import File
from mailkit.core.hooks import Attempt
from mailkit.core.quota import REQUESTS, Permit, Quota
from mailkit.core.retry import Outcome
from mailkit.core.secret import Secret
from mailkit.core.wire import Request, Response
from mailkit.core.wire_format import WireFormat
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    InvalidArgument,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.testing import FakeClock

from .doubles import CANARY, Library, Script, response

OK = response(200, {"id": 7})
LOST = OutcomeUnknown("no response: reset")
UNSENT = NotSent("not sent: refused")
PAGE = response(502, b"<html>")
LATER = response(429, {"error": "slow down"}, {"Retry-After": "9"})


async def test_a_call_goes_out_and_its_value_comes_back() -> None:
    script = Script(OK)
    assert await Library(script).books.add(title="T") == 7
    verb, url, headers, body = script.requests[0]
    assert (verb, url, body) == ("POST", "https://library.test/books", b'{"bookName":"T"}')
    assert headers["Authorization"] == f"Key {CANARY}"


@pytest.mark.parametrize("act", [UNSENT, LATER, response(503, {"error": "busy"})])
async def test_what_certainly_did_nothing_is_sent_again_with_the_same_bytes(
    act: Response | NotSent,
) -> None:
    script, clock = Script(act, act, OK), FakeClock()
    assert await Library(script, clock).books.add(title="T") == 7
    assert script.requests == [script.requests[0]] * 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "act", [LOST, PAGE, response(307), response(408), response(200, b"<html>")]
)
async def test_an_unknown_outcome_is_never_repeated_for_a_call_that_must_not_be(
    act: Response | OutcomeUnknown,
) -> None:
    script = Script(act)
    with pytest.raises(OutcomeUnknown, match="check there"):
        await Library(script).books.add(title="T")
    assert len(script.requests) == 1


@pytest.mark.parametrize("act", [LOST, PAGE, UNSENT, LATER, response(200, b"<html>")])
async def test_a_repeatable_call_is_tried_three_times(act: Response | NotSent) -> None:
    good = Script(act, act, response(200, []))
    assert await Library(good).books.list() == []
    bad = Script(act, act, act)
    with pytest.raises((Unavailable, BadResponse, NotSent, RateLimited)):
        await Library(bad).books.list()
    assert len(bad.requests) == 3


async def test_a_refusal_is_final() -> None:
    script = Script(response(422, {"error": "no title"}))
    with pytest.raises(Refused, match=r"library\.books\.list: no title"):
        await Library(script).books.list()


async def test_a_wait_beyond_the_budget_is_told_instead_of_waited() -> None:
    clock = FakeClock()
    with pytest.raises(RateLimited) as caught:
        await Library(Script(response(429, {}, {"Retry-After": "61"})), clock).books.list()
    assert caught.value.retry_after == 61
    assert clock.slept == []


async def test_a_service_s_quota_is_told_with_its_time() -> None:
    clock = FakeClock()
    with pytest.raises(QuotaExhausted) as caught:
        await Library(
            Script(response(422, {"error": "4 an hour", "code": 791})), clock
        ).books.list()
    assert caught.value.available_at == clock.utc + timedelta(hours=1)
    assert caught.value.code == 791


async def test_a_repeat_of_a_repeatable_call_keeps_within_the_budget() -> None:
    script, clock = Script(LATER, LATER, response(200, [])), FakeClock()
    library = Library(script, clock).with_options(timeout=50)
    await library.books.list()
    assert script.timeouts == [50, 50, 42]


async def test_options_make_another_client_over_the_same_transport() -> None:
    script = Script(LOST, OK)
    library = Library(script)
    quick = library.with_options(timeout=3, attempts=1, quota_wait=0)
    assert quick.books is not library.books
    with pytest.raises(Unavailable):
        await quick.books.list()
    await library.books.add(title="T")
    assert script.timeouts == [3, 30]


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": -1}, {"attempts": 0}])
def test_options_are_positive(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="give"):
        Library(Script()).with_options(**wrong)


async def test_the_end_of_a_client_closes_its_transport() -> None:
    script = Script()
    async with Library(script) as library:
        assert not script.closed
    assert script.closed
    assert repr(library) == "<Library me at https://library.test>"


async def test_a_401_is_tried_once_more_with_a_new_token() -> None:
    tokens = iter("abc")

    async def fetch() -> Grant:
        return Grant(Secret(next(tokens)), 3600.0)

    script = Script(response(401, {"error": "expired"}), OK)
    library = Library(script, auth=Bearer(fetch))
    assert await library.books.add(title="T") == 7
    assert [headers["Authorization"] for _, _, headers, _ in script.requests] == [
        "Bearer a",
        "Bearer b",
    ]
    assert script.requests[0][3] == script.requests[1][3]
    script.acts += [response(401, {"error": "expired"})] * 2
    with pytest.raises(AuthenticationFailed):
        await library.books.add(title="T")
    assert script.acts == []


async def test_a_401_is_final_for_a_key_that_never_changes() -> None:
    script = Script(response(401, {"error": "who?"}))
    with pytest.raises(AuthenticationFailed):
        await Library(script).books.list()


class Ledger:
    """Permits that keep a diary."""

    begins_by = inf

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.retry_after: list[tuple[tuple[str, ...], float | None, float]] = []

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        self.diary.append("acquired")
        self.retry_after.append((names, max_wait, deadline))
        return self

    def sent(self) -> None:
        self.diary.append("sent")

    def done(self) -> None:
        self.diary.append("done")

    def lost(self) -> None:
        self.diary.append("lost")

    def release(self) -> None:
        self.diary.append("released")

    def refused(self, *, requests: bool, seconds: float | None) -> None:
        self.diary.append(f"refused for {seconds}")


@pytest.mark.parametrize(
    ("act", "diary"),
    [
        (OK, "acquired sent done"),
        (response(422, {"error": "no"}), "acquired sent done"),
        (PAGE, "acquired sent done"),
        (LOST, "acquired sent lost"),
        (UNSENT, "acquired sent released"),
    ],
)
async def test_a_permit_learns_what_became_of_its_request(
    act: Response | NotSent, diary: str
) -> None:
    ledger = Ledger()
    library = Library(Script(act)).with_options(attempts=1).with_permits(ledger)
    with suppress(Refused, OutcomeUnknown, NotSent):
        await library.books.add(title="T")
    assert " ".join(ledger.diary) == diary
    assert ledger.retry_after == [((*REQUESTS, "books"), 30.0, 30.0)]


@pytest.mark.parametrize(("began", "last"), [(True, "lost"), (None, "lost"), (False, "released")])
async def test_a_cancelled_request_gives_its_permit_back_only_if_it_was_not_sent(
    began: bool | None, last: str
) -> None:
    class Slow(Script):
        async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
            request.began = began
            sending.set()
            await asyncio.sleep(60)
            return OK

    ledger, seen, sending = Ledger(), list[Attempt](), asyncio.Event()
    library = Library(Slow(), hooks=[seen.append]).with_permits(ledger)
    task = asyncio.create_task(library.books.add(title="T"))
    await sending.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ledger.diary[-1] == last
    assert seen[-1].outcome is (Outcome.NOT_SENT if began is False else Outcome.UNKNOWN)


async def test_a_call_takes_from_all_of_its_quotas_or_from_none() -> None:
    clock = FakeClock()
    quotas = {"requests": Quota(2, 60.0), "books": Quota(1, 3600.0, "books")}
    script = Script(OK, response(200, []))
    library = Library(script, clock, quotas=quotas)
    await library.books.add(title="T")
    with pytest.raises(QuotaExhausted, match=r"library\.books\.add: the quota of 1 books") as e:
        await library.books.add(title="T")
    assert e.value.available_at == clock.utc + timedelta(hours=1)
    await library.with_options(quota_wait=0).books.list()
    with pytest.raises(QuotaExhausted):
        await library.with_options(quota_wait=0).books.list()
    assert len(script.requests) == 2


async def test_hooks_see_each_attempt_before_and_after() -> None:
    seen: list[Attempt] = []
    clock = FakeClock()
    await Library(Script(UNSENT, LATER, OK), clock, hooks=[seen.append]).books.add(title="T")
    assert [(one.attempt, one.outcome, one.status) for one in seen] == [
        (1, None, None),
        (1, Outcome.NOT_SENT, None),
        (2, None, None),
        (2, Outcome.REFUSED, 429),
        (3, None, None),
        (3, Outcome.ANSWERED, 200),
    ]
    assert {(one.provider, one.call, one.kind, one.verb, one.route) for one in seen} == {
        ("library", "books.add", "AddBook", "POST", "/books")
    }


class Stuck(Script):
    """Waits for ever, after or before the request began."""

    def __init__(self, *, began: bool) -> None:
        super().__init__()
        self.began = began

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = self.began
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("began", "fate"),
    [(True, "the service may have processed it: check there"), (False, "nothing was sent")],
)
async def test_a_timeout_from_outside_says_what_is_known(began: bool, fate: str) -> None:
    library = Library(Stuck(began=began))
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(library.books.add(title="T"), 0.001)
    cause = caught.value.__cause__ or caught.value.__context__
    assert isinstance(cause, asyncio.CancelledError)
    assert cause.__notes__ == [f"library.books.add was cancelled: {fate}"]


class NoPermits:
    """Whoever wants a permit waits for ever."""

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        await asyncio.Event().wait()
        raise AssertionError


async def no_token() -> Grant:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    "library",
    [
        lambda script: Library(script).with_permits(NoPermits()),
        lambda script: Library(script, auth=Bearer(no_token, Secret(CANARY))),
    ],
    ids=["a permit", "a token"],
)
async def test_who_is_cancelled_while_it_waits_for_a_permit_or_a_token_has_sent_nothing(
    library: Callable[[Script], Library],
) -> None:
    script = Script(OK)
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(library(script).books.add(title="T"), 0.001)
    cause = caught.value.__cause__ or caught.value.__context__
    assert isinstance(cause, asyncio.CancelledError)
    assert cause.__notes__ == ["library.books.add was cancelled: nothing was sent"]
    assert script.requests == []


async def test_who_is_cancelled_between_two_attempts_knows_of_the_first() -> None:
    class Waits(FakeClock):
        async def sleep(self, seconds: float) -> None:
            raise asyncio.CancelledError

    for act, fate in (
        (UNSENT, "nothing was sent"),
        (LATER, "nothing was sent"),
        (LOST, "the service may have processed it: check there"),
    ):
        books = Library(Script(act), Waits()).books
        with pytest.raises(asyncio.CancelledError) as caught:
            await (books.get(1) if act is LOST else books.add(title="T"))
        assert caught.value.__notes__[0].endswith(fate)


async def test_what_a_hook_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hook(attempt: Attempt) -> None:
        raise ZeroDivisionError(CANARY)

    seen: list[Attempt] = []
    script = Script(OK)
    assert await Library(script, hooks=[hook, seen.append]).books.add(title="T") == 7
    assert len(script.requests) == 1
    assert len(seen) == 2
    assert caplog.text.count("a hook of books.add failed: ZeroDivisionError at ") == 2
    assert CANARY not in caplog.text


async def test_the_log_says_that_no_response_came(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mailkit.requests")
    await Library(Script(UNSENT, OK)).books.get("a")
    first, _ = caplog.records
    assert first.getMessage().endswith("attempt 1: not sent, no response, 0.000 s")


async def test_attempts_are_logged_at_info_with_their_facts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mailkit.requests")
    await Library(Script(OK)).books.get("a/b")
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == (
        "library books.get: GET /books/{id}[/{language}], attempt 1: answered, HTTP 200, 0.000 s"
    )
    facts = {k: v for k, v in vars(record).items() if k.startswith("mailkit_")}
    assert facts == {
        "mailkit_event": "attempt",
        "mailkit_provider": "library",
        "mailkit_call": "books.get",
        "mailkit_kind": "GetBook",
        "mailkit_verb": "GET",
        "mailkit_route": "/books/{id}[/{language}]",
        "mailkit_attempt": 1,
        "mailkit_outcome": "answered",
        "mailkit_status": 200,
        "mailkit_seconds": 0.0,
        "mailkit_waited": 0.0,
        "mailkit_host": "library.test",
        "mailkit_port": 443,
    }


async def test_an_attempt_says_how_long_it_waited_for_its_quotas() -> None:
    seen: list[Attempt] = []
    quotas = {"books": Quota(1, 10.0, "books")}
    library = Library(Script(OK, OK), FakeClock(), quotas=quotas, hooks=[seen.append])
    for _ in range(2):
        await library.books.add(title="T")
    first, _, second, ended = seen
    assert first.waited == 0
    assert second.waited == ended.waited == pytest.approx(10, abs=0.1)
    assert ended.seconds == 0


async def test_a_hook_hears_the_end_of_an_attempt_whatever_ends_it() -> None:
    seen: list[Attempt] = []
    with pytest.raises(ZeroDivisionError):
        await Library(Script(ZeroDivisionError()), hooks=[seen.append]).books.get(1)
    assert [one.outcome for one in seen] == [None, Outcome.UNKNOWN]


async def test_files_are_read_off_the_event_loop() -> None:
    threads: list[int] = []

    def read(value: bytes, wire_format: WireFormat) -> File:
        threads.append(get_ident())
        return File("cover.png", "image/png", value)

    @post("/covers", repeatable=False, body="form")
    class AddCover(Call[int]):
        cover: bytes | None = arg(default=None, write=read, file=True)

    script = Script(response(200, 1), response(200, 2))
    library = Library(script)
    assert (await library.exchange(AddCover(b"data"), "covers.add")).value == 1
    assert len(threads) == 1
    assert threads[0] != get_ident()
    assert b"\r\n\r\ndata\r\n" in (script.requests[0][3] or b"")
    assert (await library.exchange(AddCover(), "covers.add")).value == 2
    assert script.requests[1][3] == b""


async def test_input_that_cannot_be_sent_opens_nothing() -> None:
    script = Script()
    with pytest.raises(InvalidArgument):
        await Library(script).books.get("..")
    assert script.requests == []
