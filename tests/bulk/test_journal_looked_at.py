"""Six jobs are sent in one journal, and others look at it meanwhile: no job is changed by that."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from mailkit.bulk.report import make_report

from .. import forking
from .jobs import at, states
from .looked import addresses

JOBS = {"a": 0, "b": 3, "c": 0, "d": 0, "e": 5, "f": 0}
"""Each job, and in which of its requests its process is killed."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def start(*words: str | Path) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return forking.start("tests.bulk.looked", *words, cwd=forking.ROOT, stdout=pipe, stderr=pipe)


async def test_jobs_that_are_looked_at_end_as_the_truth_has_it(tmp_path: Path) -> None:
    path, door, truth = tmp_path / "journal.db", tmp_path / "door", tmp_path / "truth"
    with start("look", path, door) as looker:
        try:
            assert looker.stdout is not None
            assert looker.stdout.readline() == b"ready\n"
            running = {
                name: start("send", path, door, truth, name, str(dies))
                for name, dies in JOBS.items()
            }
            ends = {name: (one.communicate()[1], one.returncode) for name, one in running.items()}
            assert ends == {name: (b"", -9 if dies else 0) for name, dies in JOBS.items()}
            for name in (name for name, dies in JOBS.items() if dies):
                both = [start("send", path, door, truth, name, "0") for _ in range(2)]
                ended = [(one.communicate()[1], one.returncode) for one in both]
                assert ended == [(b"", 0)] * 2
            assert looker.poll() is None
        finally:
            looker.kill()
            assert looker.communicate()[1] == b""

    mailed = Counter(truth.read_text().split())
    assert set(mailed.values()) == {1}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    async with at(path) as journal:
        assert {job.name for job in await journal.jobs.list()} == set(JOBS)
        for name, dies in JOBS.items():
            report = await make_report(journal, name)
            assert report.counts.unsent == 0
            found = await states(journal, await journal.jobs.get(name))
            assert list(found) == addresses(name)
            doubts = [address for address, state in found.items() if state == "in doubt"]
            assert len(doubts) <= (6 if dies else 0)  # two requests of three rows
            accepted = [address for address, state in found.items() if state == "accepted"]
            assert len(accepted) + len(doubts) == len(found)
            assert all(mailed[address] for address in accepted)
