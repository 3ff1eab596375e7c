"""Every sentence that a person reads stands in ``tests/sentences.json``, by a name of its own.

A test compares an error's class, code and place itself, and has its words approved:

    approve("no journal", ended.err, path=shop.journal)

``pytest --approve`` writes down what is said now, to be read before it is committed. A run of all
tests fails if nobody says a sentence of the file any longer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

__all__ = ["approve"]

Texts = dict[str, str]
_FILE = "tests/sentences.json"


class _Sentences:
    """The approved sentences, and those that were said in this process and its workers."""

    def __init__(self) -> None:
        self.file = Path(_FILE)
        self.approving = False
        self.approved: Texts = {}
        self.said: Texts = {}
        self.stale: list[str] = []

    def open(self, file: Path, *, approving: bool) -> None:
        self.__init__()  # type: ignore[misc]
        self.file, self.approving = file, approving
        if file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            self.approved = {
                name: text if isinstance(text, str) else "\n".join(text)
                for name, text in found.items()
            }

    def save(self, *, alone: bool) -> None:
        """``alone``: nothing else is ever said."""
        texts = self.said if alone else {**self.approved, **self.said}
        found = {
            name: text.split("\n") if "\n" in text.rstrip("\n") else text
            for name, text in sorted(texts.items())
        }
        self.file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


_sentences = _Sentences()


def approve(name: str, text: str, /, **places: object) -> None:
    """Compare the text with the approved one of this name; values of ``places``, such as paths, are
    written as their names.
    """
    for place, value in sorted(places.items(), key=lambda item: -len(str(item[1]))):
        text = text.replace(str(value), f"{{{place}}}")
    before = _sentences.said.setdefault(name, text)
    if not _sentences.approving:
        before = _sentences.approved.get(name, "(not approved yet)")
    assert text == before, f"{name}: run pytest --approve, and read what has changed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --approve."""
    parser.addoption("--approve", action="store_true", help="approve all sentences as they are")


def pytest_configure(config: pytest.Config) -> None:
    """Read the file."""
    _sentences.open(config.rootpath / _FILE, approving=bool(config.getoption("--approve")))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Hear what was said in a worker of xdist."""
    _sentences.said.update(getattr(node, "workeroutput", {}).get("sentences", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the file, or look for stale sentences."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["sentences"] = _sentences.said
        return
    whole = exitstatus == pytest.ExitCode.OK and _runs_everything(session.config)
    if _sentences.approving:
        _sentences.save(alone=whole)
    elif whole:
        _sentences.stale = sorted(_sentences.approved.keys() - _sentences.said.keys())
        if _sentences.stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the stale sentences."""
    for name in _sentences.stale:
        terminalreporter.write_line(f"{_FILE}: nobody says {name!r} any longer: pytest --approve")


def _runs_everything(config: pytest.Config) -> bool:
    option = config.option
    some = option.keyword or option.markexpr or option.deselect or option.ignore
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS  # none was named
    return everything and not some and sys.platform == "linux"
