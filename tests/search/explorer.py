"""Goes through every state that can be reached, those of fewer steps first."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from .alike import Alike, Form
from .state import State, Step, What
from .world import Broken, World

__all__ = ["Explorer", "Found"]

LATELY = 300_000
"""So many states are known as they are; of others, what they are like."""

_Level = list[tuple[int, State]]


@attrs.frozen
class Found:
    """What a search has found: all ``states`` that can be reached in ``depth`` steps, and whether
    there are no others; or by which ``path`` the promise is ``broken``, and how. ``steps`` counts
    those that were tried.
    """

    states: int
    steps: int
    depth: int
    is_all: bool = False
    path: Sequence[Step] = ()
    broken: str | None = None


class Explorer:
    """Searches a world. States that are alike are gone on from once, so what is found first is a
    shortest way.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._alike = Alike(world)
        self._seen: set[bytes] = set()
        self._now: set[State] = set()
        self._ends: set[Form] = set()
        self._before = array("q")  # of each state, the number of the one before
        self._by: list[Step] = []  # and the step that led here
        self._steps = 0
        self._steps_known: dict[Step, Step] = {}
        self._parts: dict[Any, Any] = {}

    def search(
        self, *, depth: float, seconds: float, tell: Callable[[str], None] = lambda _: None
    ) -> Found:
        """Go so deep, for so long at most."""
        give_up = time.monotonic() + seconds
        reached, path = 0, list[Step]()
        level: _Level = []
        self._add(self._world.begin, -1, Step(What.TIME), level)
        try:
            with self._world.journal.running():
                while level:
                    tell(f"{reached} steps: {len(self._seen):,} states")
                    following: _Level = []
                    self._now.clear()
                    self._parts.clear()
                    for number, state in level:
                        if time.monotonic() > give_up:
                            return Found(len(self._seen), self._steps, reached)
                        path = self._path(number)
                        self._end(state)
                        if reached < depth:
                            self._go_on(number, state, path, following)
                    if reached == depth:
                        return Found(len(self._seen), self._steps, reached)
                    reached += 1
                    level = following
        except Broken as broken:
            return Found(len(self._seen), self._steps, len(path), path=path, broken=str(broken))
        return Found(len(self._seen), self._steps, reached, is_all=True)

    def _go_on(self, number: int, state: State, path: list[Step], following: _Level) -> None:
        for step in self._world.choices.steps(state):
            self._steps += 1
            path.append(step)
            after = self._world.after(state, step)
            path.pop()
            if after != state:
                self._add(after, number, step, following)

    def _add(self, state: State, before: int, step: Step, level: _Level) -> None:
        if state in self._now:  # which is sooner found than what it is like
            return
        if len(self._now) == LATELY:
            self._now.clear()
        self._now.add(state)
        digest = self._alike.digest(state)
        if digest not in self._seen:
            self._seen.add(digest)
            level.append((len(self._by), self._shared(state)))
            self._before.append(before)
            self._by.append(self._steps_known.setdefault(step, step))

    def _shared(self, state: State) -> State:
        """The same state; what others have, too, is in memory once."""
        same = self._parts.setdefault
        processes = tuple(same(process, process) for process in state.processes)
        return state._replace(processes=same(processes, processes))

    def _end(self, state: State) -> None:
        """What becomes of the job if every process dies here."""
        end = self._alike.end(state)
        if end not in self._ends:
            self._ends.add(end)
            self._world.end(state)

    def _path(self, number: int) -> list[Step]:
        path = []
        while self._before[number] >= 0:
            path.append(self._by[number])
            number = self._before[number]
        return path[::-1]
