"""A misspelled name is an error that says what was meant, in Python and over HTTP."""

import re
from typing import Any

import pytest

from mailkit.sandbox import Fault, Sandbox

from .conftest import JsonApi

MEANT = {
    "smsby.emails.sned": "did you mean smsby.emails.send?",
    "emails.send": "did you mean smsby.emails.send?",
    "messages.send": "did you mean devino.messages.send?",
    "smsby": "did you mean smsby.*?",
    "sms.by.*": "did you mean smsby.*?",
    "zzzz": "use * or a call of devino.*, sendpulse.*, smsby.*",
}


@pytest.mark.parametrize("name", MEANT)
def test_a_call(name: str) -> None:
    sandbox = Sandbox()
    words = re.escape(f"the sandbox has no operation {name!r}: {MEANT[name]}")
    with pytest.raises(ValueError, match=words):
        sandbox.faults.add(Fault("cut_json", on=name))
    with pytest.raises(KeyError, match=words):
        _ = sandbox.requests[name]
    with pytest.raises(KeyError, match=words):
        _ = sandbox.requests.over_quota[name]
    with pytest.raises(KeyError, match=words):
        sandbox.requests.busiest(60, name)
    assert not sandbox.requests


def test_of_names_that_end_alike_a_few_are_named() -> None:
    with pytest.raises(ValueError, match=r"mean (\S+ or ){2}\S+\?"):
        Sandbox().faults.add(Fault("cut_json", on="list"))


def test_an_operation_that_was_not_called_counts_0() -> None:
    sandbox = Sandbox()
    assert sandbox.requests["smsby.emails.send"] == sandbox.requests["unknown"] == 0
    assert sandbox.requests.busiest(60, "smsby.emails.send") == 0


@pytest.mark.parametrize(("name", "meant"), [("sped", "speed"), ("smsbuy", "smsby")])
def test_an_argument(name: str, meant: str) -> None:
    settings: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=rf"no argument '{name}'.*did you mean {meant}\?"):
        Sandbox(**settings)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("devino.callbak_url", "devino.callback_url"),
        ("devino.posting.bach", "devino.posting.batch"),
        ("callback_url", "devino.callback_url"),
        ("smsbuy.token", "smsby.token"),
    ],
)
def test_a_setting(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"no setting '{name}': did you mean {meant}\?"):
        Sandbox().adjust({name: 1})


@pytest.mark.parametrize(
    ("path", "order", "meant"),
    [
        ("faults", {"kind": "reset_after_actng"}, "reset_after_acting"),
        ("faults", {"kind": "cut_json", "on": "smsby.bulk.snd"}, "smsby.bulk.send"),
        ("faults", {"kind": "cut_json", "tims": 1}, "times"),
        ("settings", {"smsby.tokn": "x"}, "smsby.token"),
    ],
)
async def test_another_process_is_told_the_same(
    path: str, order: object, meant: str, devino: JsonApi
) -> None:
    answer = await devino("POST", f"/sandbox/{path}", order)
    assert answer.status == 400
    assert f"did you mean {meant}?" in answer.value["error"]


async def test_a_service(devino: JsonApi) -> None:
    words = "the sandbox has no service 'smby': did you mean smsby?"
    with pytest.raises(ValueError, match=re.escape(words)):
        Sandbox().outcomes(service="smby")
    answer = await devino("GET", "/sandbox/truth/outcomes?service=smby")
    assert (answer.status, answer.value["error"]) == (400, words)


def test_a_fault_shows_what_is_not_as_usual() -> None:
    assert repr(Fault("cut_json")) == "Fault('cut_json')"
    fault = Fault("slow_answer", on="smsby.*", times=1, seconds=2)
    assert repr(fault) == "Fault('slow_answer', on='smsby.*', times=1, seconds=2)"
    assert eval(repr(fault)) == fault
