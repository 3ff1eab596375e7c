"""``--log-json``: what happens, and what a command says, as JSON on stderr, one object a line."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from mailkit.text import without_addresses

__all__ = ["is_on", "json_lines", "note"]

_log = logging.getLogger("mailkit.commands")
_ours = logging.getLogger("mailkit")
_root = logging.getLogger()
_PREFIX = "mailkit_"


class _JsonLines(logging.Handler):
    """Writes each record with its facts; addresses in any text are taken out."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._text = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self._line(record))
        except Exception:  # noqa: BLE001 - as all handlers do
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        shown: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": "log",  # of others
            "message": record.getMessage(),
        }
        for key, fact in vars(record).items():
            if key.startswith(_PREFIX):
                shown[key.removeprefix(_PREFIX)] = fact
        if record.exc_info:
            shown["exception"] = self._text.formatException(record.exc_info)
        for key, fact in shown.items():
            if isinstance(fact, str):
                shown[key] = without_addresses(fact)
        line = json.dumps(shown, ensure_ascii=False, default=str)
        return line if line.isprintable() else json.dumps(shown, default=str)


@contextmanager
def json_lines(write: Callable[[str], None]) -> Iterator[None]:
    """For as long, whatever is logged is written as JSON: mailkit's from INFO on, others' from
    WARNING on.
    """
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8")
    handler, level = _JsonLines(write), _ours.level
    _root.addHandler(handler)
    _ours.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        _ours.setLevel(level)
        _root.removeHandler(handler)


def is_on() -> bool:
    """Whether what a command says is to be JSON."""
    return any(isinstance(one, _JsonLines) for one in _root.handlers)


def note(
    event: str, text: str, level: int = logging.INFO, failure: bool = False, /, **facts: object
) -> None:
    """Log something that happened to this command, with its traceback if it is a ``failure``."""
    extra = {f"{_PREFIX}{key}": fact for key, fact in {"event": event, **facts}.items()}
    _log.log(level, "%s", text, extra=extra, exc_info=failure)
