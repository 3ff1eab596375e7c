"""The sandbox against the list of operations that the providers' pages describe."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import Fault, Sandbox
from mailkit.sandbox.service import Service

OPERATIONS = json.loads(
    (Path(__file__).parent.parent / "catalogue.json").read_text(encoding="utf-8")
)["operations"]


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row["id"])
def test_every_operation_stands_under_its_method_and_path(row: dict[str, Any]) -> None:
    sandbox = Sandbox()
    path = re.sub(r"\{\w+\}", "1", row["path"])
    services: dict[str, Service] = {
        "smsby": sandbox.smsby,
        "sendpulse": sandbox.sendpulse,
        "devino": sandbox.devino,
    }
    service = services[row["service"]]
    assert row["id"] in service.operations
    found = service.find(row["method"], path)
    assert found == row["id"].removesuffix("_double_opt_in")
    assert service.find("TRACE", path) is None
    sandbox.faults.add(Fault("cut_json", on=row["id"]))
