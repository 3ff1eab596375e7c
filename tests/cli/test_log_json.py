"""``--log-json``: all that stderr gets is JSON, one object a line, and names nobody."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any, cast

import pytest

from mailkit.bulk.job import Job
from mailkit.bulk.progress import Progress
from mailkit.bulk.source import read_recipients
from mailkit.cli.log_json import json_lines
from mailkit.cli.progress import follow_job, planning
from mailkit.sandbox import Fault
from mailkit.testing import FakeClock

from ..webhooks.posting import ADDRESS, SECRET, body, callback
from .shop import SEND, Ended, Process, Shop, end_of, insist
from .test_progress import step

Line = dict[str, Any]


def lines(text: str) -> list[Line]:
    """The objects, each of which has what all have."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert datetime.fromisoformat(one["time"]).utcoffset() == timedelta(0)
        assert one["level"] in {"info", "warning", "error"}
        assert one["logger"].partition(".")[0] in {"mailkit", "py", "asyncio"}
        assert one["message"]
    return found


def only(found: list[Line], event: str) -> Line:
    [one] = [line for line in found if line["event"] == event]
    return one


def has(line: Line, **facts: object) -> bool:
    return {key: line[key] for key in facts} == facts


def send(shop: Shop, *words: str) -> Ended:
    return shop.send(shop.letter(), shop.customers(1200), "--name", "autumn", *words, "--log-json")


def test_what_happens_to_a_job_and_its_requests(shop: Shop) -> None:
    ended = send(shop, "--json")
    assert (ended.code, ended.json["accepted"]) == (0, 1200)
    found = lines(ended.err)
    assert has(only(found, "job_started"), logger="mailkit.jobs", job="autumn", unsent=1200)
    chunks = [line for line in found if line["event"] == "chunk_accepted"]
    assert {line["chunk"]: line["accepted"] for line in chunks} == {1: 500, 2: 500, 3: 200}
    requests = [
        line for line in found if line["event"] == "attempt" and line["call"] == "bulk.send"
    ]
    assert len(requests) == 3
    for line in requests:
        assert has(line, logger="mailkit.requests", provider="smsby", verb="POST", status=200)
        assert has(line, outcome="answered", attempt=1, host="127.0.0.1")
    assert has(only(found, "report"), job="autumn", read=1200, accepted=1200, unsent=0)
    assert only(found, "job_ended")
    assert has(found[-1], event="exit", code=0, logger="mailkit.commands")


