"""What follows from an outcome: the decisions alone, as tables."""

from __future__ import annotations

import attrs
import pytest

from mailkit.bulk.policy import (
    Answers,
    Judgment,
    Next,
    Trial,
    gist,
    judge,
    names,
    next_step,
    refusal_of_all,
    suspects,
)
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadResponse,
    ErrorContext,
    InvalidArgument,
    MailkitError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
    Unsupported,
)
from mailkit.provider import Scope, Stage

MANY = Answers(rows=500)


@pytest.mark.parametrize(
    ("error", "known", "step"),
    [
        (AuthenticationFailed("token"), MANY, Next.STOP),
        (AccountRefused("no money"), MANY, Next.STOP),
        (AccountRefused("no money"), Answers(rows=1), Next.STOP),
        (InvalidArgument("subject"), MANY, Next.STOP),
        (Unsupported("tracking"), MANY, Next.STOP),
        (NotSent("dns"), MANY, Next.WAIT),
        (Unavailable("503"), Answers(rows=1), Next.WAIT),
        (RateLimited("429"), Answers(rows=500, requests=99), Next.WAIT),
        (QuotaExhausted("791"), MANY, Next.WAIT),
        (OutcomeUnknown("reset"), Answers(rows=1), Next.DOUBT),
        (BadResponse("html"), MANY, Next.DOUBT),
        (MailkitError("anything else"), MANY, Next.DOUBT),
        (Refused("no"), MANY, Next.PROBE),
        (NotFound("no"), Answers(rows=2), Next.PROBE),
        (Refused("no"), Answers(rows=2, probing=True), Next.YIELD),
        (Refused("no"), Answers(rows=2, about_rows=True), Next.HALVE),
        (Refused("no"), Answers(rows=2, about_rows=True, probing=True), Next.HALVE),
        (Refused("no"), Answers(rows=2, about_rows=True, requests=63), Next.HALVE),
        (Refused("no"), Answers(rows=2, about_rows=True, requests=64), Next.GIVE_UP),
        (Refused("no"), Answers(rows=1, requests=64), Next.TRY),
        (Refused("no"), Answers(rows=1, probing=True), Next.TRY),
    ],
    ids=str,
)
def test_what_becomes_of_a_chunk(error: MailkitError, known: Answers, step: Next) -> None:
    assert next_step(error, known) is step


LOAD = Stage("load", Scope.PART, repeatable=True)
CAMPAIGN = Stage("send", carries_rows=False, rows_refusable=False)
ASKED_FOR = attrs.evolve(CAMPAIGN, settles=True, believed=frozenset({791}))
USED_UP = RateLimited("used up", ErrorContext("fake", "send", 400, 791))


@pytest.mark.parametrize(
    ("stage", "error", "known", "step"),
    [
        (LOAD, OutcomeUnknown("reset"), MANY, Next.WAIT),
        (LOAD, BadResponse("html"), Answers(rows=1), Next.WAIT),
        (LOAD, RateLimited("429"), MANY, Next.WAIT),
        (LOAD, AccountRefused("no money"), MANY, Next.STOP),
        (LOAD, Refused("no"), MANY, Next.HALVE_PART),
        (LOAD, Refused("no"), Answers(rows=2, alone=3), Next.HALVE_PART),
        (LOAD, Refused("no"), Answers(rows=1), Next.DEFER),
        (LOAD, Refused("no"), Answers(rows=1, alone=2), Next.DEFER),
        (LOAD, Refused("no"), Answers(rows=1, alone=3), Next.SUSPECT),
        (LOAD, Refused("no"), Answers(rows=1, about_rows=True, alone=9), Next.REJECT_ROW),
        (CAMPAIGN, OutcomeUnknown("reset"), MANY, Next.DOUBT),
        (CAMPAIGN, Refused("no"), MANY, Next.STOP),
        (CAMPAIGN, Refused("no"), Answers(rows=1), Next.STOP),
        (ASKED_FOR, NotSent("no route"), MANY, Next.WAIT),
        (ASKED_FOR, QuotaExhausted("no permit"), MANY, Next.WAIT),
        (ASKED_FOR, InvalidArgument("no sender"), MANY, Next.STOP),
        (ASKED_FOR, USED_UP, MANY, Next.WAIT),
        (ASKED_FOR, RateLimited("later"), MANY, Next.DOUBT),
        (ASKED_FOR, Unavailable("turned away"), MANY, Next.DOUBT),
        (ASKED_FOR, AuthenticationFailed("token"), MANY, Next.STOP_IN_DOUBT),
        (ASKED_FOR, AccountRefused("no sender"), MANY, Next.STOP_IN_DOUBT),
        (ASKED_FOR, Refused("no"), MANY, Next.STOP_IN_DOUBT),
        (attrs.evolve(LOAD, scope=Scope.JOB), Refused("no"), MANY, Next.STOP),
        (attrs.evolve(CAMPAIGN, repeatable=True), OutcomeUnknown("reset"), MANY, Next.WAIT),
    ],
    ids=str,
)
def test_what_becomes_of_a_task_by_its_stage(
    stage: Stage, error: MailkitError, known: Answers, step: Next
) -> None:
    assert next_step(error, known, stage) is step


