"""Spans and metrics, as the SDK's own exporters get them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from mailkit import BulkSender, EngineSettings, Journal, Message, SmsBy, read_recipients
from mailkit.errors import AccountRefused, NotSent, OutcomeUnknown, RateLimited, Unavailable
from mailkit.events import JobEnded, JobEvent, JobStarted, SendingHeld, SendingResumed
from mailkit.otel import Telemetry
from mailkit.provider import Quota, Sent
from mailkit.sandbox import Fault, Sandbox
from mailkit.sandbox.smsby import SmsBySettings
from mailkit.testing import FakeClock

from .bulk.fakes import MESSAGE, Act, FakeProvider, memory_journal, people
from .core.doubles import Library, Script, response
from .security.canary import CANARY, assert_hidden

OK = response(200, {"id": 7})


@attrs.frozen
class Seen:
    """What the program's SDK collects."""

    spans: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracers: TracerProvider = attrs.field(factory=TracerProvider)
    meters: MeterProvider = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        object.__setattr__(self, "meters", MeterProvider([self.reader]))

    def telemetry(self) -> Telemetry:
        return Telemetry(self.tracers, self.meters)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def points(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """The facts of each point, with its value or, of a histogram, how many it has."""
        found: list[tuple[dict[str, Any], float]] = []
        for metric in self._metrics():
            if metric.name == name:
                for point in metric.data.data_points:
                    value = getattr(point, "value", None)
                    labels = dict(point.attributes or {})
                    found.append((labels, point.count if value is None else value))
        return found

    def _metrics(self) -> Iterator[Any]:
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                yield from scope.metrics

    def all(self) -> str:
        """Everything, as text."""
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        data = self.reader.get_metrics_data()
        return "\n".join([*spans, data.to_json() if data else ""])


@pytest.fixture
def seen() -> Iterator[Seen]:
    found = Seen()
    yield found
    found.tracers.shutdown()
    found.meters.shutdown()


def facts(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


async def test_an_attempt_is_a_span_within_the_caller_s(seen: Seen) -> None:
    library = Library(Script(OK, OK), hooks=[seen.telemetry()])
    with seen.tracers.get_tracer("shop").start_as_current_span("sign up") as caller:
        await library.books.get("secret/shelf")
    await library.books.get(2)
    within, alone = seen.named("GET /books/{id}[/{language}]")
    assert within.parent == caller.get_span_context()
    assert alone.parent is None
    assert within.kind is SpanKind.CLIENT
    assert within.status.status_code is StatusCode.UNSET
    assert facts(within) == {
        "http.request.method": "GET",
        "url.template": "/books/{id}[/{language}]",
        "server.address": "library.test",
        "server.port": 443,
        "http.response.status_code": 200,
        "mailkit.provider": "library",
        "mailkit.call": "books.get",
        "mailkit.outcome": "answered",
        "mailkit.waited": 0.0,
    }
    assert "secret" not in seen.all()


async def test_each_attempt_of_a_call_has_a_span_with_its_error(seen: Seen) -> None:
    script = Script(NotSent("no route"), response(503, {"error": "later"}), OK)
    library = Library(script, FakeClock(), hooks=[seen.telemetry()])
    await library.books.add(title="T")
    first, second, third = map(facts, seen.named("POST /books"))
    assert "http.request.resend_count" not in first
    assert (first["error.type"], first["mailkit.outcome"]) == ("not sent", "not sent")
    assert (second["error.type"], second["http.request.resend_count"]) == ("503", 1)
    assert second["mailkit.outcome"] == "refused"
    assert "error.type" not in third
    assert third["http.request.resend_count"] == 2
    states = [
        (span.status.status_code, span.status.description) for span in seen.named("POST /books")
    ]
    assert states == [
        (StatusCode.ERROR, "not sent"),
        (StatusCode.ERROR, "refused"),
        (StatusCode.UNSET, None),
    ]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (OutcomeUnknown("reset"), "unknown"),
        (response(200, {"error": "no such reader"}), "refused"),
        (response(502, b"<html>"), "502"),
        (asyncio.CancelledError(), "unknown"),
    ],
)
async def test_the_kind_of_an_error_is_one_of_a_few(
    act: BaseException, kind: str, seen: Seen
) -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whichever it is
        await Library(Script(act), hooks=[seen.telemetry()]).books.add(title="T")
    [span] = seen.named("POST /books")
    assert facts(span)["error.type"] == kind
    [(labels, count)] = seen.points("http.client.request.duration")
    assert (labels["error.type"], count) == (kind, 1)


