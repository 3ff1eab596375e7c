"""Web pages stay outside: by the name that leads them here, and by what a browser says of them."""

import asyncio
import re

import aiohttp
import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.origin import OriginCheck

from .conftest import MESSAGE, Api, JsonApi

OURS = [
    "localhost",
    "LOCALHOST:8025",
    "localhost.:8025",
    "Mail.Localhost:80",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]:8025",
    "192.168.7.7:80",
]
NOT_OURS = [
    "",
    "evil.example",
    "evil.example:8025",
    "localhost.evil.example",
    "evillocalhost",
    "localhost..",
    ".",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "localhost:80:80",
    "localhost:x",
    "local host",
    "127.1",
    "[::1",
    "[evil.example]",
    "::1",
]
FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8025"},
]


@pytest.mark.parametrize("host", OURS)
def test_addresses_and_localhost_lead_here(host: str) -> None:
    assert OriginCheck("127.0.0.1").problem({"Host": host}) is None


@pytest.mark.parametrize("host", NOT_OURS)
def test_no_other_name_does(host: str) -> None:
    problem = OriginCheck("127.0.0.1").problem({"Host": host}) or ""
    assert "is not this sandbox" in problem
    assert "--allowed-host" in problem


def test_more_names_can_be_given() -> None:
    door = OriginCheck("127.0.0.1", ["Mail.test", "sandbox", "box."])
    for host in ("mail.test", "MAIL.TEST:80", "sandbox:8025", "box", "box.:80"):
        assert door.problem({"Host": host}) is None
    assert door.problem({"Host": "sandbox.evil.example"})


def test_one_name_needs_no_list() -> None:
    assert OriginCheck("127.0.0.1", "mail.test").problem({"Host": "mail.test"}) is None


@pytest.mark.parametrize("name", ["", "a b", "sandbox:8025", "http://sandbox", "a/b", "a@b", "[x]"])
def test_a_name_that_no_request_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(name))} can't be allowed as a host"):
        Sandbox(hosts=[name])


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_sites_are_turned_away(headers: dict[str, str]) -> None:
    assert "web page" in (
        OriginCheck("127.0.0.1").problem({"Host": "127.0.0.1:8025", **headers}) or ""
    )


def test_its_own_pages_and_an_address_that_a_person_types_are_not() -> None:
    own = {"Host": "localhost:8025", "Origin": "http://localhost:8025"}
    for site in ("same-origin", "none"):
        assert OriginCheck("127.0.0.1").problem({**own, "Sec-Fetch-Site": site}) is None


LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PAGES = ["/", "/?search=anna", "/sandbox/page/messages/1", "/sandbox/page/faults"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_link_of_another_site_leads_to_the_page(site: str, path: str, api: Api) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    for method in ("GET", "HEAD"):
        headers = {**LINK, "Sec-Fetch-Site": site}
        async with api.session.request(method, path, headers=headers) as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        async with api.session.request(
            method, path, headers={**headers, "Host": "evil.example"}
        ) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        *({"Sec-Fetch-Dest": goal} for goal in ("iframe", "frame", "object", "embed", "")),
        {"Sec-Fetch-Mode": "cors"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_what_is_no_link_does_not(changed: dict[str, str], api: Api) -> None:
    for path in PAGES:
        async with api.session.get(path, headers={**LINK, **changed}) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/sandbox/page/reset"),
        ("POST", "/sandbox/reset"),
        ("GET", "/sandbox/truth"),
        ("GET", "/sandbox/messages/1"),
        ("GET", "/api/v2/sendEmail"),
        ("GET", "/addressbooks"),
    ],
)
async def test_a_link_leads_to_nothing_but_the_page(method: str, path: str, api: Api) -> None:
    async with api.session.request(method, path, headers=LINK) as response:
        assert response.status == 403


async def test_every_path_is_behind_the_door(
    sandbox: Sandbox, api: Api, devino: JsonApi, sendpulse: JsonApi
) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    headers = [{"Host": "evil.example"}, {"Origin": "http://evil.example"}]
    for header in headers:
        for method, path in (
            ("GET", "/sandbox/truth?full=1"),
            ("GET", "/sandbox/health"),
            ("POST", "/sandbox/reset"),
            ("DELETE", "/sandbox/faults"),
            ("POST", "/api/v2/sendEmail"),
            ("POST", "/email/messages"),
            ("GET", "/addressbooks"),
            ("GET", "/nowhere"),
        ):
            async with api.session.request(method, path, headers=header, json=[]) as response:
                assert response.status == 403
                assert (await response.json()).keys() == {"error"}
    assert sandbox.truth.emails == 1
    assert sandbox.requests.total() == 1


async def test_a_sandbox_has_the_name_it_listens_on_and_those_it_was_given() -> None:
    async with (
        Sandbox(host="localhost", hosts=["mail.test"]) as sandbox,
        aiohttp.ClientSession(sandbox.url) as session,
    ):
        for host, status in (("mail.test", 200), ("localhost:1", 200), ("other.test", 403)):
            async with session.get("/sandbox/health", headers={"Host": host}) as response:
                assert response.status == status


async def test_a_request_without_a_host_is_turned_away(sandbox: Sandbox) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /sandbox/health HTTP/1.0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
    writer.close()
    await writer.wait_closed()
