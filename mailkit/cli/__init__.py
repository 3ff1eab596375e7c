"""The command line: ``mailkit --help``. Needs the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; a missing extra is told in a sentence."""
    try:
        from mailkit.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("mailkit: the command line needs its extra: pip install 'mailkit[cli]'")
    app()
