"""``python -m tests.crash``: jobs that are killed while others look on, compared with the truth."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ..postgres.server import Server
from .attacks import ATTACKS
from .cluster import QUOTA, prove_cluster
from .crowd import prove_crowd
from .flood import prove_flood
from .frozen import calls_of, prove_frozen
from .judge import BROKEN, Verdict
from .large import MANY, prove_large
from .observers import OBSERVERS
from .permits import FAIR, prove_permits
from .proof import KILLS, prove
from .sandbox import Place, sandbox
from .scenes import scene_of
from .subjects import SUBJECTS, subject_of


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill jobs with SIGKILL, and count the mail.")
    parser.add_argument("--jobs", type=int, default=330)
    parser.add_argument("--kills", type=int, default=KILLS, help="for each job")
    parser.add_argument("--provider", choices=sorted(SUBJECTS), help="default: each in turn")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--observers", type=_names, help=f"none, or of: {','.join(OBSERVERS)}")
    parser.add_argument("--attacks", type=_names, help=f"none, or of: {','.join(ATTACKS)}")
    parser.add_argument(
        "--crowd", type=int, metavar="ROUNDS", help="instead: six sends at once in one journal"
    )
    parser.add_argument(
        "--calls", type=int, metavar="STEP", help="instead: a kill at every STEPth system call"
    )
    parser.add_argument(
        "--large",
        type=int,
        metavar="KILLS",
        help=f"instead: {MANY:,} people in one campaign of SendPulse, until so many kills",
    )
    parser.add_argument(
        "--permits",
        type=int,
        metavar="REQUESTS",
        help="instead: six processes under the quotas of one journal, until so many have arrived",
    )
    parser.add_argument(
        "--postgres",
        type=int,
        metavar="STRIKES",
        help="instead: four senders of a job whose journal is in PostgreSQL, until they and the "
        "server have been struck so often",
    )
    parser.add_argument(
        "--events",
        type=int,
        metavar="NUMBER",
        help="instead: so many events, posted to a receiver that is killed five times",
    )
    parser.add_argument("--seed", type=int, help="this job alone, once more")
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--step", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.permits:
        return _permits(options.permits, options.seed or 1)
    if options.postgres:
        return _cluster(options.postgres, options.seed, options.rows)
    if options.events:
        return _flood(options.events, options.seed or 1)
    if options.large:
        options.rows, options.step = MANY, 1  # one job after the other
    if options.seed is not None:
        options.first, options.jobs, options.step = options.seed, options.seed + 1, 1
    if options.step:
        return work(options)
    workers = min(2 * (os.cpu_count() or 1), options.jobs)  # they wait more than they work
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.crash", *sys.argv[1:], "--step", str(workers)),
                *("--first", str(n)),
            ]
        )
        for n in range(workers)
    ]
    return max(process.wait() for process in running)


def _permits(requests: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        rush = asyncio.run(prove_permits(journal, seed, arrivals=requests, kills_a_second=0.7))
    print(
        f"{rush.arrived} arrivals in {rush.seconds:.0f} s with {rush.kills} kills: at most "
        f"{rush.most} in a window; the busiest process had {rush.unfairness:.2f} times as many as "
        f"the idlest of those that lived all along; above: {rush.above or 'none'}"
    )
    return 1 if rush.above or rush.unfairness > FAIR else 0


def _cluster(strikes: int, seed: int | None, rows: int) -> int:
    began, total, struck, most, bad = time.monotonic(), Verdict(-1), Counter[str](), 0, 0
    seeds = count() if seed is None else iter([seed])
    logging.getLogger("mailkit.journal").setLevel(logging.ERROR)  # its database is often away
    with sandbox() as place, Server() as server, tempfile.TemporaryDirectory() as folder:
        while struck.total() < strikes and (one := next(seeds, None)) is not None:
            ordeal = prove_cluster(one, server, place, Path(folder), rows)
            print(ordeal, flush=True)
            bad += not ordeal.verdict.good
            total += ordeal.verdict
            struck += ordeal.struck
            most = max(most, ordeal.most)
    told = ", ".join(f"{number} {what}" for what, number in struck.most_common())
    print(
        f"{struck.total()} strikes in {time.monotonic() - began:.0f} s: {told}\n"
        f"{_broken(total)}; at most {most} requests in a window of the quota, which allows "
        f"{QUOTA.limit}; {total.rows_in_doubt} rows in {total.doubts} chunks were in doubt\n"
        f"{bad} failed"
    )
    return 1 if bad else 0


def _flood(events: int, seed: int) -> int:
    with sandbox() as place, tempfile.TemporaryDirectory() as folder:
        flood = prove_flood(seed, place, Path(folder), events, kills=5)
    print(flood)
    for one in flood.wrong[:10]:
        print(f"BROKEN: {one}")
    return 1 if flood.wrong else 0


def work(options: argparse.Namespace) -> int:
    """Every ``step``-th job, one after the other, on a sandbox of its own."""
    began, total, bad, played = time.monotonic(), Verdict(-1), 0, Counter[str]()
    with sandbox() as place, tempfile.TemporaryDirectory() as folder:
        for name, verdict in _verdicts(options, place, Path(folder)):
            played[name] += 1
            if not verdict.good:
                bad += 1
                print(f"BROKEN ({name}): {verdict}", flush=True)
            total += verdict
    done = sum(played.values())
    shares = ", ".join(f"{count} over {name}" for name, count in sorted(played.items()))
    print(
        f"{done} proofs of {options.rows:,} recipients ({shares}), {total.kills} kills, "
        f"{total.stops} stops, {total.joined} joined and {total.looks} looks in "
        f"{time.monotonic() - began:.0f} s: {_broken(total)}; "
        f"{total.rows_in_doubt} rows in {total.doubts} chunks were in doubt\n"
        f"{done - bad} passed, {bad} failed",
        flush=True,
    )
    return 1 if bad else 0


def _broken(total: Verdict) -> str:
    return ", ".join(f"{getattr(total, name)} {what}" for name, what in BROKEN.items())


def _verdicts(
    options: argparse.Namespace, place: Place, folder: Path
) -> Iterator[tuple[str, Verdict]]:
    if options.calls:
        subject = SUBJECTS["devino"]  # where nothing waits for a status list
        calls = calls_of(subject, place, folder, options.rows)
        for nth in range(1 + options.first * options.calls, calls, options.step * options.calls):
            yield subject.name, prove_frozen(nth, subject, place, folder, options.rows)
        return
    if options.large:
        kills, seeds = 0, count(options.first)
        while kills < options.large:
            verdict = prove_large(next(seeds), place, folder, options.rows)
            kills += verdict.kills
            yield "sendpulse", verdict
        return
    for seed in range(options.first, options.crowd or options.jobs, options.step):
        subject = subject_of(seed, options.provider)
        if options.crowd:
            yield subject.name, prove_crowd(seed, subject, place, folder, options.rows)
        else:
            scene = scene_of(seed, options.observers, options.attacks)
            verdict = prove(seed, subject, place, folder, options.rows, scene, options.kills)
            if not verdict.good:
                verdict.notes.append(f"{scene}")
            yield subject.name, verdict


def _names(text: str) -> list[str]:
    return [] if text == "none" else text.split(",")


if __name__ == "__main__":
    sys.exit(main())
