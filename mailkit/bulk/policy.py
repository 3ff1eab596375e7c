"""What follows from the outcome of a request: pure functions of the outcome and what came before.

A refusal of a whole chunk is never taken for a refusal of its rows. Rows of it are tried alone:

- one of them is taken: the refusal is about rows, and the rest is halved until the bad ones stand
  alone, each rejected with the service's own words
- three are refused in the same words, and so is a row of another chunk: the account or the message
  is meant, and the job stops with every row planned again

Rows that a response refuses by name, many of them in the same words, are sent again as a request
of their own; if all of it is refused alike, that is taken for such a refusal, too.

Parts are halved at once, since a stage that has parts may be done again. A row that is refused
alone is rejected only if another one, which had been taken before, is taken once more after that.

A row that is refused alone, in words that do not name it, is *on trial* until a request that began
later is taken. It is tried once more then, and rejected if that is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from enum import StrEnum

import attrs

from mailkit.core.dispatch import SEND, Stage
from mailkit.core.words import about_recipient
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    InvalidArgument,
    MailkitError,
    NotSent,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
    Unsupported,
)

__all__ = [
    "Answers",
    "Judgment",
    "Next",
    "NotNow",
    "Trial",
    "gist",
    "judge",
    "may_have_left",
    "names",
    "next_step",
    "refusal_of_all",
    "suspects",
    "without",
]

NotNow = NotSent | RateLimited | QuotaExhausted | Unavailable
"""Nothing was taken, and the same request may be taken after a wait."""

TRIALS_TO_STOP = 3
REQUESTS_TO_STOP = 64
EVERYBODY = 20  # so many rows of one request are not refused in the same words for their own sake


class Next(StrEnum):
    """What becomes of a task whose request did not succeed."""

    STOP = "planned again, and the job stops"
    WAIT = "planned again, after a wait"
    YIELD = "planned again: another chunk's rows are being tried at this moment"
    DOUBT = "in doubt"
    STOP_IN_DOUBT = "in doubt, and the job stops"
    PROBE = "cut: three of its rows are tried alone before anything else is sent"
    HALVE = "cut in two"
    TRY = "its one row is on trial"
    HALVE_PART = "the part is cut in two"
    DEFER = "the part, of one row, is tried after all others"
    REJECT_ROW = "the part's one row is rejected, if somebody who was taken before still is"
    SUSPECT = "planned again, and the job stops: rows are refused alone, and nobody is taken"
    GIVE_UP = "planned again, and the job stops: it has cost too many requests"


@attrs.frozen
class Answers:
    """What is known when a task of ``rows`` rows is refused.

    ``about_rows``: a row of the same refused request was judged by itself; of a part: another one
    was taken. ``probing``: another chunk's rows are being tried. ``requests``: how many this
    refused request has cost so far. ``alone``: how many other rows of parts were refused alone
    while none was taken.
    """

    rows: int = 1
    about_rows: bool = False
    probing: bool = False
    requests: int = 0
    alone: int = 0


def next_step(error: MailkitError, known: Answers, stage: Stage = SEND) -> Next:
    """What happens to the task next; only a plain refusal depends on what is known of the rows."""
    in_doubt = stage.settles and may_have_left(error) and not _is_believed(error, stage)
    if isinstance(error, AuthenticationFailed | AccountRefused | InvalidArgument | Unsupported):
        return Next.STOP_IN_DOUBT if in_doubt else Next.STOP
    if isinstance(error, NotNow):
        return Next.DOUBT if in_doubt else Next.WAIT
    if not isinstance(error, Refused):
        return Next.WAIT if stage.repeatable else Next.DOUBT
    if not (stage.has_rows and stage.rows_refusable):
        return Next.STOP_IN_DOUBT if in_doubt else Next.STOP
    if stage.repeatable:
        return _next_for_part(known)
    if known.rows == 1:
        return Next.TRY
    if known.requests >= REQUESTS_TO_STOP:
        return Next.GIVE_UP
    if known.about_rows:
        return Next.HALVE
    return Next.YIELD if known.probing else Next.PROBE


def may_have_left(error: MailkitError) -> bool:
    """Whether the request may have reached the provider: not if there was no permit for it."""
    if isinstance(error, QuotaExhausted):
        return error.status is not None
    return isinstance(error, RequestError) and not isinstance(error, NotSent)


def _is_believed(error: MailkitError, stage: Stage) -> bool:
    """Whether it is the service's own word that nothing was done."""
    return isinstance(error, RequestError) and error.code in stage.believed


