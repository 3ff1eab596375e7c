from collections import Counter

import pytest

from mailkit.sandbox.delivery import steps
from mailkit.sandbox.sendpulse.codes import RecipientStatus
from mailkit.sandbox.sendpulse.timetable import Timetable

_PEOPLE = [f"{word}{n}@b.by" for n in range(40) for word in ("a", "slow", "bounce", "complaint")]
_STATUS = dict(RecipientStatus.__members__)


def course(email: str) -> list[tuple[float, RecipientStatus]]:
    names = {"undelivered": "NO_SUCH_ADDRESS"}
    found = steps(email, tracked=True, open_share=0.5)
    return [(at, _STATUS[names.get(step, step.upper())]) for at, step in found]


@pytest.mark.parametrize("age", [0, 0.99, 1, 2, 7.3, 15, 32, 61, 95, 600, 3605, 9000])
def test_the_figures_are_those_of_all_emails_together(age: float) -> None:
    courses = [course(email) for email in _PEOPLE]
    expected: Counter[RecipientStatus] = Counter()
    for one in courses:
        reached = [status for at, status in one if at <= age]
        expected[reached[-1] if reached else RecipientStatus.QUEUED] += 1
    assert +Timetable(courses).counts(age) == expected
    assert expected.total() == len(_PEOPLE)
