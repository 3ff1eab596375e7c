"""A journal that was copied, moved or put back from a backup: nobody is mailed twice by it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from mailkit.bulk.journal import Chosen, Journal
from mailkit.bulk.journal.ledger import Account, Busy, Grant, Ledger
from mailkit.bulk.journal.sqlite import finding, opening, witness
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.core.clock import Clock
from mailkit.core.lateness import elapsed
from mailkit.core.quota import Quota
from mailkit.errors import JobExists, JournalError, OutcomeUnknown, Refused
from mailkit.provider import Sent
from mailkit.testing import FakeClock

from .. import forking
from .fakes import MESSAGE, FakeProvider, people
from .jobs import at, finish, planned, planning, states, take

NEXT_TO_IT = ("", "-wal", "-shm", "-takes")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="inodes are not kept there")


async def takes(path: Path, count: int, name: str = "a") -> None:
    """So many chunks of the job are taken, and accepted, by an engine of its own."""
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get(name))
        for _ in range(count):
            chunk = await take(journal, job)
            await journal.chunks.accept(job, chunk.ticket, 3.0, Sent("r"))


async def some_job(path: Path, rows: int = 10) -> None:
    async with at(path) as journal:
        await planned(journal, people(rows))


def put_back(backup: Path, path: Path) -> None:
    """In place, as cp and rsync --inplace do: the inode stays the same."""
    inode = path.stat().st_ino
    path.write_bytes(backup.read_bytes())
    assert path.stat().st_ino == inode


async def refusal(path: Path) -> str:
    with pytest.raises(JournalError) as refused:
        await Journal.open(path)
    with pytest.raises(JournalError) as again:
        await Journal.open(path)
    assert str(again.value) == str(refused.value)
    return str(refused.value)


async def test_a_copy_is_refused_until_it_is_adopted(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    await some_job(path)
    shutil.copy(path, copy)
    assert "copy.db was copied, moved or restored without copy.db-takes" in (await refusal(copy))
    async with at(copy, adopt="latest") as journal:
        assert [job.name for job in await journal.jobs.list()] == ["a"]
    async with at(copy), at(path):
        pass


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
async def test_a_whole_folder_that_was_copied_is_refused_until_it_is_adopted(
    clean: bool, tmp_path: Path
) -> None:
    path, copy = tmp_path / "state" / "journal.db", tmp_path / "copy" / "journal.db"
    await some_job(path)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        await take(journal, job)
        if not clean:
            shutil.copytree(path.parent, copy.parent)
    if clean:
        shutil.copytree(path.parent, copy.parent)
    before = {file.name: file.read_bytes() for file in copy.parent.glob("journal.db*") if
              file.is_file()}  # fmt: skip
    assert "is a copy of another journal, or was moved: once no other" in await refusal(copy)
    assert before == {
        file.name: file.read_bytes() for file in copy.parent.glob("journal.db*") if file.is_file()
    }
    async with at(copy, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 2 + ["unsent"] * 8
    await takes(copy, 4)
    await takes(path, 4)  # the two know nothing of each other any more: that was a person's word


async def test_a_journal_that_was_moved_with_its_witness_is_the_same(tmp_path: Path) -> None:
    path, new = tmp_path / "journal.db", tmp_path / "new.db"
    await some_job(path)
    await takes(path, 2)
    path.rename(new)
    assert "moved or restored without new.db-takes, which records" in await refusal(new)
    witness.place(path).rename(witness.place(new))
    await takes(new, 3)


async def test_a_backup_put_back_in_place_never_plans_again_what_was_sent_since(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    await takes(path, 1)
    shutil.copy(path, backup)
    await takes(path, 3)
    put_back(backup, path)
    assert await refusal(path) == (
        f"{path} is older than journal.db-takes next to it, and lacks the last 4 changes, with 3 "
        "requests: it was restored from a backup, or its -wal was lost. Restore the newest one, "
        'or open this one once with adopt="latest", which puts the recipients of those requests '
        "in doubt"
    )
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["accepted"] * 2 + ["in doubt"] * 6 + ["unsent"] * 2
        doubts = await journal.reports.doubts(await journal.jobs.get("a"))
        assert [doubt.n for doubt in doubts] == [2, 3, 4]
        assert {doubt.reason for doubt in doubts} == {
            "a later state of the journal, now lost, sent it"
        }
        last = witness.place(path).stat().st_mtime  # when the last of them can have begun
        assert all(last - 60 < (doubt.started or 0) <= last for doubt in doubts)
    await takes(path, 1)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        assert await journal.chunks.take(job, 9.0) is None


async def test_a_backup_put_in_its_place_as_a_new_file_is_a_copy_that_knows_its_witness(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    await takes(path, 3)
    backup.replace(path)
    assert "was restored from a backup: " in await refusal(path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 6 + ["unsent"] * 4


async def test_what_was_not_a_request_is_missed_too(tmp_path: Path) -> None:
    """Such as a suppression: whoever asked for it would be mailed."""
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    async with at(path) as journal:
        await journal.suppressions.add(["p1@example.com"], reason="left", now=5.0)
    put_back(backup, path)
    said = await refusal(path)
    assert "lacks the last change: it was restored" in said
    assert said.endswith('or open this one once with adopt="latest"'), "nobody is in doubt"
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert set(found.values()) == {"unsent"}


async def test_a_job_that_the_backup_does_not_have_is_missed(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    async with at(path) as journal:
        job = await planned(journal, people(3), "b")
        await take(journal, job)
    put_back(backup, path)
    said = await refusal(path)
    assert "lacks the last 4 changes, with 1 request:" in said
    assert said.endswith("in doubt. It lacks a whole job: don't send its list again")
    async with at(path, adopt="latest") as journal:
        assert [job.name for job in await journal.jobs.list()] == ["a"]
        again = await planned(journal, people(3), "b")
        assert again.id > job.id  # the witness knows takes of a job of that number
        assert (await take(journal, again)).ticket.chunk == 1
    put_back(backup, path)
    async with at(path, adopt="latest") as journal:
        assert set((await states(journal, await journal.jobs.get("a"))).values()) == {"unsent"}


async def test_a_wal_that_was_lost_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    assert forking.start("tests.bulk.killed", path, "3", cwd=forking.ROOT).wait() == -signal.SIGKILL
    async with at(path) as journal:  # the -wal is there: nothing is missing
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 6 + ["unsent"] * 4
    assert forking.start("tests.bulk.killed", path, "1", cwd=forking.ROOT).wait() == -signal.SIGKILL
    Path(f"{path}-wal").unlink()
    Path(f"{path}-shm").unlink()
    assert "with 1 request: it was restored from a backup, or its -wal" in await refusal(path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 8 + ["unsent"] * 2


@pytest.mark.parametrize("how", ["in place", "as a new file"])
async def test_a_backup_below_the_wal_of_what_was_there_before_is_left_as_it_is(
    how: str, tmp_path: Path
) -> None:
    """The -wal has the last commits, and not the pages that earlier ones have changed."""
    path, backup, wal = (tmp_path / name for name in ("journal.db", "backup", "journal.db-wal"))
    async with at(path) as journal:
        await planned(journal, people(200), chunk=1)
    shutil.copy(path, backup)
    await takes(path, 150)
    assert forking.start("tests.bulk.killed", path, "1", cwd=forking.ROOT).wait() == -signal.SIGKILL
    before = backup.read_bytes(), wal.read_bytes()
    if how == "in place":
        put_back(backup, path)
        assert "and lacks " in await refusal(path)
    else:
        backup.replace(path)
        assert "was restored from a backup: " in await refusal(path)
    assert (path.read_bytes(), wal.read_bytes()) == before


async def test_pages_that_went_back_are_noticed_by_who_begins_to_send(tmp_path: Path) -> None:
    """As after a backup put back in place below a -wal that has the latest commits."""
    path = tmp_path / "journal.db"
    await some_job(path)
    await takes(path, 2)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunks SET state = 'planned', takes = 0 WHERE n = 2")
    assert "and lacks 1 request: it was restored" in await refusal(path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["accepted"] * 2 + ["in doubt"] * 2 + ["unsent"] * 6
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunks SET state = 'planned', takes = 0 WHERE n = 1")
    assert "lacks 1 request" in await refusal(path)  # the new witness knows it too


async def test_a_resume_compares_anew(tmp_path: Path) -> None:
    """The journal may have been opened long before."""
    path = tmp_path / "journal.db"
    await some_job(path)
    async with at(path) as journal:
        await takes(path, 2)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE chunks SET state = 'planned', takes = 0 WHERE n = 2")
        with pytest.raises(JournalError, match="lacks 1 request"):
            await journal.workers.join(await journal.jobs.get("a"))


# chunks that were cut since


@pytest.mark.parametrize("cut", ["narrowed", "moved"])
async def test_where_chunks_were_cut_since_all_that_was_not_accepted_is_in_doubt(
    cut: str, tmp_path: Path
) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    await takes(path, 1)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        chunk = await take(journal, job)
        if cut == "moved":
            await journal.chunks.accept(
                job, chunk.ticket, 3.0, Sent("r2", in_doubt={4: "not named"})
            )
        else:
            await journal.chunks.put_back(job, chunk.ticket, 3.0, "dns")
    shutil.copy(path, backup)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        if cut == "moved":
            assert await journal.resolving.not_sent(job, Chosen(), 1000.0) == 1
        else:
            number = await journal.narrowing.isolate(job, 0.99)
            assert number == 6
            assert (await journal.chunks.take(job, 4.0, n=6)) is not None
            assert (await journal.chunks.take(job, 4.0, n=7)) is not None
        while await journal.chunks.take(job, 4.0):
            pass
    put_back(backup, path)
    await refusal(path)
    async with at(path, adopt="latest") as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        assert "unsent" not in (await states(journal, job)).values()
        assert await journal.chunks.take(job, 9.0) is None
        assert not await journal.narrowing.restore(job)
        assert await journal.chunks.take(job, 9.0) is None


async def test_a_refused_chunk_that_was_ordered_again_since_is_in_doubt(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path, 4)
    async with at(path) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        for reject in (True, False):
            chunk = await take(journal, job)
            if reject:
                await journal.chunks.reject(job, chunk.ticket, 3.0, "no")
            else:
                await journal.chunks.accept(job, chunk.ticket, 3.0, Sent("r"))
    shutil.copy(path, backup)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunks SET state = 'planned' WHERE n = 1")
    await takes(path, 1)
    put_back(backup, path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 2 + ["accepted"] * 2


# the witness


def torn(text: bytes) -> bytes:
    return text[: text.rindex(b"\n") + 4]


LOSSES: dict[str, Callable[[bytes], bytes]] = {
    "all": lambda text: text.split(b"\n")[0],
    "the last lines": lambda text: b"\n".join(text.split(b"\n")[:-2]),
    "half a line": torn,
    "zeros for lines": lambda text: b"\n".join(text.split(b"\n")[:2]) + bytes(40),
    "some bytes": lambda text: text[:-1],
}


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_witness_may_be_behind_after_the_power_failed(lost: str, tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    await takes(path, 3)
    place = witness.place(path)
    place.write_bytes(LOSSES[lost](place.read_bytes()))
    await takes(path, 1)
    shutil.copy(path, backup)
    await takes(path, 1)
    put_back(backup, path)
    assert "with 1 request:" in await refusal(path)  # what came after the loss is read right


@pytest.mark.parametrize("text", [b"", b"nonsense", b"mailkit takes 1 xyz 7\n9 1 1 1"])
async def test_a_witness_that_is_nobody_s_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    witness.place(path).write_bytes(text)
    assert "journal.db-takes belongs to another journal than" in await refusal(path)
    async with at(path, adopt="latest"):
        pass
    await takes(path, 1)


async def test_another_journal_s_witness_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "journal.db", tmp_path / "other.db"
    for each in (path, other):
        await some_job(each)
        await takes(each, 1)
    found = witness.read(witness.place(other))
    assert found is not None
    kept = witness.read(witness.place(path))
    assert kept is not None
    witness.write(witness.place(path), witness.Witness(found.journal, kept.origin, 99, {}))
    assert "belongs to another journal" in await refusal(path)


@pytest.mark.parametrize("how", ["in place", "as a new file"])
async def test_an_adoption_that_was_cut_off_loses_nothing(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    await takes(path, 3)
    if how == "in place":
        put_back(backup, path)
    else:
        backup.replace(path)

    def die(place: Path, new: witness.Witness) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(witness, "write", die)
        with pytest.raises(KeyboardInterrupt):
            await Journal.open(path, adopt="latest")
    if how == "as a new file":
        assert "was restored from a backup: " in await refusal(path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("a"))
        assert list(found.values()) == ["in doubt"] * 6 + ["unsent"] * 4
    async with at(path):
        pass


@pytest.mark.parametrize("moved", [True, False], ids=["put back", "copied"])
@pytest.mark.parametrize("how", ["latest", "older"])
async def test_whoever_an_older_copy_was_about_to_send_to_is_in_doubt(
    tmp_path: Path, how: Literal["latest", "older"], moved: bool
) -> None:
    path, backup = tmp_path / "state" / "journal.db", tmp_path / "backup"
    await some_job(path)
    await takes(path, 1)
    shutil.copytree(path.parent, backup)
    await takes(path, 2)
    if moved:
        shutil.rmtree(path.parent)
        backup.rename(path.parent)
    place = path if moved else backup / "journal.db"
    said = await refusal(place)
    if moved:
        assert f"{path} was restored from a backup: " in said
        assert '"latest" if journal.db-takes is still there, or nothing was sent' in said
    else:
        assert f"{place} is a copy of another journal, or was moved: " in said
        assert '"latest" if nothing was sent since, otherwise ' in said
    assert said.endswith('"older", which puts what it was about to send in doubt')
    async with at(place, adopt=how) as journal:
        found = list((await states(journal, await journal.jobs.get("a"))).values())
    assert found == ["accepted"] * 2 + ["unsent" if how == "latest" else "in doubt"] * 8
    async with at(place):
        pass


async def test_an_older_state_whose_witness_is_there_is_told_apart_by_that(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    await takes(path, 1)
    put_back(backup, path)
    async with at(path, adopt="older") as journal:
        found = await states(journal, await journal.jobs.get("a"))
    assert list(found.values()) == ["in doubt"] * 2 + ["unsent"] * 8


async def test_a_journal_that_is_empty_while_something_is_copied_over_it_is_not_begun_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    await takes(path, 2)
    content, before = path.read_bytes(), (tmp_path / "journal.db-takes").read_bytes()
    path.write_bytes(b"")
    for create in (True, False):
        with pytest.raises(JournalError, match=r"it is gone, but .*-takes is still there"):
            await Journal.open(path, create=create)
    assert (path.read_bytes(), (tmp_path / "journal.db-takes").read_bytes()) == (b"", before)
    path.write_bytes(content)
    async with at(path) as journal:
        assert [job.name for job in await journal.jobs.list()] == ["a"]


async def test_a_journal_that_is_moved_away_while_it_is_opened_keeps_its_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite deletes the -wal next to an empty file: all that a dead process wrote last."""
    path, away = tmp_path / "journal.db", tmp_path / "away.db"
    await some_job(path)
    assert forking.start("tests.bulk.killed", path, "2", cwd=forking.ROOT).wait() == -signal.SIGKILL
    make = finding._make

    def make_late(place: Path) -> None:
        path.rename(away)
        make(place)

    monkeypatch.setattr(finding, "_make", make_late)
    with pytest.raises(JournalError, match="it is gone, but"):
        await Journal.open(path)
    monkeypatch.undo()
    away.rename(path)
    async with at(path) as journal:
        found = await states(journal, await journal.jobs.get("a"))
    assert list(found.values()).count("in doubt") == 4


