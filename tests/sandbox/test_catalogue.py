"""The sandbox against the list of operations that the providers' pages describe."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import Fault, Sandbox

OPERATIONS = json.loads(
    (Path(__file__).parent.parent / "catalogue.json").read_text(encoding="utf-8")
)["operations"]
BEYOND = ("sendpulse.auth.", "sendpulse.tags.", "sendpulse.user.")
"""What SendPulse publishes besides the pages of the catalogue."""


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row["id"])
def test_every_operation_is_served_at_its_method_and_path(row: dict[str, Any]) -> None:
    sandbox = Sandbox()
    path = re.sub(r"\{\w+\}", "1", row["path"])
    service = sandbox.services[row["service"]]
    declared = [re.sub(r"\{\w+\}", "1", one) for one in service.endpoints[row["id"]].routes]
    assert f"{row['method']} {path.removesuffix('/')}" in declared
    found = service.find(row["method"], path)
    assert found is not None
    assert found[0] == row["id"].removesuffix("_double_opt_in")
    assert service.find("TRACE", path) is None
    sandbox.faults.add(Fault("cut_json", on=row["id"]))


def test_nothing_else_is_served() -> None:
    services = Sandbox().services
    served = {one.operation for service in services.values() for one in service.endpoints}
    more = {one for one in served if one.startswith(BEYOND)}
    assert served - more == {row["id"] for row in OPERATIONS}
    assert set(services) == {row["service"] for row in OPERATIONS}
