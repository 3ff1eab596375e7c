"""What the journal says in the end, compared with what the sandbox really did."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import attrs

from mailkit import Journal, Report, resolve
from mailkit.bulk.journal import RowRecord, RowState
from mailkit.bulk.report import make_report
from mailkit.errors import JournalError, MailkitError

from .account import look_into, opt_out
from .clocks import FastClock
from .commands import CommandLine
from .life import ENGINE, ENGINE_DONE, JOB, JOINED, SENDERS, Errand, live
from .listener import hear_the_rest, outcomes_of, untrue
from .observers import HOURS, LOOK, look_into_dashboard
from .processes import Entry, Log
from .sandbox import Place, ask, mailed, over_quota, settle, skip
from .subjects import ROWS_A_CHUNK, Kind, Subject

__all__ = ["People", "Verdict", "agrees", "audit", "finish", "judge", "note_doubts", "write_lists"]

DOUBT = "is in doubt"
ROUNDS = 12
DAY = 24 * 3600.0
LIVELY = ("bounce", "complaint", "opens", "clicks", "slow", "unsubscribes", "returns")
STRANGE = 40
"""So many people of a list, at most, are such that the service has its own ways with them."""
REFUSALS = frozenset({"InvalidArgument", "JobExists"})

People = dict[int, tuple[str, Kind]]
"""The lines of a list: each one's address and kind."""


@attrs.define
class Verdict:
    """What went wrong in a job, which should be nothing, and what it went through."""

    seed: int
    kills: int = 0
    stops: int = 0
    looks: int = 0
    joined: int = 0
    doubts: int = 0
    rows_in_doubt: int = 0
    mailed_twice: int = 0
    made_twice: int = 0
    over_quota: int = 0
    lost: int = 0
    vanished: int = 0
    wrong_ends: int = 0
    untrue: int = 0
    too_many_doubts: int = 0
    damaged: int = 0
    silent: int = 0
    unexpected: int = 0
    notes: list[str] = attrs.field(factory=list)

    @property
    def good(self) -> bool:
        return not any(getattr(self, name) for name in BROKEN)

    def __add__(self, other: Verdict) -> Verdict:
        names = [field.name for field in attrs.fields(Verdict)[1:]]
        return Verdict(-1, *(getattr(self, name) + getattr(other, name) for name in names))


BROKEN: Mapping[str, str] = {
    "mailed_twice": "mailed twice",
    "made_twice": "lists or campaigns made twice",
    "over_quota": "requests above a quota",
    "lost": "lost",
    "vanished": "jobs vanished",
    "wrong_ends": "wrong end states",
    "untrue": "untrue deliveries or suppressions",
    "too_many_doubts": "more in doubt than were in flight",
    "damaged": "journals damaged",
    "silent": "ended without a word",
    "unexpected": "unexpected errors",
}
"""The fields of a verdict that must stay 0, as they are told."""


def prepare(name: str, subject: Subject, place: Place, folder: Path) -> Errand:
    """A job of this name in a folder of its own, and a sandbox that has forgotten the last one."""
    home = folder / name
    home.mkdir()
    ask(place.url, "reset", {})
    return Errand(
        subject,
        subject.message,
        place,
        folder / f"{name}.csv",
        home / "journal.db",
        Log(folder / f"{name}.log"),
        CommandLine(place.environment, folder / f"{name}.stderr"),
        FastClock(subject.speed),
    )


def close(
    verdict: Verdict, errand: Errand, *, disturbed: bool = False, destroyed: bool = False
) -> None:
    """Read what the processes have said, and remove the job's files."""
    strange = unexpected(errand.log.entries(), disturbed=disturbed, destroyed=destroyed)
    strange += errand.command.tracebacks()
    verdict.unexpected += len(strange)
    verdict.notes += strange[:5]
    verdict.looks += errand.log.count(LOOK)
    verdict.joined += errand.log.count(JOINED)
    while errand.journal.parent.exists():  # somebody killed may still be leaving a file there
        shutil.rmtree(errand.journal.parent, ignore_errors=True)
    for path in errand.list.parent.glob(f"{errand.list.stem}.*"):
        path.unlink()