async def test_a_journal_that_is_back_while_it_is_opened_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    old = path.read_bytes()
    await takes(path, 2)
    path.write_bytes(b"")
    prepare = opening._prepare

    def late(*args: Any, **options: Any) -> None:
        path.write_bytes(old)  # as cp does, which empties the file first
        prepare(*args, **options)

    monkeypatch.setattr(opening, "_prepare", late)
    with pytest.raises(JournalError, match=r"older than journal\.db-takes|is still there"):
        await Journal.open(path)


async def test_a_job_that_was_sent_and_is_gone_from_the_journal_is_missed(tmp_path: Path) -> None:
    """As when an old file was copied over one in use, and its -wal holds the rest."""
    path = tmp_path / "journal.db"
    await some_job(path)
    await takes(path, 2)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM jobs")
        db.execute("DELETE FROM chunks")
    assert "lacks 2 requests" in await refusal(path)
    async with at(path, adopt="latest"):
        pass
    async with at(path) as journal:
        await planned(journal, people(2), "b")
        assert [job.id for job in await journal.jobs.list()] == [2]


async def test_what_an_older_backup_did_not_have_is_still_known_for_a_newer_one(
    tmp_path: Path,
) -> None:
    path, older, newer = (tmp_path / name for name in ("journal.db", "older", "newer"))
    await some_job(path)
    shutil.copy(path, older)
    async with at(path) as journal:
        await planned(journal, people(3), "b")
    shutil.copy(path, newer)
    await takes(path, 1, "b")
    put_back(older, path)
    async with at(path, adopt="latest") as journal:
        assert [job.name for job in await journal.jobs.list()] == ["a"]
    put_back(newer, path)
    assert "with 1 request" in await refusal(path)
    async with at(path, adopt="latest") as journal:
        found = await states(journal, await journal.jobs.get("b"))
        assert list(found.values()) == ["in doubt"] * 2 + ["unsent"]


