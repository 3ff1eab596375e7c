"""The short form of the crash proof; ``nox -s crash`` runs hundreds of jobs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from mailkit.bulk.journal.chunks import Chunks

from .attacks import ATTACKS
from .crowd import prove_crowd
from .flood import prove_flood
from .frozen import calls_of, look_beside, prove_frozen
from .judge import Verdict, close, finish, judge, prepare, write_lists
from .life import Moment, live
from .permits import prove_permits
from .proof import prove
from .sandbox import Place, sandbox
from .scenes import Scene
from .subjects import SUBJECTS
from .syscalls import TRACEABLE

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with sandbox() as one:
        yield one


def test_killed_jobs_mail_nobody_twice_and_lose_nobody() -> None:
    words = ["--jobs", "3", "--rows", "500", "--kills", "3", "--step", "1"]  # on one sandbox
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in SUBJECTS:
        assert f" over {name}" in done.stdout


@pytest.mark.parametrize(("name", "nth"), [*zip(SUBJECTS, [1, 3, 2], strict=True)])
def test_a_look_at_a_job_under_way_costs_it_nothing(
    place: Place, tmp_path: Path, name: str, nth: int
) -> None:
    errand = prepare("looked-at", SUBJECTS[name], place, tmp_path)
    lists = write_lists(errand, 600 // errand.subject.acts_a_chunk, Random(nth))
    stops = Moment(Chunks, "take", nth, after=True, signal=signal.SIGSTOP)
    dies = Moment(Chunks, "take", nth + 6, after=True)
    process = live(errand, stops, dies)
    assert process.wait_stopped()
    look = look_beside(errand)
    process.signal(signal.SIGCONT)
    assert (process.wait(), look.wait()) == (-signal.SIGKILL, 0)
    verdict = Verdict(nth)
    finish(errand, [errand], verdict)
    asyncio.run(judge(verdict, errand, [errand], lists))
    close(verdict, errand)
    assert verdict.good, verdict


@pytest.mark.skipif(not TRACEABLE, reason="system calls are counted on Linux on x86-64 alone")
def test_looked_at_and_killed_at_system_calls(place: Place, tmp_path: Path) -> None:
    subject = SUBJECTS["devino"]
    calls = calls_of(subject, place, tmp_path, 400)
    assert calls > 200
    for nth in range(calls // 3, calls, calls // 5):
        verdict = prove_frozen(nth, subject, place, tmp_path, 400)
        assert verdict.good, verdict


@pytest.mark.parametrize("name", ["devino", "smsby"])
def test_six_sends_in_one_journal_while_others_look_on(
    place: Place, tmp_path: Path, name: str
) -> None:
    subject = SUBJECTS[name]
    verdict = prove_crowd(1, subject, place, tmp_path, 200 // subject.acts_a_chunk)
    assert verdict.good, verdict


@pytest.mark.parametrize("name", ["sendpulse", "smsby"])
def test_processes_that_send_one_job_together_are_killed_at_random(
    place: Place, tmp_path: Path, name: str
) -> None:
    scene = Scene(("rival", "rival", "status"), slowly=0.1)
    subject, joined = SUBJECTS[name], 0
    for seed in range(7, 12):  # a slow machine may start the rivals too late
        verdict = prove(seed, subject, place, tmp_path, 1_000, scene, kills=5)
        assert verdict.good, verdict
        assert verdict.kills
        joined += verdict.joined
        if joined:
            break
    assert joined


def test_events_that_a_killed_receiver_takes_while_a_job_is_sent_are_all_heard(
    place: Place, tmp_path: Path
) -> None:
    flood = prove_flood(3, place, tmp_path, 1_200, kills=2)
    assert not flood.wrong, flood
    assert (flood.kills, flood.sent_meanwhile > 0) == (2, True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_journal_that_is_attacked_under_a_job_mails_nobody_twice(
    place: Place, tmp_path: Path, attack: str
) -> None:
    scene = Scene(("status",), attack)
    verdict = prove(len(attack), SUBJECTS["devino"], place, tmp_path, 700, scene, kills=0)
    assert verdict.good, verdict


async def test_callers_that_are_killed_are_never_above_a_quota_together(tmp_path: Path) -> None:
    rush = await prove_permits(tmp_path / "journal.db", 7, arrivals=120, kills_a_second=0.7)
    assert not rush.above, rush
    assert rush.kills
    assert rush.arrived >= 120, f"permits were lost: {rush}"
