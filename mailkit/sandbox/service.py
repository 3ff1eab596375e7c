"""What the server asks of a service, and the values that pass between them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray


@attrs.frozen
class Raw:
    """A request as it came off the socket; `body` is None if it exceeded the body limit.

    `path` is still percent-encoded.
    """

    operation: str
    method: str
    path: str
    query: bytes
    content_type: str
    body: bytes | None
    authorization: str = ""


@attrs.frozen
class Call:
    """A request that was read: the operation, and the parameters where they stood."""

    operation: str
    query: PhpArray = attrs.field(factory=PhpArray)
    form: PhpArray = attrs.field(factory=PhpArray)
    files: tuple[File, ...] = ()
    json: object = None
    args: Mapping[str, str] = attrs.field(factory=dict)
    """What stood in the path, decoded."""
    authorization: str = ""


@attrs.frozen
class Post:
    """A JSON body that a service sends to a customer's own address."""

    url: str
    value: object


@attrs.frozen
class Reply:
    """An answer: HTTP status, a value for JSON, and further headers."""

    status: int
    value: object
    headers: tuple[tuple[str, str], ...] = ()


class Service(Protocol):
    """One provider."""

    @property
    def operations(self) -> frozenset[str]:
        """The ids of its operations, as in the catalogue."""
        ...

    @property
    def body_limit(self) -> int:
        """The bytes of a body above which the service does not read it."""
        ...

    @property
    def undecided(self) -> frozenset[str]:
        """The operations for which only the body tells whether it is another one."""
        ...

    def find(self, method: str, path: str) -> str | None:
        """The operation that the request calls, if it is one of this service's."""
        ...

    def parse(self, raw: Raw) -> Call:
        """Read the parameters; a broken body raises Malformed."""
        ...

    def malformed(self, reason: str) -> Reply:
        """The answer to a body that cannot be read."""
        ...

    def act(self, call: Call) -> Reply:
        """Do what is asked, and say so."""
        ...

    def token_refused(self) -> Reply:
        """The answer to a wrong credential."""
        ...

    def refused(self, text: str) -> Reply:
        """An error in the service's commonest shape."""
        ...

    def environment(self, url: str) -> dict[str, str]:
        """The variables that point a client at the sandbox."""
        ...

    def reset(self) -> None:
        """Forget the state; settings stay."""
        ...

    def tick(self, now: float) -> None:
        """Let happen what has become due by itself."""
        ...

    def due(self) -> float | None:
        """When something happens next by itself, if anything does (sandbox seconds)."""
        ...

    def posts(self, now: float, *, early: bool) -> Sequence[Post]:
        """Hand out what is to be sent to customers now; `early` does not wait for full batches."""
        ...


class Still:
    """The part of a service in which nothing happens by itself."""

    undecided: frozenset[str] = frozenset()

    def tick(self, now: float) -> None:
        """Nothing becomes due."""

    def due(self) -> float | None:
        """Never."""
        return None

    def posts(self, now: float, *, early: bool) -> Sequence[Post]:
        """Nothing to send."""
        return ()
