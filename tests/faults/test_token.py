"""Faults around SendPulse's tokens: on the way of the request that fetches one, and 401s."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from mailkit.core.retry import Outcome
from mailkit.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    RequestError,
)
from mailkit.providers.sendpulse import SendPulse
from mailkit.sandbox import Fault

from .calls import CALLS, Call, campaign
from .table import ANSWERED, REFUSED, UNKNOWN, Error, Row, one_of_each, patience
from .world import TOKEN, World, open_world, until

CAMPAIGN = CALLS["sendpulse.campaigns.create"]
FETCH = Call("sendpulse.auth.token", "/oauth/access_token", campaign, repeatable=True)
HOUR, DAY = 3600.0, 86_400.0

SENDS = [call for call in CALLS.values() if call.provider == "sendpulse" and not call.repeatable]
each_send = pytest.mark.parametrize("call", SENDS, ids=[call.name for call in SENDS])


@asynccontextmanager
async def with_tokens(world: World) -> AsyncIterator[None]:
    """From here on the world's client of SendPulse fetches tokens."""
    client_id = world.sandbox.sendpulse.settings.client_id
    async with SendPulse(client_id, TOKEN, world.sandbox.url, **world.options) as client:
        world.sendpulse = client
        yield


@pytest.mark.parametrize("renewed", [False, True], ids=["first", "next"])
@pytest.mark.parametrize("row", one_of_each(FETCH), ids=lambda row: row.fault)
async def test_a_fault_on_the_way_of_a_token_mails_nobody_and_is_over(
    row: Row, renewed: bool
) -> None:
    async with open_world() as world:
        await CAMPAIGN.before(world)
        async with with_tokens(world):
            if renewed:
                await world.sendpulse.mailing_lists.list()
                world.sandbox.clock.advance(HOUR)  # the service no longer takes that token
            fetched = world.arrivals(FETCH.operation)
            world.gate.patience = patience(row, again=True)
            world.gate.order(FETCH.path, row.trouble(world, FETCH.operation))
            caught: RequestError | None = None
            later = False
            try:
                await CAMPAIGN.make(world)
            except RequestError as error:
                caught = error
            await until(lambda: world.arrivals(FETCH.operation) - fetched == row.questions)
            await world.gate.end()
            assert world.arrivals(FETCH.operation) - fetched == row.questions
            assert type(caught) is (row.asks or type(None)), caught
            if caught is not None:
                assert world.letters == 0
                assert world.sandbox.requests[CAMPAIGN.operation] == renewed
                said = f"{caught} {caught!r} {caught.excerpt}"
                for secret in (TOKEN, *world.sandbox.sendpulse.account.tokens):
                    assert secret not in said
                later = isinstance(caught, QuotaExhausted | RateLimited)
                if later:  # everybody waits, but no longer than any quota lasts; no token does
                    world.clock.advance(DAY)
                await CAMPAIGN.make(world)
            refused = renewed * (1 if caught is None or later else 2)
            assert world.sandbox.requests[CAMPAIGN.operation] == refused + 1
            assert world.letters == 3
            assert world.sandbox.truth.mailed_twice == []
            assert world.strangers == 0


@pytest.mark.parametrize(
    ("then", "outcome", "error", "acted"),
    [
        (None, ANSWERED, None, 1),
        ("token_refused", REFUSED, AuthenticationFailed, 0),
        ("reset_after_acting", UNKNOWN, OutcomeUnknown, 1),
        ("reset_after_reading", UNKNOWN, OutcomeUnknown, 0),
    ],
    ids=["once", "twice", "lost", "lost, not acted"],
)
@each_send
async def test_after_a_401_the_same_request_goes_out_once_more(
    call: Call, then: str | None, outcome: Outcome, error: Error, acted: int
) -> None:
    async with open_world() as world, with_tokens(world):
        seen = await call.watched(world)
        faults = world.sandbox.faults
        faults.add(Fault("token_refused", on=call.operation, times=1))
        if then is not None:
            faults.add(Fault(then, on=call.operation))
        caught: RequestError | None = None
        try:
            await call.make(world)
        except RequestError as found:
            caught = found
        assert type(caught) is (error or type(None)), caught
        assert seen() == (acted, 2)
        first, second = [
            one for one in world.sandbox.requests.last if one.operation == call.operation
        ]
        assert first.authorization != second.authorization
        assert attrs.evolve(first, authorization=second.authorization) == second
        assert [one.outcome for one in world.attempts] == [REFUSED, outcome]
        assert world.sandbox.truth.mailed_twice == []
