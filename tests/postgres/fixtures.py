"""Fixtures: ``postgres_database`` is the address of an empty database, ``make_postgres`` makes a
server that the test may kill, ``postgres`` is the server that all tests of a run share.

Without PostgreSQL on this machine the tests are skipped; where the variable ``CI`` is set, they
fail. ``MAILKIT_TEST_POSTGRES`` may be the address of a running server, which then is the shared
one: ``postgresql://user@host/postgres``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .binaries import NoPostgres, address

if TYPE_CHECKING:  # psycopg and fcntl are for those tests alone that need a server
    from .databases import Databases
    from .server import Server

_ROOM = pytest.StashKey[Path]()
"""The folder through which the processes of a run share one server."""


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, str] = getattr(config, "workerinput", {})
    config.stash[_ROOM] = Path(given.get("postgres") or tempfile.mkdtemp(prefix="mailkit-tests-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres"] = str(node.config.stash[_ROOM])


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    try:
        if (note := config.stash[_ROOM] / "server").exists():
            from .server import Server

            Server.at(Path(note.read_text())).remove()
    finally:
        shutil.rmtree(config.stash[_ROOM])


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Databases:
    """The run's server. Who needs it first starts it, and the run ends it."""
    from .databases import Databases

    if running := address():
        return Databases(running)
    with _needed():
        import fcntl

        from .server import Server

        room = request.config.stash[_ROOM]
        with (room / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            note = room / "server"
            server = Server.at(Path(note.read_text())) if note.exists() else Server()
            note.write_text(str(server.folder))
            if not server.running:
                server.start()
        return server


@pytest.fixture
def postgres_database(postgres: Databases) -> Iterator[str]:
    """The address of a new, empty database on the run's server."""
    with postgres.database() as dsn:
        yield dsn


@pytest.fixture
def make_postgres() -> Iterator[Callable[..., Server]]:
    """``make_postgres({"fsync": "off"}, tcp=True)`` starts a server of the test's own; the
    arguments are those of ``Server``. It ends with the test, and so do its standbys.
    """
    with ExitStack() as stack:

        def make(settings: Mapping[str, str] | None = None, *, tcp: bool = False) -> Server:
            with _needed():
                from .server import Server

                return stack.enter_context(Server(settings, tcp=tcp))

        yield make


@contextmanager
def _needed() -> Iterator[None]:
    try:
        yield
    except NoPostgres as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
