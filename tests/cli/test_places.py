"""Where commands run: no home, no user, and a file system that can't be written to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .shop import Shop

ALONE = ["unshare", "--mount"]  # mounts of its own, which end with it
if os.name == "posix" and os.getuid():
    ALONE.append("--map-root-user")
LOCKED = """
mount --make-rprivate / && cd / || exit 100
for place in / "$FOLDER"; do
    mount --bind "$place" "$place" && mount -o remount,ro,bind "$place" && cd / || exit 100
done
"$PYTHON" -m mailkit status autumn && "$PYTHON" -m mailkit journal info | grep -q 'newest job' &&
    exec "$PYTHON" -m mailkit resume autumn
"""


def _can_mount() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    tried = ["mount", "--bind", "/", "/"]
    return not subprocess.run([*ALONE, *tried], check=False, capture_output=True).returncode


@pytest.mark.skipif(not _can_mount(), reason="nothing can be mounted here")
def test_on_a_read_only_file_system_jobs_can_be_looked_at(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(2), "--name", "autumn")
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAILKIT_")}
    ended = subprocess.run(
        [*ALONE, "bash", "-c", LOCKED],
        env={**own, **shop.environment, "PYTHON": sys.executable, "FOLDER": str(shop.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == shop("status", "autumn").out
    assert (ended.returncode, ended.stderr) == (
        1,
        f"mailkit: the journal {shop.journal} can't be used: it is on a read-only file system: "
        "only status, report, suppress list, journal info and journal backup work there\n",
    )


def test_without_a_folder_for_temporary_files(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    place = [str(shop.folder / "none")]
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: place)
    shop("demo").check_refusal("no folder for temporary files")


@pytest.mark.skipif(sys.platform == "win32", reason="there, users have other places")
@pytest.mark.parametrize("home", [None, "", "relative"])
def test_a_user_without_a_home_and_a_name(
    shop: Shop, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container."""
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    nobody = {"HOME": home, "MAILKIT_JOURNAL": None, "XDG_STATE_HOME": "relative"}
    ended = shop("status", environment=nobody)
    ended.check_refusal("no home")
    words: list[str | Path] = ["send", shop.letter(), shop.customers(2), "--provider", "smsby"]
    shop(*words, environment=nobody).check_refusal("no home")
    ended = shop(*words, "--journal", shop.journal, environment=nobody)
    assert (ended.code, ended.err) == (0, "")
