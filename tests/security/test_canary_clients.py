"""Before the network: clients that can't be made, input that can't be sent, what a client holds."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailkit.core.client import Client
from mailkit.errors import MailkitError
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy

from ..core.doubles import Script
from .acts import CLIENTS, FILE, LETTER, Call, each_client
from .canary import CANARY, assert_hidden, everything

ENVIRONMENT: dict[str, tuple[type[SmsBy] | type[Devino] | type[SendPulse], dict[str, str]]] = {
    "smsby": (SmsBy, {"SMSBY_TOKEN": CANARY}),
    "devino": (Devino, {"DEVINO_API_KEY": CANARY}),
    "sendpulse": (SendPulse, {"SENDPULSE_API_KEY": CANARY}),
    "sendpulse with a token": (
        SendPulse,
        {"SENDPULSE_CLIENT_ID": CANARY, "SENDPULSE_CLIENT_SECRET": CANARY},
    ),
    "sendpulse with too much": (
        SendPulse,
        {"SENDPULSE_API_KEY": CANARY, "SENDPULSE_CLIENT_SECRET": CANARY},
    ),
}

MAKERS: dict[str, Callable[[str], Client]] = {
    "smsby": SmsBy,
    "devino": Devino,
    "sendpulse's key": lambda key: SendPulse(api_key=key),
    "sendpulse's id": lambda key: SendPulse(key, CANARY),
    "sendpulse's secret": lambda key: SendPulse(CANARY, key),
}


@pytest.mark.parametrize(
    "wrong",
    [{"url": "http://a.by"}, {"timeout": 0}, {"connections": 0}, {"account": "a\nb"}],
    ids=str,
)
@each_client
def test_a_client_with_a_wrong_option_shows_nothing(
    make: Callable[..., Client], wrong: dict[str, Any]
) -> None:
    with pytest.raises(MailkitError) as caught:
        make(**wrong)
    assert_hidden(everything(caught.value))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("end", [" ", "\r\nX: y", "é", "\0"])
def test_a_credential_that_can_t_be_sent_is_not_shown(
    make: Callable[[str], Client], end: str
) -> None:
    with pytest.raises(MailkitError) as caught:
        make(CANARY + end)
    assert_hidden(everything(caught.value))


def test_too_many_credentials_are_not_shown() -> None:
    for pair in ((CANARY, CANARY), (CANARY, None), (None, CANARY)):
        with pytest.raises(MailkitError) as caught:
            SendPulse(*pair, api_key=CANARY)
        assert_hidden(everything(caught.value))


@pytest.mark.parametrize("name", ENVIRONMENT)
@pytest.mark.parametrize("options", [{}, {"timeout": 0}, {"zone": "Nowhere"}], ids=str)
def test_an_environment_of_no_use_is_not_shown(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, variables = ENVIRONMENT[name]
    for key, value in variables.items():
        monkeypatch.setenv(f"MAILKIT_{key}", value)
    if not options:
        monkeypatch.setenv(f"MAILKIT_{client.name.upper()}_URL", f"http://{client.name}.example")
    with pytest.raises((MailkitError, TypeError)) as caught:  # Devino has no zone
        client.from_env(**options)
    assert_hidden(everything(caught.value))


# input


def letters(call: Callable[[Any], Any], **more: Any) -> list[Call]:
    """The call with a letter, once for each thing that is wrong with it."""
    changes: list[dict[str, Any]] = [
        {"html": "\ud83d[Unsubscribe]"},
        {"subject": "a\n"},
        {"sender": "nobody"},
        {"subject": 7},
    ]
    return [partial(_called, call, LETTER | more | one) for one in changes]


async def _called(call: Callable[[Any], Any], letter: dict[str, Any], client: Any) -> object:
    return await call(client)(**letter)


WRONG: dict[str, list[Call]] = {
    "smsby": [
        *letters(lambda c: c.emails.send, to="c@d.by"),
        *letters(lambda c: c.emails.send_to_list, list_id=1),
        *letters(lambda c: c.bulk.send, delivery_list=["c@d.by"]),
        lambda c: c.emails.send(**LETTER, to="c@d.by", attachment=Path("none")),
        lambda c: c.emails.send(**LETTER, to="c@d.by", send_at=datetime(2030, 1, 1)),
    ],
    "devino": [
        *letters(lambda c: c.messages.send, recipients=["c@d.by"]),
        lambda c: c.messages.send(**LETTER, recipients=[]),
        lambda c: c.files.upload(Path("none.pdf")),
        lambda c: c.files.upload(b"x"),
    ],
    "sendpulse": [
        *letters(lambda c: c.campaigns.create, list_id=1),
        *letters(lambda c: c.campaigns.send_test, list_id=1, to=["c@d.by"]),
        lambda c: c.campaigns.create(**LETTER, list_id=1, attachments=[FILE, FILE]),
        lambda c: c.campaigns.create(**LETTER, list_id=1, attachments=[Path("none")]),
        lambda c: c.mailing_lists.add_contacts_double_opt_in(1, ["nobody"], "a@b.by", "en"),
        lambda c: c.senders.request_code(".."),
        lambda c: c.senders.add("a@b.by", "a\n"),
        lambda c: c.webhooks.create(f"https://a.by/{CANARY}\r\n", "open"),
        lambda c: c.webhooks.create(f"https://a.by/{CANARY}", []),
        lambda c: c.webhooks.update("..", f"https://a.by/{CANARY}"),
    ],
}
WRONG["sendpulse with a token"] = WRONG["sendpulse"]


@pytest.mark.parametrize("name", CLIENTS)
async def test_input_that_can_t_be_sent_shows_nothing(name: str) -> None:
    script = Script()
    client = CLIENTS[name](transport=script)
    for call in WRONG[name]:
        with pytest.raises((MailkitError, AttributeError)) as caught:
            await call(client)
        assert_hidden(everything(caught.value))
    assert script.requests == []


# what a client holds


@each_client
def test_a_client_cannot_be_pickled(make: Callable[..., Client]) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(make())
    assert_hidden(everything(caught.value))


@each_client
def test_nothing_inside_a_client_shows_its_credential(make: Callable[..., Client]) -> None:
    assert_hidden(_deep(make(), 6))


def _deep(value: object, depth: int) -> str:
    inner = vars(value).values() if hasattr(value, "__dict__") else ()
    return repr(value) + "".join(_deep(one, depth - 1) for one in inner if depth)
