"""Tells what happens to a job: to the standard logging, and to the hooks of a BulkSender."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs

from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEvent,
    JobHook,
    JobStarted,
    JobStopped,
    SendingHeld,
    SendingResumed,
)

__all__ = ["Teller"]

_log = logging.getLogger("mailkit.bulk")


class Teller:
    """Logs each event with its fields in ``extra``, and hands it to each hook."""

    def __init__(self, hooks: Sequence[JobHook] = ()) -> None:
        self._hooks = tuple(hooks)

    def __call__(self, event: JobEvent) -> None:
        """Tell of it now, in the caller's thread."""
        level = logging.DEBUG if isinstance(event, ChunkAccepted) else logging.INFO
        if _log.isEnabledFor(level):
            facts = attrs.asdict(event, recurse=False)
            _log.log(level, _sentence(event), extra={f"mailkit_{key}": facts[key] for key in facts})
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - sending goes on, whatever listens to it
                _log.exception("a hook failed on %s", type(event).__name__)


def _sentence(event: JobEvent) -> str:
    job = event.job
    match event:
        case JobStarted(provider=provider, unsent=unsent):
            return f"{job}: sending {unsent:,} rows over {provider}"
        case ChunkAccepted(chunk=chunk, accepted=accepted, rejected=rejected, in_doubt=in_doubt):
            others = f", {rejected} rejected, {in_doubt} in doubt" if rejected or in_doubt else ""
            return f"{job}: chunk {chunk}: {accepted} accepted{others}"
        case ChunkRejected(chunk=chunk, rows=rows, reason=reason):
            return f"{job}: chunk {chunk}: {rows} rejected: {reason}"
        case ChunkInDoubt(chunk=chunk, rows=rows, reason=reason):
            return f"{job}: chunk {chunk}: {rows} in doubt: {reason}"
        case SendingHeld(until=until, why=why):
            return f"{job}: on hold until {until:%Y-%m-%d %H:%M:%S %Z}: {why}"
        case SendingResumed():
            return f"{job}: sending resumed"
        case JobStopped(reason=reason):
            return f"{job}: stopped: {reason}"
        case _:
            return f"{job}: done"
