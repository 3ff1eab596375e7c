"""The programs in docs/python.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import Sandbox

PAGE = (Path(__file__).parents[1] / "docs/python.md").read_text(encoding="utf-8")


def test_the_programs_of_the_page_run(
    mailkit_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in mailkit_sandbox.environment().items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {"__name__": "page"}
    for place, program in enumerate(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)):
        exec(compile(program, f"docs/python.md, program {place + 1}", "exec"), names)
    said = capsys.readouterr().out
    assert "smsby.templates.list was cancelled: nothing was sent" in said
    sent = [mailkit_sandbox.truth.count(to) for to in ("anna@mail.by", "boris@mail.by", "a@b.by")]
    assert sent == [1, 1, 1]
