"""Answers that the sandbox doesn't give: each makes other bytes of the service's answer."""

from __future__ import annotations

from collections.abc import Callable

Play = Callable[[bytes], bytes]


def silence(answer: bytes) -> bytes:
    """No answer at all."""
    return b""


def in_chunks(answer: bytes) -> bytes:
    """The same answer with a chunked body."""
    body = answer.partition(b"\r\n\r\n")[2]
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def in_chunks_without_end(answer: bytes) -> bytes:
    """All of the body in chunks, but not the chunk that says so."""
    return in_chunks(answer).removesuffix(b"0\r\n\r\n")


def without_length(answer: bytes) -> bytes:
    """The body's length is told by the connection's end."""
    return b"HTTP/1.1 200 OK\r\n\r\n" + answer.partition(b"\r\n\r\n")[2]


def without_length_cut(answer: bytes) -> bytes:
    """The body's length is told by the connection's end, which comes too early."""
    return without_length(answer)[:-3]


def after_hints(answer: bytes) -> bytes:
    """A provisional answer, then the true one."""
    return b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + answer


def nested(answer: bytes) -> bytes:
    """JSON that no decoder can follow to its bottom."""
    body = b'{"status":"OK","result":' + b"[" * 100_000
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def not_gzip(answer: bytes) -> bytes:
    """A body that is not packed as it says."""
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"


def not_http(answer: bytes) -> bytes:
    """Not even HTTP."""
    return b"220 mail.example ESMTP\r\n\r\n"


def long_header(answer: bytes) -> bytes:
    """A header longer than anybody reads."""
    return b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"


def in_words(status: int, body: str) -> Play:
    """Another body, at this HTTP status."""
    packed = body.encode()
    head = b"HTTP/1.1 %d Words\r\nContent-Length: %d\r\n\r\n" % (status, len(packed))
    return lambda answer: head + packed


def the_same(answer: bytes) -> bytes:
    """Once more."""
    return answer


def timed_out(answer: bytes) -> bytes:
    """What some proxies say to a connection that has been idle for long."""
    return b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\n\r\n"
