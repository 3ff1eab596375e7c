"""The quick ``__init__`` of a call's class, beside that of attrs."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from mailkit.core.call import Call, arg, post
from mailkit.core.frames import clear_frames
from mailkit.errors import InvalidArgument


@post("/letters", repeatable=False)
class Send(Call[None]):
    """Has arguments by place, with and without a default, and a look at all of them together."""

    to: str
    names: Sequence[str] = ()
    weight: float | None = arg(default=None)

    def __attrs_post_init__(self) -> None:
        if self.to in self.names:
            raise InvalidArgument("to: among the names")


@post("/parcels", repeatable=False)
class Parcel(Call[None], kw_only=True):
    """Has a field that is made anew for each, so its ``__init__`` stays that of attrs."""

    to: str
    labels: dict[str, str] = attrs.field(factory=dict[str, str])


def made(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    try:
        call: Any = Send(*args, **kwargs)
        return attrs.astuple(call, recurse=False)
    except (InvalidArgument, TypeError) as error:
        return type(error), str(error)


def test_the_first_call_and_all_others_are_made_alike() -> None:
    signature, first = inspect.signature(Send), Send.__init__
    ways: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("a",), {}),
        (("a", ["b"], 2), {}),
        (("a",), {"weight": 2.5, "names": {"b": 1}.keys()}),
        (("a", ["a"]), {}),
        ((7,), {}),
        (("a", "b"), {}),
        ((), {}),
        (("a",), {"size": 1}),
    ]
    try:
        before = []
        for args, kwargs in ways:
            Send.__init__ = first  # type: ignore[method-assign]
            before.append(made(*args, **kwargs))
        assert before[0] == ("a", (), None)
        Send("a")
        assert Send.__init__ is not first
        for (args, kwargs), same in zip(ways, before, strict=True):
            assert made(*args, **kwargs) == same
    finally:
        Send("a")
    assert inspect.signature(Send) == signature
    call: Any = Send("a")
    assert attrs.evolve(call, weight=1) == Send("a", weight=1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Send("a").to = "b"  # type: ignore[misc]


def test_a_field_that_is_made_anew_is_one_s_own() -> None:
    given = Parcel.__init__
    first, second = Parcel(to="a"), Parcel(to="a")
    assert first.labels is not second.labels
    assert Parcel.__init__ is given


def test_no_value_stays_in_a_frame() -> None:
    Send("a")
    with pytest.raises(InvalidArgument) as caught:
        Send("a", names=["a"])
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    lines = traceback.extract_tb(caught.value.__traceback__)
    assert "generated" in lines[1].filename
    assert lines[1].line == "then(self)"
    clear_frames(caught.value)
    assert frames[1].f_locals == {}
