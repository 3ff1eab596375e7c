"""Tells what happens to a job: to the standard logging, and to the hooks of a BulkSender."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime

import attrs

from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEnded,
    JobEvent,
    JobHook,
    JobStarted,
    JobStopped,
    SendingHeld,
    SendingResumed,
)
from mailkit.text import counted, without_addresses

__all__ = ["Teller"]

_log = logging.getLogger("mailkit.jobs")
_WORDS = ("reason", "why")
"""The fields that may have a service's words."""


class Teller:
    """Logs each event with its fields in ``extra``, and hands it to each hook. A service may name
    an address in its words, so these are taken out here.
    """

    def __init__(self, hooks: Sequence[JobHook] = ()) -> None:
        self._hooks = tuple(hooks)

    def __call__(self, event: JobEvent) -> None:
        """Tell of it now, in the caller's thread."""
        logged = _log.isEnabledFor(logging.INFO)
        if not (logged or self._hooks):
            return
        event = _discreet(event)
        if logged:
            facts = attrs.asdict(event, recurse=False, value_serializer=_written)
            facts["event"] = _name(type(event).__name__)
            extra = {f"mailkit_{key}": fact for key, fact in facts.items()}
            _log.info("%s", _sentence(event), extra=extra)
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:  # noqa: BLE001 - sending goes on, whatever listens to it
                _log.exception("a hook failed on %s", type(event).__name__)


def _discreet(event: JobEvent) -> JobEvent:
    words = {name: getattr(event, name) for name in _WORDS if hasattr(event, name)}
    shown = {name: without_addresses(text) for name, text in words.items()}
    return event if shown == words else attrs.evolve(event, **shown)


def _written(instance: object, field: object, value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _name(kind: str) -> str:
    """``chunk_in_doubt`` for ``ChunkInDoubt``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _sentence(event: JobEvent) -> str:
    job = event.job
    match event:
        case JobStarted(provider=provider, unsent=0):
            return f"{job}: nothing is left to send; checking the outcome with {provider}"
        case JobStarted(provider=provider, unsent=unsent):
            return f"{job}: sending {counted(unsent, 'row')} over {provider}"
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
        case JobEnded(in_doubt=in_doubt) if in_doubt:
            return f"{job}: finished, with {counted(in_doubt, 'row')} in doubt"
        case _:
            return f"{job}: done"
