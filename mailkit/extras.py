"""What only an extra brings: whether it is installed, and what to say if it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

__all__ = ["install", "installed", "needed"]

_PACKAGES = {
    "cluster": ("procrastinate", "psycopg"),
    "excel": ("openpyxl", "xlsxwriter"),
    "otel": ("opentelemetry.trace",),  # the package above is others', too
    "postgres": ("psycopg",),
}


def install(extra: str) -> str:
    """The command that installs it."""
    return f"pip install 'mailkit-bulk[{extra}]'"


def installed(extra: str) -> bool:
    """Whether it is."""
    try:
        return all(find_spec(package) is not None for package in _PACKAGES[extra])
    except ModuleNotFoundError:  # of a package above
        return False


@contextmanager
def needed(
    extra: str, words: str, error: Callable[[str], Exception] | None = None
) -> Iterator[None]:
    """If the block imports what only this extra brings and is not installed, an error names both,
    after these words, such as "workers need"; by default it is a ModuleNotFoundError.
    """
    try:
        yield
    except ImportError as lacking:
        package = lacking.name or _PACKAGES[extra][0]  # psycopg without its binary names none
        if package.startswith("mailkit"):
            raise
        text = f"{words} {package}: {install(extra)}"
        if error is None:
            raise ModuleNotFoundError(text, name=lacking.name, path=lacking.path) from None
        raise error(text) from None