async def test_the_same_backup_may_be_put_back_twice(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copy(path, backup)
    await takes(path, 2)
    for sent in (2, 3):
        put_back(backup, path)
        assert "and lacks the last" in await refusal(path)
        async with at(path, adopt="latest") as journal:
            found = await states(journal, await journal.jobs.get("a"))
            assert list(found.values()) == ["in doubt"] * 2 * sent + ["unsent"] * 2 * (5 - sent)
        await takes(path, 1)


async def test_to_adopt_a_journal_that_is_right_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    await takes(path, 1)
    before = witness.place(path).read_bytes()
    async with at(path) as running:
        job = await running.workers.join(await running.jobs.get("a"))
        before = witness.place(path).read_bytes()
        async with at(path, adopt="latest"):
            assert witness.place(path).read_bytes() == before
        await take(running, job)


@pytest.mark.parametrize("left", ["-takes", "-wal"])
async def test_no_journal_is_begun_where_another_one_has_left_something(
    left: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    rest = Path(f"{path}{left}")
    if left == "-wal":
        rest.write_bytes(b"the last takes")
        witness.place(path).unlink()
    path.unlink()
    kept = rest.read_bytes()
    assert f"it is gone, but {rest} is still there; put the journal back, or remove" in (
        await refusal(path)
    )
    assert not path.exists()
    path.touch()
    await refusal(path)
    assert rest.read_bytes() == kept
    if left == "-takes":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("VACUUM")
        assert path.stat().st_size
        await refusal(path)
    path.unlink()
    rest.unlink()
    async with at(path) as journal:
        assert await journal.jobs.list() == []


async def test_a_making_that_was_cut_off_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"

    def die(db: sqlite3.Connection, journal: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mailkit.bulk.journal.sqlite.opening.create", die)
        with pytest.raises(KeyboardInterrupt):
            await Journal.open(path)
    assert witness.place(path).exists()
    await some_job(path)
    await takes(path, 1)


# a whole send


async def test_a_send_from_a_backup_mails_everybody_once_in_the_end(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    provider = FakeProvider()
    settings = EngineSettings(pollers=1)

    def copy(chunk: object) -> None:
        if len(provider.chunks) == 2:
            # by another process: to close a descriptor of the file would cost this one its locks
            assert os.system(f"cp {path} {backup}; cp {path}-wal {backup}-wal") == 0

    provider.on_send = copy
    provider.acts = [Refused("no"), OutcomeUnknown("reset")]
    async with BulkSender(provider, journal=path, settings=settings, clock=FakeClock()) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(12)), name="a")
        await job.wait()
    mailed = provider.mailed.copy()
    for name in ("", "-wal"):
        Path(f"{path}{name}").write_bytes(Path(f"{backup}{name}").read_bytes())
    await refusal(path)
    async with at(path, adopt="latest") as journal:
        async with BulkSender(
            provider, journal=journal, settings=settings, clock=FakeClock()
        ) as sender:
            report = await (await sender.resume("a")).wait()
        assert report.counts.accounted == 12
        assert report.counts.in_doubt
        assert provider.mailed == mailed
        for doubt in report.doubts:
            await resolve(journal, "a", doubt.chunk, accepted=bool(mailed[doubt.first]))
        async with BulkSender(
            provider, journal=journal, settings=settings, clock=FakeClock()
        ) as sender:
            report = await (await sender.resume("a")).wait()
    assert set(provider.mailed.values()) == {1}
    assert report.counts.in_doubt == 0


@pytest.mark.parametrize(
    ("found", "copied"),
    [
        ((2, 9, 7, "a"), False),
        ((2, 9, 8, "b"), False),  # moved, and the device has another number
        ((2, 5, 7, "a"), True),  # put back under the number that had come free
        ((3, 9, 7, "a"), True),
        ((2, 0, 7, "b"), False),  # where the system can't say when a file was made
        ((2, 0, 8, "a"), False),
        ((2, 0, 8, "b"), True),
    ],
)
def test_a_file_is_known_by_more_than_its_inode(
    found: tuple[int, int, int, str], copied: bool
) -> None:
    assert witness.Origin(2, 9, 7, "a").is_copied_to(witness.Origin(*found)) is copied


async def test_a_journal_that_is_removed_and_put_back_is_refused_whatever_its_inode(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "state" / "journal.db", tmp_path / "backup"
    await some_job(path)
    shutil.copytree(path.parent, backup)
    await takes(path, 1)
    for _ in range(20):  # the number that comes free is given to the next file, or soon
        shutil.rmtree(path.parent)
        shutil.copytree(backup, path.parent)
        assert "was restored from a backup: " in await refusal(path)


async def test_a_new_journal_without_its_wal_and_its_witness_is_not_an_empty_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with at(path):
        await anyio.run_process(["cp", path, tmp_path / "alone"])
    path.write_bytes((tmp_path / "alone").read_bytes())
    for name in NEXT_TO_IT[1:]:
        path.with_name(path.name + name).unlink(missing_ok=True)
    assert "moved or restored without journal.db-takes" in await refusal(path)


async def test_a_copy_under_the_same_inode_of_another_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "here" / "journal.db", tmp_path / "there" / "journal.db"
    await some_job(path)
    path.parent.rename(copy.parent)  # the file is the same; only its device is another one
    found = copy.lstat()
    elsewhere = witness.Origin.of

    def of(place: Path, stat: os.stat_result) -> witness.Origin:
        return witness.Origin(stat.st_ino, 0, stat.st_dev + 1, elsewhere(place, stat).path)

    async with at(copy):
        pass
    monkeypatch.setattr(witness.Origin, "of", of)
    assert found.st_ino == copy.lstat().st_ino
    assert "is a copy of another journal" in await refusal(copy)


async def test_a_file_that_vanishes_while_it_is_opened_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    await some_job(path)
    lstat = os.lstat

    def vanished(name: str) -> os.stat_result:
        if str(name).endswith("-wal"):
            raise FileNotFoundError(2, "No such file or directory", str(name))
        return lstat(name)

    monkeypatch.setattr(os, "lstat", vanished)
    with pytest.raises(JournalError, match="was removed or moved while the journal was opened"):
        await Journal.open(path)


async def test_a_chunk_that_was_being_prepared_may_have_been_sent(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup.db"
    await some_job(path, rows=4)
    become = "UPDATE chunks SET state = ? WHERE n = 1"
    async with at(path) as journal:
        await journal._db.write(lambda db: db.execute(become, ("loading",)))
        await journal.backup(backup)
        await journal._db.write(lambda db: db.execute(become, ("planned",)))
    await takes(path, 1)
    put_back(backup, path)
    async with at(path, adopt="latest") as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        found = (await states(journal, job)).values()
        assert sorted(found) == ["in doubt", "in doubt", "unsent", "unsent"]


@pytest.mark.parametrize("adopt", ["latest", "older"])
async def test_a_list_that_was_being_read_may_have_been_sent(
    adopt: Literal["latest", "older"], tmp_path: Path
) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup.db"
    async with at(path) as journal:
        job = await planning(journal, people(4), "a")
        await journal.backup(backup)
        await journal.planning.cut(job, rows=2, size=1_000)
        job = await finish(journal, job)
        await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent("r"))
        await journal.workers.leave(job)
    put_back(backup, path)
    if adopt == "older":
        witness.place(path).unlink()
    async with at(path, adopt=adopt) as journal:
        await journal.jobs.sweep()
        found = await journal.jobs.get("a")
        assert set((await states(journal, found)).values()) == {"in doubt"}
        with pytest.raises(JobExists, match="may have been sent since"):
            await journal.jobs.create("a", "fake", "shop", "{}", again=False, now=9.0)


FOUR = {"campaigns": Quota(4, 3600.0, "campaigns"), "tests": Quota(20, 3600.0, "tests")}


async def ask(journal: Journal, name: str) -> Grant | Busy:
    ledger = Ledger(Account("fake", "shop", FOUR), Clock())
    return await journal._db.write(
        lambda db: ledger.ask(db, ledger.needs(name), key=None, deadline=1.0, asked=elapsed())
    )


@pytest.mark.parametrize("adopt", ["latest", "older"])
async def test_permits_that_may_have_been_had_meanwhile_count(
    adopt: Literal["latest", "older"], tmp_path: Path
) -> None:
    """Nobody knows how many: quotas are free again once a window has passed."""
    path, backup = tmp_path / "journal.db", tmp_path / "backup.db"
    await some_job(path)
    async with at(path) as journal:
        assert isinstance(await ask(journal, "campaigns"), Grant)
        await journal.backup(backup)
    await takes(path, 1)
    put_back(backup, path)
    if adopt == "older":
        witness.place(path).unlink()
    async with at(path, adopt=adopt) as journal:
        for name in FOUR:  # the second one is new to the journal
            busy = await ask(journal, name)
            assert isinstance(busy, Busy)
            assert 3_590 < busy.free_in <= 3_631


async def test_a_copy_from_which_nothing_is_missing_leaves_quotas_as_they_are(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    await some_job(path)
    async with at(path) as journal:
        assert isinstance(await ask(journal, "campaigns"), Grant)
    shutil.copy(path, copy)
    async with at(copy, adopt="latest") as journal:
        assert isinstance(await ask(journal, "campaigns"), Grant)
