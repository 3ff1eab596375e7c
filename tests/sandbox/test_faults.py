from random import Random
from typing import Any

import pytest

from mailkit.sandbox.faults import KINDS, Fault, Faults, describe
from mailkit.sandbox.faults.distort import STRANGER, partial, wrong_types


def strikes(faults: Faults, *operations: str) -> list[str]:
    return [fault.kind if (fault := faults.take(one)) else "" for one in operations]


def test_a_fault_skips_some_requests_and_strikes_so_often() -> None:
    faults = Faults()
    faults.add(Fault("cut_json", on="a.send", after=2, times=2))
    assert strikes(faults, "a.send", "b.send", "a.send", "a.send", "a.send", "a.send") == [
        "",
        "",
        "",
        "cut_json",
        "cut_json",
        "",
    ]
    assert faults.active() == []
    assert faults.struck == {"cut_json": 2}


def test_without_times_it_strikes_for_ever() -> None:
    faults = Faults()
    faults.add(Fault("cut_json"))
    assert strikes(faults, *["a"] * 50) == ["cut_json"] * 50
    faults.clear()
    assert faults.take("a") is None


def test_the_first_added_strikes_and_all_of_them_count() -> None:
    faults = Faults()
    faults.add(Fault("cut_json", times=1))
    faults.add(Fault("html_200", after=1, times=1))
    assert strikes(faults, "a", "a", "a") == ["cut_json", "html_200", ""]


def test_a_star_at_the_end_means_every_operation_that_begins_so() -> None:
    assert Fault("cut_json", on="smsby.*").matches("smsby.bulk.send")
    assert not Fault("cut_json", on="smsby.emails.*").matches("smsby.bulk.send")
    assert not Fault("cut_json", on="smsby.bulk").matches("smsby.bulk.send")


def test_chance_can_be_repeated() -> None:
    def run() -> list[str]:
        faults = Faults(rng=Random(7))
        faults.add(Fault("cut_json", probability=0.2))
        return strikes(faults, *["a"] * 500)

    assert run() == run()
    assert 60 < run().count("cut_json") < 140


def test_a_probability_of_zero_never_strikes() -> None:
    faults = Faults()
    faults.add(Fault("cut_json", probability=0))
    assert strikes(faults, *["a"] * 50) == [""] * 50


def test_refuse_closes_the_port_at_once_or_after_some_requests() -> None:
    closed: list[float] = []
    faults = Faults(close_port=closed.append)
    faults.add(Fault("refuse", seconds=3))
    assert closed == [3]
    faults.add(Fault("refuse", after=2, seconds=4))
    assert strikes(faults, "a", "a", "a") == ["", "refuse", ""]
    assert faults.struck == {"refuse": 2}


def test_an_unknown_operation_is_refused() -> None:
    faults = Faults(operations=["smsby.bulk.send"])
    with pytest.raises(ValueError, match=r"smsby\.bulk\.sent"):
        faults.add(Fault("cut_json", on="smsby.bulk.sent"))
    faults.add(Fault("cut_json", on="smsby.*"))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "explode"},
        {"kind": "cut_json", "after": -1},
        {"kind": "cut_json", "times": 0},
        {"kind": "cut_json", "probability": 1.5},
        {"kind": "cut_json", "seconds": -1},
        {"kind": "cut_json", "after": "2"},
        {"kind": "cut_json", "on": None},
        {"kind": "server_error", "status": 99},
        {"kind": "rate_limited", "retry_after": []},
        {"kind": "reset_after_acting", "acted": False},
        {"kind": "slow_answer", "acted": False},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Fault(**fields)


