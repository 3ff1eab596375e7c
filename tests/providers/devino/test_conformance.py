"""Every row of the catalogue is spoken, and the page's own example travels word for word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mailkit.core.call import Bound
from mailkit.providers.devino import Devino, MessageRecipient, MessagesSent, UploadedFile

from .arguments import ARGUMENTS
from .doubles import Service, answer, devino

CATALOGUE = json.loads((Path(__file__).parents[2] / "catalogue.json").read_text("utf-8"))
ROWS = {row["id"]: row for row in CATALOGUE["operations"] if row["service"] == "devino"}
SEND, UPLOAD = "devino.messages.send", "devino.files.upload"


async def spoken(row: dict[str, Any]) -> tuple[Service, Any]:
    """What the method of the row's name sends, and what it reads in the row's example."""
    service = Service(answer(row["response_example"]))
    _, resource, name = row["id"].split(".")
    method = getattr(getattr(devino(service), resource), name)
    assert isinstance(method, Bound)
    args, kwargs = ARGUMENTS[row["id"]]
    return service, await method(*args, **kwargs)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
async def test_a_row_goes_to_its_place_with_all_its_parameters(row: dict[str, Any]) -> None:
    service, _ = await spoken(row)
    [request] = service.requests
    url = urlsplit(request.url)
    assert (request.verb, url.path) == (row["method"], row["path"])
    query = dict(parse_qsl(url.query))
    body = service.letters[0].keys() if service.letters else {"file"}
    assert {one["name"] for one in row["params"]} == {*query, *body}
    assert query.keys() == {one["name"] for one in row["params"] if one.get("in") == "query"}


async def test_the_page_s_answers_are_read_whole() -> None:
    _, sent = await spoken(ROWS[SEND])
    _, uploaded = await spoken(ROWS[UPLOAD])
    assert isinstance(sent, MessagesSent)
    assert isinstance(uploaded, UploadedFile)
    example = ROWS[SEND]["response_example"]["result"]
    assert example == [
        {"index": one.index, "address": one.address, "messageId": one.message_id}
        for one in sent.accepted
    ]
    example = ROWS[UPLOAD]["response_example"]["result"]
    assert example == {"fileId": uploaded.file_id, "publicUrl": uploaded.public_url}


async def test_the_page_s_request_travels_word_for_word() -> None:
    service = Service()
    await devino(service).messages.send(
        recipients=[MessageRecipient("james@jamesmail.ru", merge_fields={"Name": "James"})],
        sender="TestShop <info@test.com>",
        subject="Test message",
        html="<p>[Name], Welcome!</p>[Unsubscribe]",
        attachment_ids=["312e628f-65dc-4d1d-a12e-64d86b6c06ca.png"],
        check_unsubscription=True,
    )
    assert service.letters == [ROWS[SEND]["request_example"]]


def test_no_method_stands_outside_the_catalogue() -> None:
    found = {
        f"devino.{resource}.{name}"
        for resource, kind in vars(Devino).items()
        if hasattr(kind, "cls")
        for name, method in vars(kind.cls).items()
        if hasattr(method, "route")
    }
    assert found == ROWS.keys() == ARGUMENTS.keys()
