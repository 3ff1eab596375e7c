"""Bodies that are packed, and those that are more than they seem."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.unpack import BadBody, Body
from mailkit.errors import OutcomeUnknown

from .test_http import request, server, transports

MEGABYTE = 2**20


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "identity": ("Identity", bytes),
    "gzip": ("GZIP", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "bare": ("deflate", bare),
}
each_packer = pytest.mark.parametrize(("encoding", "pack"), PACKERS.values(), ids=PACKERS)


def unpacked(encoding: str, packed: bytes, largest: int, piece: int = 1000) -> bytes:
    body = Body(encoding, largest)
    for start in range(0, len(packed), piece):
        body.add(packed[start : start + piece])
    return body.whole()


@each_packer
@given(data=st.binary(max_size=3000), piece=st.integers(1, 500))
def test_what_was_packed_is_unpacked_however_it_is_cut(
    encoding: str, pack: Callable[[bytes], bytes], data: bytes, piece: int
) -> None:
    assert unpacked(encoding, pack(data), 10_000, piece) == data


@each_packer
def test_the_limit_holds_to_the_byte(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    data = bytes(100_000)
    assert unpacked(encoding, pack(data), 100_000) == data
    for piece in (1000, 10**6):  # the last piece too, and the only one
        with pytest.raises(BadBody, match="more than 99999 bytes"):
            unpacked(encoding, pack(data), 99_999, piece)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_data_that_is_cut_off_or_none_is_told(encoding: str) -> None:
    packed = PACKERS["gzip" if encoding == "gzip" else "zlib"][1](bytes(5000))
    for wrong in (packed[:-1], packed[:5], b"{}", packed + b"{}", b"\x78" + bytes(50)):
        with pytest.raises(BadBody):
            unpacked(encoding, wrong, 10_000)
    assert unpacked(encoding, b"", 10_000) == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, deflate", "é"])
def test_what_was_not_asked_for_is_not_unpacked(encoding: str) -> None:
    with pytest.raises(BadBody, match="encoded as"):
        Body(encoding, 10_000)


def test_packed_bytes_count_too() -> None:
    blocks_of_nothing = b"\0\0\0\xff\xff" * 1000
    with pytest.raises(BadBody, match="more than 1000 bytes"):
        unpacked("gzip", gzip.compress(b"")[:10] + blocks_of_nothing, 1000, 100)


@pytest.mark.parametrize("name", ["plain", "gzip", "zlib", "bare"])
async def test_a_bomb_takes_no_more_memory_than_the_limit(name: str) -> None:
    encoding, pack = PACKERS[name]
    bomb = pack(bytes(32 * MEGABYTE))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head % (encoding.encode() or b"identity", len(bomb)))
        with suppress(OSError):
            for start in range(0, len(bomb), MEGABYTE):
                writer.write(bomb[start : start + MEGABYTE])
                await writer.drain()

    async with server(serve) as url, transports(largest=4 * MEGABYTE) as transport:
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown, match="more than 4194304 bytes"):
                await transport.send(request(url), 60.0)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 8 * MEGABYTE


async def test_only_what_can_be_unpacked_is_asked_for() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        packed = gzip.compress(b"hello")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(packed), packed))
        await writer.drain()

    async with server(serve) as url, transports() as transport:
        sent = request(url, "GET", None)
        assert (await transport.send(sent, 5.0)).body == b"hello"
    assert b"Accept-Encoding: gzip, deflate\r\n" in seen[0]
    assert "Accept-Encoding" not in sent.headers
