from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from .binaries import VARIABLE, NoPostgres, programs
from .databases import Databases
from .server import Server

Make = Callable[..., Server]


def add(server: Databases, *numbers: int) -> None:
    server.run("CREATE TABLE IF NOT EXISTS kept (n int PRIMARY KEY)")
    for number in numbers:
        server.run("INSERT INTO kept VALUES (%s)", [number])


def kept(server: Databases) -> list[int]:
    return [n for (n,) in server.run("SELECT n FROM kept ORDER BY n")]


def test_a_database_is_new_and_empty(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as db:
        assert not db.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert db.execute("SHOW max_connections").fetchone() == ("200",)


def test_a_database_is_copied_from_a_template_and_dropped(postgres: Databases) -> None:
    template = postgres.create_database()
    postgres.run("CREATE TABLE kept AS SELECT 7 AS n", database=template)
    copy = postgres.create_database(template)
    assert postgres.run("SELECT n FROM kept", database=copy) == [(7,)]
    with psycopg.connect(postgres.dsn(copy)):  # is no obstacle
        postgres.drop_database(copy)
    postgres.drop_database(template)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres.run("SELECT 1", database=copy)


def test_connections_to_one_database_are_ended(postgres: Databases) -> None:
    one, other = postgres.create_database(), postgres.create_database()
    with (
        closing(psycopg.connect(postgres.dsn(one))) as ended,
        closing(psycopg.connect(postgres.dsn(other))) as goes_on,
    ):
        assert postgres.terminate_backends(one) == 1
        with pytest.raises(psycopg.OperationalError):
            ended.execute("SELECT 1")
        goes_on.execute("SELECT 1")
    postgres.drop_database(one)
    postgres.drop_database(other)


@pytest.mark.parametrize("end", ["stop", "crash", "kill"])
def test_what_was_committed_outlives_each_end(make_postgres: Make, end: str) -> None:
    server = make_postgres()
    add(server, 1, 2)
    pid = server.pid
    with closing(psycopg.connect(server.dsn())) as under_way:
        under_way.execute("INSERT INTO kept VALUES (3)")
        getattr(server, end)()
        assert not server.running
        with pytest.raises(psycopg.OperationalError):
            server.run("SELECT 1")
        server.start()
    assert kept(server) == [1, 2]
    assert server.pid != pid


def test_settings_at_the_start_and_later(make_postgres: Make) -> None:
    server = make_postgres({"fsync": "off", "work_mem": "5MB"}, tcp=True)
    assert server.run("SHOW fsync") == [("off",)]
    with psycopg.connect(server.dsn(tcp=True)) as db:
        assert db.execute("SHOW work_mem").fetchone() == ("5MB",)
    server.configure({"work_mem": "6MB"})
    assert server.run("SHOW work_mem") == [("6MB",)]
    server.restart()
    assert server.run("SHOW work_mem") == [("6MB",)]


def test_a_synchronous_standby_has_every_commit(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    add(server, 1, 2)
    server.kill()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        add(standby, 3)
    standby.promote()
    add(standby, 3)
    assert kept(standby) == [1, 2, 3]


def test_a_standby_that_is_cut_off_lacks_what_came_later(make_postgres: Make) -> None:
    server = make_postgres()
    add(server, 1)
    standby = server.standby()
    standby.cut_off()
    add(server, 2)
    standby.promote()
    assert (kept(server), kept(standby)) == ([1, 2], [1])


def test_nothing_of_it_remains() -> None:
    with Server() as server:
        standby = server.standby()
        folders = server.folder, standby.folder
        for folder in folders:
            assert len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= 107
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any(folder.exists() for folder in folders)


def test_programs_that_nobody_can_reach_are_copied(
    make_postgres: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs them as somebody else")
    monkeypatch.setenv(VARIABLE, "wheel")
    wheel = programs().parents[1]
    for name in (wheel.name, f"{wheel.name}.libs"):
        (tmp_path / name).symlink_to(wheel.with_name(name))
    tmp_path.chmod(0o700)
    monkeypatch.setenv(VARIABLE, str(tmp_path / programs().relative_to(wheel.parent)))
    assert make_postgres().run("SELECT 1") == [(1,)]


def test_a_folder_without_the_programs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(NoPostgres, match=f"{VARIABLE}={tmp_path} has no PostgreSQL"):
        programs()


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_without_it_tests_are_skipped_except_in_ci(
    make_postgres: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ci: str,
    outcome: type[BaseException],
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="has no PostgreSQL"):
        make_postgres()
