"""Every fault on the way of each kind of request, over a real socket, counted at the service; and
what every other call makes of it, whatever came before.
"""

from __future__ import annotations

from functools import cache

import pytest

from mailkit.errors import RequestError

from .calls import SENDS, SHAPES, Call
from .decisions import NAMES, Decisions, check
from .table import ANSWERED, NOT_SENT, TABLE, TRIES, WIRE, WORDS, Row, patience
from .world import TOKEN, open_world, until

Case = tuple[Row, Call]

CASES: list[Case] = [
    *((row, call) for row in WIRE for call in SHAPES if row.concerns(call)),
    *((row, call) for row in WORDS for call in SENDS if row.concerns(call)),
]
PASSING: dict[object, Case] = {
    (row.outcome, row.slow, call.name): (row, call)
    for row in reversed(TABLE)
    for call in SHAPES
    if row.concerns(call) and row.tried_again(call.repeatable)
}
"""One fault of each outcome, on each kind of request that goes out again after it."""


def cases(some: list[Case]) -> pytest.MarkDecorator:
    named = [pytest.param(row, call, id=f"{row.fault}-{call.name}") for row, call in some]
    return pytest.mark.parametrize(("row", "call"), named)


@cache
def decisions_of(provider: str) -> list[Decisions]:
    """Those of every call of a service."""
    return [Decisions(name) for name in NAMES if name.startswith(f"{provider}.")]


@cases(CASES)
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
        assert len(world.gate.ends) == tries
        if row.outcome is not ANSWERED and not row.own and call in SENDS:
            for decisions in decisions_of(call.provider):
                check(decisions, row, world.gate.ends[-1])


@cases(list(PASSING.values()))
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
