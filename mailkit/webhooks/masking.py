"""Servers' logs without secrets: of requests, and of errors that quote them."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from mailkit.webhooks.routes import Routes

__all__ = ["Masking"]

_LOGGERS = (
    "aiohttp.access",
    "aiohttp.server",
    "django.request",
    "django.server",
    "gunicorn.access",
    "gunicorn.error",
    "hypercorn.access",
    "hypercorn.error",
    "uvicorn.access",
    "uvicorn.error",
)


class Masking(logging.Filter):
    """A filter of log records that lets all of them pass, without secrets."""

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def install(self) -> None:
        """Filter the logs of the usual servers from now on."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Leave the logs alone again."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask its message, its arguments, its traceback, and the fields that a server adds."""
        if record.exc_info:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_info = None  # else whoever writes the record would format it again
        for name, value in list(vars(record).items()):
            setattr(record, name, self._masked(value))
        return True

    def _masked(self, value: Any) -> Any:
        if type(value) is str:
            return self._routes.mask(value)
        if type(value) is tuple:
            return tuple(map(self._masked, value))
        if type(value) is dict:
            return {key: self._masked(one) for key, one in value.items()}
        return value
