"""What docs/adding-a-provider.md shows is the fourth provider, which passes its own tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/adding-a-provider.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL)
SOURCES = [
    path.read_text(encoding="utf-8")
    for pattern in ("*.py", "*.toml")
    for path in (ROOT / "tests/listmail").rglob(pattern)
]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_of_the_page_is_what_the_provider_does(block: str) -> None:
    assert any(block in source for source in SOURCES)


def test_there_are_blocks() -> None:
    assert len(BLOCKS) > 5
