"""The journal's statements, on every Python."""

import re
from pathlib import Path

import mailkit.bulk.journal


def test_no_placeholder_has_a_number() -> None:
    """With a sequence of values, Python 3.12 warns of ``?1``, and 3.14 refuses it."""
    files = list(Path(mailkit.bulk.journal.__file__).parent.glob("*.py"))
    assert len(files) > 5
    assert [file.name for file in files if re.search(r"\?\d", file.read_text("utf-8"))] == []
