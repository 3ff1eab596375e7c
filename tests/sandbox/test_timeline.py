from mailkit.sandbox.timeline import Timeline, Window


def test_a_timeline_gives_what_is_due_in_order() -> None:
    timeline: Timeline[str] = Timeline()
    assert timeline.next() is None
    for at, item in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
        timeline.add(at, item)
    assert timeline.take(0.5) is None
    assert [timeline.take(1.0), timeline.take(1.0), timeline.take(1.0)] == [
        (1.0, "a"),
        (1.0, "b"),
        None,
    ]
    assert timeline.next() == 2.0


def test_a_window_counts_what_it_allowed() -> None:
    window = Window()
    assert window.wait(0, None, 60) is None
    assert [window.wait(at, 2, 60) for at in (0, 30, 59, 60, 61)] == [None, None, 1, None, 29]
    assert Window().wait(0, 0, 60) == 60
