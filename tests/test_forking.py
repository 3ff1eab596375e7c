"""The tests don't depend on how they were started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .forking import ROOT

CHILD = """
import signal
print([signal.getsignal(number).name for number in (signal.SIGTERM, signal.SIGHUP)])
print(signal.getsignal(signal.SIGINT).__name__)
"""
TESTS = f"""
import subprocess, sys
import tests.conftest
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
def test_signals_that_the_shell_ignores_are_heard_by_the_tests_processes() -> None:
    """As behind ``&`` in a script, or under nohup."""
    ignoring = ["sh", "-c", 'trap "" INT TERM HUP; exec "$@"', "sh"]
    ended = subprocess.run(
        [*ignoring, sys.executable, "-c", TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "['SIG_DFL', 'SIG_DFL']\ndefault_int_handler\n", ended.stderr