async def test_requests_and_their_waits_are_measured(seen: Seen) -> None:
    quotas = {"books": Quota(1, 10.0, "books")}
    library = Library(Script(OK, OK), FakeClock(), quotas=quotas, hooks=[seen.telemetry()])
    for _ in range(2):
        await library.books.add(title="T")
    [(labels, count)] = seen.points("http.client.request.duration")
    assert count == 2
    assert labels == {
        "http.request.method": "POST",
        "url.template": "/books",
        "server.address": "library.test",
        "server.port": 443,
        "http.response.status_code": 200,
        "mailkit.provider": "library",
        "mailkit.call": "books.add",
        "mailkit.outcome": "answered",
    }
    [(labels, count)] = seen.points("mailkit.request.wait.duration")
    assert (labels, count) == ({"mailkit.provider": "library", "mailkit.call": "books.add"}, 2)
    waited = [facts(span)["mailkit.waited"] for span in seen.named("POST /books")]
    assert waited == [0.0, pytest.approx(10, abs=0.1)]


async def send(journal: Journal, provider: FakeProvider, hook: Telemetry, name: str = "a") -> None:
    async with BulkSender(
        provider,
        journal=journal,
        clock=FakeClock(1_000_000.0),
        settings=EngineSettings(concurrency=1),
        hooks=[hook],
    ) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(12)), name=name, again=True)
        await job.wait()


async def test_a_run_of_a_job_is_a_span_that_counts_its_rows(seen: Seen) -> None:
    acts: list[Act | Exception] = [
        RateLimited("too many", retry_after=5),
        lambda chunk: Sent("1", {1: "no such mailbox"}, {2: "not named"}),
        OutcomeUnknown("reset"),
    ]
    async with memory_journal() as journal:
        await send(journal, FakeProvider(acts=acts), seen.telemetry())
    [span] = seen.named("mailkit.job")
    assert span.parent is None
    assert facts(span) == {
        "mailkit.job": "a",
        "mailkit.provider": "fake",
        "mailkit.unsent": 12,
        "mailkit.outcome": "done",
        "mailkit.rows.accepted": 7,
        "mailkit.rows.rejected": 1,
        "mailkit.rows.in_doubt": 4,
    }
    told = [event.name for event in span.events]
    assert Counter(told) == {"held": 1, "resumed": 1, "chunk in doubt": 1}
    rows = {labels["mailkit.outcome"]: count for labels, count in seen.points("mailkit.job.rows")}
    assert rows == {"accepted": 7, "rejected": 1, "in_doubt": 4}
    assert seen.points("mailkit.job.chunks_in_doubt") == [({"mailkit.provider": "fake"}, 1)]
    held = {"mailkit.provider": "fake", "mailkit.quota": ""}
    assert seen.points("mailkit.job.hold.duration") == [(held, 1)]
    ended = {"mailkit.provider": "fake", "mailkit.outcome": "done"}
    assert seen.points("mailkit.job.duration") == [(ended, 1)]


async def test_a_job_that_stops_says_why(seen: Seen) -> None:
    words = "p1@example.com has no money"
    async with memory_journal() as journal:
        await send(journal, FakeProvider(acts=[AccountRefused(words)] * 9), seen.telemetry())
    [span] = seen.named("mailkit.job")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.status.description or "").endswith("[address] has no money")
    assert facts(span)["mailkit.outcome"] == "stopped"
    [(labels, _)] = seen.points("mailkit.job.duration")
    assert labels["mailkit.outcome"] == "stopped"


