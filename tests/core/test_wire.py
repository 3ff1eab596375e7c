"""A body that is taken for JSON is JSON as a whole, and no key in it stands twice."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.wire import Unclear, Unreadable, check_json


class Twice(Exception):
    """A key stands twice."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Twice
    return dict(pairs)


def expected(body: bytes) -> type[Exception] | None:
    try:
        json.loads(body.decode(), object_pairs_hook=once)
    except Twice:
        return Unclear
    except ValueError:
        return Unreadable
    return None


def found(body: bytes) -> type[Exception] | None:
    try:
        check_json(body)
    except Unreadable as error:
        return type(error)
    return None


def written(tree: Any, *, spaces: bool) -> str:
    """As JSON; a list of pairs becomes an object, with whatever keys they have."""
    joint = ", " if spaces else ","
    if isinstance(tree, tuple):
        return f"[{joint.join(written(one, spaces=spaces) for one in tree)}]"
    if isinstance(tree, list):
        pairs = [f"{json.dumps(key)}:{written(one, spaces=spaces)}" for key, one in tree]
        return f"{{{joint.join(pairs)}}}"
    return json.dumps(tree, ensure_ascii=spaces)


keys = st.sampled_from(["status", "result", "é", "a/b", ""])
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(st.tuples(keys, inner), max_size=4) | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


@given(trees, st.booleans())
def test_a_body_of_json(tree: Any, spaces: bool) -> None:
    body = written(tree, spaces=spaces).encode(errors="replace")
    assert found(body) is expected(body)


@given(trees, st.integers(0, 40), st.sampled_from([b"", b"x", b"}", b",", b"\xff", b'"', b" "]))
def test_a_body_that_is_damaged(tree: Any, at: int, piece: bytes) -> None:
    whole = written(tree, spaces=False).encode(errors="replace")
    body = whole[:at] + piece + whole[at + 1 :]
    assert found(body) is expected(body)