def write_lists(
    errand: Errand, rows: int, rng: Random, *, lively: bool = False
) -> Mapping[str, People]:
    """The job's list; the same one with one more row; and one of other people: the lines of each
    by the name of the job. Of ``lively`` people there is much to say.
    """
    stem = errand.list.stem
    lines = write_list(errand, rows, rng, f"p{stem}", lively=lively)
    more = {**lines, rows + 2: (f"more-p{stem}@example.com", Kind.GOOD)}
    _write(errand.corrected.list, more)
    others = write_list(errand.second, rows // 2, rng, f"q{stem}", lively=lively)
    return {JOB: lines, "corrected": more, "second": others}


def write_list(
    errand: Errand, rows: int, rng: Random, whom: str, *, lively: bool = False
) -> People:
    """A list with duplicates and addresses that are never mailed."""
    people: People = {}
    first = ""
    for n in range(rows):
        chance = rng.random()
        address, kind = f"{whom}-{n}@example.com", Kind.GOOD
        if chance < min(0.03, STRANGE / rows):
            beginning = rng.choice(sorted(errand.subject.strange))
            address, kind = f"{beginning}-{whom}-{n}@example.com", errand.subject.strange[beginning]
        elif chance < 0.06:
            address, kind = "no-at-sign", Kind.MALFORMED
        elif chance < 0.1 and first:
            address, kind = first.upper(), Kind.DUPLICATE
        elif chance < 0.3 and lively:
            address = f"{rng.choice(LIVELY)}-{address}"
        else:
            first = first or address
        people[n + 2] = address, kind
    _write(errand.list, people)
    out = [address for address, kind in people.values() if kind is Kind.OPTED_OUT]
    left, blocked = ([one for one in out if one.startswith(word)] for word in ("left", "blocked"))
    asyncio.run(opt_out(errand.url, left, blocked))
    return people


def _write(path: Path, people: People) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name\n")
        file.writelines(f"{address},N{n}\n" for n, (address, _) in people.items())


def finish(
    errand: Errand, jobs: Sequence[Errand], verdict: Verdict, *, hears: bool = False
) -> None:
    """Send the rest and end the doubts, until every row of these jobs has a known outcome. Who
    ``hears`` of what was sent has no doubt about it, before any person looks.
    """
    ask(errand.url, "faults", method="DELETE")
    settle(errand.url)
    if errand.subject.settles:  # hours later, the engine ends all doubts
        note_doubts(errand)
        clock = errand.clock.later(HOURS)
        skip(errand.url, HOURS)
        jobs = [attrs.evolve(one, clock=clock) for one in jobs]
    for number in range(ROUNDS):
        for one in jobs:
            live(one, who="last").wait()
        settle(errand.url)
        if number == 0:
            note_doubts(errand)
            doubts = {one.who: int(one.text) for one in errand.log.entries() if one.what == DOUBT}
            verdict.doubts, verdict.rows_in_doubt = len(doubts), sum(doubts.values())
            if hears and not errand.subject.settles:
                verdict.lost += hear_the_rest(errand.place)
                doubted = asyncio.run(_doubted(errand, jobs))
                verdict.untrue += len(doubted)
                verdict.notes += doubted
        if asyncio.run(_end_doubts(errand, jobs, verdict)):
            skip(errand.url, DAY)
            return
    verdict.lost += 1
    verdict.notes.append("the jobs never came to their end")


def note_doubts(errand: Errand) -> None:
    """Write the chunks that are in doubt at this moment into the log; every report adds up."""
    if errand.has_journal:
        asyncio.run(_note_doubts(errand))


async def _note_doubts(errand: Errand) -> None:
    journal = await Journal.open(errand.address)
    try:
        for record in await journal.jobs.list():
            for doubt in (await make_report(journal, record.name)).doubts:
                errand.log.add(doubt.label, DOUBT, str(doubt.rows))
    finally:
        await journal.close()


async def _end_doubts(errand: Errand, jobs: Sequence[Errand], verdict: Verdict) -> bool:
    journal = await Journal.open(errand.address)
    try:
        complete = True
        for one in jobs:
            if one.job not in {record.name for record in await journal.jobs.list()}:
                complete = False
                continue
            report = await make_report(journal, one.job)
            complete = complete and report.complete and not report.unreconciled
            if one.subject.settles:
                verdict.too_many_doubts += report.counts.in_doubt
            await _look_them_up(journal, one, report)
        return complete
    finally:
        await journal.close()


async def _look_them_up(journal: Journal, errand: Errand, report: Report) -> None:
    """A person's part. Rows that the service names in no response are given up."""
    if not report.doubts:
        return
    record = await journal.jobs.get(errand.job)
    dashboard = await look_into_dashboard(errand)
    labels = {doubt.chunk: doubt.label for doubt in report.doubts}
    sent: dict[int, bool] = {}
    hopeless: dict[int, bool] = {}
    async for rows in journal.reports.rows(record, states=[RowState.IN_DOUBT]):
        for row in rows:
            assert row.chunk is not None
            unnamed = errand.subject.strange.get(row.address.split("-")[0]) is Kind.UNNAMED
            here = dashboard.has(labels[row.chunk], row.address)
            sent[row.chunk] = sent.get(row.chunk, False) or here
            hopeless[row.chunk] = hopeless.get(row.chunk, True) and unnamed
    clock = errand.clock.later(HOURS)
    for chunk, was in sent.items():
        accepted = was or hopeless[chunk]
        await resolve(journal, errand.job, chunk, accepted=accepted, clock=clock)


async def _doubted(errand: Errand, jobs: Sequence[Errand]) -> list[str]:
    """Rows in doubt of which events have told."""
    truth = outcomes_of(errand.place, errand.subject.name)
    journal = await Journal.open(errand.address)
    found: list[str] = []
    try:
        known = {record.name: record for record in await journal.jobs.list()}
        for one in jobs:
            if one.job in known:
                rows = journal.reports.rows(known[one.job], states=[RowState.IN_DOUBT])
                found += [
                    f"{row.address} is in doubt, although events tell of it"
                    async for some in rows
                    for row in some
                    if row.address in truth
                ]
    finally:
        await journal.close()
    return found


def compare(verdict: Verdict, errand: Errand, jobs: Sequence[Errand]) -> None:
    """Let everything be heard, and compare what became of each email with the truth."""
    verdict.lost += hear_the_rest(errand.place)
    subject = errand.subject
    truth = outcomes_of(errand.place, subject.name)
    wrong = untrue(errand.journal, truth, [one.job for one in jobs], settles=subject.settles)
    verdict.untrue += len(wrong)
    verdict.notes += wrong[:5]


async def vanished(
    errand: Errand, jobs: Sequence[Errand], lists: Mapping[str, People]
) -> list[str]:
    """The jobs that have mailed people, and of which the journal knows nothing."""
    truth = mailed(errand.url)
    if not errand.has_journal:
        known = set[str]()
    else:
        journal = await Journal.open(errand.address)
        try:
            known = {record.name for record in await journal.jobs.list()}
        finally:
            await journal.close()
    if errand.job in known:  # the corrected list is about the same people
        jobs = [one for one in jobs if one.job != "corrected"]
    return [
        f"the job {one.job} vanished"
        for one in jobs
        if one.job not in known and any(address in truth for address, _ in lists[one.job].values())
    ]


async def judge(
    verdict: Verdict, errand: Errand, jobs: Sequence[Errand], lists: Mapping[str, People]
) -> None:
    """Compare every row of these jobs with the truth."""
    await audit(verdict, errand, whole=True)
    truth = ask(errand.url, "truth?full=1")
    verdict.damaged += errand.database is None and not sound(errand.journal)
    journal = await Journal.open(errand.address)
    try:
        for one in jobs:
            people = dict(lists[one.job])
            record = await journal.jobs.get(one.job)
            async for rows in journal.reports.rows(record):
                for row in rows:
                    address, kind = people.pop(row.line, ("", Kind.MALFORMED))
                    sent = row.address in truth["mailed"]
                    right = _right(errand.subject, row, kind, sent, other=one.job == "corrected")
                    verdict.wrong_ends += row.address.lower() != address.lower() or not right
                    verdict.lost += kind is Kind.GOOD and not sent
            verdict.lost += len(people)  # lines that have no row
    finally:
        await journal.close()


async def audit(verdict: Verdict, errand: Errand, *, whole: bool) -> None:
    """What the service has done; as a ``whole`` it is what the journal says."""
    verdict.mailed_twice += ask(errand.url, "truth")["mailed_twice"]
    above = over_quota(errand.url)
    verdict.over_quota += sum(above.values())
    for operation in above:
        times = [round(at, 1) for at in ask(errand.url, "truth/arrivals")[operation]]
        verdict.notes.append(f"{above[operation]} of {operation} above its quota: {times}")
    if errand.subject.name != "sendpulse":
        return
    account = await look_into(errand.url)
    twice = account.made_twice
    if whole and sorted(account.labels) != accepted_chunks(errand.journal):
        twice.append(f"campaigns {account.labels} for {accepted_chunks(errand.journal)}")
    verdict.made_twice += len(twice)
    verdict.notes += twice


def accepted_chunks(path: Path) -> list[str]:
    """The labels of the chunks that the journal says are taken, in order."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute(
            "SELECT name, n, attempt FROM chunks JOIN jobs ON jobs.id = chunks.job "
            "WHERE chunks.state = 'accepted'"
        ).fetchall()
    labels = [f"{job} #{n}" + f".{attempt}" * (attempt > 1) for job, n, attempt in found]
    return sorted(labels)


def _right(subject: Subject, row: RowRecord, kind: Kind, sent: bool, *, other: bool) -> bool:
    if other and row.state in ("duplicate", "suppressed") and kind is not Kind.MALFORMED:
        return True  # whoever has it from the first job, and may have left since
    return subject.right(row, kind, sent)


def sound(path: Path) -> bool:
    """Whether SQLite finds the file whole."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            found: str = db.execute("PRAGMA integrity_check").fetchone()[0]
            return found == "ok"
    except sqlite3.Error:
        return False


async def agrees(errand: Errand) -> bool:
    """Whether the journal can be opened, and its accepted rows are those that were mailed."""
    skip(errand.url, DAY)  # what was taken is mailed by then
    truth = mailed(errand.url)
    try:
        journal = await Journal.open(errand.address)
    except JournalError:
        return False
    try:
        record = await journal.jobs.get(errand.job)
        good = True
        async for rows in journal.reports.rows(record):
            for row in rows:
                strange = row.address.split("-")[0] in errand.subject.strange
                if not strange and row.state in ("accepted", "unsent", "rejected"):
                    good = good and (row.address in truth) == (row.state == "accepted")
        return good
    except MailkitError:
        return False
    finally:
        await journal.close()


def allowed_doubts(entries: Sequence[Entry], resets: int, unnamed: int) -> int:
    """How many rows may be in doubt: those in flight when an engine died, or could not write."""
    begun = sum(entry.what == ENGINE for entry in entries)
    done = sum(entry.what == ENGINE_DONE for entry in entries)
    return ((begun - done) * SENDERS + resets) * ROWS_A_CHUNK + unnamed


def unexpected(
    entries: Sequence[Entry], *, disturbed: bool = False, destroyed: bool = False
) -> list[str]:
    """What must not be heard: anything but a plain refusal of what can't be done now.

    A file that is moved or linked for a moment may be refused; one that was destroyed may be found
    to be.
    """
    found = []
    for who, what, text in map(attrs.astuple, entries):
        if what in REFUSALS or what in (LOOK, ENGINE, ENGINE_DONE, JOINED, DOUBT):
            continue
        if what == "OutcomeUnknown" and "neither a success nor a refusal" in text:
            continue  # requests for none but people whom Devino does not name
        damaged = "malformed" in text or "add up" in text
        refused = destroyed or (not damaged and (disturbed or who == "copied"))
        if what == "JournalError" and refused:
            continue
        found.append(f"{who}: {what}: {text}")
    return found
