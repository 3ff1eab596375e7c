"""The page over a real socket: what it shows, what it lets nobody else do, what its forms do."""

import re
import sys
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from mailkit.sandbox import Fault, Mailing, Sandbox, Service
from mailkit.sandbox.faults import KINDS
from mailkit.sandbox.origin import HEADER
from mailkit.sandbox.page.preview import inert, links

from .conftest import BULK, MESSAGE, Api, Hook, JsonApi

EVIL = "<script>alert('\"1\"')</script>&amp;"
PAGES = ["/", *(f"/sandbox/page/{one}" for one in ("accounts", "state", "webhooks", "faults"))]
JSON = {"Content-Type": "application/json"}


async def page(api: Api, path: str, status: int = 200) -> str:
    async with api.session.get(path) as response:
        assert response.status == status
        assert response.content_type == "text/html"
        return await response.text()


async def token(api: Api) -> str:
    found = re.search(r'name="token" value="([^"]+)"', await page(api, "/sandbox/page/faults"))
    assert found is not None
    return unescape(found[1])


async def submit(api: Api, path: str, **fields: str) -> aiohttp.ClientResponse:
    """Send a form as the page does, without following what it leads to."""
    form = {"token": await token(api), **fields}
    return await api.session.post(f"/sandbox/page/{path}", data=form, allow_redirects=False)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.found


async def everything(api: Api, sandbox: Sandbox, text: str) -> list[str]:
    """A sandbox in which every text of a customer's is this one, and its pages."""
    await api("sendEmail", **{**MESSAGE, "subject": text, "message": text}, sender_name=text,
              email="anna@mail.by")  # fmt: skip
    await api("createSubscriberList", name=text)
    await api.post("sendBulkEmail", {**BULK, "name": text, "subject": text})
    sandbox.faults.add(Fault("rate_limited", retry_after=text))
    sandbox.devino.settings.callback_url = f"http://{text}"
    messages = [f"/sandbox/page/messages/{n}" for n in (1, 3)]
    views = [f"{messages[0]}?view={view}" for view in ("text", "source", text)]
    searches = [str(URL("/").with_query(search=word, note=text)) for word in (text, "zoe", "a")]
    return [*PAGES, *messages, *views, *searches]


async def test_all_text_is_escaped(api: Api, sandbox: Sandbox) -> None:
    plain = {path: tags(await page(api, path)) for path in await everything(api, sandbox, "Plain")}
    sandbox.reset()
    evil = {path: tags(await page(api, path)) for path in await everything(api, sandbox, EVIL)}
    for (path, calm), (_, wild) in zip(plain.items(), evil.items(), strict=True):
        names = [name for name, _ in wild]
        assert names.count("script") == 1, path
        if "search" not in path:
            assert names == [name for name, _ in calm], path
        assert not [
            (name, key) for name, attributes in wild for key in attributes if key[:2] == "on"
        ]


@pytest.mark.parametrize("path", [*PAGES, "/sandbox/page/messages/1", "/sandbox/page/nothing"])
async def test_each_page_says_what_it_may_load(path: str, api: Api) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    async with api.session.get(path) as response:
        headers, html = response.headers, await response.text()
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    for name, attributes in tags(html):
        assert "style" not in attributes
        assert name != "style"
        for key in ("src", "href", "action"):
            assert re.match(r"/|#|data:image|$", attributes.get(key) or "")


async def test_the_html_of_a_message_runs_and_loads_nothing(api: Api) -> None:
    await api("sendEmail", **{**MESSAGE, "message": EVIL}, email="anna@mail.by")
    [(_, frame)] = [one for one in tags(await page(api, "/sandbox/page/messages/1"))
                    if one[0] == "iframe"]  # fmt: skip
    assert frame["sandbox"] is None  # there, and allows nothing
    assert frame["src"] == "/sandbox/page/messages/1/html"
    async with api.session.get(frame["src"]) as response:
        assert await response.text() == inert(EVIL)
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert {"default-src 'none'", "sandbox", "form-action 'none'"} <= set(policy)
    assert not [rule for rule in policy if "script-src" in rule or "http" in rule]


@pytest.mark.parametrize(
    "start",
    ["", "<!DOCTYPE html>", "\ufeff <!-- a --> <!--b-->\n<!doctype HTML PUBLIC '-//W3C'>"],
)
def test_links_are_made_inert_after_the_doctype(start: str) -> None:
    shown = inert(f"{start}<p>Hi</p>")
    assert shown.startswith(f'{start}<base target="_blank">')
    assert shown.endswith("<p>Hi</p>")


