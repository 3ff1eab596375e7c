"""The garbage collector looks seldom while a command runs, and as before afterwards."""

from __future__ import annotations

import gc
import signal
import sys

import pytest

from mailkit.cli import main


@pytest.mark.parametrize("fault", [None, KeyboardInterrupt, SystemExit, RuntimeError])
def test_the_collector_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, fault: type[BaseException] | None
) -> None:
    gc.unfreeze()
    before, found = gc.get_threshold(), []

    def command() -> None:
        found.append((gc.get_threshold(), gc.get_freeze_count() > 10_000))
        if fault is not None:
            raise fault

    monkeypatch.setattr("mailkit.cli.app.app", command)
    monkeypatch.setattr(sys, "argv", ["mailkit"])
    monkeypatch.setattr("mailkit.cli.ending.process_ends_with_command", lambda: None)
    with pytest.raises(RuntimeError if fault is RuntimeError else SystemExit):
        main()
    assert found == [((10_000, *before[1:]), True)]
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # other tests go on here