async def test_two_jobs_at_once_are_kept_apart(seen: Seen) -> None:
    telemetry, others = seen.telemetry(), Seen()
    async with memory_journal() as one, memory_journal() as other:
        await asyncio.gather(
            send(one, FakeProvider(), telemetry, "a"),
            send(other, FakeProvider(name="other"), telemetry, "a"),
            send(other, FakeProvider(name="other"), others.telemetry(), "b"),
        )
    found = sorted(facts(span)["mailkit.provider"] for span in seen.named("mailkit.job"))
    assert found == ["fake", "other"]
    assert all(facts(span)["mailkit.rows.accepted"] == 12 for span in seen.named("mailkit.job"))
    assert [facts(span)["mailkit.job"] for span in others.named("mailkit.job")] == ["b"]
    assert not get_current_span().is_recording()


def test_a_wait_for_a_quota_has_its_name(seen: Seen) -> None:
    telemetry = seen.telemetry()
    until = FakeClock().utc
    events: list[JobEvent] = [
        JobStarted("a", "fake", 1),
        SendingHeld("a", until, "the quota of 4 campaigns is used up", "campaigns"),
        SendingHeld("a", until, "it is still used up", "campaigns"),
        SendingResumed("a"),
        JobEnded("a"),
        SendingResumed("a"),  # after its end, or of another job, there is nothing to note
        JobEnded("a"),
    ]
    for event in events:
        telemetry(event)
    held = {"mailkit.provider": "fake", "mailkit.quota": "campaigns"}
    assert seen.points("mailkit.job.hold.duration") == [(held, 1)]
    assert len(seen.named("mailkit.job")) == 1


async def test_without_an_sdk_it_does_nothing() -> None:
    async with memory_journal() as journal:
        telemetry = Telemetry()
        await send(journal, FakeProvider(), telemetry)
        assert await Library(Script(OK), hooks=[telemetry]).books.add(title="T") == 7


async def test_nobody_and_no_secret_is_in_any_span_metric_or_log(
    seen: Seen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mailkit")
    telemetry = seen.telemetry()
    message = Message(
        sender="Shop <news@shop.by>", subject="Autumn {{ name }}", html="<p>A yellow {{ name }}</p>"
    )
    rows = [f"anna{n}@mail.by,Leaf{n}" for n in range(1200)]
    (tmp_path / "list.csv").write_text("\n".join(["email,name", *rows, "invalid@mail.by,X"]))
    async with Sandbox(seed=1, smsby=SmsBySettings(token=CANARY)) as sandbox:
        sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", times=1))
        url = sandbox.environment()["MAILKIT_SMSBY_URL"]
        async with (
            SmsBy(CANARY, url=url, hooks=[telemetry]) as smsby,
            await Journal.open(tmp_path / "journal.db") as journal,
            BulkSender(smsby, journal=journal, hooks=[telemetry]) as sender,
        ):
            job = await sender.start(message, read_recipients(tmp_path / "list.csv"), name="autumn")
            await job.wait()
            await smsby.emails.send(
                sender="Shop <news@shop.by>", to="anna1@mail.by", subject="Autumn", html="<p>yellow"
            )
            sandbox.faults.add(Fault("server_error"))
            with pytest.raises(Unavailable):
                await smsby.with_options(attempts=1).templates.list()
    [span] = seen.named("mailkit.job")
    within = [
        one for one in seen.spans.get_finished_spans() if one.parent == span.get_span_context()
    ]
    assert {facts(one)["mailkit.call"] for one in within} >= {"bulk.send", "bulk.status"}
    assert caplog.records
    logged = "\n".join(repr(vars(record)) for record in caplog.records)
    for text in (seen.all(), logged, caplog.text):
        assert "autumn" in text or "smsby" in text
        assert_hidden(text)
        for shown in ("@", "%40", "anna", "Autumn", "yellow", "Leaf", "shop.by", "mail.by"):
            assert shown not in text
