"""Modules that run in processes of their own, forked from one that has imported what they need: a
start takes milliseconds.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pickle
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

__all__ = ["ROOT", "hear_signals", "start"]

ROOT = Path(__file__).parents[1]
PRELOADED = ("mailkit.cli.app", "mailkit.sandbox.server", "tests.bulk.jobs", "tests.core.doubles")
_NUMBER = struct.Struct("q")
_READ_AT_START = {"PYTHONIOENCODING", "PYTHONDEVMODE", "COVERAGE_PROCESS_CONFIG"}
"""Settings of Python that a fork comes too late for."""


def hear_signals() -> None:
    """A shell starts what it is to run in the background, or under nohup, with signals ignored, and
    all its children inherit that. Those of this process hear them; this one hears Ctrl-C.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            is_ctrl_c = number == signal.SIGINT
            # A handler is not inherited.
            signal.signal(number, signal.default_int_handler if is_ctrl_c else _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def start(
    module: str,
    *words: str | Path,
    constants: Mapping[str, object] | None = None,
    **options: Any,
) -> subprocess.Popen[Any]:
    """``python -m module`` with these words, and the options of ``subprocess.Popen``; where a fork
    is not as good as a start, it is one. ``constants`` are others than the program's, by their full
    names; they are for the sake of speed alone, since a start knows nothing of them.
    """
    environment = options.get("env") or os.environ
    if sys.platform == "win32" or _READ_AT_START & environment.keys():
        return subprocess.Popen([sys.executable, "-m", module, *words], **options)
    return _Forked([module, *map(str, words)], constants or {}, **options)


class _Forked(subprocess.Popen[Any]):
    _status: int | None = None

    def __init__(self, words: list[str], constants: Mapping[str, object], **options: Any) -> None:
        self._constants = dict(constants)
        super().__init__(words, **options)

    def _execute_child(self, *given: Any) -> None:
        words, _, _, _, _, folder, environment, *_ = given
        pipes = given[10:16]
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        order = {
            "words": words,
            "environment": dict(os.environ) if environment is None else environment,
            "folder": str(Path.cwd() if folder is None else folder),
            "constants": self._constants,
        }
        request = pickle.dumps(order)
        streams = enumerate((pipes[0], pipes[3], pipes[5]))
        inner = [number if stream == -1 else stream for number, stream in streams]
        socket.send_fds(self._connection, [_NUMBER.pack(len(request))], inner)
        self._connection.sendall(request)
        self.pid = _received(self._connection)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if self._status is None:
            if flags & os.WNOHANG and not select.select([self._connection], [], [], 0)[0]:
                return 0, 0
            self._status = _received(self._connection)
            self._connection.close()
        return self.pid, self._status

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


@cache
def _server() -> str:
    """The address of this test process's own server, which ends with it."""
    folder = tempfile.mkdtemp()
    address = f"{folder}/server"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forking", str(listening.fileno())],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            env={**own, "PYTHONWARNINGS": "error"},
            pass_fds=[listening.fileno()],
        )

    def end() -> None:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
        Path(address).unlink()
        Path(folder).rmdir()

    atexit.register(end)
    return address


def _received(connection: socket.socket) -> int:
    number: int = _NUMBER.unpack(connection.recv(_NUMBER.size, socket.MSG_WAITALL))[0]
    return number


def _serve(listening: socket.socket) -> None:
    """Fork for every connection, until nobody holds the other end of stdin."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> NoReturn:
    """Fork the process, and tell how it ends."""
    head, streams, _, _ = socket.recv_fds(connection, _NUMBER.size, 3)
    request = connection.recv(_NUMBER.unpack(head)[0], socket.MSG_WAITALL)
    process = os.fork()
    if process == 0:
        connection.close()
        _run(streams, **pickle.loads(request))
    for stream in streams:
        os.close(stream)
    connection.sendall(_NUMBER.pack(process))
    connection.sendall(_NUMBER.pack(os.waitpid(process, 0)[1]))
    os._exit(0)


def _run(
    streams: list[int],
    words: list[str],
    environment: dict[str, str],
    folder: str,
    constants: dict[str, object],
) -> NoReturn:
    """The module, as if Python had just been started for it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for name, value in constants.items():
        place, _, constant = name.rpartition(".")
        setattr(importlib.import_module(place), constant, value)
    module, *sys.argv[1:] = words
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc]  # noqa: SIM115
        2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    for name in PRELOADED:
        importlib.import_module(name)
    _serve(socket.socket(fileno=int(sys.argv[1])))
