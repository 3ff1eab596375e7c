"""What docs/observability.md shows runs, and what it lists is what is there."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailkit import Attempt, events
from mailkit.bulk.journal import Recorded
from mailkit.otel import Telemetry

from ..cli.shop import open_shop
from ..test_otel import Seen
from ..test_public_names import ROOT
from .test_pages import FILES, Block, Reader, blocks

PAGE = ROOT / "docs/observability.md"
TEXT = PAGE.read_text(encoding="utf-8")


class Printing(logging.Handler):
    """As the page's program has it, if nobody else had configured logging."""

    def emit(self, record: logging.LogRecord) -> None:
        print(record.levelname, record.name, record.getMessage())


@pytest.fixture
def logs_are_printed() -> Iterator[None]:
    logger, handler = logging.getLogger("mailkit"), Printing()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("logs_are_printed")
def test_what_the_page_shows_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    with open_shop(tmp_path, speed=0) as shop:
        for name, value in shop.environment.items():
            monkeypatch.setenv(name, value)
        reader = Reader(shop, capsys)
        for block in blocks(PAGE):
            if block.language == "json":
                check_log(block, reader.printed or "")
            else:
                reader.follow(block)
        assert shop.sandbox.truth.emails == 6


def check_log(shown: Block, printed: str) -> None:
    """Each line of the page is one that was written, but for its time."""
    written = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    for line in shown.text.splitlines():
        expected = json.loads(line)
        [found] = [one for one in written if one["event"] == expected["event"]]
        assert [*found] == [*expected]
        varying = ("time", "reference")
        assert {k: v for k, v in found.items() if k not in varying} == {
            k: v for k, v in expected.items() if k not in varying
        }


def rows(heading: str) -> dict[str, str]:
    """The first and the last cell of the rows of the table below a line with this."""
    table = TEXT.partition(heading)[2].partition("\n\n")[2].partition("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {cells[0].strip("`"): cells[-1] for cells in lines}


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([\w.]+)`", cell))


def test_each_event_is_listed_with_its_facts() -> None:
    kinds = [kind for kind in vars(events).values() if _is_job_event(kind)]
    expected = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): names_of(kind) for kind in kinds
    }
    expected["attempt"] = names_of(Attempt)
    expected["post"] = {"provider", *names_of(Recorded)}
    shown = rows("and the others are these:")
    assert {event: words(facts) for event, facts in shown.items()} == expected


def _is_job_event(kind: Any) -> bool:
    return (
        isinstance(kind, type) and issubclass(kind, events.JobEvent) and kind is not events.JobEvent
    )


def names_of(kind: type[Any]) -> set[str]:
    return {field.name for field in attrs.fields(kind)}


async def test_the_metrics_are_those_that_are_there() -> None:
    seen = Seen()
    Telemetry(seen.tracers, seen.meters)
    scopes = TEXT.partition("| metric | counts |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^\| `([\w.]+)` ", scopes, re.MULTILINE))
    source = (ROOT / "mailkit/otel.py").read_text(encoding="utf-8")
    assert listed == set(re.findall(r'"((?:http|mailkit)\.[\w.]+)",\s+"(?:s|{)', source))
