"""Arguments of another type, to all of the bulk send: refused, before anything happens."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailkit import (
    BulkSender,
    Job,
    Journal,
    Message,
    SmsBy,
    cancel,
    csv_report,
    excel_report,
    html_report,
    read_recipients,
    read_suppressions,
    replan_rejected,
    resolve,
)
from mailkit.errors import InvalidArgument, MailkitError

SENDER = BulkSender(SmsBy("t"))
WRONG = object()
ANYTHING = {"provider", "executor", "shown", "source", "self", "file"}
"""Arguments that have checks of their own, or whose class says nothing."""
AWAITED: list[Callable[..., Any]] = [
    SENDER.start,
    SENDER.start_or_resume,
    SENDER.plan,
    SENDER.upload,
    SENDER.test,
    SENDER.resume,
    SENDER.follow,
    SENDER.recall,
    SENDER.report,
    Journal.open,
    resolve,
    replan_rejected,
    cancel,
    html_report,
    csv_report,
    excel_report,
]
AT_ONCE: list[Callable[..., Any]] = [
    BulkSender,
    Job.progress,
    read_recipients,
    read_suppressions,
]


def given(function: Callable[..., Any], journal: Journal) -> dict[str, Any]:
    """Arguments that the function takes."""
    right = {
        "self": None,
        "provider": SmsBy("t"),
        "journal": journal,
        "message": Message("n@s.by", "s", html="h"),
        "recipients": read_recipients(["a@b.by"]),
        "source": ["a@b.by"],
        "name": "autumn",
        "accepted": True,
        "to": "a@b.by",
        "seconds": 1.0,
        "file": io.StringIO(),
    }
    return {name: right[name] for name, one in arguments(function) if one.default is one.empty}


def arguments(function: Callable[..., Any]) -> Iterator[tuple[str, inspect.Parameter]]:
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is not one.VAR_POSITIONAL:
            yield name, one


async def asked(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    result = function(*args, **kwargs)
    if inspect.isawaitable(result):
        await result


async def test_each_argument_of_another_type_is_named() -> None:
    journal = await Journal.open(":memory:")
    tried = 0
    for function in AWAITED + AT_ONCE:
        for name, one in arguments(function):
            if name in ANYTHING:
                continue
            call = {**given(function, journal), name: WRONG}
            by_place = [call.pop("self")] if "self" in call else []
            with pytest.raises(InvalidArgument, match=rf"^{name}: give ") as caught:
                await asked(function, *by_place, **call)
            assert str(caught.value).endswith("not an object"), (function, one)
            tried += 1
    assert tried > 70
    await journal.close()


WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "a yes in words": ({"accepted": "no"}, "accepted: give True or False, not text"),
    "nothing": ({"accepted": None}, "accepted: give True or False, not None"),
    "a number": ({"accepted": 1}, "accepted: give True or False, not an int"),
    "a path": (
        {"journal": "a.db"},
        "journal: give an open Journal, as from await Journal.open(path), not text",
    ),
    "one address": ({"addresses": "a@b.by"}, "addresses: give a list, even for one item, not text"),
    "an address": ({"addresses": [5]}, "addresses[0]: give text, not an int"),
    "a list of chunks": ({"": [1]}, "chunks: give a whole number or text, not a list"),
    "a truth for a chunk": ({"": True}, "chunks: give a whole number or text, not True"),
}


async def test_a_word_on_rows_in_doubt_is_taken_exactly() -> None:
    journal = await Journal.open(":memory:")
    for case, (more, words) in WORDS.items():
        arguments: Any = {"journal": journal, "name": "autumn", "accepted": True, **more}
        chunk = arguments.pop("", 1)
        with pytest.raises(InvalidArgument) as caught:
            await resolve(arguments.pop("journal"), arguments.pop("name"), chunk, **arguments)
        assert str(caught.value) == words, case
    unopened: Any = Journal.open(":memory:")
    with pytest.raises(InvalidArgument, match="a coroutine: await it first"):
        await resolve(unopened, "autumn", 1, accepted=True)
    await journal.close()


async def test_a_report_is_written_to_an_open_file() -> None:
    journal = await Journal.open(":memory:")
    wrong: dict[Callable[..., Any], list[Any]] = {
        csv_report: ["report.csv", 5, io.BytesIO()],
        excel_report: ["report.xlsx", 5, io.StringIO()],
    }
    for report, files in wrong.items():
        for file in files:
            with pytest.raises(InvalidArgument, match="file: give an open file, as from open"):
                await report(journal, "autumn", file)
    await journal.close()


@pytest.mark.parametrize("attachments", [5, "price.pdf"])
def test_attachments_are_a_list(attachments: Any) -> None:
    with pytest.raises(InvalidArgument, match="attachments: give a list"):
        Message("n@s.by", "s", html="h", attachments=attachments)


async def test_a_journal_has_a_place() -> None:
    async with await Journal.open(":memory:") as journal:
        assert journal.path is None
    with pytest.raises(MailkitError):
        await html_report(journal, "autumn")
    with pytest.raises(InvalidArgument, match="the path is empty"):
        async with BulkSender(SmsBy("t"), journal=""):
            pass


def test_a_call_that_lacks_an_argument_is_told_as_any_is() -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'source'"):
        read_recipients()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
