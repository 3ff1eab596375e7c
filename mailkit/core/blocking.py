"""A client for code without ``async``, such as a script: it runs in its own event loop, in its own
thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack
from inspect import isawaitable, iscoroutine
from types import TracebackType
from typing import Any

from anyio import CancelScope
from anyio.from_thread import BlockingPortal, start_blocking_portal

from mailkit.core.call import Resource
from mailkit.core.client import Client
from mailkit.errors import InvalidArgument
from mailkit.text import with_article

__all__ = ["blocking"]

_END = object()
_LOOK_SECONDS = 5.0  # that a cancelled call may take to say what it did


def blocking(make: Callable[[], Client]) -> AbstractContextManager[Any]:
    """A client whose calls block until they are done, closed at the end of the block.

        with blocking(SmsBy.from_env) as smsby:
            sent = smsby.emails.send(sender=…, to="a@b.by", subject="Hi", html="<p>…")

    ``make`` creates the client. Arguments, results and errors are the same as with ``await``;
    ``for`` replaces ``async for``. Several threads may share one; the block ends after their
    calls. A forked process creates its own. Ctrl-C cancels the call: a note on the
    KeyboardInterrupt says whether anything may have been sent.
    """
    if isinstance(make, Client):
        kind = type(make).__name__
        raise InvalidArgument(
            f"give a function that creates the client: blocking(lambda: {kind}(…))"
        )
    if not callable(make):
        raise InvalidArgument("give a function that creates the client: blocking(SmsBy.from_env)")
    return _Block(make)


class _Block(AbstractContextManager[Any]):
    """A block, or one after the other, each with a client of its own."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._thread: _Thread | None = None

    def __enter__(self) -> Any:
        if self._thread is not None:
            raise InvalidArgument("this block has been entered: call blocking() for another one")
        client: object = self._make()
        if iscoroutine(client):
            client.close()
        if not isinstance(client, Client):
            raise InvalidArgument(
                f"blocking is for clients: use {with_article(type(client).__name__)} in an async "
                "function, and asyncio.run that"
            )
        self._thread = _Thread(client)
        return _Blocking(client, self._thread)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise InvalidArgument(f"{name}: use the client in its block: with blocking(…) as client")


class _Thread:
    """The thread whose event loop carries out the calls of the others."""

    def __init__(self, client: Client) -> None:
        self._process = os.getpid()
        self._calls: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._ended = False
        with ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(client))
            self._stack = stack.pop_all()
        # What is never ended must end while threads still run, or the interpreter waits for it.
        atexit.register(self.end, None, None, None)

    def end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client, once the calls of other threads have ended; not if this one failed."""
        if self._process != os.getpid():
            return  # a forked process leaves what is not its own
        atexit.unregister(self.end)
        with self._lock:
            self._ended = True
            calls = [*self._calls]
        try:
            if error is None:
                wait(calls)
        finally:
            self._stack.__exit__(kind, error, trace)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns, or what it returns is awaited for."""
        if self._process != os.getpid():  # which has the thread no more
            raise InvalidArgument("this process was forked: create a new client in it")
        notes: list[str] = []
        scopes: list[CancelScope] = []
        interrupted, over = threading.Event(), threading.Event()

        async def carry_out() -> Any:
            with CancelScope() as scope:
                scopes.append(scope)
                if interrupted.is_set():
                    scope.cancel()
                try:
                    result = function(*args)
                    return await result if isawaitable(result) else result
                except asyncio.CancelledError as error:
                    notes.extend(getattr(error, "__notes__", ()))
                    raise
                finally:
                    over.set()

        # Ctrl-C may come at any moment from here on, before the future has a name too.
        future: Future[Any] | None = None
        try:
            with self._lock:
                if self._ended:
                    raise InvalidArgument("the client's block has ended: create another client")
                future = self._portal.start_task_soon(carry_out)
                self._calls.add(future)
            return future.result()
        except KeyboardInterrupt as error:
            interrupted.set()
            for scope in scopes:
                self._portal.start_task_soon(scope.cancel)
            over.wait(_LOOK_SECONDS)
            for note in notes or ["the call had ended: check there for what it did"]:
                error.add_note(note)
            raise
        finally:
            if future is not None:
                self._calls.discard(future)


class _Blocking:
    """A client or a resource, whose calls block instead of being awaited."""

    def __init__(self, inner: Any, thread: _Thread) -> None:
        self._inner = inner
        self._thread = thread

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return self._shown(found)
        call: Any = self._blocking(found)
        raw = getattr(found, "raw", None)
        if raw is not None:
            call.raw = self._blocking(raw)
        return call

    def __dir__(self) -> list[str]:
        return dir(self._inner)

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"

    def _blocking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._shown(self._thread.run(lambda: function(*args, **kwargs)))

        for name in ("__name__", "__qualname__", "__doc__", "__signature__"):
            if hasattr(function, name):
                setattr(call, name, getattr(function, name))
        return call

    def _shown(self, value: Any) -> Any:
        if isinstance(value, Client | Resource):
            return _Blocking(value, self._thread)
        return self._each(value) if isinstance(value, AsyncIterator) else value

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        while (item := self._thread.run(anext, items, _END)) is not _END:
            yield item
