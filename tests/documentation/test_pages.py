"""What the pages show runs, from top to bottom as a reader would do it: files are written, commands
and programs run against the sandbox, and what a page says they print is printed.

Pages whose programs need more have tests of their own, see ELSEWHERE.
"""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailkit import SendPulse
from mailkit.sandbox import Fault, SendPulseSettings

from ..cli.shop import Shop, open_shop
from ..test_public_names import ROOT

official = pytest.importorskip("pysendpulse.pysendpulse")
ELSEWHERE = {
    "several-machines.md": "tests/documentation/test_several_machines.py",
    "observability.md": "tests/documentation/test_observability.py",
    "adding-a-provider.md": "tests/test_adding_a_provider.py",
    "testing.md": "tests/testing/test_documentation.py",
    "webhooks.md": "tests/webhooks/test_documentation.py",
}
ALL = sorted(ROOT.glob("docs/**/*.md"))
PAGES = [page for page in ALL if page.name not in ELSEWHERE]
UNTIL_CTRL_C = ("sandbox", "listen", "worker")
LIST = "email,name,city\na@b.by,Anna,Minsk\n"
FILES = {
    "message.toml": 'sender = "Shop <news@shop.by>"\nsubject = "Hi"\nhtml = "<p>Hello</p>"\n',
    "list.csv": LIST,
    "autumn.csv": f"{LIST}b@c.by,Boris,Brest\n",
    "clients.csv": "Рабочий e-mail,E-mail 2\nc@d.by,\n",
}
"""What readers are supposed to have."""
AT_ONCE = SendPulseSettings(moderated_first=0, copying=0, sending=0)
"""A service that is done with a campaign at once."""

_fenced = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_exit_code = re.compile(r"\s+# exit code (\d)$").search


@attrs.frozen
class Block:
    """A fenced block of a page."""

    language: str
    file: str
    text: str


def lose_two_responses(shop: Shop) -> None:
    """The job autumn, with two chunks in doubt."""
    shop.sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", times=2))
    ended = shop.send(shop.letter(), shop.customers(501, "customers.csv"), "--name", "autumn")
    assert ended.code == 3


def refuse_the_token_once(shop: Shop) -> None:
    """The job autumn, stopped with everybody unsent."""
    shop.sandbox.faults.add(Fault("token_refused", on="smsby.bulk.send", times=1))
    words = ("message.toml", "list.csv", "--provider", "smsby", "--name", "autumn")
    assert shop("send", *words).code == 1


BEFORE = {"doubts.md": lose_two_responses, "services.md": refuse_the_token_once}
"""What has happened when the page begins."""


def blocks(page: Path) -> Iterator[Block]:
    for language, file, text in _fenced.findall(page.read_text(encoding="utf-8")):
        yield Block(language, file, text)


def check_shown(shown: str, printed: str) -> None:
    """Each line is shown as it was printed; an … at the end of one is for the rest of it, a line
    that is nothing else for any number of lines.
    """
    rest = printed.splitlines()
    lines = shown.splitlines()
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        if line == "…":
            while rest and not _is(after, rest[0]):
                del rest[0]
        else:
            assert rest, f"nobody prints {line!r}"
            assert _is(line, rest[0]), f"{rest[0]!r} is printed, not {line!r}"
            del rest[0]
    assert rest == []


def _is(shown: str | None, line: str) -> bool:
    """Whether the line is the one that is shown."""
    if shown is None:
        return False
    return line.startswith(shown[:-1]) if shown.endswith("…") else line.rstrip() == shown


@attrs.define
class Reader:
    """Does what a page shows; ``printed`` is what the last program or commands said."""

    shop: Shop
    capsys: pytest.CaptureFixture[str]
    names: dict[str, Any] = attrs.field(factory=lambda: {"__name__": "page"})
    printed: str | None = None

    def follow(self, block: Block) -> None:
        if block.file:
            place = Path(block.file)
            place.parent.mkdir(exist_ok=True)
            place.write_text(block.text, encoding="utf-8")
        if block.language == "python":
            self.run_program(block)
        elif block.language == "sh":
            self.printed = "".join(map(self.run_line, block.text.splitlines())) or None
        elif block.language == "text" and self.printed is not None:
            check_shown(block.text, self.printed)

    def run_program(self, block: Block) -> None:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(block.text, block.file or "page", "exec", flags, dont_inherit=True)
        self.capsys.readouterr()
        running = eval(code, self.names)
        if running is not None:
            asyncio.run(running)
        self.printed = self.capsys.readouterr().out

    def run_line(self, line: str) -> str:
        """What a command of mailkit prints; other programs are not run."""
        expected = int(found[1]) if (found := _exit_code(line)) else 0
        words = shlex.split(line, comments=True)
        if words[:1] != ["mailkit"]:
            return ""
        if words[1] in UNTIL_CTRL_C:
            for fault in words[3:] if words[2:3] == ["--fault"] else ():
                self.shop.sandbox.faults.add(Fault.parse(fault))
            return ""
        ended = self.shop(*words[1:])
        assert ended.code == expected, ended
        return ended.out + ended.err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_what_the_page_shows_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = [*blocks(page)]
    if not any(block.language in ("python", "sh") for block in shown):
        return
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    with open_shop(tmp_path, sendpulse=AT_ONCE) as shop:
        for name, value in shop.environment.items():
            monkeypatch.setenv(name, value)
        if page.name in BEFORE:
            BEFORE[page.name](shop)
        reader = Reader(shop, capsys)
        for block in shown:
            reader.follow(block)


def test_each_call_of_pysendpulse_has_the_counterpart_that_the_page_names() -> None:
    page = (ROOT / "docs/from-pysendpulse.md").read_text(encoding="utf-8")
    pairs = re.findall(r"^\| `(\w+)` \| `(\w+)\.(\w+)` \|$", page, re.MULTILINE)
    theirs = {name for name in vars(official.PySendPulse) if re.fullmatch("[a-z][a-z_]*", name)}
    others = {name for name in theirs if name.startswith(("smtp_", "sms_", "push_", "send_event"))}
    assert {name for name, _, _ in pairs} == theirs - others
    for _, group, name in pairs:
        assert callable(getattr(getattr(SendPulse, group), name))


def test_each_page_has_its_place_in_mkdocs_yml() -> None:
    placed = re.findall(
        r": ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(placed) == sorted(str(page.relative_to(ROOT / "docs")) for page in ALL)


def test_pages_that_run_elsewhere_exist() -> None:
    for page, test in ELSEWHERE.items():
        assert (ROOT / "docs" / page).is_file()
        assert page in (ROOT / test).read_text(encoding="utf-8")
