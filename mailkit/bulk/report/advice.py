"""What a report asks for: the sentences, and the commands that do it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import attrs

from mailkit.bulk.journal import RowState
from mailkit.bulk.reasons import ReasonGroup
from mailkit.bulk.report.attendance import attendance, is_attended
from mailkit.bulk.report.summary import Doubt, Report
from mailkit.text import plain

__all__ = [
    "Advice",
    "checking",
    "grouped",
    "listing",
    "next_steps",
    "remarks",
    "settling",
    "unfound",
]


@attrs.frozen
class Advice:
    """A sentence, and the command that it ends with, if any."""

    text: str
    command: str | None = None

    def __str__(self) -> str:
        return self.text if self.command is None else f"{self.text} {self.command}"


def grouped(report: Report) -> Iterator[tuple[RowState, Sequence[ReasonGroup]]]:
    """Why rows were invalid or rejected, and, if nobody was mailed, why they were left out."""
    for state in RowState:
        groups = [group for group in report.reasons if group.kind is state]
        others = state in (RowState.DUPLICATE, RowState.SUPPRESSED)
        if groups and (report.without_anybody or not others):
            yield state, groups


def remarks(report: Report, at: Callable[[datetime], str]) -> Iterator[Advice]:
    """What to know about rows that were accepted or rejected; ``at`` writes a time."""
    job = _job(report)
    if report.unreconciled:
        yield unfound(report, at)
    if report.held and not (report.running or report.stopped):
        yield Advice(
            "some rejections seem to be about the account: "
            f"{plain(report.held)}; if they are about the rows themselves:",
            f"mailkit resume {job} --trust-refusals",
        )
    if report.pruned is not None:
        yield Advice(f"pruned on {at(report.pruned)}: only the counts are left")
    elif report.pruning is not None:
        yield Advice(
            f"its pruning started on {at(report.pruning)}, and has not finished; to continue:",
            "mailkit journal prune --older-than 90d",
        )
    elif report.counts.rejected and report.put_back is not None:
        yield Advice(
            "rejected rows may have been ordered again, and sent, before an older state of the "
            f"journal was put back on {at(report.put_back)}; if they were not, send them in a job "
            "of their own, with --again"
        )
    elif report.counts.rejected and not (report.running or report.cancelled):
        yield Advice("to send the rejected rows again:", f"mailkit resume {job} --rejected")


def unfound(report: Report, at: Callable[[datetime], str]) -> Advice:
    """What becomes of accepted rows that are not in the status lists yet."""
    rows = f"{_rows(report.unreconciled)} not in the status lists yet"
    if not is_attended(report):
        return Advice(f"{rows}; to check again:", f"mailkit {_look(report)}")
    until = report.looks_until
    if until is not None and until > datetime.now(UTC):
        rows = f"{rows}; checking until {at(until)}"
    return Advice(rows)


def next_steps(report: Report, at: Callable[[datetime], str]) -> Iterator[Advice]:
    """What the job waits for, and what has to be done so that it goes on; ``at`` writes a time."""
    job, counts = _job(report), report.counts
    if report.elsewhere and not counts.to_send:
        if any(other.in_doubt for other in report.others):
            has = "have sent them this message, may have, or will"
        else:
            has = "have sent them this message, or will. To send it to them again, use --again"
        yield Advice(f"Nobody is left to mail: other jobs {has}")
    for other in report.others:
        name = shlex.quote(plain(other.name))
        who = f"Some rows belong to the job {plain(other.name)}, which"
        if other.in_doubt:
            yield Advice(
                f"{who} has {other.in_doubt:,} of them in doubt:", f"mailkit status {name}"
            )
        if other.unsent and not other.running:
            how = "is cancelled, with" if other.cancelled else "has"
            resume = f"mailkit resume {name}{' --cancelled' if other.cancelled else ''}"
            yield Advice(f"{who} {how} {other.unsent:,} of them unsent:", resume)
    yield from map(Advice, attendance(report, at))
    until = report.waiting and report.waiting.until
    if report.waiting and (report.running or (until and until > datetime.now(UTC))):
        yield Advice(plain(report.waiting.words(at)))
    if is_attended(report) and not (report.cancelled or report.stopped):
        return
    if counts.unsent and report.cancelled:
        resume = f"mailkit resume {job} --cancelled"
        yield Advice(f"Cancelled at {at(report.cancelled)}. To send the rest after all:", resume)
        yield from _by_workers(report, resume)
    elif counts.unsent:
        why = f"{_stopped(report.stopped)}. Send" if report.stopped else "Send"
        if report.shared and not (report.stopped or report.running):
            why = "If a mailkit worker runs, it continues within two minutes; otherwise, send"
        yield Advice(f"{why} the rest with:", f"mailkit resume {job}")
        if report.stopped:
            yield from _by_workers(report, f"mailkit resume {job}")
    elif report.cancelled:
        yield Advice(
            f"Cancelled at {at(report.cancelled)}. Rows in doubt that were not sent stay unsent"
        )
    elif report.stopped:
        yield Advice(_stopped(report.stopped))
    elif report.without_anybody:
        yield Advice(f"Nobody was accepted; the name {plain(report.job)} is free for another job")


def _by_workers(report: Report, resume: str) -> Iterator[Advice]:
    """Workers leave a job alone that a person or the service has stopped."""
    if report.shared:
        yield Advice("Or have workers send it:", f"{resume} --detach")


def checking(report: Report) -> Advice:
    """What to do before a person's word on what is in doubt."""
    check = "heck in the provider's dashboard whether they were sent, then record what you found:"
    if not any(doubt.asks for doubt in report.doubts):
        return Advice(f"C{check}")
    if is_attended(report):
        return Advice(f"The provider is being asked. If it can't tell, c{check}")
    return Advice(f"To have mailkit ask the provider: mailkit resume {_job(report)}; or c{check}")


def settling(report: Report, *doubts: Doubt) -> Sequence[str]:
    """The two commands one of which ends these doubts."""
    numbers = " ".join(doubt.label.rpartition("#")[2] for doubt in doubts)
    command = f"mailkit resolve {_job(report)} {numbers}"
    return f"{command} --accepted", f"{command} --not-sent"


def listing(report: Report, state: str | None = None) -> str:
    """The command that lists every row, or those in a state."""
    only = "" if state is None else f" --state {shlex.quote(state)}"
    return f"mailkit report {_job(report)} --csv{only}"


def _stopped(why: str) -> str:
    why = plain(why)
    return f"S{why[1:]}" if why.startswith("stopped ") else f"Stopped: {why}"


def _rows(accepted: int) -> str:
    return "1 accepted row is" if accepted == 1 else f"{accepted:,} accepted rows are"


def _look(report: Report) -> str:
    return f"status {_job(report)} --follow" if report.cancelled else f"resume {_job(report)}"


def _job(report: Report) -> str:
    return shlex.quote(plain(report.job))
