"""The short form of the search; ``nox -s search`` goes on for ten minutes."""

from __future__ import annotations

from math import inf

import pytest

from .__main__ import SHOWN_IN, WORLDS, main
from .alike import Alike
from .choices import Size
from .database import Database
from .explorer import Explorer, Found
from .rules import Rule, without
from .state import Process, State, Step, What
from .story import story
from .world import World


def search(world: World, depth: int) -> Found:
    return Explorer(world).search(depth=depth, seconds=inf)


def after(world: World, *steps: Step) -> State:
    state = world.begin
    with world.journal.running():
        for step in steps:
            state = world.after(state, step)
    return state


DEPTHS = (10, 6, 5, 5, 5)


@pytest.mark.parametrize(("size", "depth"), [*zip(WORLDS, DEPTHS, strict=True)], ids=str)
def test_whatever_happens_in_a_few_steps_keeps_the_promise(size: Size, depth: int) -> None:
    found = search(World(size), depth)
    assert found.broken is None
    assert found.depth == depth
    assert found.states > 300


@pytest.mark.parametrize(("size", "depth"), [*zip(WORLDS, (6, 5, 4, 4, 4), strict=True)], ids=str)
def test_nothing_is_missed_by_going_on_from_one_of_those_that_are_alike(
    size: Size, depth: int
) -> None:
    world = World(size)
    level, every = {world.begin}, {world.begin}
    with world.journal.running():
        for _ in range(depth):
            following = {
                world.after(state, step) for state in level for step in world.choices.steps(state)
            }
            level = following - every
            every |= level
    alike = Alike(world)
    assert len({alike.digest(state) for state in every}) == search(World(size), depth).states
    assert len(every) > search(World(size), depth).states


def test_a_world_in_which_little_can_happen_is_searched_whole() -> None:
    found = search(World(Size(1, 1, failovers=0, shared=False)), 100)
    assert found.is_all
    assert found.broken is None
    assert found.depth < 100


@pytest.mark.parametrize("rule", Rule)
def test_without_any_of_the_rules_the_promise_is_broken(rule: Rule) -> None:
    with without(rule):
        world = World(SHOWN_IN[rule])
        found = search(world, 10)
        assert found.broken is not None
        told = story(world, found.path, found.broken)
    assert told.endswith(found.broken)
    assert len(told.splitlines()) == len(found.path) + 4


def test_the_story_of_a_broken_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--without", "durable"]) == 0
    assert (
        capsys.readouterr().out.partition("steps that were tried")[2]
        == """

2 processes with leases, 1 chunk, 1 at once. The service allows 1 request in 60 seconds.

   0 s  Worker 1 takes chunk 1. Chunk 1 is now sending.
   0 s  Worker 1 sends the first byte of the request for chunk 1.
   0 s  The request reaches the service, which mails chunk 1.
   0 s  The database fails, and its standby takes over: what that did not have is gone. Chunk 1 is \
now planned.

Every worker is killed; another one starts, finds chunk 1 planned, and sends it: the service has \
mailed it twice.
"""
    )


def test_the_promise_is_searched_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--depth", "3"]) == 0
    told = capsys.readouterr().out
    assert told.count("All that can happen in 3 steps keeps the promise") == 5


def test_a_missing_rule_that_is_not_missed_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--without", "word", "--depth", "1"]) == 1


def test_the_permit_of_a_take_that_was_undone_is_nobody_else_s() -> None:
    world = World(Size(2, 2))
    sent = after(
        world,
        Step(What.ASK_IN_VAIN, 0),
        Step(What.TAKE, 1),  # with the number that the permit of the first one had
        Step(What.SEND, 1),
        Step(What.ARRIVE),
        Step(What.RELEASE, 0),
        Step(What.TAKE, 0),
    )
    assert len(world.journal.database.rows(sent.content, "permits")) == 1
    assert [len(process.hands) for process in sent.processes] == [0, 1]


def test_states_are_alike_whoever_does_what_and_whenever() -> None:
    world = World(Size(2, 1))
    alike = Alike(world)
    first, second = after(world, Step(What.TAKE, 0)), after(world, Step(What.TAKE, 1))
    later = after(world, Step(What.TIME, until=500.0), Step(What.TAKE, 0))
    assert alike.digest(first) == alike.digest(second) == alike.digest(later)


def test_states_differ_that_something_else_can_follow() -> None:
    world = World(Size(2, 1))
    alike = Alike(world)
    taken = after(world, Step(What.TAKE, 0))
    assert len({
        alike.digest(state)
        for state in (
            world.begin,
            taken,
            after(world, Step(What.TAKE, 0), Step(What.TIME, until=10.0)),
            after(world, Step(What.TAKE, 0), Step(What.SEND, 0)),
            taken._replace(processes=(Process(), *taken.processes[1:])),
            taken._replace(mailed=(True,)),
            taken._replace(standby=world.begin.content),
        )
    }) == 7  # fmt: skip


def test_a_content_is_put_back_as_it_was() -> None:
    world = World(Size(2, 1))
    taken = after(world, Step(What.TAKE, 0))
    assert taken.content != world.begin.content
    for state in (world.begin, taken, world.begin):
        world.journal.restore(state)
        assert world.journal.database.content() == state.content
        with world.journal.database.tried():
            assert world.journal.join() == 4  # after the planner and these two


def test_nothing_changes_that_a_content_does_not_have() -> None:
    database = Database()
    database.db.execute("BEGIN")
    database.freeze()
    with pytest.raises(Exception, match="the search does not keep suppressions"):
        database.db.execute("INSERT INTO suppressions VALUES (0, 'a@b.by', '', 0)")
