"""Faults on order: what goes wrong, on which requests, and how often.

| kind                 | what the client sees                                     | acted |
|----------------------|----------------------------------------------------------|-------|
| refuse               | connections refused for `seconds`                        | –     |
| reset_before_reading | RST once the headers are in, the body unread             | no    |
| reset_after_reading  | RST after the whole request was read                     | no    |
| reset_after_acting   | RST after the request was carried out                    | yes   |
| slow_before_acting   | carried out, and answered, `seconds` later               | yes   |
| slow_answer          | carried out at once, answered `seconds` later            | yes   |
| slow_headers         | the answer's headers trickle in over `seconds`           | yes   |
| cut_answer           | half of the body under the right length, then the end    | yes   |
| wrong_length         | a Content-Length off by `size` bytes (default -5)        | yes   |
| cut_json             | a complete answer whose JSON breaks off                  | yes   |
| wrong_types          | the right envelope, other types inside `result`          | yes   |
| partial              | lists in another order, a row missing, a strange row     | yes   |
| html_200, empty_200  | HTTP 200 with a page, or with no body                    | yes   |
| gzip_bomb            | a small gzip body of `size` bytes once unpacked          | yes   |
| huge_body            | a body of `size` bytes (100 MB), streamed                | yes   |
| rate_limited         | HTTP 429 with `retry_after` as it stands (None: without) | no    |
| server_error         | HTTP `status` (500), JSON or `html`                      | no    |
| error_envelope       | the service's error at HTTP 200                          | no    |
| token_refused        | the service's answer to a wrong token                    | no    |
| redirect             | HTTP `status` (307) to `location`                        | no    |

Where only the body tells which operation is called (SendPulse's two ways of adding contacts), the
body is read before a fault is chosen, and reset_before_reading comes after that.

`acted` in a fault overrides the last column; for refuse, reset_… and slow_…, where the column is
the point of the kind, it is an error. Seconds are real seconds, whatever the sandbox's clock does.

A fault looks at the requests that match `on`, lets `after` of them pass, and then strikes `times`
times (None: until cleared), each time with `probability`. Of several faults the first added that
can strike does. `refuse` is about connections, which name no operation, and the system refuses
them uncounted: it closes the port once, after the answer to the `after`-th matching request (0:
immediately), ends the idle connections too, and opens the port again `seconds` later (infinity:
when the faults are cleared). A client that holds an idle connection may learn of its end only by
using it, which looks like a lost answer; with `after` the last answer says that it is the last.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from threading import RLock
from types import NoneType
from typing import Literal, get_args

import attrs
from attrs import validators as v

Kind = Literal[
    "refuse",
    "reset_before_reading",
    "reset_after_reading",
    "reset_after_acting",
    "slow_before_acting",
    "slow_answer",
    "slow_headers",
    "cut_answer",
    "wrong_length",
    "cut_json",
    "wrong_types",
    "partial",
    "html_200",
    "empty_200",
    "gzip_bomb",
    "huge_body",
    "rate_limited",
    "server_error",
    "error_envelope",
    "token_refused",
    "redirect",
]
KINDS: frozenset[str] = frozenset(get_args(Kind))
_NOT_ACTED = frozenset(
    {
        "reset_before_reading",
        "reset_after_reading",
        "rate_limited",
        "server_error",
        "error_envelope",
        "token_refused",
        "redirect",
    }
)
_FIXED = ("refuse", "reset_", "slow_")


@attrs.frozen
class Fault:
    """One thing that goes wrong; the module's table says what the kinds mean."""

    kind: Kind = attrs.field(validator=v.in_(KINDS))
    on: str = attrs.field(default="*", validator=v.instance_of(str))
    after: int = attrs.field(default=0, validator=[v.instance_of(int), v.ge(0)])
    times: int | None = attrs.field(
        default=None, validator=v.optional([v.instance_of(int), v.ge(1)])
    )
    probability: float = attrs.field(
        default=1.0, validator=[v.instance_of((int, float)), v.ge(0), v.le(1)]
    )
    seconds: float = attrs.field(default=1.0, validator=[v.instance_of((int, float)), v.ge(0)])
    retry_after: str | float | None = attrs.field(default=1)
    status: int | None = attrs.field(
        default=None, validator=v.optional([v.instance_of(int), v.ge(200), v.le(999)])
    )
    size: int | None = attrs.field(default=None, validator=v.optional(v.instance_of(int)))
    html: bool = attrs.field(default=False, validator=v.instance_of(bool))
    location: str | None = attrs.field(default=None, validator=v.optional(v.instance_of(str)))
    acted: bool | None = attrs.field(default=None, validator=v.optional(v.instance_of(bool)))

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.retry_after, (str, int, float, NoneType)):
            raise TypeError("retry_after must be a text, a number or None")
        if self.acted is not None and self.kind.startswith(_FIXED):
            raise ValueError(f"acted cannot be chosen for {self.kind}")

    @property
    def acts(self) -> bool:
        """Whether the service carries the request out all the same."""
        return self.kind not in _NOT_ACTED if self.acted is None else self.acted

    def matches(self, operation: str) -> bool:
        """Whether the fault is meant for the operation; `smsby.*` means a whole service."""
        if self.on.endswith("*"):
            return operation.startswith(self.on[:-1])
        return self.on == operation


@attrs.define
class _Entry:
    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The faults in force, in the order in which they were added; safe from any thread.

    `operations` are the known ids; `close_port` is called for a `refuse` (real seconds), and
    `open_port` when the faults are cleared.
    """

    def __init__(
        self,
        *,
        operations: Iterable[str] = (),
        chance: Random | None = None,
        lock: "RLock | None" = None,
        close_port: Callable[[float], None] = lambda seconds: None,
        open_port: Callable[[], None] = lambda: None,
    ) -> None:
        self._operations = frozenset(operations)
        self._chance = Random() if chance is None else chance  # noqa: S311 -- no secret
        self._lock = RLock() if lock is None else lock
        self._entries: list[_Entry] = []
        self._close_port = close_port
        self._open_port = open_port
        self.struck: Counter[str] = Counter()
        """How often each kind has struck."""

    def add(self, fault: Fault) -> None:
        """Put a fault in force; an unknown operation raises ValueError."""
        if self._operations and not any(fault.matches(known) for known in self._operations):
            raise ValueError(f"no operation {fault.on!r} in the sandbox")
        if fault.kind == "refuse" and fault.after == 0:
            self.struck["refuse"] += 1
            self._close_port(fault.seconds)
            return
        with self._lock:
            self._entries.append(_Entry(fault))

    def clear(self) -> None:
        """No more faults; a closed port opens again."""
        with self._lock:
            self._entries.clear()
        self._open_port()

    def active(self) -> list[Fault]:
        """The faults that can still strike."""
        with self._lock:
            return [entry.fault for entry in self._entries]

    def take(self, operation: str) -> Fault | None:
        """The fault that strikes this request, if any; every matching fault counts the request."""
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
            chosen.struck += 1
            self.struck[chosen.fault.kind] += 1
            if chosen.fault.kind == "refuse" or chosen.struck == chosen.fault.times:
                self._entries.remove(chosen)
            return chosen.fault

    def _strikes(self, entry: _Entry) -> bool:
        fault = entry.fault
        if fault.kind == "refuse":
            return entry.seen == fault.after
        if entry.seen <= fault.after:
            return False
        return fault.probability >= 1 or self._chance.random() < fault.probability
