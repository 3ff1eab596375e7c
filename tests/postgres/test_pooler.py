"""The journal behind PgBouncer, where strangers share its connections and may have set anything."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import psycopg
import pytest

from mailkit.bulk.journal import Journal
from mailkit.provider import Sent

from ..bulk.fakes import people
from ..bulk.jobs import planned, take
from .server import USER, Server

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
PORT = 6432
PATIENCE = 10  # seconds

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not on this machine")


@pytest.fixture
def pooled(make_postgres: Callable[..., Server]) -> Iterator[str]:
    """The address of a database whose one connection all clients share, by transactions."""
    assert PROGRAM is not None
    server = make_postgres()
    folder = server.folder / "pooler"
    folder.mkdir()
    settings = folder / "settings"
    settings.write_text(
        f"[databases]\n* = host={server.folder} port={server.port} user={USER}\n"
        f"[pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = {PORT}\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 1\n"
    )
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, user, -1)
        os.chown(settings, user, -1)
    address = f"postgresql://{USER}@/postgres?host={quote(str(folder), '')}&port={PORT}"
    said = subprocess.DEVNULL
    with subprocess.Popen([PROGRAM, settings], user=user, stdout=said, stderr=said) as process:
        try:
            _wait_for(address)
            yield address
        finally:
            process.kill()


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


async def test_a_job_is_sent_from_two_sides_over_one_connection(pooled: str) -> None:
    async with await Journal.open(pooled) as journal, await Journal.open(pooled) as other:
        job = await planned(journal, people(40), chunk=1)
        joined = await other.workers.join(job)

        async def send(side: Journal) -> None:
            mine = job if side is journal else joined
            for n in range(20):  # a statement that came so often would be prepared elsewhere
                taken = await take(side, mine)
                await side.chunks.accept(mine, taken.ticket, 3.0 + n, Sent(None))

        await asyncio.gather(send(journal), send(other))
        assert (await journal.reports.counts(job)).accepted == 40


async def test_what_a_stranger_has_set_does_not_matter(pooled: str) -> None:
    asked = "SELECT current_setting('synchronous_commit')"
    async with await Journal.open(pooled) as journal:
        job = await planned(journal, people(1), chunk=1)
        with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as stranger:
            stranger.execute("SET synchronous_commit = off")
            stranger.execute("SET default_transaction_isolation = 'serializable'")
            found = await journal._db.read(lambda db: db.execute(asked).fetchone())
            assert found == ("off",)  # it is the same connection
            found = await journal._db.write(lambda db: db.execute(asked).fetchone())
            assert found == ("on",)
            taken = await take(journal, job)
            await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
            assert stranger.execute("SHOW synchronous_commit").fetchone() == ("off",)
        assert (await journal.reports.counts(job)).accepted == 1
