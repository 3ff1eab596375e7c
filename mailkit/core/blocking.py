"""A client for code without ``async``, such as a script: it runs in its own event loop, in its own
thread.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from inspect import isawaitable
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mailkit.core.call import Resource
from mailkit.core.client import Client
from mailkit.errors import InvalidArgument

__all__ = ["blocking"]

_END = object()


@contextmanager
def blocking(make: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[Any]:
    """A client whose calls block until they are done, closed at the end of the block.

        with blocking(SmsBy.from_env) as smsby:
            sent = smsby.emails.send(sender=…, to="a@b.by", subject="Hi", html="<p>…")

    ``make`` creates the client. Arguments, results and errors are the same as with ``await``;
    ``for`` replaces ``async for``. Several threads may share one; a forked process creates its own.
    """
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(make()) as client:
        yield _Blocking(client, portal, os.getpid())


class _Blocking:
    """A client or a resource, whose calls block instead of being awaited."""

    def __init__(self, inner: Any, portal: BlockingPortal, process: int) -> None:
        self._inner = inner
        self._portal = portal
        self._process = process

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
        async def carry_out(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            result = function(*args, **kwargs)
            return await result if isawaitable(result) else result

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._shown(self._run(carry_out, args, kwargs))

        for name in ("__name__", "__qualname__", "__doc__", "__signature__"):
            if hasattr(function, name):
                setattr(call, name, getattr(function, name))
        return call

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._process != os.getpid():  # which has the thread no more
            raise InvalidArgument("this process was forked: create a new client in it")
        return self._portal.call(function, *args)

    def _shown(self, value: Any) -> Any:
        if isinstance(value, Client | Resource):
            return _Blocking(value, self._portal, self._process)
        return self._each(value) if isinstance(value, AsyncIterator) else value

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, _END)

        while (item := self._run(following)) is not _END:
            yield item
