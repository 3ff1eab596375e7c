"""Spans and metrics over OpenTelemetry's API, which does nothing until the program sets up an SDK.
Needs the extra ``otel``.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar, Token
from importlib.metadata import version
from time import monotonic, time_ns

import attrs

from mailkit.core.hooks import Attempt
from mailkit.core.retry import Outcome
from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEnded,
    JobEvent,
    JobStarted,
    JobStopped,
    SendingHeld,
    SendingResumed,
)
from mailkit.extras import needed

with needed("otel", "mailkit.otel needs"):
    from opentelemetry import context, metrics, trace
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider

__all__ = ["Telemetry"]

Facts = dict[str, str | int | float]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
_LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 43_200.0, 86_400.0)


@attrs.define(eq=False)
class _Run:
    """A run of a job, in the contexts of all that it does."""

    job: str
    provider: str
    span: Span
    token: Token[context.Context]
    began: float = attrs.field(factory=monotonic)
    held: tuple[float, str] | None = None  # since when, and for want of which quota
    rows: Counter[str] = attrs.field(factory=Counter[str])


class Telemetry:
    """A hook for clients and for a BulkSender, ``hooks=[telemetry]``: a span for each attempt of a
    request, within the caller's; one for each run of a job, with its requests inside; and metrics.

    The providers are the global ones by default. Make one for the whole program. No span and no
    metric has addresses, messages or credentials.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        number = version("mailkit-bulk")
        self._tracer = trace.get_tracer("mailkit", number, tracer_provider)
        meter = metrics.get_meter("mailkit", number, meter_provider)
        self._requests = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._waits = meter.create_histogram(
            "mailkit.request.wait.duration",
            "s",
            "How long an attempt waited for its quotas and its token",
            explicit_bucket_boundaries_advisory=_LONG,
        )
        self._rows = meter.create_counter(
            "mailkit.job.rows", "{row}", "Rows whose request has ended, by outcome"
        )
        self._doubts = meter.create_counter(
            "mailkit.job.chunks_in_doubt", "{chunk}", "Requests of jobs whose outcome is unknown"
        )
        self._holds = meter.create_histogram(
            "mailkit.job.hold.duration",
            "s",
            "How long a job sent nothing, because of a quota or the service",
            explicit_bucket_boundaries_advisory=_LONG,
        )
        self._runs = meter.create_histogram(
            "mailkit.job.duration",
            "s",
            "How long a run of a job took",
            explicit_bucket_boundaries_advisory=_LONG,
        )
        self._run: ContextVar[_Run | None] = ContextVar("mailkit job", default=None)

    def __call__(self, event: Attempt | JobEvent, /) -> None:
        """Take note of an attempt, or of what happened to a job."""
        if not isinstance(event, Attempt):
            self._on_job(event)
        elif event.outcome is not None:
            self._on_attempt(event, event.outcome)

    def _on_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """The span is made once the attempt has ended: nothing is kept meanwhile."""
        facts: Facts = {
            "http.request.method": attempt.verb,
            "url.template": attempt.route,
            "server.address": attempt.host,
            "mailkit.provider": attempt.provider,
            "mailkit.call": attempt.call,
            "mailkit.outcome": outcome.value,
        }
        if attempt.port is not None:
            facts["server.port"] = attempt.port
        if attempt.status is not None:
            facts["http.response.status_code"] = attempt.status
        if outcome is not Outcome.ANSWERED:
            refused = attempt.status is not None and attempt.status >= 400
            facts["error.type"] = str(attempt.status) if refused else outcome.value
        self._requests.record(attempt.seconds, facts)
        source = {key: facts[key] for key in ("mailkit.provider", "mailkit.call")}
        self._waits.record(attempt.waited, source)
        if attempt.attempt > 1:
            facts["http.request.resend_count"] = attempt.attempt - 1
        now = time_ns()
        span = self._tracer.start_span(
            f"{attempt.verb} {attempt.route}",
            kind=SpanKind.CLIENT,
            attributes={**facts, "mailkit.waited": attempt.waited},
            start_time=now - round(attempt.seconds * 1e9),
        )
        if outcome is not Outcome.ANSWERED:
            span.set_status(StatusCode.ERROR, outcome.value)
        span.end(now)

    def _on_job(self, event: JobEvent) -> None:
        if isinstance(event, JobStarted):
            self._start(event)
            return
        run = self._run.get()
        if run is None or run.job != event.job:
            return  # it only looks what became of what was sent before
        match event:
            case ChunkAccepted(accepted=accepted, rejected=rejected, in_doubt=in_doubt):
                self._count(run, accepted=accepted, rejected=rejected, in_doubt=in_doubt)
            case ChunkRejected(rows=rows):
                self._count(run, rejected=rows)
            case ChunkInDoubt(chunk=chunk, rows=rows):
                self._count(run, in_doubt=rows)
                self._doubts.add(1, _source(run))
                run.span.add_event("chunk in doubt", {"mailkit.chunk": chunk, "mailkit.rows": rows})
            case SendingHeld(quota=quota, until=until):
                run.held = run.held or (monotonic(), quota or "")
                facts: Facts = {"mailkit.quota": quota or "", "mailkit.until": until.isoformat()}
                run.span.add_event("held", facts)
            case SendingResumed():
                self._resume(run)
                run.span.add_event("resumed")
            case JobStopped(reason=reason):
                run.span.set_status(StatusCode.ERROR, reason)
                self._end(run, "stopped")
            case JobEnded():
                self._end(run, "done")
            case _:
                pass

    def _start(self, event: JobStarted) -> None:
        """What the job does from now on, it does in tasks that this one begins: within its span."""
        facts: Facts = {
            "mailkit.job": event.job,
            "mailkit.provider": event.provider,
            "mailkit.unsent": event.unsent,
        }
        span = self._tracer.start_span("mailkit.job", attributes=facts)
        token = context.attach(trace.set_span_in_context(span))
        self._run.set(_Run(event.job, event.provider, span, token))

    def _count(self, run: _Run, **rows: int) -> None:
        for outcome, count in rows.items():
            if count:
                run.rows[outcome] += count
                self._rows.add(count, {**_source(run), "mailkit.outcome": outcome})

    def _resume(self, run: _Run) -> None:
        if run.held is not None:
            since, quota = run.held
            run.held = None
            self._holds.record(monotonic() - since, {**_source(run), "mailkit.quota": quota})

    def _end(self, run: _Run, outcome: str) -> None:
        self._resume(run)
        facts = {**_source(run), "mailkit.outcome": outcome}
        self._runs.record(monotonic() - run.began, facts)
        counts = {f"mailkit.rows.{name}": count for name, count in run.rows.items()}
        run.span.set_attributes({"mailkit.outcome": outcome, **counts})
        run.span.end()
        self._run.set(None)
        context.detach(run.token)


def _source(run: _Run) -> Facts:
    return {"mailkit.provider": run.provider}
