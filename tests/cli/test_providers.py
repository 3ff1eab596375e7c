"""Providers are found by their entry points, and only the one that is asked for is imported."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mailkit.provider import ProviderClass

from .shop import Shop, customer

GROUP = "mailkit.providers"


def install(folder: Path, package: str, value: str, code: str = "", name: str = "pigeon") -> None:
    """A package with one module, and an entry point for a provider of this name."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    (folder / f"{package}.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are found in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def refused(shop: Shop, name: str, provider: str = "pigeon") -> None:
    """A send through this provider ends with the sentence of this name, before anything is sent."""
    ended = shop("send", shop.letter(), shop.customers(1), "--provider", provider)
    ended.check_refusal(name)
    assert shop.sandbox.truth.emails == 0


def test_ours_are_found_like_all_others() -> None:
    loaded: dict[str, ProviderClass] = {
        point.name: point.load() for point in entry_points(group=GROUP)
    }
    assert {name: getattr(kind, "name", None) for name, kind in loaded.items()} == {
        "devino": "devino",
        "sendpulse": "sendpulse",
        "smsby": "smsby",
    }


def test_a_provider_without_a_bulk_send(shop: Shop, site: Path) -> None:
    install(site, "coop", "coop:Pigeon", "class Pigeon: pass")
    refused(shop, "a provider without a bulk send")


@pytest.mark.parametrize(
    ("trouble", "code", "value"),
    [
        ("needs another one", "import stool_pigeon", "loft:Pigeon"),
        ("fails", "1 / 0", "loft:Pigeon"),
        ("has another class", "", "loft:Pigeon"),
        ("is not Python", "def", "loft:Pigeon"),
        ("is not there", "", "attic:Pigeon"),
    ],
)
def test_a_provider_that_can_not_be_imported(
    shop: Shop, site: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, code: str, value: str
) -> None:
    monkeypatch.delitem(sys.modules, "loft", raising=False)
    install(site, "loft", value, code)
    refused(shop, f"a provider whose module {trouble}")


def test_a_broken_provider_is_in_nobody_elses_way(shop: Shop, site: Path) -> None:
    install(site, "broken", "broken:Pigeon", "1 / 0")
    ended = shop.send(shop.letter(), shop.customers(1))
    assert (ended.code, ended.err) == (0, "")
    assert shop.sandbox.truth.mailed == {customer(0): 1}


def test_two_packages_with_one_name(shop: Shop, site: Path) -> None:
    install(site, "one", "one:Pigeon")
    install(site, "other", "other:Pigeon")
    refused(shop, "two packages with one provider")
