"""``python -m tests.search``: search the promise through all that can happen to a few workers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from math import inf

from .choices import Size
from .explorer import Explorer, Found
from .rules import RULES, Rule, without
from .story import story
from .world import World

WORLDS = (
    Size(processes=2, chunks=1, shared=False),
    Size(processes=1, chunks=1, at_once=2),
    Size(processes=2, chunks=1, failovers=0, can_ask=True),
    Size(processes=2, chunks=1),
    Size(processes=3, chunks=2, failovers=0),
)
"""The first one is small enough to be searched whole; the others share the time that is left."""
_LITTLE = Size(processes=2, chunks=1, failovers=0)
SHOWN_IN = {
    **dict.fromkeys(Rule, _LITTLE),
    Rule.DURABLE: Size(processes=2, chunks=1),
    Rule.HELD_UP: Size(processes=2, chunks=1, failovers=0, shared=False),
    Rule.NUMBER: Size(processes=1, chunks=1, at_once=2, failovers=0),
    Rule.NAME: Size(processes=1, chunks=1, at_once=2, failovers=0),
    Rule.QUESTION: Size(processes=1, chunks=1, failovers=0, shared=False, can_ask=True),
    Rule.PERMIT: Size(processes=2, chunks=2, failovers=0, shared=False),
}
"""The smallest world that shows what a rule is for."""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.search",
        description="Search the promise through all that can happen to a few workers.",
        epilog="rules: " + " ".join(f"{rule}: {RULES[rule]}" for rule in Rule),
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--depth", type=int, help="so many steps at most")
    parser.add_argument(
        "--without", type=Rule, choices=[*Rule], metavar="RULE", help="see what happens then"
    )
    options = parser.parse_args(words)
    give_up = time.monotonic() + 60.0 * options.minutes
    with ExitStack() as block:
        if options.without is not None:
            print(f"Without this rule: {RULES[options.without]}")
            block.enter_context(without(options.without))
        worlds = WORLDS if options.without is None else [SHOWN_IN[options.without]]
        for left, size in zip(range(len(worlds), 0, -1), worlds, strict=True):
            print(f"{size}:", flush=True)
            world = World(size)
            found = Explorer(world).search(
                depth=inf if options.depth is None else options.depth,
                seconds=(give_up - time.monotonic()) / left,
                tell=lambda so_far: print(f"  {so_far}", flush=True),
            )
            print(_told(found), flush=True)
            if found.broken is not None:
                print(f"\n{story(world, found.path, found.broken)}")
                return int(options.without is None)
    return int(options.without is not None)


def _told(found: Found) -> str:
    counted = f"{found.states:,} states, of {found.steps:,} steps that were tried"
    if found.broken is not None:
        return f"The promise is broken after {len(found.path)} steps; {counted}"
    if found.is_all:
        return f"All that can happen keeps the promise: {counted}"
    return f"All that can happen in {found.depth} steps keeps the promise: {counted}"


if __name__ == "__main__":
    sys.exit(main())
