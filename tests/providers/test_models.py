"""What responses are read into goes out as JSON: by hand, and through FastAPI."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from inspect import getmembers, isclass
from types import ModuleType
from typing import Any

import attrs
import httpx
import msgspec
from fastapi import FastAPI
from pydantic import TypeAdapter

from mailkit.core.call import CallResult
from mailkit.core.model import Model, plain_json
from mailkit.core.secret import Secret
from mailkit.errors import NotSent
from mailkit.providers import devino, sendpulse, smsby
from mailkit.providers.sendpulse import (
    BatchResult,
    Campaign,
    CampaignStatus,
    Contact,
    CreateCampaignResult,
    Statistics,
    StatusCount,
    Variables,
)
from mailkit.providers.smsby import BulkStatus, EmailStatus, SendEmailResult

STATUS = BulkStatus(7, "Autumn", success=(EmailStatus(5, "DELIVERED", None, "a@b.by"),))
STATUS_JSON = {
    "message_id": 7,
    "name": "Autumn",
    "sender_email": None,
    "sender_name": None,
    "success": [
        {
            "email_id": 5,
            "status": "DELIVERED",
            "error": None,
            "email": "a@b.by",
            "recipient": None,
        }
    ],
    "errors": [],
}


def test_a_response_is_ready_for_json() -> None:
    assert STATUS.to_dict() == STATUS_JSON
    campaign = Campaign(
        5,
        status=CampaignStatus.SENT,
        send_date=datetime(2030, 1, 2, 3),
        overdraft_price=Decimal("1.50"),
        statistics=Statistics(general=(StatusCount(99, 3),)),
    ).to_dict()
    assert campaign["status"] == CampaignStatus.SENT.value
    assert (campaign["send_date"], campaign["overdraft_price"]) == ("2030-01-02T03:00:00", "1.50")
    assert campaign["statistics"]["general"] == [{"code": 99, "count": 3, "explain": ""}]
    contact = Contact("a@b.by", variables=Variables({"name": "Anna"})).to_dict()
    assert contact["variables"] == {"name": "Anna"}
    batch = BatchResult(("a@b.by",), {"b@b.by": NotSent("not sent: no network")}).to_dict()
    assert batch == {"done": ["a@b.by"], "failed": {"b@b.by": "not sent: no network"}}
    raw = CallResult(200, {"Set-Cookie": "secret"}, [STATUS])
    assert raw.to_dict() == {"status": 200, "value": [STATUS_JSON]}
    for value in (campaign, contact, batch, raw.to_dict()):
        assert json.loads(json.dumps(value)) == value
    assert plain_json(Secret("token")) == "***"
    assert dict(STATUS)["success"] == STATUS.success


def test_every_value_of_a_response_can_be_shown() -> None:
    """Each class that a provider offers is an argument, a setting, a code, or one of these."""
    others = {
        "ChunkLimits",
        "MessageRecipient",
        "NewContact",
        "PersonalMessage",
        "Stats",
        "Variables",
    }
    for module in (smsby, devino, sendpulse):
        for name, kind in classes(module):
            if attrs.has(kind) or issubclass(kind, msgspec.Struct):
                assert issubclass(kind, Model) is not (name in others or name == "ChunkLimits"), (
                    name
                )


def classes(module: ModuleType) -> list[tuple[str, Any]]:
    return [(name, kind) for name, kind in getmembers(module, isclass) if name in module.__all__]


APP = FastAPI()


@APP.get("/annotated")
async def annotated() -> SendEmailResult:
    return SendEmailResult(5)


@APP.get("/many")
async def many() -> list[BulkStatus]:
    return [STATUS]


@APP.get("/plain", response_model=None)
async def plain() -> Any:
    return [SendEmailResult(5), STATUS, CreateCampaignResult(5, CampaignStatus.SENT)]


async def test_fastapi_returns_responses_as_they_are() -> None:
    transport = httpx.ASGITransport(APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:

        async def get(path: str) -> Any:
            return (await client.get(path)).raise_for_status().json()

        assert await get("/annotated") == {"email_id": 5}
        assert await get("/many") == [STATUS_JSON]
        first, second, third = await get("/plain")
        assert (first, second) == ({"email_id": 5}, STATUS_JSON)
        assert third["status"] == CampaignStatus.SENT.value
        described = json.dumps(await get("/openapi.json"))
    assert '"properties": {"email_id": {}}' in described


def test_a_result_with_its_headers_shows_none_of_them() -> None:
    result = CallResult(200, {"Set-Cookie": "secret"}, SendEmailResult(7))
    shown = {"status": 200, "value": {"email_id": 7}}
    assert result.to_dict() == shown
    assert dict(result) == {"status": 200, "value": SendEmailResult(7)}
    assert TypeAdapter(CallResult).dump_python(result) == shown
