"""What pyproject.toml declares is what mailkit imports, each from a version that is tested."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
TESTS: list[str] = PROJECT["dependency-groups"]["tests"]


def imported(folder: Path) -> set[str]:
    """The distributions that are imported, at the top of a module or anywhere in it."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            found |= {name.partition(".")[0] for name in names}
    found -= {"", "mailkit", *sys.stdlib_module_names}
    shared = {
        "opentelemetry": ["opentelemetry-api"],  # others put their modules there, too
        "psycopg_pool": ["psycopg"],  # an extra of it
    }
    known = {**packages_distributions(), **shared}
    return {known[name][0].lower().replace("_", "-") for name in found}


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[>;\[]", requirement)[0] for requirement in requirements}


def test_what_is_imported_is_declared_and_the_reverse() -> None:
    declared = named([*DECLARED, *chain(*EXTRAS.values())])
    assert imported(ROOT / "mailkit") - {"pytest"} == declared - {
        "tzdata",
        "idna",
    }  # used by others
    assert imported(ROOT / "mailkit" / "core") <= named(DECLARED)


def test_each_dependency_has_a_minimum_and_nothing_else() -> None:
    """So that `nox -s minimums` can install exactly that."""
    for requirement in [*DECLARED, *chain(*EXTRAS.values()), *TESTS]:
        assert re.fullmatch(
            r"[a-z\d-]+(\[[a-z,]+\])?>=[\d.]+(; sys_platform [!=]= 'win32')?", requirement
        )
