"""A fault that is ordered: a kind with its parameters, and the requests that it strikes."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Self

import attrs

from mailkit.sandbox.faults import bodies, connections, delays, refusals
from mailkit.sandbox.faults.kind import FaultKind
from mailkit.sandbox.jsons import json_or_text
from mailkit.sandbox.nearest import meant
from mailkit.sandbox.values import Count, Positive, Share, typed


def _kinds(*families: ModuleType) -> Mapping[str, type[FaultKind]]:
    return {
        one.name: one
        for family in families
        for one in vars(family).values()
        if isinstance(one, type) and issubclass(one, FaultKind) and one is not FaultKind
    }


KINDS = _kinds(connections, delays, bodies, refusals)
_COMMON = ("on", "after", "times", "probability", "acted")


@attrs.frozen(init=False, field_transformer=typed)
class Fault:
    """One thing that goes wrong.

    kind, parameters: what goes wrong, with the kind's own parameters; a wrong one is an error.
    on: the operation that it strikes; `smsby.*` strikes a whole service, `*` everything.
    after: how many of these requests pass before.
    times: how many it strikes; None for all, until the faults are cleared.
    probability: of striking each of them.
    acted: whether the service carries out the request all the same, where the kind leaves a choice.

    `refuse` is about connections, which name no operation: it closes the port once, after the
    response to the `after`-th matching request (0: immediately), and ends the idle connections.
    A client may notice the end of an idle connection only by using it, which looks like a lost
    response; with `after`, the last response announces it.
    """

    kind: str
    on: str
    after: Count
    times: Positive | None
    probability: Share
    acted: bool | None
    effect: FaultKind

    def __init__(
        self,
        /,
        kind: str,
        *,
        on: str = "*",
        after: int = 0,
        times: int | None = None,
        probability: float = 1.0,
        acted: bool | None = None,
        **parameters: object,
    ) -> None:
        __tracebackhide__ = True  # pytest shows the test's own line
        found = KINDS.get(str(kind))
        if found is None:
            hint = meant(str(kind), KINDS, f"choose from {', '.join(KINDS)}")
            raise ValueError(f"there is no fault {kind!r}: {hint}")
        known = {field.name for field in attrs.fields(found)}
        for name in parameters.keys() - known:
            takes = ", ".join(sorted(known)) or "no parameters of its own"
            hint = meant(name, [*_COMMON, *known], f"it takes {takes}")
            raise TypeError(f"the fault {kind} has no parameter {name!r}: {hint}")
        if acted is not None and not found.can_choose:
            raise ValueError(f"acted cannot be chosen for the fault {kind}")
        effect = found(**parameters)
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] -- made by attrs
            kind, on, after, times, probability, acted, effect
        )

    @classmethod
    def of(cls, order: object) -> Self:
        """The fault in a JSON object, as `asdict` writes it; ValueError or TypeError says what is
        wrong with it.
        """
        if not isinstance(order, dict) or "kind" not in order:
            raise ValueError(
                'a fault must be a JSON object with its kind, such as {"kind": "cut_json"}'
            )
        return cls(**order)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A fault written as `kind` or `kind:name=value,name=value`."""
        kind, _, rest = text.partition(":")
        fields: dict[str, object] = {"kind": kind}
        for pair in filter(None, rest.split(",")):
            name, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(f"{pair!r} in a fault is not name=value")
            if name in fields:
                raise ValueError(f"a fault has one {name}, not two")
            fields[name] = json_or_text(value)
        return cls.of(fields)

    @property
    def acts(self) -> bool:
        """Whether the service carries the request out all the same."""
        return self.effect.acts if self.acted is None else self.acted

    def matches(self, operation: str) -> bool:
        """Whether the fault is meant for the operation; `smsby.*` means a whole service."""
        if self.on.endswith("*"):
            return operation.startswith(self.on[:-1])
        return self.on == operation

    def __repr__(self) -> str:
        """The kind, and what is not as usual."""
        usual = Fault(self.kind).asdict()
        changed = {name: one for name, one in self.asdict().items() if one != usual[name]}
        given = [f"{name}={one!r}" for name, one in changed.items()]
        return f"Fault({', '.join([repr(self.kind), *given])})"

    def asdict(self) -> dict[str, object]:
        """The arguments that make the same fault."""
        fields = attrs.asdict(self, filter=lambda field, _: field.name != "effect")
        return fields | attrs.asdict(self.effect)


@attrs.frozen
class Description:
    """A kind of fault for people: what the client sees, whether the service acts, and the
    parameters with their defaults.
    """

    help: str
    acts: bool
    parameters: Mapping[str, Any]


def describe() -> dict[str, Description]:
    """All kinds of faults by their names."""
    return {
        name: Description((kind.__doc__ or "").strip(), kind.acts, attrs.asdict(kind()))
        for name, kind in KINDS.items()
    }