def _next_for_part(known: Answers) -> Next:
    if known.rows > 1:
        return Next.HALVE_PART
    if known.about_rows:
        return Next.REJECT_ROW
    return Next.SUSPECT if known.alone >= TRIALS_TO_STOP else Next.DEFER


class Judgment(StrEnum):
    """Whom the refusals of single rows are about."""

    ROWS = "the rows"
    ACCOUNT = "the account, or the message"
    OPEN = "not known yet"
    ASK = "not known: a row from elsewhere must tell"


@attrs.frozen
class Trial:
    """A row that was refused alone: its address, the service's words, and the refused chunk that
    it comes from (``root``).
    """

    n: int
    root: int
    address: str
    words: str


def judge(
    trials: Sequence[Trial], *, about_rows: bool, witnesses: Container[int], last: bool
) -> Judgment:
    """Whom these refusals are about, none of them followed by a request that was taken.

    ``about_rows``: a row of each of these refused chunks was taken by itself. ``witnesses``: the
    chunks among them that are rows of chunks that had not been refused. ``last``: there is nobody
    left to try.
    """
    if not trials:
        return Judgment.ROWS
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(gist(trial.words, trial.address), []).append(trial)
    largest = max(groups.values(), key=len)
    if len(largest) >= TRIALS_TO_STOP:
        needed = TRIALS_TO_STOP if about_rows else 1
        asked = sum(trial.n in witnesses for trial in largest)
        return Judgment.ACCOUNT if last or asked >= needed else Judgment.ASK
    different = len(groups) == len(trials)
    if len(trials) >= TRIALS_TO_STOP and different:
        return Judgment.ROWS
    if not last:
        return Judgment.OPEN
    return Judgment.ROWS if about_rows or (different and len(trials) > 1) else Judgment.ACCOUNT


def names(address: str, words: str) -> bool:
    """Whether the words name the address: they are about this row, and no other."""
    return address.casefold() in words.casefold()


def gist(words: str, address: str = "") -> str:
    """The words without what changes from row to row and from request to request."""
    words = words.casefold()
    if address:
        words = words.replace(address.casefold(), "…")
    return re.sub(r"\d+", "#", words)


def suspects(refused: Mapping[int, tuple[str, str]]) -> Mapping[int, str]:
    """Of rows that one response refuses by name (number: address and words) those that are too many
    in the same words to be believed: the account may be meant. Their numbers, with the words
    without the address. Words about a recipient are believed.
    """
    groups: dict[str, list[int]] = {}
    for n, (address, words) in refused.items():
        if not about_recipient(words):
            groups.setdefault(gist(words, address), []).append(n)
    return {
        n: without(refused[n][0], refused[n][1])
        for group in groups.values()
        if len(group) >= EVERYBODY
        for n in group
    }


def without(address: str, words: str) -> str:
    """The words without the row's address."""
    said = words.casefold().count(address.casefold()) if address else 0
    if said == words.count(address):  # as it is spelled here, or not at all, which is cheaper
        return words.replace(address, "…") if said else words
    return re.sub(re.escape(address), "…", words, flags=re.IGNORECASE)


def refusal_of_all(rows: int, words: Sequence[str]) -> str | None:
    """The words, if a response refuses each of ``rows`` rows by itself, and all of them alike: that
    says no more than a refusal of the whole request. None if it is not so, or if the words are
    about a recipient.
    """
    if len(words) < rows or len(set(map(gist, words))) != 1 or about_recipient(words[0]):
        return None
    return words[0]
