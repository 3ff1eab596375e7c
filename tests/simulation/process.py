"""Processes of a made-up world: tasks of one event loop that die together."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from mailkit.errors import MailkitError

if TYPE_CHECKING:
    from .loop import SimulatedLoop

__all__ = ["Died", "Process", "current"]


class Died(Exception):
    """The process is dead: nothing it still tries has an effect."""


_CURRENT: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


def current() -> Process:
    """The process whose code this is."""
    return _CURRENT.get()


def process_of(context: contextvars.Context | None) -> Process | None:
    """The process that a new task belongs to, in this context or the one it is made in."""
    return _CURRENT.get(None) if context is None else context.get(_CURRENT)


class Process:
    """One process. It dies at a commit of its own, told in advance, or by ``die``."""

    def __init__(self, loop: SimulatedLoop, name: str) -> None:
        self.name = name
        self.alive = True
        self.commits = 0
        self.dies_at = 0
        self.before = False
        self.failure: BaseException | None = None
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin to run; its end is ``failure``, if it failed otherwise than it may."""
        context = contextvars.copy_context()
        context.run(_CURRENT.set, self)
        task = self._loop.create_task(self._run(work), context=context)
        task.add_done_callback(lambda _: work.close())  # it may have died before it began
        return task

    def dies(self, commit: int, *, before: bool) -> None:
        """Have it die at its nth commit from now on, before it or right after."""
        self.dies_at = self.commits + commit
        self.before = before

    def die(self) -> None:
        """kill -9."""
        self.alive = False
        for task in self._loop.tasks(self):
            task.cancel()

    async def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            result = await work
        except (Died, MailkitError, asyncio.CancelledError):
            return None
        except BaseException as error:
            self.failure = error
            raise
        return result