def test_no_line_names_a_person_the_words_of_a_message_or_a_credential(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    letter = shop.letter(
        sender="Shop <s@shop.by>", subject="Canary {{ name }}", html="<p>yellow</p>"
    )
    ended = shop.send(letter, shop.customers(1200), "--log-json")
    assert ended.code == 3
    found = lines(ended.err)
    assert only(found, "chunk_in_doubt")["reason"]
    for shown in ("@", "%40", "customer", "Canary", "Name 1", "yellow", "shop.by"):
        assert shown not in ended.err
    assert shop.environment["MAILKIT_SMSBY_TOKEN"] not in ended.err


def test_an_error_is_an_event(shop: Shop) -> None:
    ended = shop.send(shop.letter(), shop.folder / "anna@mail.by.csv", "--log-json")
    error, last = lines(ended.err)
    assert has(error, event="error", level="error", error="InvalidArgument")
    assert "[address]" in error["message"]
    assert "@" not in ended.err
    assert has(last, event="exit", code=1)
    assert ended.code == 1


def test_a_bug_is_an_event_with_its_traceback(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("anna@mail.by")

    monkeypatch.setattr("mailkit.cli.send.list_of", broken)
    ended = shop.send(shop.letter(), shop.customers(1), "--log-json")
    error, _ = lines(ended.err)
    assert ended.code == 1
    assert has(error, event="error", error="ZeroDivisionError")
    assert error["exception"].startswith("Traceback ")
    assert error["exception"].endswith("ZeroDivisionError: [address]")


def test_wrong_usage_stays_as_it_is(shop: Shop) -> None:
    ended = shop.send(shop.letter(), shop.customers(1), "--map", "x", "--log-json")
    assert (ended.code, ended.out) == (2, "")
    assert "--map 'x'" in ended.err


def test_what_cannot_be_shown_is_escaped(shop: Shop) -> None:
    ended = shop.send(shop.letter(), shop.customers(2), "--name", "осень\u202e", "--log-json")
    assert "\u202e" not in ended.err
    assert only(lines(ended.err), "job_started")["job"] == "осень\u202e"


def test_without_it_nothing_is_logged(shop: Shop) -> None:
    assert shop.send(shop.letter(), shop.customers(2)).err == ""


def under_way(shop: Shop, process: Process) -> None:
    shop.until(lambda: shop.sandbox.requests[SEND], process)


def test_a_signal_is_an_event(shop: Shop) -> None:
    release = shop.hold()
    words = ("send", shop.letter(), shop.customers(1200), "--provider", "smsby")
    with shop.spawn(*words, "--name", "autumn", "--concurrency", "1", "--log-json") as process:
        under_way(shop, process)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        begin = ""
        while not begin or lines(begin)[-1]["event"] != "stopping":
            begin += process.stderr.readline()
        release()
        ended = end_of(process)
    found = lines(begin + ended.err)
    assert only(found, "signal")["signal"] == "SIGTERM"
    assert has(only(found, "job_stopped"), reason="stopped at your request")
    assert "requests under way" in only(found, "stopping")["message"]
    assert has(found[-1], event="exit", code=4)
    assert ended.code == 4
    resumed = shop("resume", "autumn", "--log-json")
    assert has(only(lines(resumed.err), "report"), accepted=1200)
    assert has(lines(resumed.err)[-1], event="exit", code=0)


def test_the_second_signal_has_the_last_word(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=600))
    words = ("send", shop.letter(), shop.customers(3), "--provider", "smsby", "--log-json")
    with shop.spawn(*words) as process:
        under_way(shop, process)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while lines(process.stderr.readline())[0]["event"] != "stopping":
            pass
        insist(process, signal.SIGINT)
        ended = end_of(process)
    *_, heard, last = lines(ended.err)
    assert has(heard, event="signal", signal="SIGINT")
    assert has(last, event="exit", code=3)
    assert "1 request was under way" in last["message"]
    assert ended.code == 3


def test_on_a_terminal_there_is_no_bar(shop: Shop) -> None:
    words = ("send", shop.letter(), shop.customers(3), "--provider", "smsby", "--json")
    ended = shop.on_terminal(*words, "--log-json")
    shown = ended.out.splitlines()
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert [json.loads(line) for line in shown if line]


def test_what_listens_says_where_and_what_comes(shop: Shop) -> None:
    shop.environment["MAILKIT_WEBHOOK_SECRET"] = SECRET
    with shop.spawn("listen", "--port", "0", "--log-json") as process:
        assert process.stderr is not None
        [where] = lines(process.stderr.readline())
        assert has(where, event="listening", providers=["devino", "sendpulse"])
        port = int(where["url"].split(":")[2].partition("/")[0])
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", f"/webhooks/devino/{SECRET}", body(callback(email=ADDRESS)))
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGTERM)
        ended = end_of(process)
    found = lines(ended.err)
    assert has(only(found, "post"), logger="mailkit.webhooks", provider="devino", repeated=0)
    assert only(found, "post")["message"] == "devino posted 1 event"
    assert has(only(found, "ended"), posts=1, events=1)
    assert only(found, "signal")["signal"] == "SIGTERM"
    assert found[-1]["code"] == ended.code == 0
    assert SECRET not in ended.err
    assert "@" not in ended.err


class Long:
    """A job of 31 seconds, as a command looks at it."""

    name = "autumn"

    async def progress(self, every: float) -> AsyncIterator[Progress]:
        for seconds in (0, 31):
            yield step(seconds, rate=10.04, seconds_left=59.7)

    async def wait(self) -> None:
        return None


async def test_how_far_a_command_is_comes_as_numbers() -> None:
    written: list[str] = []
    clock, source = FakeClock(), read_recipients(["a@b.by", "c@d.by"])
    with json_lines(written.append):
        async with planning(source, quiet=False, clock=clock):
            async for _ in source.batches(1):
                await clock.sleep(40)
        await follow_job(cast("Job", Long()), quiet=False)
    *planned, progress = lines("\n".join(written))
    assert [(line["event"], line["rows"]) for line in planned] == [("planning", 1), ("planning", 2)]
    assert has(progress, event="progress", job="autumn", sent=300, to_send=900, rate=10.0)
    assert has(progress, seconds_left=60, read=1000, invalid=100, accepted=300, unsent=600)
