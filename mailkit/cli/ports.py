"""Why a port can't be listened on, in a sentence."""

from __future__ import annotations

import errno
import os

from mailkit.errors import InvalidArgument

__all__ = ["port_refused"]


def port_refused(error: OSError, host: str, port: int) -> InvalidArgument:
    """The error of a command that was to listen there."""
    number = error.errno or 0
    if number == errno.EADDRINUSE:
        return InvalidArgument(f"port {port} is already in use: choose another with --port")
    why = os.strerror(number) if number > 0 else str(error.strerror)
    return InvalidArgument(
        f"can't listen on port {port} of {host} ({why}): choose others with --port or --host"
    )