def test_a_long_message_without_a_doctype_is_read_once() -> None:
    html = "<!-- a -->" * 20_000
    assert inert(html).endswith(html)


async def test_where_links_lead_is_listed_and_nothing_to_click(api: Api) -> None:
    html = (
        '<a href="https://shop.by/?a=1&amp;b=2">Shop</a><a href=" https://shop.by/?a=1&b=2">x</a>'
        "<a name=top></a><area href=javascript:alert(1)><!-- <a href=no> --><link href=no>"
    )
    assert links(html) == ["https://shop.by/?a=1&b=2", "javascript:alert(1)"]
    await api("sendEmail", **{**MESSAGE, "message": html}, email="anna@mail.by")
    shown = await page(api, "/sandbox/page/messages/1")
    assert "<code>https://shop.by/?a=1&amp;b=2</code>" in shown
    assert "<code>javascript:alert(1)</code>" in shown
    hrefs = [attributes.get("href") or "" for _, attributes in tags(shown)]
    assert not [one for one in hrefs if "shop.by" in one or "script:" in one]
    assert "they lead to" not in await page(api, "/sandbox/page/messages/1?view=text")
    many = "".join(f"<a href=/{number}>x</a>" for number in range(1101))
    await api("sendEmail", **{**MESSAGE, "message": many}, email="anna@mail.by")
    assert "And 1,001 more." in await page(api, "/sandbox/page/messages/2")


async def test_accounts_have_the_address_that_the_browser_knows(sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    async with (
        aiohttp.ClientSession(f"http://localhost:{port}") as session,
        session.get("/sandbox/page/accounts") as response,
    ):
        html = await response.text()
    for name, value in sandbox.environment().items():
        shown = value.replace(sandbox.url, f"http://localhost:{port}")
        assert f"export {name}={shown}\n" in html


async def test_an_empty_sandbox_says_how_to_begin(api: Api, sandbox: Sandbox) -> None:
    html = await page(api, "/")
    assert "Nothing has been sent yet" in html
    for name, value in sandbox.environment().items():
        assert f"export {name}={value}\n" in html


async def test_search_and_pages(api: Api, sandbox: Sandbox) -> None:
    entries = {f"delivery_list[{at}]": f"reader{at}@mail.by" for at in range(120)}
    await api.post("sendBulkEmail", {**MESSAGE, **entries})

    def shown(html: str) -> list[int]:
        return [int(one) for one in re.findall(r'id="message-(\d+)"', html)]

    def older(html: str) -> str | None:
        [*found] = [attributes["href"] for _, attributes in tags(html)
                    if attributes.get("id") == "older"]  # fmt: skip
        return found[0] if found else None

    seen, path = [], older(await page(api, "/?search=mail.by"))
    assert path == "/?search=mail.by&before=71"
    html = await page(api, "/")
    while True:
        seen += shown(html)
        path = older(html)
        if path is None:
            break
        html = await page(api, path)
    assert seen == list(range(120, 0, -1))
    assert shown(await page(api, "/?search=to:reader11@")) == [12]
    assert "No messages found" in await page(api, "/?search=nobody")


async def test_a_message_says_everything(sendpulse: JsonApi, api: Api, sandbox: Sandbox) -> None:
    from .test_happening import campaign

    number = await campaign(sendpulse, sandbox, "complaint@mail.by", body="<p>Hi {{Name}}</p>")
    html = await page(api, "/sandbox/page/messages/1")
    for words in (
        "Hello Anna",
        "<bdi>Shop</bdi> &lt;news@shop.by&gt;",
        f"campaign {number}",
        "complained",
    ):
        assert words in html
    assert [attributes["value"] for name, attributes in tags(html) if name == "button"] == [
        "deliver",
        "open",
        "click",
        "bounce",
        "complain",
        "unsubscribe",
    ]
    assert "Hi Anna" in await page(api, "/sandbox/page/messages/1?view=text")
    assert "&lt;p&gt;Hi Anna" in await page(api, "/sandbox/page/messages/1?view=source")
    state = await page(api, "/sandbox/page/state")
    row = state[state.index(f"Campaign_{number}") :].split("</tr>")[0]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row) == ["sending", "1", "0", "0", "0", "0"]


