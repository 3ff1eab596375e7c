"""How sentences are approved, in a run of its own."""

from __future__ import annotations

import json

import pytest

from tests import approval

PROJECT = """
from tests.approval import approve

def test_one():
    approve("greeting", "Hello Anna\\nand welcome", name="Anna")

def test_two():
    approve("end", "gone: /tmp/x/y and /tmp/x", folder="/tmp/x", file="/tmp/x/y")
"""
SENTENCES = {
    "end": "gone: {file} and {folder}",
    "greeting": ["Hello {name}", "and welcome"],
}


INI = """
[pytest]
testpaths = tests
asyncio_default_fixture_loop_scope = function
"""


class Project:
    """Two tests, and the sentences that are approved."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        pytester.makeini(INI)
        self.pytester = pytester
        self.file = pytester.mkdir("tests") / "sentences.json"
        self.test = self.file.with_name("test_it.py")
        self.test.write_text(PROJECT, encoding="utf-8")

    def write(self, **sentences: object) -> None:
        self.file.write_text(json.dumps(sentences), encoding="utf-8")

    def read(self) -> object:
        return json.loads(self.file.read_text(encoding="utf-8"))

    def run(self, *words: str) -> pytest.RunResult:
        return self.pytester.runpytest("-p", "tests.approval", "-p", "no:cacheprovider", *words)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(approval, "_sentences", approval._Sentences())
    return Project(pytester)


def test_sentences_are_written_and_then_compared(project: Project) -> None:
    project.run().assert_outcomes(failed=2)
    project.run("--approve").assert_outcomes(passed=2)
    assert project.read() == SENTENCES
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=2)


def test_what_is_said_in_a_worker_counts(project: Project) -> None:
    project.run("-n", "1", "--approve").assert_outcomes(passed=2)
    assert project.read() == SENTENCES


def test_another_text_fails_until_it_is_approved(project: Project) -> None:
    project.write(**{**SENTENCES, "end": "lost: {file}"})
    project.run().assert_outcomes(passed=1, failed=1)
    project.run("--approve").assert_outcomes(passed=2)
    assert project.read() == SENTENCES


def test_two_texts_of_one_name_are_never_approved(project: Project) -> None:
    project.test.write_text(PROJECT.replace('"end"', '"greeting"'), encoding="utf-8")
    project.run("--approve").assert_outcomes(passed=1, failed=1)


def test_a_sentence_that_nobody_says_fails_a_whole_run_alone(project: Project) -> None:
    project.write(**SENTENCES, farewell="Bye")
    for some in (["-k", "one"], ["tests/test_it.py"]):
        assert project.run(*some).ret == 0
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines("*nobody says 'farewell' any longer*")
    project.run("-k", "one", "--approve")
    assert project.read() == {**SENTENCES, "farewell": "Bye"}
    project.run("--approve")
    assert project.read() == SENTENCES