def trials(*words: str) -> list[Trial]:
    return [Trial(n, 1, f"p{n}@b.by", text) for n, text in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "about_rows", "witnesses", "last", "judgment"),
    [
        ([], False, [], True, Judgment.ROWS),
        (["no"], False, [], False, Judgment.OPEN),
        (["no", "no"], False, [], False, Judgment.OPEN),
        (["no", "no", "no"], False, [], False, Judgment.ASK),
        (["no", "no", "no", "no"], False, [3], False, Judgment.ACCOUNT),
        (["No 1", "no 22", "no 3"], False, [2], False, Judgment.ACCOUNT),
        (["no", "never", "no"], False, [], False, Judgment.OPEN),
        (["no", "never", "not you"], False, [], False, Judgment.ROWS),
        (["never", "no", "no", "no"], False, [0], False, Judgment.ASK),
        (["no"], False, [], True, Judgment.ACCOUNT),
        (["no", "never"], False, [], True, Judgment.ROWS),
        (["no"], True, [], True, Judgment.ROWS),
        (["no", "no", "no"], True, [], True, Judgment.ACCOUNT),
        (["no", "no", "no"], True, [], False, Judgment.ASK),
        (["no"] * 5, True, [3, 4], False, Judgment.ASK),
        (["no"] * 6, True, [3, 4, 5], False, Judgment.ACCOUNT),
    ],
)
def test_whom_refusals_of_single_rows_are_about(
    words: list[str], about_rows: bool, witnesses: list[int], last: bool, judgment: Judgment
) -> None:
    found = judge(trials(*words), about_rows=about_rows, witnesses=witnesses, last=last)
    assert found is judgment


def test_words_that_name_the_address_are_about_its_row_alone() -> None:
    assert names("anna@b.by", "Bad address: Anna@B.by")
    assert not names("anna@b.by", "insufficient funds")


@pytest.mark.parametrize(
    ("rows", "words", "found"),
    [
        (20, ["code 1"] * 20, "code 1"),
        (21, ["code 1"] * 20, None),
        (20, [f"Code {n}" for n in range(20)], "Code 0"),
        (20, ["code 1"] * 19 + ["unsubscribed"], None),
        (20, ["Incorrect recipient address"] * 20, None),
        (1, ["code 1"], "code 1"),
        (1, ["recipient unsubscribed"], None),
        (20, ["Адрес в стоп-листе"] * 20, None),
        (20, [], None),
    ],
)
def test_a_response_that_refuses_each_row_alike_refuses_the_request(
    rows: int, words: list[str], found: str | None
) -> None:
    assert refusal_of_all(rows, words) == found


def test_of_many_rows_refused_in_the_same_words_none_is_believed() -> None:
    refused = {n: (f"p{n}@b.by", f"limit {n} hit for P{n}@b.by") for n in range(20)}
    refused |= {n: (f"p{n}@b.by", "code 7") for n in range(20, 39)}
    refused |= {n: (f"p{n}@b.by", "unsubscribed") for n in range(40, 90)}
    assert suspects(refused) == {n: f"limit {n} hit for …" for n in range(20)}
    assert gist("Limit 5 hit for P1@b.by", "p1@b.by") == "limit # hit for …"
