import pytest

from mailkit.sandbox import Fault, Sandbox

from .conftest import JsonApi

TOKEN = "/oauth/access_token"
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
}


async def test_a_token_is_good_for_an_hour(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    answer = await sendpulse("POST", TOKEN, CREDENTIALS)
    assert answer.status == 200
    assert (answer.value["token_type"], answer.value["expires_in"]) == ("Bearer", 3600)
    api = JsonApi(sendpulse.session, sandbox.url, f"Bearer {answer.value['access_token']}")
    assert (await api("GET", "/user/info")).status == 200
    sandbox.clock.advance(3599)
    assert (await api("GET", "/user/info")).status == 200
    sandbox.clock.advance(1)
    late = await api("GET", "/user/info")
    assert late.status == 401
    assert set(late.value) == {"message", "error_code"}


async def test_a_form_gets_a_token_too(sendpulse: JsonApi) -> None:
    answer = await sendpulse("POST", TOKEN, data=CREDENTIALS)
    assert answer.value["access_token"]


@pytest.mark.parametrize("field", ["grant_type", "client_id", "client_secret"])
async def test_wrong_credentials_get_no_token(field: str, sendpulse: JsonApi) -> None:
    answer = await sendpulse("POST", TOKEN, {**CREDENTIALS, field: "wrong"})
    assert answer.status == 401
    assert answer.value["error_code"] == 1


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Key sandbox-api-key"])
async def test_every_operation_wants_a_token(header: str, sendpulse: JsonApi) -> None:
    api = JsonApi(sendpulse.session, sendpulse.url, header)
    assert (await api("GET", "/addressbooks")).status == 401


async def test_a_refresh_fails_on_order(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("server_error", on="sendpulse.auth.token", times=1))
    sandbox.faults.add(Fault("token_refused", on="sendpulse.auth.token", times=1))
    statuses = [(await sendpulse("POST", TOKEN, CREDENTIALS)).status for _ in range(3)]
    assert statuses == [500, 401, 200]


async def test_some_operations_are_forbidden(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.sendpulse.settings.forbidden = frozenset({"sendpulse.balance.get"})
    answer = await sendpulse("GET", "/balance")
    assert (answer.status, answer.value["error_code"]) == (403, 800)
    assert (await sendpulse("GET", "/user/balance/detail")).status == 200


async def test_ten_requests_a_second(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.sendpulse.settings.requests_per_second = 10
    statuses = [(await sendpulse("GET", "/balance")).status for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert (await sendpulse("GET", "/balance")).value["error_code"] == 2020202020
    sandbox.clock.advance(1)
    assert (await sendpulse("GET", "/balance")).status == 200


async def test_so_many_requests_a_minute(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.sendpulse.settings.requests_per_minute = 1
    assert (await sendpulse("GET", "/balance")).status == 200
    assert (await sendpulse("GET", "/balance")).status == 429
    sandbox.clock.advance(60)
    assert (await sendpulse("GET", "/balance")).status == 200


async def test_a_cap_for_a_day_counts_the_token_too(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    settings = sandbox.sendpulse.settings
    settings.requests_per_day, settings.day = 2, 100.0
    assert (await sendpulse("POST", TOKEN, CREDENTIALS)).status == 200
    sandbox.clock.advance(99)
    statuses = [(await sendpulse("GET", "/balance")).status for _ in range(2)]
    assert statuses == [200, 429]
    sandbox.clock.advance(1)
    assert (await sendpulse("GET", "/balance")).status == 200
    assert sandbox.requests.over_quota == {"sendpulse.balance.get": 1}
    assert len(sandbox.requests.arrivals["sendpulse.auth.token"]) == 1


async def test_a_second_can_be_shorter(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    settings = sandbox.sendpulse.settings
    settings.requests_per_second, settings.second = 1, 0.25
    statuses = [(await sendpulse("GET", "/balance")).status for _ in range(2)]
    sandbox.clock.advance(0.25)
    assert [*statuses, (await sendpulse("GET", "/balance")).status] == [200, 429, 200]


async def test_a_body_that_is_no_json(sendpulse: JsonApi) -> None:
    async with sendpulse.session.post(
        f"{sendpulse.url}/addressbooks",
        data=b"{",
        headers={"Authorization": sendpulse.authorization, "Content-Type": "application/json"},
    ) as response:
        assert response.status == 422
        assert (await response.json())["error_code"] == 422


async def test_reset_forgets_tokens_and_keeps_settings(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    token = (await sendpulse("POST", TOKEN, CREDENTIALS)).value["access_token"]
    sandbox.reset()
    api = JsonApi(sendpulse.session, sandbox.url, f"Bearer {token}")
    assert (await api("GET", "/user/info")).status == 401
    assert sandbox.sendpulse.settings.requests_per_second is None
