"""Every fault on the way of every call that sends, over a real socket, counted at the service."""

from __future__ import annotations

from itertools import product

import pytest

from mailkit.errors import RequestError

from .calls import CALLS, before
from .table import ANSWERED, NOT_SENT, TABLE, TRIES, Row, patience
from .world import TOKEN, open_world, until


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault)
async def test_a_fault_that_lasts(row: Row, name: str) -> None:
    tries = TRIES if row.outcome is NOT_SENT else row.arrives(CALLS[name].repeatable)
    async with open_world() as world:
        world.gate.patience = patience(row, again=CALLS[name].repeatable)
        seen = await before(name, world)
        world.gate.order(CALLS[name].path, row.trouble(world, f"smsby.{name}"))
        caught: RequestError | None = None
        try:
            await CALLS[name].make(world)
        except RequestError as error:
            caught = error
        repeatable = CALLS[name].repeatable
        wanted = (0 if repeatable else row.acted, row.arrives(repeatable))
        await until(lambda: seen() == wanted)
        await world.gate.end()
        assert seen() == wanted
        assert type(caught) is (row.ends(repeatable) or type(None)), caught
        assert [attempt.outcome for attempt in world.attempts] == [row.outcome] * tries
        assert world.strangers == 0
        assert repeatable or world.sandbox.truth.mailed_twice == []
        if caught is not None:
            assert (caught.provider, caught.call) == ("smsby", name)
            assert TOKEN not in f"{caught} {caught!r} {caught.head}"
            assert caught.__context__ is None


@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(row, name, id=f"{row.fault}-{name}")
        for row, name in product(TABLE, CALLS)
        if row.tried_again(CALLS[name].repeatable)
    ],
)
async def test_a_fault_that_passes_while_its_call_waits_to_try_again(row: Row, name: str) -> None:
    async with open_world() as world:
        world.gate.patience = patience(row, again=CALLS[name].repeatable)
        seen = await before(name, world)
        world.gate.order(CALLS[name].path, row.trouble(world, f"smsby.{name}"), last=1)
        await CALLS[name].make(world)
        assert seen() == (not CALLS[name].repeatable, 1 if row.outcome is NOT_SENT else 2)
        assert [attempt.outcome for attempt in world.attempts] == [row.outcome, ANSWERED]
        assert world.strangers == 0
        assert world.sandbox.truth.mailed_twice == []
