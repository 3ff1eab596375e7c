from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.wire import Answer, Refusal, Unreadable
from mailkit.errors import AuthenticationFailed, NotFound, RateLimited, Refused, Unavailable
from mailkit.providers.smsby.envelope import opened

from ...core.doubles import Script, answer
from .doubles import client, sample


@pytest.mark.parametrize(
    ("tree", "inside"),
    [
        ({"status": "OK", "result": [1]}, [1]),
        ({"status": "success", "data": {"a": 1}}, {"a": 1}),
        ({"status": "ok", "result": 0, "error": None}, 0),
        ({"status": "OK", "result": None}, None),
        ({"success": "OK", "uuid": "u"}, {"success": "OK", "uuid": "u"}),
        ({"success": True, "data": 1}, 1),
        ({"status": "Success", "error": "", "result": "x"}, "x"),
        ({"status": "OK", "error": [], "result": "x"}, "x"),
    ],
)
def test_successes_are_opened(tree: object, inside: object) -> None:
    raw = opened(answer(200, tree))
    assert not isinstance(raw, Refusal)
    assert msgspec.json.decode(raw) == inside


@pytest.mark.parametrize(
    ("tree", "reasons"),
    [
        ({"error": "No such list"}, ("No such list",)),
        ({"status": "error", "message": "Wrong"}, ("Wrong",)),
        ({"status": "OK", "error": "No", "result": 1}, ("No",)),
        ({"success": "fail", "error": "No", "message": "Why"}, ("No", "Why")),
        ({"success": False}, ("status false",)),
        ({"status": "pending"}, ("status pending",)),
        ({"status": 1, "result": 1}, ("status 1",)),
        ({"message": "Why"}, ("Why",)),
        ({"error": {"subject": ["is empty"]}}, ('{"subject":["is empty"]}',)),
    ],
)
def test_everything_else_is_a_refusal_in_the_service_s_words(
    tree: object, reasons: tuple[str, ...]
) -> None:
    refusal = opened(answer(200, tree))
    assert isinstance(refusal, Refusal)
    assert refusal.reasons == reasons


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"result":1}', b"<html>", b"OK", b"null"])
def test_what_is_no_envelope_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        opened(Answer(200, {}, body))


@given(st.binary())
def test_no_body_breaks_the_reader(body: bytes) -> None:
    with suppress(Unreadable):
        opened(Answer(200, {}, body))


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("error_token", 200, AuthenticationFailed),
        ("error_token", 400, AuthenticationFailed),
        ("not_verified", 421, Refused),
        ("not_verified", 401, AuthenticationFailed),
        ("not_verified", 403, AuthenticationFailed),
        ("not_verified", 404, NotFound),
        ("not_verified", 429, RateLimited),
        ("not_verified", 503, Unavailable),
        ("error_of_fields", 200, Refused),
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


def test_what_a_gateway_may_have_said_is_no_word_of_the_service() -> None:
    said = b'{"message": "Service Unavailable"}'
    assert isinstance(opened(Answer(400, {}, said)), Refusal)
    with pytest.raises(Unreadable):
        opened(Answer(503, {}, said))


async def test_a_421_is_final() -> None:
    script = Script(sample("not_verified", 421))
    with pytest.raises(Refused, match="Data not verified: subject is too long") as caught:
        await client(script).templates.list()
    assert caught.value.status == 421


async def test_a_code_is_kept() -> None:
    with pytest.raises(Refused) as caught:
        await client(Script(sample("error_of_fields"))).templates.list()
    assert caught.value.code == "E7"
