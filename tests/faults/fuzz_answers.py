"""``python -m tests.faults.fuzz_answers``: bent answers into the clients of all three services.

An answer is made of a sample, an envelope or a gateway's page, bent once or a few times as a tree,
and once as bytes. Whatever it is: no exception but mailkit's, no success without its documented
mark, no refusal but in the service's exact form, and no second request of a call that is not
repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from typing import Any

from mailkit.core.wire import Request, Response
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    MailkitError,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.providers.devino import Devino, SendMessagesResult
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.testing import FakeClock

from .bending import RECIPIENTS, Bender
from .gateways import BEFORE_PASSING_ON
from .oracle import may_refuse, may_succeed
from .test_calls import ROUTES

ADDRESS = "a@mail.by"
LETTER: dict[str, Any] = {"sender": "Shop <s@mail.by>", "subject": "S", "html": "[Unsubscribe]"}
LIST: dict[str, Any] = {**LETTER, "list_id": 7}

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "smsby.emails.send": ((), {**LETTER, "to": ADDRESS}),
    "smsby.emails.send_to_list": ((), LIST),
    "smsby.bulk.send": ((), {**LETTER, "delivery_list": [ADDRESS]}),
    "smsby.mailing_lists.create": (("Autumn",), {}),
    "smsby.bulk.status": (("u",), {}),
    "smsby.emails.delivery_list": ((7,), {}),
    "smsby.templates.list": ((), {}),
    "smsby.subscriptions.unsubscribe": ((ADDRESS,), {}),
    "devino.messages.send": ((), {**LETTER, "recipients": RECIPIENTS}),
    "devino.files.upload": ((b"x", "a.txt"), {}),
    "sendpulse.campaigns.create": ((), LIST),
    "sendpulse.campaigns.send_test": ((), {**LIST, "to": [ADDRESS]}),
    "sendpulse.mailing_lists.add_contacts_double_opt_in": ((7, [ADDRESS], ADDRESS, "en"), {}),
    "sendpulse.senders.add": ((ADDRESS, "A"), {}),
    "sendpulse.senders.request_code": ((ADDRESS,), {}),
    "sendpulse.mailing_lists.add_contacts": ((7, [ADDRESS]), {}),
    "sendpulse.mailing_lists.unsubscribe": ((7, [ADDRESS]), {}),
    "sendpulse.mailing_lists.list": ((), {}),
    "sendpulse.mailing_lists.get": ((7,), {}),
    "sendpulse.mailing_lists.cost": ((7,), {}),
    "sendpulse.campaigns.get": ((7,), {}),
    "sendpulse.blacklist.add": (([ADDRESS],), {}),
}
"""Every call that sends, and some that ask."""


class Saying:
    """A transport that says what it is told to, and counts."""

    def __init__(self) -> None:
        self.answer = Response(200, {}, b"")
        self.requests = 0

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        self.requests += 1
        request.began = True
        return self.answer

    async def aclose(self) -> None:
        return


class Fuzzer:
    """Makes answers from a seed and judges what the clients make of them."""

    def __init__(self, seed: int) -> None:
        self.bender = Bender(seed)
        self.counts: Counter[str] = Counter()
        self.saying = Saying()
        self.clock = FakeClock()
        free: dict[str, Any] = {"requests": None, "campaigns": None, "tests": None}
        options: dict[str, Any] = {"transport": self.saying, "clock": self.clock}
        clients: dict[str, Any] = {
            "smsby": SmsBy("canary", **options),
            "devino": Devino("canary", **options),
            "sendpulse": SendPulse(api_key="canary", **free, **options),
        }
        self.clients = {name: one.with_options(attempts=1) for name, one in clients.items()}

    async def run(self, count: int) -> None:
        """So many answers; the first that is not judged right raises AssertionError."""
        for _ in range(count):
            await self.one()
        assert self.clock.slept == [], "nothing is waited for"

    async def one(self) -> None:
        """One answer into one call; AssertionError tells what was wrong."""
        name = self.bender.random.choice(list(CALLS))
        provider, group, method = name.split(".")
        status = self.bender.status()
        body = self.bender.body(provider, status)
        answer = Response(status, self.bender.headers(), body)
        self.saying.answer, self.saying.requests = answer, 0
        args, kwargs = CALLS[name]
        told = f"{name}: HTTP {status} {body[:2000]!r}"
        try:
            value = await getattr(getattr(self.clients[provider], group), method)(*args, **kwargs)
        except MailkitError as error:
            assert self.saying.requests == 1, told
            self._judge(name, status, body, error, told)
        except Exception as error:
            raise AssertionError(told) from error
        else:
            assert self.saying.requests == 1, told
            once = not ROUTES[name].repeatable
            assert may_succeed(name, once, status, body), f"{told} gave {value!r}"
            if isinstance(value, SendMessagesResult):
                self._check(value, body, told)
            self.counts[f"{provider} answered"] += 1

    def _judge(self, name: str, status: int, body: bytes, error: MailkitError, told: str) -> None:
        once = not ROUTES[name].repeatable
        kind = type(error)
        self.counts[f"{name.partition('.')[0]} {kind.__name__}"] += 1
        refusal = isinstance(error, Refused | QuotaExhausted)
        if once and status == 401 and kind is AuthenticationFailed:
            return  # whoever says so
        if refusal or (once and isinstance(error, RateLimited)):
            assert may_refuse(name, once, status, body), f"{told} gave {error!r}"
        elif once and isinstance(error, Unavailable):
            own = status == 503 and may_refuse(name, once, status, body)
            assert status in BEFORE_PASSING_ON or own, f"{told} gave {error!r}"
        elif once:
            assert kind is OutcomeUnknown, f"{told} gave {error!r}"
        else:
            assert isinstance(error, BadResponse | Unavailable | RateLimited), f"{told}: {error!r}"

    def _check(self, sent: SendMessagesResult, body: bytes, told: str) -> None:
        """Who is accepted is named once, at their index, by their address."""
        said = body.decode("utf-8-sig").lower()
        places = [one.index for one in sent.accepted]
        places += [one.index for one in sent.refused] + [one.index for one in sent.in_doubt]
        assert sorted(places) == [0, 1, 2], told
        for one in sent.accepted:
            assert one.address == RECIPIENTS[one.index], told
            assert said.count(one.address) == 1, told


async def fuzz(count: int, seed: int) -> Counter[str]:
    """What came of so many answers; see Fuzzer.run."""
    fuzzer = Fuzzer(seed)
    await fuzzer.run(count)
    return fuzzer.counts


def main() -> int:
    parser = argparse.ArgumentParser(description="Bent answers into the clients.")
    parser.add_argument("--count", type=int, default=30_000, help="how many (default 30,000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    counts = asyncio.run(fuzz(options.count, options.seed))
    for name, number in sorted(counts.items()):
        print(f"{number:8,}  {name}")
    print(f"{counts.total():8,}  answers in {time.monotonic() - began:.1f} s, all judged right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
