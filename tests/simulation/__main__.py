"""``python -m tests.simulation``: play many seeds on all cores, or one again."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from .run import attempt, play


def main() -> int:
    parser = argparse.ArgumentParser(description="Play the promise through made-up worlds.")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many (default 10,000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with its traceback")
    options = parser.parse_args()
    if options.seed is not None:
        print(dict(play(options.seed)))
        return 0
    seeds = range(options.first, options.first + options.seeds)
    began, total, broken = time.monotonic(), Counter[str](), []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for done, (seed, end) in enumerate(pool.imap_unordered(attempt, seeds, 20), 1):
            if isinstance(end, str):
                broken.append(seed)
                print(f"seed {seed}:\n{end}", flush=True)
            else:
                total += end
            if done % 1000 == 0:
                print(f"{done:,} seeds, {len(broken)} broken", flush=True)
    facts = ", ".join(f"{count:,} {what}" for what, count in sorted(total.items()))
    print(f"{len(seeds):,} seeds in {time.monotonic() - began:.0f} s: {facts}")
    print(f"{len(seeds) - len(broken)} passed, {len(broken)} failed")
    if broken:
        print(f"replay one: nox -s simulation -- --seed {min(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
