from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.wire import Refusal, Response, Unclear, Unreadable
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.providers.smsby.envelope import unwrap

from ...core.doubles import Script, response
from .doubles import client, sample


@pytest.mark.parametrize(
    ("tree", "inside"),
    [
        ({"status": "OK", "result": [1]}, [1]),
        ({"status": "success", "data": {"a": 1}}, {"a": 1}),
        ({"status": "ok", "result": 0, "error": None}, 0),
        ({"status": "OK", "result": None}, None),
        ({"success": "OK", "uuid": "u"}, {"success": "OK", "uuid": "u"}),
        ({"status": "Success", "error": "", "result": "x"}, "x"),
        ({"status": "OK", "error": [], "result": "x"}, "x"),
    ],
)
def test_successes_are_opened(tree: object, inside: object) -> None:
    raw = unwrap(response(200, tree))
    assert not isinstance(raw, Refusal)
    assert msgspec.json.decode(raw) == inside


@pytest.mark.parametrize("status", [200, 400, 404, 421, 429])
@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"error": "No such list"}, "No such list"),
        ({"status": "error", "message": "Wrong"}, "Wrong"),
        ({"status": "ERROR", "message": "Wrong", "error": ""}, "Wrong"),
        ({"error": "No", "status": None, "result": None}, "No"),
    ],
)
def test_the_two_documented_forms_of_a_no_are_refusals(
    tree: object, reason: str, status: int
) -> None:
    refusal = unwrap(response(status, tree))
    assert isinstance(refusal, Refusal)
    assert refusal.reasons == (reason,)


@pytest.mark.parametrize(
    "tree",
    [
        {"error": "No such list"},
        {"status": "error", "message": "Wrong"},
    ],
)
@pytest.mark.parametrize("status", [201, 301, 401, 402, 403, 405, 409, 422, 500, 502, 503, 504])
def test_with_a_status_that_is_not_documented_they_may_be_anybody_s(
    tree: object, status: int
) -> None:
    with pytest.raises(Unreadable):
        unwrap(response(status, tree))


@pytest.mark.parametrize(
    "tree",
    [
        {"error": ""},
        {"error": " "},
        {"error": 7},
        {"error": ["No"]},
        {"error": {"subject": ["is empty"]}},
        {"error": {"code": 403, "message": "No", "status": "PERMISSION_DENIED"}},
        {"error": "No", "message": "Why"},
        {"error": "No", "code": "E7"},
        {"error": "No", "request_id": "1"},
        {"message": "Why"},
        {"Message": "Why"},
        {"success": False},
        {"success": "fail", "error": "No"},
        {"status": 404, "error": "Not Found"},
        {"status": "error"},
        {"status": "error", "message": {"a": "b"}},
        {"status": "error", "error": "No"},
        {"status": "fail", "message": "No"},
        {"status": "Failure", "message": "No", "reason": "Forbidden", "code": 403},
        {"status": "pending"},
        {"status": 1, "result": 1},
        {"status": True, "message": "No"},
        {"success": True, "data": 1},
        {"success": 1, "uuid": "u"},
        {"status": "OK", "success": "fail", "result": 1},
        {"status": "OK", "error": "No", "result": 1},
        {"status": "NEW", "email_id": 5},
        {"email_id": 5},
    ],
)
def test_what_has_neither_form_is_no_answer_of_the_service(tree: object) -> None:
    for status in (200, 400, 404, 421, 429):
        with pytest.raises(Unreadable):
            unwrap(response(status, tree))


@pytest.mark.parametrize(
    "said",
    [
        "upstream timeout", "Gateway Time-out", "The request timed out", "socket hang up",
        "context deadline exceeded", "connect ECONNREFUSED 10.0.0.7:80", "read ECONNRESET",
        "fetch failed", "write EPIPE",
        "no healthy upstream", "Bad Gateway", "Service Temporarily Unavailable", "internal error",
        "Request failed with status code 502", "unexpected EOF", "Something went wrong",
        "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away", "Internal Server Error",
        "Maximum execution time of 30 seconds exceeded", "Внутренняя ошибка сервера",
        "page not found", "no such route", "invalid host header", "Authorization field missing",
        "Request header or cookie too large",
        "Сервис временно недоступен", "Превышено время ожидания", "dial tcp: i/o timeout",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 404, 421, 429])
