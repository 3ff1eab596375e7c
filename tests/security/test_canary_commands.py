"""No command shows a credential: not on the terminal, in a log or in a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import DevinoSettings, Fault, SmsBySettings

from ..cli.shop import PERSONAL, Ended, Shop, customer, open_shop
from .canary import CANARY, TEXT, assert_hidden, folder
from .service import EMPTY, SENT, Said, Script, no, service, taken

LETTERS: dict[str, dict[str, str]] = {
    "smsby": PERSONAL,
    "devino": PERSONAL | {"subject": "Hi", "html": "<p>Hi {{ name }}</p>{{ unsubscribe }}"},
}
SENDS = {"smsby": "smsby.bulk.send", "devino": "devino.messages.send"}
GOOD: dict[str, dict[str, Said]] = {
    "smsby": {
        "sendBulkEmail": Said(SENT),
        "statusBulkEmail": Said(taken(customer(0))),
        "getEmailTemplates": Said(EMPTY),
    },
    "devino": {
        "files": Said(b'{"result": {"fileId": "f-1"}}'),
        "messages": Said(
            b'{"result": [{"index": 0, "address": "%b", "messageId": "m-1"}], "description": "ok"}'
            % customer(0).encode()
        ),
    },
}
"""What a service says at the paths that a job asks, where all goes well."""

each_provider = pytest.mark.parametrize("provider", LETTERS)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    with open_shop(
        tmp_path, smsby=SmsBySettings(token=CANARY), devino=DevinoSettings(api_key=CANARY)
    ) as opened:
        for name in ("SMSBY_TOKEN", "DEVINO_API_KEY"):
            assert opened.environment[f"MAILKIT_{name}"] == CANARY
        yield opened


def shown(ended: Ended) -> Ended:
    assert_hidden(ended.out + ended.err)
    return ended


COMMANDS: list[list[str]] = [
    ["status"],
    ["status", "--json"],
    ["status", "autumn"],
    ["status", "autumn", "--follow", "--track", "0s"],
    ["report", "autumn"],
    ["report", "autumn", "--json"],
    ["report", "autumn", "--csv"],
    ["report", "autumn", "--as-recipients"],
    ["report", "autumn", "--html"],
    ["resume", "autumn"],
    ["resolve", "autumn", "1", "--not-sent"],
    ["resume", "autumn", "--json"],
    ["report", "nobody"],
]


@each_provider
@pytest.mark.parametrize(
    "kind",
    [None, "reset_after_acting", "error_envelope", "token_refused", "server_error", "html_200",
     "rate_limited", "redirect", "cut_json", "wrong_types"],
)  # fmt: skip
def test_no_command_and_no_file_shows_the_credential(
    shop: Shop, kind: Any, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    send = SENDS[provider]
    if kind is not None:
        more: dict[str, Any] = {"retry_after": 0} if kind == "rate_limited" else {}
        shop.sandbox.faults.add(Fault(kind, on=send, times=1, **more))
    people = shop.table(["email,name", *(f"{customer(n)},N {n}" for n in range(3)), "nobody,x"])
    letter = shop.letter(**LETTERS[provider])
    shown(shop("send", letter, people, "--provider", provider, "--name", "autumn"))
    for words in COMMANDS:
        shown(shop(*words))
    assert shop.sandbox.requests[send] >= 1
    assert send.replace(".", " ", 1) in caplog.text
    assert_hidden(caplog.text)
    assert_hidden(folder(shop.folder))


@pytest.mark.parametrize("word", ["--help", "--nonsense"])
def test_no_help_shows_the_credential(word: str, shop: Shop) -> None:
    shown(shop("send", word))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize(
    ("provider", "path"), [(provider, path) for provider, good in GOOD.items() for path in good]
)
def test_no_echo_reaches_the_terminal(provider: str, path: str, status: int, shop: Shop) -> None:
    said = Said(
        no(provider, f"bad token {TEXT}").encode(), status, {"Retry-After": "0", "Location": TEXT}
    )
    script: Script = {**GOOD[provider], path: [said, GOOD[provider][path]]}
    with service(script) as running:
        for name in ("SMSBY", "DEVINO"):
            shop.environment[f"MAILKIT_{name}_URL"] = running.url
        (shop.folder / "price.pdf").write_bytes(b"%PDF")
        files = {"attachments": ["price.pdf"]} if "files" in GOOD[provider] else {}
        letter, people = shop.letter(**{**LETTERS[provider], **files}), shop.customers(1)
        words = ("send", letter, people, "--provider", provider, "--name", "autumn")
        assert shown(shop(*words)).code in (0, 1, 3, 4)
        assert path in [asked.rpartition("/")[2] for asked in running.asked]
        for command in COMMANDS[:2]:
            shown(shop(*command))
    assert_hidden(folder(shop.folder))


@each_provider
def test_a_process_with_every_log_on_shows_nothing(shop: Shop, provider: str) -> None:
    shop.environment.update(PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1")
    shop.sandbox.faults.add(Fault("token_refused", on=SENDS[provider], times=1))
    letter, people = shop.letter(**LETTERS[provider]), shop.customers(2)
    ended = shown(shop.run("send", letter, people, "--provider", provider, "--json"))
    assert ended.code == 1
    assert_hidden(folder(shop.folder))
