"""Many lives of one journal, with backups put back between them at random: nobody is mailed twice.

Each life takes some chunks. It ends well, or its process dies: then the -wal is left, as it was.
Whatever is refused is adopted, and no doubt is ever resolved, so that whoever may have been mailed
must not come out of the journal again.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from random import Random

import attrs
import pytest

from mailkit.bulk.journal import InlineExecutor, Journal, Taken
from mailkit.errors import JournalError
from mailkit.provider import Sent

from .fakes import people
from .jobs import planned

ROWS = 240

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="inodes are not kept there")


@attrs.define
class Lives:
    """What became of a journal and its job."""

    rng: Random
    path: Path
    mailed: Counter[str] = attrs.field(factory=Counter)
    happened: Counter[str] = attrs.field(factory=Counter)
    backups: list[Path] = attrs.field(factory=list)

    @property
    def wal(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    async def open(self) -> Journal:
        try:
            return await Journal.open(self.path, executor=InlineExecutor)
        except JournalError as error:
            if "adopt=" not in str(error):
                raise
            self.happened["adopted"] += 1
            return await Journal.open(self.path, executor=InlineExecutor, adopt="latest")

    async def begin(self) -> None:
        journal = await self.open()
        await planned(journal, people(ROWS), chunk=2)
        await journal.close()

    async def live(self) -> None:
        journal = await self.open()
        job = await journal.workers.join(await journal.jobs.get("a"))
        for _ in range(self.rng.choice((0, 1, 2, 30))):
            if self.rng.random() < 0.1:
                await journal.narrowing.isolate(job, 0.99)
            chunk = await journal.chunks.take(job, 1.0, probes=self.rng.random() < 0.2)
            if not isinstance(chunk, Taken):
                continue
            outcome = self.rng.choice(("accept", "accept", "not sent", "halve", "in doubt"))
            if outcome in ("accept", "in doubt"):
                self.mailed.update(row.address for row in chunk.task.rows)
            match outcome:
                case "accept":
                    await journal.chunks.accept(job, chunk.ticket, 2.0, Sent("r"))
                case "in doubt":
                    await journal.chunks.doubt(job, chunk.ticket, 2.0, "reset")
                case "halve" if len(chunk.task.rows) > 1:
                    await journal.narrowing.halve(job, chunk.ticket)
                case _:
                    await journal.chunks.put_back(job, chunk.ticket, 2.0, "dns")
            self.happened[outcome] += 1
        if self.rng.random() < 0.5:
            await journal.close()
            return
        self.happened["killed"] += 1
        left = self.path.read_bytes(), self.wal.read_bytes()
        await journal.close()
        self.path.write_bytes(left[0])
        self.wal.write_bytes(left[1])

    def attack(self) -> None:
        what = self.rng.choice(("backup", "backup", "put back", "put back", "replace", "lose", ""))
        if what == "backup":
            self.backups.append(self.path.with_name(f"backup-{len(self.backups)}"))
            shutil.copy(self.path, self.backups[-1])
        elif what in ("put back", "replace") and self.backups:
            backup = self.rng.choice(self.backups)
            if what == "replace":
                copy = shutil.copy(backup, self.path.with_name("copy"))
                Path(copy).replace(self.path)
            else:
                self.path.write_bytes(backup.read_bytes())
            if self.rng.random() < 0.7:
                self.wal.unlink(missing_ok=True)
            self.happened[what] += 1
        elif what == "lose" and self.wal.exists():
            self.wal.unlink()
            self.happened[what] += 1


@pytest.mark.parametrize("seed", range(24))
async def test_nobody_is_mailed_twice_whatever_is_put_back(seed: int, tmp_path: Path) -> None:
    lives = Lives(Random(seed), tmp_path / "journal.db")
    await lives.begin()
    for _ in range(12):
        try:
            await lives.live()
        except JournalError as error:
            if "malformed" in str(error):  # pages of two states don't fit together
                break
            raise
        assert not [address for address, times in lives.mailed.items() if times > 1]
        lives.attack()
    assert lives.happened
