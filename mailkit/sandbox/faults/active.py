"""The faults in force."""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from threading import RLock

import attrs

from mailkit.sandbox.faults.fault import Fault
from mailkit.sandbox.nearest import operation_meant


@attrs.define
class _Entry:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The faults in force, in the order in which they were added; safe from any thread.

    Of several that can strike a request the first does, and each that matches counts it. `refuse`
    calls `close_port` (real seconds), and clearing calls `open_port`. `operations` are the known
    ids.
    """

    def __init__(
        self,
        *,
        operations: Iterable[str] = (),
        rng: Random | None = None,
        lock: "RLock | None" = None,
        close_port: Callable[[float], None] = lambda seconds: None,
        open_port: Callable[[], None] = lambda: None,
    ) -> None:
        self._operations = frozenset(operations)
        self._rng = Random() if rng is None else rng  # noqa: S311 -- no secret
        self._lock = RLock() if lock is None else lock
        self._entries: list[_Entry] = []
        self._close_port = close_port
        self._open_port = open_port
        self.struck: Counter[str] = Counter()
        """How often each kind has struck."""

    def add(self, fault: Fault) -> None:
        """Put a fault in force; an unknown operation raises ValueError."""
        __tracebackhide__ = True  # pytest shows the test's own line
        if self._operations and not any(fault.matches(known) for known in self._operations):
            hint = operation_meant(fault.on, self._operations)
            raise ValueError(f"the sandbox has no operation {fault.on!r}: {hint}")
        seconds = fault.effect.closes_port_for
        if seconds is not None and fault.after == 0:
            self.struck[fault.kind] += 1
            self._close_port(seconds)
            return
        with self._lock:
            self._entries.append(_Entry(fault))

    def clear(self) -> None:
        """Remove all faults; a closed port opens again."""
        with self._lock:
            self._entries.clear()
        self._open_port()

    def remove(self, fault: Fault) -> None:
        """Remove one fault, if it is still in force."""
        with self._lock:
            for entry in self._entries:
                if entry.fault == fault:
                    self._entries.remove(entry)
                    return

    def active(self) -> list[Fault]:
        """The faults that can still strike."""
        return [fault for fault, _ in self.strikes()]

    def strikes(self) -> list[tuple[Fault, int]]:
        """The same, each with how often it has struck."""
        with self._lock:
            return [(entry.fault, entry.struck) for entry in self._entries]

    def take(self, operation: str) -> Fault | None:
        """The fault that strikes this request, if any."""
        if not self._entries:
            return None
        with self._lock:
            chosen: _Entry | None = None
            for entry in self._entries:
                if not entry.fault.matches(operation):
                    continue
                entry.seen += 1
                if chosen is None and self._strikes(entry):
                    chosen = entry
            if chosen is None:
                return None
            fault = chosen.fault
            chosen.struck += 1
            self.struck[fault.kind] += 1
            if fault.effect.closes_port_for is not None or chosen.struck == fault.times:
                self._entries.remove(chosen)
            return fault

    def _strikes(self, entry: _Entry) -> bool:
        fault = entry.fault
        if fault.effect.closes_port_for is not None:
            return entry.seen == fault.after
        if entry.seen <= fault.after:
            return False
        return fault.probability >= 1 or self._rng.random() < fault.probability
