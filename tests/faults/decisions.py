"""What a client decides about a call, for any end of an attempt: pure, nothing is sent."""

from __future__ import annotations

from inspect import iscoroutinefunction
from random import Random
from typing import Any

from mailkit.core.call import CallResult
from mailkit.core.classify import Failure, classify, error_of
from mailkit.core.client import Client
from mailkit.core.codec import build_exchange
from mailkit.core.retry import Outcome, Policy, delay
from mailkit.core.wire import Response
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.testing import FakeClock
from tests.providers.devino import arguments as of_devino
from tests.providers.sendpulse import arguments as of_sendpulse
from tests.providers.smsby import arguments as of_smsby

from .table import NOT_SENT, REFUSED, TRIES, UNKNOWN, Row
from .test_calls import ROUTES
from .world import TOKEN, End

ARGUMENTS = {**of_smsby.ARGUMENTS, **of_devino.ARGUMENTS, **of_sendpulse.ARGUMENTS}
NAMES = sorted(name for name in ROUTES if name in ARGUMENTS)
NOW = FakeClock().now()
BUDGET = 60.0
"""Seconds that all attempts of a call may take together."""
ELAPSED = (0.0, 1.0, 30.0, 59.9, BUDGET, 3600.0)


def client_of(name: str) -> Client:
    provider = name.partition(".")[0]
    if provider == "sendpulse":
        return SendPulse(api_key=TOKEN, zone="UTC")
    return SmsBy(TOKEN) if provider == "smsby" else Devino(TOKEN)


class Decisions:
    """What the client of the call of this name decides."""

    def __init__(self, name: str) -> None:
        client: Any = client_of(name)
        self.name = name
        self.provider, group, method = name.split(".")
        bound = getattr(getattr(client, group), method)
        assert iscoroutinefunction(bound)
        args, kwargs = ARGUMENTS[name][0]
        call = bound.call(*args, **kwargs)
        exchange = build_exchange(call, name, client._wire_format, client._url, client._auth.fields)
        self.repeatable = exchange.route.repeatable
        self._unwrap = client._unwrap
        self._read = exchange.read

    def classify(self, response: Response) -> CallResult[Any] | Failure:
        return classify(
            response, self._unwrap, self._read, tuple, lambda: NOW, repeatable=self.repeatable
        )

    def failure(self, end: End) -> Failure:
        """Of an attempt that did not succeed."""
        if isinstance(end, Response):
            found = self.classify(end)
            assert isinstance(found, Failure), (self.name, end, found)
            return found
        return Failure(NOT_SENT if isinstance(end, NotSent) else UNKNOWN, end.text)

    def error(self, failure: Failure) -> Exception:
        return error_of(
            failure, provider="", call="", repeatable=self.repeatable, secrets=(), now=NOW
        )

    def wait(self, failure: Failure, attempt: int, elapsed: float) -> float | None:
        """The seconds before the next attempt, None if there is none."""
        return delay(
            failure.outcome,
            later=failure.refusal.later,
            retry_after=failure.retry_after,
            attempt=attempt,
            elapsed=elapsed,
            repeatable=self.repeatable,
            policy=Policy(),
            random=Random(attempt),
        )


def check(decisions: Decisions, row: Row, end: End) -> None:
    """Whatever came before, what follows from this end is what the table says of the fault."""
    failure, again = decisions.failure(end), decisions.repeatable
    told = decisions.name, row.fault, failure
    assert failure.outcome is row.outcome, told
    assert type(decisions.error(failure)) is row.ends(again), told
    if isinstance(end, OutcomeUnknown):
        assert failure.outcome is Outcome.UNKNOWN, told
    for attempt in range(1, TRIES + 2):
        for elapsed in ELAPSED:
            wait = decisions.wait(failure, attempt, elapsed)
            if not row.tried_again(again) or attempt >= TRIES or elapsed >= BUDGET:
                assert wait is None, (told, attempt, elapsed)
            elif elapsed <= BUDGET / 2:
                assert wait is not None, (told, attempt, elapsed)
            if wait is not None:
                asked = failure.retry_after if failure.outcome is REFUSED else None
                assert max(asked or 0, 0.2) <= wait <= BUDGET - elapsed, (told, attempt, elapsed)
