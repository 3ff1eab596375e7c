"""The short way to write a call, beside the general one: the same bytes, the same errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailkit.core.auth import Credential
from mailkit.core.call import Call, arg, post
from mailkit.core.codec import CallCodec, _pairs, build_exchange
from mailkit.core.forms import Fields, urlencoded
from mailkit.core.frames import clear_frames
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument

FORMAT = WireFormat()


def shout(value: str, wire_format: WireFormat) -> object:
    if value == "no":
        raise InvalidArgument("louder: not this one")
    return value.upper() if len(value) % 2 else [value, None, {"x": 1.5}]


def both(value: str, wire_format: WireFormat) -> Mapping[str, object]:
    return {"one part": value, "many[]": [value, value], "none": None, "ёж": len(value)}


def shared(value: str, wire_format: WireFormat) -> Mapping[str, object]:
    return Fields({"a name": value, "ёж": f"{value}!"})


@post("/form", repeatable=False, body="form", fixed={"action": "a b", "list": [1, True]})
class Form(Call[None], kw_only=True):
    """Has fields of every kind."""

    text: str
    louder: str = arg(wire="L d'é", write=shout)
    parts: str = arg(expand=both)
    pair: str | None = arg(default=None, expand=shared)
    number: int | None = None
    rows: Any = None
    flags: Any = arg(default=None, wire="flags[]")


@post("/json", repeatable=False, fixed={"action": "a"})
class Json(Call[None], kw_only=True):
    """The same fields as JSON."""

    text: str
    louder: str = arg(wire="L", write=shout)
    parts: str = arg(expand=both)
    rows: Any = None


sound = st.text(max_size=600) | st.sampled_from(["", "a@b.by", "no", "a" * 600, "Ж" * 300])
texts = sound | st.just("\ud800")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def outcome(write: Callable[[], Any]) -> Any:
    try:
        return write()
    except InvalidArgument as error:
        return InvalidArgument, str(error)


def codec_of(call: Call[Any]) -> CallCodec:
    return build_exchange(call, "x", FORMAT, "https://h", Credential({})).codec


KNOWN = codec_of(Form(text="a", louder="b", parts="c"))


@given(st.builds(Form, text=sound, louder=st.just("b"), parts=st.just("c"), rows=values))
def test_a_value_of_any_shape_is_written_as_in_the_general_way(call: Form) -> None:
    short = outcome(lambda: KNOWN.write_text(call, FORMAT))
    parts = (KNOWN.query, KNOWN.body)
    assert short == outcome(lambda: urlencoded(_pairs(call, KNOWN, FORMAT, parts)))


@given(
    st.builds(
        Form,
        text=st.just("a"),
        louder=sound,
        parts=texts,
        pair=st.none() | texts,
        number=st.none() | st.integers(),
        flags=st.none() | st.lists(st.booleans(), max_size=3),
    )
)
def test_converted_values_are_written_as_in_the_general_way(call: Form) -> None:
    assume(not call.parts == call.pair == "\ud800")  # which is named first does not matter
    short = outcome(lambda: KNOWN.write_text(call, FORMAT))
    parts = (KNOWN.query, KNOWN.body)
    assert short == outcome(lambda: urlencoded(_pairs(call, KNOWN, FORMAT, parts)))


@given(sound.filter(lambda text: text != "no"), st.text(max_size=9))
def test_json_has_each_field_under_its_name(louder: str, parts: str) -> None:
    call = Json(text="a", louder=louder, parts=parts, rows=[1, "b", {"c": None}])
    request = build_exchange(call, "x", FORMAT, "https://h", Credential({})).request
    assert msgspec.json.decode(request.body or b"") == {
        "text": "a",
        "L": shout(louder, FORMAT),
        **both(parts, FORMAT),
        "rows": [1, "b", {"c": None}],
        "action": "a",
    }


def test_a_traceback_shows_the_line_and_no_value() -> None:
    with pytest.raises(InvalidArgument, match="not this one") as caught:
        codec_of(Form(text="secret words", louder="no", parts="c"))
    generated = [
        (frame, line)
        for (frame, _), line in zip(
            traceback.walk_tb(caught.value.__traceback__),
            traceback.extract_tb(caught.value.__traceback__),
            strict=True,
        )
        if "generated" in line.filename
    ]
    assert [line.line for _, line in generated] == ["value = write_1(value, wire_format)"]
    assert __name__ in generated[0][1].filename
    clear_frames(caught.value)
    assert generated[0][0].f_locals == {}
