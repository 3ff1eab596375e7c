from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import attrs
import pytest

from mailkit.core.call import CallResult, Gone
from mailkit.core.classify import Failure, already_done, classify, error_of
from mailkit.core.reading import Reader
from mailkit.core.retry import Outcome
from mailkit.core.secret import Secret
from mailkit.core.wire import Missing, Refusal, Response, base_url
from mailkit.core.words import about_account
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadResponse,
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

from .doubles import CANARY, response, unwrap

ERROR = {"error": "no"}
BUSY = {"error": "full", "code": 791}


def verdict(given: Response, *, repeatable: bool = False) -> CallResult[int] | Failure:
    reader = Reader[int](int)
    return classify(
        given, unwrap, reader, lambda: (Secret(CANARY),), lambda: 0.0, repeatable=repeatable
    )


def error(given: Response, *, repeatable: bool = False) -> RequestError:
    end = verdict(given, repeatable=repeatable)
    assert isinstance(end, Failure)
    return error_of_end(end, repeatable=repeatable)


def error_of_end(end: Failure, *, repeatable: bool) -> RequestError:
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
    assert verdict(response(status, 7)) == CallResult(status, {}, 7)


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
        (400, b"<html>", Outcome.NOT_NOW),
        (400, 7, Outcome.UNKNOWN),  # a value of the service's own, whatever that means
        (401, ERROR, Outcome.REFUSED),
        (401, b"<html>", Outcome.NOT_NOW),
        (401, b"", Outcome.NOT_NOW),
        (401, {"message": "Database error"}, Outcome.UNKNOWN),
        (404, b"", Outcome.NOT_NOW),
        (408, ERROR, Outcome.UNKNOWN),
        (421, ERROR, Outcome.REFUSED),
        (429, ERROR, Outcome.REFUSED),
        (429, b"", Outcome.UNKNOWN),
        (500, ERROR, Outcome.UNKNOWN),
        (500, BUSY, Outcome.REFUSED),
        (502, b"<html>", Outcome.UNKNOWN),
        (503, ERROR, Outcome.REFUSED),
        (503, b"<html>", Outcome.UNKNOWN),
        (503, 7, Outcome.UNKNOWN),
        (504, 7, Outcome.UNKNOWN),
        (307, BUSY, Outcome.UNKNOWN),
        (101, 7, Outcome.UNKNOWN),
        (999, b"<html>", Outcome.UNKNOWN),
    ],
)
def test_every_other_answer_is_refused_or_unknown(status: int, tree: Any, outcome: Outcome) -> None:
    end = verdict(response(status, tree))
    assert isinstance(end, Failure)
    assert end.outcome is outcome


@pytest.mark.parametrize(
    ("given", "once", "again"),
    [
        (response(200, ERROR), Refused, Refused),
        (response(401, ERROR), AuthenticationFailed, AuthenticationFailed),
        (response(403, ERROR), AuthenticationFailed, AuthenticationFailed),
        (response(404, ERROR), NotFound, NotFound),
        (response(422, BUSY), QuotaExhausted, QuotaExhausted),
        (response(429, ERROR), RateLimited, RateLimited),
        (response(503, ERROR), Unavailable, Unavailable),
        (response(500, ERROR), OutcomeUnknown, Unavailable),
        (response(408, ERROR), OutcomeUnknown, Unavailable),
        (response(403, b"<html>"), Unavailable, Unavailable),
        (response(404, b"<html>"), Unavailable, Unavailable),
        (response(401, b"<html>"), AuthenticationFailed, Unavailable),
        (response(429, b"<html>"), OutcomeUnknown, RateLimited),
        (response(302, b""), OutcomeUnknown, BadResponse),
        (response(200, b"<html>"), OutcomeUnknown, BadResponse),
    ],
)
def test_the_error_says_what_to_do_next(
    given: Response, once: type[RequestError], again: type[RequestError]
) -> None:
    assert type(error(given)) is once
    assert type(error(given, repeatable=True)) is again


def test_an_error_tells_where_it_comes_from() -> None:
    told = error(response(422, {"error": "title missing", "code": 12}))
    assert isinstance(told, Refused)
    assert (told.provider, told.call, told.status, told.code) == ("library", "books.add", 422, 12)
    assert told.reasons == ("title missing",)
    assert told.excerpt == '{"error":"title missing","code":12}'
    assert str(told) == "library.books.add: title missing (HTTP 422)"


NOT_NOW = {400, 401, 403, 404, 405, 407, 411, 413, 414, 421, 431}


@pytest.mark.parametrize(
    "body", [b"<html>Nope</html>", b"", b"Access denied"], ids=["html", "none", "text"]
)
def test_a_page_is_never_a_refusal_whatever_its_status(body: bytes) -> None:
    for status in range(200, 1000):
        for repeatable in (True, False):
            end = verdict(response(status, body), repeatable=repeatable)
            assert isinstance(end, Failure)
            assert end.outcome is (Outcome.NOT_NOW if status in NOT_NOW else Outcome.UNKNOWN)
            assert end.refusal.credentials is (status == 401)
            assert type(error_of_end(end, repeatable=True)) is not AuthenticationFailed


def test_a_gateway_s_no_names_its_status_and_its_wait() -> None:
    told = error(response(413, b"<html>", {"Retry-After": "18"}))
    assert isinstance(told, Unavailable)
    assert told.retry_after == 18
    assert str(told) == (
        f"library.books.add: the request was turned away: {HTTPStatus(413).phrase} (HTTP 413)"
    )


