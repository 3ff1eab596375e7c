"""What holds for the webhooks of every provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import msgspec
from hypothesis import strategies as st

from mailkit.errors import InvalidArgument
from mailkit.events import WebhookEvent

Parse = Callable[[bytes], Sequence[WebhookEvent]]

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["ann@shop.by", "Ann@ПРИМЕР.бел", "1767225600", 1767225600, 1767225600000])
)
_VALUES = st.recursive(
    _SCALARS, lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=5
)


def bodies(good: Mapping[str, object], names: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Bytes, and JSON more or less like a webhook's: keys of a good item, odd values."""
    keys = st.sampled_from([*good, *map(str.upper, good), "other"]) | st.text()
    odd = st.dictionaries(keys, st.sampled_from(names) | _VALUES, max_size=4)
    item = odd.map(lambda changes: {**good, **changes}) | odd
    tree = item | st.lists(item, max_size=3) | st.lists(item | _SCALARS, max_size=3) | _VALUES
    return st.binary() | tree.map(json.dumps).map(str.encode)


def check(parse: Parse, body: bytes) -> None:
    """Whatever comes is events or InvalidArgument; and an event's original is the event again."""
    try:
        events = parse(body)
    except InvalidArgument:
        return
    for event in events:
        assert event.at is None or event.at.utcoffset() is not None
        for original in (json.dumps(event.raw).encode(), msgspec.json.encode(event.raw)):
            [again] = parse(original)
            assert again == event
            assert again.identity == event.identity
