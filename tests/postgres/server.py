"""A PostgreSQL server of the tests' own, which can be stopped, killed, copied and promoted.

with Server() as server:
    journal = await Journal.open(server.dsn(server.create_database()))
    server.kill()
    server.start()
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from psycopg.sql import SQL, Identifier, Literal

from .binaries import programs
from .databases import Databases

__all__ = ["USER", "Server"]

USER = "mailkit"
SETTINGS = {
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # in its folder, so that kill -9 leaves none behind
    "max_wal_senders": "10",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}
ROOM = 1_000_000_000  # bytes
PATIENCE = 60  # seconds


class Server(Databases):
    """A server in a new folder, not started yet. ``with Server() as server:`` starts it, and at the
    end stops it and removes the folder.

    It listens on a Unix socket and, with ``tcp=True``, on 127.0.0.1. Its user ``mailkit`` may do
    anything, without a password.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        tcp: bool = False,
        on_disk: bool = False,
    ) -> None:
        folder = _folder(on_disk=on_disk)
        try:
            self._attach(folder, _free_port() if tcp else 5432, tcp=tcp)
            options = "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C", "-U", USER
            self._call("initdb", *options, "-D", self._data)
            self._write(SETTINGS | dict(settings or {}))
        except BaseException:
            shutil.rmtree(folder)
            raise

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The server that another process has made in this folder."""
        server = cls.__new__(cls)
        server._attach(folder, 5432, tcp=False)
        return server

    def _attach(self, folder: Path, port: int, *, tcp: bool) -> None:
        super().__init__(f"postgresql://{USER}@/postgres?host={quote(str(folder), '')}&port={port}")
        self.folder, self.port, self.tcp = folder, port, tcp
        self._data = folder / "data"
        self._standbys: list[Server] = []
        self._programs = _usable(folder)

    # Its life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.remove()

    def start(self) -> None:
        """Start it, after a crash too, and wait until it takes connections."""
        listens = "127.0.0.1" if self.tcp else ""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses='{listens}'"
        with self._alive(wait=False) as alive:
            os.set_inheritable(alive, True)
            log = self.folder / "log"
            words = "start", "-w", "-t", str(PATIENCE), "-l", log, "-o", options, "-D", self._data
            self._call("pg_ctl", *words, pass_fds=[alive])

    def stop(self) -> None:
        """Stop it: transactions under way are rolled back, and connections closed."""
        self._stop("fast")

    def crash(self) -> None:
        """Stop it at once, without a checkpoint: the next start recovers from the log."""
        self._stop("immediate")

    def kill(self) -> None:
        """kill -9 of its first process; the others notice, and have ended on return."""
        os.kill(self.pid, signal.SIGKILL)
        self._gone()
        # A killed process keeps its number until its parent asks for it, which not every machine's
        # first process does; the next server would take it for alive.
        lock = self._data / "postmaster.pid"
        _, segment = lock.read_text().splitlines()[6].split()
        subprocess.run(["ipcrm", "-m", segment], check=True)
        lock.unlink()
        (self.folder / f".s.PGSQL.{self.port}.lock").unlink()

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it and its standbys, if they run, and remove their folders."""
        for standby in self._standbys:
            standby.remove()
        if self.running:
            self.crash()
        shutil.rmtree(self.folder)

    @property
    def running(self) -> bool:
        """Whether any of its processes lives."""
        try:
            with self._alive(wait=False):
                return False
        except BlockingIOError:
            return True

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def dsn(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """The address of this database, over the Unix socket or 127.0.0.1."""
        if not tcp:
            return super().dsn(database)
        assert self.tcp, "Server(tcp=True)"
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings while it runs, and wait until new connections have them."""
        [(before,)] = self.run("SELECT pg_conf_load_time()")
        for name, value in settings.items():
            self.run(SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), Literal(value)))
        self.run("SELECT pg_reload_conf()")
        self._until(lambda: self.run("SELECT pg_conf_load_time()") > [(before,)])

    # Copies of its files

    def copy_files(self) -> Path:
        """Stop it, copy its files, and start it again; where the copy is."""
        self.stop()
        copy = Path(tempfile.mkdtemp(prefix="copy-", dir=self.folder)) / "data"
        shutil.copytree(self._data, copy)
        self.start()
        return copy

    def put_back(self, copy: Path) -> None:
        """Stop it, and start it with these files instead of its own."""
        self.stop()
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)
        for path in (self._data, *self._data.rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, _nobody().pw_uid, _nobody().pw_gid)
        self.start()

    # Its standby

    def standby(self, *, synchronous: bool = False) -> Server:
        """A new server, started, that follows this one over a stream. A commit on this one waits
        for a synchronous standby to have written it.
        """
        standby = type(self).__new__(type(self))
        standby._attach(_folder(), _free_port() if self.tcp else 5432, tcp=self.tcp)
        try:
            name = standby.folder.name
            origin = f"host={self.folder} port={self.port} user={USER} application_name={name}"
            words = "-R", "-X", "stream", "-c", "fast", "--no-sync"
            self._call("pg_basebackup", *words, "-d", origin, "-D", standby._data)
            standby.start()
            if synchronous:
                self.configure({"synchronous_standby_names": f'"{name}"'})
            wanted = "sync" if synchronous else "async"
            follows = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
            self._until(
                lambda: (wanted,) in self.run(f"{follows} AND application_name = %s", [name])
            )
        except BaseException:
            standby.remove()
            raise
        self._standbys.append(standby)
        return standby

    def cut_off(self) -> None:
        """Let this standby follow nobody any longer: what is committed from now on it never has."""
        self.configure({"primary_conninfo": ""})
        self._until(lambda: not self.run("SELECT pid FROM pg_stat_wal_receiver"))

    def promote(self) -> None:
        """Make this standby a server of its own, that takes writes."""
        self._call("pg_ctl", "promote", "-w", "-t", str(PATIENCE), "-D", self._data)

    # How

    def _stop(self, mode: str) -> None:
        self._call("pg_ctl", "stop", "-w", "-t", str(PATIENCE), "-m", mode, "-D", self._data)
        self._gone()

    @contextmanager
    def _alive(self, *, wait: bool) -> Iterator[int]:
        """A lock that every process of the server inherits: it is free when all have ended."""
        with (self.folder / "alive").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file.fileno()

    def _gone(self) -> None:
        with self._alive(wait=True):
            pass

    def _write(self, settings: Mapping[str, str]) -> None:
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def _call(self, program: str, *words: str | Path, pass_fds: list[int] | None = None) -> None:
        command = [self._programs / program, *words]
        with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in the server
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                pass_fds=pass_fds or (),
                start_new_session=True,  # Ctrl-C is for the tests, which then end it
                **_identity(),
            ).returncode
            if code:
                said.seek(0)
                log = self.folder / "log"
                tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(f"{program} ended with {code}: {said.read()}\n{tail}")

    def _until(self, done: Callable[[], bool]) -> None:
        """Another process's state can only be asked for."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL in {self.folder} did not get there")
            time.sleep(0.005)


def _identity() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; so it runs as nobody."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": _nobody().pw_gid, "extra_groups": []}


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _folder(*, on_disk: bool = False) -> Path:
    """A new folder with a short path, since a socket's has 107 bytes at most; in memory if there is
    room, unless it is to be on disk.
    """
    memory = Path("/dev/shm")
    has_room = not on_disk and memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="mailkit-pg-", dir=memory if has_room else "/tmp"))
    if os.geteuid() == 0:
        os.chown(folder, _nobody().pw_uid, _nobody().pw_gid)
    return folder


def _usable(folder: Path) -> Path:
    """The programs, where nobody can run them: below /root, for example, a copy is made."""
    found = programs()
    try:
        subprocess.run([found / "postgres", "--version"], stdout=subprocess.DEVNULL, **_identity())
    except PermissionError:
        package, copy = found.parents[1], folder / "programs"
        if not copy.exists():
            shutil.copytree(package, copy / package.name)
            libraries = f"{package.name}.libs"  # next to the package, where its programs look
            shutil.copytree(package.with_name(libraries), copy / libraries)
        return copy / package.name / found.relative_to(package)
    return found


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
