"""``mailkit listen``, in processes of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest

from ..approval import approve
from ..security.canary import folder
from ..webhooks.posting import ADDRESS, SECRET, body, callback
from .shop import Process, Shop, end_of, insist, kill, screened

VARIABLE = "MAILKIT_WEBHOOK_SECRET"


@pytest.fixture(autouse=True)
def secret(shop: Shop) -> None:
    shop.environment[VARIABLE] = SECRET


@attrs.frozen
class Listening:
    process: Process
    port: int

    def post(self, data: bytes, secret: str = SECRET) -> int | None:
        """The status, or None if there was no answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            try:
                connection.request("POST", f"/webhooks/devino/{secret}", data)
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return None


@contextmanager
def listening(shop: Shop) -> Iterator[Listening]:
    """The command with --json, on a free port."""
    with shop.spawn("listen", "--port", "0", "--json") as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        assert where["providers"] == ["devino", "sendpulse"]
        assert where["journal"] == str(shop.journal)
        yield Listening(process, int(where["url"].split(":")[2].partition("/")[0]))


@contextmanager
def begun(shown: Listening, *, length: int) -> Iterator[socket.socket]:
    """A post whose body is being read."""
    with socket.create_connection(("127.0.0.1", shown.port), timeout=30) as connection:
        head = f"POST /webhooks/devino/{SECRET} HTTP/1.1\r\nHost: shop.test\r\n"
        head += f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        yield connection


def accepts(port: int) -> bool:
    with socket.socket() as other:
        return other.connect_ex(("127.0.0.1", port)) == 0


