"""The fuzzer's short form, and that it notices a client that takes answers too easily."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mailkit.core.wire import Refusal, Response
from mailkit.providers.devino import AcceptedRecipient, SendMessagesResult

from .bending import RECIPIENTS
from .calls import CALLS
from .fuzz_answers import CALLS as FUZZED
from .fuzz_answers import Fuzzer, fuzz

COUNT = 3_000


def test_every_call_that_sends_is_fuzzed() -> None:
    assert {call.operation for call in CALLS.values() if not call.repeatable} <= FUZZED.keys()


async def test_no_bent_answer_is_taken_for_what_it_is_not() -> None:
    counts = await fuzz(COUNT, seed=1)
    assert counts.total() == COUNT
    for provider in ("smsby", "devino", "sendpulse"):
        for end in ("answered", "Refused", "OutcomeUnknown", "Unavailable", "BadResponse"):
            assert counts[f"{provider} {end}"] > 5, (provider, end)


def refusing(answer: Response) -> bytes | Refusal:
    return Refusal(("no",))


def taking(answer: Response) -> bytes | Refusal:
    items = [{"index": 0, "address": RECIPIENTS[0], "messageid": "m"}]
    return json.dumps({"email_id": 5, "id": 5, "result": items, "description": "ok"}).encode()


def breaking(answer: Response) -> bytes | Refusal:
    raise LookupError("a reader that breaks")


@pytest.mark.parametrize("opener", [refusing, taking, breaking])
@pytest.mark.parametrize("provider", ["smsby", "devino", "sendpulse"])
async def test_a_client_that_takes_answers_too_easily_is_noticed(
    provider: str, opener: Callable[[Response], bytes | Refusal], monkeypatch: pytest.MonkeyPatch
) -> None:
    fuzzer = Fuzzer(seed=1)
    monkeypatch.setattr(fuzzer.clients[provider], "_unwrap", opener)
    with pytest.raises(AssertionError, match=rf"^{provider}\."):
        await fuzzer.run(COUNT)


def test_a_stranger_who_is_accepted_is_noticed() -> None:
    accepted = tuple(AcceptedRecipient(n, one, "m") for n, one in enumerate(RECIPIENTS))
    said = '{"result":[{"index":0,"address":"%s"},{"address":"stranger@mail.by"}]}'
    with pytest.raises(AssertionError):
        Fuzzer(1)._check(SendMessagesResult(accepted), (said % RECIPIENTS[0]).encode(), "")
