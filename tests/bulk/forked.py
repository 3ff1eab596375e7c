"""A process that forks while its journal is open: ``python -m tests.bulk.forked HOW CHILD PATH``.

It prints what its child was told, and ends with an error if the child cost it a lock.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from mailkit.bulk.journal import JobRecord, Journal
from mailkit.errors import JournalError

from .fakes import people
from .jobs import die, planned, take

LOOK = """
import fcntl, sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("SELECT * FROM jobs")
try:
    fcntl.flock(open(sys.argv[2]), fcntl.LOCK_SH | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(0)
sys.exit(1)
"""
"""Another process: it would remove the -wal if it believed to be the last one."""


def lock(path: Path | None, job: JobRecord) -> Path:
    assert path is not None
    assert job.worker is not None
    return path.with_name(f"{path.name}-locks") / f"worker-{job.worker.id}.lock"


def use(journal: Journal, job: JobRecord) -> None:
    try:
        asyncio.run(journal.jobs.list())
    except JournalError as error:
        print(error, flush=True)
    try:
        asyncio.run(journal.suppressions.add(["a@b.by"], reason="", now=1.0))
    except JournalError as error:
        print(error, flush=True)
    asyncio.run(journal.close())
    die(job)  # which is not its own to say
    assert lock(journal.path, job).exists()


def open_anew(journal: Journal, job: JobRecord) -> None:
    assert journal.path is not None
    for path in (journal.path, os.path.relpath(journal.path)):
        try:
            asyncio.run(Journal.open(path))
        except JournalError as error:
            print(error, flush=True)


def open_another(journal: Journal, job: JobRecord) -> None:
    assert journal.path is not None
    other = asyncio.run(Journal.open(journal.path.with_name("other.db")))
    asyncio.run(planned(other, people(2)))
    asyncio.run(other.close())


def outlive(journal: Journal, job: JobRecord) -> None:
    assert job.worker is not None
    print(os.getpid(), job.worker.id, flush=True)
    sys.stdin.read()


CHILDREN: dict[str, Callable[[Journal, JobRecord], None]] = {
    "use": use,
    "anew": open_anew,
    "another": open_another,
    "outlive": outlive,
}


def main(how: str, child: str, path: Path) -> None:
    journal = asyncio.run(Journal.open(path))
    job = asyncio.run(planned(journal, people(4)))
    wal = Path(f"{path}-wal").stat().st_ino
    if how == "fork":
        pid = os.fork()
        if not pid:
            CHILDREN[child](journal, job)
            sys.exit(0)  # not os._exit: what the interpreter lets go of at its end counts too
        status = os.waitpid(pid, 0)[1]
    else:
        process = multiprocessing.get_context("fork").Process(
            target=CHILDREN[child], args=(journal, job)
        )
        process.start()
        process.join()
        status = process.exitcode or 0
    assert status == 0, status
    looked = subprocess.run([sys.executable, "-c", LOOK, path, lock(path, job)], check=False)
    assert looked.returncode == 0, "the worker's lock is gone"
    assert Path(f"{path}-wal").stat().st_ino == wal, "the locks on the file are gone"
    asyncio.run(take(journal, job))
    asyncio.run(journal.workers.leave(job))
    asyncio.run(journal.close())


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where threads run
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
