"""Where mailkit keeps what belongs to one user of one machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["state_folder"]


def state_folder() -> Path | None:
    """``XDG_STATE_HOME/mailkit`` or its like; None if this user has no home directory."""
    import platformdirs  # most name a place

    with contextlib.suppress(RuntimeError):
        # A relative XDG_STATE_HOME counts as none, as its specification has it.
        for folder in (platformdirs.user_state_path("mailkit"), Path("~/.local/state/mailkit")):
            if (place := folder.expanduser()).is_absolute():
                return place
    return None
