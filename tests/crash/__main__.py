"""``python -m tests.crash``: many jobs, each killed five times, compared with the truth."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import attrs

from .proof import Verdict, prove, sandbox
from .subjects import SUBJECTS, subject_of


def work(provider: str | None, first: int, jobs: int, step: int, rows: int) -> int:
    """Every ``step``-th job, one after the other, on a sandbox of its own."""
    began, total, bad, played = time.monotonic(), Verdict(0), 0, Counter[str]()
    with sandbox() as place, tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + jobs, step):
            subject = subject_of(seed, provider)
            verdict = prove(seed, subject, place, Path(folder), rows)
            played[subject.name] += 1
            if not verdict.good:
                bad += 1
                print(f"BROKEN ({subject.name}): {verdict}", flush=True)
            for field in attrs.fields(Verdict)[1:]:
                both = getattr(total, field.name) + getattr(verdict, field.name)
                setattr(total, field.name, both)
    done = len(range(first, first + jobs, step))
    shares = ", ".join(f"{count} over {name}" for name, count in sorted(played.items()))
    print(
        f"{done} jobs of {rows:,} recipients ({shares}), {total.kills} kills in "
        f"{time.monotonic() - began:.0f} s: {total.mailed_twice} mailed twice, {total.lost} lost, "
        f"{total.wrong_ends} wrong end states, {total.rows_in_doubt} rows in {total.doubts} chunks "
        f"were in doubt, {total.too_many_doubts} more than were in flight",
        flush=True,
    )
    print(f"{done - bad} passed, {bad} failed", flush=True)
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill jobs with SIGKILL, and count the mail.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--provider", choices=sorted(SUBJECTS), help="default: both in turn")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--step", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return work(options.provider, options.first, options.jobs, options.step, options.rows)
    workers = min(2 * (os.cpu_count() or 1), options.jobs)  # they wait more than they work
    command = [sys.executable, "-m", "tests.crash", "--rows", str(options.rows)]
    command += ["--step", str(workers)]
    if options.provider:
        command += ["--provider", options.provider]
    running = [
        subprocess.Popen(
            [*command, "--first", str(options.first + n), "--jobs", str(options.jobs - n)]
        )
        for n in range(workers)
    ]
    return max(process.wait() for process in running)


if __name__ == "__main__":
    sys.exit(main())
