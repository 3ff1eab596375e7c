"""Four senders of one job, its journal in PostgreSQL: they and the server are killed again and
again, and then the journal is compared with what the sandbox really mailed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import attrs

from mailkit import Devino, Quota, SmsBy
from mailkit.bulk import performing
from mailkit.bulk.journal import leases, ledger, permits
from mailkit.bulk.journal.postgres import store
from mailkit.core.clock import Clock
from mailkit.providers import devino, smsby

from ..postgres.server import USER, Server
from .judge import DOUBT, REFUSALS, Verdict, finish, judge, prepare, write_list
from .life import ENGINE, ENGINE_DONE, JOINED, SENDERS, Errand, live
from .processes import CRASHED, Entry, Forked, ended
from .sandbox import SPEED, Place, ask
from .subjects import SUBJECTS, Kind
from .torment import CRASHES, LAPSES, LEASE, Torment
from .wire import Wire

__all__ = ["Ordeal", "hurried", "prove_cluster"]

PROCESSES = 4
ROWS_A_CHUNK = 10
QUOTA = Quota(40, 1.0, "requests")
REQUEST = 2.0
"""Seconds for a request here."""
LOST_RESPONSES = 2
UNWRITTEN = 0.6
"""So many seconds a commit is not on the disk, at most, for which nobody waits."""
LONGEST = 300.0
REFUSED = (
    "could not tell the journal's database in time",
    "declared this worker of the job",
    "can't be reached",
    "may have been stored or not",
)
"""What a sender may say that was stopped for long, or whose database was away."""


@attrs.frozen
class Ordeal:
    """What came of it, what was done how often, and the most arrivals in a window of the quota."""

    verdict: Verdict
    struck: Counter[str]
    most: int
    codes: Counter[int]


def _devino(place: Place, clock: Clock) -> Devino:
    return Devino(
        place.environment["MAILKIT_DEVINO_API_KEY"],
        place.url,
        clock=clock,
        requests=QUOTA,
        timeout=REQUEST,
        limits=devino.ChunkLimits(rows=ROWS_A_CHUNK),
    )


def _smsby(place: Place, clock: Clock) -> SmsBy:
    return SmsBy(
        place.environment["MAILKIT_SMSBY_TOKEN"],
        place.url,
        clock=clock,
        requests=QUOTA,
        timeout=REQUEST,
        limits=smsby.ChunkLimits(personal_rows=ROWS_A_CHUNK),
    )


CLUSTERED = {
    "devino": attrs.evolve(SUBJECTS["devino"], client=_devino),
    "smsby": attrs.evolve(SUBJECTS["smsby"], client=_smsby),
}


@contextmanager
def hurried() -> Iterator[None]:
    """Leases and requests that end within seconds, in the processes that are forked meanwhile."""
    with ExitStack() as stack:
        for module, name, value in (
            (leases, "REQUEST_SECONDS", REQUEST),
            (permits, "DEADLINE", REQUEST),
            (ledger, "BEGINS_WITHIN", LEASE),
            (performing, "BEGINS_WITHIN", LEASE),
            (leases, "LEASE", LEASE),
            (store, "BEAT", LEASE / 4),
            (store, "IDLE_MILLISECONDS", 1_000),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


def prove_cluster(
    seed: int, server: Server, place: Place, folder: Path, rows: int, pause: float = 0.3
) -> Ordeal:
    """Send one job under strikes; then end its doubts by the truth, and judge."""
    rng, verdict = Random(seed), Verdict(seed)
    subject = CLUSTERED[sorted(CLUSTERED)[seed % len(CLUSTERED)]]
    database = server.create_database()
    errand = attrs.evolve(
        prepare(f"cluster-{seed}", subject, place, folder), database=server.dsn(database)
    )
    people = write_list(errand, rows, rng, f"p{seed}")
    slow = {"kind": "slow_answer", "seconds": 0.1}
    lost = {"kind": "reset_after_acting", "after": rng.randint(0, 20), "times": LOST_RESPONSES}
    ask(place.url, "faults", [{"on": subject.acts[-1], **one} for one in (lost, slow)])
    with hurried():

        def begin(wire: Wire) -> Forked:
            address = f"postgresql://{USER}@127.0.0.1:{wire.port}/{database}"
            return live(attrs.evolve(errand, database=address), who="sender")

        torment = Torment(server, begin, PROCESSES, rng)
        with ended(torment.wires), ended(torment.senders):
            if not torment.until_done(pause, LONGEST):
                verdict.notes.append(f"the job was not sent in {LONGEST:g} s")
                verdict.lost += 1
            late = torment.calm()
        verdict.silent += len(late)
        verdict.notes += late
        most = most_in_window(place, errand)
        verdict.over_quota += max(0, most - QUOTA.limit)
        finish(errand, [errand], verdict)
        asyncio.run(judge(verdict, errand, [errand], {errand.job: people}))
    verdict.kills = torment.codes[-9]
    verdict.unexpected += torment.codes[CRASHED]
    unnamed = sum(kind is Kind.UNNAMED for _, kind in people.values())
    allowed = _allowed_doubts(torment) * ROWS_A_CHUNK + unnamed
    verdict.too_many_doubts += max(0, verdict.rows_in_doubt - allowed)
    strange = [f"{one.who}: {one.what}: {one.text}" for one in errand.log.entries() if _odd(one)]
    verdict.unexpected += len(strange)
    verdict.notes += strange[:5]
    server.drop_database(database)
    return Ordeal(verdict, torment.struck, most, torment.codes)


def _allowed_doubts(torment: Torment) -> int:
    """How many chunks may be in doubt: those under way when a sender died, or was taken for dead;
    and when the server was struck, those whose outcome it had not written yet.
    """
    deaths = sum(count for code, count in torment.codes.items() if code not in (0, 3))
    lapses = sum(torment.struck[what] for what in LAPSES)
    crashes = sum(torment.struck[what] for what in CRASHES)
    written = crashes * (PROCESSES * SENDERS + round(QUOTA.limit * UNWRITTEN))
    return (deaths + lapses) * SENDERS + written + LOST_RESPONSES


def most_in_window(place: Place, errand: Errand) -> int:
    """The most requests that arrived in any window of the quota."""
    arrivals = ask(place.url, "truth/arrivals")
    name = f"{errand.subject.name}."
    times = sorted(
        at / SPEED for operation, found in arrivals.items() for at in found if name in operation
    )
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - QUOTA.per_seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _odd(entry: Entry) -> bool:
    """Whether nothing that was done explains it."""
    if entry.what in (ENGINE, ENGINE_DONE, JOINED, DOUBT, *REFUSALS):
        return False
    return not (
        entry.what in ("JournalError", "CommitUnknown")
        and any(words in entry.text for words in REFUSED)
    )
