"""Errors pass from process to process with all that they say."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mailkit import errors
from mailkit.address import InvalidAddress
from mailkit.errors import ErrorContext, MailkitError

CONTEXT = ErrorContext("smsby", "emails.send", 400, 7, "excerpt")
MORE: dict[str, dict[str, Any]] = {
    "JobExists": {"name": "autumn"},
    "Unavailable": {"context": CONTEXT, "retry_after": 5.0},
    "RateLimited": {"context": CONTEXT, "retry_after": 5.0},
    "QuotaExhausted": {"context": CONTEXT, "available_at": datetime(2030, 1, 1, tzinfo=UTC)},
}


def each() -> Iterator[MailkitError]:
    yield InvalidAddress("a", "no @")
    for name in errors.__all__:
        kind = getattr(errors, name)
        if kind is ErrorContext:
            continue
        more: dict[str, Any] = MORE.get(name, {})
        if issubclass(kind, errors.Refused):
            more = {"context": CONTEXT, "reasons": ["one", "two"]}
        elif issubclass(kind, errors.RequestError):
            more = more or {"context": CONTEXT}
        yield kind("text", **more)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_is_the_same_after_pickle_and_copy(protocol: int) -> None:
    seen = set[str]()
    for error in each():
        error.add_note("a note")
        for made in (
            pickle.loads(pickle.dumps(error, protocol)),
            copy.copy(error),
            copy.deepcopy(error),
        ):
            assert type(made) is type(error)
            assert (str(made), made.args, vars(made)) == (str(error), error.args, vars(error))
        seen.add(type(error).__name__)
    assert seen == {*errors.__all__, "InvalidAddress"} - {"ErrorContext"}
