"""Every row of the catalogue is spoken: the method of that name sends the row's method, path,
encoding and parameters, and reads its example into a typed value without loss.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from aioresponses import CallbackResult, aioresponses

from mailkit.core.call import Bound
from mailkit.providers.sendpulse import SendPulse, Variables

from .arguments import ARGUMENTS

CATALOGUE = json.loads((Path(__file__).parents[2] / "catalogue.json").read_text("utf-8"))
ROWS = [row for row in CATALOGUE["operations"] if row["service"] == "sendpulse"]
URL = "https://service.test"
BEYOND = {"tags", "user"}


def _names(row: Mapping[str, Any], place: str) -> set[str]:
    usual = "query" if row.get("body", "none") == "none" else "body"
    return {one["name"] for one in row.get("params", ()) if one.get("in", usual) == place}


def _fields(url: Any, data: bytes | None, kind: str) -> tuple[set[str], set[str], str]:
    query = {key.partition("[")[0] for key in url.query}
    if data is None:
        return query, set(), "none"
    if kind == "application/json":
        return query, set(json.loads(data)), "json"
    pairs = [part.partition("=")[0] for part in data.decode("ascii").split("&")]
    return query, {re.split(r"\[|%5B", key)[0] for key in pairs}, "form"


def _method(client: SendPulse, row_id: str) -> Bound[..., Any]:
    _, resource, name = row_id.split(".")
    method = getattr(getattr(client, resource), name)
    assert isinstance(method, Bound)
    return method


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
async def test_a_row_of_the_catalogue_is_spoken(row: dict[str, Any], wire: aioresponses) -> None:
    said: tuple[set[str], set[str]] = (set(), set())
    for args, kwargs in ARGUMENTS[row["id"]]:
        seen: list[tuple[str, set[str], set[str], str]] = []

        def answer(url: Any, *, seen: list[Any] = seen, **request: Any) -> CallbackResult:
            headers = request["headers"]
            assert headers["Authorization"] == "Bearer KEY"
            kind = headers.get("Content-Type", "")
            seen.append((url.raw_path, *_fields(url, request["data"], kind)))
            return CallbackResult(body=json.dumps(row["response_example"]))

        wire.add(re.compile(re.escape(URL)), row["method"], callback=answer)
        async with SendPulse(api_key="KEY", url=URL, zone="Europe/Minsk") as client:
            value = await _method(client, row["id"])(*args, **kwargs)
        ((path, query, body, encoding),) = seen
        full = row["path"] + ("/[^/]+" if args and row["id"].endswith("balance.get") else "")
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", full), path)
        assert encoding == row.get("body", "none")
        said[0].update(query)
        said[1].update(body)
        _nothing_lost(row["id"], value, row["response_example"])
    assert said == (_names(row, "query"), _names(row, "body"))


def _nothing_lost(row_id: str, value: Any, example: Any) -> None:
    """Every text and number of the example is in the value, unless it says nothing but yes."""
    if value is None or row_id.endswith(("remove_contacts", "unsubscribe")):
        assert (
            example is None
            or row_id.endswith(("edit", "code", "activate"))
            or (set(example) <= {"result"} or example.get("data") == [True])
        )
        return
    read = {str(one).removesuffix(" 00:00:00") for one in _leaves(_plain(value))}
    if isinstance(example, dict):  # what only says that the answer is a yes
        example = {key: one for key, one in example.items() if key not in ("result", "success")}
    assert read >= {str(one) for one in _leaves(example) if one not in ("", None)}


def _plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return {
            field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))
        }
    if isinstance(value, Variables):
        return [*value, *value.values(), *value.types.values()]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for one in tree.values() for leaf in _leaves(one)]
    if isinstance(tree, list):
        return [leaf for one in tree for leaf in _leaves(one)]
    return [int(tree)] if isinstance(tree, int) else [tree]  # yes can be a 1


def test_no_method_stands_outside_the_catalogue_but_tags_and_the_user() -> None:
    found = {
        f"sendpulse.{resource}.{name}"
        for resource, kind in vars(SendPulse).items()
        if hasattr(kind, "cls") and resource not in BEYOND
        for name, method in vars(kind.cls).items()
        if hasattr(method, "route")
    }
    assert found == {row["id"] for row in ROWS} == set(ARGUMENTS)
    assert len(ROWS) == 54
