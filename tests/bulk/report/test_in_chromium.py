"""The page as a browser has it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from html import escape, unescape
from pathlib import Path

import msgspec
import pytest

from mailkit import Journal, html_report

from ...chromium import PROGRAM, needs_chromium
from ..fakes import FakeProvider, memory_journal, people
from .test_page import sent

WIDTHS = (320, 375, 768, 1100)
HOSTILE = "</title></style><script>top.acted = 1</script><img src=x onerror='top.acted = 1'>"
FRAMES = """<!doctype html><body>{frames}<script>
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, style = frame.contentWindow.getComputedStyle(page.body);
    return {{
      needs: page.documentElement.scrollWidth, width: frame.clientWidth,
      styled: style.maxWidth, title: page.title, images: page.images.length,
      loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
    }};
  }});
  document.body.dataset.found = JSON.stringify({{acted: window.acted ?? 0, frames: found}});
}});
</script>"""

pytestmark = needs_chromium


class Frame(msgspec.Struct):
    needs: int
    width: int
    styled: str
    title: str
    images: int
    loaded: int


class Found(msgspec.Struct):
    acted: int
    frames: list[Frame]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


def look(folder: Path, html: str) -> Found:
    """What a browser makes of the page in frames of all widths."""
    (folder / "page.html").write_text(html, encoding="utf-8")
    frames = (f'<iframe src="page.html" width={n} height=900></iframe>' for n in WIDTHS)
    (folder / "frames.html").write_text(FRAMES.format(frames="".join(frames)), encoding="utf-8")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files")
    ended = subprocess.run(
        [
            PROGRAM,
            *options,
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            (folder / "frames.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    found = re.search('data-found="([^"]*)"', ended.stdout)
    assert found, ended.stderr
    return msgspec.json.decode(unescape(found[1]), type=Found)


async def test_the_page_fits_every_width_and_nothing_in_it_acts(
    journal: Journal, tmp_path: Path
) -> None:
    name = f"autumn {HOSTILE} {'long' * 20}"
    bad = FakeProvider(bad={"p1@example.com"}, why=HOSTILE)
    items = [*people(12), f"{'x' * 300}{HOSTILE}", "nobody"]
    await sent(journal, items, bad, name=name)
    html = await html_report(journal, name)
    assert escape(HOSTILE) in html
    found = look(tmp_path, html)
    assert not found.acted
    for frame in found.frames:
        assert frame.needs <= frame.width
        assert frame.styled == "960px", "the policy has blocked the style"
        assert frame.title == f"{name}: report"
        assert (frame.images, frame.loaded) == (0, 0)