@pytest.mark.parametrize("status", [200, 400])
def test_a_byte_order_mark_before_json_is_passed_over(status: int) -> None:
    for tree in (7, ERROR):
        plain = response(status, tree)
        end = verdict(attrs.evolve(plain, body=b"\xef\xbb\xbf" + plain.body))
        assert type(end) is type(verdict(plain))
        if isinstance(end, Failure):
            assert end == verdict(plain)


@pytest.mark.parametrize(
    "body",
    [b'{"error":"no","error":"no"}', b'{"a":[{"b":1,"\\u0062":2}],"error":"no"}'],
    ids=["top", "inside"],
)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_key_twice_leaves_the_outcome_of_a_sending_call_unknown(status: int, body: bytes) -> None:
    end = verdict(response(status, body))
    assert isinstance(end, Failure)
    assert end.outcome is Outcome.UNKNOWN
    again = verdict(response(status, body), repeatable=True)
    assert isinstance(again, Failure)
    assert again.outcome is Outcome.REFUSED


def test_json_without_a_bottom_is_no_answer() -> None:
    for status in (200, 400):
        end = verdict(response(status, b"[" * 100_000))
        assert isinstance(end, Failure)
        assert end.outcome is Outcome.UNKNOWN


def test_waits_are_told() -> None:
    limited = error(response(429, ERROR, {"Retry-After": "17"}))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 17
    down = error(response(503, ERROR, {"Retry-After": "18"}))
    assert isinstance(down, Unavailable)
    assert down.retry_after == 18
    full = error(response(200, BUSY))
    assert isinstance(full, QuotaExhausted)
    assert full.available_at == datetime.fromtimestamp(3600, UTC)


def test_nothing_was_sent_is_its_own_error() -> None:
    failure = Failure(Outcome.NOT_SENT, "not sent: refused")
    for repeatable in (True, False):
        told = error_of(failure, provider="p", call="c", repeatable=repeatable, secrets=(), now=0.0)
        assert type(told) is NotSent
        assert (told.status, told.excerpt) == (None, "")


@pytest.mark.parametrize("place", [0, 200, 490, 495, 499, 505])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_credential_that_the_service_repeats_is_taken_out(status: int, place: int) -> None:
    tree = {"error": "x" * place + CANARY + "y" * 900}
    told = error(response(status, tree))
    for shown in (str(told), told.excerpt, repr(attrs.asdict(told.context)), str(told.args)):
        assert not any(CANARY[:size] in shown for size in (6, 10, len(CANARY)))


def test_the_head_is_short_and_always_text() -> None:
    told = error(response(500, b"\xff" + "Ж".encode() * 5000))
    assert len(told.excerpt) == 500
    assert told.excerpt.startswith("\ufffdЖ")


def test_a_response_shows_no_body() -> None:
    assert CANARY not in repr(response(200, {"a": CANARY}, {"Set-Cookie": CANARY}))


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
        ("money.not.enough", True),
        ("balance is too low", True),
        ("Plan quota reached", True),
        ("tariff.limit", True),
        ("Тариф исчерпан", True),
        ("Баланс полностью израсходован", True),
        ("Превышен лимит тарифа", True),
        ("insufficient_rights", False),
        ("mailbox quota exceeded", False),
        ("the account of this user is disabled", False),
        ("planned maintenance", False),
        ("over the limit of the recipient", False),
        ("the mailbox of bank-balance@shop.by is full", False),
    ],
)
def test_a_refusal_for_lack_of_money_is_the_accounts(words: str, of_the_account: bool) -> None:
    assert about_account([words]) is of_the_account


def test_a_refusal_of_the_account_has_its_own_class() -> None:
    failure = Failure(
        Outcome.REFUSED, "no money", response(200), Refusal(("no money",), account=True)
    )
    error = error_of(failure, provider="p", call="c", repeatable=False, secrets=(), now=0.0)
    assert type(error) is AccountRefused


def raising(raw: object) -> int:
    raise Missing("there is no such book")


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_success_without_the_thing_is_not_found(repeatable: bool) -> None:
    end = classify(response(200, []), unwrap, raising, tuple, lambda: 0.0, repeatable=repeatable)
    assert isinstance(end, Failure)
    assert (end.outcome, end.text) == (Outcome.REFUSED, "there is no such book")
    found = error_of(end, provider="", call="", repeatable=repeatable, secrets=(), now=0.0)
    assert type(found) is NotFound


def test_a_refusal_that_names_no_such_thing_is_not_found_whatever_its_status() -> None:
    def gone(response: Response) -> Refusal:
        return Refusal(("no",), missing=True, remedy="look at the shelf")

    for status in (200, 404, 422):
        end = classify(
            response(status, 7), gone, Reader[int](int), tuple, lambda: 0.0, repeatable=True
        )
        assert isinstance(end, Failure)
        found = error_of(end, provider="", call="", repeatable=True, secrets=(), now=0.0)
        assert (type(found), found.text) == (NotFound, "no; look at the shelf")


def test_after_an_unknown_outcome_the_right_refusal_is_a_success() -> None:
    reader, right = Reader[int](int), Gone(lambda refusal: refusal.missing, b"7")
    refused = verdict(response(404, ERROR), repeatable=True)
    assert isinstance(refused, Failure)
    assert already_done(refused, right, reader) == CallResult(404, {}, 7)
    assert already_done(refused, None, reader) is refused
    assert already_done(refused, Gone(lambda refusal: False, b"7"), reader) is refused
    for other in (verdict(response(500, ERROR)), Failure(Outcome.UNKNOWN, "reset")):
        assert isinstance(other, Failure)
        assert already_done(other, Gone(lambda refusal: True, b"7"), reader) is other
