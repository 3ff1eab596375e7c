"""How the journal's statements are put together; ruff looks for all else that is dangerous."""

from __future__ import annotations

import ast
from pathlib import Path

import mailkit

ROOT = Path(mailkit.__file__).parent


def _is_a_state(node: ast.expr) -> bool:
    enums = {"JobState", "ChunkState", "PartState", "RowState", "Role"}
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) in enums


def test_values_are_bound_in_every_statement_of_the_journal() -> None:
    """Statements are put together from names and question marks; values travel beside them."""
    constants = {"_COLUMNS", "columns", "WHERE", "where", "state", "sending", "table", "column",
                 "VERSION", "begin", "SENT", "_HEARD", "chunk", "following", "which", "parts",
                 "condition", "looks", "CANCELLED_AT", "STOPPED", "_IS_UNSENT",
                 "COLUMNS", "IS_ONE", "names", "_address(dialect)",
                 "_address(store.dialect)", "PROCESS", "_REASON", "person",
                 "WAL_LIMIT", "_SENT", "_UNDER_WAY", "UNSENT", "joined", "kept", "others",
                 "theirs", "people", "found",
                 "folder"}  # fmt: skip
    # The last one is quoted: a PRAGMA takes no values.
    marks = {
        "one_of(ours)",
        "one_of(states)",
        "one_of(rows)",
        "one_of(chunks)",
        "one_of(some)",
        "one_of(_STATES)",
        "one_of(FAILED)",
        "one_of(LEFT_OUT)",
        "why",
        "first",
        "last",
        "state.name.lower()",
        "_one_of(handlers)",
        "one_of(places)",
        "_outside(passed_over)",
        "'FULL' if durable else 'NORMAL'",
        "follower.format(least='min', order='ASC')",
        "' UNION ALL '.join(rows)",
        "_ids(job)",
        "_outside('id', alive)",
        "parts.open_stages(stages)",
        "_ids(job.id)",
        "columns",
        "', '.join(columns)",
        "self.clock",
        "clock",
        "claim",
        "_NONE",
        "self._clock",
        "now",
        "time",
        "', '.join(arrays)",
        "marks",
        "same",
        "self.gather",
        "query",
        "places",
        "follow",
        "of_chunk",
        "own",
        "states",
        "follower.format(least='max', order='DESC')",
    }
    for file in (ROOT / "bulk" / "journal").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            text = ast.unparse(node).lstrip("rf'\"")
            if not text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "PRAGMA")):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and not _is_a_state(part.value):
                    assert ast.unparse(part.value) in constants | marks, (file.name, node.lineno)
