"""Endpoints: each is declared once, next to the function that carries it out.

    @endpoint("sendpulse.tags.update", "PUT /tags/{id}")
    def update(context: Context, params: Params) -> object: ...

`Endpoints` collects those of some modules, and finds them by method and path.
"""

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import unquote

import attrs

Handler = TypeVar("Handler", bound=Callable[..., object])
Handler_co = TypeVar("Handler_co", bound=Callable[..., object], covariant=True)
Match = tuple[str, Mapping[str, str]]
"""The operation, and the decoded parts of the path by their names."""


@attrs.frozen
class Endpoint(Generic[Handler_co]):
    """An operation by its id, its routes ("GET /tags/{id}"), and the function for it.

    `when` is a field and its value in the body: with it, the request is for this operation, without
    it for the other one on the same route. `parameters` is where they are read, for a service in
    which that differs.
    """

    operation: str
    routes: tuple[str, ...]
    handler: Handler_co
    when: tuple[str, str] | None = None
    parameters: Literal["body", "query", "either"] = "body"


def endpoint(
    operation: str,
    *routes: str,
    when: tuple[str, str] | None = None,
    parameters: Literal["body", "query", "either"] = "body",
) -> Callable[[Handler], Endpoint[Handler]]:
    """Declare that a function carries out the operation; the name then means the endpoint."""

    def declare(handler: Handler) -> Endpoint[Handler]:
        return Endpoint(operation, routes, handler, when, parameters)

    return declare


class Endpoints(Generic[Handler]):
    """Endpoints, given one by one or as the modules that declare them."""

    def __init__(self, *sources: ModuleType | Endpoint[Handler]) -> None:
        self._endpoints: dict[str, Endpoint[Handler]] = {}
        self._variants: dict[str, list[Endpoint[Handler]]] = {}
        self.plain: dict[tuple[str, str], Match] = {}
        """The routes without a name in them, by method and path."""
        self._named: dict[tuple[str, int], list[tuple[tuple[str, ...], str]]] = {}
        declared = [
            one
            for source in sources
            for one in ([source] if isinstance(source, Endpoint) else vars(source).values())
            if isinstance(one, Endpoint)
        ]
        for one in declared:
            if self._endpoints.setdefault(one.operation, one) is not one:
                raise ValueError(f"{one.operation} is declared twice")
            if one.when is None:
                for route in one.routes:
                    self._add(route, one.operation)
        for one in declared:
            if one.when is not None:
                default = self.find(*one.routes[0].split(" "))
                if default is None:
                    raise ValueError(f"{one.operation} needs another endpoint on its route")
                self._variants.setdefault(default[0], []).append(one)
        self.undecided = frozenset(self._variants)
        """The operations for which only the body decides whether it is another one."""

    def __iter__(self) -> Iterator[Endpoint[Handler]]:
        return iter(self._endpoints.values())

    def __getitem__(self, operation: str) -> Endpoint[Handler]:
        return self._endpoints[operation]

    def find(self, method: str, path: str) -> Match | None:
        """The operation that a method and a path (percent-encoded) call."""
        found = self.plain.get((method, path))
        if found is not None:
            return found
        parts = tuple(path.split("/")[1:])
        for route, operation in self._named.get((method, len(parts)), ()):
            args: dict[str, str] = {}
            for part, name in zip(parts, route, strict=True):
                if name.startswith("{") and part:
                    args[name[1:-1]] = unquote(part)
                elif part != name:
                    break
            else:
                return operation, args
        return None

    def decide(self, operation: str, body: Mapping[Any, object]) -> str:
        """The operation, or the other one on its route that the body selects."""
        for one in self._variants.get(operation, ()):
            if one.when is not None and body.get(one.when[0]) == one.when[1]:
                return one.operation
        return operation

    def _add(self, route: str, operation: str) -> None:
        method, _, path = route.partition(" ")
        if "{" not in path:
            self.plain[method, path] = (operation, {})
            return
        parts = tuple(path.split("/")[1:])
        routes = self._named.setdefault((method, len(parts)), [])
        routes.append((parts, operation))
        routes.sort(key=lambda one: [part.startswith("{") for part in one[0]])
