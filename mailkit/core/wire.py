"""What travels: a request, a response, and what the response turned out to say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import msgspec

from mailkit.errors import InvalidArgument

__all__ = [
    "Missing",
    "Refusal",
    "Request",
    "Response",
    "Unclear",
    "Unreadable",
    "Upload",
    "base_url",
    "check_json",
]


@attrs.frozen
class Upload:
    """A body with a file in its middle, which is read while it is sent, again for each attempt.

    ``size`` and ``changed``, the file's time of change in nanoseconds, are those at the beginning:
    with others it is not the file that was asked for.
    """

    head: bytes = attrs.field(repr=False)
    file: Path
    tail: bytes = attrs.field(repr=False)
    size: int = 0
    changed: int = 0


@attrs.define(eq=False)
class Request:
    """A request ready to go; a repeat sends the same object, and so the same bytes.

    ``began`` is what the transport knows of the last attempt: False if certainly no byte of it
    left, True if one may have, None if it doesn't know. ``upload`` stands in for ``body`` where a
    file is too large to be held; its length is in the headers. ``fault`` is what was wrong with
    that file when it was sent.
    """

    verb: str
    url: str = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(repr=False)
    began: bool | None = None
    upload: Upload | None = attrs.field(default=None, repr=False)
    fault: str | None = None


@attrs.frozen
class Response:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Refusal:
    """A no in the service's own envelope; ``reasons`` are its words.

    ``later``: the same request may succeed after a wait: ``retry_after`` seconds, if known.
    ``quota``: a quota of the account is used up. ``credentials``: they are what is refused.
    ``account``: it has no money, is above its plan, or is blocked. ``missing``: what the call names
    does not exist there. ``remedy``: what the caller can do, where the words don't say it.
    """

    reasons: tuple[str, ...] = ()
    code: int | str | None = None
    later: bool = False
    retry_after: float | None = None
    quota: bool = False
    credentials: bool = False
    account: bool = False
    missing: bool = False
    remedy: str = ""


class Unreadable(ValueError):
    """A response's body that is not the service's; the text says what is wrong with it."""


class Unclear(Unreadable):
    """A body that may be the service's, and says neither yes nor no: it may have acted."""


class Missing(Unreadable):
    """A success whose value says that what the call names does not exist there."""


def check_json(body: bytes) -> None:
    """Raise Unreadable if the whole is not JSON (quick readers pass over what they don't need),
    Unclear if an object in it has a key twice, so that two readers may see two responses.
    """
    try:
        if msgspec.json.encode(msgspec.json.decode(body)) == body:
            return  # all of it was read, and nothing of it was lost
    except (ValueError, RecursionError):
        pass  # what is wrong, the slow reader says
    try:
        _distinct(body.decode())
    except Unclear:
        raise
    except ValueError:
        raise Unreadable("not JSON") from None


def _object(pairs: list[tuple[str, object]]) -> object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unclear("the same key twice in the response")
    return found


_distinct = json.JSONDecoder(object_pairs_hook=_object).decode


_plain = re.compile(r"[!-\[\]-~]+").fullmatch  # ASCII without controls, spaces and backslashes
_authority = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?::\d+)?"
).fullmatch


def base_url(url: str, what: str) -> str:
    """The address without a final slash; anything but https is refused unless it is loopback.

    ``what`` names the address in the error's text.
    """
    unusable = InvalidArgument(f"{what}: not an http(s) address; write it as https://host")
    if not isinstance(url, str):
        raise unusable
    # Two readers of addresses, this one and the transport's, must find the same host in it.
    if not _plain(url.strip()):
        raise unusable
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:  # a bracket that is not closed, a port that is none
        raise unusable from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise unusable
    if parts.username is not None or "?" in url or "#" in url:
        raise InvalidArgument(f"{what}: give an address without user name, query and fragment")
    if not _authority(parts.netloc):
        raise unusable
    if parts.scheme == "http" and not _loopback(host):
        raise InvalidArgument(
            f"{what}: {host} would get the credential unencrypted; use https "
            "(http is for this machine only)"
        )
    return url.strip().rstrip("/")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
