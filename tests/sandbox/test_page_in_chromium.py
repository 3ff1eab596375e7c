"""The page in a browser: it follows the sandbox, serves a keyboard, and a message can't harm it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailkit.sandbox import Sandbox

from ..chromium import Tab, needs_chromium, opened
from .conftest import MESSAGE, Api

pytestmark = needs_chromium

EVIL = """<style>h1 {color: rgb(1, 2, 3)}</style><h1>Autumn</h1>
<script>top.location = 'http://127.0.0.1:1/'; document.body.innerHTML = 'harmed'</script>
<img src=x onerror="document.body.innerHTML = 'harmed'"><iframe src="/sandbox/reset"></iframe>
<form action="/sandbox/page/reset" method="post"><button>Reset</button></form>
<meta http-equiv="refresh" content="0; url=/">"""


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with opened(tmp_path) as tab:
        yield tab


async def test_a_message_is_seen_opened_and_harmless(tab: Tab, api: Api, sandbox: Sandbox) -> None:
    await tab.open(f"{sandbox.url}/")
    await tab.until("document.querySelector('[data-link]').textContent === 'live'")
    assert not await tab.value("document.querySelector('.messages')")

    await api("sendEmail", **{**MESSAGE, "message": EVIL}, email="anna@mail.by")
    await tab.until("document.querySelector('.messages a')")  # by itself
    assert await tab.value("document.getElementById('nav-messages').textContent") == "Messages 1"
    for _ in range(30):
        await tab.press("Tab", 9)
        if await tab.value("document.activeElement.id") == "message-1":
            break
    await tab.press("Enter", 13)
    await tab.until("document.querySelector('iframe') && document.readyState === 'complete'")

    frames = (await tab("Page.getFrameTree"))["frameTree"]["childFrames"]
    assert [one["frame"]["url"] for one in frames] == [
        f"{sandbox.url}/sandbox/page/messages/1/html"
    ]
    world = await tab("Page.createIsolatedWorld", frameId=frames[0]["frame"]["id"])
    found = await tab(
        "Runtime.evaluate",
        contextId=world["executionContextId"],
        expression="getComputedStyle(document.querySelector('h1')).color + origin + "
        "document.body.innerText.includes('harmed')",
    )
    assert found["result"]["value"] == "rgb(1, 2, 3)nullfalse"
    assert await tab.value("location.pathname") == "/sandbox/page/messages/1"

    await tab.value("document.querySelector('button[value=bounce]').focus()")
    await tab.press("Enter", 13)
    await tab.until("document.querySelector('[role=status]')")
    assert sandbox.inbox.state(sandbox.inbox.get(1)) == "undelivered"
    assert await tab.value("document.activeElement.value") == "bounce"
    sandbox.clock.advance(86400)
    await tab.until("document.querySelector('#live-time time').textContent !== ''")
    assert sandbox.requests.total() == 1  # not even an icon was asked for


LINKS = ("", "target=_self", "target=''", "target=_top", "target=_parent", "target=_blank")


@pytest.mark.parametrize("target", LINKS)
async def test_a_click_on_a_link_leaves_the_message_where_it_is(
    target: str, tab: Tab, api: Api, sandbox: Sandbox
) -> None:
    link = f"<a href='{sandbox.url}/clicked' {target}><h1 style='height: 200px'>Shop</h1></a>"
    await api("sendEmail", **{**MESSAGE, "message": link}, email="anna@mail.by")
    await tab.open(f"{sandbox.url}/sandbox/page/messages/1")
    place = "JSON.stringify(document.querySelector('iframe').getBoundingClientRect())"
    frame = json.loads(await tab.value(place))
    at = {"x": frame["x"] + 60, "y": frame["y"] + 60, "button": "left", "clickCount": 1}
    for kind in ("mousePressed", "mouseReleased"):
        await tab("Input.dispatchMouseEvent", type=kind, **at)
    if target != "target=_self" and target != "target=''":
        await tab.press("Enter", 13)  # what was clicked has the focus
    await tab.value("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    frames = (await tab("Page.getFrameTree"))["frameTree"]["childFrames"]
    assert [one["frame"]["url"] for one in frames] == [
        f"{sandbox.url}/sandbox/page/messages/1/html"
    ]
    assert not frames[0]["frame"].get("unreachableUrl")
    assert await tab.value("location.pathname") == "/sandbox/page/messages/1"
    assert sandbox.requests.total() == 1


async def test_a_reset_asks_first(tab: Tab, api: Api, sandbox: Sandbox) -> None:
    await api("sendEmail", **MESSAGE, email="anna@mail.by")
    await tab.open(f"{sandbox.url}/sandbox/page/faults")
    for accept, left in ((False, 1), (True, 0)):
        await tab.value("setTimeout(() => document.querySelector('.danger').click())")
        await tab.heard("Page.javascriptDialogOpening")
        await tab("Page.handleJavaScriptDialog", accept=accept)
        if accept:
            await tab.until("location.pathname === '/'")
        assert sandbox.truth.emails == left
    assert tab.complaints == []


async def test_a_phone_shows_every_page_whole_in_light_and_dark(
    tab: Tab, api: Api, sandbox: Sandbox
) -> None:
    word = "a-word-without-an-end-" * 20
    await api("createSubscriberList", name=word)
    message = {**MESSAGE, "subject": word, "message": word}
    await api("sendEmail", **message, sender_name=word, email=f"{'a' * 60}@{'b' * 60}.by")
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    await tab("Emulation.setDeviceMetricsOverride", **screen)
    pages = ("accounts", "state", "webhooks", "faults", "messages/1", "messages/1?view=source")
    for path in ("/", *(f"/sandbox/page/{one}" for one in pages)):
        await tab.open(sandbox.url + path)
        await tab.value("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert await tab.value("document.documentElement.scrollWidth") == 390, path
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            await tab("Emulation.setEmulatedMedia", features=[feature])
            styles = (
                "[document.body, document.querySelector('h1')].map(one => getComputedStyle(one))"
            )
            back, text = await tab.value(f"(([a, b]) => [a.backgroundColor, b.color])({styles})")
            assert (_brightness(back) > _brightness(text)) == (scheme == "light")
    assert tab.complaints == []


async def test_an_open_page_does_not_hold_the_sandbox_up(tab: Tab, sandbox: Sandbox) -> None:
    await tab.open(f"{sandbox.url}/")
    await tab.until("document.querySelector('[data-link]').textContent === 'live'")
    async with asyncio.timeout(10):
        await sandbox.stop()
    await tab.until("document.querySelector('[data-link]').textContent === 'not connected'")


def _brightness(color: str) -> int:
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
