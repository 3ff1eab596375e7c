from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from mailkit.core.call import Reply
from mailkit.core.reading import Reader
from mailkit.core.retry import Outcome
from mailkit.core.secret import Secret
from mailkit.core.verdict import Failure, error_of, judge
from mailkit.core.wire import Answer, Refusal, about_money, base_url
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadAnswer,
    InvalidArgument,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
)

from .doubles import CANARY, answer, opened

ERROR = {"error": "no"}
BUSY = {"error": "full", "code": 791}


def verdict(given: Answer) -> Reply[int] | Failure:
    return judge(given, opened, Reader[int](int), (Secret(CANARY),), lambda: 0.0)


def error(given: Answer, *, repeatable: bool = False) -> RequestError:
    end = verdict(given)
    assert isinstance(end, Failure)
    return error_of(
        end,
        provider="library",
        call="books.add",
        repeatable=repeatable,
        secrets=(Secret(CANARY),),
        now=0.0,
    )


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_a_readable_2xx_is_answered(status: int) -> None:
    assert verdict(answer(status, 7)) == Reply(status, {}, 7)


@pytest.mark.parametrize(
    ("status", "tree", "outcome"),
    [
        (200, ERROR, Outcome.REFUSED),
        (200, "x", Outcome.UNKNOWN),
        (200, b"<html>", Outcome.UNKNOWN),
        (200, b"", Outcome.UNKNOWN),
        (204, b"", Outcome.UNKNOWN),
        (301, 7, Outcome.UNKNOWN),
        (307, ERROR, Outcome.UNKNOWN),
        (400, ERROR, Outcome.REFUSED),
        (400, b"<html>", Outcome.REFUSED),
        (400, 7, Outcome.REFUSED),
        (401, ERROR, Outcome.REFUSED),
        (404, b"", Outcome.REFUSED),
        (408, ERROR, Outcome.UNKNOWN),
        (421, ERROR, Outcome.REFUSED),
        (429, b"", Outcome.REFUSED),
        (500, ERROR, Outcome.UNKNOWN),
        (500, BUSY, Outcome.REFUSED),
        (502, b"<html>", Outcome.UNKNOWN),
        (503, ERROR, Outcome.REFUSED),
        (503, b"<html>", Outcome.UNKNOWN),
        (503, 7, Outcome.UNKNOWN),
        (504, 7, Outcome.UNKNOWN),
        (101, 7, Outcome.UNKNOWN),
    ],
)
def test_every_other_answer_is_refused_or_unknown(status: int, tree: Any, outcome: Outcome) -> None:
    end = verdict(answer(status, tree))
    assert isinstance(end, Failure)
    assert end.outcome is outcome


@pytest.mark.parametrize(
    ("given", "once", "again"),
    [
        (answer(200, ERROR), Refused, Refused),
        (answer(401, ERROR), AuthenticationFailed, AuthenticationFailed),
        (answer(403, ERROR), AuthenticationFailed, AuthenticationFailed),
        (answer(404, ERROR), NotFound, NotFound),
        (answer(422, BUSY), QuotaExhausted, QuotaExhausted),
        (answer(429, ERROR), RateLimited, RateLimited),
        (answer(503, ERROR), Unavailable, Unavailable),
        (answer(500, ERROR), OutcomeUnknown, Unavailable),
        (answer(408, ERROR), OutcomeUnknown, Unavailable),
        (answer(302, b""), OutcomeUnknown, BadAnswer),
        (answer(200, b"<html>"), OutcomeUnknown, BadAnswer),
    ],
)
def test_the_error_says_what_to_do_next(
    given: Answer, once: type[RequestError], again: type[RequestError]
) -> None:
    assert type(error(given)) is once
    assert type(error(given, repeatable=True)) is again


def test_an_error_tells_where_it_comes_from() -> None:
    told = error(answer(422, {"error": "title missing", "code": 12}))
    assert isinstance(told, Refused)
    assert (told.provider, told.call, told.status, told.code) == ("library", "books.add", 422, 12)
    assert told.reasons == ("title missing",)
    assert told.head == '{"error":"title missing","code":12}'
    assert str(told) == "library.books.add: title missing (HTTP 422)"


def test_waits_are_told() -> None:
    limited = error(answer(429, ERROR, {"Retry-After": "17"}))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 17
    down = error(answer(503, ERROR, {"Retry-After": "18"}))
    assert isinstance(down, Unavailable)
    assert down.retry_after == 18
    full = error(answer(200, BUSY))
    assert isinstance(full, QuotaExhausted)
    assert full.available_at == datetime.fromtimestamp(3600, UTC)


def test_nothing_was_sent_is_its_own_error() -> None:
    failure = Failure(Outcome.NOT_SENT, "not sent: refused")
    for repeatable in (True, False):
        told = error_of(failure, provider="p", call="c", repeatable=repeatable, secrets=(), now=0.0)
        assert type(told) is NotSent
        assert (told.status, told.head) == (None, "")


@pytest.mark.parametrize("place", [0, 200, 490, 495, 499, 505])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_credential_that_the_service_repeats_is_taken_out(status: int, place: int) -> None:
    tree = {"error": "x" * place + CANARY + "y" * 900}
    told = error(answer(status, tree))
    for shown in (str(told), told.head, repr(attrs.asdict(told.where)), str(told.args)):
        assert not any(CANARY[:size] in shown for size in (6, 10, len(CANARY)))


def test_the_head_is_short_and_always_text() -> None:
    told = error(answer(500, b"\xff" + "Ж".encode() * 5000))
    assert len(told.head) == 500
    assert told.head.startswith("\ufffdЖ")


def test_answers_and_refusals_show_no_bodies() -> None:
    assert CANARY not in repr(answer(200, {"a": CANARY}, {"Set-Cookie": CANARY}))
    assert Refusal() == Refusal()


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://api.shop.by", "https://api.shop.by"),
        (" https://api.shop.by/x/ ", "https://api.shop.by/x"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_addresses_are_https_or_of_this_machine(url: str, clean: str) -> None:
    assert base_url(url, "url") == clean


@pytest.mark.parametrize(
    "url",
    [
        "http://api.shop.by", "http://127.0.0.1.evil.by", "http://localhost.evil.by", "ftp://a.by",
        "api.shop.by", "", "https://", "https://u:p@a.by", "https://a.by?x=1", "https://a.by#x",
        "http://128.0.0.1", "http://[::2]", "https://[", "https://a.by:x",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_with_their_name(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^MAILKIT_URL: "):
        base_url(url, "MAILKIT_URL")


@pytest.mark.parametrize(
    ("words", "of_the_account"),
    [
        ("Insufficient funds", True),
        ("account.insufficient-funds", True),
        ("there is not enough money on your balance", True),
        ("Недостаточно средств на счёте", True),
        ("insufficient_rights", False),
        ("the mailbox of bank-balance@shop.by is full", False),
    ],
)
def test_a_refusal_for_lack_of_money_is_the_accounts(words: str, of_the_account: bool) -> None:
    assert about_money([words]) is of_the_account


def test_a_refusal_of_the_account_has_its_own_class() -> None:
    failure = Failure(
        Outcome.REFUSED, "no money", answer(200), Refusal(("no money",), account=True)
    )
    error = error_of(failure, provider="p", call="c", repeatable=False, secrets=(), now=0.0)
    assert type(error) is AccountRefused
