"""What a log says while a job is sent: a line every 30 seconds, and when a wait begins or ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs
import pytest

from mailkit.bulk.journal import Counts
from mailkit.bulk.progress import Pace, Progress, seconds_left
from mailkit.bulk.report import Waiting
from mailkit.bulk.source import read_recipients
from mailkit.cli.progress import Lines, planning
from mailkit.events import DeliveryStatus
from mailkit.testing import FakeClock

NOON = datetime(2030, 6, 3, 12).astimezone()
COUNTS = Counts(read=1_000, invalid=100, accepted=300, unsent=600)


def step(seconds: float, **words: object) -> Progress:
    at = NOON + timedelta(seconds=seconds)
    known: dict[str, object] = {"checked": 300, **words}
    return Progress(COUNTS, at=at, seconds=seconds, **known)  # type: ignore[arg-type]


def wait(minutes: float, why: str = "too many requests", **words: object) -> Waiting:
    return Waiting(NOON + timedelta(minutes=minutes), why, **words)  # type: ignore[arg-type]


def said(*steps: Progress) -> Sequence[str]:
    lines = Lines("autumn")
    return [line for one in steps for line in lines.of(one)]


def test_a_short_job_says_nothing() -> None:
    assert said(step(0), step(29), step(29.5, done=True)) == []


def test_a_line_every_thirty_seconds() -> None:
    seconds = range(0, 125, 5)
    assert said(*(step(n, rate=10.0, seconds_left=60.0) for n in seconds)) == [
        f"{NOON + timedelta(seconds=n):%H:%M:%S} autumn: 300 of 900 rows sent, 10 a second, "
        "1 min left"
        for n in (30, 60, 90, 120)
    ]


def test_a_wait_is_told_when_it_begins_and_when_it_ends() -> None:
    """Nothing in between, though it is looked at each second, and though its end moves a little."""
    campaign = {"why": "the quota of 4 campaigns in 60 minutes", "quota": "campaigns"}
    waits = [step(n, waiting=wait(65 + n / 600, **campaign)) for n in range(1, 20)]
    assert said(step(0), *waits, step(20), step(25), step(26)) == [
        "12:00:01 autumn: next campaign at 13:05:00: the quota of 4 campaigns in 60 minutes is "
        "used up",
        "12:00:25 autumn: the wait is over, 300 of 900 rows sent",
    ]


def test_a_look_in_between_does_not_end_a_wait_but_what_is_sent_does() -> None:
    """Nor does it begin anew because the next look is at another list, or later."""
    lists = [wait(1 + n / 30, f"list {n % 2} is loading") for n in range(4)]
    looks = [step(n, waiting=lists[n // 2] if n % 2 else None) for n in range(8)]
    moderated = [step(30 + n, waiting=wait(2 + n, "moderators", sent=True)) for n in range(4)]
    sent = step(29, waiting=None)
    sent = attrs.evolve(sent, counts=attrs.evolve(COUNTS, accepted=301, unsent=599))
    assert [line.partition("autumn: ")[2] for line in said(*looks, sent, *moderated)] == [
        "waiting until 12:01:00: list 0 is loading",
        "waiting until 12:01:02: list 1 is loading",
        "the wait is over, 301 of 900 rows sent",
        "next check at 12:02:00: moderators",
    ]


@pytest.mark.parametrize(
    ("waits", "lines"),
    [
        ([wait(0.1), None, wait(0.15), None], []),  # too short for a line
        ([wait(1), wait(3)], ["waiting until 12:01:00: too many", "waiting until 12:03:00: too"]),
        ([wait(1), wait(1, "no network")], ["until 12:01:00: too many", "12:01:00: no network"]),
        ([wait(9, "moderators", sent=True)], ["next check at 12:09:00: moderators"]),
        ([Waiting(None, "process 7")] * 2, ["waiting for process 7"]),
        ([wait(48 * 60)], ["waiting until 2030-06-05 "]),
        ([wait(1, "\x1b[2J")], ["\\x1b[2J"]),
    ],
    ids=str,
)
def test_other_waits(waits: Sequence[Waiting | None], lines: Sequence[str]) -> None:
    found = said(*(step(n, waiting=one) for n, one in enumerate(waits)))
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


def test_a_line_says_all_that_is_known() -> None:
    counts = attrs.evolve(COUNTS, accepted=290, rejected=7, in_doubt=3)
    whole = attrs.evolve(
        step(30, checked=90, rate=1.0, seconds_left=4_000.0),
        counts=counts,
        looks_until=NOON + timedelta(minutes=10),
        deliveries={DeliveryStatus.DELIVERED: 80, DeliveryStatus.HARD_BOUNCE: 2},
        tracks_until=NOON + timedelta(hours=2),
    )
    assert said(whole) == [
        "12:00:30 autumn: 300 of 900 rows sent, 1 a second, 1 h 7 min left, 7 rejected, 3 in "
        "doubt; 200 accepted rows not in the status lists yet; checking until 12:10:00; "
        "delivery: delivered 80, hard bounce 2; checking until 14:00:00"
    ]


async def test_while_a_list_is_read_its_rows_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock, source = FakeClock(), read_recipients(["a@b.by", "c@d.by"])
    async with planning(source, quiet=False, clock=clock):
        async for _ in source.batches(1):
            await clock.sleep(40)
    await clock.sleep(100)
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == [
        "rows read so far: 1",
        "rows read so far: 2",
    ]


# how long it takes


def test_the_rate_is_that_of_the_time_in_which_nothing_was_waited_for() -> None:
    pace = Pace()
    assert pace.rate(100, 5.0, waits=False) == 0.0
    assert pace.rate(80, 7.0, waits=False) == 10.0
    assert pace.rate(80, 3_607.0, waits=True) == 10.0
    assert pace.rate(70, 3_608.0, waits=False) == 10.0
    assert pace.rate(120, 3_609.0, waits=False) == 0.0  # planned again, after a refusal
    assert pace.rate(115, 3_610.0, waits=False) == 1.0


@pytest.mark.parametrize(
    ("unsent", "rate", "waits", "quotas", "left"),
    [
        (0, 0.0, 0.0, 0.0, 0.0),
        (10, 0.0, 0.0, 0.0, None),
        (10, 2.0, 0.0, 0.0, 5.0),
        (10, 2.0, 60.0, 0.0, 65.0),
        (10, 2.0, 60.0, 3_600.0, 3_600.0),
        (10, 2.0, 3_600.0, 60.0, 3_605.0),
        (10, 0.0, 60.0, 0.0, None),
        (10, 0.0, 0.0, 3_600.0, 3_600.0),
    ],
)
def test_the_time_left(
    unsent: int, rate: float, waits: float, quotas: float, left: float | None
) -> None:
    assert seconds_left(unsent, rate, waits, quotas) == left
