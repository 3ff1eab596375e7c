"""Certificates that sign themselves, made on the spot: P-256 and DER in plain arithmetic."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

__all__ = ["write_certificate"]

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_KEY = int.from_bytes(hashlib.sha256(b"a key that guards nothing").digest(), "big") % _N
_NONCE = int.from_bytes(hashlib.sha256(b"and signs nothing of worth").digest(), "big") % _N

Point = tuple[int, int]


def write_certificate(
    path: Path,
    *,
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
    since: datetime,
    days: int = 3650,
) -> Path:
    """A PEM file with a key and its certificate for these hosts."""
    public = b"\x04" + b"".join(number.to_bytes(32, "big") for number in _times(_KEY, _G))
    curve = _oid(1, 2, 840, 10045, 3, 1, 7)
    ecdsa = _der(0x30, _oid(1, 2, 840, 10045, 4, 3, 2))
    name = _der(0x30, _der(0x31, _der(0x30, _oid(2, 5, 4, 3), _der(0x0C, b"mailkit's tests"))))
    moments = (since, since + timedelta(days=days))
    names = b"".join(map(_host, hosts))
    body = _der(
        0x30,
        _der(0xA0, _number(2)),
        _number(1),
        ecdsa,
        name,
        _der(0x30, *(_der(0x18, f"{at:%Y%m%d%H%M%S}Z".encode()) for at in moments)),
        name,
        _der(
            0x30,
            _der(0x30, _oid(1, 2, 840, 10045, 2, 1), curve),
            _der(0x03, b"\0" + public),
        ),
        _der(
            0xA3,
            _der(
                0x30,
                _der(0x30, _oid(2, 5, 29, 17), _der(0x04, _der(0x30, names))),
                _der(0x30, _oid(2, 5, 29, 19), _der(0x04, _der(0x30, _der(0x01, b"\xff")))),
            ),
        ),
    )
    digest = int.from_bytes(hashlib.sha256(body).digest(), "big")
    r = _times(_NONCE, _G)[0] % _N
    s = pow(_NONCE, -1, _N) * (digest + r * _KEY) % _N
    signature = _der(0x03, b"\0" + _der(0x30, _number(r), _number(s)))
    key = _der(
        0x30,
        _number(1),
        _der(0x04, _KEY.to_bytes(32, "big")),
        _der(0xA0, curve),
        _der(0xA1, _der(0x03, b"\0" + public)),
    )
    certificate = _der(0x30, body, ecdsa, signature)
    path.write_text(_pem("EC PRIVATE KEY", key) + _pem("CERTIFICATE", certificate))
    return path


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _number(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(first: int, second: int, *rest: int) -> bytes:
    content = bytearray((40 * first + second,))
    for number in rest:
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7F)
        content += bytes(reversed(septets))
    return _der(0x06, bytes(content))


def _host(name: str) -> bytes:
    try:
        return _der(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _der(0x82, name.encode())


def _pem(label: str, data: bytes) -> str:
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def _times(factor: int, point: Point) -> Point:
    found: Point | None = None
    while factor:
        if factor & 1:
            found = point if found is None else _sum(found, point)
        point = _sum(point, point)
        factor >>= 1
    assert found is not None
    return found


def _sum(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    if one == two:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P
