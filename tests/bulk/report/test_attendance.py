"""Who works on a job, as its report says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from mailkit.bulk.journal import Counts, Presence, WorkerInfo
from mailkit.bulk.report import Report
from mailkit.bulk.report.advice import next_steps, remarks
from mailkit.bulk.report.attendance import attendance

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
REPORT = Report(
    job="autumn",
    provider="smsby",
    subject="Autumn",
    created=NOON,
    counts=Counts(read=3, accepted=1, unsent=2),
    elsewhere={},
    unreconciled=0,
    deliveries={},
    statistics={},
    doubts=[],
    rejections=[],
    waiting=None,
    stopped=None,
    running=False,
)
HERE = WorkerInfo(4711, "alpha", "autumn", True, Presence.ALIVE)
REST = "Send the rest with: mailkit resume autumn"


def heard(presence: Presence = Presence.ALIVE, **changes: Any) -> WorkerInfo:
    """A worker of several machines, last heard from two hours ago."""
    last = datetime.now(UTC) - timedelta(seconds=7170)
    times: dict[str, Any] = {"last_heard": last, "dead_from": NOON, "presence": presence}
    return attrs.evolve(HERE, **times, **changes)


def said(*workers: WorkerInfo, **changes: Any) -> list[str]:
    is_running = any(one.presence is not Presence.DEAD for one in workers)
    report = attrs.evolve(REPORT, workers=workers, running=is_running, **changes)
    return [*map(str, next_steps(report, str))]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "sending it"),
        ({"counts": Counts(3, accepted=3), "unreconciled": 1}, "checking the provider's status"),
        ({"counts": Counts(3, accepted=3)}, "finishing it"),
        ({"cancelled": NOON}, "finishing its last requests"),
        ({"stopped": "no money left"}, "finishing its last requests"),
    ],
)
def test_what_a_living_process_does(changes: dict[str, Any], what: str) -> None:
    [first, *rest] = said(HERE, **changes)
    assert first.startswith(f"Process 4711 on alpha is {what}")
    assert len(rest) == len({"cancelled", "stopped"} & {*changes})


def test_who_was_heard_from_a_while_ago_may_have_ended() -> None:
    """What is left then is to say so, and that can be lost."""
    done = Counts(3, accepted=3)
    assert said(heard(), counts=done) == [
        "Process 4711 on alpha is finishing it, or has just ended (last heard from 2 h ago)"
    ]
    [both] = said(heard(), heard(process=88), counts=done)
    assert both.startswith("2 processes are finishing it, or have just ended: process 4711")


def test_nothing_is_to_be_done_while_it_is_sent() -> None:
    assert said(heard()) == ["Process 4711 on alpha is sending it (last heard from 2 h ago)"]


def test_several_processes_are_one_sentence() -> None:
    assert said(heard(), heard(process=88, machine="beta"), attrs.evolve(HERE, sends=False)) == [
        "2 processes are sending it: process 4711 on alpha (last heard from 2 h ago), "
        "process 88 on beta (last heard from 2 h ago)",
        "Process 4711 on alpha is following what was sent",
    ]
    [crowd] = said(*(attrs.evolve(HERE, process=n) for n in range(9)))
    assert crowd.endswith(", process 4 on alpha, and 4 more: see --json")


def test_a_silent_process_may_be_dead_and_the_rest_need_not_wait_for_it() -> None:
    assert said(heard(Presence.SILENT)) == [
        "Process 4711 on alpha has not been heard from for 2 h. It may be dead, or cut off from "
        f"the journal's database. At {NOON} it counts as dead, and what it was sending is in doubt",
        REST,
    ]
    both = said(heard(Presence.SILENT), attrs.evolve(HERE, process=88))
    assert [one.split(".")[0] for one in both] == [
        "Process 88 on alpha is sending it",
        "Process 4711 on alpha has not been heard from for 2 h",
    ]


def test_a_dead_process_is_named_until_nothing_is_left_of_the_job() -> None:
    dead = attrs.evolve(HERE, presence=Presence.DEAD)
    assert said(dead) == ["Process 4711 on alpha died before the job had ended", REST]
    assert said(heard(Presence.DEAD)) == [
        "Process 4711 on alpha died before the job had ended (last heard from 2 h ago)", REST
    ]  # fmt: skip
    assert said(dead, counts=Counts(3, accepted=3)) == []
    assert len(said(dead, counts=Counts(3, accepted=3), unreconciled=1)) == 1


def test_workers_take_up_what_is_not_stopped_in_a_shared_journal() -> None:
    [advice] = said(shared=True)
    assert advice == (
        "If a mailkit worker runs, it continues within two minutes; otherwise, send the rest "
        "with: mailkit resume autumn"
    )
    assert said(shared=True, stopped="no money left") == [
        f"Stopped: no money left. {REST}",
        "Or have workers send it: mailkit resume autumn --detach",
    ]
    assert said(shared=True, cancelled=NOON, stopped="cancelled")[1:] == [
        "Or have workers send it: mailkit resume autumn --cancelled --detach"
    ]
    assert said(heard(Presence.SILENT), shared=True)[-1] == REST


def test_what_is_checked_already_need_not_be_checked_again() -> None:
    looked_for = attrs.evolve(REPORT, unreconciled=1, looks_until=NOON)
    [words] = remarks(attrs.evolve(looked_for, workers=[HERE], running=True), str)
    assert str(words).endswith(f"not in the status lists yet; checking until {NOON}")
    for workers in ((), [heard(Presence.SILENT)]):
        [words] = remarks(attrs.evolve(looked_for, workers=workers), str)
        assert str(words).endswith("; to check again: mailkit resume autumn")


def test_names_can_not_steer_a_terminal() -> None:
    [sentence] = attendance(attrs.evolve(REPORT, workers=[heard(machine="\x1b[31m")]), str)
    assert "\x1b" not in sentence