def test_a_fault_is_written_as_its_kind_and_its_fields() -> None:
    text = "server_error:on=smsby.*,after=2,times=1,status=503,html=true"
    fault = Fault.parse(text)
    assert fault == Fault("server_error", on="smsby.*", after=2, times=1, status=503, html=True)
    assert Fault(**fault.asdict()) == fault  # type: ignore[arg-type]
    assert Fault.parse("cut_json") == Fault("cut_json")
    assert Fault.parse("redirect:location=http://x/y").asdict()["location"] == "http://x/y"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("explode", "there is no fault 'explode': choose from refuse, "),
        ("cut_json:size=3", "cut_json has no parameter 'size': it takes no parameters"),
        ("server_error:size=3", "server_error has no parameter 'size': it takes html, status"),
        ("cut_json:times", "'times' in a fault is not name=value"),
        ("reset_after_actng", r"'reset_after_actng': did you mean reset_after_acting\?"),
        ("slow_answer:secnds=3", r"no parameter 'secnds': did you mean seconds\?"),
        ("slow_answer:tims=3", r"no parameter 'tims': did you mean times\?"),
        ("cut_json:self=1", "no parameter 'self'"),
        ("cut_json:kind=refuse", "^a fault has one kind, not two$"),
        ("cut_json:times=1,times=2", "^a fault has one times, not two$"),
        ("cut_json:times=x", r"^times must be a whole number of 1 or more \(or null\), not 'x'$"),
        ("cut_json:times=true", r"^times must be .*, not true$"),
        ("cut_json:after=-1", "^after must be a whole number of 0 or more, not -1$"),
        ("cut_json:probability=1.5", r"^probability must be a number from 0 to 1, not 1\.5$"),
        ("cut_json:on=5", "^on must be text in quotes, not 5$"),
        ("cut_json:acted=maybe", r"^acted must be true or false \(or null\), not 'maybe'$"),
        ("server_error:status=99", "^status must be a whole number from 200 to 999, not 99$"),
        ("server_error:html=1", "^html must be true or false, not 1$"),
        ("huge_body:size=-1", "^size must be a whole number of 0 or more, not -1$"),
        ("slow_answer:seconds=soon", "^seconds must be a number of 0 or more, not 'soon'$"),
        ("rate_limited:retry_after=[]", r"^retry_after must be text in quotes or a number \(or"),
    ],
)
def test_an_error_says_what_there_is(text: str, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        Fault.parse(text)


def test_every_kind_says_what_it_does() -> None:
    for name, kind in describe().items():
        assert kind.help.endswith(".")
        assert Fault(name, **kind.parameters) == Fault(name)


def test_which_kinds_act() -> None:
    assert {kind for kind in KINDS if not Fault(kind).acts} == {
        "reset_before_reading",
        "reset_after_reading",
        "rate_limited",
        "server_error",
        "error_envelope",
        "token_refused",
        "redirect",
    }
    assert Fault("server_error", acted=True).acts
    assert not Fault("cut_json", acted=False).acts


def test_wrong_types_keep_the_envelope() -> None:
    assert wrong_types({"status": "OK", "result": {"uuid": "x", "rows": [{"id": 1}]}}) == {
        "status": "OK",
        "result": {"uuid": ["x"], "rows": {"0": {"id": [1]}}},
    }
    assert wrong_types({"status": "OK"}) == {"status": "OK"}
    assert wrong_types([1]) == {"0": [1]}
    assert wrong_types(1) == [1]
    assert wrong_types({"id": 1}) == {"id": [1]}


def test_partial_reverses_drops_and_adds() -> None:
    rows = [{"email": f"{name}@b.by", "email_id": name} for name in "abc"]
    assert partial({"status": "OK", "result": rows}) == {
        "status": "OK",
        "result": [rows[2], rows[1], {"email": STRANGER, "email_id": "999999999"}],
    }
    assert partial([{"success": rows, "errors": []}, {"success": []}]) == [
        {"success": []},
        {"success": [rows[2], rows[1], {"email": STRANGER, "email_id": "999999999"}], "errors": []},
    ]
    assert partial([1, 2, 3]) == [3, 2]
    assert partial([]) == []
