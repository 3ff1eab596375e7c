"""A job that is killed again and again while others look on, and what is true in the end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import attrs

from mailkit.errors import MailkitError

from .attacks import ATTACKS, Attack, back_up, strike
from .judge import (
    People,
    Verdict,
    agrees,
    allowed_doubts,
    audit,
    close,
    compare,
    finish,
    judge,
    note_doubts,
    prepare,
    vanished,
    write_lists,
)
from .life import SENDERS, Errand, Moment, live, typed
from .listener import LISTEN, Listening, register
from .observers import DISTURBING, is_planned, observe
from .processes import CRASHED, Forked, ended
from .sandbox import Place, ask, requests
from .scenes import Scene
from .subjects import Kind, Subject, Transition

__all__ = ["KILLS", "prove", "strike_at_random"]

KILLS = 5
RESETS = 2
"""Chunks whose response is lost on the way, besides those whose process dies."""


def prove(
    seed: int, subject: Subject, place: Place, folder: Path, rows: int, scene: Scene, kills: int
) -> Verdict:
    """Play the job of this seed to its end, in a folder of its own."""
    rng = Random(seed)
    verdict = Verdict(seed)
    scene = attrs.evolve(scene, listens=scene.listens and subject.posts and scene.attack is None)
    errand = prepare(f"{seed}", subject, place, folder)
    lists = write_lists(errand, 8 * rows if scene.typed else rows, rng, lively=scene.listens)
    if scene.listens and subject.name == "sendpulse":
        asyncio.run(register(place))
    for act in subject.acts:
        faults = [
            {"kind": "reset_after_acting", "after": rng.randint(0, 8), "times": RESETS},
            {"kind": "slow_answer", "seconds": 0.5 if scene.typed else 0.2},
        ]
        ask(place.url, "faults", [{"on": act, **fault} for fault in faults])
    if scene.slowly:
        slow = {"on": subject.acts[-1], "kind": "slow_answer", "seconds": scene.slowly}
        ask(place.url, "faults", slow)
    with _observed(errand, scene, seed) as others:
        if scene.attack is None:
            _kill_again_and_again(verdict, errand, scene, others, rng, kills)
        else:
            _attack(verdict, errand, ATTACKS[scene.attack], rng)
    if scene.listens:
        with ended([_listen(errand)]):
            _judge(verdict, errand, scene, lists)
    elif scene.attack is None:
        _judge(verdict, errand, scene, lists)
    else:
        asyncio.run(audit(verdict, errand, whole=False))
    destroyed = scene.attack is not None
    close(verdict, errand, disturbed=scene.disturbed, destroyed=destroyed)
    return verdict


def _kill_again_and_again(
    verdict: Verdict, errand: Errand, scene: Scene, others: _Others, rng: Random, kills: int
) -> None:
    subject = errand.subject
    chosen = subject.transitions[verdict.seed // 3 % len(subject.transitions)]
    for kill in range(kills):
        if scene.typed:
            process = typed(errand, known=asyncio.run(is_planned(errand)))
            if kill:
                _until(errand, _acts(errand) + 1, process)
            code = strike_at_random(verdict, process, rng, rng.uniform(0.1, 0.6))
        elif kill % 2:
            code = strike_at_random(verdict, live(errand), rng, rng.uniform(0.1, 0.4))
        else:
            transition = chosen if kill == 0 else rng.choice(subject.sending)  # planned by then
            code = live(errand, _moment(rng, transition)).wait()
        verdict.kills += code == -signal.SIGKILL
        verdict.unexpected += code == CRASHED
        if not scene.disturbed:
            note_doubts(errand)
        others.again(rng)


def strike_at_random(verdict: Verdict, process: Forked, rng: Random, after: float) -> int:
    """Kill it after a while, perhaps stopped for a moment, or longer; returns how it ended."""
    time.sleep(after)
    if rng.random() < 0.5:
        process.signal(signal.SIGSTOP)
        time.sleep(rng.uniform(0.01, 0.3))
        verdict.stops += 1
        if rng.random() < 0.7:
            process.signal(signal.SIGCONT)
            time.sleep(rng.uniform(0.01, 0.2))
    return process.kill()


def _moment(rng: Random, transition: Transition) -> Moment:
    owner, name, stage = transition
    often = 5 if name in ("take", "accept", "reconcile") else 1
    return Moment(owner, name, rng.randint(1, often), rng.random() < 0.5, stage=stage)


def _attack(verdict: Verdict, errand: Errand, attack: Attack, rng: Random) -> None:
    """The file is attacked under an engine, or between two; then others go on with what is left."""
    before, several = _acts(errand), errand.subject.acts_a_chunk
    process = live(errand)
    _until(errand, before + rng.randint(1, 4) * several, process)
    backup = back_up(errand, rng)
    _until(errand, before + rng.randint(5, 12) * several, process)
    if rng.random() < 0.3:
        verdict.kills += process.kill() == -signal.SIGKILL
    alive = process.poll() is None
    strike(attack, errand, backup)
    sent = _acts(errand)
    code = process.wait()
    if alive:
        verdict.unexpected += code == CRASHED
        if not _told(errand, code):
            verdict.silent += 1
            verdict.notes.append(f"the engine went on and ended with {code}")
        elif code == 1 and _acts(errand) > sent + 2 * SENDERS:
            verdict.silent += 1
            verdict.notes.append(f"{_acts(errand) - sent} requests after the attack")
    for number in range(3 if attack.memory else 0):
        code = live(errand, who=f"after {number}").wait()
        if not _told(errand, code):
            verdict.silent += 1
            verdict.notes.append(f"a resume ended with {code}")


def _told(errand: Errand, code: int) -> bool:
    """Whether an engine ended with an error, or the journal is as true as its success."""
    return code == 1 or asyncio.run(agrees(errand))


def _acts(errand: Errand) -> int:
    """How many requests there were that bring the job forward."""
    return requests(errand.url, errand.subject.acts)


def _until(errand: Errand, acts: int, process: Forked) -> None:
    while process.poll() is None and _acts(errand) < acts:
        time.sleep(0.01)


def _judge(verdict: Verdict, errand: Errand, scene: Scene, lists: Mapping[str, People]) -> None:
    jobs = [errand]
    if "corrected" in scene.observers:
        jobs.append(errand.corrected)
    if "second" in scene.observers:
        jobs.append(errand.second)
    entries = errand.log.entries()
    try:
        gone = asyncio.run(vanished(errand, jobs, lists))
        verdict.vanished += len(gone)
        verdict.notes += gone
        finish(errand, jobs, verdict, hears=scene.listens)
        asyncio.run(judge(verdict, errand, jobs, lists))
        if scene.listens:
            compare(verdict, errand, jobs)
    except MailkitError as error:  # nobody disturbs it now
        verdict.unexpected += 1
        verdict.notes.append(f"in the end: {type(error).__name__}: {error}")
        asyncio.run(audit(verdict, errand, whole=False))
    unnamed = sum(kind is Kind.UNNAMED for one in jobs for _, kind in lists[one.job].values())
    # Commands send chunks of other sizes, and say nothing to the log.
    if not scene.typed and not errand.subject.settles:
        allowed = allowed_doubts(entries, RESETS, unnamed)
        verdict.too_many_doubts = max(0, verdict.rows_in_doubt - allowed)


class _Others:
    """The observers of a scene; some are killed on the way, and come back."""

    def __init__(self, errand: Errand, names: Sequence[str], seed: int) -> None:
        self._errand = errand
        self._seed = seed
        self._count = 0
        self.processes = [self._begin(name) for name in names]

    def _begin(self, name: str) -> Forked:
        self._count += 1
        if name == LISTEN:
            return _listen(self._errand)
        return observe(name, self._errand, f"{self._seed} {name} {self._count}")

    def again(self, rng: Random) -> None:
        """Kill one of them, unless it holds the journal's file in its hands, and who listens."""
        if not self.processes:
            return
        chosen = rng.randrange(len(self.processes))
        for n, process in enumerate(self.processes):
            if process.name == LISTEN or (n == chosen and process.name not in DISTURBING):
                process.kill()
                self.processes[n] = self._begin(process.name)

    def end(self) -> None:
        """Those that disturb end their turn; the others are killed."""
        for process in self.processes:
            code = process.end() if process.name in DISTURBING else process.kill()
            refused = process.name == LISTEN and code == 1  # the journal was away, or linked
            assert refused or code in (0, -signal.SIGKILL), f"{process.name} ended with {code}"


def _listen(errand: Errand) -> Forked:
    return Listening(errand.place, errand.journal, errand.command.errors)


@contextmanager
def _observed(errand: Errand, scene: Scene, seed: int) -> Iterator[_Others]:
    listening = (LISTEN,) if scene.listens else ()
    others = _Others(errand, (*scene.observers, *listening), seed)
    try:
        yield others
    finally:
        others.end()
