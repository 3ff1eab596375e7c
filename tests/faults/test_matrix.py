"""Every fault on the way of every call that mails, over a real socket, counted at the service."""

from __future__ import annotations

from itertools import product

import pytest

from mailkit.errors import RequestError

from .calls import CALLS, Call
from .table import ANSWERED, NOT_SENT, TABLE, TRIES, Row, patience
from .world import TOKEN, open_world, until

FIRST = {(call.provider, call.repeatable): call for call in reversed(CALLS.values())}
"""One call of each provider that is repeated, and one that is not, meets every fault; the others,
which differ in nothing that a fault can tell, share them out.
"""
SHARE = 11
CASES = [
    (row, call)
    for (n, row), (m, call) in product(enumerate(TABLE), enumerate(CALLS.values()))
    if row.concerns(call) and (call in FIRST.values() or (n + m) % SHARE == 0)
]


def named(cases: list[tuple[Row, Call]]) -> list[object]:
    return [pytest.param(row, call, id=f"{row.fault}-{call.name}") for row, call in cases]


@pytest.mark.parametrize(("row", "call"), named(CASES))
async def test_a_fault_that_lasts(row: Row, call: Call) -> None:
    repeatable = call.repeatable
    tries = TRIES if row.outcome is NOT_SENT else row.arrives(repeatable)
    async with open_world() as world:
        world.gate.patience = patience(row, again=repeatable)
        seen = await call.watched(world)
        world.gate.order(call.path, row.trouble(world, call.operation))
        caught: RequestError | None = None
        try:
            await call.make(world)
        except RequestError as error:
            caught = error
        wanted = (0 if repeatable else row.acted, row.arrives(repeatable))
        await until(lambda: seen() == wanted)
        await world.gate.end()
        assert seen() == wanted
        assert type(caught) is (row.ends(repeatable) or type(None)), caught
        assert [attempt.outcome for attempt in world.attempts] == [row.outcome] * tries
        assert world.strangers == 0
        assert world.sandbox.truth.mailed_twice == []
        if caught is not None:
            assert f"{caught.provider}.{caught.call}" == call.operation
            assert TOKEN not in f"{caught} {caught!r} {caught.excerpt}"
            assert caught.__context__ is None


@pytest.mark.parametrize(
    ("row", "call"), named([(row, call) for row, call in CASES if row.tried_again(call.repeatable)])
)
async def test_a_fault_that_passes_while_its_call_waits_to_try_again(row: Row, call: Call) -> None:
    async with open_world() as world:
        world.gate.patience = patience(row, again=call.repeatable)
        seen = await call.watched(world)
        world.gate.order(call.path, row.trouble(world, call.operation), last=1)
        await call.make(world)
        assert seen() == (not call.repeatable, 1 if row.outcome is NOT_SENT else 2)
        assert [attempt.outcome for attempt in world.attempts] == [row.outcome, ANSWERED]
        assert world.strangers == 0
        assert world.sandbox.truth.mailed_twice == []
