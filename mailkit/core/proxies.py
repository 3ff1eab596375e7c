"""The proxy that the environment names: ``HTTPS_PROXY``, and ``NO_PROXY`` for what goes without it.

Only https goes through it, so a proxy learns only the host name: plain http goes to this machine.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TypedDict
from urllib.parse import unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # the second is in no stub
    getproxies_environment,
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue]
)

from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument

__all__ = ["DIRECT", "VARIABLE", "Proxies"]

VARIABLE = "HTTPS_PROXY"


_host = re.compile(r"[A-Za-z0-9._:-]+").fullmatch


class ProxyArguments(TypedDict, total=False):
    """What aiohttp is told of a proxy."""

    proxy: str
    proxy_headers: dict[str, str]


DIRECT: ProxyArguments = {}
"""No proxy."""


class Proxies:
    """Which proxy a request goes through; shows nothing of the password."""

    def __init__(self, url: Secret, no_proxy: str = "") -> None:
        self._proxy = _split(url)
        self._without = {"no": no_proxy}
        self._known: dict[str, bool] = {}

    @classmethod
    def of_environment(cls) -> Proxies | None:
        """Those that the environment names now."""
        named = getproxies_environment()
        url = Secret(named.get("https", "").strip())
        return cls(url, named.get("no", "")) if url else None

    def arguments(self, url: str) -> ProxyArguments:
        """What aiohttp needs to be told for a request to this address; InvalidArgument if it would
        go through a proxy that can't be used.
        """
        scheme, _, rest = url.partition("://")
        host = rest.partition("/")[0]
        if scheme != "https" or self._goes_without(host):
            return DIRECT
        if self._proxy is None:
            raise InvalidArgument(
                f"{VARIABLE}: give the address of an HTTP proxy, such as http://proxy.example:3128"
            )
        place, authorization = self._proxy
        if authorization is None:
            return {"proxy": place}
        headers = {"Proxy-Authorization": authorization.reveal()}
        return {"proxy": place, "proxy_headers": headers}

    def _goes_without(self, host: str) -> bool:
        if host not in self._known:
            self._known[host] = bool(proxy_bypass_environment(host, self._without))
        return self._known[host]


def _split(url: Secret) -> tuple[str, Secret | None] | None:
    """The proxy's address, and its user and password as a header; None if it can't be used."""
    text = url.reveal().strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not _host(host):
        return None
    place = f"[{host}]" if ":" in host else host
    address = f"{parts.scheme}://{place}" + (f":{port}" if port else "")
    if parts.username is None:
        return address, None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return address, Secret(f"Basic {b64encode(pair).decode()}")
