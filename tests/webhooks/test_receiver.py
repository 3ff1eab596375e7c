"""A receiver answers once what came is in the journal, and takes nothing else."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal
from mailkit.errors import InvalidArgument, JournalError
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookCounts, WebhookReceiver
from mailkit.webhooks.calling import Caller
from mailkit.webhooks.exchange import Disconnected

from ..approval import approve
from .posting import ADDRESS, PATH, SECRET, body, callback, pieces, post

PACKED = gzip.compress(body())


@pytest.fixture(autouse=True)
async def opened(receiver: WebhookReceiver) -> AsyncIterator[None]:
    async with receiver:
        yield


def events(receiver: WebhookReceiver) -> tuple[int, int]:
    """How many came, and how many of them were repeats."""
    return receiver.counts.events, receiver.counts.repeated


async def test_a_post_is_answered_once_it_is_in_the_journal(receiver: WebhookReceiver) -> None:
    answer = await post(receiver, body(callback(1), callback(2)))
    assert (answer.status, answer.close) == (200, False)
    assert events(receiver) == (2, 0)


async def test_a_repeat_is_taken_and_changes_nothing(receiver: WebhookReceiver) -> None:
    for _ in range(3):
        assert (await post(receiver)).status == 200
    assert (receiver.counts.posts, *events(receiver)) == (3, 3, 2)


async def test_nothing_is_answered_before_the_events_are_durable(
    receiver: WebhookReceiver, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = asyncio.Event()
    record = journal.events.record

    async def slow(*given: object, **more: object) -> object:
        await durable.wait()
        return await record(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.events, "record", slow)
    posting = asyncio.create_task(post(receiver))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not posting.done()
    durable.set()
    assert (await posting).status == 200


@pytest.mark.parametrize(
    "path",
    ["/", PATH[:-1], PATH + "x", f"/webhooks/pigeon/{SECRET}", f"/{SECRET}", "/webhooks/devino/"],
)
async def test_a_wrong_secret_and_an_unknown_provider_are_answered_alike(
    receiver: WebhookReceiver, path: str
) -> None:
    read = []

    async def unread() -> AsyncIterator[bytes]:
        read.append(1)
        yield body()

    answer = await post(receiver, unread(), path)
    assert answer == await post(receiver, path="/nowhere")
    assert (answer.status, answer.close, read) == (404, True, [])
    assert receiver.counts == WebhookCounts(strangers=2)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "post"])
@pytest.mark.parametrize("path", [PATH, "/nowhere"])
async def test_other_methods(receiver: WebhookReceiver, method: str, path: str) -> None:
    answer = await post(receiver, path=path, method=method)
    assert (answer.status, answer.headers) == (405, {"Allow": "POST"})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("is empty", b""),
        ("is not JSON", b"status=DELIVERED"),
        ("is not UTF-8", b'[{"status": "\xff"}]'),
        ("is cut", body()[:-2]),
        ("has bytes after it", body() + b"]"),
        ("is a number", b"1"),
        ("is a text", b'"DELIVERED"'),
        ("has another thing in its list", b"[[]]"),
        ("has an item without a status", body({"email": ADDRESS})),
        ("has no item that can be read", b'[null, "x", 7, {}]'),
        ("has a status that is no text", body(callback(status=[]))),  # type: ignore[arg-type]
        ("is 10,000 deep", b"[" * 10_000),
        ("is 10,000 deep and whole", b"[" * 10_000 + b"]" * 10_000),
        ("has an item that is 10,000 deep", b'[{"a":' * 10_000 + b"1" + b"}]" * 10_000),
        ("has an unpaired surrogate", b'[{"status": "\\ud800"}]'),
    ],
)
async def test_a_broken_body_records_nothing(
    receiver: WebhookReceiver, name: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await post(receiver, data)
    assert answer.status == 400
    assert receiver.counts == WebhookCounts(broken=1)
    assert ADDRESS not in answer.text + caplog.text
    approve(f"webhook body: {name}", answer.text)


@pytest.mark.parametrize(
    "data",
    [
        body(callback(status="NEW_WORD", surprise={"a": [1, None, 1e300]})),
        body(callback(ts="1893456000000", messageId=5)),
        body(callback(ts=10**400)),
        body(callback(ts=None, messageId=None)),
        body(callback(email=" ANNA@Example.com ")),
        b"\xef\xbb\xbf" + body(),
        b" \r\n" + body(),
        json.dumps(callback()).encode(),
        b"[]",
    ],
)
async def test_an_odd_body_is_taken(receiver: WebhookReceiver, data: bytes) -> None:
    assert (await post(receiver, data)).status == 200


@pytest.mark.parametrize(
    "odd",
    [
        b"null",
        b'"x"',
        b"[]",
        b'[{"status": "SENT"}]',
        b'{"status": null, "email": "anna@example.com"}',
        b'{"status": "", "email": "anna@example.com"}',
        b'{"status": "\xff"}',
        b'{"status": "SENT", "a": 1e999}',
    ],
)
@pytest.mark.parametrize("n", [1, 1000])
async def test_an_odd_item_costs_none_of_the_others(
    receiver: WebhookReceiver, odd: bytes, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    others = [json.dumps(callback(one)).encode() for one in range(n)]
    data = b"\xef\xbb\xbf[%b]" % b", ".join([others[0], odd, *others[1:], b"{}"])
    assert (await post(receiver, data)).status == 200
    assert receiver.counts == WebhookCounts(posts=1, events=n, foreign=n, left_out=2)
    [warning] = caplog.record_tuples
    assert warning[:2] == ("mailkit.webhooks", logging.WARNING)
    assert "devino was accepted without 2 of its items: " in warning[2]
    assert ADDRESS not in caplog.text
    assert (await post(receiver, data)).status == 200
    assert events(receiver) == (2 * n, n)


async def test_an_item_of_sendpulse_that_can_not_be_read(receiver: WebhookReceiver) -> None:
    left = {"event": "unsubscribe", "email": ADDRESS, "timestamp": 1893456000, "task_id": 5}
    data = body(left, {"event": "task_status_update", "task_id": 5})
    path = PATH.replace("devino", "sendpulse")
    assert (await post(receiver, data, path)).status == 200
    assert (receiver.counts.events, receiver.counts.left_out) == (1, 1)
    numbered = b'{"0": %b, "2": null}' % json.dumps(left).encode()
    assert (await post(receiver, numbered, path)).status == 200
    assert (receiver.counts.repeated, receiver.counts.left_out) == (1, 2)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate"])
async def test_a_packed_body_is_unpacked(receiver: WebhookReceiver, encoding: str) -> None:
    data = zlib.compress(body()) if encoding == "deflate" else gzip.compress(body())
    assert (await post(receiver, data, encoding=encoding)).status == 200
    assert events(receiver) == (1, 0)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [(PACKED[:-9], "gzip"), (body(), "gzip"), (PACKED, "br")],
    ids=["cut off", "not packed", "another way"],
)
async def test_a_body_that_can_not_be_unpacked(
    receiver: WebhookReceiver, data: bytes, encoding: str
) -> None:
    answer = await post(receiver, data, encoding=encoding)
    assert (answer.status, receiver.counts) == (400, WebhookCounts(broken=1))
    approve("webhook body: packed in another way", answer.text)


async def test_a_body_that_is_too_large_is_not_read_to_its_end(journal: Journal) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1000
            yield b" " * 1000

    async with WebhookReceiver(journal, secret=SECRET, max_size=100_000) as receiver:
        answer = await post(receiver, endless())
        assert (answer.status, answer.close, taken) == (413, True, 101_000)
        approve("webhook body: too large", answer.text)
        taken = 0
        assert (await post(receiver, endless(), length="100001")).status == 413
        assert taken == 0
        for size in ("9" * 5000, "nonsense", "-1", "²"):
            assert (await post(receiver, body(), length=size)).status in (200, 413)
        bomb = gzip.compress(b" " * 10**7)
        assert (await post(receiver, bomb, encoding="gzip")).status == 413
        exact = body().ljust(100_000)
        assert (await post(receiver, exact, length="100000")).status == 200


async def test_a_large_body_is_taken_whole(receiver: WebhookReceiver) -> None:
    data = body(*(callback(n) for n in range(2000)))
    assert len(data) > 2 * 65536
    parts = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    assert (await post(receiver, pieces(*parts))).status == 200
    assert events(receiver) == (2000, 0)


async def test_a_slow_sender(journal: Journal) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield body()[:5]
        await asyncio.Event().wait()

    async with WebhookReceiver(journal, secret=SECRET, body_timeout=0) as receiver:
        answer = await post(receiver, slow())
        assert (answer.status, answer.close) == (408, True)
        approve("webhook body: too slow", answer.text)


async def test_a_sender_that_goes_away(receiver: WebhookReceiver) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield body()
        raise Disconnected

    assert (await post(receiver, broken())).close
    assert receiver.counts == WebhookCounts()


async def test_a_journal_that_can_not_be_written(
    receiver: WebhookReceiver,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def full(*given: object, **more: object) -> None:
        raise JournalError("the journal can't be written: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(journal.events, "record", full)
        answer = await post(receiver)
        assert (answer.status, answer.headers) == (503, {"Retry-After": "60"})
        assert (await post(receiver, method="GET", path="/w/health")).status == 503
    assert caplog.text.count("the disk is full") == 1
    assert receiver.counts == WebhookCounts(unwritten=1)
    assert (await post(receiver)).status == 200
    assert events(receiver) == (1, 0)
    assert (await post(receiver, method="GET", path="/w/health")).status == 200


async def test_what_nobody_expected_shows_neither_its_words_nor_addresses(
    receiver: WebhookReceiver,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*given: object, **more: object) -> None:
        raise KeyError(ADDRESS)

    monkeypatch.setattr(journal.events, "record", fail)
    answer = await post(receiver)
    assert answer.status == 500
    assert "KeyError at " in caplog.text
    assert ADDRESS not in caplog.text + answer.text


async def test_the_health(receiver: WebhookReceiver) -> None:
    for path in ("/webhooks/health", "/health/"):
        for method in ("GET", "HEAD"):
            assert (await post(receiver, method=method, path=path)).status == 200
    assert (await post(receiver, path="/webhooks/health")).status == 404
    assert receiver.counts == WebhookCounts(strangers=1)


async def test_many_posts_at_once(receiver: WebhookReceiver) -> None:
    posts = [post(receiver, body(callback(n), callback(n // 2))) for n in range(100)]
    assert {answer.status for answer in await asyncio.gather(*posts)} == {200}
    assert events(receiver) == (200, 100)


async def test_a_path_is_opened_by_the_first_post_and_closed(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    receiver = WebhookReceiver(place, secret=SECRET)
    assert not place.exists()
    assert (await post(receiver)).status == 200
    assert place.exists()
    await receiver.aclose()
    assert (await post(receiver)).status == 503
    async with receiver:
        assert (await post(receiver)).status == 200
    assert events(receiver) == (2, 1)


async def test_a_journal_that_can_not_be_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "journal.db"
    place.write_bytes(b"a letter to Anna" * 1000)
    receiver = WebhookReceiver(place, secret=SECRET)
    assert (await post(receiver)).status == 503
    with pytest.raises(JournalError):
        await receiver.open()
    place.unlink()
    assert (await post(receiver)).status == 200
    await receiver.aclose()


async def test_a_start_that_fails_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Journal] = []
    close = Journal.close

    async def watched(journal: Journal) -> None:
        closed.append(journal)
        await close(journal)

    async def fail(caller: Caller) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(Journal, "close", watched)
    receiver = WebhookReceiver(tmp_path / "journal.db", secret=SECRET)
    with monkeypatch.context() as patch:
        patch.setattr(Caller, "start", fail)
        assert (await post(receiver)).status == 503
    assert len(closed) == 1
    assert (await post(receiver)).status == 200
    await receiver.aclose()


def test_whose_webhooks_it_takes(receiver: WebhookReceiver) -> None:
    assert receiver.providers == ["devino", "sendpulse"]


async def test_an_open_journal_is_not_closed(journal: Journal, clock: FakeClock) -> None:
    async with WebhookReceiver(journal, secret=SECRET, clock=clock):
        pass
    await journal.events.record((), now=clock.now())


@pytest.mark.parametrize(
    "more",
    [
        {"journal": 5},
        {"max_size": 0},
        {"body_timeout": -1},
        {"concurrency": 0.5},
        {"handler_timeout": "1"},
    ],
)
def test_arguments_that_can_not_work(more: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(more))):
        WebhookReceiver(secret=SECRET, **more)  # type: ignore[arg-type]
