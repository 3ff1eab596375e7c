"""How it came about, in plain English: one sentence for each step, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .state import Outcome, Phase, Process, State, Step, What
from .world import Broken, World

__all__ = ["story"]

_OUTCOMES = {
    Outcome.ACCEPTED: "the service has taken chunk {}",
    Outcome.NOT_SENT: "chunk {} was not sent",
    Outcome.UNKNOWN: "nobody knows whether chunk {} was sent",
}


def story(world: World, path: Sequence[Step], broken: str) -> str:
    """What happened, step by step, from the beginning."""
    lines = [_beginning(world)]
    state = world.begin
    with world.journal.running():
        for step in path:
            try:
                after = world.after(state, step)
            except Broken:
                after = state
            sentence = " ".join([_told(state, step, after), *_changes(world, state, after)])
            lines.append(f"{state.time:>4.0f} s  {sentence}")
            state = after
    return "\n".join([*lines, "", broken])


def _beginning(world: World) -> str:
    quota = world.quota
    return (
        f"{world.size}. The service allows {quota.limit} request"
        f"{'' if quota.limit == 1 else 's'} in {quota.per_seconds:.0f} seconds.\n"
    )


def _told(state: State, step: Step, after: State) -> str:
    what, name = step.what, f"Worker {step.who + 1}"
    match what:
        case What.TIME:
            return _passed(state, step)
        case What.ARRIVE | What.TURN_DOWN:
            chunk = state.flights[step.who].chunk
            if what is What.ARRIVE:
                return f"The request reaches the service, which mails chunk {chunk}."
            return f"The service turns the request for chunk {chunk} down: not now."
        case What.FALL_SILENT:
            return f"{name} is stopped, or cut off from the database."
        case What.SPEAK:
            return f"{name} goes on."
        case What.ASK_SERVICE:
            news = after.processes[step.who].news
            assert news is not None
            answer = "it has mailed it" if news.has_it else "it knows nothing of it"
            return f"{name} asks the service about chunk {news.chunk}: {answer}."
        case What.TELL:
            return f"{name} writes down what the service has said."
        case What.LOOK:
            return f"{name} looks who else is at work."
        case What.CRASH:
            return f"{name} is killed."
        case What.JOIN:
            if state.processes[step.who].worker:
                return f"{name} is killed, and started anew."
            return f"{name} is started anew."
        case What.NOT_SENT:
            return f"A person finds nothing of chunk {step.which} at the service, and says so."
        case What.WAS_SENT:
            return f"A person finds chunk {step.which} at the service, and says so."
        case What.FAIL_OVER:
            return "The database fails, and its standby takes over: what that did not have is gone."
        case What.TAKE:
            before, now = state.processes[step.who], after.processes[step.who]
            if len(now.hands) > len(before.hands):
                return f"{name} takes chunk {now.hands[-1].chunk}."
            if now.stopped:
                return f"{name} wants a chunk, and hears that it counts as dead."
            return f"{name} finds nothing that it may take now."
        case What.ASK | What.ASK_IN_VAIN:
            hand = after.processes[step.who].hands[-1]
            if what is What.ASK_IN_VAIN:
                return f"{name} takes chunk {hand.chunk}; the database undoes it, and can't say so."
            return f"{name} takes chunk {hand.chunk}; the answer is on its way."
    hand = state.processes[step.who].hands[step.which]
    match what:
        case What.HEAR:
            return f"{name} hears that it has chunk {hand.chunk}."
        case What.HEAR_NOTHING:
            return f"{name} hears no answer to its take of chunk {hand.chunk}."
        case What.RELEASE:
            return f"{name} releases chunk {hand.chunk} of that take."
        case What.RELEASE_UNHEARD:
            return f"{name} releases chunk {hand.chunk} of that take, but the answer is lost."
        case What.SEND:
            return f"{name} sends the first byte of the request for chunk {hand.chunk}."
        case What.TOO_LATE:
            return f"{name} finds that it is too late for the first byte of chunk {hand.chunk}."
        case What.RESPONSE:
            return f"{name} gets the response."
        case What.NO_RESPONSE:
            return f"{name} gets no response."
    words = _OUTCOMES[hand.outcome].format(hand.chunk)
    if what is What.SETTLE_UNHEARD:
        return f"{name} writes down that {words}, but the database's answer is lost."
    return f"{name} writes down that {words}."


def _passed(state: State, step: Step) -> str:
    seconds = f"{step.until - state.time:.0f} seconds pass"
    at = [_stands(n, process) for n, process in enumerate(state.processes, 1) if process.hands]
    return f"{seconds}{', in which ' + ' and '.join(at) if at else ''}."


def _stands(n: int, process: Process) -> str:
    if any(hand.phase is Phase.SENT for hand in process.hands):
        return f"worker {n} waits, or is stopped"
    return f"worker {n} is stopped"


def _changes(world: World, state: State, after: State) -> Iterator[str]:
    rows = world.journal.database.rows
    before = {chunk.n: chunk.state for chunk in rows(state.content, "chunks")}
    for chunk in rows(after.content, "chunks"):
        if before[chunk.n] != chunk.state:
            yield f"Chunk {chunk.n} is now {chunk.state}."
