from __future__ import annotations

import inspect
import pydoc
import re
from types import FunctionType
from typing import Any, TypeVar
from unittest.mock import AsyncMock, create_autospec

import attrs
import pytest

from mailkit.core.call import Call, CallResult, Resource, get, method, post, resource, result_type
from mailkit.core.quota import Quota
from mailkit.errors import QuotaExhausted

from .doubles import AddBook, Book, Books, Library, ListBooks, Script, response


def test_a_call_is_a_frozen_value() -> None:
    call = ListBooks(limit=5)
    assert call == ListBooks(5)
    assert hash(call) == hash(ListBooks(5))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        call.limit = 6  # type: ignore[misc]
    assert not hasattr(call, "__dict__")


def test_a_method_has_the_arguments_and_the_words_of_its_call() -> None:
    library = Library(Script())
    assert library.books.list.__name__ == "list"
    assert library.books.list.__doc__ == "All books."
    signature = inspect.signature(library.books.list)
    assert list(signature.parameters) == ["limit", "status", "lent"]
    assert signature.return_annotation == list[Book]
    assert repr(library.books.get).startswith("<function books.get at ")


def test_keyword_only_calls_take_no_positional_arguments() -> None:
    kinds = {p.kind for p in inspect.signature(AddBook).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_resources_and_methods_are_made_once_for_a_client() -> None:
    library = Library(Script())
    assert library.books is library.books
    assert library.books.list is library.books.list
    assert library.books is not Library(Script()).books
    assert Library.books.__doc__ == "Books."


def test_the_route_stands_at_the_method() -> None:
    route = Books.add.route
    assert (route.verb, route.path, route.repeatable) == ("POST", "/books", False)


async def test_help_tracebacks_and_warnings_name_the_call() -> None:
    library = Library(Script())
    add = library.books.add
    for function, name in ((add, "books.add"), (add.raw, "books.add.raw")):
        assert isinstance(function, FunctionType)
        assert inspect.iscoroutinefunction(function)
        assert (function.__qualname__, function.__code__.co_name) == (name, name)
        assert function.__module__ == AddBook.__module__
        waiting = function(title="T")
        assert waiting.__qualname__ == name
        waiting.close()
    for thing in (library.books.add, Books):
        text = re.sub(r"[\s|]", "", pydoc.plain(pydoc.render_doc(thing)))  # versions differ there
        assert "add(*,title:'str',body:'strNone'=None" in text
        assert "Addabookandreturnitsid." in text


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({}, "missing a required (keyword-only )?argument: 'title'"),
        (
            {"title": "T", "titel": "T"},
            "got an unexpected keyword argument 'titel'",
        ),
    ],
)
async def test_arguments_that_the_call_has_not_got_are_a_type_error(
    kwargs: dict[str, Any], words: str
) -> None:
    library = Library(Script())
    for add in (library.books.add, library.books.add.raw):
        with pytest.raises(TypeError, match=rf"^books\.add\(\): {words}$"):
            await add(**kwargs)


@pytest.mark.parametrize("whole", [False, True], ids=["class", "instance"])
async def test_a_mock_of_a_client_awaits_as_the_client_does(whole: bool) -> None:
    library = create_autospec(Library(Script()) if whole else Library, instance=True)
    assert isinstance(library.books.add, AsyncMock)
    library.books.add.return_value = 7
    assert await library.books.add(title="T") == 7
    library.books.add.assert_awaited_once_with(title="T")
    with pytest.raises(TypeError, match="title"):
        library.books.add(titel="T")
    with pytest.raises(AttributeError):
        library.books.append()
    library.books.add.raw.return_value = CallResult(200, {}, 8)
    assert (await library.books.add.raw(title="T")).value == 8


async def test_a_method_of_the_class_belongs_to_no_client() -> None:
    with pytest.raises(TypeError, match="use it on a client"):
        await Books.list()


async def test_raw_has_status_and_headers_around_the_value() -> None:
    library = Library(Script(response(201, {"id": 7}, {"X-Id": "a"})))
    result = await library.books.add.raw(title="T")
    assert result == CallResult(201, {"X-Id": "a"}, 7)


def test_whether_a_call_may_be_repeated_must_be_said() -> None:
    with pytest.raises(TypeError, match="repeatable"):
        get("/books")  # type: ignore[call-arg]


def test_what_a_call_answers_must_be_said() -> None:
    assert result_type(ListBooks) == list[Book]
    with pytest.raises(TypeError, match="does not say"):
        result_type(Call)


A = TypeVar("A")


class Letter(Call[A]):
    """What several calls share."""


@get("/sent", repeatable=True)
class GetSent(Letter[int]):
    pass


def test_what_a_call_answers_may_be_said_to_the_class_it_shares_with_others() -> None:
    assert result_type(GetSent) is int


@post("/letters", repeatable=False, quotas=lambda call: ("tests",) if call.test else ())
class SendLetter(Call[None]):
    test: bool


class Letters(Resource):
    send = method(SendLetter)


class Post(Library):
    letters = resource(Letters)


async def test_a_call_may_tell_by_its_arguments_which_quotas_it_takes_from() -> None:
    script = Script(*[response(200, {})] * 3)
    letters = Post(script, quotas={"tests": Quota(1, 3600.0, "tests")}).letters
    await letters.send(True)
    await letters.send(False)
    with pytest.raises(QuotaExhausted):
        await letters.send(True)
    await letters.send(False)
