"""Access logs without secrets: whatever server writes them, and whoever answers the request."""

from __future__ import annotations

import logging
from typing import Any

from mailkit.webhooks.routes import Routes

__all__ = ["Masking"]

_LOGGERS = (
    "aiohttp.access",
    "django.request",
    "django.server",
    "gunicorn.access",
    "hypercorn.access",
    "uvicorn.access",
)


class Masking(logging.Filter):
    """A filter of log records that lets all of them pass, without secrets."""

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def install(self) -> None:
        """Filter the access logs of the usual servers from now on."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Leave the logs alone again."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask its message, its arguments, and the fields that a server adds."""
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
