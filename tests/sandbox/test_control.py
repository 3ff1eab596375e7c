import pytest

from mailkit.sandbox import Fault, Sandbox
from mailkit.sandbox import control as control_module
from mailkit.sandbox.clock import LAST, moment
from mailkit.sandbox.origin import is_local

from .conftest import BULK, MESSAGE, Api, JsonApi

JSON = {"Content-Type": "application/json"}


async def test_health(api: Api, sandbox: Sandbox) -> None:
    async with api.session.get("/sandbox/health") as response:
        assert await response.json() == {
            "status": "ok",
            "url": sandbox.url,
            "now": moment(sandbox.clock.now()),
        }


async def test_truth(api: Api) -> None:
    await api.post("sendBulkEmail", BULK)
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    async with api.session.get("/sandbox/truth") as response:
        summary = await response.json()
    assert summary == {
        "emails": 3,
        "addresses": 2,
        "mailed_twice": 1,
        "requests": {"smsby.bulk.send": 1, "smsby.emails.send": 1},
        "over_quota": {},
    }
    async with api.session.get("/sandbox/truth?full=1") as response:
        full = await response.json()
    assert full == {
        **summary,
        "mailed": {"anna@mail.by": 2, "boris@mail.by": 1},
        "mailed_twice_addresses": ["anna@mail.by"],
    }


async def test_mailings_and_arrivals(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.requests_per_second = 1
    began = sandbox.clock.now()
    await api.post("sendBulkEmail", BULK)
    await api.post("sendBulkEmail", BULK)
    sandbox.clock.advance(7)
    async with api.session.get("/sandbox/truth/arrivals") as response:
        assert await response.json() == {"smsby.bulk.send": [began, began]}
    async with api.session.get("/sandbox/truth/mailings") as response:
        [mailing] = await response.json()
    assert mailing["operation"] == "smsby.bulk.send"
    assert "origin" not in mailing  # the service's own
    assert (mailing["at"], mailing["campaign"]) == (moment(began), None)
    assert mailing["addresses"] == ["anna@mail.by", "boris@mail.by"]
    async with api.session.get("/sandbox/truth") as response:
        assert (await response.json())["over_quota"] == {"smsby.bulk.send": 1}


async def test_compare(api: Api) -> None:
    await api.post("sendBulkEmail", BULK)
    believed = ["anna@mail.by", "carl@mail.by"]
    async with api.session.post("/sandbox/truth/compare", json=believed) as response:
        assert await response.json() == {
            "agrees": False,
            "missing": ["carl@mail.by"],
            "unexpected": ["boris@mail.by"],
            "mailed_twice": [],
        }


async def test_faults_are_ordered_and_cleared(api: Api, sandbox: Sandbox) -> None:
    orders = [
        {"kind": "server_error", "on": "smsby.bulk.send", "after": 1, "status": 503},
        {"kind": "rate_limited", "times": 1, "retry_after": "7"},
    ]
    async with api.session.post("/sandbox/faults", json=orders) as response:
        assert await response.json() == {"added": 2}
    assert sandbox.faults.active() == [
        Fault("server_error", on="smsby.bulk.send", after=1, status=503),
        Fault("rate_limited", times=1, retry_after="7"),
    ]
    async with api.session.get("/sandbox/faults") as response:
        told = await response.json()
    assert told["kinds"]["rate_limited"]["parameters"] == {"retry_after": "1", "status": 429}
    assert [Fault(**one) for one in told["active"]] == sandbox.faults.active()
    assert (await api.post("sendBulkEmail", BULK)).headers["Retry-After"] == "7"
    assert (await api.post("sendBulkEmail", BULK)).status == 503
    async with api.session.delete("/sandbox/faults") as response:
        assert response.status == 200
    assert (await api.post("sendBulkEmail", BULK)).status == 200
    one = Fault("cut_json").asdict()
    async with api.session.post("/sandbox/faults", json=one) as response:
        assert await response.json() == {"added": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"7",
        b"[" * 100_000,
        b'{"kind":' * 70 + b"1" + b"}" * 70,
        b'{"kind": ["cut_json"]}',
        b'["cut_json"]',
        b'{"kind": "explode"}',
        b'{"on": "*"}',
        b'{"kind": "cut_json", "colour": "red"}',
        b'{"kind": "cut_json", "on": "smsby.nothing"}',
        b'[{"kind": "cut_json"}, {"kind": "explode"}]',
    ],
)
async def test_a_wrong_order_changes_nothing(body: bytes, api: Api, sandbox: Sandbox) -> None:
    async with api.session.post("/sandbox/faults", data=body, headers=JSON) as response:
        assert response.status == 400
        assert (await response.json())["error"]
    assert sandbox.faults.active() == []


async def test_compare_needs_a_list(api: Api) -> None:
    async with api.session.post("/sandbox/truth/compare", json={"a@b.by": 1}) as response:
        assert response.status == 400


