"""Who may come in: programs that mean this server, and no web page that a browser has open.

A page of any site can have its browser send requests to a port of this machine. To read the
responses it must have its own host name lead here (DNS rebinding): that name is then in Host. What
it sends without reading is marked by the browser, in Origin and Sec-Fetch-Site, which programs
leave out. A link to the sandbox's page may be followed all the same: the page takes the place of
the one with the link, which can't read it. The port is not compared: a tunnel or a gateway may have
another, and a page cannot choose it.
"""

import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping

import attrs

HEADER = "Sandbox-Token"

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]@/?#]+))(?::[0-9]*)?")


class OriginCheck:
    """Lets in requests to an IP address or a name of localhost, which no DNS server can redirect,
    to `host`, and to `names`; ValueError for a name that no Host header can have.
    """

    def __init__(self, host: str, names: str | Iterable[str] = ()) -> None:
        names = [names] if isinstance(names, str) else names
        self._names = {"localhost", host.lower(), *map(_host_name, names)}

    def problem(self, headers: Mapping[str, str], *, is_page: bool = False) -> str | None:
        """Why the request with these headers may not come in, or None; `is_page` if it is a GET or
        HEAD of the sandbox's page, to which a link of another site may lead.
        """
        host = headers.get("Host", "")
        if not self._is_ours(host):
            return (
                f"Host {host!r} is not this sandbox: use localhost or an IP address, or allow the "
                "name with the option --allowed-host, in Python with Sandbox(hosts=[…])"
            )
        is_ours = headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
        origin = headers.get("Origin", f"http://{host}")
        is_in = is_ours or (is_page and _follows_a_link(headers))
        if not is_in or origin.lower() != f"http://{host}".lower():
            return "a web page of another site can't use the sandbox"
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1] or found[2].lower().removesuffix(".")
        return name in self._names or name.endswith(".localhost") or _is_address(name)


@attrs.frozen
class PageToken:
    """A secret that the sandbox's own page knows, and no other: what a browser sends must have it.

    Programs, which send neither Origin nor Sec-Fetch-Site, need none.
    """

    value: str = attrs.field(factory=secrets.token_urlsafe, repr=False)

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers may change something."""
        is_program = "Origin" not in headers and "Sec-Fetch-Site" not in headers
        return is_program or self.matches(headers.get(HEADER, ""))

    def matches(self, given: str) -> bool:
        """Whether this is the secret."""
        return secrets.compare_digest(self.value.encode(), given.encode(errors="replace"))


def is_local(remote: str | None) -> bool:
    """Whether a client is on this machine, by its IP address."""
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _host_name(name: str) -> str:
    """A name as Host headers are compared with it."""
    if _HOST.fullmatch(f"{name}:0") is None and not _is_address(name):
        raise ValueError(
            f"{name!r} can't be allowed as a host: give a name such as sandbox, without http:// "
            "and without a port"
        )
    return name.lower().removesuffix(".")


def _follows_a_link(headers: Mapping[str, str]) -> bool:
    """Whether the response takes the place of the other site's page: it is not a part of it, not in
    a frame, and no script reads it.
    """
    mode, goal = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
    return (mode, goal) == ("navigate", "document")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
