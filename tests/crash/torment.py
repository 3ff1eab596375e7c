"""What befalls a PostgreSQL server, and those who send by a journal in it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import LiteralString

import psycopg

from ..postgres.server import Server
from .processes import Forked
from .wire import Wire

__all__ = ["CRASHES", "LAPSES", "LEASE", "Torment"]

LEASE = 1.5
"""Seconds for which a sender counts as alive here, without a word of it."""
CRASHES = ("backends killed", "servers stopped at once", "servers killed")
"""The strikes after which the server recovers from its log."""
LONG, CUT_OFF = "senders stopped for long", "senders cut off from the server"
LAPSES = (LONG, CUT_OFF)
"""The strikes that last for longer than the lease."""
PATIENCE = 60.0
BACKENDS = "FROM pg_stat_activity WHERE application_name = 'mailkit'"


class Torment:
    """Strikes at random, until it is over. ``begin`` starts a sender anew, which reaches the server
    through its wire. ``struck`` counts what was done.
    """

    def __init__(self, server: Server, begin: Callable[[Wire], Forked], senders: int, rng: Random):
        self.struck = Counter[str]()
        self.codes = Counter[int]()
        socket = server.folder / f".s.PGSQL.{server.port}"
        self.wires = [Wire(socket, n) for n in range(senders)]
        self.senders = [begin(wire) for wire in self.wires]
        self._server = server
        self._begin = begin
        self._rng = rng
        self._stopped: dict[Forked, float] = {}
        self._strikes: dict[Callable[[], None], int] = {
            self._kill: 8,
            self._stop: 4,
            self._stop_for_long: 3,
            self._cut_off: 2,
            self._terminate: 3,
            self._cancel: 3,
            self._terminate_all: 1,
            self._kill_backend: 1,
            self._crash_server: 1,
            self._kill_server: 1,
        }

    def until_done(self, pause: float, seconds: float) -> bool:
        """Strike with such a pause between, on average, until a sender finds that nothing is left
        to do; False if that was not in time.
        """
        give_up = time.monotonic() + seconds
        strikes, weights = list(self._strikes), list(self._strikes.values())
        while time.monotonic() < give_up:
            self._wait(self._rng.expovariate(1 / pause))
            if self._start_again():
                return True
            self._rng.choices(strikes, weights)[0]()
        return False

    def calm(self) -> Sequence[str]:
        """Let everybody end by itself; the names of those who did not."""
        for process in self._stopped:
            process.signal(signal.SIGCONT)
        self._stopped.clear()
        give_up, late = time.monotonic() + PATIENCE, list[str]()
        for process in self.senders:
            code = process.wait_at_most(max(give_up - time.monotonic(), 0.0))
            if code is None:
                late.append(f"{process.name} did not end in {PATIENCE:g} s")
            self.codes[process.kill()] += 1
        return late

    def _start_again(self) -> bool:
        """Start who has ended; whether one of them had nothing left to do."""
        done = False
        for n, process in enumerate(self.senders):
            code = process.poll()
            if code is None:
                continue
            self.codes[code] += 1
            self._stopped.pop(process, None)
            done = done or code in (0, 3)
            self.senders[n] = self._begin(self.wires[n])
        return done

    def _wait(self, seconds: float) -> None:
        """Meanwhile those go on whose time has come."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for process, at in list(self._stopped.items()):
                if at <= now:
                    process.signal(signal.SIGCONT)
                    del self._stopped[process]
            time.sleep(min(0.02, until - now))

    # strikes

    def _kill(self) -> None:
        process = self._rng.choice(self.senders)
        process.kill()
        self._count("senders killed")

    def _stop(self) -> None:
        process = self._rng.choice(self.senders)
        self._stop_one(process, self._rng.uniform(0.05, LEASE / 2), "senders stopped")

    def _stop_for_long(self) -> None:
        process = self._rng.choice(self.senders)
        self._stop_one(process, self._rng.uniform(LEASE, 3 * LEASE), LONG)

    def _cut_off(self) -> None:
        self._stop_one(self._rng.choice(self.wires), self._rng.uniform(LEASE, 4 * LEASE), CUT_OFF)

    def _stop_one(self, process: Forked, seconds: float, what: str) -> None:
        process.signal(signal.SIGSTOP)
        self._stopped[process] = time.monotonic() + seconds
        self._count(what)

    def _terminate(self) -> None:
        self._ask(f"SELECT pg_terminate_backend(pid) {BACKENDS} ORDER BY random() LIMIT 1")
        self._count("connections ended")

    def _terminate_all(self) -> None:
        self._ask(f"SELECT pg_terminate_backend(pid) {BACKENDS}")
        self._count("all connections ended")

    def _cancel(self) -> None:
        self._ask(f"SELECT pg_cancel_backend(pid) {BACKENDS} AND state <> 'idle'")
        self._count("statements canceled")

    def _kill_backend(self) -> None:
        found = self._ask(f"SELECT pid {BACKENDS} ORDER BY state = 'active' DESC, random() LIMIT 1")
        for (pid,) in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self._count("backends killed")

    def _crash_server(self) -> None:
        self._server.crash()
        self._server.start()
        self._count("servers stopped at once")

    def _kill_server(self) -> None:
        self._server.kill()
        self._server.start()
        self._count("servers killed")

    def _ask(self, statement: LiteralString) -> list[tuple[int]]:
        """Ask the server, once it has recovered from the last strike."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return self._server.run(statement)
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    def _count(self, what: str) -> None:
        self.struck[what] += 1
