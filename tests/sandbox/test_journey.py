import pytest

from mailkit.sandbox.agenda import Agenda, Window
from mailkit.sandbox.delivery import state
from mailkit.sandbox.journey import journey


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    "address",
    ["opens@b.by", "bounce@b.by", "slow@b.by", *[f"person{n}@b.by" for n in range(20)]],
)
def test_each_step_agrees_with_the_state_at_its_moment(address: str, tracked: bool) -> None:
    steps = list(journey(address, tracked=tracked, open_share=0.5))
    assert steps == sorted(steps, key=lambda step: step[0])
    for after, step in steps:
        found = state(address, 0, after + 0.001, tracked=tracked, open_share=0.5).stage
        assert found == ("sent" if step == "deferred" else step)


def test_readers_who_leave_and_complain() -> None:
    for address, last in (("unsubscribed@b.by", "unsubscribed"), ("complaint@b.by", "complained")):
        assert [step for _, step in journey(address, tracked=True, open_share=1)] == [
            "sent",
            "delivered",
            last,
        ]


def test_an_agenda_gives_what_is_due_in_order() -> None:
    agenda: Agenda[str] = Agenda()
    assert agenda.next() is None
    for at, item in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
        agenda.add(at, item)
    assert agenda.take(0.5) is None
    assert [agenda.take(1.0), agenda.take(1.0), agenda.take(1.0)] == [(1.0, "a"), (1.0, "b"), None]
    assert agenda.next() == 2.0


def test_a_window_counts_what_it_allowed() -> None:
    window = Window()
    assert window.wait(0, None, 60) is None
    assert [window.wait(at, 2, 60) for at in (0, 30, 59, 60, 61)] == [None, None, 1, None, 29]
    assert Window().wait(0, 0, 60) == 60
