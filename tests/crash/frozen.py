"""A small job that is stopped at each of its system calls while another process looks at it.

The engine is stopped right before the call, as if the machine gave it no time. Another process
opens the journal, reads it and closes it; the engine goes on for a few more calls, or for none; it
is killed, and the job is resumed.
"""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from random import Random

from .judge import Verdict, close, finish, judge, prepare, write_lists
from .life import Errand, engine, start_or_resume
from .observers import look
from .processes import Forked
from .sandbox import Place, settle
from .subjects import Subject
from .syscalls import Traced

__all__ = ["calls_of", "look_beside", "prove_frozen"]

PATIENCE = 0.1
"""Seconds for the look: if the engine holds the journal's lock, it can't end before."""


def calls_of(subject: Subject, place: Place, folder: Path, rows: int) -> int:
    """How many system calls such a job makes."""
    errand = prepare("calls", subject, place, folder)
    write_lists(errand, rows, Random(0))
    traced = _traced(errand)
    traced.run(-1)
    close(Verdict(-1), errand)
    return traced.calls


def prove_frozen(nth: int, subject: Subject, place: Place, folder: Path, rows: int) -> Verdict:
    """A job that is looked at before its ``nth`` system call, and killed before a later one."""
    rng = Random(nth)
    verdict = Verdict(nth)
    errand = prepare(f"call-{nth}", subject, place, folder)
    lists = write_lists(errand, rows, rng)
    traced = _traced(errand)
    looked, killed = "", nth + rng.choice((0, rng.randint(1, 100), rng.randint(1, 400)))
    if traced.run(nth) is None:
        looked = traced.last
        traced.beside = look_beside(errand)
        if killed == nth or traced.run(killed) is None:
            traced.kill()
            verdict.kills += 1
        traced.beside.wait()
    settle(errand.url)
    finish(errand, [errand], verdict)
    asyncio.run(judge(verdict, errand, [errand], lists))
    close(verdict, errand)
    if not verdict.good:
        verdict.notes.append(f"looked at before {looked} {nth}, killed before {killed}")
    return verdict


def look_beside(errand: Errand) -> Forked:
    """Another process looks at the job while its engine is stopped; it has ended, unless the engine
    holds the journal's lock.
    """
    look = Forked("status", functools.partial(_look, errand))
    look.wait_at_most(PATIENCE)
    return look


def _traced(errand: Errand) -> Traced:
    return Traced.start(functools.partial(engine, errand, "life", start_or_resume))


def _look(errand: Errand) -> int:
    look("status", errand, Random(0))
    return 0
