"""What all services' clients share: a call goes out, a response or an error comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from inspect import iscoroutinefunction
from math import inf
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, Unpack
from urllib.parse import urlsplit

import anyio.to_thread
import attrs

from mailkit.core.arguments import check_options
from mailkit.core.auth import Auth
from mailkit.core.call import Call, CallResult, Raw, Resource, reads_files
from mailkit.core.checks import number
from mailkit.core.classify import EnvelopeReader, Failure, already_done, classify, error_of
from mailkit.core.clock import Clock
from mailkit.core.codec import Exchange, build_exchange
from mailkit.core.frames import clear_frames
from mailkit.core.hooks import Attempt, call_hooks, log, log_attempt
from mailkit.core.http import AiohttpTransport
from mailkit.core.lateness import begins_by
from mailkit.core.options import ClientOptions
from mailkit.core.quota import REQUESTS, LocalPermits, Permit, Permits, Quota, request_quotas
from mailkit.core.retry import Outcome, Policy, delay
from mailkit.core.secret import Secret, scrub
from mailkit.core.wire import Refusal, Response
from mailkit.core.wire_format import WireFormat
from mailkit.errors import ErrorContext, InvalidArgument, NotSent, OutcomeUnknown, QuotaExhausted
from mailkit.text import header_text

if TYPE_CHECKING:
    from mailkit.core.diagnosis import Check

__all__ = ["Client"]

T = TypeVar("T")

_ROUNDS = 20  # of waiting for a permit until the token is one that has not expired meanwhile
_LONGEST_WINDOW = 86_400.0
_AT_ONCE = 1.0  # seconds that no token is expected to expire in


@attrs.frozen
class _Limits:
    timeout: float = attrs.field(validator=number(least=0.001))
    quota_wait: float = attrs.field(default=30.0, validator=number(least=0))
    policy: Policy = attrs.field(factory=Policy)


class Client:
    """The base of the services' clients; opens nothing until the first call. A subclass passes on
    its user's `ClientOptions`.

    A call that may be repeated is tried up to three times within 60 seconds; any other only if it
    certainly did nothing. Raises the errors of `mailkit.errors`. Hooks are called before and
    after each attempt; what they raise is logged. The logger ``mailkit.requests`` has each attempt
    at INFO.
    """

    name: ClassVar[str]
    """The provider's short name."""
    checks: ClassVar[Sequence[Check]] = ()
    """The checks that ``mailkit doctor`` makes."""
    account: str = ""
    """Whose quotas and messages these are."""
    _url = ""  # both have a value here, so that a client that could not be made has a repr

    def __init__(
        self,
        *,
        url: str,
        auth: Auth,
        unwrap: EnvelopeReader,
        wire_format: WireFormat = WireFormat(),
        quotas: Mapping[str, Quota | None] | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        if unknown := options.keys() - ClientOptions.__annotations__:
            raise TypeError(
                f"{type(self).__name__} got an unexpected option: {', '.join(sorted(unknown))}"
            )
        check_options(options, ClientOptions)
        hooks = options.get("hooks", ())
        if not all(map(callable, hooks)):
            raise InvalidArgument("hooks: give a list of functions, each of which takes an Attempt")
        if any(map(iscoroutinefunction, hooks)):
            raise InvalidArgument("hooks: give functions that return at once, not async functions")
        account = options.get("account") or auth.secrets[0].fingerprint()
        self.account = header_text(account, "account")
        named = {**request_quotas(options.get("requests")), **(quotas or {})}
        self.quotas = {name: quota for name, quota in named.items() if quota is not None}
        self.clock = options.get("clock") or Clock()
        self._url = url
        self._auth = auth
        self._unwrap = unwrap
        self._transport = options.get("transport") or AiohttpTransport(
            options.get("session"), connections=options.get("connections", 100)
        )
        self._wire_format = wire_format
        self._hooks = tuple(hooks)
        self._random = options.get("random") or SystemRandom()
        self._limits = _Limits(options.get("timeout", 30.0))
        self._permits: Permits | None = None
        if self.quotas:
            self._permits = LocalPermits(self.quotas, self.clock, provider=self.name)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        attempts: int | None = None,
        quota_wait: float | None = None,
    ) -> Self:
        """This client with other limits, over the same connections and quotas.

        ``timeout``: seconds for one attempt. ``attempts``: how often a call is tried at most.
        ``quota_wait``: seconds to wait for a quota before QuotaExhausted; inf waits on.
        """
        changed: dict[str, Any] = {}
        if timeout is not None:
            changed["timeout"] = timeout
        if attempts is not None:
            changed["policy"] = attrs.evolve(self._limits.policy, attempts=attempts)
        if quota_wait is not None:
            changed["quota_wait"] = quota_wait
        other = self._copy()
        other._limits = attrs.evolve(self._limits, **changed)
        return other

    def with_permits(self, permits: Permits | None) -> Self:
        """This client with other quotas: everything it sends, token requests included, takes its
        permits there; None for no quotas.
        """
        other = self._copy()
        other._permits = permits
        return other

    def shown(self, look: Callable[[Response, Raw | Refusal | None], object]) -> Self:
        """This client, which shows each response to ``look``, and what is in its envelope: None if
        it is not the service's.
        """
        other, unwrap = self._copy(), self._unwrap

        def seen(response: Response) -> Raw | Refusal:
            try:
                found = unwrap(response)
            except BaseException:
                look(response, None)
                raise
            look(response, found)
            return found

        other._unwrap = seen
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client opened; a session it was given stays open."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.account} at {self._url}>"

    def scrubbed(self, text: str) -> str:
        """The text without this client's credentials, in whatever spelling."""
        return scrub(text, self._auth.secrets)

    async def exchange(self, call: Call[T], name: str) -> CallResult[T]:
        """Carry a call out under this name; what the methods of the resources do.

        Cancelling it, as ``asyncio.wait_for`` and ``asyncio.timeout`` do, loses the response: a
        message may be on its way. A note on the CancelledError says so if nothing was sent.
        ``with_options(timeout=…)`` limits the time, with an error that says what is known.
        """
        exchange: Exchange[T] | None = None
        end: CallResult[T] | Failure | None = None
        response: Response | None = None
        try:
            way = (call, name, self._wire_format, self._url, self._auth.fields)
            if call.__files__ and reads_files(call):
                exchange = await anyio.to_thread.run_sync(build_exchange, *way)
            else:
                exchange = build_exchange(*way)
            start, timeout = self.clock.monotonic(), self._limits.timeout
            if (
                self._permits is not None
                or self._hooks
                or log.isEnabledFor(logging.INFO)
                or not self._auth.sign(exchange.request)
            ):
                end = await self._attempt(exchange, timeout)
            else:  # nobody to ask and nobody to tell
                exchange.attempt, exchange.request.began = 1, False
                try:
                    response = await self._transport.send(exchange.request, timeout)
                except (NotSent, OutcomeUnknown) as error:
                    end = self._broken(exchange, error)
                else:
                    end = self._judged(exchange, response)
            if isinstance(end, CallResult):
                return end  # as nearly always
            return await self._repeat(exchange, end, start)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and exchange is not None:
                sent = exchange.unknown or exchange.request.began is not False
                fate = (
                    "the service may have processed it: check there" if sent else "nothing was sent"
                )
                error.add_note(f"{self.name}.{name} was cancelled: {fate}")
            clear_frames(error)
            exchange = end = response = None  # what this frame has, which is still running
            raise

    async def _repeat(self, exchange: Exchange[T], end: Failure, start: float) -> CallResult[T]:
        """What follows from an attempt that did not succeed, until one does, or none may come."""
        policy, repeatable = self._limits.policy, exchange.route.repeatable
        timeout = self._limits.timeout
        renewed = False
        while True:
            exchange.unknown = exchange.unknown or end.outcome is Outcome.UNKNOWN
            # From here on, what is known if the wait is cancelled.
            exchange.request.began = exchange.unknown
            unauthorized = end.response is not None and end.response.status == 401
            may_renew = repeatable or (end.outcome is Outcome.REFUSED and policy.attempts > 1)
            renews = unauthorized and not renewed and may_renew
            if renews:
                renewed = True
            if not (renews and await self._auth.renew(exchange.request)):
                elapsed = self.clock.monotonic() - start
                wait = delay(
                    end.outcome,
                    later=end.refusal.later,
                    retry_after=end.retry_after,
                    attempt=exchange.attempt,
                    elapsed=elapsed,
                    repeatable=repeatable,
                    policy=policy,
                    random=self._random,
                )
                if wait is None:
                    raise error_of(
                        end,
                        provider=self.name,
                        call=exchange.name,
                        repeatable=repeatable,
                        secrets=self._secrets(exchange),
                        now=self.clock.now(),
                    )
                await self.clock.sleep(wait)
                if repeatable:  # for others, a response that comes late is better than none
                    timeout = min(timeout, max(policy.total - elapsed - wait, 1.0))
            again = await self._attempt(exchange, timeout)
            if exchange.unknown and isinstance(again, Failure):
                again = already_done(again, exchange.route.gone, exchange.read)
            if isinstance(again, CallResult):
                return again
            end = again

    def _copy(self) -> Self:
        other = object.__new__(type(self))
        for key, value in vars(self).items():
            if not isinstance(value, Resource):  # those are bound to this client
                setattr(other, key, value)
        return other

    async def _attempt(
        self,
        exchange: Exchange[T],
        timeout: float,  # noqa: ASYNC109 - handed to the transport, which keeps it
    ) -> CallResult[T] | Failure:
        request, permits = exchange.request, self._permits
        told = bool(self._hooks) or log.isEnabledFor(logging.INFO)
        asked = self.clock.monotonic() if told else 0.0
        exchange.attempt += 1
        permit = None
        request.began = False  # also while the attempt waits for its permit or a token
        if permits is not None or not self._auth.sign(request):
            permit = await self._sign(exchange, timeout)
        response: Response | None = None
        start = self.clock.monotonic() if told else 0.0
        try:
            if self._hooks:
                call_hooks(self._hooks, self._seen(exchange, start - asked))
            if permit is None:
                response = await self._transport.send(request, timeout)
            else:
                permit.sent()
                with begins_by(permit.begins_by):
                    response = await self._transport.send(request, timeout)
        except (NotSent, OutcomeUnknown) as error:
            end: CallResult[T] | Failure = self._broken(exchange, error)
        except BaseException:  # cancelled, as a rule
            if told:
                cut = Outcome.NOT_SENT if request.began is False else Outcome.UNKNOWN
                self._tell(exchange, cut, response, asked, start)
            raise
        else:
            end = self._judged(exchange, response)
            if permit is not None and isinstance(end, Failure):
                _note_refusal(permit, end)
        finally:
            if permit is not None:
                if response is not None:
                    permit.done()
                elif request.began is False:
                    permit.release()
                else:
                    permit.lost()
        if told:
            outcome = Outcome.ANSWERED if isinstance(end, CallResult) else end.outcome
            self._tell(exchange, outcome, response, asked, start)
        return end

    def _judged(self, exchange: Exchange[T], response: Response) -> CallResult[T] | Failure:
        return classify(
            response,
            self._unwrap,
            exchange.read,
            partial(self._secrets, exchange),
            self.clock.now,
            repeatable=exchange.codec.route.repeatable,
        )

    def _broken(self, exchange: Exchange[T], error: NotSent | OutcomeUnknown) -> Failure:
        outcome = Outcome.UNKNOWN
        if isinstance(error, NotSent):
            exchange.request.began, outcome = False, Outcome.NOT_SENT
        return Failure(outcome, scrub(error.text, self._secrets(exchange)))

    def _secrets(self, exchange: Exchange[T]) -> tuple[Secret, ...]:
        return (*self._auth.secrets, *exchange.secrets)

    async def _sign(self, exchange: Exchange[T], timeout: float) -> Permit | None:  # noqa: ASYNC109
        """A credential and a permit for one attempt.

        A token is fetched with no permit in hand, since that takes one of its own: calls that hold
        them all would wait for each other. If the token expired while the call waited for its
        permit, the permit is given back and both are requested again.
        """
        auth, permits, now = self._auth, self._permits, self.clock.monotonic
        give_up = now() + self._limits.quota_wait
        for left in reversed(range(_ROUNDS)):
            if not auth.sign(exchange.request):
                await auth.refresh()
                auth.sign(exchange.request)
            if permits is None:
                break
            start = now()
            wait = None if give_up == inf else give_up - start
            try:
                permit = await permits.acquire((*REQUESTS, *exchange.quotas), wait, timeout)
            except QuotaExhausted as error:
                error.context = ErrorContext(self.name, exchange.name)
                raise
            if auth.sign(exchange.request) or not left or now() - start < _AT_ONCE:
                return permit
            permit.release()
        return None

    def _seen(
        self,
        exchange: Exchange[T],
        waited: float,
        outcome: Outcome | None = None,
        status: int | None = None,
        seconds: float = 0.0,
    ) -> Attempt:
        host, port = _service(self._url)
        return Attempt(
            provider=self.name,
            call=exchange.name,
            kind=exchange.kind,
            verb=exchange.route.verb,
            route=exchange.route.path,
            attempt=exchange.attempt,
            outcome=outcome,
            status=status,
            seconds=seconds,
            waited=waited,
            host=host,
            port=port,
        )

    def _tell(
        self,
        exchange: Exchange[T],
        outcome: Outcome,
        response: Response | None,
        asked: float,
        start: float,
    ) -> None:
        status = None if response is None else response.status
        seconds = self.clock.monotonic() - start
        attempt = self._seen(exchange, start - asked, outcome, status, seconds)
        log_attempt(attempt)
        call_hooks(self._hooks, attempt)


@lru_cache
def _service(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _note_refusal(permit: Permit, end: Failure) -> None:
    """A quota that the service calls used up is blocked for everybody, but never for longer than
    the longest window: one bad header must not lock an account out for good.
    """
    status = None if end.response is None else end.response.status
    seconds = None if end.retry_after is None else min(end.retry_after, _LONGEST_WINDOW)
    if end.refusal.quota:
        permit.refused(requests=False, seconds=seconds)
    elif status == 429 or (end.refusal.later and status != 503):
        permit.refused(requests=True, seconds=seconds)
