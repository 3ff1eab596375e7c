"""The checks for providers: ours pass them, and what a provider can do wrong fails them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs
import pytest

from listmail import Listmail
from listmail.dispatch import SEND, ListmailDispatch, name_of
from listmail.envelope import unwrap
from listmail.server import Server
from mailkit import Message
from mailkit.errors import OutcomeUnknown
from mailkit.provider import (
    ClientOptions,
    Dispatch,
    Done,
    Limits,
    NotTaken,
    Raw,
    Refusal,
    Response,
    Sent,
    Task,
    Unreadable,
    Wait,
)
from mailkit.providers import devino, sendpulse, smsby
from mailkit.sandbox import Sandbox
from mailkit.testing.conformance import (
    CHECKS,
    Bench,
    Check,
    Violation,
    a_killed_run_is_resumed,
    a_page_of_a_gateway_is_no_answer,
    an_unknown_outcome_mails_nobody_twice,
    everybody_is_mailed_once,
    one_request_at_a_time_is_enough,
    stages_are_sound,
    what_it_does_not_take_is_refused_by_name,
)

FEW = Limits(rows=4, size=10_000, base=100, part_rows=2)
BEFORE = ListmailDispatch.stages[:-1]
REFUSED = "invalid-gone@example.com"


@pytest.fixture(autouse=True)
def no_request_is_held_up() -> None:
    """Here some are."""


each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(speed=0, seed=1) as started:
        started.smsby.settings.open_share = 0.0
        yield started


@each_check
async def test_smsby_conforms(check: Check, sandbox: Sandbox) -> None:
    few = smsby.ChunkLimits(bulk_rows=4, personal_rows=4)

    def connect(options: ClientOptions) -> smsby.SmsBy:
        return smsby.SmsBy(sandbox.smsby.settings.token, sandbox.url, limits=few, **options)

    await check(
        Bench(connect, lambda: sandbox.truth.mailed, sandbox.clock.advance, refuses=REFUSED)
    )


@each_check
async def test_devino_conforms(check: Check, sandbox: Sandbox) -> None:
    few = devino.ChunkLimits(rows=4)

    def connect(options: ClientOptions) -> devino.Devino:
        return devino.Devino(sandbox.devino.settings.api_key, sandbox.url, limits=few, **options)

    html = "<p>Hello {{ name }}</p>{{ unsubscribe }}"
    message = Message("Shop <news@shop.example>", "Autumn", html=html)
    await check(
        Bench(
            connect, lambda: sandbox.truth.mailed, sandbox.clock.advance, message, refuses=REFUSED
        )
    )


@each_check
async def test_sendpulse_conforms(check: Check, sandbox: Sandbox) -> None:
    few, own = sendpulse.ChunkLimits(rows=4, part_rows=2), sandbox.sendpulse.settings
    own.moderated_first = 0
    own.requests_per_second = own.campaigns_per_hour = None

    def connect(options: ClientOptions) -> sendpulse.SendPulse:
        hasty: ClientOptions = {"requests": None, **options}
        key = own.client_id, own.client_secret
        return sendpulse.SendPulse(*key, sandbox.url, limits=few, campaigns=None, **hasty)

    message = Message("Shop <news@shop.by>", "Autumn", html="<p>Hello {{ name }}</p>")
    await check(
        Bench(
            connect,
            lambda: sandbox.truth.mailed,
            sandbox.clock.advance,
            message,
            refuses=REFUSED,
            forgets="missing-gone@example.com",
        )
    )


# What can be wrong with a provider: each of these is Listmail's with one fault.


class MeasuresTooLittle(ListmailDispatch):
    def measure(self, address: str, values: Sequence[str]) -> int:
        return len(address)


class RepeatsWhatSends(ListmailDispatch):
    stages = (*BEFORE, attrs.evolve(SEND, repeatable=True))


class NeverFindsWhatItSent(ListmailDispatch):
    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        return NotTaken("not found")


class BelievesThatItSent(ListmailDispatch):
    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        return Sent(f"{task.chunk}000")


class ForgetsTheReference(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        outcome = await super().perform(task)
        return attrs.evolve(outcome, reference=None) if isinstance(outcome, Sent) else outcome


class SendsAgainItself(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        try:
            return await super().perform(task)
        except OutcomeUnknown:
            return await super().perform(task)


class LooksEachTimeAnew(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        if task.tried is not None:
            await self._once.campaigns.find(name_of(task))
        return await super().perform(task)


class WaitsInNoTimeZone(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        outcome = await super().perform(task)
        if isinstance(outcome, Wait):
            return attrs.evolve(outcome, until=outcome.until.replace(tzinfo=None))
        return outcome


class SaysDoneWhenItIsSent(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        outcome = await super().perform(task)
        return Done() if isinstance(outcome, Sent) else outcome


class LoadsSomebodyElse(ListmailDispatch):
    async def perform(self, task: Task) -> Done | Sent | Wait:
        if task.part == 1:
            row = task.rows[0]._replace(address=f"{task.key}@example.com")
            task = attrs.evolve(task, rows=[row, *task.rows[1:]])
        return await super().perform(task)


class HasTwoStagesThatSend(ListmailDispatch):
    stages = (*BEFORE, SEND, attrs.evolve(SEND, name="send once more"))


class DropsWhatItDoesNotTake(ListmailDispatch):
    def __init__(self, client: Listmail, message: Message, *args: Any, **options: Any) -> None:
        message = attrs.evolve(message, reply_to=None, headers={}, text=None)
        super().__init__(client, message, *args, **options)


class WantsPartsOfNoSize(ListmailDispatch):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits = attrs.evolve(self.limits, part_rows=None)


@attrs.frozen
class FaultyListmail:
    """Makes Listmail's client, with another part in a bulk send."""

    server: Server
    part: type[ListmailDispatch]

    def __call__(self, options: ClientOptions) -> Listmail:
        part = self.part

        class Faulty(Listmail):
            def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
                return part(self, message, columns, limits=FEW)

        return Faulty(self.server.key, self.server.secret, self.server.url, **options)