ORDERS = ["faults", "truth/compare", "advance", "deliver", "reset"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_what_a_form_of_any_page_can_send_is_no_order(
    order: str, kind: str, api: Api, sandbox: Sandbox
) -> None:
    await api.post("sendBulkEmail", BULK)
    before = sandbox.clock.now()
    for body in (b"", b'{"kind": "cut_json", "seconds": 1}'):
        async with api.session.post(
            f"/sandbox/{order}", data=body, headers={"Content-Type": kind}
        ) as response:
            assert response.status == 415
            assert "application/json" in (await response.json())["error"]
    assert sandbox.faults.active() == []
    assert (sandbox.truth.emails, sandbox.clock.now()) == (2, before)


@pytest.mark.parametrize("order", ORDERS)
async def test_an_order_has_a_limit(
    order: str, api: Api, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert control_module.LARGEST < control_module.LARGEST_LIST < 2**30
    monkeypatch.setattr(control_module, "LARGEST", 1000)
    monkeypatch.setattr(control_module, "LARGEST_LIST", 1000)
    async with api.session.post(
        f"/sandbox/{order}", data=b"[" + b" " * 999 + b"]", headers=JSON
    ) as response:
        assert response.status == 413


WRONG_FAULTS = {
    b"": "JSON is missing: the body is empty",
    b"7": "a fault must be a JSON object with its kind",
    b'{"kid": "cut_json"}': "a fault must be a JSON object with its kind",
    b'{"kind": ["cut_json"]}': "there is no fault ['cut_json']: did you mean cut_json?",
    b'{"kind": "cut_json", "self": 1}': "the fault cut_json has no parameter 'self'",
    b'{"kind": "cut_json", "times": "x"}': "times must be a whole number of 1 or more (or null)",
}


@pytest.mark.parametrize("body", WRONG_FAULTS)
async def test_a_wrong_fault_is_told_in_plain_words(body: bytes, api: Api) -> None:
    async with api.session.post("/sandbox/faults", data=body, headers=JSON) as response:
        assert (await response.json())["error"].startswith(WRONG_FAULTS[body])


SECONDS = "seconds must be a number of 0 or more, not "
TOO_FAR = "the sandbox's time ends in the year 9990: it can go forward by 86,400 seconds at most"


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ([60], 'the body must be a JSON object, such as {"seconds": 60}'),
        ({}, f"{SECONDS}null"),
        ({"seconds": True}, f"{SECONDS}true"),
        ({"seconds": "abc"}, f"{SECONDS}'abc'"),
        ({"seconds": -1}, f"{SECONDS}-1"),
        ({"seconds": 10**400}, SECONDS),
        ({"seconds": 86401}, TOO_FAR),
        ({"seconds": 1e300}, TOO_FAR),
    ],
)
async def test_time_that_can_not_pass(
    order: object, problem: str, devino: JsonApi, sandbox: Sandbox
) -> None:
    sandbox.clock.advance(LAST - 86400 - sandbox.clock.now())
    before = sandbox.clock.now()
    answer = await devino("POST", "/sandbox/advance", order)
    assert answer.status == 400
    assert answer.value["error"].startswith(problem)
    assert sandbox.clock.now() == before


async def test_time_ends_where_dates_do(api: Api, sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.clock.advance(LAST - sandbox.clock.now())
    assert (await sendpulse("POST", "/sandbox/advance", {"seconds": 0})).status == 200
    assert (await sendpulse("GET", "/templates")).status == 200
    assert (await sendpulse("GET", "/user/balance/detail")).status == 200
    assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result
    assert sandbox.clock.now() == LAST


async def test_reset_forgets(api: Api, sandbox: Sandbox) -> None:
    uuid = (await api.post("sendBulkEmail", BULK)).result["uuid"]
    sandbox.faults.add(Fault("cut_json", after=9))
    async with api.session.post("/sandbox/reset", headers=JSON) as response:
        assert response.status == 200
    assert (sandbox.truth.emails, sandbox.truth.addresses) == (0, 0)
    assert sandbox.faults.active() == []
    assert not sandbox.requests
    assert not sandbox.requests.last
    assert "error" in (await api("statusBulkEmail", uuid=uuid)).value


async def test_control_requests_are_not_counted_and_not_disturbed(
    api: Api, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("server_error"))
    async with api.session.get("/sandbox/health") as response:
        assert response.status == 200
    async with api.session.get("/sandbox/nothing") as response:
        assert response.status == 404
    assert not sandbox.requests


async def test_other_machines_are_turned_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert is_local("::ffff:127.0.0.1")
    assert not is_local("192.168.1.5")
    assert not is_local("fe80::1%eth0")
    assert not is_local(None)
    monkeypatch.setattr("mailkit.sandbox.server.is_local", lambda remote: False)
    for path in ("/", "/sandbox/truth", "/sandbox/messages", "/sandbox/page/accounts"):
        async with api.session.get(path) as response:
            assert response.status == 403
