"""How a request shows who sends it: a field, a header, or a token that is fetched and renewed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol
from urllib.parse import quote

import attrs

from mailkit.core.clock import Clock
from mailkit.core.secret import Secret
from mailkit.core.wire import Request
from mailkit.errors import InvalidArgument, RequestError

__all__ = [
    "Auth",
    "Bearer",
    "Credential",
    "FieldToken",
    "Grant",
    "HeaderKey",
    "Unsigned",
    "credential",
]


class Credential:
    """Fields that every request carries in its form or query; shows nothing of them."""

    def __init__(self, fields: Mapping[str, Secret]) -> None:
        self._fields = dict(fields)
        self._urlencoded = Secret(
            "&".join(f"{key}={quote(text.reveal(), safe='')}" for key, text in fields.items())
        )

    def after(self, text: str, start: str) -> str:
        """The urlencoded text with these fields at its end, and ``start`` before what there is."""
        if not self._fields:
            return f"{start}{text}" if text else ""
        joint = "&" if text else ""
        return f"{start}{text}{joint}{self._urlencoded.reveal()}"

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The fields' names and texts, for a multipart form."""
        return ((key, text.reveal()) for key, text in self._fields.items())


_NONE = Credential({})
_REMEMBERED = 16  # tokens; an answer may repeat one that has been renewed meanwhile


class Auth(Protocol):
    """A way to authenticate; what it keeps is masked wherever it is shown."""

    @property
    def fields(self) -> Credential:
        """Fields that every request carries, in its form or its query."""
        ...

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not appear in an error or a log."""
        ...

    async def sign(self, request: Request) -> None:
        """Put the credential into the request's headers, before each attempt."""
        ...

    async def renew(self, request: Request) -> bool:
        """After a 401: whether there is now another credential than the one the request had."""
        ...


def credential(value: str | Secret, place: str) -> Secret:
    """The credential as a Secret; InvalidArgument names the place if it can't be one."""
    secret = Secret(value)
    del value  # what follows may raise, and tracebacks can show the names of a frame
    fit = isinstance(secret.reveal(), str) and secret.reveal().isascii()
    if not fit or not secret or " " in secret.reveal() or not secret.reveal().isprintable():
        raise InvalidArgument(f"{place}: a credential of printable ASCII characters is needed")
    return secret


class FieldToken:
    """A token in a field of every form, or of the query where a call has no form."""

    def __init__(self, token: Secret, field: str = "token") -> None:
        self.fields = Credential({field: token})
        self.secrets = (token,)

    async def sign(self, request: Request) -> None:
        """Nothing: the token is in the request already."""

    async def renew(self, request: Request) -> bool:
        """False: there is no other token."""
        return False


class Unsigned:
    """No credential of its own: for a call that fetches one; ``secrets`` are those in its body."""

    def __init__(self, *secrets: Secret) -> None:
        self.fields = _NONE
        self.secrets = secrets

    async def sign(self, request: Request) -> None:
        """Nothing: the request goes as it is."""

    async def renew(self, request: Request) -> bool:
        """False: there is nothing to renew."""
        return False


class HeaderKey:
    """A key that never changes, in a header: ``Authorization: Key …``, ``Bearer …``."""

    def __init__(self, key: Secret, scheme: str, header: str = "Authorization") -> None:
        self.fields = _NONE
        self.secrets = (key,)
        self._key = key
        self._scheme = scheme
        self._header = header

    async def sign(self, request: Request) -> None:
        """Put the key into its header."""
        request.headers[self._header] = f"{self._scheme} {self._key.reveal()}".strip()

    async def renew(self, request: Request) -> bool:
        """False: there is no other key."""
        return False


@attrs.frozen
class Grant:
    """A token and for how many seconds it is good."""

    token: Secret
    expires_in: float


class Bearer:
    """A token in memory, fetched when there is none, when it is about to expire, or after a 401.

    However many requests need a token at once, one of them fetches it and the others wait for
    what comes of that; a fetch that failed is tried anew by the next request that needs one.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Grant]],
        *secrets: Secret,
        clock: Clock | None = None,
        early: float = 60.0,
    ) -> None:
        self.fields = _NONE
        self._fetch = fetch
        self._secrets = secrets
        self._clock = clock or Clock()
        self._early = early
        self._lock = asyncio.Lock()
        self._grant = Grant(Secret(""), 0.0)
        self._tokens: deque[Secret] = deque(maxlen=_REMEMBERED)
        self._until = float("-inf")
        self._fetched = 0
        self._failed: RequestError | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The credentials that tokens are fetched with, and the last tokens."""
        return (*self._secrets, *self._tokens)

    async def sign(self, request: Request) -> None:
        """Put a token into the header, fetching it first if need be."""
        if self._clock.monotonic() >= self._until:
            await self._fetch_once()
        request.headers["Authorization"] = f"Bearer {self._grant.token.reveal()}"

    async def renew(self, request: Request) -> bool:
        """Fetch another token unless somebody already did since the request was signed."""
        if self._signed(request):
            await self._fetch_once()
        return not self._signed(request)

    def _signed(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._grant.token.reveal()}"

    async def _fetch_once(self) -> None:
        seen = self._fetched
        async with self._lock:
            if self._fetched == seen:
                self._failed = None
                try:
                    self._grant = await self._fetch()
                    self._tokens.append(self._grant.token)
                    self._until = self._clock.monotonic() + max(
                        self._grant.expires_in - self._early, self._grant.expires_in / 2
                    )
                except RequestError as error:
                    self._failed = error
                self._fetched += 1  # not reached when cancelled: the next in line takes over
            if self._failed is not None:
                raise self._failed
