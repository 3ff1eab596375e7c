"""``pytest --postgres``: what the tests keep in memory is in PostgreSQL instead, so that they hold
there, too. A test marked ``sqlite`` is about SQLite alone.

Journals in files stay there. A worker whose life is released is dead at once, as in memory: the end
of its lease need not be waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.leases import Lease, Leases

if TYPE_CHECKING:
    from .databases import Databases

_names: list[tuple[Databases, str]] = []
_dead: set[tuple[str, int]] = set()
"""By the database and the worker."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", action="store_true", help="keep in PostgreSQL what is in memory otherwise"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite: about SQLite alone; left out with --postgres")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--postgres"):
        items[:] = [item for item in items if item.get_closest_marker("sqlite") is None]


@pytest.fixture(scope="session", autouse=True)
def _everywhere(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.config.getoption("--postgres"):
        yield
        return
    databases: Databases = request.getfixturevalue("postgres")
    with pytest.MonkeyPatch.context() as patch:
        _open_in(databases, patch)
        _die_at_once(patch)
        yield


@pytest.fixture(autouse=True)
def _drop() -> Iterator[None]:
    yield
    while _names:
        databases, name = _names.pop()
        databases.drop_database(name)


def _open_in(databases: Databases, patch: pytest.MonkeyPatch) -> None:
    opened: Any = Journal.open

    async def open_(cls: type[Journal], /, path: Any = None, **options: Any) -> Journal:
        if path != ":memory:":
            return await _called(opened, cls, path, options)
        name = databases.create_database()
        _names.append((databases, name))
        options.pop("executor", None)
        return await _called(opened, cls, databases.dsn(name), options)

    patch.setattr(Journal, "open", classmethod(open_))


async def _called(opened: Any, cls: type[Journal], path: Any, options: dict[str, Any]) -> Journal:
    journal: Journal = await opened.__func__(cls, path, **options)
    return journal


def _die_at_once(patch: pytest.MonkeyPatch) -> None:
    take, held, release = Leases.take, Leases.held, Lease.release
    places: dict[int, str] = {}

    def took(self: Leases, worker: int, db: Any) -> Lease | None:
        lease = take(self, worker, db)
        places[id(lease)] = db.connection.info.dsn
        return lease

    def is_held(self: Leases, worker: int, db: Any) -> bool:
        return (db.connection.info.dsn, worker) not in _dead and held(self, worker, db)

    def released(self: Lease) -> None:
        if id(self) in places:
            _dead.add((places.pop(id(self)), self._worker))
        release(self)

    patch.setattr(Leases, "take", took)
    patch.setattr(Leases, "held", is_held)
    patch.setattr(Lease, "release", released)
    patch.setattr(Lease, "__del__", released, raising=False)
