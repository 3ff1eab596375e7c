"""The functions of a program that are called for events, each under a name that outlives it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import attrs

from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryEvent, DeliveryStatus, WebhookEvent

__all__ = ["Handler", "Handlers"]

Event = TypeVar("Event", bound=WebhookEvent)
Function = Callable[[Event], Awaitable[object]]
"""An async function that takes an event."""


@attrs.frozen
class Handler:
    """A function and the events that it is called for."""

    name: str
    function: Function[Any]
    kinds: tuple[type[WebhookEvent], ...]
    statuses: frozenset[DeliveryStatus]

    def wants(self, event: WebhookEvent) -> bool:
        """Whether the event is one of them."""
        if isinstance(event, self.kinds):
            return True
        return isinstance(event, DeliveryEvent) and event.status in self.statuses


class Handlers:
    """The handlers by their names."""

    def __init__(self) -> None:
        self._by_name: dict[str, Handler] = {}

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def names(self, event: WebhookEvent) -> Sequence[str]:
        """Those that the event is for."""
        return [handler.name for handler in self if handler.wants(event)]

    def add(
        self,
        function: Function[Any],
        kinds: Sequence[type[WebhookEvent] | DeliveryStatus],
        name: str | None,
    ) -> None:
        """Register a function; InvalidArgument if it can't be called, or not under this name."""
        classes = tuple(kind for kind in kinds if isinstance(kind, type))
        statuses = frozenset(kind for kind in kinds if isinstance(kind, DeliveryStatus))
        right = all(issubclass(kind, WebhookEvent) for kind in classes)
        if not kinds or not right or len(classes) + len(statuses) < len({*kinds}):
            raise InvalidArgument("on: give types of events, or statuses, e.g. DeliveryEvent")
        handler = Handler(_checked(function, name), function, classes, statuses)
        if handler.name in self._by_name:
            raise InvalidArgument(
                f"there is already a handler {handler.name}: give all its events in one "
                "@receiver.on(…), or give this one another name=…"
            )
        self._by_name[handler.name] = handler


def _checked(function: Function[Any], name: str | None) -> str:
    """The handler's name; InvalidArgument if the function can't be awaited, or not be found again
    by its own name.
    """
    call = getattr(function, "__call__", None)  # noqa: B004 - whether that one is async
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)):
        raise InvalidArgument("a handler is an async function: async def …(event)")
    own = getattr(function, "__qualname__", "<lambda>")
    if name is None and "<lambda>" in own:
        raise InvalidArgument("give this handler a name=…: its calls are kept under it")
    return name or f"{function.__module__}.{own}"
