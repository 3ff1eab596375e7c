"""Whether a service behaves as documented: read-only calls with the user's own credentials.

The results hold no personal data: no addresses, names or amounts, and only the shape of an
unexpected response.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from mailkit.core.call import Call, Raw, result_type
from mailkit.core.client import Client
from mailkit.core.reading import decode
from mailkit.core.shapes import shape_of, unknown_keys
from mailkit.core.wire import Refusal, Response, Unreadable
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    MailkitError,
    NotSent,
    Refused,
    RequestError,
    Unavailable,
)

__all__ = ["Check", "CheckResult", "CheckState", "Expected", "diagnose", "redacted"]

_EXCERPT = 300
_WORD = re.compile(r"[^\s<>\"'`]+")
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'")
_NUMBER = re.compile(r"\d{6,}")


class Expected(StrEnum):
    """What is a good answer: a value, the service's own no, or anything that comes over HTTP."""

    VALUE = "value"
    REFUSAL = "refusal"
    ANYTHING = "anything"


def _readable(value: Any) -> str:
    return "can be read"


@attrs.frozen
class Check:
    """A read-only call that ``mailkit doctor`` makes.

    ``call`` is that call, or a function that makes it from the values of earlier checks, by their
    names; None if there is nothing to read. ``finding`` says in a few words what the value means,
    without personal data, and raises InvalidArgument for a bad one. If any response is
    ``expected``, it gets None.
    """

    name: str
    call: Call[Any] | Callable[[Mapping[str, Any]], Call[Any] | None]
    finding: Callable[[Any], str] = _readable
    expected: Expected = Expected.VALUE


class CheckState(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    UNEXPECTED = "unexpected shape"
    SKIPPED = "not checked"


@attrs.frozen
class CheckResult:
    """The result of a check. ``unknown`` has keys that no type reads, ``shape`` the keys and types
    of the whole response, ``status`` its HTTP status.
    """

    name: str
    state: CheckState
    text: str
    status: int | None = None
    unknown: Sequence[str] = ()
    shape: str | None = None

    @property
    def good(self) -> bool:
        """Whether nobody needs to look."""
        return self.state in (CheckState.OK, CheckState.SKIPPED)


async def diagnose(client: Client, checks: Sequence[Check]) -> AsyncIterator[CheckResult]:
    """Make the checks one after another; those after one that shows that nobody can be asked are
    skipped.
    """
    values: dict[str, Any] = {}
    hopeless = False
    for check in checks:
        call = check.call if isinstance(check.call, Call) else check.call(values)
        if hopeless or call is None:
            why = "skipped after the failure above" if hopeless else "nothing to read"
            yield CheckResult(check.name, CheckState.SKIPPED, why)
            continue
        result, hopeless = await _made(client, check, call, values)
        yield result


async def _made(
    client: Client, check: Check, call: Call[Any], values: dict[str, Any]
) -> tuple[CheckResult, bool]:
    """How it ended, and whether no other can end well."""
    seen: list[tuple[Response, Raw | Refusal | None]] = []
    looking = client.shown(lambda response, found: seen.append((response, found)))
    error: MailkitError | None = None
    state, text = CheckState.OK, ""
    unknown: Sequence[str] = ()
    try:
        value = (await looking.with_options(attempts=1).exchange(call, check.name)).value
        text = check.finding(value)
        values[check.name] = value
    except MailkitError as raised:
        error = raised
    response, found = seen[-1] if seen else (None, None)
    if isinstance(found, Raw) and error is None:
        unknown = _unknown(call, found)
        if unknown:
            state = CheckState.UNEXPECTED
            text += f"; keys unknown to mailkit: {', '.join(unknown)}"
    hopeless = isinstance(error, AuthenticationFailed | NotSent)
    if error is not None:
        state, text = _ended(client, check, error, response)
    elif check.expected is Expected.REFUSAL and response is not None:
        state, text = (
            CheckState.UNEXPECTED,
            f"not refused, but should be: {_shape(response)}",
        )
    shape = None if response is None else _shape(response)
    status = None if response is None else response.status
    return CheckResult(check.name, state, text, status, unknown, shape), hopeless


def _ended(
    client: Client, check: Check, error: MailkitError, response: Response | None
) -> tuple[CheckState, str]:
    words = error.text if isinstance(error, RequestError) else str(error)
    text = redacted(client.scrubbed(words))
    unauthorized = isinstance(error, AuthenticationFailed) or (
        response is not None and response.status == 401
    )
    if unauthorized:
        return CheckState.FAILED, f"the credential was refused: {text}"
    if response is not None and check.expected is Expected.ANYTHING:
        return CheckState.OK, f"{check.finding(None)} (HTTP {response.status})"
    if isinstance(error, Refused) and check.expected is Expected.REFUSAL:
        return CheckState.OK, "refused, as expected"
    if isinstance(error, NotSent):
        return CheckState.FAILED, f"the service can't be reached: {text.removeprefix('not sent: ')}"
    unreadable = isinstance(error, BadResponse) or (
        isinstance(error, Unavailable) and response is not None and response.status < 500
    )
    if unreadable and response is not None:
        return CheckState.UNEXPECTED, f"{text}: HTTP {response.status}, {_shape(response)}"
    status = "" if response is None else f" (HTTP {response.status})"
    refused = "refused: " if isinstance(error, Refused) else ""
    return CheckState.FAILED, f"{refused}{text}{status}"


def _unknown(call: Call[Any], raw: Raw) -> Sequence[str]:
    route, kind = call.__route__, result_type(type(call))
    if route.read is not None:
        return ()
    tree = decode(raw)
    if route.pick is not None:
        tree = tree[route.pick] if isinstance(route.pick, str) else route.pick(tree)
    return unknown_keys(kind, tree)


def _shape(response: Response) -> str:
    try:
        return shape_of(decode(response.body))
    except Unreadable:
        kind = response.headers.get("Content-Type", "no type").partition(";")[0]
        return f"{len(response.body):,} bytes that are not JSON ({redacted(kind)[:40]})"


def redacted(text: str) -> str:
    """The text without addresses, quoted words, longer numbers and the user's folder."""
    with suppress(RuntimeError):  # there may be none
        home = str(Path.home())
        text = text.replace(home, "~") if len(home) > 1 else text
    text = _WORD.sub(lambda found: "…@…" if "@" in found[0] else found[0], text)
    return _NUMBER.sub("…", _QUOTED.sub("'…'", text))[:_EXCERPT]
