"""What docs/observability.md shows runs, and what it lists is what is there."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from typer.main import get_command

from mailkit import Attempt, events
from mailkit.bulk.journal import Recorded
from mailkit.cli.app import app

from ..cli.shop import open_shop
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
                if block.language == "python":  # a program of its own
                    logging.getLogger("mailkit").setLevel(logging.NOTSET)
                reader.follow(block)
        assert shop.sandbox.truth.emails == 6


def check_log(shown: Block, printed: str) -> None:
    """Each line of the page is the one that was written, but for its time and those of attempts."""
    written = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    written = [one for one in written if one["event"] != "attempt"]
    for found, line in zip(written, shown.text.splitlines(), strict=True):
        expected = json.loads(line)
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


def test_the_metrics_are_those_that_are_there() -> None:
    table = TEXT.partition("| metric | kind | unit |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^\| `([\w.]+)` \| (\w+) \| `([\w{}]+)` ", table, re.MULTILINE))
    source = (ROOT / "mailkit/otel.py").read_text(encoding="utf-8")
    made = re.findall(r'\.create_(\w+)\(\s*"([\w.]+)",\s*"([\w{}]+)"', source)
    assert listed == {(name, kind, unit) for kind, name, unit in made}
    assert listed


def test_each_event_of_a_command_is_listed() -> None:
    sources = (ROOT / "mailkit/cli").glob("*.py")
    calls = [
        call
        for source in sources
        for call in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
    ]
    expected = {"notice", "log"}  # of what has no event of its own
    for call in calls:
        place = {"note": 0, "say": 1}.get(ast.unparse(call.func).rpartition(".")[2])
        if place is not None and len(call.args) > place:
            event = call.args[place]
            expected |= {str(event.value)} if isinstance(event, ast.Constant) else set()
    table = TEXT.partition("there are those of the command itself")[2].partition("\n\n## ")[0]
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", table, re.MULTILINE)
    assert {name for cell in cells for name in words(cell)} == expected


def test_the_commands_that_log_json_are_named() -> None:
    group: Any = get_command(app)
    having = {
        name
        for name, command in group.commands.items()
        if any("--log-json" in one.opts for one in command.params)
    }
    named = re.search(r"\n\n((?:`\w+`(?:, | and ))+`\w+`) take `--log-json`", TEXT)
    assert named
    assert words(named[1]) == having
