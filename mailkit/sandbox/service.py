"""A service of the sandbox, and the values that pass between it and the server.

A package adds a service of its own by a subclass of `Service` and an entry point:

    [project.entry-points."mailkit.sandbox"]
    acme = "acme_sandbox:Acme"
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

import attrs

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.delivery import Step
from mailkit.sandbox.endpoints import Endpoints, Match
from mailkit.sandbox.forms import File, Form, parse_form, parse_urlencoded
from mailkit.sandbox.happening import CannotHappen, Course
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.truth import Email, Outcome, Truth

Settings = TypeVar("Settings")

Value = TypeVar("Value")

MAX_FIELDS = 1000
SHOWN = 50
"""The rows of a table of the service's state."""


@attrs.frozen
class Shared:
    """What the services of one sandbox share."""

    clock: Clock
    truth: Truth
    rng: Random


@attrs.frozen
class RawRequest:
    """A request as it came off the socket.

    `args` are the decoded parts of the path, `path` is still percent-encoded, `body` is None if it
    exceeded the body limit.
    """

    operation: str
    args: Mapping[str, str]
    method: str
    path: str
    query: bytes
    content_type: str
    body: bytes | None
    authorization: str = ""


class Backlog(NamedTuple):
    """How many events wait to be taken by a customer, repeats included, and how many are lost."""

    waiting: int
    lost: int


@attrs.frozen
class Request:
    """A request that was parsed: the operation, and the parameters by their places."""

    operation: str
    query: PhpArray = attrs.field(factory=PhpArray)
    form: PhpArray = attrs.field(factory=PhpArray)
    files: tuple[File, ...] = ()
    json: object = None
    args: Mapping[str, str] = attrs.field(factory=dict)
    authorization: str = ""


@attrs.frozen
class Response:
    """HTTP status, a value for JSON, and further headers; whether a quota refused the request."""

    status: int
    value: object
    headers: tuple[tuple[str, str], ...] = ()
    over_quota: bool = False


class Refusal(Exception):
    """The request is refused with `response`, and nothing has been done."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


class PostEnded(Protocol):
    """Is told of a post, when it ended, and whether somebody took it: whether there was a 2xx."""

    def __call__(self, post: "WebhookPost", now: float, *, is_taken: bool) -> None:
        """See above."""
        ...


def _forget(post: "WebhookPost", now: float, *, is_taken: bool) -> None:
    pass


@attrs.frozen
class WebhookPost:
    """A JSON body that a service posts to a customer's own address, for the first time or again.

    `timeout` is in real seconds.
    """

    url: str
    value: object
    attempt: int = 1
    timeout: float = 10.0
    ended: PostEnded = attrs.field(default=_forget, repr=False, eq=False)


@attrs.frozen
class Table:
    """Part of a service's state, for people: the newest rows, and how many rows there are."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    total: int

    @classmethod
    def of(cls, title: str, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Self:
        """A table of a few rows."""
        given = list(rows)
        return cls(title, columns, given, len(given))


def newest(values: dict[Any, Value]) -> list[Value]:
    """The last values of a dict, newest first: as many as a person wants to see."""
    return list(islice(reversed(values.values()), SHOWN))


class Service(ABC, Generic[Settings]):
    """One provider: how its requests are parsed, carried out and refused.

    `settings_type` is its class of settings, all of them optional; `endpoints` its operations;
    `posts_events` is whether it posts what happens to emails to its customers' own addresses.
    """

    settings_type: ClassVar[type]
    endpoints: ClassVar[Endpoints[Any]]
    posts_events: ClassVar[bool] = False

    def __init__(self, shared: Shared, settings: Settings) -> None:
        self.shared = shared
        self.settings = settings

    @property
    def body_limit(self) -> int:
        """The bytes of a body above which the service does not read it."""
        return 32 * 1024 * 1024

    def find(self, method: str, path: str) -> Match | None:
        """The operation that the request calls, if it is one of this service's."""
        return self.endpoints.find(method, path)

    def parse(self, raw: RawRequest) -> Request:
        """Read query and body, a form or JSON; a broken body raises Malformed."""
        query = parse_urlencoded(raw.query, max_fields=MAX_FIELDS)
        form, value = Form(), None
        if raw.body:
            if raw.content_type.partition(";")[0].strip().lower() == "application/json":
                value = read_json(raw.body)
            else:
                form = parse_form(raw.body, raw.content_type, max_fields=MAX_FIELDS)
        operation = self.endpoints.decide(
            raw.operation, value if isinstance(value, dict) else form.fields
        )
        return Request(
            operation, query, form.fields, form.files, value, raw.args, raw.authorization
        )

    @abstractmethod
    def act(self, request: Request) -> Response:
        """Carry out the request; a refusal changes nothing."""

    @abstractmethod
    def malformed(self, reason: str) -> Response:
        """The response to a body that cannot be read."""

    @abstractmethod
    def token_refused(self) -> Response:
        """The response to a wrong credential."""

    @abstractmethod
    def refused(self, text: str) -> Response:
        """An error in the service's commonest form."""

    @abstractmethod
    def environment(self, url: str) -> dict[str, str]:
        """The environment variables that point a client at the sandbox."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the state; settings stay."""

    def tick(self, now: float) -> None:
        """Let happen what is due by now."""

    def due(self) -> float | None:
        """When something happens next by itself, if anything does (sandbox seconds)."""
        return None

    def posts(self, now: float, *, early: bool) -> Sequence[WebhookPost]:
        """Hand out what to post to customers now; `early` does not wait for full batches."""
        return ()

    def backlog(self) -> Backlog:
        """The events for customers that nobody has taken yet, and those that nobody ever will."""
        return Backlog(0, 0)

    def outcomes(self, now: float) -> Iterable[Outcome]:
        """What has become of each email by now, or will have in the end, if now is infinite."""
        return ()

    def course(self, email: Email, now: float) -> Course:
        """The steps of one of its emails with their moments, past and future."""
        return ()

    def happen(self, email: Email, step: Step) -> None:
        """Let one of its emails take this step now, whatever would have happened to it."""
        raise CannotHappen("the service does not follow this message")

    def tables(self, now: float) -> Iterable[Table]:
        """What a person wants to see of its state: lists, campaigns, quotas used."""
        return ()
