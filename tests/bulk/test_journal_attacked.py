"""A journal that is linked, moved, replaced or deleted under a run: the run ends with a sentence,
and nothing more is sent.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mailkit.bulk.journal import Adopt, InlineExecutor, Journal, Ticket
from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.sqlite import witness
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import JournalError
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock

from ..cli.shop import open_shop
from .fakes import MESSAGE, FakeProvider, people
from .jobs import at, die, in_file, planned, states, take

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    shutil.rmtree(path.parent)


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def move_all(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def move_and_link(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.symlink_to("moved.db")


def replace(path: Path) -> None:
    copy = path.with_name("copy.db")
    copy.write_bytes(b"")
    copy.replace(path)


def link(path: Path) -> None:
    path.with_name("second.db").hardlink_to(path)


def lose(name: str) -> Callable[[Path], None]:
    return lambda path: path.with_name(path.name + name).unlink()


def begin_anew(path: Path) -> None:
    for name in ("", "-wal", "-shm", "-takes"):
        path.with_name(path.name + name).unlink()
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE jobs (id)')"
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code, str(path)) == 0


def cut_off(path: Path) -> None:
    os.truncate(f"{path}-wal", 0)  # by its name: no descriptor may be closed in this process


def empty(path: Path) -> None:
    os.truncate(path, 0)


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "the file is deleted": (delete, "journal.db was removed or moved while"),
    "the folder is deleted": (delete_all, "journal.db was removed or moved while"),
    "the file is moved": (move, "journal.db was removed or moved while"),
    "the folder is moved": (move_all, "journal.db was removed or moved while"),
    "the file is moved, and a link left": (
        move_and_link,
        "journal.db was (replaced|removed or moved) while",  # there is a moment between
    ),
    "the file is replaced": (replace, "journal.db was replaced while"),
    "the file gets a second name": (link, r"journal.db got another name \(a hard link\) while"),
    "the file is emptied": (empty, "journal.db was cut off while"),
    "the -wal is deleted": (lose("-wal"), "journal.db-wal was removed or moved while"),
    "the -wal is cut off": (cut_off, "journal.db-wal was cut off while"),
    "the -shm is deleted": (lose("-shm"), "journal.db-shm was removed or moved while"),
    "the witness is deleted": (lose("-takes"), "journal.db-takes was removed or moved while"),
    "all is deleted and begun anew": (
        begin_anew,
        "journal.db was (replaced|removed or moved) while",
    ),
}


async def send(
    provider: FakeProvider, journal: Journal, rows: int, settings: EngineSettings
) -> None:
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, settings=settings, clock=clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(rows)), name="a")
        await job.wait()


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("executor", [None, InlineExecutor], ids=["threads", "inline"])
async def test_a_run_ends_and_sends_nothing_more(
    attack: str, executor: type[InlineExecutor] | None, tmp_path: Path
) -> None:
    act, sentence = ATTACKS[attack]
    path = tmp_path / "state" / "journal.db"

    def once(chunk: Task) -> None:
        if len(provider.chunks) == 2:
            act(path)

    provider, settings = FakeProvider(on_send=once), EngineSettings(2, 1)
    if act is cut_off:  # not in the middle of a commit, which would write behind the cut
        provider.acts = [lambda task: Sent(None)] * 10
        settings = EngineSettings(1, 1)
    journal = await Journal.open(path, executor=executor)
    with pytest.raises(JournalError) as told:
        await send(provider, journal, 30, settings)
    words = str(told.value)
    # Of a file that was cut off, the thread that reads may hear first, from SQLite.
    damaged = executor is None and "cut off" in sentence and "the file is damaged" in words
    if not damaged:
        assert re.search(sentence, words)
        assert "nothing more is sent. Put the journal's files back as they were, and" in words
    assert len(provider.chunks) <= 3  # of ten: the one that was under way besides
    with pytest.raises(JournalError, match=sentence):
        await journal.close()


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_chunk_whose_commit_went_astray_is_not_handed_out(
    attack: str, tmp_path: Path
) -> None:
    act, sentence = ATTACKS[attack]
    path = tmp_path / "state" / "journal.db"
    journal = await Journal.open(path)
    job = await planned(journal, people(4))
    await take(journal, job)
    act(path)
    with pytest.raises(JournalError, match=sentence):
        await take(journal, job)
    with pytest.raises(JournalError, match=sentence):
        await journal.chunks.accept(job, Ticket(1, 1), 3.0, Sent("r"))
    with pytest.raises(JournalError, match=sentence):
        await journal.close()


async def test_who_only_looked_is_not_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        await planned(journal, people(4))
    looking = await Journal.open(path)
    assert [job.name for job in await looking.jobs.list()] == ["a"]
    move(path)
    await looking.close()


async def test_a_journal_that_was_put_back_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(6))
        await take(journal, job)
        move(path)
        with pytest.raises(JournalError, match="was removed or moved"):
            await take(journal, job)
        path.with_name("moved.db").rename(path)
        assert (await take(journal, job)).ticket.chunk == 3
        die(job)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        found = await states(journal, job)
        assert set(found.values()) == {"in doubt"}  # also the one that was not handed out


def test_a_command_whose_journal_is_deleted_ends_with_the_sentence_and_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_shop(tmp_path) as shop:
        real = Chunks.accept

        async def deleted(self: Chunks, *args: object) -> str | None:
            shop.journal.unlink(missing_ok=True)
            return await real(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(Chunks, "accept", deleted)
        ended = shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
        assert (ended.code, ended.out) == (1, "")
        assert f"mailkit: {shop.journal} was removed or moved while the journal was" in ended.err
        assert "Traceback" not in ended.err


# several names


@pytest.mark.parametrize("name", ["journal.db", "second.db"])
async def test_a_file_with_two_names_is_refused_by_both(name: str, tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        await planned(journal, people(1))
    link(tmp_path / "journal.db")
    for adopt in (None, Adopt.LATEST):
        with pytest.raises(JournalError, match=r"has 2 names \(hard links\), and each would get a"):
            await Journal.open(tmp_path / name, adopt=adopt)
    assert not (tmp_path / "second.db-wal").exists()


async def test_every_path_that_leads_to_the_file_is_the_same_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "journal.db"
    folder, file = tmp_path / "folder", tmp_path / "file.db"
    folder.symlink_to("state")
    file.symlink_to(Path("folder") / "journal.db")
    monkeypatch.chdir(tmp_path)
    async with at(path) as journal:
        job = await planned(journal, people(4))
        assert job.worker is not None
        for way in (
            folder / "journal.db",
            file,
            Path("state/../state/journal.db"),
            Path("file.db"),
        ):
            async with at(way) as same:
                assert same.path == path
                assert in_file(same).liveness.take(job.worker.id) is None
                assert await same.jobs.running(job)
        await take(journal, job)
        die(job)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.db", "folder", "state"]


async def test_links_that_lead_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(JournalError, match="can't be opened"):
        await Journal.open(tmp_path / "a")


# pages that go back under a run


async def test_a_chunk_that_the_journal_gives_out_twice_stops_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(4))
        chunk = await take(journal, job)
        await journal.chunks.put_back(job, chunk.ticket, 3.0, "dns")
        assert (await take(journal, job)).ticket == (1, 2)  # planned again by the engine itself
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE chunks SET state = 'planned', takes = 1 WHERE n = 1")
        with pytest.raises(JournalError, match="has forgotten that chunk 1 was taken"):
            await take(journal, job)
        assert (await states(journal, job))["p0@example.com"] == "unsent"


async def test_a_backup_copied_over_a_journal_that_is_in_use_stops_the_engine(
    tmp_path: Path,
) -> None:
    """Pages of the backup take the place of those that were not in the -wal at that time."""
    path, backup = tmp_path / "journal.db", tmp_path / "backup.db"
    provider, other = FakeProvider(), sqlite3.connect(path, isolation_level=None)

    def attack(chunk: Task) -> None:
        if len(provider.chunks) == 1:
            other.execute("PRAGMA wal_checkpoint(RESTART)")
            assert os.spawnlp(os.P_WAIT, "cp", "cp", str(path), str(backup)) == 0
        if len(provider.chunks) == 4:
            other.execute("PRAGMA wal_checkpoint(RESTART)")
            assert os.spawnlp(os.P_WAIT, "cp", "cp", str(backup), str(path)) == 0
            other.execute("CREATE TABLE IF NOT EXISTS other (x)")  # all read the file anew

    provider.on_send = attack
    journal = await Journal.open(path)
    with closing(other), pytest.raises(JournalError):
        await send(provider, journal, 60, EngineSettings(1, 1))
    await journal.close()
    assert len(provider.chunks) <= 5
    assert set(provider.mailed.values()) == {1}
    with pytest.raises(JournalError):
        await (await Journal.open(path)).jobs.get("a")


# no room


async def test_a_witness_that_can_not_be_written_stops_before_the_request(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device that is always full")
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(4))
        file = in_file(journal)._file
        assert file is not None
        assert file._witness is not None
        full = os.open("/dev/full", os.O_WRONLY)
        kept = os.dup(file._witness)
        os.dup2(full, file._witness)
        with pytest.raises(
            JournalError, match=f"-takes can't be written: {os.strerror(errno.ENOSPC)}"
        ):
            await take(journal, job)
        os.dup2(kept, file._witness)
        os.close(full)
        os.close(kept)
        assert (await take(journal, job)).ticket.chunk == 2
        die(job)
    async with at(path) as journal:
        job = await journal.workers.join(job)
        assert set((await states(journal, job)).values()) == {"in doubt"}
    assert witness.read(witness.place(path)) is not None


async def test_a_take_that_is_undone_is_not_in_the_witness(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(4))

        def change(db: Connection, fields: str) -> None:
            db.execute("UPDATE rows SET fields = ?", (fields,))

        await journal._db.write(lambda db: change(db, "{}"))
        with pytest.raises(ValueError, match="Expected `array`"):
            await take(journal, job)
        await journal._db.write(lambda db: change(db, "[]"))
        found = witness.read(witness.place(path))
        assert found is not None
        assert found.takes == {}
        assert (await take(journal, job)).ticket.chunk == 1


def test_a_line_that_is_written_in_part_is_an_error() -> None:
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            witness.append(writing, bytes(10_000_000))
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_witness_of_somebody_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        await planned(journal, people(1))
    witness.place(path).unlink()
    witness.place(path).mkdir()
    with pytest.raises(JournalError, match=r"journal.db-takes can't be read: Is a directory"):
        await Journal.open(path)


async def test_sending_needs_no_room_for_temporary_files(tmp_path: Path) -> None:
    memory = 2
    async with at(tmp_path / "journal.db") as journal:
        found = await journal._db.write(lambda db: db.execute("PRAGMA temp_store").fetchone())
        assert found == (memory,)
        found = await journal._db.read(lambda db: db.execute("PRAGMA temp_store").fetchone())
        assert found != (memory,)  # a long list is sorted on the disk


async def test_what_reads_can_not_write(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        with pytest.raises(JournalError, match="can't be read: attempt to write a readonly"):
            await journal._db.read(lambda db: db.execute("DELETE FROM jobs"))


async def test_looks_wait_for_nobody(tmp_path: Path) -> None:
    """Who only opens the journal and reads needs no lock that a running send may hold."""
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        await planned(journal, people(2))
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(20), at(path) as looking:
                assert [job.name for job in await looking.jobs.list()] == ["a"]


async def test_the_last_look_comes_after_everything_that_was_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = await Journal.open(path)
    await planned(journal, ["anna@example.com"])
    store, begun = in_file(journal), threading.Event()
    end = store._writer.close

    def close() -> None:
        begun.set()
        end()

    store._writer.close = close  # type: ignore[method-assign]
    store.post(lambda db: begun.wait())
    store.post(lambda db: delete(path))
    with pytest.raises(JournalError, match="was removed or moved"):
        await journal.close()