def test_it_says_what_to_register_and_what_has_come(shop: Shop) -> None:
    with shop.spawn("listen", "--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        url = lines[0].split(" ")[2].rstrip(";")
        port = int(url.split(":")[2].partition("/")[0])
        approve("listen: the addresses", "".join(lines), port=port, journal=shop.journal)
        shown = Listening(process, port)
        assert shown.post(body(callback(1), callback(2))) == 200
        assert shown.post(body(callback(1), {})) == 200
        assert shown.post(b"{") == 400
        assert shown.post(body(), "a-forged-secret-of-some-length") == 404

        taken = shop("listen", "--port", str(port))
        taken.check_refusal("a port that is taken by another", port=port)

        process.send_signal(signal.SIGINT)
        ended = end_of(process)
        assert ended.code == 0
        approve("listen: what has come", ended.out)
        approve("listen: a body that was not read", ended.err)
        assert SECRET not in "".join(lines) + ended.out + ended.err


def test_the_counts_as_json(shop: Shop) -> None:
    with listening(shop) as shown:
        assert shown.post(body(callback(1))) == 200
        shown.process.terminate()
        ended = end_of(shown.process)
    assert (ended.code, ended.err) == (0, "")
    assert ended.json == {
        "posts": 1, "events": 1, "applied": 0, "repeated": 0, "parked": 0, "foreign": 1,
        "other": 0, "left_out": 0, "broken": 0, "strangers": 0, "unwritten": 0,
    }  # fmt: skip


def test_nothing_has_come(shop: Shop) -> None:
    with shop.spawn("listen", "--port", "0", "--prefix", "/") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert lines[2].split() == ["devino", f"https://YOUR-HOST/devino/${VARIABLE}"]
        process.terminate()
        approve("listen: nothing has come", end_of(process).out)


@pytest.mark.parametrize(
    ("name", "given"),
    [("no secret", None), ("a short secret", "short"), ("a short new secret", f"{SECRET},short")],
)
def test_a_secret_that_is_refused(shop: Shop, name: str, given: str | None) -> None:
    shop.environment.pop(VARIABLE)
    ended = shop("listen", "--port", "0", environment={VARIABLE: given})
    ended.check_refusal(name)
    assert not shop.journal.exists()


def test_two_secrets_during_a_rotation(shop: Shop) -> None:
    new = "the-new-secret-of-this-shop"
    shop.environment[VARIABLE] = f"{new}, {SECRET}"
    with listening(shop) as shown:
        assert [shown.post(body(), one) for one in (new, SECRET, f"{new},{SECRET}")] == [
            200, 200, 404,
        ]  # fmt: skip
        shown.process.terminate()
        assert end_of(shown.process).code == 0


def test_a_journal_that_can_not_be_used(shop: Shop) -> None:
    shop.journal.write_bytes(b"a letter to Anna" * 1000)
    ended = shop("listen", "--port", "0")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert str(shop.journal) in ended.err


@pytest.mark.parametrize("prefix", ["webhooks", "/{x}", "/a b", "https://shop.test/webhooks"])
def test_a_prefix_that_is_no_path(shop: Shop, prefix: str) -> None:
    assert shop("listen", "--port", "0", "--prefix", prefix).code == 2


def test_a_host_that_is_not_here(shop: Shop) -> None:
    ended = shop("listen", "--host", "192.0.2.1", "--port", "8080")
    ended.check_refusal("a host that is not here")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals of this kind")
def test_on_a_terminal_it_shows_the_counts_while_they_change(shop: Shop) -> None:
    screen, other = os.openpty()
    with shop.spawn("listen", "--port", "0", streams=other) as process:
        os.close(other)
        shown = ""
        while "no webhooks yet" not in shown:
            shown += os.read(screen, 65536).decode()
        port = int(re.findall(r"127.0.0.1:(\d+)/", shown)[0])
        assert Listening(process, port).post(body(callback(1))) == 200
        while "1 event in 1 post" not in shown:
            shown += os.read(screen, 65536).decode()
        process.send_signal(signal.SIGINT)
        rest = screened(screen).decode()
        assert process.wait(30) == 0
    assert rest.count("1 event in 1 post") >= 1


def test_a_post_under_way_is_answered_before_the_end(shop: Shop) -> None:
    data = body(callback(1))
    with listening(shop) as shown:
        with begun(shown, length=len(data)) as connection:
            shown.process.terminate()
            shop.until(lambda: not accepts(shown.port), shown.process)
            connection.sendall(data)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        ended = end_of(shown.process)
    assert (ended.code, ended.json["events"]) == (0, 1)


def test_a_second_signal_ends_it_at_once(shop: Shop) -> None:
    with listening(shop) as shown, begun(shown, length=9):
        shown.process.terminate()
        shop.until(lambda: not accepts(shown.port), shown.process)
        insist(shown.process, signal.SIGTERM)
        ended = end_of(shown.process)
    assert ended.code == 1
    approve("listen: ended at once", ended.err)


def test_what_was_answered_is_in_the_journal_after_kill_9(shop: Shop) -> None:
    posts = [body(callback(2 * n), callback(2 * n + 1)) for n in range(100)]
    with listening(shop) as shown, ThreadPoolExecutor(8) as pool:
        answers = pool.map(shown.post, posts)
        known = [next(answers) for _ in range(20)]
        kill(shown.process)
        known += answers
    assert {*known} <= {200, None}
    answered = [data for data, status in zip(posts, known, strict=True) if status == 200]
    assert len(answered) >= 20
    again = _posted(shop, answered)
    assert (again["events"], again["repeated"]) == (2 * len(answered), 2 * len(answered))
    rest = _posted(shop, posts)  # as the service does
    assert (rest["events"], rest["posts"]) == (200, 100)
    assert rest["repeated"] >= 2 * len(answered)
    assert _posted(shop, posts)["repeated"] == 200


def _posted(shop: Shop, posts: list[bytes]) -> dict[str, int]:
    """The counts of a new process that gets these."""
    with listening(shop) as shown, ThreadPoolExecutor(8) as pool:
        assert {*pool.map(shown.post, posts)} == {200}
        shown.process.terminate()
        found: dict[str, int] = end_of(shown.process).json
        return found


def test_a_process_with_every_log_on_shows_nothing(shop: Shop) -> None:
    shop.environment.update(PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1")
    with listening(shop) as shown:
        assert shown.post(body(callback(1))) == 200
        assert shown.post(b"[{}]") == 400
        assert shown.post(b"[]", SECRET[:-1]) == 404
        shown.process.terminate()
        ended = end_of(shown.process)
    everything = f"{ended}{folder(shop.folder)}"
    assert ended.code == 0
    assert ADDRESS not in str(ended)
    assert SECRET[:8] not in everything


@pytest.mark.parametrize(
    "head",
    [
        "POST {path} HTTP/9",
        "POST {path}\x01 HTTP/1.1\r\nHost: shop.test",
        "POST {path} HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\nno size",
        "POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2",
    ],
)
def test_what_is_not_http_costs_a_line_at_most_and_shows_no_secret(shop: Shop, head: str) -> None:
    with listening(shop) as shown:
        with socket.create_connection(("127.0.0.1", shown.port), timeout=30) as connection:
            connection.sendall(
                head.format(path=f"/webhooks/devino/{SECRET}").encode() + b"\r\n\r\n"
            )
            assert connection.recv(1000).split()[1] == b"400"
        shown.process.terminate()
        ended = end_of(shown.process)
    assert ended.code == 0
    assert SECRET[:8] not in f"{ended}"
    assert len(ended.err.splitlines()) <= 1


def test_a_job_is_sent_while_it_listens(shop: Shop, tmp_path: Path) -> None:
    with listening(shop) as shown:
        assert shop.send(shop.letter(), shop.customers(20), "--name", "autumn").code == 0
        assert shown.post(body(callback(1))) == 200
        shown.process.terminate()
        assert end_of(shown.process).code == 0
    assert len(shop.accepted()) == 20
