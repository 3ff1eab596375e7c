"""The permit ledger: quotas that hold over all processes on the journal, over kills and restarts.

A permit counts from ``at``. While its request is under way, that is when the request is certainly
over; then, when it ended. One whose request was certainly not sent is deleted. That the time is
stored, and not until when a permit counts, lets limits and windows change without making two
windows out of one quota.

The ledger's time is that of the machine's steady clock, which nobody can set. When the machine was
started again, it goes on by what the wall clock says has passed, and never goes back. One update of
the account's line is at once lock, clock and high-water mark; whatever counts or grants permits
begins with it, in one transaction. On a journal that several machines share, the time is that of
its database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil
from typing import NamedTuple

import attrs
import msgspec

from mailkit.bulk.journal.batches import in_rows
from mailkit.bulk.journal.line import Counted, Needs, first_free, is_next, scarcest
from mailkit.bulk.journal.store import Connection
from mailkit.core.clock import Clock
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK, Quota
from mailkit.errors import InvalidArgument

__all__ = ["Account", "Busy", "Grant", "Ledger", "leave", "use_up"]

LOOK = 5.0
"""Seconds after which whoever waits looks again at the latest: others may give permits back."""
SOONEST = 0.01
GRACE = 3.0
"""Seconds after which one who has not looked in time has lost its place."""
BUCKETS = 1_000
"""Permits of larger limits are counted together, in so many pieces of their window."""
CLOCK_RUNS = 1.0  # seconds that a steady clock never goes back, unless it was started again

_encode = msgspec.json.Encoder().encode
_needs = msgspec.json.Decoder(dict[str, int]).decode


@attrs.frozen
class Account:
    """Whose quotas these are, and what they allow."""

    provider: str
    name: str
    quotas: Mapping[str, Quota]


@attrs.define(eq=False)
class Grant:
    """Permits that were granted together, ``needs`` of each quota. ``zero`` is the ledger's time at
    the clock's zero, and ``latest`` when the request is over for certain, which is given up after
    ``deadline`` seconds. It begins by a reading of `mailkit.core.lateness`.

    A task's requests take ``part`` after part: it was ``asked`` once any of them came, and is
    ``used`` once the one that it was granted for has its own.
    """

    account: int
    id: int
    needs: Needs
    zero: float
    latest: float
    deadline: float
    begins_by: float
    asked: bool = False
    used: bool = False
    ended: bool = False

    def part(self, names: Collection[str]) -> Grant:
        """Its permits of these quotas, as a grant of their own."""
        part = attrs.evolve(
            self, needs={name: n for name, n in self.needs.items() if name in names}
        )
        self.needs = {name: n for name, n in self.needs.items() if name not in part.needs}
        return part

    def take_back(self, part: Grant) -> None:
        """No request was made with this part."""
        self.needs = {**self.needs, **part.needs}


@attrs.frozen
class Busy:
    """No permit now: when one is free, as far as is known, when to look again (both in seconds
    from now), and for which quota.
    """

    free_in: float
    look_in: float
    quota: Quota


class _Moment(NamedTuple):
    account: int
    grant: int
    zero: float
    now: float


class _Kept(NamedTuple):
    per: float
    blocked: float


class Ledger:
    """The permits of one account. Its methods run in the caller's transaction. ``now`` is the
    database's time as an expression, where the machines on the journal have no clock in common.
    """

    def __init__(self, account: Account, clock: Clock, now: str | None = None) -> None:
        self.account = account
        self.clock = clock
        self._time = now
        self._order = scarcest(account.quotas)

    def needs(self, *names: str) -> Needs:
        """One permit of each of these quotas; names of no quota don't matter."""
        return {name: 1 for name in self._order if name in names}

    def ask(
        self,
        db: Connection,
        needs: Needs,
        *,
        key: str | None,
        deadline: float,
        asked: float,
        job: int | None = None,
    ) -> Grant | Busy:
        """These permits at once, or none of them: then whoever asks has a place in the line by its
        ``key``, if it has one.

        The request is to begin soon after ``asked``, a reading of `mailkit.core.lateness`, and is
        given up ``deadline`` seconds later.
        """
        for name, amount in needs.items():
            quota = self.account.quotas[name]
            if amount > quota.limit:
                raise InvalidArgument(f"{amount} {quota.name} at once are too many for {quota}")
        moment = self._enter(db)
        kept = self._kept(db, moment, needs)
        line, placed = _line(db, moment, key)
        blocked = {name: one.blocked for name, one in kept.items() if one.blocked > moment.now}
        free = self._free(db, moment, self._named(line, needs), blocked)
        if is_next(line, needs, free, self._order):
            if placed and key is not None:
                leave(db, key)
            return self._grant(db, moment, needs, kept, deadline, asked + BEGINS_WITHIN)
        busy = self._busy(db, moment, line, needs)
        if key is not None:
            self._wait(db, moment, needs, key, busy, job)
        return busy

    def look(self, db: Connection, needs: Needs, ahead: int) -> Busy:
        """When one could go with so many others of the same needs before it; changes nothing."""
        moment = self._now(db)
        line, _ = _line(db, moment, None, tidy=False)
        return self._busy(db, moment, [*line, *[needs] * ahead], needs)

    def used(self, db: Connection) -> dict[str, list[tuple[float, int]]]:
        """What counts of each quota at this moment: since how many seconds from now, and how much;
        changes nothing.
        """
        moment = self._now(db)
        return {
            name: [(at - moment.now, amount) for at, amount in _counted(db, moment, name, quota)]
            for name, quota in self.account.quotas.items()
        }

    def _now(self, db: Connection) -> _Moment:
        """What time it is, without a lock."""
        reading, time = self.clock.elapsed(), self._time or "NULL"
        found = db.execute(
            f"SELECT id, base, mark, {time} FROM accounts WHERE provider = ? AND account = ?",
            (self.account.provider, self.account.name),
        ).fetchone()
        number, zero, mark, now = found or (0, 0.0, 0.0, None)
        if now is not None:
            zero = max(now, mark) - reading
        return _Moment(number, 0, zero, max(mark, zero + reading))

    def end(self, db: Connection, grant: Grant, at: float | None) -> None:
        """The request was over at this reading of the clock, or certainly not sent (None)."""
        if at is None:
            db.executemany(
                "DELETE FROM permits WHERE account = ? AND id = ? AND quota = ?",
                [(grant.account, grant.id, name) for name in grant.needs],
            )
            return
        at += grant.zero
        single = []
        for name, amount in grant.needs.items():
            if self.account.quotas[name].limit > BUCKETS:
                self._merge(db, grant, name, amount, at)
            else:
                single.append((grant.account, grant.id, name, amount, at))
        for marks, values in in_rows(single):
            db.execute(
                f"INSERT INTO permits (account, id, quota, amount, at) VALUES {marks} "
                "ON CONFLICT (account, id, quota) DO UPDATE SET at = excluded.at",
                values,
            )

    def lengthen(self, db: Connection, grant: Grant) -> None:
        """The request may be over later than was said when the permits were granted."""
        db.executemany(
            "UPDATE permits SET at = ? WHERE account = ? AND id = ? AND quota = ?",
            [(grant.latest, grant.account, grant.id, name) for name in grant.needs],
        )

    def block(
        self, db: Connection, grant: Grant, names: Sequence[str], at: float, seconds: float | None
    ) -> None:
        """The service said at this reading of the clock that these quotas are used up: nobody gets
        a permit for so many seconds.
        """
        for name in names:
            quota = self.account.quotas[name]
            wait = quota.per_seconds / quota.limit if seconds is None else seconds
            until = at + grant.zero + wait
            db.execute(
                "UPDATE quotas SET blocked = ? WHERE account = ? AND name = ? AND blocked < ?",
                (until, grant.account, name, until),
            )

    def _enter(self, db: Connection) -> _Moment:
        """Lock the account, and see what time it is."""
        clock, account = self.clock, self.account
        if self._time is not None:
            return self._enter_database(db, self._time)
        while True:
            reading, wall = clock.elapsed(), clock.now()
            row = db.execute(
                "UPDATE accounts SET granted = granted + 1, wall = ?, "
                "mark = CASE WHEN base + ? > mark THEN base + ? ELSE mark END "
                "WHERE provider = ? AND account = ? AND boot = ? AND base + ? > mark "
                "RETURNING id, granted, base, mark",
                (
                    wall,
                    reading,
                    reading,
                    account.provider,
                    account.name,
                    clock.boot(),
                    reading + CLOCK_RUNS,
                ),
            ).fetchone()
            if row is not None:
                return _Moment(*row)
            self._start_clock(db, reading, wall)

    def _enter_database(self, db: Connection, now: str) -> _Moment:
        """The same by the database's clock, which is read once the account is locked."""
        named, reading = (self.account.provider, self.account.name), self.clock.elapsed()
        while True:
            row = db.execute(
                "UPDATE accounts SET granted = granted + 1, "
                f"mark = CASE WHEN {now} > mark THEN {now} ELSE mark END "
                "WHERE provider = ? AND account = ? RETURNING id, granted, mark",
                named,
            ).fetchone()
            if row is not None:
                account, grant, mark = row
                return _Moment(account, grant, mark - reading, mark)
            db.execute(
                "INSERT INTO accounts (provider, account, boot, base, mark, wall, granted) "
                f"VALUES (?, ?, '', 0, {now}, 0, 0) ON CONFLICT (provider, account) DO NOTHING",
                named,
            )

    def _start_clock(self, db: Connection, reading: float, wall: float) -> None:
        """The account is new, or the machine was started since its last permit.

        The wall clock alone says how long ago that was. It is not believed to have gone back; that
        the machine has run for longer proves nothing, since it may be another one.
        """
        account, boot = self.account, self.clock.boot()
        named = (account.provider, account.name)
        db.execute(
            "INSERT INTO accounts (provider, account, boot, base, mark, wall, granted) "
            "VALUES (?, ?, ?, 0, ?, ?, 0) ON CONFLICT (provider, account) DO NOTHING",
            (*named, boot, reading, wall),
        )
        mark, before = db.execute(
            "SELECT mark, wall FROM accounts WHERE provider = ? AND account = ?", named
        ).fetchone()
        mark += max(wall - before, 0.0)
        db.execute(
            "UPDATE accounts SET boot = ?, base = ?, mark = ?, wall = ? "
            "WHERE provider = ? AND account = ?",
            (boot, mark - reading, mark, wall, *named),
        )

    def _kept(self, db: Connection, moment: _Moment, needs: Needs) -> dict[str, _Kept]:
        """How long permits of each quota are kept: the longest window it was ever counted in."""
        found = db.execute(
            "SELECT name, per, blocked FROM quotas WHERE account = ?", (moment.account,)
        )
        kept = {name: _Kept(per, blocked) for name, per, blocked in found}
        for name in needs:
            per = self.account.quotas[name].per_seconds
            known = kept.get(name, _Kept(0.0, 0.0))
            if known.per < per:
                known = _Kept(per, max(known.blocked, self._used_up_until(db, moment, per)))
                db.execute(
                    "INSERT INTO quotas (account, name, per, blocked) VALUES (?, ?, ?, ?) ON "
                    "CONFLICT (account, name) DO UPDATE SET per = excluded.per, "
                    "blocked = excluded.blocked",
                    (moment.account, name, *known),
                )
                kept[name] = known
        return kept

    def _used_up_until(self, db: Connection, moment: _Moment, per: float) -> float:
        """When a quota is free that the journal has not known yet: see restoring.py."""
        found = db.execute("SELECT value FROM meta WHERE key = 'put_back'").fetchone()
        if found is None:
            return 0.0
        now = self.clock.now() if self._time is None else moment.now
        return moment.now + float(found[0]) + per - now

    def _named(self, line: Sequence[Needs], needs: Needs) -> Sequence[str]:
        """The quotas that somebody of these needs; others' own ones don't matter."""
        if not line:
            return [*needs]
        return [name for name in self._order if any(name in one for one in [*line, needs])]

    def _busy(self, db: Connection, moment: _Moment, line: Sequence[Needs], needs: Needs) -> Busy:
        quotas = self.account.quotas
        counted = {
            name: _counted(db, moment, name, quotas[name]) for name in self._named(line, needs)
        }
        blocked = _blocked(db, moment)
        at, name = first_free(line, needs, counted, quotas, blocked, moment.now)
        wait = at - moment.now
        return Busy(wait, min(max(wait, SOONEST), LOOK), quotas[name])

    def _free(
        self,
        db: Connection,
        moment: _Moment,
        names: Sequence[str],
        blocked: Mapping[str, float],
    ) -> dict[str, int]:
        """How many permits of each of these quotas are free."""
        quotas = self.account.quotas
        used = (
            "(SELECT coalesce(sum(amount), 0) FROM permits "
            "WHERE account = ? AND quota = ? AND at > ?)"
        )
        values = [
            value
            for name in names
            for value in (moment.account, name, moment.now - quotas[name].per_seconds)
        ]
        columns = ", ".join([used] * len(names))
        found = db.execute(f"SELECT {columns}", values).fetchone()
        return {
            name: 0 if name in blocked else quotas[name].limit - int(count)
            for name, count in zip(names, found, strict=True)
        }

    def _grant(
        self,
        db: Connection,
        moment: _Moment,
        needs: Needs,
        kept: Mapping[str, _Kept],
        deadline: float,
        begins_by: float,
    ) -> Grant:
        latest = moment.now + BEGINS_WITHIN + deadline + SLACK
        for name in needs:
            db.execute(
                "DELETE FROM permits WHERE account = ? AND quota = ? AND at <= ?",
                (moment.account, name, moment.now - kept[name].per),
            )
        granted = [
            (moment.account, moment.grant, name, amount, latest) for name, amount in needs.items()
        ]
        for marks, values in in_rows(granted):
            db.execute(
                f"INSERT INTO permits (account, id, quota, amount, at) VALUES {marks}", values
            )
        return Grant(moment.account, moment.grant, needs, moment.zero, latest, deadline, begins_by)

    def _merge(self, db: Connection, grant: Grant, name: str, amount: int, at: float) -> None:
        """Count a permit that has ended with others, from the end of its piece of the window."""
        piece = self.account.quotas[name].per_seconds / BUCKETS
        number = ceil(at / piece)
        db.execute(
            "DELETE FROM permits WHERE account = ? AND id = ? AND quota = ?",
            (grant.account, grant.id, name),
        )
        db.execute(
            "INSERT INTO permits (account, id, quota, amount, at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (account, id, quota) DO UPDATE SET amount = permits.amount + "
            "excluded.amount, at = CASE WHEN excluded.at > permits.at THEN excluded.at "
            "ELSE permits.at END",
            (grant.account, -number, name, amount, number * piece),
        )

    def _wait(
        self, db: Connection, moment: _Moment, needs: Needs, key: str, busy: Busy, job: int | None
    ) -> None:
        db.execute(
            "INSERT INTO waiters (account, key, needs, due, job, until, why, quota) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, key) DO UPDATE SET "
            "needs = excluded.needs, due = excluded.due, until = excluded.until, "
            "why = excluded.why, quota = excluded.quota",
            (
                moment.account,
                key,
                _encode(needs).decode(),
                moment.now + busy.look_in + GRACE,
                job,
                self.clock.now() + busy.free_in,
                f"the quota of {busy.quota}",
                busy.quota.name,
            ),
        )


