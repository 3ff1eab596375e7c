"""The services' settings can be changed by their names, from other processes too."""

from typing import Any

import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.adjusting import parsed

from .conftest import JsonApi

SETTINGS = "/sandbox/settings"


async def test_other_processes_change_settings(devino: JsonApi, sandbox: Sandbox) -> None:
    changes = {
        "devino.callback_url": "http://shop.by/hook",
        "devino.posting.repeated": 0.2,
        "devino.posting.retries": [60, 600],
        "devino.sender_domains": ["shop.by"],
        "sendpulse.webhook_numbers": "mixed",
        "smsby.balance": "5",
    }
    assert (await devino("POST", SETTINGS, changes)).value == {"set": 6}
    settings = sandbox.devino.settings
    assert settings.callback_url == "http://shop.by/hook"
    assert (settings.posting.repeated, settings.posting.retries) == (0.2, (60, 600))
    assert settings.sender_domains == frozenset({"shop.by"})
    assert sandbox.sendpulse.settings.webhook_numbers == "mixed"
    assert sandbox.smsby.settings.balance == 5
    await devino("POST", SETTINGS, {"devino.callback_url": None})
    assert settings.callback_url is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"acme.url": 1}, "no setting 'acme.url'"),
        ({"devino": {}}, "no setting 'devino'"),
        ({"devino.colour": 1}, "use one of api_key"),
        ({"devino.posting.colour": 1}, "use one of batch"),
        ({"devino.api_key.x": 1}, "no setting 'devino.api_key.x'"),
        ({"devino.posting.batch": "many"}, "devino.posting.batch: "),
        ({"sendpulse.webhook_numbers": "roman"}, "sendpulse.webhook_numbers: "),
        (["devino"], "must be a JSON object"),
    ],
)
async def test_of_changes_with_a_wrong_one_none_is_made(
    changes: Any, words: str, devino: JsonApi, sandbox: Sandbox
) -> None:
    if isinstance(changes, dict):
        changes = {"devino.open_share": 0.5, **changes}
    answer = await devino("POST", SETTINGS, changes)
    assert answer.status == 400
    assert words in answer.value["error"]
    assert sandbox.devino.settings.open_share == 0.2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=1", 1),
        ("a.b=true", True),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=http://shop.by/?x=1", "http://shop.by/?x=1"),
        ("a.b=", ""),
    ],
)
def test_a_setting_may_be_text(text: str, value: object) -> None:
    assert parsed(text) == ("a.b", value)


def test_a_setting_needs_a_value() -> None:
    with pytest.raises(ValueError, match="use NAME=VALUE"):
        parsed("devino.open_share")
