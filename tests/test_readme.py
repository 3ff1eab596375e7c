"""What the README shows runs as it stands there, against the sandbox."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from mailkit.sandbox import Sandbox

from .cli.shop import open_shop

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


TESTS = [block for block in blocks("python") if "def test_" in block]
SCRIPTS = [block for block in blocks("python") if "def test_" not in block]


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
        assert sandbox.truth.emails == 1


def test_the_tests_of_the_readme_pass(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(*(textwrap.dedent(block) for block in TESTS))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (message,) = blocks("toml")
    Path("message.toml").write_text(message, encoding="utf-8")
    Path("autumn.html").write_text("<p>See you in {{ city }}</p>", encoding="utf-8")
    Path("autumn.csv").write_text("email,name,city\na@b.by,Anna,Minsk\n", encoding="utf-8")
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line.split()[1:] for line in lines if line.startswith("mailkit ")]
    assert commands
    with open_shop(tmp_path) as shop:
        for command in commands:
            ended = shop(*command)
            assert ended.code == 0, ended
        assert shop.sandbox.truth.emails == 1


def test_ci_runs_the_first_two_commands_word_for_word() -> None:
    demo, tests = re.findall(r"^python3 -m venv .*", README, re.MULTILINE)
    assert demo.endswith(" && .venv/bin/mailkit demo")
    assert tests.endswith(" && .venv/bin/nox -s tests")
    assert "grep '^python3 -m venv' README.md" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_ci_runs_what_depends_on_python_s_own_expressions_on_the_system_s_python_too() -> None:
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    named = re.findall(r"\btests/[\w/.]+", " ".join(re.findall(r"own\+?=\((.*)\)", ci)))
    assert {"tests/cli", "tests/test_patterns.py", "tests/test_template.py"} <= set(named)
    assert all((ROOT / path).exists() for path in named)


def test_every_extra_that_is_named_exists() -> None:
    advice = README + (ROOT / "mailkit/cli/__init__.py").read_text(encoding="utf-8")
    named = {extra for names in re.findall(r"\[([a-z,]+)\]'", advice) for extra in names.split(",")}
    assert named == set(PROJECT["optional-dependencies"])


def test_links_are_absolute_and_lead_to_files() -> None:
    """The package index shows the README too."""
    home = PROJECT["urls"]["Repository"] + "/blob/main/"
    links = re.findall(r"\]\(([^)]*)\)", README)
    assert len(links) > 5
    for link in links:
        assert link.startswith(home)
        assert (ROOT / link.removeprefix(home)).is_file()
    for url in PROJECT["urls"].values():
        assert url.startswith(PROJECT["urls"]["Repository"])
