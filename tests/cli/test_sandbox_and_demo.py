"""``mailkit sandbox`` and ``mailkit demo``, in processes of their own."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request

import pytest

from mailkit.sandbox.faults import KINDS

from ..approval import approve
from .shop import SEND, Ended, Shop, customer, end_of

COUNTED = ("invalid", "duplicate", "suppressed", "accepted", "rejected", "in_doubt", "unsent")


def test_the_sandbox_prints_what_points_mailkit_at_it_and_serves_until_ctrl_c(shop: Shop) -> None:
    with shop.spawn("sandbox", "--port", "0", "--speed", "60") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(11)]
        exports = dict(
            line.removeprefix("export ").split("=", 1) for line in lines if line[:7] == "export "
        )
        assert exports.keys() == shop.sandbox.environment().keys()
        url = exports["MAILKIT_SMSBY_URL"]
        approve("sandbox: the address", lines[0], url=url)
        approve("sandbox: the page", lines[-1], url=url)
        with urllib.request.urlopen(f"{url}/") as answer:
            assert b"Nothing has been sent yet" in answer.read()

        shop.environment.update(exports)
        assert shop.send(shop.letter(), shop.customers(3), "--name", "autumn").code == 0
        with urllib.request.urlopen(f"{url}/sandbox/truth?full=1") as answer:
            assert json.load(answer)["mailed"] == {customer(n): 1 for n in range(3)}

        taken = shop("sandbox", "--port", url.rpartition(":")[2])
        taken.check_refusal("a port that is taken", port=url.rpartition(":")[2])

        process.send_signal(signal.SIGINT)
        ended = end_of(process)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert shop.sandbox.truth.emails == 0


def test_faults_of_the_sandbox(shop: Shop) -> None:
    listed = shop("sandbox", "--fault", "help")
    assert listed.code == 0
    assert {line.split(" ")[0] for line in listed.out.splitlines()[:-2]} == set(KINDS)
    assert "(status=307, location=null)" in listed.out  # as an order may say it
    assert json.loads(shop("sandbox", "--fault", "help", "--json").out).keys() == KINDS.keys()

    order = ("--fault", f"rate_limited:on={SEND},times=1,retry_after=0", "--fault", "redirect")
    with shop.spawn("sandbox", "--port", "0", "--json", *order) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["MAILKIT_SMSBY_URL"]
        with urllib.request.urlopen(f"{url}/sandbox/faults") as answer:
            first, second = json.load(answer)["active"]
        assert (first["kind"], first["on"], first["retry_after"]) == ("rate_limited", SEND, 0)
        assert second["kind"] == "redirect"
        process.send_signal(signal.SIGINT)
        assert end_of(process).code == 0


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("explode", 2),
        ("cut_json:size=3", 2),
        ("cut_json:times", 2),
        ("refuse:times=0", 2),
        ("cut_json:on=smsby.none", 2),
    ],
)
def test_a_fault_that_the_sandbox_does_not_have(order: str, code: int, shop: Shop) -> None:
    ended = shop("sandbox", "--port", "0", "--fault", order)
    assert (ended.code, ended.out) == (code, "")
    assert "--fault" in ended.err


@pytest.mark.parametrize("setting", ["smsby.balance", "smsby.colour=1", "smsby.balance=much"])
def test_a_setting_that_the_sandbox_does_not_have(setting: str, shop: Shop) -> None:
    ended = shop("sandbox", "--port", "0", "--set", setting)
    assert (ended.code, ended.out) == (2, "")
    assert "--set" in ended.err


def test_settings_of_the_sandbox(shop: Shop) -> None:
    settings = ("--set", "smsby.balance=0", "--set", "smsby.no_money=No money is left")
    with shop.spawn("sandbox", "--port", "0", "--json", *settings) as process:
        assert process.stdout is not None
        shop.environment.update(json.loads(process.stdout.readline()))
        ended = shop.send(shop.letter(), shop.customers(3))
        assert (ended.code, "No money is left" in ended.out + ended.err) == (1, True)
        process.terminate()
        assert end_of(process).code == 0


def test_a_sandbox_for_other_machines(shop: Shop) -> None:
    with shop.spawn(
        "sandbox", "--port", "0", "--host", "0.0.0.0", "--allowed-host", "Box"
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" ")[4]
        request = urllib.request.Request(f"{url}/", headers={"Host": "box:80"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        request = urllib.request.Request(f"{url}/", headers={"Host": "other:80"})
        with pytest.raises(urllib.error.HTTPError, match="403") as turned_away:
            urllib.request.urlopen(request)
        turned_away.value.close()
        process.terminate()
        assert end_of(process).code == 0


def test_a_host_that_is_not_there(shop: Shop) -> None:
    ended = shop("sandbox", "--port", "0", "--host", "no host")
    assert (ended.code, ended.out) == (1, "")
    assert "--host: no host is not an address of this machine" in ended.err


def test_the_sandbox_as_json(shop: Shop) -> None:
    with shop.spawn("sandbox", "--port", "0", "--json") as process:
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())
        assert environment.keys() == shop.sandbox.environment().keys()
        process.terminate()
        assert end_of(process) == Ended(0, "", "")


def test_the_demo_suggests_no_command_for_a_journal_that_is_gone(shop: Shop) -> None:
    ended = shop.run("demo", "--rows", "200")
    assert (ended.code, ended.err) == (0, "")
    assert "  sum                    200  = rows read\n" in ended.out
    assert "The sandbox's own truth: 0 mailed twice, 0 lost, 0 unexpected.\n" in ended.out
    assert "rejected:\n" in ended.out
    assert "mailkit" not in ended.out


def test_the_demo_agrees_with_the_sandbox(shop: Shop) -> None:
    shop.environment.update({"http_proxy": "http://127.0.0.1:1", "no_proxy": ""})  # not for it
    ended = shop.run("demo", "--rows", "500", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.json
    assert list(found) == ["rows", *COUNTED, "mailed_twice", "lost", "seconds"]
    assert found["rows"] == sum(found[word] for word in COUNTED) == 500
    assert (found["mailed_twice"], found["lost"], found["in_doubt"], found["unsent"]) == (0,) * 4
    assert (found["invalid"], found["duplicate"], found["suppressed"]) == (15, 20, 5)
    assert (found["accepted"], found["rejected"]) == (455, 5)
    assert shop.in_journal("jobs") == 0  # the demo has its own
