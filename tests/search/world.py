"""A made-up world around a journal: processes, a service, a person, time.

A process does what the engine does, with the journal's own operations, and remembers what the
engine remembers. It may do its next step at any time, or never: so a process that is stopped for a
while, or that can't reach the database, is one that takes no step while time passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from mailkit.bulk.journal.leases import REQUEST_SECONDS as LAST_REQUEST
from mailkit.bulk.journal.records import ChunkState
from mailkit.bulk.journal.resolving import HELD_UP_SECONDS, REQUEST_SECONDS, held_up_until
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK, Quota

from .journal import CLOCK, EPOCH, Journal, Tickets
from .state import Flight, Hand, News, Outcome, Phase, Process, State, Step, What

__all__ = ["Broken", "Size", "World"]

MOMENT = 1.0
"""Seconds after which something is certainly over that ends at a time."""
ARRIVES_WITHIN = REQUEST_SECONDS + SLACK
"""Seconds after its first byte in which a request arrives that counts in a quota's window."""
HELD_UP = REQUEST_SECONDS + HELD_UP_SECONDS
"""Seconds after its take until which a request may arrive that the network has held up."""
WINDOW = 60.0
_OPEN = {ChunkState.SENDING, ChunkState.IN_DOUBT}


class Broken(Exception):
    """The promise is broken, in these words."""


@attrs.frozen
class Size:
    """How large the world is: its processes, the chunks of its job, how many chunks a process has
    under way at once, how many requests the service takes in a minute, and how often the database
    may fail. ``shared``: the processes are on several machines, and
    have leases; else locks. ``can_ask``: the service tells what became of a request.
    """

    processes: int = 3
    chunks: int = 2
    at_once: int = 1
    quota: int = 1
    failovers: int = 1
    shared: bool = True
    can_ask: bool = False

    def __str__(self) -> str:
        lives = "leases" if self.shared else "locks"
        return (
            f"{_counted(self.processes, 'process', 'es')} with {lives}, "
            f"{_counted(self.chunks, 'chunk')}, {self.at_once} at once"
            f"{', a service that can be asked' if self.can_ask else ''}"
        )


