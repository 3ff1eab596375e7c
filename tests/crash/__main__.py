"""``python -m tests.crash``: jobs that are killed while others look on, compared with the truth."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .attacks import ATTACKS
from .judge import BROKEN, Verdict
from .observers import OBSERVERS
from .proof import KILLS, prove
from .sandbox import sandbox
from .scenes import scene_of
from .subjects import SUBJECTS, subject_of


def work(options: argparse.Namespace) -> int:
    """Every ``step``-th job, one after the other, on a sandbox of its own."""
    began, total, bad, played = time.monotonic(), Verdict(-1), 0, Counter[str]()
    observers, attacks = _names(options.observers), _names(options.attacks)
    with sandbox() as place, tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.jobs, options.step):
            subject = subject_of(seed, options.provider)
            scene = scene_of(seed, observers, attacks)
            verdict = prove(seed, subject, place, Path(folder), options.rows, scene, options.kills)
            played[subject.name] += 1
            if not verdict.good:
                bad += 1
                print(f"BROKEN ({subject.name}, {scene}): {verdict}", flush=True)
            total += verdict
    done = sum(played.values())
    shares = ", ".join(f"{count} over {name}" for name, count in sorted(played.items()))
    told = ", ".join(f"{getattr(total, name)} {what}" for name, what in BROKEN.items())
    print(
        f"{done} jobs of {options.rows:,} recipients ({shares}), {total.kills} kills, "
        f"{total.stops} stops and {total.looks} looks in {time.monotonic() - began:.0f} s: {told}; "
        f"{total.rows_in_doubt} rows in {total.doubts} chunks were in doubt",
        flush=True,
    )
    print(f"{done - bad} passed, {bad} failed", flush=True)
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill jobs with SIGKILL, and count the mail.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=KILLS, help="for each job")
    parser.add_argument("--provider", choices=sorted(SUBJECTS), help="default: both in turn")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument(
        "--observers", help=f"'none', or some of: {','.join(OBSERVERS)} (default: by turns)"
    )
    parser.add_argument("--attacks", help=f"'none', or some of: {','.join(ATTACKS)} (default: all)")
    parser.add_argument("--crowd", type=int, help="so many rounds of six sends in one journal")
    parser.add_argument(
        "--calls", type=int, help="looks and kills at every nth system call of a small job"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--step", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return work(options)
    workers = min(2 * (os.cpu_count() or 1), options.jobs)  # they wait more than they work
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.crash", *sys.argv[1:], "--step", str(workers)),
                *("--first", str(options.first + n), "--jobs", str(options.jobs - n)),
            ]
        )
        for n in range(workers)
    ]
    return max(process.wait() for process in running)


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return (
        [] if text == "none" else [name.strip() for name in text.split(";" if ";" in text else ",")]
    )


if __name__ == "__main__":
    sys.exit(main())
