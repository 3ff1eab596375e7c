"""Six jobs at once in one journal, while others look on; nobody is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import attrs

from .judge import Verdict, close, finish, judge, prepare, write_list
from .life import live
from .observers import observe
from .sandbox import Place
from .subjects import Subject

__all__ = ["prove_crowd"]

SENDS = 6


def prove_crowd(seed: int, subject: Subject, place: Place, folder: Path, rows: int) -> Verdict:
    """Start six sends; in the end each report must equal the truth, without any help."""
    rng = Random(seed)
    verdict = Verdict(seed)
    errand = prepare(f"crowd-{seed}", subject, place, folder)
    jobs = [
        attrs.evolve(errand, job=f"job-{n}", list=errand.list.with_suffix(f".{n}.csv"))
        for n in range(SENDS)
    ]
    lists = {one.job: write_list(one, rows, rng, f"p{n}-{seed}") for n, one in enumerate(jobs)}
    observers = [
        observe(name, errand, f"{seed} {name} {n}")
        for n, name in enumerate(("status", "status", "report", "sitter"))
    ]
    sends = [live(one, who=one.job) for one in jobs]
    try:
        codes = [send.wait() for send in sends]
    finally:
        for process in (*sends, *observers):
            process.kill()
    # In doubt can only be whom the service names in no response; they are looked up.
    failed = [
        f"{one.job} ended with {code}"
        for one, code in zip(jobs, codes, strict=True)
        if code not in (0, 3)
    ]
    verdict.unexpected += len(failed)
    verdict.notes += failed
    finish(errand, jobs, verdict)
    asyncio.run(judge(verdict, errand, jobs, lists))
    close(verdict, errand)
    return verdict
