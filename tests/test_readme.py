"""The README's Python runs as it stands, against the sandbox."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import pytest

from mailkit.sandbox import Sandbox

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
TESTS = [block for block in BLOCKS if "def test_" in block]
SCRIPTS = [block for block in BLOCKS if "def test_" not in block]


@pytest.mark.parametrize("block", SCRIPTS, ids=range(len(SCRIPTS)))
async def test_a_script_of_the_readme_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("autumn.csv").write_text("email,name,city\na@b.by,Anna,Minsk\n", encoding="utf-8")
    monkeypatch.setenv("MAILKIT_JOURNAL", str(tmp_path / "journal.db"))
    async with Sandbox() as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        names: dict[str, object] = {}
        code = compile(
            block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )
        running = eval(code, names)
        if running is not None:
            await running
        sandbox.clock.advance(3600)  # a campaign is copied and moderated before it goes out
        assert sandbox.truth.letters == 1


def test_the_tests_of_the_readme_pass(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(*(textwrap.dedent(block) for block in TESTS))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_readme_names_every_command() -> None:
    from mailkit.cli.app import app

    commands = {
        command.callback.__name__ for command in app.registered_commands if command.callback
    }
    text = README.read_text(encoding="utf-8")
    assert {name for name in commands if f"`mailkit {name}" not in text} == set()
