"""The requests that arrived: how many of each operation and when, and the last ones in full."""

from array import array
from collections import Counter, deque
from collections.abc import Iterable

import attrs

from mailkit.sandbox.nearest import operation_meant
from mailkit.sandbox.php import PhpArray, plain
from mailkit.sandbox.service import RawRequest, Request

MAX_BYTES = 32 * 1024 * 1024


@attrs.frozen
class RecordedRequest:
    """A request as the service read it."""

    method: str
    path: str
    operation: str
    content_type: str
    query: PhpArray
    form: PhpArray
    files: tuple[tuple[str, str, int], ...]
    """Field, file name and size of each upload."""
    json: object = None
    authorization: str = ""

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        return f"<RecordedRequest {self.method} {self.path}, {self.operation}>"

    @property
    def params(self) -> dict[str, object]:
        """Query, form and JSON object together, with lists where the keys count from 0."""
        both = {**self.query, **self.form}
        params = {str(name): plain(value) for name, value in both.items()}
        return params | self.json if isinstance(self.json, dict) else params


class Counts(Counter[str]):
    """Counts by operation; with `operations`, asking for another one raises KeyError."""

    def __init__(self, operations: Iterable[str] = ()) -> None:
        super().__init__()
        self._operations = frozenset(operations)

    def __missing__(self, operation: str) -> int:
        __tracebackhide__ = True  # pytest shows the test's own line
        if self._operations and operation not in self._operations:
            hint = operation_meant(operation, self._operations)
            raise KeyError(f"the sandbox has no operation {operation!r}: {hint}")
        return 0


class RequestLog(Counts):
    """The number of requests by operation id; `last` holds the newest ones, oldest first.

    A request counts when its headers are in, whatever happens next. `last` is bounded by number,
    and by the bytes of their bodies. `arrivals` has the sandbox's time of each, `over_quota` how
    many of each operation a quota of the service refused. All raise KeyError for an operation that
    is none of `operations`.
    """

    def __init__(self, *, keep: int = 32, operations: Iterable[str] = ()) -> None:
        super().__init__(operations)
        self.last: deque[RecordedRequest] = deque(maxlen=keep)
        self._sizes: deque[int] = deque(maxlen=keep)
        self.arrivals: dict[str, array[float]] = {}
        self.over_quota = Counts(self._operations)

    def count(self, operation: str, at: float) -> None:
        """Count a request that arrived."""
        self[operation] += 1
        times = self.arrivals.get(operation)
        if times is None:
            times = self.arrivals[operation] = array("d")
        times.append(at)

    def busiest(self, seconds: float, *operations: str) -> int:
        """The most requests that arrived within any `seconds`: of these operations, or of all."""
        chosen = [one for one in operations or self if self[one]]
        times = sorted(at for one in chosen for at in self.arrivals[one])
        first = most = 0
        for last, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def keep(self, raw: RawRequest, call: Request) -> None:
        """Remember a request that was read."""
        files = tuple((file.field, file.name, len(file.data)) for file in call.files)
        recorded = RecordedRequest(
            raw.method,
            raw.path,
            call.operation,
            raw.content_type,
            call.query,
            call.form,
            files,
            call.json,
            raw.authorization,
        )
        self.last.append(recorded)
        self._sizes.append(len(raw.body or b""))
        while len(self._sizes) > 1 and sum(self._sizes) > MAX_BYTES:
            self.last.popleft()
            self._sizes.popleft()

    def clear(self) -> None:
        """Start from zero."""
        super().clear()
        self.arrivals.clear()
        self.over_quota.clear()
        self.last.clear()
        self._sizes.clear()