class World:
    """Goes from state to state. ``begin`` is the first one: the job is planned, and every process
    has joined it.
    """

    begins_within = BEGINS_WITHIN
    unknown = Outcome.UNKNOWN
    """What a process takes a request's outcome for that has no response."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.quota = Quota(size.quota, WINDOW)
        self.journal = Journal(size.chunks, self.quota, shared=size.shared, can_ask=size.can_ask)
        content, workers = self.journal.begin(size.processes)
        processes = tuple(map(Process, workers))
        self.begin = State(0.0, content, content, processes, (), (False,) * size.chunks, ())
        self._rows = self.journal.database.rows
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

    # what can happen

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen next."""
        looked, done = False, set[tuple[Process, float | None]]()
        known, leases = self._known(state), self._leases(state)
        for at, process in enumerate(state.processes):
            if process.worker not in known:  # all that are like this one do the same
                like = process._replace(worker=min(process.worker, 1)), leases.get(process.worker)
                if like in done:
                    continue
                done.add(like)
            if not process.worker or (
                process.stopped and not process.hands and process.news is None
            ):
                yield Step(What.JOIN, at)
            else:
                yield from self._steps_of(state, at, process)
                if process.worker in known:  # else it makes no difference
                    # On several machines, one that stays dead is one that is silent for ever.
                    yield Step(What.JOIN if self.size.shared else What.CRASH, at)
            if process.worker and not looked:  # whoever looks finds the same
                looked = True
                yield Step(What.LOOK, at)
        for at, flight in enumerate(state.flights):
            yield Step(What.ARRIVE, at)
            if state.time <= flight.left + ARRIVES_WITHIN:
                yield Step(What.TURN_DOWN, at)
        for chunk in self._rows(state.content, "chunks"):
            if chunk.state in _OPEN:
                what = What.WAS_SENT if state.mailed[chunk.n - 1] else What.NOT_SENT
                yield Step(what, which=chunk.n)
        for until in self._moments(state):
            yield Step(What.TIME, until=until)
        if state.failovers < self.size.failovers and state.standby != state.content:
            yield Step(What.FAIL_OVER)

    def _steps_of(self, state: State, at: int, process: Process) -> Iterator[Step]:
        for which, hand in enumerate(process.hands):
            match hand.phase:
                case Phase.ASKED:
                    yield Step(What.HEAR, at, which)
                    yield Step(What.HEAR_NOTHING, at, which)
                case Phase.UNDONE:
                    yield Step(What.HEAR_NOTHING, at, which)
                case Phase.UNCONFIRMED:
                    yield Step(What.RELEASE, at, which)
                    yield Step(What.RELEASE_UNHEARD, at, which)
                case Phase.TAKEN:
                    late = state.time > hand.asked + self.begins_within
                    yield Step(What.TOO_LATE if late else What.SEND, at, which)
                case Phase.SENT:
                    if hand.acted:
                        yield Step(What.RESPONSE, at, which)
                    yield Step(What.NO_RESPONSE, at, which)
                case Phase.ENDED:
                    yield Step(What.SETTLE, at, which)
                    if self.size.shared and not hand.again:
                        yield Step(What.SETTLE_UNHEARD, at, which)
        if process.stopped:
            pass
        elif len(process.hands) < self.size.at_once and not any(
            hand.phase is Phase.UNCONFIRMED and not hand.again for hand in process.hands
        ):
            yield Step(What.TAKE, at)
            if self.size.shared:
                yield Step(What.ASK, at)
                yield Step(What.ASK_IN_VAIN, at)
        if process.news is not None:
            yield Step(What.TELL, at)
        elif self.size.can_ask and not process.stopped:
            for which, _ in enumerate(self._doubts(state, process)):
                yield Step(What.ASK_SERVICE, at, which)
        if self.size.shared and (process.hands or process.news is not None):
            yield Step(What.SPEAK if process.silent else What.FALL_SILENT, at)

    def _doubts(self, state: State, process: Process) -> Tickets:
        """What the process may ask the service about."""
        if not any(
            chunk.state == ChunkState.IN_DOUBT for chunk in self._rows(state.content, "chunks")
        ):
            return ()
        return self.journal.do(state, self.journal.doubts, process.worker)[1]

    def _known(self, state: State) -> set[int]:
        """The workers of which there is more to say than until when they live."""
        known = {hand.worker for process in state.processes for hand in process.hands}
        known |= {flight.worker for flight in state.flights}
        for content in {state.content, state.standby}:
            known |= {chunk.worker for chunk in self._rows(content, "chunks")}
            for waiter in self._rows(content, "waiters"):
                known.add(int(waiter.key.removeprefix("worker ")))
        return known

    def _leases(self, state: State) -> dict[int, float]:
        """Until when workers live."""
        if not self.size.shared:
            return {}
        return {
            worker.id: worker.lease - CLOCK
            for worker in self._rows(state.content, "workers")
            if not worker.ended
        }

    def _moments(self, state: State) -> Sequence[float]:
        """When something ends that matters."""
        ends: list[float] = []
        for process in state.processes:
            for hand in process.hands:
                if hand.phase is Phase.TAKEN:
                    last = hand.asked + BEGINS_WITHIN
                    ends += [last, last + MOMENT]
        for flight in state.flights:
            ends += [flight.left + ARRIVES_WITHIN, flight.started + HELD_UP]
        zero = CLOCK if self.size.shared else 0.0
        ends += [permit.at - zero + WINDOW for permit in self._rows(state.content, "permits")]
        for chunk in self._rows(state.content, "chunks"):
            if chunk.state in _OPEN:
                ends.append(held_up_until(chunk.started, chunk.ended) - EPOCH)
        beating = self._beating(state)
        for worker, lease in self._leases(state).items():
            if worker not in beating:
                ends += [lease, lease + LAST_REQUEST]
        return sorted({end for end in ends if end > state.time})

    def _beating(self, state: State) -> Sequence[int]:
        """The workers that renew their leases."""
        if not self.size.shared:
            return ()
        return tuple(
            process.worker for process in state.processes if process.worker and not process.silent
        )

    # how it happens

    def after(self, state: State, step: Step) -> State:
        """The state after the step."""
        return self._perform[step.what](state, step)

    def _pass_time(self, state: State, step: Step) -> State:
        until = step.until
        after, _ = self.journal.do(state, self.journal.beat, self._beating(state), until)
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
        if worker in self._known(state):
            raise Broken(f"The number {worker} of a worker is given a second time.")
        return _with(after, step.who, Process(worker))

    def _say(self, state: State, step: Step) -> State:
        """A person speaks, who has looked."""
        was_sent = step.what is What.WAS_SENT
        after, _ = self.journal.do(state, self.journal.resolve, step.which, was_sent)
        return after

    def _ask_service(self, state: State, step: Step) -> State:
        process = state.processes[step.who]
        chunk, number = self._doubts(state, process)[step.which]
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


def _counted(n: int, what: str, plural: str = "s") -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}{plural}"