def use_up(db: Connection, until: float) -> None:
    """Others may have had any permits of any account up to this moment (seconds since 1970, by the
    database's clock if that is everybody's): no quota is free until a whole window of it has passed
    since.
    """
    rows = db.execute(
        "SELECT quotas.account, name, per, blocked, mark, wall FROM quotas "
        "JOIN accounts ON accounts.id = quotas.account"
    ).fetchall()
    for account, name, per, blocked, mark, wall in rows:
        now = until if wall == 0 else mark + max(until - wall, 0.0)
        db.execute(
            "UPDATE quotas SET blocked = ? WHERE account = ? AND name = ?",
            (max(blocked, now + per), account, name),
        )


def leave(db: Connection, key: str) -> None:
    """Whoever waits by this key waits no longer."""
    db.execute("DELETE FROM waiters WHERE key = ?", (key,))


def _line(
    db: Connection, moment: _Moment, key: str | None, *, tidy: bool = True
) -> tuple[list[Needs], bool]:
    """What those need who come before the one of this key, and whether that has a place."""
    found = db.execute(
        "SELECT key, needs, due FROM waiters WHERE account = ? ORDER BY id", (moment.account,)
    ).fetchall()
    line: list[Needs] = []
    for whose, needs, due in found:
        if whose == key:
            return line, True
        if due >= moment.now:
            line.append(_needs(needs))
        elif tidy:
            leave(db, whose)
    return line, False


def _blocked(db: Connection, moment: _Moment) -> dict[str, float]:
    """Until when quotas are blocked."""
    found = db.execute(
        "SELECT name, blocked FROM quotas WHERE account = ? AND blocked > ?",
        (moment.account, moment.now),
    )
    return dict(found.fetchall())


def _counted(db: Connection, moment: _Moment, name: str, quota: Quota) -> Counted:
    return db.execute(
        "SELECT at, amount FROM permits WHERE account = ? AND quota = ? AND at > ?",
        (moment.account, name, moment.now - quota.per_seconds),
    ).fetchall()