@pytest.mark.parametrize(
    ("part", "check", "sentence"),
    [
        (MeasuresTooLittle, everybody_is_mailed_once, "base and measure"),
        (RepeatsWhatSends, an_unknown_outcome_mails_nobody_twice, "mailed twice: "),
        (NeverFindsWhatItSent, an_unknown_outcome_mails_nobody_twice, "mailed twice: "),
        (BelievesThatItSent, an_unknown_outcome_mails_nobody_twice, "was mailed 0 times"),
        (ForgetsTheReference, everybody_is_mailed_once, "a reference is what polls need"),
        (SendsAgainItself, an_unknown_outcome_mails_nobody_twice, "was sent again"),
        (LooksEachTimeAnew, one_request_at_a_time_is_enough, "does not end within 4 hours"),
        (WaitsInNoTimeZone, everybody_is_mailed_once, "needs a time zone"),
        (SaysDoneWhenItIsSent, everybody_is_mailed_once, "returned Done, and Sent or Wait was"),
        (LoadsSomebodyElse, everybody_is_mailed_once, "not in the list: "),
        (DropsWhatItDoesNotTake, what_it_does_not_take_is_refused_by_name, "neither refused nor"),
        (HasTwoStagesThatSend, stages_are_sound, "must be repeatable"),
        (WantsPartsOfNoSize, stages_are_sound, "part_rows"),
    ],
)
async def test_what_is_wrong_with_a_provider_is_found(
    part: type[ListmailDispatch], check: Check, sentence: str
) -> None:
    async with Server() as server:
        bench = Bench(FaultyListmail(server, part), lambda: server.mailed, server.advance)
        with pytest.raises(Violation, match=re.escape(sentence)):
            await check(bench)


async def test_names_that_another_job_may_have_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listmail.dispatch.name_of", lambda task: task.label)
    async with Server() as server:
        bench = Bench(
            FaultyListmail(server, ListmailDispatch), lambda: server.mailed, server.advance
        )
        with pytest.raises(Violation, match="stopped the job: "):
            await a_killed_run_is_resumed(bench)


async def test_pages_that_are_taken_for_refusals_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwrap_anything(response: Response) -> Raw | Refusal:
        try:
            return unwrap(response)
        except Unreadable as error:
            return Refusal((str(error),))

    monkeypatch.setattr("listmail.unwrap", unwrap_anything)
    async with Server() as server:
        bench = Bench(
            FaultyListmail(server, ListmailDispatch), lambda: server.mailed, server.advance
        )
        with pytest.raises(Violation, match="stopped the job: "):
            await a_page_of_a_gateway_is_no_answer(bench)