def test_words_about_a_failure_may_follow_an_act(said: str, status: int) -> None:
    for tree in ({"error": said}, {"status": "error", "message": said}):
        with pytest.raises(Unclear):
            unwrap(response(status, tree))


@pytest.mark.parametrize(
    "tree",
    [
        {"status": "NEW", "email_id": 5},
        {"uuid": "u"},
        {"status": "OK", "error": "No"},
        {"status": "NEW", "result": {"message_id": 5}},
        {"state": "queued", "data": {"uuid": "u"}},
    ],
)
def test_what_has_something_of_a_success_may_follow_an_act(tree: object) -> None:
    for status in (200, 400, 404, 502):
        with pytest.raises(Unclear):
            unwrap(response(status, tree))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Bad Request"), (400, "400 Bad request."), (404, "Not Found"), (404, "not found"),
        (421, "Misdirected Request"),
    ],
)  # fmt: skip
def test_the_status_in_words_is_what_anybody_says(status: int, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        unwrap(response(status, {"error": said}))
    assert type(caught.value) is Unreadable


@pytest.mark.parametrize(
    "said",
    [
        "No such list", "Invalid token", "Sender's domain has no DNS records",
        "Sender not connected", "The sender is temporarily blocked", "Name is taken",
        "Sending is unavailable on your plan",
        "Unexpected parameter email", "The campaign is cancelled", "Too many addresses: 5000",
        "Message is too large", "Function disabled: internal account", "Not enough memory of names",
        "Имя рассылки уже занято", "Функция недоступна на вашем тарифе", "Недостаточно средств",
        "Отправитель временно заблокирован", "Отклонено: адрес в чёрном списке",
    ],
)  # fmt: skip
def test_words_about_the_request_are_the_service_s(said: str) -> None:
    for status in (200, 400, 404, 421, 429):
        assert isinstance(unwrap(response(status, {"error": said})), Refusal)


def test_too_many_requests_are_the_service_s_own_words() -> None:
    assert isinstance(unwrap(response(429, {"error": "Too Many Requests"})), Refusal)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"result":1}', b"<html>", b"OK", b"null"])
@pytest.mark.parametrize("status", [200, 400, 502])
def test_what_is_no_envelope_is_unreadable(body: bytes, status: int) -> None:
    with pytest.raises(Unreadable):
        unwrap(Response(status, {}, body))


@given(st.binary())
def test_no_body_without_a_mark_is_a_success(body: bytes) -> None:
    """Whatever the bytes are, they are unreadable, and nothing else is raised."""
    with pytest.raises(Unreadable):
        unwrap(Response(200, {}, body))


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("error_token", 200, AuthenticationFailed),
        ("error_token", 400, AuthenticationFailed),
        ("not_verified", 421, Refused),
        ("not_verified", 404, NotFound),
        ("not_verified", 429, RateLimited),
        ("no_money", 200, AccountRefused),
        ("not_verified", 403, Unavailable),
        ("not_verified", 401, AuthenticationFailed),
        ("not_verified", 503, OutcomeUnknown),
        ("error_of_fields", 200, OutcomeUnknown),
        ("error_of_a_gateway", 200, OutcomeUnknown),
        ("sent_in_v1", 200, OutcomeUnknown),
        ("sent_in_v1", 400, OutcomeUnknown),
        ("sent_in_v1", 404, OutcomeUnknown),
    ],
)
async def test_a_refusal_has_the_class_that_says_what_to_do(
    name: str, status: int, error: type[Exception]
) -> None:
    said = sample(name, status)
    sms = client(Script(said)).with_options(attempts=1)
    with pytest.raises(error) as caught:
        await sms.emails.send(sender="a@b.by", to="c@d.by", subject="s", html="h")
    assert type(caught.value) is error


async def test_a_421_is_final() -> None:
    script = Script(sample("not_verified", 421))
    with pytest.raises(Refused, match="Data not verified: subject is too long") as caught:
        await client(script).templates.list()
    assert caught.value.status == 421