async def test_attachments_are_named(api: Api) -> None:
    form = aiohttp.FormData(
        {**MESSAGE, "token": api.token, "email": "anna@mail.by"}, quote_fields=False
    )
    form.add_field("attachment", b"12345678", filename="<price>.pdf")
    async with api.session.post("/api/v2/sendEmail", data=form) as response:
        assert response.status == 200
    assert "<bdi>&lt;price&gt;.pdf</bdi> (8 bytes)" in await page(api, "/sandbox/page/messages/1")


async def test_a_button_makes_it_happen_and_posts_it(
    devino: JsonApi, api: Api, sandbox: Sandbox, hook: Hook
) -> None:
    from .test_happening import order

    sandbox.devino.settings.callback_url = hook.url
    await devino("POST", "/email/messages", order("anna@mail.by"))
    response = await submit(api, "messages/1/happen", what="open")
    assert response.status == 303
    assert [one["status"] for one in hook.events][-2:] == ["DELIVERED", "OPENED"]
    assert response.headers["Location"] == "/sandbox/page/messages/1?note=posted&done=open"
    html = await page(api, response.headers["Location"])
    assert "The webhook accepted the post." in html
    assert [one["value"] for _, one in tags(html) if "autofocus" in one] == ["open"]
    assert "opened" in html
    assert hook.url in await page(api, "/sandbox/page/webhooks")
    hook.refusals.append(500)
    response = await submit(api, "messages/1/happen", what="click")
    assert "did not accept the post" in await page(api, response.headers["Location"])
    posts = len(hook.posts)
    response = await submit(api, "messages/1/happen", what="open")
    assert (response.status, len(hook.posts)) == (409, posts)
    assert "nothing happens: the message&#39;s state is already clicked" in await response.text()
    assert (await submit(api, "messages/1/happen", what="explode")).status == 409
    assert (await submit(api, "messages/2/happen", what="open")).status == 404


async def test_the_calls_that_a_fault_can_strike_are_listed_once(
    api: Api, sandbox: Sandbox
) -> None:
    found = tags(await page(api, "/sandbox/page/faults"))
    listed = [attributes["value"] for name, attributes in found if name == "option"]
    calls = [one.operation for each in sandbox.services.values() for one in each.endpoints]
    assert sorted(map(str, listed)) == sorted([*calls, *(f"{one}.*" for one in sandbox.services)])
    inputs = [attributes for _, attributes in found if attributes.get("name") == "on"]
    assert [one["list"] for one in inputs] == ["operations"] * len(KINDS)


async def test_without_a_webhook_a_button_says_so(devino: JsonApi, api: Api) -> None:
    from .test_happening import order

    await devino("POST", "/email/messages", order("anna@mail.by"))
    assert "and posts it to the webhook." in await page(api, "/sandbox/page/messages/1")
    response = await submit(api, "messages/1/happen", what="bounce")
    assert "No webhook is registered for this event" in await page(
        api, response.headers["Location"]
    )
    response = await submit(api, "deliver")
    assert "No events were waiting." in await page(api, response.headers["Location"])


async def test_a_service_without_webhooks_promises_none(api: Api, sandbox: Sandbox) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    response = await submit(api, "messages/1/happen", what="bounce")
    html = await page(api, response.headers["Location"])
    assert "Done.</p>" in html
    assert "webhook" not in html[html.index("<main") :]
    assert sandbox.inbox.state(sandbox.inbox.get(1)) == "undelivered"


async def test_which_services_post_events(sandbox: Sandbox) -> None:
    posting = {
        name for name, one in sandbox.services.items() if type(one).posts is not Service.posts
    }
    assert posting == {name for name, one in sandbox.services.items() if one.posts_events}


async def test_text_that_deceives_is_shown_as_it_is(api: Api, sandbox: Sandbox) -> None:
    name = "invoice\u202egpj.exe"
    form = aiohttp.FormData(
        {"token": api.token, "sender_email": "news@shop.by", "sender_name": name,
         "subject": f"{name}\x7f\u2067", "message": name, "email": "anna@mail.by"},
        quote_fields=False,
    )  # fmt: skip
    form.add_field("attachment", b"1", filename=name)
    async with api.session.post("/api/v2/sendEmail", data=form) as response:
        assert response.status == 200
    shown = r"invoice\u202egpj.exe"
    for path in ("/", "/sandbox/page/messages/1", "/sandbox/page/messages/1?view=source"):
        html = await page(api, path)
        assert rf"{shown}\u007f\u2067" in html
        assert "\u202e" not in html
    assert f"<bdi>{shown}</bdi> &lt;news@shop.by&gt;" in html
    assert f"<bdi>{shown}</bdi> (1 byte)" in html
    assert f">{shown}</pre>" in html
    [field] = [one for _, one in tags(await page(api, f"/?search={quote(name)}"))
               if one.get("id") == "search"]  # fmt: skip
    assert field["value"] == name  # what is searched for again


