"""Errors of first attempts say what to give instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

import mailkit
from mailkit import BulkSender, Devino, Journal, SendPulse, SmsBy
from mailkit.bulk.report.advice import settling
from mailkit.bulk.report.summary import Doubt
from mailkit.cli.progress import Lines
from mailkit.errors import InvalidArgument

from .cli.test_progress import step

nothing: Any = None


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: Journal("x.db"), "await Journal.open(path)"),  # type: ignore[arg-type]
        (lambda: SmsBy(nothing), "set MAILKIT_SMSBY_TOKEN and use from_env()"),
        (lambda: SmsBy(""), "token is empty; give it, or set MAILKIT_SMSBY_TOKEN"),
        (lambda: Devino(nothing), "set MAILKIT_DEVINO_API_KEY and use from_env()"),
        (lambda: SendPulse(), "MAILKIT_SENDPULSE_API_KEY"),
        (lambda: SmsBy(7), "token: give text"),  # type: ignore[arg-type]
        (lambda: SmsBy("t", hooks=["x"]), "each of which takes an Attempt"),  # type: ignore[list-item]
        (
            lambda: BulkSender(SmsBy("t"), hooks=["x"]),  # type: ignore[list-item]
            "each of which takes a JobEvent",
        ),
    ],
)
def test_a_wrong_argument_says_what_to_give(make: Callable[[], object], remedy: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make()
    assert remedy in str(caught.value)


def test_all_chunks_in_doubt_are_settled_by_one_command() -> None:
    doubts = [Doubt(n, f"autumn #{n}", 1, "", "", None, "") for n in (1, 2)]
    report: Any = type("Report", (), {"job": "autumn"})
    assert settling(report, *doubts)[0] == "mailkit resolve autumn 1 2 --accepted"


def test_a_moment_in_the_past_is_not_said_to_be_waited_for() -> None:
    seen = step(60, checked=0)
    for year, said in ((2000, False), (2100, True)):
        late = attrs.evolve(seen, looks_until=datetime(year, 1, 1, tzinfo=UTC))
        [line] = Lines("autumn").of(late)
        assert "not in the status lists yet" in line
        assert ("checking until" in line) is said


def test_a_list_that_may_not_be_read_is_said_without_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailkit.bulk.lines import Lines as FileLines

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "l.csv")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidArgument, match=r"l\.csv can't be read: permission denied$"):
        list(FileLines(Path("l.csv"), "l.csv", None))


ARGUMENT = re.compile(r"\b[a-z_]+=(?:True|False|None|…)")
ONLY_IN_PYTHON = {"attachment.py", "message.py", "webhooks/handlers.py"}
"""No command gives the bytes of an attachment or a Message, or has handlers."""


def texts_for_all(tree: ast.AST) -> Iterator[str]:
    """The texts in calls of errors and other functions, except those that `remedy` chooses from."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "remedy":
        return
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if not isinstance(tree, ast.Expr):  # a docstring
                yield child.value
        else:
            yield from texts_for_all(child)


def test_no_sentence_has_a_python_argument_for_the_reader_of_a_command() -> None:
    package = Path(mailkit.__file__).parent
    found = {
        file.relative_to(package).as_posix(): texts
        for file in package.rglob("*.py")
        if not {"sandbox", "testing"} & {*file.parts}
        and (texts := [*filter(ARGUMENT.search, texts_for_all(ast.parse(file.read_text("utf-8"))))])
    }
    assert found.keys() == ONLY_IN_PYTHON, found
