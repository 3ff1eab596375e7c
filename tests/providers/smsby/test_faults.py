"""Each fault of the sandbox leads to the right one of four outcomes, and to no second letter."""

from __future__ import annotations

from typing import Any

import pytest

from mailkit.core.retry import Outcome
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
)
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Fault, Sandbox

LETTER: dict[str, Any] = {"sender": "a@b.by", "to": "c@mail.by", "subject": "s", "html": "h"}
UNKNOWN = Outcome.UNKNOWN

CASES: list[tuple[Fault, Outcome, type[RequestError], type[RequestError]]] = [
    (Fault("refuse", seconds=60), Outcome.NOT_SENT, NotSent, NotSent),
    (Fault("reset_before_reading", times=None), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("reset_after_reading", times=None), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("reset_after_acting", times=None), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("slow_answer", times=None, seconds=5), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("slow_before_acting", times=None, seconds=1), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("slow_headers", times=None, seconds=5), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("cut_answer", times=None), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("wrong_length", times=None, size=5), UNKNOWN, OutcomeUnknown, Unavailable),
    # The five bytes left over spoil the connection for the second call.
    (Fault("wrong_length", times=None, size=-5), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("cut_json", times=None), UNKNOWN, OutcomeUnknown, BadResponse),
    (Fault("wrong_types", times=None), UNKNOWN, OutcomeUnknown, BadResponse),
    (Fault("html_200", times=None), UNKNOWN, OutcomeUnknown, BadResponse),
    (Fault("empty_200", times=None), UNKNOWN, OutcomeUnknown, BadResponse),
    (Fault("gzip_bomb", times=None, size=100_000_000), UNKNOWN, OutcomeUnknown, Unavailable),
    (Fault("huge_body", times=None, size=100_000_000), UNKNOWN, OutcomeUnknown, Unavailable),
    (
        Fault("rate_limited", times=None, retry_after="90"),
        Outcome.REFUSED,
        RateLimited,
        RateLimited,
    ),
    (Fault("server_error", times=None, status=500), UNKNOWN, OutcomeUnknown, Unavailable),
    (
        Fault("server_error", times=None, status=502, html=True),
        UNKNOWN,
        OutcomeUnknown,
        Unavailable,
    ),
    (Fault("server_error", times=None, status=503), UNKNOWN, OutcomeUnknown, Unavailable),
    (
        Fault("server_error", times=None, status=503, html=True),
        UNKNOWN,
        OutcomeUnknown,
        Unavailable,
    ),
    (Fault("error_envelope", times=None), Outcome.REFUSED, Refused, Refused),
    (
        Fault("token_refused", times=None),
        Outcome.REFUSED,
        AuthenticationFailed,
        AuthenticationFailed,
    ),
    (Fault("redirect", times=None), UNKNOWN, OutcomeUnknown, BadResponse),
]


@pytest.mark.parametrize(
    ("fault", "outcome", "once", "again"),
    CASES,
    ids=[f"{n}-{c[0].kind}" for n, c in enumerate(CASES)],
)
async def test_a_fault_is_told_by_its_outcome(
    fault: Fault, outcome: Outcome, once: type[RequestError], again: type[RequestError]
) -> None:
    seen: list[Outcome | None] = []
    async with Sandbox(seed=1) as sandbox:
        smsby = SmsBy(
            sandbox.smsby.settings.token,
            sandbox.url,
            timeout=0.5,
            hooks=[lambda one: seen.append(one.outcome)],
        )
        async with smsby:
            sandbox.faults.add(fault)
            with pytest.raises(once) as caught:
                await smsby.with_options(attempts=1).emails.send(**LETTER)
            assert type(caught.value) is once
            assert seen == [None, outcome]
            assert sandbox.truth.emails <= 1
            with pytest.raises(again) as caught:
                await smsby.with_options(attempts=1).templates.list()
            assert type(caught.value) is again
            assert sandbox.smsby.settings.token not in str(caught.value) + repr(
                caught.value.context
            )


@pytest.mark.parametrize("kind", ["reset_after_acting", "cut_answer", "cut_json", "html_200"])
async def test_a_letter_whose_answer_was_lost_is_not_sent_again(kind: Any) -> None:
    async with Sandbox(seed=1) as sandbox:
        async with SmsBy(sandbox.smsby.settings.token, sandbox.url) as smsby:
            sandbox.faults.add(Fault(kind, on="smsby.emails.send", times=1))
            with pytest.raises(OutcomeUnknown):
                await smsby.emails.send(**LETTER)
            assert sandbox.requests["smsby.emails.send"] == 1
        assert sandbox.truth.emails == 1


@pytest.mark.parametrize(
    "kind", ["rate_limited", "reset_after_reading", "server_error", "html_200"]
)
async def test_a_question_is_asked_again(kind: Any) -> None:
    async with (
        Sandbox(seed=1) as sandbox,
        SmsBy(sandbox.smsby.settings.token, sandbox.url) as smsby,
    ):
        sandbox.faults.add(Fault(kind, times=1))
        assert await smsby.templates.list()
        assert sandbox.requests["smsby.templates.list"] == 2
