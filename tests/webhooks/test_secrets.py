"""The secret: who has it comes in, and nothing shows it."""

from __future__ import annotations

import logging
import traceback

import pytest

from mailkit.errors import InvalidArgument
from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.masking import Masking
from mailkit.webhooks.routes import Routes
from mailkit.webhooks.secrets import Secrets, wrapped

from ..approval import approve
from ..security.canary import CANARY, assert_hidden, everything
from .posting import SECRET

OTHER = "another-secret-of-more-than-16"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (SECRET, True),
        (OTHER, True),
        (SECRET[:-1], False),
        (f"{SECRET}x", False),
        (SECRET.upper(), False),
        ("", False),
        ("\udce4", False),
        ("ключ" * 10, False),
    ],
)
def test_each_of_the_secrets_and_nothing_else_is_right(text: str, right: bool) -> None:
    assert Secrets(wrapped([SECRET, OTHER])).match(text) is right


def test_all_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    secrets = Secrets(wrapped([SECRET, OTHER]))
    for text in (SECRET, OTHER, "x", "x" * 5000):
        compared.clear()
        secrets.match(text)
        assert [(len(one), len(other)) for one, other in compared] == [(32, 32)] * 2


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("too short", "short"),
        ("not for a URL", "with a blank and / slash"),
        ("not ASCII", "ключключключключ"),
        ("none", []),
        ("one of two", [SECRET, "short"]),
    ],
)
def test_a_secret_that_is_refused(name: str, given: str | list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        WebhookReceiver(secret=given)
    approve(f"webhook secret: {name}", str(caught.value))


@pytest.mark.parametrize("given", [CANARY[:12], f"{CANARY} {CANARY}", [SECRET, CANARY + "/"]])
def test_a_refused_secret_does_not_show(given: str | list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        WebhookReceiver(secret=given)
    assert_hidden(everything(caught.value) + "".join(traceback.format_exception(caught.value)))


def test_a_receiver_does_not_show_its_secret() -> None:
    receiver = WebhookReceiver(secret=SECRET)
    for value in (receiver, vars(receiver), vars(receiver.routes)):
        assert SECRET[:8] not in repr(value)


ROUTES = Routes(Secrets(wrapped(SECRET)), {"devino", "sendpulse"})


@pytest.mark.parametrize(
    ("path", "provider", "shown"),
    [
        (f"/devino/{SECRET}", "devino", "/devino/hidden"),
        (f"/devino/{SECRET}/", "devino", "/devino/hidden"),
        (f"/a/b/sendpulse/{SECRET}", "sendpulse", "/a/b/sendpulse/hidden"),
        ("/webhooks/devino/a-guess", None, "/webhooks/devino/hidden"),
        (f"/webhooks/pigeon/{SECRET}", None, "/webhooks/hidden/hidden"),
        (f"/webhooks/{SECRET}/devino", None, "/webhooks/hidden/hidden"),
        (f"/webhooks/devino/{SECRET}/x", None, "/webhooks/devino/hidden/hidden"),
        (f"/{SECRET}/x/y/z", None, "/hidden/x/hidden/hidden"),
        (f"/{SECRET}", None, "/hidden/hidden"),
        ("/", None, "/hidden/hidden"),
        ("", None, "/hidden/hidden"),
        ("//", None, "/hidden/hidden"),
    ],
)
def test_where_paths_lead_and_what_is_shown_of_them(
    path: str, provider: str | None, shown: str
) -> None:
    route = ROUTES.find(path)
    assert (route.provider, route.shown, route.health) == (provider, shown, False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f'"POST /w/devino/{SECRET} HTTP/1.1" 200', '"POST /w/devino/hidden HTTP/1.1" 200'),
        ("/w/sendpulse/mistyped?x=1", "/w/sendpulse/hidden?x=1"),
        (f"/w/pigeon/{SECRET}", "/w/pigeon/hidden"),
        (f"?secret={SECRET}&x", "?secret=hidden&x"),
        ("/signup", "/signup"),
    ],
)
def test_access_logs_are_masked(line: str, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    masking = Masking(ROUTES)
    masking.install()
    try:
        logging.getLogger("uvicorn.access").info("%s %s", "client", line, extra={"line": line})
        logging.getLogger("aiohttp.access").info(line)
    finally:
        masking.remove()
    for record in caplog.records:
        assert shown in record.getMessage()
    assert vars(caplog.records[0])["line"] == shown
    logging.getLogger("uvicorn.access").info(line)
    assert caplog.records[-1].getMessage() == line


def test_errors_of_a_server_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    masking = Masking(ROUTES)
    masking.install()
    try:
        try:
            raise ValueError(f"b'POST /w/devino/{SECRET} HTTP/9'")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request")
    finally:
        masking.remove()
    assert "b'POST /w/devino/hidden HTTP/9'" in caplog.text
    assert SECRET[:8] not in caplog.text