async def test_a_fault_with_such_text_can_be_turned_off(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("redirect", location="http://a/\u202e\x7f\n"))
    html = await page(api, "/sandbox/page/faults")
    [active] = [str(one["value"]) for _, one in tags(html) if one.get("name") == "fault"]
    assert (await submit(api, "faults/off", fault=active)).status == 303
    assert sandbox.faults.active() == []


async def test_a_subject_that_is_empty_or_no_longer_kept() -> None:
    async with Sandbox(speed=0, keep_emails=1) as sandbox:
        for subject in ("Autumn", ""):
            mailing = Mailing("smsby.emails.send", sandbox.clock.now(), "a@b.by", "", ["c@d.by"])
            sandbox.truth.record(mailing, [(subject, "Hi")])
        async with aiohttp.ClientSession(sandbox.url) as session:
            for path in ("/", "/sandbox/page/messages/1", "/sandbox/page/messages/2"):
                async with session.get(path) as response:
                    html = await response.text()
                assert ("(no subject)" in html) == (path != "/sandbox/page/messages/1")
                assert ("(subject no longer kept)" in html) == (path != "/sandbox/page/messages/2")


@pytest.mark.parametrize("before", ["abc", "-1", "1.5"])
async def test_a_wrong_number_in_the_address_is_told(before: str, api: Api) -> None:
    async with api.session.get(f"/?before={before}") as response:
        assert await problem(response) == (
            f"before must be a whole number of 0 or more, not {before!r}"
        )


async def test_what_waits_is_posted(
    devino: JsonApi, api: Api, sandbox: Sandbox, hook: Hook
) -> None:
    from .test_happening import order

    sandbox.devino.settings.callback_url = hook.url
    sandbox.devino.settings.posting.every = 3600
    await devino("POST", "/email/messages", order("anna@mail.by"))
    sandbox.clock.advance(60)
    assert hook.posts == []
    assert re.search(r"\b3 events waiting\.", await page(api, "/sandbox/page/webhooks"))
    assert "note=posted" in (await submit(api, "deliver")).headers["Location"]
    assert hook.events


@pytest.mark.parametrize("kind", KINDS)
async def test_each_fault_has_a_switch(kind: str, api: Api, sandbox: Sandbox) -> None:
    html = await page(api, "/sandbox/page/faults")
    start = html.index(f'id="fault-{kind}"')
    form = html[start : html.index("</form>", start)]
    fields = {str(one["name"]): one["value"] or "" for name, one in tags(form)
              if name == "input" and one.get("value")}  # fmt: skip
    fields |= {"on": "smsby.bulk.send", "after": "1"}
    del fields["token"]
    assert (await submit(api, "faults/on", **fields)).status == 303
    assert sandbox.faults.active() == [Fault(kind, on="smsby.bulk.send", after=1)]
    html = await page(api, "/sandbox/page/faults")
    [active] = [str(one["value"]) for _, one in tags(html) if one.get("name") == "fault"]
    sandbox.faults.add(Fault("redirect", after=9))
    assert (await submit(api, "faults/off", fault=active)).status == 303
    assert sandbox.faults.active() == [Fault("redirect", after=9)]
    await submit(api, "faults/off")
    assert sandbox.faults.active() == []


async def test_each_fault_in_force_has_its_own_count(api: Api, sandbox: Sandbox) -> None:
    async def strikes() -> list[str]:
        return re.findall(r"struck ([^<]+)<", await page(api, "/sandbox/page/faults"))

    sandbox.faults.add(Fault("server_error", on="smsby.emails.send", times=1))
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    sandbox.faults.add(Fault("server_error", on="smsby.bulk.send", after=1))
    sandbox.faults.add(Fault("server_error", on="smsby.emails.send", times=1000))
    assert sandbox.faults.struck == {"server_error": 1}
    assert await strikes() == []
    for expected in (["once"], ["2 times"]):
        await api("sendEmail", **MESSAGE, email="anna@mail.by")
        assert await strikes() == expected
    html = await page(api, "/sandbox/page/faults")
    assert "<code>smsby.bulk.send</code>, after 1 call</span>" in html
    assert "<code>smsby.emails.send</code>, 1,000 times " in html


