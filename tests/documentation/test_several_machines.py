"""The page about several machines runs on a PostgreSQL server, from top to bottom."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal.postgres.opening import shown

from ..cli.shop import open_shop
from ..test_public_names import ROOT
from .test_pages import AT_ONCE, FILES, Reader, blocks

PAGE = ROOT / "docs" / "several-machines.md"
ADDRESS = "postgresql://mailkit@db.example.com/mailkit"


def test_what_the_page_shows_runs_on_postgresql(
    postgres_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert f"export MAILKIT_JOURNAL={ADDRESS}\n" in PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    with open_shop(tmp_path, sendpulse=AT_ONCE) as shop:
        shop.environment["MAILKIT_JOURNAL"] = postgres_database
        for name, value in shop.environment.items():
            monkeypatch.setenv(name, value)
        reader = Reader(shop, capsys)
        for block in blocks(PAGE):
            text = block.text.replace(shown(ADDRESS), shown(postgres_database))
            reader.follow(attrs.evolve(block, text=text))
