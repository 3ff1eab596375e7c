"""Stop a process at the nth of its system calls that change or lock a file, or send a request.

Only on Linux, through ptrace; no other program is needed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable
from enum import IntEnum

import attrs

from .processes import Forked, run_child

__all__ = ["TRACEABLE", "Traced"]

TRACEABLE = sys.platform == "linux" and platform.machine() == "x86_64"


class _Call(IntEnum):
    """What SQLite and a request make; numbers of x86-64."""

    FCNTL = 72
    FSYNC = 74
    FDATASYNC = 75
    FTRUNCATE = 77
    PWRITE = 18
    SENDTO = 44
    SENDMSG = 46
    FLOCK = 73
    UNLINK = 87
    OPENAT = 257


_NUMBERS = frozenset(_Call)
_TRACEME, _SYSCALL, _SET_OPTIONS, _SYSCALL_INFO = 0, 24, 0x4200, 0x420E
_SYSGOOD, _CLONE, _EXIT_KILL = 1, 8, 0x100000
_WALL = 0x40000000
_ENTRY = 1
_AT_CALL = signal.SIGTRAP | 0x80


class _Info(ctypes.Structure):
    """struct ptrace_syscall_info, as far as the entry of a call needs it."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64),
        ("stack", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, pid, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_libc = ctypes.CDLL(None, use_errno=True)
if TRACEABLE:
    _libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    _libc.ptrace.restype = ctypes.c_long


@attrs.define
class Traced:
    """A forked process under the eye of this one, all of its threads included.

    ``beside`` is the only other child that this process may have meanwhile.
    """

    pid: int
    calls: int = 0
    last: str = ""
    beside: Forked | None = None
    _stopped: int | None = None

    @classmethod
    def start(cls, work: Callable[[], int]) -> Traced:
        """Fork; the process waits for ``run``."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            run_child(parent, work)
        os.waitpid(pid, 0)
        _ptrace(_SET_OPTIONS, pid, 0, _SYSGOOD | _CLONE | _EXIT_KILL)
        _ptrace(_SYSCALL, pid)
        return cls(pid)

    def run(self, nth: int) -> int | None:
        """Run until the ``nth`` such call is about to be made, and leave the process stopped there;
        or until it ends, which returns its exit code.
        """
        if self._stopped is not None:
            _go_on(self._stopped)
            self._stopped = None
        while True:
            pid, status = self._next()
            if _ended(status):
                if pid == self.pid:
                    return os.waitstatus_to_exitcode(status)
                continue
            number = os.WSTOPSIG(status)
            if number == _AT_CALL and self._counts(pid):
                self.calls += 1
                if self.calls == nth:
                    self._stopped = pid
                    return None
            _go_on(pid, 0 if number in (_AT_CALL, signal.SIGTRAP, signal.SIGSTOP) else number)

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        while True:
            pid, status = self._next()
            if not _ended(status):
                _go_on(pid)
            elif pid == self.pid:
                return

    def _next(self) -> tuple[int, int]:
        while True:
            pid, status = os.waitpid(-1, _WALL)
            if self.beside is None or pid != self.beside.pid:
                return pid, status
            self.beside.code = os.waitstatus_to_exitcode(status)

    def _counts(self, pid: int) -> bool:
        info = _Info()
        _ptrace(_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        if info.op != _ENTRY or info.number not in _NUMBERS:
            return False
        self.last = _Call(info.number).name.lower()
        return True


def _ended(status: int) -> bool:
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)


def _go_on(pid: int, number: int = 0) -> None:
    try:
        _ptrace(_SYSCALL, pid, 0, number)
    except OSError as error:
        if error.errno != errno.ESRCH:  # it was killed meanwhile
            raise
