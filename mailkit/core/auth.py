"""How a request shows who sends it: a field, a header, or a token that is fetched and renewed."""

from __future__ import annotations

import asyncio
import copy
from base64 import b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from math import inf
from typing import Protocol
from urllib.parse import quote

import attrs

from mailkit.core.clock import Clock
from mailkit.core.loops import PerLoop
from mailkit.core.secret import Secret
from mailkit.core.wire import Request
from mailkit.errors import InvalidArgument, QuotaExhausted, RequestError

__all__ = [
    "Auth",
    "BasicAuth",
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
_REMEMBERED = 16  # tokens; a response may repeat one that has been renewed meanwhile


class Auth(Protocol):
    """A way to authenticate; what it keeps is masked wherever it is shown."""

    @property
    def fields(self) -> Credential:
        """Fields that every request carries, in its form or its query."""
        ...

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not appear in an error or a log; a hash of the first one names the
        account, unless the user does.
        """
        ...

    def sign(self, request: Request) -> bool:
        """Put the credential into the request's headers. False if it is not fresh: `refresh` comes
        first.
        """
        ...

    async def refresh(self) -> None:
        """Fetch a credential unless there is a fresh one; RequestError if that fails."""
        ...

    async def renew(self, request: Request) -> bool:
        """After a 401: whether there is now a credential other than the request's."""
        ...


def credential(value: str | Secret, place: str, variable: str | None = None) -> Secret:
    """The credential as a Secret; InvalidArgument names the place if it can't be one, and the
    ``variable`` that ``from_env`` reads if there is none.
    """
    secret = Secret(value)
    del value  # what follows may raise, and tracebacks can show the names of a frame
    given: object = secret.reveal()
    is_none, is_text = given is None, isinstance(given, str)
    del given
    if is_none or (is_text and not secret):
        lacking = "not given" if is_none else "empty"
        how = f"; give it, or set {variable} and use from_env()" if variable else ""
        raise InvalidArgument(f"{place} is {lacking}{how}")
    if not is_text:
        raise InvalidArgument(f"{place}: give text")
    if not secret.reveal().isascii() or " " in secret.reveal() or not secret.reveal().isprintable():
        raise InvalidArgument(
            f"{place}: a credential has printable ASCII characters only, and no spaces"
        )
    return secret


class _Lasting:
    """What stays the same as long as the client lives."""

    fields = _NONE

    def sign(self, request: Request) -> bool:
        """True: there is nothing to put into a header."""
        return True

    async def refresh(self) -> None:
        """Nothing: what there is never expires."""

    async def renew(self, request: Request) -> bool:
        """False: there is no other credential."""
        return False


class FieldToken(_Lasting):
    """A token in a field of every form, or of the query where a call has no form."""

    def __init__(self, token: Secret, field: str = "token") -> None:
        self.fields = Credential({field: token})
        self.secrets = (token,)


class Unsigned(_Lasting):
    """No credential of its own: for a call that fetches one; ``secrets`` are those in its body."""

    def __init__(self, *secrets: Secret) -> None:
        self.secrets = secrets


class HeaderKey(_Lasting):
    """A key that never changes, in a header: ``Authorization: Key …``, ``Bearer …``."""

    def __init__(self, key: Secret, scheme: str, header: str = "Authorization") -> None:
        self.secrets: tuple[Secret, ...] = (key,)
        self._key = key
        self._scheme = scheme
        self._header = header

    def sign(self, request: Request) -> bool:
        """Put the key into its header."""
        request.headers[self._header] = f"{self._scheme} {self._key.reveal()}".strip()
        return True


class BasicAuth(HeaderKey):
    """A user's name, or a key's, and its secret, as HTTP's Basic authentication sends them."""

    def __init__(self, user: str | Secret, password: str | Secret) -> None:
        user, password = Secret(user), Secret(password)  # before anything can raise
        user, password = credential(user, "user"), credential(password, "password")
        if ":" in user.reveal():
            raise InvalidArgument("user: a name can't contain a colon")
        pair = f"{user.reveal()}:{password.reveal()}".encode()
        super().__init__(Secret(b64encode(pair).decode()), "Basic")
        self.secrets = (user, password, *self.secrets)


@attrs.frozen
class Grant:
    """A token and for how many seconds it is good."""

    token: Secret
    expires_in: float


@attrs.define(eq=False)
class _Flight:
    """The one fetch that the requests of an event loop wait for, and how the last one ended."""

    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    fetched: int = 0
    failed: RequestError | None = None


@attrs.define(eq=False)
class _Tokens:
    """The tokens of an account: one for all clients that were made from one another."""

    now: Secret = attrs.field(factory=lambda: Secret(""))
    until: float = -inf
    last: deque[Secret] = attrs.field(factory=lambda: deque(maxlen=_REMEMBERED))
    flights: PerLoop[_Flight] = attrs.field(factory=lambda: PerLoop(_Flight))


class Bearer:
    """A token in memory, fetched when there is none, when it is about to expire, or after a 401.

    However many requests of an event loop need a token at once, one of them fetches it and the
    others wait for the result. After a failure, the next request that needs a token tries again.
    """

    fields = _NONE

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Grant]],
        *secrets: Secret,
        clock: Clock | None = None,
        early: float = 60.0,
    ) -> None:
        self._fetch = fetch
        self._secrets = secrets
        self._clock = clock or Clock()
        self._early = early
        self._tokens = _Tokens()

    def fetching(self, fetch: Callable[[], Awaitable[Grant]]) -> Bearer:
        """The same tokens, fetched in another way."""
        other = copy.copy(self)
        other._fetch = fetch
        return other

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The credentials that tokens are fetched with, and the last tokens."""
        return (*self._secrets, *self._tokens.last)

    def sign(self, request: Request) -> bool:
        """Put the token into the header; False if it is about to expire."""
        request.headers["Authorization"] = f"Bearer {self._tokens.now.reveal()}"
        return self._clock.monotonic() < self._tokens.until

    async def refresh(self) -> None:
        """Fetch a token if the one that there is expires soon."""
        if self._clock.monotonic() >= self._tokens.until:
            await self._fetch_once()

    async def renew(self, request: Request) -> bool:
        """Fetch another token unless somebody already did since the request was signed."""
        if self._signed(request):
            await self._fetch_once()
        return not self._signed(request)

    def _signed(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._tokens.now.reveal()}"

    async def _fetch_once(self) -> None:
        tokens, flight = self._tokens, self._tokens.flights.here()
        seen = flight.fetched
        async with flight.lock:
            # If a fetch had no result (it was cancelled, or would not wait for a quota), the next
            # in line takes over.
            if flight.fetched == seen:
                flight.failed = None
                try:
                    grant = await self._fetch()
                except RequestError as error:
                    if isinstance(error, QuotaExhausted) and error.status is None:
                        raise
                    flight.failed = copy.copy(error)
                else:
                    tokens.now = grant.token
                    tokens.last.append(grant.token)
                    tokens.until = self._clock.monotonic() + max(
                        grant.expires_in - self._early, grant.expires_in / 2
                    )
                flight.fetched += 1
            if flight.failed is not None:
                raise copy.copy(flight.failed)  # each with a traceback of its own
