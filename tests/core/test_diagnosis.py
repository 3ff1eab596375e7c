"""What the doctor finds: which keys are unknown, how each check ends, and nothing personal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mailkit.core.diagnosis import Check, CheckResult, CheckState, Expected, diagnose, redacted
from mailkit.core.shapes import shape_of, unknown_keys
from mailkit.core.wire import Response
from mailkit.errors import InvalidArgument, NotSent
from mailkit.providers.sendpulse.models import Contact, Statistics

from .doubles import CANARY, Book, GetBook, Library, ListBooks, Script, response

OK, FAILED, ODD, SKIPPED = CheckState
BOOK = {"id": 1, "ttile": "Kim"}
ANNA = "anna@example.com"


def test_a_shape_has_keys_and_types_and_no_values() -> None:
    for tree, shape in (
        (
            {"id": 1, "name": "Anna", "n": "12.5"},
            '{"id": number, "name": text, "n": a number as text}',
        ),
        ([{"id": 1}, {"id": 2}, {"id": None}], '[{"id": number} | {"id": null} × 3]'),
        ([], "[]"),
        ({ANNA: True, "375291234567": {}}, '{"(16 characters)": boolean, "(12 characters)": {}}'),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}, '{"a": ' * 6 + "{…}" + "}" * 6),
        ("Anna", "text"),
    ):
        assert shape_of(tree) == shape


def test_keys_that_nothing_reads_are_named_with_their_place() -> None:
    for kind, tree, unknown in (
        (Book, BOOK, []),
        (Book, {"id": 1, "title": "Kim", "isbn": "12"}, ["isbn (a number as text)"]),
        (list[Book], [BOOK, {**BOOK, "a": 1}, {**BOOK, "a": 2}], ["[].a (number)"]),
        (list[Book], {"0": {**BOOK, "a": 1}}, ["[].a (number)"]),  # as PHP writes a list
        (dict[str, list[Book]], {ANNA: [{**BOOK, "a": []}]}, ["{}[].a (a list)"]),
        (Book | None, {**BOOK, ANNA: None}, ["(16 characters) (null)"]),
        (Contact, {"email": ANNA, "variables": {"Имя": "Анна"}}, []),  # these read themselves
        (Statistics, {"sent": 1}, []),
        (Book, [BOOK], []),
    ):
        assert unknown_keys(kind, tree) == unknown, tree


def _count(found: Sequence[Book]) -> str:
    if not found:
        raise InvalidArgument(f"there is none of {ANNA}")
    return f"{len(found)} books"


def _first(values: Mapping[str, Any]) -> GetBook | None:
    return GetBook(values["books"][0].id) if values.get("books") else None


BOOKS = Check("books", ListBooks(), _count)
NO_BOOK = Check("no book", GetBook(0), expected=Expected.REFUSAL)
ANYTHING = Check("anything", GetBook(0), lambda nothing: "there", Expected.ANYTHING)


async def found(*acts: Response | BaseException, checks: Sequence[Check]) -> list[CheckResult]:
    script = Script(*acts)
    results = [result async for result in diagnose(Library(script), checks)]
    assert not script.acts
    return results


@pytest.mark.parametrize(
    ("check", "act", "state", "text"),
    [
        (BOOKS, response(200, [BOOK]), OK, "1 books"),
        (BOOKS, response(200, [{**BOOK, "b": 1}]), ODD,
         "1 books; keys unknown to mailkit: [].b (number)"),
        (BOOKS, response(200, []), FAILED, "there is none of …@… (HTTP 200)"),
        (BOOKS, response(200, {"books": [ANNA]}), ODD,
         'unexpected response: dict is not a list: HTTP 200, {"books": [text × 1]}'),
        (BOOKS, response(200, [{"id": ANNA}]), ODD, None),
        (BOOKS, response(200, b"<html>Anna"), ODD, None),
        (BOOKS, response(502, b"<html>Anna"), FAILED, None),
        (BOOKS, response(400, {"error": f"{ANNA} has no 'Books', ask 375291234567"}), FAILED,
         "refused: …@… has no '…', ask … (HTTP 400)"),
        (BOOKS, response(401, {"error": f"wrong key {CANARY}"}), FAILED,
         "the credential was refused: wrong key ***"),
        (BOOKS, NotSent("no such host"), FAILED, "the service can't be reached: no such host"),
        (NO_BOOK, response(400, {"error": "no such book"}), OK, "refused, as expected"),
        (NO_BOOK, response(200, BOOK), ODD,
         'not refused, but should be: {"id": number, "ttile": text}'),
        (ANYTHING, response(404, b"nothing here"), OK, "there (HTTP 404)"),
        (ANYTHING, response(401, b"who?"), FAILED, None),
        (ANYTHING, NotSent("no such host"), FAILED, "the service can't be reached: no such host"),
    ],
)  # fmt: skip
async def test_how_a_check_ends(
    check: Check, act: Response | BaseException, state: CheckState, text: str | None
) -> None:
    [result] = await found(act, checks=[check])
    assert result.state is state, result
    assert text in (result.text, None)
    for word in ("Anna", "anna", "Kim", CANARY):
        assert word not in str(result)


async def test_a_check_can_ask_about_what_another_has_found() -> None:
    checks = [BOOKS, Check("book", _first)]
    results = await found(response(200, [BOOK]), response(200, BOOK), checks=checks)
    assert [result.state for result in results] == [OK, OK]
    results = await found(response(200, []), checks=checks)
    assert [result.state for result in results] == [FAILED, SKIPPED]


async def test_where_nobody_can_be_asked_nobody_is_asked_again() -> None:
    results = await found(NotSent("no such host"), checks=[BOOKS, NO_BOOK, BOOKS])
    assert [result.state for result in results] == [FAILED, SKIPPED, SKIPPED]


def test_a_text_is_redacted() -> None:
    for text, bare in (
        ("write to Anna <anna@example.com>", "write to Anna <…@…>"),
        ('Argument "email" is invalid', "Argument '…' is invalid"),
        ("it can't be read: don't", "it can't be read: don't"),
        ("call 375291234567 about 12345", "call … about 12345"),
    ):
        assert redacted(text) == bare
