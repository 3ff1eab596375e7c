"""Who may read the journal: its owner, and nobody else, whatever the process's umask says."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.provider import Task
from mailkit.testing import FakeClock

from ..bulk.fakes import MESSAGE, FakeProvider
from ..cli.shop import open_shop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }


async def test_every_file_of_a_running_job_is_its_owner_s_alone(umask: int, tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    provider = FakeProvider(on_send=lambda chunk: seen.update(modes(tmp_path)))
    journal = tmp_path / "state" / "journal.db"
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        job = await sender.start(MESSAGE, read_recipients(["a@b.by"]), name="autumn")
        await job.wait()
    assert {
        "state",
        "state/journal.db",
        "state/journal.db-wal",
        "state/journal.db-shm",
        "state/journal.db-locks",
        "state/journal.db-locks/worker-2.lock",
    } <= seen.keys()
    for name, mode in (seen | modes(tmp_path)).items():
        folder = name in ("state", "state/journal.db-locks")
        assert mode == (0o700 if folder else 0o600), name


def test_every_file_that_a_command_makes_is_its_owner_s_alone(umask: int, tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.environment["MAILKIT_JOURNAL"] = str(tmp_path / "state" / "mailkit" / "journal.db")
        letter, people = shop.letter(), shop.customers(2)
        assert shop.send(letter, people, "--name", "autumn").code == 0
    made = modes(tmp_path / "state") | {".": modes(tmp_path)["state"]}
    assert {"mailkit", "mailkit/journal.db", "mailkit/journal.db-locks"} <= made.keys()
    assert set(made.values()) <= {0o600, 0o700}


async def test_a_journal_behind_a_link_keeps_its_secrets_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "journal.db")
    journal = await Journal.open(tmp_path / "link.db")
    try:
        names = set(modes(tmp_path / "real"))
    finally:
        await journal.close()
    assert {"journal.db", "journal.db-wal"} <= names
    assert modes(tmp_path / "real")["journal.db"] == 0o600


async def test_a_name_leads_to_no_file(tmp_path: Path) -> None:
    """Locks bear the workers' numbers: a name with slashes makes no path."""
    tasks: list[Task] = []
    provider = FakeProvider(on_send=tasks.append)
    place = tmp_path / "journal.db"
    async with BulkSender(provider, journal=place, clock=FakeClock()) as sender:
        for n, name in enumerate(("../../evil", "/evil", "a/b/c", "..", "job-9.lock")):
            job = await sender.start(MESSAGE, read_recipients([f"p{n}@b.by"]), name=name)
            await job.wait()
    assert [task.job for task in tasks] == ["../../evil", "/evil", "a/b/c", "..", "job-9.lock"]
    made = set(modes(tmp_path))
    assert made <= {
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.db-takes",
        "journal.db-locks",
    }
