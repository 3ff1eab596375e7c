"""The command line: ``mailkit --help``. Needs the extra ``cli``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; a missing extra is told in a sentence."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller: no socket must get its number
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(nothing, mode, closefd=False))  # noqa: SIM115
    try:
        from mailkit.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("mailkit: the command line needs its extra: pip install 'mailkit[cli]'")
    app()
