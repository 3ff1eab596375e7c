"""The message that docs/messages.md begins with is taken by every service; what only some take is
taken by those that the page names.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..cli.shop import Ended, Shop, open_shop
from ..test_public_names import ROOT
from .test_pages import FILES, Block, blocks

FOR_ALL, FOR_SOME = (one for one in blocks(ROOT / "docs/messages.md") if one.language == "toml")
SERVICES = {"sms.by": "smsby", "Devino": "devino", "SendPulse": "sendpulse"}
ENVIRONMENT = {
    "MAILKIT_SMSBY_UNSUBSCRIBE_URL": "https://shop.by/bye?e={{ email }}",
    "MAILKIT_SENDPULSE_ZONE": "Europe/Minsk",
}


def planned(shop: Shop, text: str, provider: str) -> Ended:
    message = shop.folder / "message.toml"
    message.write_text(text, encoding="utf-8")
    place = shop.folder / "list.csv"
    place.write_text(FILES["list.csv"], encoding="utf-8")
    (shop.folder / "price.pdf").write_bytes(b"%PDF-1.4")
    return shop("plan", message, place, "--provider", provider, environment=ENVIRONMENT)


def with_line(message: Block, line: str) -> str:
    """The message with this line, in place of the one with the same key."""
    key = line.partition(" ")[0]
    rest = re.sub(rf"^{key} = .*\n", "", message.text, flags=re.MULTILINE)
    return f"{line}\n{rest}"


@pytest.mark.parametrize("provider", SERVICES.values())
def test_the_first_message_is_taken_by_all(provider: str, tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        assert planned(shop, FOR_ALL.text, provider).code == 0


@pytest.mark.parametrize("line", [one for one in FOR_SOME.text.splitlines() if " = " in one])
def test_a_key_is_taken_by_those_that_its_line_names(line: str, tmp_path: Path) -> None:
    named = {SERVICES[name] for name in line.rpartition("# ")[2].split(", ")}
    with open_shop(tmp_path) as shop:
        ends = {
            provider: planned(shop, with_line(FOR_ALL, line), provider)
            for provider in SERVICES.values()
        }
    assert {provider for provider, ended in ends.items() if ended.code == 0} == named
    assert all(ended.code == 1 for name, ended in ends.items() if name not in named)
