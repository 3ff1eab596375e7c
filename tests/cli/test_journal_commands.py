"""``mailkit journal``: making a journal and looking after it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailkit.bulk.journal.sqlite.births import born
from mailkit.bulk.journal.sqlite.schema import VERSION
from mailkit.bulk.journal.sqlite.witness import Origin
from mailkit.cli.show import moment_of
from mailkit.core.clock import Clock
from mailkit.sandbox import Fault

from ..approval import approve
from .shop import PLAIN, SEND, Ended, Shop, customer, kill

OLD = Path(__file__).parent.parent / "samples/journals/version-5.sql"


def done(ended: Ended) -> str:
    assert (ended.code, ended.err) == (0, "")
    return ended.out


@contextmanager
def two_days_later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(Clock, "now", lambda _: time.time() + 2 * 86_400)
        yield


def info(shop: Shop) -> Any:
    return shop("journal", "info", "--json").json


def said(name: str, text: str, shop: Shop, **places: object) -> None:
    database = f"SQLite {sqlite3.sqlite_version}, version {VERSION}"
    approve(name, text, path=shop.journal, database=database, **places)


def test_a_journal_is_made_and_one_that_is_there_stays(shop: Shop) -> None:
    said("journal init: made", done(shop("journal", "init")), shop)
    shop("suppress", "add", "a@b.by")
    said("journal init: there", done(shop("journal", "init")), shop)
    assert shop.in_journal("suppressions") == 1


def test_a_journal_is_made_where_it_is_said(shop: Shop) -> None:
    place = shop.folder / "other.db"
    done(shop("journal", "init", place))
    assert place.is_file()
    assert not shop.journal.exists()


def test_where_a_journal_is_made_is_said_once(shop: Shop) -> None:
    one, two = shop.folder / "one.db", shop.folder / "two.db"
    shop("journal", "init", one, "--journal", two).check_usage("journal init: two places")
    shop("journal", "init", "").check_usage("journal init: empty")
    shop("journal", "init", one, "--single-server").check_usage("journal init: single server")
    assert not [path for path in (one, two, shop.journal) if path.exists()]


def test_whoever_looks_at_a_journal_changes_nothing(shop: Shop) -> None:
    shop.journal.touch()
    shop("journal", "info").check_refusal("journal info: empty", path=shop.journal)
    assert shop.journal.stat().st_size == 0
    with sqlite3.connect(shop.journal) as db:
        db.executescript(OLD.read_text(encoding="utf-8"))
    db.close()
    before = shop.journal.read_bytes()
    shop("journal", "info").check_refusal("journal info: old", version=VERSION)
    assert shop.journal.read_bytes() == before


def test_a_journal_of_the_previous_version_is_migrated(shop: Shop) -> None:
    with sqlite3.connect(shop.journal) as db:
        db.executescript(OLD.read_text(encoding="utf-8"))
        (id,) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    db.close()
    path = shop.journal.resolve()
    origin = Origin.of(path, path.lstat())
    assert origin.born == born(path)
    head = f"mailkit takes 1 {id} {origin.inode} {origin.born} {origin.device} {origin.path}"
    path.with_name("journal.db-takes").write_text(f"{head}\n3 1 1 1", encoding="utf-8")
    said("journal migrate", done(shop("journal", "migrate")), shop, version=VERSION)
    said("journal migrate: nothing", done(shop("journal", "migrate")), shop, version=VERSION)
    assert info(shop)["version"] == VERSION


def test_what_is_not_there_is_neither_migrated_nor_shown_nor_copied(shop: Shop) -> None:
    shop("journal", "migrate").check_refusal("journal migrate: none", path=shop.journal)
    shop("journal", "info").check_refusal("journal info: none", path=shop.journal)
    copy = shop.folder / "copy.db"
    shop("journal", "backup", copy).check_refusal("journal backup: none", path=shop.journal)
    assert not copy.exists()


def test_the_journal_says_where_it_stands(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    other = shop.letter("other.toml", sender="news@shop.by", subject="Winter", html="<p>Hi</p>")
    shop.send(other, shop.customers(4, "winter.csv"), "--name", "winter", "--rate", "100/h")
    done(shop("suppress", "add", "a@b.by", "c@b.by"))
    found = info(shop)
    assert found["jobs"] == {"planning": 0, "under_way": 0, "open": 1, "ended": 1}
    assert (found["rows"], found["suppressions"], found["parked_events"]) == (7, 2, 0)
    assert found["bytes"] >= shop.journal.stat().st_size
    assert [found[f"{age}_job"]["name"] for age in ("oldest", "newest")] == ["autumn", "winter"]
    [account] = found["accounts"]
    assert [(quota["name"], quota["used"]) for quota in account["quotas"]] == [("recipients", 4)]
    lines = done(shop("journal", "info")).splitlines()
    assert "jobs           1 open, 1 ended" in lines
    assert "               recipients: 4 in the last 1 h" in lines


def test_a_process_that_sends_is_shown(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=600))
    message, people = shop.letter(), shop.customers(2)
    with shop.spawn("send", message, people, "--provider", "smsby", "--name", "autumn") as process:
        shop.until_requests(1, process)
        found = info(shop)
        lines = done(shop("journal", "info")).splitlines()
        kill(process)
    assert found["jobs"]["under_way"] == 1
    [worker] = found["workers"]
    assert (worker["process"], worker["machine"]) == (process.pid, platform.node())
    assert (worker["job"], worker["sends"], worker["presence"]) == ("autumn", True, "alive")
    who = f"process {process.pid} on {platform.node()}"
    assert f"worker         {who} sends the job autumn" in lines


def test_a_backup_is_a_whole_journal_for_its_owner_alone(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    copy = shop.folder / "copy.db"
    out = done(shop("journal", "backup", copy))
    approve("journal backup", out.partition(": ")[2].partition(", ")[2], path=shop.journal)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path.name for path in shop.folder.glob("*copy*")} == {"copy.db"}
    before = shop.report()
    shop.environment["MAILKIT_JOURNAL"] = str(copy)
    assert shop("status").code == 1  # nobody has said what it is
    assert shop("status", "--adopt", "latest").code == 0
    assert shop.report() == before


@pytest.mark.parametrize("name", ["copy.db", "journal.db-copy", "none/copy.db"])
def test_a_backup_overwrites_nothing(shop: Shop, name: str) -> None:
    done(shop("journal", "init"))
    (shop.folder / "copy.db").write_text("mine")
    place = shop.folder / name
    ended = shop("journal", "backup", place)
    ended.check_refusal(f"journal backup: {name}", path=place, folder=shop.folder)
    assert (shop.folder / "copy.db").read_text() == "mine"
    assert not list(shop.folder.glob(".mailkit-*"))


@pytest.mark.skipif(os.name == "nt", reason="inodes are not kept there")
@pytest.mark.parametrize("adopt", ["latest", "older"])
def test_a_backup_that_is_restored_as_it_says_mails_nobody_twice(shop: Shop, adopt: str) -> None:
    message, people = shop.letter(), shop.customers(4)
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, times=1))
    assert shop.send(message, people, "--name", "autumn").code == 1  # all of it is unsent
    copy = shop.folder / "copy.db"
    done(shop("journal", "backup", copy))
    assert shop("resume", "autumn").code == 0
    for file in shop.folder.glob("journal.db*"):
        if file.name != "journal.db-takes" and file.is_file():
            file.unlink()
    if adopt == "older":
        (shop.folder / "journal.db-takes").unlink()
    shutil.move(copy, shop.journal)
    assert shop("status").code == 1
    done(shop("journal", "info", "--adopt", adopt))
    assert shop("resume", "autumn").code == 3
    assert shop.states() == {customer(n): "in doubt" for n in range(4)}
    assert set(shop.sandbox.truth.mailed.values()) == {1}


def test_people_are_forgotten_and_neither_mailed_nor_found_again(shop: Shop) -> None:
    message = shop.letter()
    shop.send(message, shop.customers(3), "--name", "autumn")
    done(shop("suppress", "add", customer(1)))
    out = done(shop("journal", "forget", customer(1), customer(2), "--dry-run"))
    approve("journal forget: dry run", out)
    assert shop.in_journal("rows", f"address = '{customer(1)}'") == 1
    approve("journal forget", done(shop("journal", "forget", f"Anna <{customer(1)}>", customer(2))))
    approve("journal forget: nowhere", done(shop("journal", "forget", customer(1))))
    assert shop.in_journal("rows", "address LIKE '%@%'") == 1
    assert shop.report()["accepted"] == 3
    again = shop.send(message, shop.customers(3))
    assert (again.code, again.out) == (1, "")  # the same message and list
    shop.send(message, shop.customers(4, "more.csv"), "--name", "more")
    assert shop.states("more") == {
        customer(0): "duplicate",
        customer(1): "suppressed",
        customer(2): "duplicate",
        customer(3): "accepted",
    }
    assert set(shop.sandbox.truth.mailed.values()) == {1}


def test_nobody_is_forgotten_who_is_still_to_be_mailed(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, times=1))
    shop.send(shop.letter(), shop.customers(2), "--name", "autumn")
    shop("journal", "forget", customer(1)).check_refusal("journal forget: unsent")
    found = shop("journal", "forget", customer(1), "--dry-run")
    assert (found.code, found.err) == (1, "")
    approve("journal forget: dry run, unsent", found.out)
    shop("cancel", "autumn")
    done(shop("journal", "forget", customer(1)))
    assert [*shop.states().values()] == ["unsent", "suppressed"]


def test_old_jobs_are_pruned_and_their_counts_stay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, people = shop.letter(), shop.table(["email,name", f"{customer(0)},Anna", "nobody,X"])
    shop.send(message, people, "--name", "autumn")
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    shop.send(
        shop.letter("other.toml", **{**PLAIN, "subject": "Winter"}), people, "--name", "winter"
    )
    before = shop.report()
    assert shop("journal", "prune", "--older-than", "1d").out == "0 jobs pruned\n"
    with two_days_later(monkeypatch):
        dry = done(shop("journal", "prune", "--older-than", "1d", "--dry-run"))
    approve("journal prune: dry run", dry)
    assert shop.in_journal("rows", f"address = '{customer(0)}'") == 2
    with two_days_later(monkeypatch):
        approve("journal prune", done(shop("journal", "prune", "--older-than", "1d")))
    assert shop.in_journal("rows", f"address = '{customer(0)}'") == 1
    after = shop.report()
    when = moment_of(datetime.fromisoformat(after["pruned"]))
    approve("report: pruned", shop("report", "autumn").out, moment=when)
    assert {name: after[name] for name in before.keys() - {"reasons", "pruned"}} == {
        name: before[name] for name in before.keys() - {"reasons", "pruned"}
    }
    assert shop.send(message, people, "--name", "autumn", "--resume").code == 0  # as cron does
    assert shop.send(message, people).code == 1
    assert shop("resume", "autumn", "--rejected").code == 1
    shop("report", "autumn", "--as-recipients").check_refusal("report: recipients of a pruned job")
    assert shop.sandbox.truth.mailed == {customer(0): 2}


def test_how_old_is_a_duration(shop: Shop) -> None:
    shop("journal", "prune", "--older-than", "soon").check_usage("journal prune: no duration")
    shop("journal", "prune", "--older-than", "90").check_usage("journal prune: no unit")
    shop("journal", "prune", "--older-than", "23h").check_usage("journal prune: less than a day")
    assert shop("journal", "prune").code == 2


def test_a_journal_in_postgresql_is_looked_after_by_the_same_commands(
    shop: Shop, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.environment["MAILKIT_JOURNAL"] = postgres_database
    assert "was created" in done(shop("journal", "init"))
    assert "already exists" in done(shop("journal", "init"))
    assert "nothing to do" in done(shop("journal", "migrate"))
    message = shop.letter()
    assert shop.send(message, shop.customers(3), "--name", "autumn").code == 0
    found = info(shop)
    assert found["database"].startswith("PostgreSQL ")
    assert (found["jobs"]["ended"], found["rows"], found["free_bytes"]) == (1, 3, None)
    assert found["bytes"] > 0
    copy = shop.folder / "copy.db"
    shop("journal", "backup", copy).check_refusal("journal backup: PostgreSQL", path=copy)
    assert "forgotten in 1 row\n" in done(shop("journal", "forget", customer(1)))
    assert "not found" in done(shop("journal", "forget", customer(1), "--dry-run"))
    with two_days_later(monkeypatch):
        pruned = done(shop("journal", "prune", "--older-than", "1d"))
    assert pruned == "autumn: 3 rows\n1 job pruned\n"
    assert shop.send(message, shop.customers(3)).code == 1  # the same message and list
    assert shop.send(message, shop.customers(4, "more.csv"), "--name", "more").code == 0
    assert [*shop.states("more").values()] == ["duplicate"] * 3 + ["accepted"]
    assert set(shop.sandbox.truth.mailed.values()) == {1}
