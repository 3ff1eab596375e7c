"""What a person, or a test, makes happen to an email, instead of what would have happened."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType

from mailkit.sandbox.delivery import Step

Course = Sequence[tuple[float, Step]]
"""The steps of an email with their moments, in order."""

HAPPENINGS = MappingProxyType(
    {
        "deliver": Step.DELIVERED,
        "open": Step.OPENED,
        "click": Step.CLICKED,
        "bounce": Step.UNDELIVERED,
        "complain": Step.COMPLAINED,
        "unsubscribe": Step.UNSUBSCRIBED,
    }
)
"""What can be made to happen, and the step that an email then reaches."""

_BEFORE = {
    Step.DELIVERED: (Step.SENT,),
    Step.UNDELIVERED: (Step.SENT,),
    Step.OPENED: (Step.SENT, Step.DELIVERED),
    Step.CLICKED: (Step.SENT, Step.DELIVERED, Step.OPENED),
    Step.COMPLAINED: (Step.SENT, Step.DELIVERED),
    Step.UNSUBSCRIBED: (Step.SENT, Step.DELIVERED),
}
_ORDER = (
    Step.SUBSCRIBED,  # again: nothing that becomes of an email
    Step.QUEUED,
    Step.SENT,
    Step.DEFERRED,
    Step.DELIVERED,
    Step.OPENED,
    Step.CLICKED,
    Step.UNDELIVERED,
    Step.EXPIRED,
    Step.UNSUBSCRIBED,
    Step.COMPLAINED,
)
_RANK = {step: rank for rank, step in enumerate(_ORDER)}
_SHOWN = {
    Step.SENT: Step.SENT,
    Step.DELIVERED: Step.DELIVERED,
    Step.UNDELIVERED: Step.UNDELIVERED,
    Step.EXPIRED: Step.UNDELIVERED,
    Step.OPENED: Step.OPENED,
    Step.CLICKED: Step.OPENED,
}


class CannotHappen(ValueError):
    """The service has no such email, or does not see such a thing happen to it."""


def past(course: Iterable[tuple[float, Step]], now: float) -> Course:
    """The steps that were reached by now."""
    return [one for one in course if one[0] <= now]


def furthest(reached: Course) -> Step:
    """The state of an email that has taken these steps: no later one makes it less."""
    return max((step for _, step in reached), key=_RANK.__getitem__, default=Step.QUEUED)


def following(reached: Course, now: float, step: Step) -> Course:
    """The steps that an email takes now to reach this one; nothing is left to come after it.

    CannotHappen if it has come as far. Only who has subscribed again can unsubscribe again.
    """
    state = furthest(reached)
    if step is Step.UNSUBSCRIBED and reached and reached[-1][1] is Step.SUBSCRIBED:
        return [(now, step)]
    if _RANK[step] <= _RANK[state]:
        raise CannotHappen(f"nothing happens: the message's state is already {state}")
    return [(now, one) for one in (*_BEFORE[step], step) if _RANK[one] > _RANK[state]]


def shown_at(course: Course, now: float) -> Step:
    """The step that a status list shows: queued, sent, delivered, undelivered or opened."""
    shown = [_SHOWN[step] for at, step in course if at <= now and step in _SHOWN]
    return shown[-1] if shown else Step.QUEUED
