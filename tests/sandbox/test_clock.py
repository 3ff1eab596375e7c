import pytest

from mailkit.sandbox.clock import LAST, Clock, moment


class Real:
    def __init__(self) -> None:
        self.seconds = 5.0

    def __call__(self) -> float:
        return self.seconds


def test_time_runs_as_fast_as_asked() -> None:
    real = Real()
    clock = Clock(60, start=1000, real=real)
    assert clock.now() == 1000
    real.seconds += 2
    assert clock.now() == 1120


def test_speed_zero_stands_still_until_moved() -> None:
    real = Real()
    clock = Clock(0, start=1000, real=real)
    real.seconds += 100
    assert clock.now() == 1000
    clock.advance(7.5)
    assert clock.now() == 1007.5


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(speed)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_time_never_goes_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="forward"):
        Clock(0).advance(seconds)


@pytest.mark.parametrize("seconds", [1e300, float("inf"), LAST])
def test_time_never_passes_its_end(seconds: float) -> None:
    clock = Clock(0, start=1000)
    with pytest.raises(ValueError, match="ends in the year 9990"):
        clock.advance(seconds)
    assert (clock.now(), clock.moves) == (1000, 0)


def test_it_can_be_stopped_and_start_over() -> None:
    real = Real()
    clock = Clock(60, start=1000, real=real)
    real.seconds += 1
    clock.stop()
    real.seconds += 100
    assert clock.now() == 1060
    clock.advance(5)
    assert clock.now() == 1065
    clock.start_over()
    real.seconds += 1
    assert clock.now() == 1060


def test_a_moment_for_programs_is_iso_8601_in_utc() -> None:
    assert moment(1_767_225_600.25) == "2026-01-01T00:00:00.250+00:00"