async def problem(response: aiohttp.ClientResponse) -> str:
    """What a page says is wrong."""
    assert response.status == 400
    found = re.search(r'role="alert">([^<]*)<', await response.text())
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "explode"}, "there is no fault 'explode'"),
        ({"kind": "redirect", "times": "0"}, "times must be a whole number of 1 or more"),
        ({"kind": "redirect", "times": "x"}, "times must be a whole number of 1 or more"),
        ({"kind": "redirect", "on": "nothing"}, "the sandbox has no operation 'nothing'"),
        ({"kind": "redirect", "parameter.size": "1"}, "the fault redirect has no parameter"),
        ({}, "there is no fault ''"),
    ],
)
async def test_a_wrong_fault_is_told(
    fields: dict[str, str], words: str, api: Api, sandbox: Sandbox
) -> None:
    assert (await problem(await submit(api, "faults/on", **fields))).startswith(words)
    assert sandbox.faults.active() == []


@pytest.mark.parametrize("fault", ["x", "[]", "7", '{"kid": 1}', '{"kind": []}'])
async def test_a_wrong_fault_is_not_switched_off(fault: str, api: Api) -> None:
    words = await problem(await submit(api, "faults/off", fault=fault))
    assert words.startswith(("not JSON", "a fault must be a JSON object", "there is no fault []"))


async def test_time_settings_and_reset(api: Api, sandbox: Sandbox) -> None:
    before = sandbox.clock.now()
    assert (await submit(api, "advance", seconds="60")).status == 303
    assert sandbox.clock.now() == before + 60
    for wrong in ("", "abc", "-1", "nan"):
        words = await problem(await submit(api, "advance", seconds=wrong))
        assert words == f"seconds must be a number of 0 or more, not {wrong!r}"
    assert "the year 9990" in await problem(await submit(api, "advance", seconds="inf"))
    assert (await submit(api, "settings", name="smsby.balance", value="7")).status == 303
    assert sandbox.smsby.settings.balance == 7
    assert (await submit(api, "settings", name="smsby.nothing", value="7")).status == 400
    await api.post("sendBulkEmail", BULK)
    assert (await submit(api, "reset")).headers["Location"] == "/"
    assert sandbox.truth.emails == 0
    assert (sandbox.clock.now(), sandbox.smsby.settings.balance) == (before + 60, 5)


@pytest.mark.parametrize("given", [None, "", "wrong", "ключ"])
@pytest.mark.parametrize(
    "path", ["reset", "deliver", "advance", "settings", "faults/on", "faults/off",
             "messages/1/happen"]
)  # fmt: skip
async def test_a_form_needs_the_token(
    path: str, given: str | None, api: Api, sandbox: Sandbox
) -> None:
    await api.post("sendBulkEmail", BULK)
    sandbox.faults.add(Fault("redirect", after=9))
    form = {
        "kind": "redirect",
        "seconds": "9",
        "what": "open",
        "name": "smsby.balance",
        "value": "1",
    }
    form |= {} if given is None else {"token": given}
    before = sandbox.clock.now()
    async with api.session.post(f"/sandbox/page/{path}", data=form) as response:
        assert response.status == 403
    assert (sandbox.truth.emails, len(sandbox.faults.active())) == (2, 1)
    assert (sandbox.clock.now(), sandbox.inbox.happened) == (before, 0)
    assert sandbox.smsby.settings.balance is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sandbox/reset"),
        ("POST", "/sandbox/faults"),
        ("DELETE", "/sandbox/faults"),
        ("POST", "/sandbox/messages/1/open"),
    ],
)
async def test_what_a_browser_orders_needs_the_token(method: str, path: str, api: Api) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    body = b'{"kind": "redirect"}'
    host = f"http://127.0.0.1:{api.session._base_url.port}"  # type: ignore[union-attr]
    marks: list[Any] = [{"Sec-Fetch-Site": "same-origin"}, {"Origin": host}]
    for mark in marks:
        for extra, status in (({}, 403), ({HEADER: "x"}, 403), ({HEADER: await token(api)}, 200)):
            headers = {**JSON, **mark, **extra}
            async with api.session.request(method, path, data=body, headers=headers) as response:
                if not (status == 200 and path == "/sandbox/messages/1/open"):
                    assert response.status == status
                else:
                    assert response.status in (200, 400)  # it is open already
            if status == 200:
                await api("sendEmail", **MESSAGE, email="anna@mail.by")
    async with api.session.get("/sandbox/truth", headers=marks[0]) as response:
        assert response.status == 200


