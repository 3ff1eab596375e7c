"""Workers in processes of their own, and one journal in PostgreSQL that they share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, LiteralString, Self

import attrs
import psycopg

from .. import forking
from ..cli.shop import EAGER, PLAIN, SEND, Process, Shop, end_of

__all__ = ["SEND", "Cluster"]

CONSTANTS = {
    **EAGER,
    "mailkit.bulk.journal.leases.LEASE": 1.0,
    "mailkit.bulk.journal.leases.REQUEST_SECONDS": 0.5,
    "mailkit.bulk.journal.postgres.store.BEAT": 0.1,
    "mailkit.cluster.sweep.STALLED_SECONDS": 2.0,
    "mailkit.cluster.task.SWEEP": "* * * * * *",
    "mailkit.cluster.task._AGAIN": (0.05, 0.15),
    "mailkit.cluster.task.PLANNED_SECONDS": 0.1,
    "mailkit.cluster.worker.BEAT_SECONDS": 0.1,
    "mailkit.cluster.worker.POLL_SECONDS": 0.1,
    "mailkit.cluster.worker.CLOSING_SECONDS": 1.0,
    "mailkit.cluster.worker.GRACE_SECONDS": 2.0,
    "mailkit.bulk.journal.postgres.store.CLOSING_SECONDS": 1.0,
}
"""Workers of the tests look more often than others, and are taken for dead sooner."""
PATIENCE = 100


@attrs.define
class Cluster:
    """``shop`` has the list, the letter and the sandbox; ``work`` starts a worker."""

    shop: Shop
    dsn: str
    _workers: list[Process] = attrs.field(factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for process in self._workers:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def work(self, *words: str, environment: Mapping[str, str] | None = None) -> Process:
        """A worker; ``environment`` has what is not as usual."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
        process = forking.start(
            "mailkit",
            "worker",
            *words,
            constants=CONSTANTS,
            stdin=-3,
            stdout=-1,
            stderr=-1,
            text=True,
            encoding="utf-8",
            env={**own, **self.shop.environment, **(environment or {})},
        )
        self._workers.append(process)
        return process

    def detach(
        self,
        rows: int,
        *words: str,
        provider: str = "smsby",
        name: str = "autumn",
        html: str = "<p>Hello</p>",
    ) -> None:
        """``mailkit send --detach`` to so many customers."""
        ended = self.shop(
            "send",
            self.shop.letter(**{**PLAIN, "html": html}),
            self.shop.customers(rows),
            "--provider",
            provider,
            "--name",
            name,
            "--detach",
            *words,
        )
        assert (ended.code, ended.err) == (0, "")
        assert "mailkit status" in ended.out

    def ask(self, statement: LiteralString, *values: object) -> Any:
        """The one value that the query gives."""
        with psycopg.connect(self.dsn, autocommit=True) as db:
            found = db.execute(statement, values).fetchone()
            assert found is not None
            return found[0]

    def chunks(self, state: str, job: str = "autumn") -> int:
        """How many chunks of the job are in this state."""
        found: int = self.ask(
            "SELECT count(*) FROM chunks WHERE state = %s"
            " AND job = (SELECT id FROM jobs WHERE name = %s)",
            state,
            job,
        )
        return found

    def ended(self, job: str = "autumn") -> bool:
        """Whether the job is planned, and all its chunks are accepted."""
        found: bool = self.ask(
            "SELECT count(*) > 0 AND bool_and(state = 'accepted') FROM chunks"
            " WHERE job = (SELECT id FROM jobs WHERE name = %s AND state = 'planned')",
            job,
        )
        return bool(found)

    def orders(self, task: str, status: str) -> int:
        """How many orders to Procrastinate are in this state."""
        found: int = self.ask(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status::text = %s",
            f"mailkit:{task}",
            status,
        )
        return found

    def senders(self) -> int:
        """How many processes have taken a chunk."""
        found: int = self.ask(
            "SELECT count(DISTINCT process) FROM chunks JOIN workers ON workers.id = worker"
        )
        return found

    def until(self, condition: Callable[[], object], *workers: Process) -> None:
        """Wait until the condition holds; a worker that ends before is a failure."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            for process in workers:
                assert process.poll() is None, end_of(process)
            assert time.monotonic() < deadline, "this never happened"
            time.sleep(0.02)
