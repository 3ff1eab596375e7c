"""A made-up world around a journal: processes, a service, a person, time.

A process does what the engine does, with the journal's own operations, and remembers what the
engine remembers. It may do its next step at any time, or never: so one that is stopped for a while,
or cut off from the database, is one that takes no step, and does not renew its lease, while time
passes.
"""

from __future__ import annotations

from mailkit.core.quota import SLACK, Quota

from .choices import ARRIVES_WITHIN, HELD_UP, WINDOW, Choices, Size
from .journal import Journal
from .state import Flight, Hand, News, Outcome, Phase, Process, State, Step, What

__all__ = ["Broken", "World"]


class Broken(Exception):
    """The promise is broken, in these words."""


class World:
    """Goes from state to state. ``begin`` is the first one: the job is planned, and every process
    has joined it.
    """

    unknown = Outcome.UNKNOWN
    """What a process takes a request's outcome for that has no response."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.quota = Quota(size.quota, WINDOW)
        self.journal = Journal(size.chunks, self.quota, shared=size.shared, can_ask=size.can_ask)
        content, workers = self.journal.begin(size.processes)
        processes = tuple(map(Process, workers))
        self.begin = State(0.0, content, content, processes, (), (False,) * size.chunks, ())
        self.choices = Choices(size, self.journal)
        self._perform = {
            What.TIME: self._pass_time,
            What.TAKE: self._take,
            What.ASK: self._take,
            What.ASK_IN_VAIN: self._take,
            What.HEAR: self._hear_of_take,
            What.HEAR_NOTHING: self._hear_of_take,
            What.RELEASE: self._release,
            What.RELEASE_UNHEARD: self._release,
            What.SEND: self._send,
            What.TOO_LATE: self._begin_too_late,
            What.ARRIVE: self._arrive,
            What.TURN_DOWN: self._turn_down,
            What.RESPONSE: self._response,
            What.NO_RESPONSE: self._no_response,
            What.SETTLE: self._settle,
            What.SETTLE_UNHEARD: self._settle,
            What.FALL_SILENT: self._listen,
            What.SPEAK: self._listen,
            What.LOOK: self._look,
            What.CRASH: self._crash,
            What.JOIN: self._join,
            What.NOT_SENT: self._say,
            What.WAS_SENT: self._say,
            What.FAIL_OVER: self._fail_over,
            What.ASK_SERVICE: self._ask_service,
            What.TELL: self._tell,
        }

    def after(self, state: State, step: Step) -> State:
        """The state after the step."""
        return self._perform[step.what](state, step)

    def _pass_time(self, state: State, step: Step) -> State:
        until = step.until
        after, _ = self.journal.do(state, self.journal.beat, self.choices.beating(state), until)
        flights = tuple(one for one in state.flights if one.started + HELD_UP > until)
        arrivals = tuple(one for one in state.arrivals if one + WINDOW > until)
        return after._replace(time=until, flights=flights, arrivals=arrivals)

    def _take(self, state: State, step: Step) -> State:
        process, take = state.processes[step.who], self.journal.take
        drawn = tuple(sorted({(hand.chunk, hand.number) for hand in process.hands}))
        after, (hand, low, stopped) = self.journal.do(
            state, take, process.worker, process.after, drawn
        )
        if step.what is not What.TAKE:
            if hand is None:  # it makes no difference
                return state
            phase = Phase.ASKED
            if step.what is What.ASK_IN_VAIN:  # one that does nothing meanwhile knows it at once
                after, phase = state, Phase.UNDONE if self.size.at_once > 1 else Phase.UNCONFIRMED
            hand = hand._replace(phase=phase)
        if hand is not None:
            process = process._replace(hands=(*process.hands, hand))
        return _with(after, step.who, process._replace(stopped=stopped, after=low))

    def _hear_of_take(self, state: State, step: Step) -> State:
        hand = state.processes[step.who].hands[step.which]
        phase = Phase.TAKEN if step.what is What.HEAR else Phase.UNCONFIRMED
        return _change(state, step, hand._replace(phase=phase))

    def _release(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        hand = process.hands[step.which]
        known = tuple(
            (one.chunk, one.number)
            for one in process.hands
            if one.phase in (Phase.TAKEN, Phase.SENT, Phase.ENDED)
        )
        after, _ = self.journal.do(state, self.journal.release, hand, known)
        if step.what is What.RELEASE_UNHEARD:
            return _change(after, step, hand._replace(again=True))
        return _with(after, step.who, _emptied(process, step.which))

    def _send(self, state: State, step: Step) -> State:
        hand = state.processes[step.who].hands[step.which]
        flight = Flight(hand.worker, hand.chunk, hand.number, hand.asked, state.time)
        return _change(state, step, hand._replace(phase=Phase.SENT))._replace(
            flights=tuple(sorted([*state.flights, flight]))
        )

    def _begin_too_late(self, state: State, step: Step) -> State:
        return self._hear(state, step, Outcome.NOT_SENT, None)

    def _arrive(self, state: State, step: Step) -> State:
        """The service acts on the request."""
        flight = state.flights[step.who]
        if state.mailed[flight.chunk - 1]:
            raise Broken(f"The service has mailed chunk {flight.chunk} twice.")
        mailed = tuple(done or n == flight.chunk for n, done in enumerate(state.mailed, 1))
        landed = self._land(state, step.who)._replace(mailed=mailed)
        there = _waiting(landed, flight)
        if there is None:
            return landed
        hand = landed.processes[there.who].hands[there.which]
        return _change(landed, there, hand._replace(acted=True))

    def _turn_down(self, state: State, step: Step) -> State:
        """The service says: not now."""
        landed = self._land(state, step.who)
        there = _waiting(landed, state.flights[step.who])
        if there is None:
            return landed
        return self._hear(landed, there, Outcome.NOT_SENT, state.time)

    def _land(self, state: State, at: int) -> State:
        """The request has arrived."""
        flight = state.flights[at]
        flights = (*state.flights[:at], *state.flights[at + 1 :])
        if state.time > flight.left + ARRIVES_WITHIN:
            return state._replace(flights=flights)
        arrivals = (*(one for one in state.arrivals if one + WINDOW > state.time), state.time)
        if len(arrivals) > self.size.quota:
            raise Broken(
                f"{len(arrivals)} requests have come to the service within {WINDOW:.0f} seconds; "
                f"it allows {self.size.quota}."
            )
        return state._replace(flights=flights, arrivals=arrivals)

    def _response(self, state: State, step: Step) -> State:
        return self._hear(state, step, Outcome.ACCEPTED, state.time)

    def _no_response(self, state: State, step: Step) -> State:
        permit = state.processes[step.who].hands[step.which].permit
        latest = state.time if permit is None else permit.latest - permit.zero
        return self._hear(state, step, self.unknown, max(latest, state.time + SLACK))

    def _hear(self, state: State, step: Step, outcome: Outcome, at: float | None) -> State:
        """A process knows the outcome of its request, which was over then, or certainly not sent
        (None).
        """
        hand = state.processes[step.who].hands[step.which]
        after = state
        if hand.permit is not None:
            after, _ = self.journal.do(state, self.journal.end_permit, hand.permit, at)
        ended = hand._replace(phase=Phase.ENDED, outcome=outcome, acted=False, permit=None)
        return _change(after, step, ended)

    def _settle(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        hand = process.hands[step.which]
        after, is_theirs = self.journal.do(
            state, self.journal.settle, hand.worker, hand.chunk, hand.number, hand.outcome
        )
        if step.what is What.SETTLE_UNHEARD:
            return _change(after, step, hand._replace(again=True))
        stopped = process.stopped or not (is_theirs or hand.again)
        low = 0 if hand.outcome is Outcome.NOT_SENT else process.after
        emptied = _emptied(process, step.which)
        return _with(after, step.who, emptied._replace(stopped=stopped, after=low))

    def _listen(self, state: State, step: Step) -> State:
        """Whether the database hears the process from now on."""
        process = state.processes[step.who]
        silent = step.what is What.FALL_SILENT
        return _with(state, step.who, process._replace(silent=silent))

    def _look(self, state: State, step: Step) -> State:
        after, _ = self.journal.do(state, self.journal.look, state.processes[step.who].worker)
        return after

    def _crash(self, state: State, step: Step) -> State:
        return _with(state, step.who, Process())

    def _join(self, state: State, step: Step) -> State:
        after, worker = self.journal.do(_with(state, step.who, Process()), self.journal.join)
        if worker in self.choices.known(state):
            raise Broken(f"The number {worker} of a worker is given a second time.")
        return _with(after, step.who, Process(worker))

    def _say(self, state: State, step: Step) -> State:
        """A person speaks, who has looked."""
        was_sent = step.what is What.WAS_SENT
        after, _ = self.journal.do(state, self.journal.resolve, step.which, was_sent)
        return after

    def _ask_service(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        chunk, number = self.choices.doubts(state, process)[step.which]
        news = News(chunk, number, state.mailed[chunk - 1], state.time)
        return _with(state, step.who, process._replace(news=news))

    def _tell(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        after, lives = self.journal.do(state, self.journal.tell, process.worker, process.news)
        process = process._replace(news=None, stopped=process.stopped or not lives)
        return _with(after, step.who, process)

    def _fail_over(self, state: State, step: Step) -> State:
        """The database forgets what its standby, or its disk, has not."""
        processes = state.processes
        if not self.size.shared:  # the machine goes down with it
            processes = (Process(),) * self.size.processes
        return state._replace(
            content=state.standby, processes=processes, failovers=state.failovers + 1
        )

    def end(self, state: State) -> None:
        """Every process dies, every request has arrived or never will; a person looks, and a new
        process sends the rest. Broken if anybody is lost, or if the sum does not hold.
        """
        sent, counts = self.journal.finish(state, 2 * HELD_UP)
        for n, mailed in enumerate(state.mailed, 1):
            if mailed + sent.count(n) > 1:
                raise Broken(
                    f"Every worker is killed; another one starts, finds chunk {n} planned, and "
                    "sends it: the service has mailed it twice."
                )
            if not mailed and n not in sent:
                raise Broken(
                    "Every worker is killed, and a person looks; another worker finds nothing to "
                    f"send, and chunk {n} was never mailed: it is lost."
                )
        if counts.accounted != counts.read or counts.accepted != self.size.chunks:
            raise Broken(f"The report does not add up: {counts}.")


def _waiting(state: State, flight: Flight) -> Step | None:
    """Where somebody waits for the response to this request."""
    for at, process in enumerate(state.processes):
        for which, hand in enumerate(process.hands):
            if hand.phase is Phase.SENT and hand[1:4] == flight[:3]:
                return Step(What.ARRIVE, at, which)
    return None


def _emptied(process: Process, which: int) -> Process:
    hands = (*process.hands[:which], *process.hands[which + 1 :])
    return process._replace(hands=hands)


def _change(state: State, step: Step, hand: Hand) -> State:
    process = state.processes[step.who]
    hands = (*process.hands[: step.which], hand, *process.hands[step.which + 1 :])
    return _with(state, step.who, process._replace(hands=hands))


def _with(state: State, who: int, process: Process) -> State:
    processes = (*state.processes[:who], process, *state.processes[who + 1 :])
    return state._replace(processes=processes)
