"""Where a journal stands: its jobs by how far they are, its quotas as the ledger counts them."""

from __future__ import annotations

from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.ends import Phase
from mailkit.bulk.journal.info import AccountUse, read_info
from mailkit.bulk.journal.ledger import Account, Busy, Grant, Ledger
from mailkit.core.clock import Clock
from mailkit.core.lateness import BEGINS_WITHIN, elapsed
from mailkit.core.quota import Quota
from mailkit.provider import Sent
from mailkit.testing import FakeClock

from .fakes import memory_journal, people
from .jobs import die, planned, planning, take

HOUR = Quota(4, 3600.0, "campaigns")


async def accounts(journal: Journal, clock: FakeClock) -> list[AccountUse]:
    return [*(await read_info(journal._db, "here", clock)).accounts]


async def test_jobs_are_counted_by_how_far_they_are() -> None:
    async with memory_journal() as journal:
        unplanned = await planning(journal, people(1), "planning")
        ended, doubt, looked_for, cancelled, open_, own = [
            await planned(journal, people(2), name) for name in "abcdef"
        ]
        for job, reference in ((ended, None), (looked_for, "r")):
            ticket = (await take(journal, job)).ticket
            await journal.chunks.accept(job, ticket, 3.0, Sent(reference))
        await journal.chunks.doubt(doubt, (await take(journal, doubt)).ticket, 3.0, "reset")
        ticket = (await take(journal, own)).ticket
        await journal.chunks.accept(own, ticket, 3.0, Sent(None, in_doubt={1: "not named"}))
        await journal.cancelling.cancel(cancelled, 4.0)
        for job in (ended, doubt, looked_for, cancelled, own):
            die(job)
        found = await journal.info()
        assert found.jobs == {
            Phase.PLANNING: 1, Phase.UNDER_WAY: 1, Phase.OPEN: 3, Phase.ENDED: 2
        }  # fmt: skip
        assert [worker.job for worker in found.workers] == ["planning", "e"]
        assert found.rows == 13
        die(unplanned)
        die(open_)
        assert (await journal.info()).jobs[Phase.OPEN] == 4


async def test_quotas_are_shown_as_the_ledger_counts_them() -> None:
    clock = FakeClock()
    async with memory_journal() as journal:
        ledger = Ledger(Account("fake", "shop", {"campaigns": HOUR}), clock)

        async def ask(key: str | None = None) -> Grant | Busy:
            return await journal._db.write(
                lambda db: ledger.ask(
                    db,
                    ledger.needs("campaigns"),
                    key=key,
                    deadline=30.0,
                    asked=clock.monotonic(),
                )
            )

        assert await accounts(journal, clock) == []
        for _ in range(HOUR.limit):
            assert isinstance(await ask(), Grant)
        assert isinstance(await ask("somebody"), Busy)
        [account] = await accounts(journal, clock)
        [quota] = account.quotas
        assert (account.provider, account.account, account.waiting) == ("fake", "shop", 1)
        assert (quota.name, quota.used, quota.seconds, quota.blocked) == (
            "campaigns", HOUR.limit, 3600.0, None,
        )  # fmt: skip
        await clock.sleep(HOUR.per_seconds + 120.0 + BEGINS_WITHIN)
        [account] = await accounts(journal, clock)
        assert account.quotas[0].used == 0


async def test_quotas_in_a_database_are_shown_by_its_clock(postgres_database: str) -> None:
    async with await Journal.open(postgres_database) as journal:
        ledger = Ledger(
            Account("fake", "shop", {"campaigns": HOUR}), Clock(), journal._db.dialect.clock
        )
        needs = ledger.needs("campaigns")
        granted = await journal._db.write(
            lambda db: ledger.ask(db, needs, key=None, deadline=30.0, asked=elapsed())
        )
        assert isinstance(granted, Grant)
        [account] = (await journal.info()).accounts
        assert account.quotas[0].used == 1


async def test_a_quota_that_the_provider_has_blocked_is_shown_with_the_time() -> None:
    clock = FakeClock()
    async with memory_journal() as journal:
        ledger = Ledger(Account("fake", "shop", {"campaigns": HOUR}), clock)
        grant = await journal._db.write(
            lambda db: ledger.ask(
                db, ledger.needs("campaigns"), key=None, deadline=30.0, asked=clock.monotonic()
            )
        )
        assert isinstance(grant, Grant)
        now = clock.elapsed()
        await journal._db.write(lambda db: ledger.block(db, grant, ["campaigns"], now, 600.0))
        [account] = await accounts(journal, clock)
        blocked = account.quotas[0].blocked
        assert blocked is not None
        assert abs(blocked.timestamp() - clock.now() - 600.0) < 1.0
