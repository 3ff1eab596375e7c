"""The services' settings can be changed by their names, from other processes too."""

from copy import deepcopy
from typing import Any

import pytest

from mailkit.sandbox import DevinoSettings, Posting, Sandbox
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
        ({"devino.posting": {"colour": 1}}, "no setting 'devino.posting.colour'"),
        ({"devino.posting": 7}, "devino.posting must be a JSON object of batch, every, "),
        ({"devino.posting": {"every": 1, "late": 7}}, "devino.posting.late must be a number from"),
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


WORDS = {
    "devino.posting.batch=many": "a whole number of 1 or more, not 'many'",
    "devino.posting.batch=0": "a whole number of 1 or more, not 0",
    "sendpulse.posting.repeated=2": "a number from 0 to 1, not 2",
    "sendpulse.sent_at_once=-0.1": "a number from 0 to 1, not -0.1",
    "sendpulse.sending=-1": "a number of 0 or more, not -1",
    "sendpulse.balance=nan": "a number of 0 or more, not 'nan'",
    "sendpulse.webhook_numbers=roman": "documented, text, number or mixed, not 'roman'",
    "sendpulse.loading_status=7": "4 or 5, not 7",
    "sendpulse.timezone=Moon": "the name of a time zone, such as Europe/Minsk, not 'Moon'",
    "sendpulse.timezone=America": "the name of a time zone, such as Europe/Minsk, not 'America'",
    "sendpulse.variable_name=[": "a regular expression, not '['",
    "sendpulse.tariff_status=99": "a whole number from 200 to 999, not 99",
    "smsby.balance=much": "a whole number of 0 or more (or null), not 'much'",
    "smsby.requests_per_second=0": "a number above 0 (or null), not 0",
    "smsby.strict=maybe": "true or false, not 'maybe'",
    "smsby.token=true": "text in quotes, not true",
    "smsby.waiting_states=x": "a JSON list of 2 items, each text in quotes, not 'x'",
    "devino.posting.retries=[-1]": "a JSON list, each item a number of 0 or more, not [-1]",
    "devino.callback_url=abc": "a URL that begins with http:// or https:// (or null), not 'abc'",
}


@pytest.mark.parametrize("text", WORDS)
async def test_a_wrong_value_is_told_what_is_right(
    text: str, devino: JsonApi, sandbox: Sandbox
) -> None:
    name, value = parsed(text)
    before = deepcopy([one.settings for one in sandbox.services.values()])
    answer = await devino("POST", SETTINGS, {name: value})
    assert answer.value == {"error": f"{name} must be {WORDS[text]}"}
    assert [one.settings for one in sandbox.services.values()] == before


async def test_of_an_object_each_setting_is_changed(devino: JsonApi, sandbox: Sandbox) -> None:
    posting = sandbox.devino.settings.posting
    changes = {"devino.posting": {"batch": 5, "late": 0.5}, "devino.posting.every": 7}
    assert (await devino("POST", SETTINGS, changes)).status == 200
    assert posting == Posting(batch=5, late=0.5, every=7)


def test_python_is_told_the_same() -> None:
    with pytest.raises(ValueError, match=r"^repeated must be a number from 0 to 1, not 2$"):
        Posting(repeated=2)
    settings = DevinoSettings(posting=Posting(retries=(60, 600)))
    with pytest.raises(ValueError, match=r"^late_by must be a number of 0 or more, not 'x'$"):
        settings.posting.late_by = "x"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="posting"):
        settings.posting = None  # type: ignore[assignment]
    assert settings == DevinoSettings(posting=Posting(retries=(60, 600)))


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