@pytest.mark.parametrize("mark", [b"Origin: http://127.0.0.1", b"Sec-Fetch-Site: same-origin"])
async def test_a_token_of_any_bytes_is_a_wrong_one(
    mark: bytes, api: Api, connect: Callable[[], Any]
) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    sock = await connect()
    lines = [b"POST /sandbox/reset HTTP/1.1", b"Host: 127.0.0.1", mark, b"Content-Length: 0",
             b"Content-Type: application/json", HEADER.encode() + b": \xff\xfe"]  # fmt: skip
    sock.writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
    status, _, body = await sock.answer()
    assert (status, HEADER.encode() in body) == (403, True)


@pytest.mark.parametrize(
    ("path", "status"),
    [(path, 200) for path in (*PAGES, "/sandbox/page/style.css", "/sandbox/health")]
    + [("/sandbox/page/nothing", 404), ("/nowhere", 404)],
)
async def test_head_has_the_headers_of_get_and_no_body(
    path: str, status: int, api: Api, sandbox: Sandbox, connect: Callable[[], Any]
) -> None:
    host = sandbox.url.removeprefix("http://")
    async with api.session.get(path) as response:
        expected = response.status, response.headers["Content-Length"]
    sock = await connect()
    for ending in (b"", b"Connection: close\r\n"):
        sock.writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {host}\r\n".encode() + ending)
        sock.writer.write(b"\r\n")
    first, second, rest = (await sock.rest()).split(b"\r\n\r\n")
    assert (first, rest) == (second, b"")
    length = re.search(rb"Content-Length: (\d+)", first)
    assert length is not None
    assert (int(first.split()[1]), length[1].decode()) == expected
    assert expected[0] == status


async def test_head_of_the_updates_ends(connect: Callable[[], Any]) -> None:
    sock = await connect()
    sock.writer.write(b"HEAD /sandbox/page/updates HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await sock.rest()).endswith(b"Connection: close\r\n\r\n")


async def test_the_page_is_behind_the_door(api: Api) -> None:
    for path in (*PAGES, "/sandbox/page/updates", "/sandbox/messages"):
        for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            async with api.session.get(path, headers=headers) as response:
                assert response.status == 403


async def test_other_machines_see_it_only_if_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.sandbox.server.is_local", lambda remote: False)
    for remote, status in ((False, 403), (True, 200)):
        async with (
            Sandbox(remote=remote) as sandbox,
            aiohttp.ClientSession(sandbox.url) as session,
        ):
            for path in ("/", "/sandbox/truth", "/sandbox/messages"):
                async with session.get(path) as response:
                    assert response.status == status


async def test_updates_come_by_themselves(
    api: Api, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.sandbox.page.updates.TIME_PASSES", 10**9)
    async with api.session.get("/sandbox/page/updates") as response:
        assert response.content_type == "text/event-stream"

        async def event() -> bytes:
            return (await response.content.readuntil(b"\n\n")).splitlines()[-1 - 1]

        assert await event() == b"data: hello"
        await api("sendEmail", **MESSAGE, email="anna@mail.by")
        assert await event() == b"data: look"
        sandbox.faults.add(Fault("redirect"))
        assert await event() == b"data: look"
        await sandbox.stop()
        assert await response.content.read() == b""


async def test_what_is_not_there(api: Api) -> None:
    for path in ("nothing", "messages/1", "messages/x", "messages/1/html", "messages/0"):
        assert "did not work" in await page(api, f"/sandbox/page/{path}", 404)
    async with api.session.post("/") as response:
        assert response.status == 404
        assert response.content_type == "application/json"


async def test_without_jinja2_the_page_says_what_to_install(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "mailkit.sandbox.page.rendering", raising=False)
    assert "pip install 'mailkit-bulk[cli]'" in await page(api, "/", 503)
    async with api.session.get("/sandbox/messages") as response:
        assert response.status == 200
