"""Many people in one campaign of SendPulse: killed in each phase of it, again and again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import attrs

from mailkit.bulk.journal import ChunkState
from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.statuses import Statuses
from mailkit.providers.sendpulse import ChunkLimits
from mailkit.providers.sendpulse.dispatch import SendPulseDispatch

from .judge import Verdict, close, finish, judge, note_doubts, prepare, write_lists
from .life import Errand, Moment, live
from .observers import observe
from .processes import ended
from .proof import strike_at_random
from .sandbox import Place, ask
from .subjects import SUBJECTS, Transition, sendpulse_client

__all__ = ["MANY", "prove_large"]

MANY, KILLS_A_JOB = 50_000, 20
FAR = 12
"""So many tasks, at most, are done in the phase of many before it is killed."""


def _around(*stages: str) -> Sequence[Transition]:
    calls = ((Chunks, "take"), (SendPulseDispatch, "perform"), (Chunks, "advance"))
    return [Transition(owner, name, stage) for stage in stages for owner, name in calls]


CREATING, SETTLING, POLLING = "creating the campaign", "settling a doubt", "polling"
PHASES: Mapping[str, Sequence[Transition]] = {
    "creating the list": _around("list"),
    "loading": _around("screen", "load"),
    "waiting": [*_around("ready", "compare", "afford"), Transition(Chunks, "wait")],
    CREATING: [*_around("send")[:2], Transition(Chunks, "accept")],
    SETTLING: [Transition(SendPulseDispatch, "settle"), Transition(Chunks, "settle")],
    POLLING: [Transition(SendPulseDispatch, "poll"), Transition(Statuses, "reconcile")],
}
"""What a job does, in order, and where it may be killed then."""


def prove_large(seed: int, place: Place, folder: Path, rows: int) -> Verdict:
    """One job, which is looked at all the time while its processes die in each phase."""
    rng, verdict = Random(seed), Verdict(seed)
    subject = attrs.evolve(SUBJECTS["sendpulse"], client=sendpulse_client(ChunkLimits()))
    errand = prepare(f"large-{seed}", subject, place, folder)
    lists = write_lists(errand, rows, rng)
    lost = {"kind": "reset_after_acting", "after": rng.randint(0, 40), "times": 2}
    slow = {"kind": "slow_answer", "seconds": 0.1}
    ask(place.url, "faults", [{"on": subject.acts[1], **lost}, {"on": subject.acts[-1], **slow}])
    observer, died = observe("status", errand, f"{seed} status"), Counter[str]()
    with ended([observer]):
        for phase in _phases(errand):
            process = live(errand, *_moments(phase, rng))
            random = rng.random() < 0.2
            code = strike_at_random(verdict, process, rng, 0.3) if random else process.wait()
            if code != -signal.SIGKILL:
                break
            verdict.kills += 1
            died[_phase(errand)] += 1
            note_doubts(errand)
    finish(errand, [errand], verdict)
    asyncio.run(judge(verdict, errand, [errand], lists))
    close(verdict, errand)
    print(f"job {seed}: " + ", ".join(f"{count} {phase}" for phase, count in died.items()))
    return verdict


def _phases(errand: Errand) -> Iterator[str]:
    """The phases in which to kill the job; each has its share, as far as the job stays in it."""
    names = list(PHASES)
    for kill in range(KILLS_A_JOB):
        planned, found = names[kill * len(names) // KILLS_A_JOB], _phase(errand)
        if (planned, found) == (CREATING, SETTLING):
            yield CREATING  # if there was none before
        else:
            yield max(planned, found, key=names.index)


def _phase(errand: Errand) -> str:
    """The phase that the job is in."""
    found = None
    if errand.journal.exists():
        with contextlib.closing(sqlite3.connect(errand.journal)) as db:
            found = db.execute("SELECT stage, state FROM chunks").fetchone()
    stage, state = found or (0, ChunkState.PLANNED)
    if state == ChunkState.IN_DOUBT:
        return SETTLING
    if state == ChunkState.ACCEPTED:
        return POLLING
    name = SendPulseDispatch.stages[stage].name
    return next(
        phase for phase, places in PHASES.items() if name in {place.stage for place in places}
    )


def _moments(phase: str, rng: Random) -> Iterator[Moment]:
    """Where the job dies: in this phase, or else where a later one begins."""
    place = rng.choice(PHASES[phase])
    often = rng.randint(1, FAR) if phase == "loading" else 1
    after = rng.random() < 0.5 and place.owner is not Statuses  # that would be the end
    yield Moment(place.owner, place.name, often, after, stage=place.stage)
    names = list(PHASES)
    for later in names[names.index(phase) + 1 :]:
        if later != SETTLING:
            first = PHASES[later][0]
            yield Moment(first.owner, first.name, 1, after=False, stage=first.stage)
