"""Whom a refusal is about: rows of the chunk, or the account and so everybody.

Carries out what policy.py decides. A refused chunk is cut, and its rows are tried alone, before
anything else is sent; see `Judgment` for what follows.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import attrs

from mailkit.bulk.journal import Chosen, JobRecord, Journal, Taken
from mailkit.bulk.policy import (
    EVERYBODY,
    Answers,
    Judgment,
    Trial,
    gist,
    judge,
    refusal_of_all,
    suspects,
    without,
)
from mailkit.bulk.run import Run
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import shielded
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Done, Sent, Stage, Task
from mailkit.core.words import about_recipient
from mailkit.errors import InvalidArgument, MailkitError, Refused
from mailkit.events import ChunkRejected, JobHook

__all__ = ["Refusals"]

WORDS_KEPT = 1_000


class Refusals:
    """What is known of the refusals in one run."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        job: JobRecord,
        *,
        settings: EngineSettings,
        clock: Clock,
        rng: random.Random,
        call: Callable[[], None],
        tell: JobHook,
    ) -> None:
        self._run = run
        self._journal = journal
        self._job = job
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._call = call
        self._tell = tell
        self._about_rows: set[int] = set()
        self._requests: Counter[int] = Counter()
        self._refused_in: dict[str, set[int]] = {}  # by the gist of the words: chunks
        self._witnesses: set[int] = set()
        self._next_witness: int | None = None
        self._refusal: MailkitError | None = None
        self._loaded: dict[str, Task] = {}  # by stage: somebody who was taken last
        self._alone: dict[str, set[int]] = {}  # rows of parts that were refused alone, by stage
        self._rejected: Counter[str] = Counter()  # rows of parts, by the gist of the words
        self._narrowed = False
        self._began = 0.0  # by the wall clock
        self.probing = 0
        """How many try single rows while the others wait: what comes of that is about everybody."""
        self.ask_elsewhere = False
        """Whether a row of a chunk that was not refused must be tried next."""

    async def begin(self, *, alone: bool) -> None:
        """The run begins: nothing is on trial any more, unless others may have put it there."""
        self._began = self._clock.now()
        self._narrowed = not alone or await self._journal.narrowing.restore(self._job)

    async def end(self, *, alone: bool) -> None:
        """The run ends."""
        if self._narrowed and alone:
            await self._journal.narrowing.restore(self._job)

    def known(self, taken: Taken) -> Answers:
        """What is known as the task is refused."""
        stage, rows = taken.task.stage, taken.task.rows
        return Answers(
            rows=len(rows),
            about_rows=(
                stage.name in self._loaded if stage.repeatable else _root(taken) in self._about_rows
            ),
            probing=self.probing > 0,
            requests=self._requests[_root(taken)],
            alone=len(self._alone.get(stage.name, set()) - {row.n for row in rows}),
        )

    # parts

    def loaded(self, task: Task, done: Done) -> None:
        """A part was taken: refusals of others at this stage may be about their rows alone."""
        if task.part is None:
            return
        for row in task.rows:
            if row.n not in done.rejected and row.n not in done.suppressed:
                self._loaded[task.stage.name] = attrs.evolve(task, rows=(row,), count=1)
                return

    def witness(self, stage: Stage) -> Task:
        """One of those who were taken at this stage, by itself."""
        return self._loaded[stage.name]

    def came_round(self, task: Task) -> bool:
        """Whether the one row of a part was refused alone before, with nobody taken since."""
        alone = self._alone.setdefault(task.stage.name, set())
        known = task.rows[0].n in alone
        alone.add(task.rows[0].n)
        return known

    def too_many(self, task: Task, words: str) -> bool:
        """Whether so many rows of parts were rejected in these words that nobody believes it."""
        if self._settings.trust_refusals or about_recipient(words):
            return False
        key = gist(words, task.rows[0].address)
        self._rejected[key] += 1
        return self._rejected[key] >= EVERYBODY

    # chunks

    def begins(self, taken: Taken) -> None:
        """A request is about to go out."""
        if taken.root is not None:
            self._requests[taken.root] += 1

    def requests(self, taken: Taken) -> int:
        """What the refused chunk, of which this one is a part, has cost so far."""
        return self._requests[_root(taken)]

    def disbelieved(self, taken: Taken, sent: Sent) -> tuple[Mapping[int, str], str | None]:
        """The rows that a response refuses by name and that are sent again to see whether it is
        about them; and the words, if that is so of all of the chunk.
        """
        rows = taken.task.rows
        if self._settings.trust_refusals or _root(taken) in self._about_rows:
            return {}, None
        if not sent.rejected or (taken.root is None and len(sent.rejected) < EVERYBODY):
            return {}, None
        address = {row.n: row.address for row in rows}
        named = {n: (address[n], words) for n, words in sent.rejected.items()}
        whole = refusal_of_all(len(rows), [without(*one) for one in named.values()])
        some = suspects(named)
        if whole is None and len(some) == len(rows):
            whole = next(iter(some.values()))  # in several groups; sent again, it would be the same
        return ({}, whole) if whole is not None else (some, None)

    def accepted(self, taken: Taken, sent: Sent, *, left_out: int) -> None:
        """A request was taken, but for so many rows."""
        rows = taken.task.rows
        if taken.root is not None and left_out < len(rows):
            self._about_rows.add(taken.root)
        addresses = {row.n: row.address for row in rows} if sent.rejected else {}
        for n, why in sent.rejected.items():
            if not about_recipient(why) and len(self._refused_in) < WORDS_KEPT:
                words = gist(why, addresses[n])
                self._refused_in.setdefault(words, set()).add(taken.task.chunk)

    def put_back(self, taken: Taken) -> None:
        """A chunk could not be sent now; a witness is heard again."""
        if taken.task.chunk in self._witnesses:
            self.ask_elsewhere, self._next_witness = True, taken.task.chunk

    async def single_out(self, taken: Taken, named: Sequence[int]) -> None:
        """The words of the refusal name these rows: each is sent alone."""
        self._narrowed = True
        self._requests[_root(taken)] += taken.root is None
        await shielded(self._journal.narrowing.single_out(self._job, taken.ticket, named))

    async def halve(self, taken: Taken) -> None:
        """The refusal is about rows: look for them."""
        await shielded(self._journal.narrowing.halve(self._job, taken.ticket))

    async def reject(self, taken: Taken, words: str) -> None:
        """The refusal is about the one row of the chunk."""
        self._about_rows.add(_root(taken))
        write = self._journal.chunks.reject(self._job, taken.ticket, self._clock.now(), words)
        await shielded(write)
        self._tell(ChunkRejected(self._job.name, taken.task.chunk, len(taken.task.rows), words))

    async def probe(self, taken: Taken) -> None:
        """Try three rows alone while everybody else waits."""
        root = _root(taken)
        self.probing += 1
        self._narrowed = True
        self._requests[root] += taken.root is None  # the request that was refused
        try:
            for n in await shielded(self._journal.narrowing.probe(self._job, taken.ticket)):
                if root in self._about_rows or not self._run.may_try():
                    return  # the others are tried last: they may be needed as witnesses
                probe = await self._run.take(n=n)
                if probe is not None:
                    await self._run.hand_over(probe)
        finally:
            self.probing -= 1
            self._call()

    async def try_row(self, taken: Taken, error: MailkitError, words: str) -> None:
        """A row was refused alone, in words that may be about anybody."""
        now = self._clock.now()
        trials = await shielded(
            self._journal.narrowing.try_row(self._job, taken.ticket, now, words)
        )
        self._narrowed, self._refusal = True, error
        await self._judge(trials)

    async def _judge(self, trials: Sequence[Trial], *, last: bool = False) -> None:
        if last:  # other workers may have sent parts of the same chunks
            taken = await self._journal.narrowing.taken_from(self._job, self._began)
            self._about_rows |= taken
        about_rows = all(
            trial.root in self._about_rows or trial.n in self._witnesses for trial in trials
        )
        judgment = judge(trials, about_rows=about_rows, witnesses=self._witnesses, last=last)
        if judgment is Judgment.ACCOUNT and self._settings.trust_refusals:
            judgment = Judgment.ROWS  # a person's word
        if judgment is Judgment.ROWS:
            self._about_rows.update(trial.root for trial in trials)
            await shielded(self._journal.narrowing.convict(self._job))
            for trial in trials:
                self._tell(ChunkRejected(self._job.name, trial.n, 1, trial.words))
        elif judgment is Judgment.ACCOUNT:
            await self._accuse(trials)
        elif judgment is Judgment.ASK:
            self.ask_elsewhere = True

    async def _accuse(self, trials: Sequence[Trial]) -> None:
        """The account or the message is meant: plan everybody again, and stop."""
        await shielded(self._journal.narrowing.restore(self._job))
        same = self._refused_in.get(gist(trials[-1].words, trials[-1].address))
        if same:  # the last people that a response named before
            for n in same:
                with contextlib.suppress(InvalidArgument):  # a person ordered all of it again
                    chosen = Chosen(chunks={n: None})
                    await shielded(self._journal.resolving.again(self._job, chosen))
        tried = f"{len(trials)} rows" if len(trials) > 1 else "a row"
        self._run.fail(
            self._refusal or Refused(trials[-1].words),
            f"the provider also refused {tried} tried alone, so it seems to mean the account or "
            f"the message: {trials[-1].words}; if it means these rows, resume with "
            "--trust-refusals",
        )

    async def hear_witness(self) -> None:
        """Try a row from elsewhere alone while everybody else waits."""
        self.ask_elsewhere = False
        self.probing += 1
        try:
            n, self._next_witness = self._next_witness, None
            if n is None:
                at = self._rng.random()  # another place in each run: they can't all be bad
                n = await shielded(self._journal.narrowing.isolate(self._job, at))
            witness = None if n is None else await self._run.take(n=n)
            if witness is not None:
                self._witnesses.add(witness.task.chunk)
                await self._run.hand_over(witness)
                return
            if (probe := await self._run.take(probes=True)) is not None:  # nobody else is left
                await self._run.hand_over(probe)
                return
            trials = await self._journal.narrowing.trials(self._job)
            if any(trial.root not in self._about_rows for trial in trials):
                await self._judge(trials, last=True)
        finally:
            self.probing -= 1
            self._call()

    async def hear_probes(self) -> None:
        """Try the rows that were kept for the end, until one of them is taken."""
        while self._run.may_try() and await self._journal.narrowing.trials(self._job):
            probe = await self._run.take(probes=True)
            if probe is None:
                return
            await self._run.hand_over(probe)

    async def conclude(self) -> bool:
        """Nothing is planned but what is kept for later. Whether there may be more: a probe was
        sent, or another worker left something.
        """
        if await self._journal.narrowing.take_up(self._job):
            return True
        if not self._narrowed:
            return False
        probe = await self._run.take(probes=True)
        if probe is not None:
            await self._run.hand_over(probe)
            return True
        if trials := await self._journal.narrowing.trials(self._job):
            await self._judge(trials, last=True)
        return False


def _root(taken: Taken) -> int:
    return taken.task.chunk if taken.root is None else taken.root
