"""The short form of the crash proof; ``nox -s crash`` kills 200 jobs of 2,000 recipients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_jobs_mail_nobody_twice_and_lose_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--jobs", "10", "--rows", "800"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("devino", "smsby"):
        assert f" over {name}" in done.stdout
