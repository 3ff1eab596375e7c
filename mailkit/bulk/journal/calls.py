"""Calls of a webhook's handlers that are still to be made, each of them at least once.

They are written down together with their event (`Events.record`). Whoever claims a call has it for
a while; what is not done by then counts as failed, and may be claimed again. Only the one who
claimed a call last may say how it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.store import Connection, Store

__all__ = ["HandlerCall", "HandlerCalls"]


@attrs.frozen
class HandlerCall:
    """A call that is to be made now, for the ``tries``-th time: the handler's name, and the event
    as the provider said it (JSON).
    """

    id: int
    handler: str
    provider: str
    event: str = attrs.field(repr=False)
    tries: int


class HandlerCalls:
    """Hands the calls out. Times are seconds since 1970."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def claim(
        self, handlers: Collection[str], *, now: float, lease: float, limit: int = 16
    ) -> list[HandlerCall]:
        """The calls of these handlers that are due, the longest due first; nobody else gets them
        for ``lease`` seconds.
        """

        def work(db: Connection) -> list[HandlerCall]:
            found = db.execute(
                "SELECT id, handler, provider, event, tries + 1 FROM handler_calls "
                f"WHERE due <= ? AND {_one_of(handlers)} ORDER BY due, id LIMIT ?",
                (now, *handlers, limit),
            ).fetchall()
            db.executemany(
                "UPDATE handler_calls SET tries = tries + 1, due = ? WHERE id = ?",
                [(now + lease, id) for id, *_ in found],
            )
            return [HandlerCall(*row) for row in found]

        return await self._store.write(work, durable=False)

    async def done(self, call: HandlerCall) -> None:
        """The handler has returned: the call is forgotten."""
        await self._store.write(
            lambda db: db.execute(
                "DELETE FROM handler_calls WHERE id = ? AND tries = ?", (call.id, call.tries)
            ),
            durable=False,
        )

    async def failed(self, call: HandlerCall, error: str, *, due: float) -> None:
        """The handler has failed with this ``error``: it is called again, but not before then."""
        await self._store.write(
            lambda db: db.execute(
                "UPDATE handler_calls SET due = ?, error = ? WHERE id = ? AND tries = ?",
                (due, error, call.id, call.tries),
            ),
            durable=False,
        )

    async def next_due(self, handlers: Collection[str]) -> float | None:
        """When the next call of these handlers is due; None if there is none to make."""

        def work(db: Connection) -> float | None:
            found: tuple[float | None] = db.execute(
                f"SELECT min(due) FROM handler_calls WHERE {_one_of(handlers)}", tuple(handlers)
            ).fetchone()
            return found[0]

        return await self._store.read(work)

    async def waiting(self) -> Mapping[str, int]:
        """How many calls are still to be made, by handler; nobody may have some of these names any
        more.
        """

        def work(db: Connection) -> dict[str, int]:
            found = db.execute(
                "SELECT handler, count(*) FROM handler_calls GROUP BY handler ORDER BY handler"
            )
            return dict(found.fetchall())

        return await self._store.read(work)


def _one_of(handlers: Collection[str]) -> str:
    return f"handler IN ({one_of(handlers)})"
