"""Everything mailkit raises on purpose; the class says what the caller does next.

MailkitError
├── InvalidArgument     fix the input; nothing was sent           (also a ValueError)
├── Unsupported         the provider can't do this; nothing was sent
├── RequestError        a request was tried; provider, call, status, code and excerpt say more
│   ├── NotSent                 proven before the first byte: can be sent again
│   ├── OutcomeUnknown          the service may have acted: look there before sending again
│   ├── BadResponse               a response that can't be read, to a call safe to repeat
│   ├── Unavailable             the service is down or overloaded: try later
│   ├── RateLimited             wait for retry_after seconds
│   ├── QuotaExhausted          wait until available_at
│   └── Refused                 the service said no: fix the request
│       ├── AccountRefused          top up or unblock the account, then try again
│       ├── AuthenticationFailed    fix the credentials
│       └── NotFound                no such thing there
├── JobExists           resume that job, or send again
└── JournalError        the journal can't be read or written
"""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

__all__ = [
    "AccountRefused",
    "AuthenticationFailed",
    "BadResponse",
    "ErrorContext",
    "InvalidArgument",
    "JobExists",
    "JournalError",
    "MailkitError",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "QuotaExhausted",
    "RateLimited",
    "Refused",
    "RequestError",
    "Unavailable",
    "Unsupported",
]


class MailkitError(Exception):
    """The base class: ``except MailkitError`` catches everything mailkit raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # That of Exception calls the class with the texts alone, and not every class takes those.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InvalidArgument(MailkitError, ValueError):
    """Input that can't be sent; the text names the place and the fix. Nothing was sent."""


class Unsupported(MailkitError):
    """An option that this provider does not have. Nothing was sent."""


@attrs.frozen
class ErrorContext:
    """The place of a failed request: provider, call (such as ``emails.send``), HTTP status, the
    service's own code, and ``excerpt``, the beginning of the response's body without secrets.
    """

    provider: str = ""
    call: str = ""
    status: int | None = None
    code: int | str | None = None
    excerpt: str = ""


class RequestError(MailkitError):
    """A request that did not succeed; ``context`` says which one."""

    def __init__(self, text: str, context: ErrorContext | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.context = context or ErrorContext()

    def __str__(self) -> str:
        place = ".".join(part for part in (self.context.provider, self.context.call) if part)
        status = f" (HTTP {self.context.status})" if self.context.status is not None else ""
        return f"{place}: {self.text}{status}" if place else f"{self.text}{status}"

    @property
    def provider(self) -> str:
        """The provider's name, such as ``smsby``."""
        return self.context.provider

    @property
    def call(self) -> str:
        """The call's name, such as ``emails.send``."""
        return self.context.call

    @property
    def status(self) -> int | None:
        """The HTTP status, or None where there was no response."""
        return self.context.status

    @property
    def code(self) -> int | str | None:
        """The service's own error code, if it gave one."""
        return self.context.code

    @property
    def excerpt(self) -> str:
        """The beginning of the response's body, without secrets."""
        return self.context.excerpt


class NotSent(RequestError):
    """No byte of the request left this machine: DNS, connecting, TLS, or waiting for the pool."""


class OutcomeUnknown(RequestError):
    """The service may have acted on the request, but no response says so; mailkit never repeats it.

    A TimeoutError of ``asyncio.wait_for`` around a call means the same, unless the note on the
    CancelledError that caused it says that nothing was sent.
    """


class BadResponse(RequestError):
    """A call that is safe to repeat kept getting responses that can't be read."""


class Unavailable(RequestError):
    """The service is down, overloaded or out of reach, even after the repeats that are safe;
    ``retry_after`` is the wait in seconds that it asks for, or None.
    """

    def __init__(
        self, text: str, context: ErrorContext | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(text, context)
        self.retry_after = retry_after


class RateLimited(RequestError):
    """Too many requests; ``retry_after`` is the wait the service asks for, in seconds, or None."""

    def __init__(
        self, text: str, context: ErrorContext | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(text, context)
        self.retry_after = retry_after


class QuotaExhausted(RequestError):
    """A quota of the account is used up; ``available_at`` is when a permit comes free, if known."""

    def __init__(
        self,
        text: str,
        context: ErrorContext | None = None,
        *,
        available_at: datetime | None = None,
    ) -> None:
        super().__init__(text, context)
        self.available_at = available_at


class Refused(RequestError):
    """The service read the request and said no; ``reasons`` are its own words."""

    def __init__(
        self, text: str, context: ErrorContext | None = None, *, reasons: Sequence[str] = ()
    ) -> None:
        super().__init__(text, context)
        self.reasons = tuple(reasons)


class AccountRefused(Refused):
    """The account may not send now: no money, a limit of its plan, a block. Nobody was refused."""


class AuthenticationFailed(Refused):
    """The credentials are missing, wrong or not allowed to do this."""


class NotFound(Refused):
    """What the call names does not exist at the service."""


class JobExists(MailkitError):
    """A job of this name, or of this message and list, is in the journal; ``name`` is that job."""

    def __init__(self, text: str, *, name: str) -> None:
        super().__init__(text)
        self.name = name


class JournalError(MailkitError):
    """The journal can't be opened, read or written, or belongs to another engine now."""
