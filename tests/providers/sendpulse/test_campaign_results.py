"""What a campaign's status and statistics say of its chunk, code by code."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from mailkit.events import DeliveryStatus
from mailkit.provider import ChunkStatus, PollResult, RowStatus
from mailkit.providers.sendpulse import (
    Campaign,
    CampaignRecipient,
    CampaignStatus,
    RecipientStatus,
    Statistics,
    StatusCount,
)
from mailkit.providers.sendpulse.campaign_results import poll_result, row_status

NOW = 1_000.0
LEFT_OUT = "SendPulse left the address out"
SOME = {RecipientStatus.SENT: 3, RecipientStatus.DELIVERED: 2}


async def ask(address: str) -> RowStatus | None:
    return None


def campaign(status: int | None, counts: dict[RecipientStatus, int] | None = None) -> Campaign:
    general = tuple(StatusCount(code, n) for code, n in (counts or {}).items())
    known = {int(one) for one in CampaignStatus}
    read = CampaignStatus(status) if status in known else status
    return Campaign(7, status=read, statistics=Statistics(general=general))


def poll(campaign: Campaign, *, polls: int = 0, age: float = 0.0) -> PollResult:
    return poll_result(campaign, NOW, ask, polls=polls, over=NOW - age)


@pytest.mark.parametrize("status", [0, 2, 4, 6, 7, 9, 10, 13, 14, 15, 22, 26, 28, 36, 99, None])
def test_what_goes_on_is_looked_at_again_within_a_minute(status: int | None) -> None:
    for polls, seconds in ((0, 5.0), (1, 10.0), (20, 60.0)):
        found = poll(campaign(status), polls=polls)
        assert found.again == datetime.fromtimestamp(NOW + seconds, UTC)
        assert (found.others, found.statuses) == (None, ())


@pytest.mark.parametrize(("status", "word"), [(1, "look at the campaign"), (11, "a question")])
def test_moderation_is_looked_at_every_five_minutes(status: int, word: str) -> None:
    found = poll(campaign(status), polls=20)
    assert found.again == datetime.fromtimestamp(NOW + 300.0, UTC)
    assert word in found.why
    assert found.others is None


@pytest.mark.parametrize("status", [3, 8])
def test_a_campaign_that_was_sent_says_to_how_many(status: int) -> None:
    found = poll(campaign(status, SOME), polls=3)
    sent = ChunkStatus(DeliveryStatus.SENT, reason=LEFT_OUT, mailed=3)
    assert (found.others, found.again, found.ask) == (sent, None, ask)
    assert found.statistics == {"sent": 3, "delivered": 2}


def test_a_campaign_that_is_out_may_have_emails_in_the_queue() -> None:
    found = poll(campaign(3, {RecipientStatus.SENT: 3, RecipientStatus.QUEUED: 2}))
    assert found.others == ChunkStatus(DeliveryStatus.QUEUED, reason=LEFT_OUT, mailed=5)


@pytest.mark.parametrize(("status", "held"), [(5, True), (12, False), (16, False), (27, True)])
def test_a_campaign_that_sent_nothing_rejects_everybody(status: int, held: bool) -> None:
    nobody = {
        RecipientStatus.SENT: 0,
        RecipientStatus.NOT_SENT: 3,
        RecipientStatus.ALREADY_UNSUBSCRIBED: 1,
    }
    for counts in ({}, nobody):
        found = poll(campaign(status, counts), polls=3, age=30.0)
        assert found.others is not None
        assert found.others.rejected
        assert found.others.reason
        assert (found.others.held, found.ask) == (held, None)


@pytest.mark.parametrize("status", [5, 12, 16, 27])
def test_a_campaign_that_was_stopped_after_some_emails_asks_about_each(status: int) -> None:
    found = poll(campaign(status, SOME), polls=3, age=30.0)
    assert found.others is not None
    assert (found.others.in_doubt, found.others.rejected, found.ask) == (True, False, ask)
    assert found.others.held == (status != 16)
    assert f"(status {status})" in found.others.reason


@pytest.mark.parametrize("status", [23, 25, 33])
@pytest.mark.parametrize("counts", [{}, SOME])
def test_a_campaign_that_was_partly_sent_asks_about_each(
    status: int, counts: dict[RecipientStatus, int]
) -> None:
    found = poll(campaign(status, counts), polls=3)
    assert found.others is not None
    assert (found.others.in_doubt, found.ask) == (True, ask)
    assert found.others.held
    assert f"(status {status})" in found.others.reason


@pytest.mark.parametrize(("age", "seconds"), [(0.0, 60.0), (600.0, 600.0), (9_000.0, 3_600.0)])
def test_recipients_are_asked_about_more_and_more_seldom(age: float, seconds: float) -> None:
    found = poll(campaign(23, SOME), age=age)
    assert found.again == datetime.fromtimestamp(NOW + seconds, UTC)


@pytest.mark.parametrize(
    ("counts", "everybody", "age", "mailed", "unsent"),
    [
        ({1: 3, 2: 2, 13: 2}, 5, 0.0, 3, 2),
        ({1: 3, 13: 1, 20: 1}, 5, 0.0, 3, 2),
        ({1: 3, 0: 2}, 5, 9_000.0, 3, None),  # they may yet be sent
        ({1: 3}, 5, 0.0, 3, None),
        ({1: 3}, 5, 1_800.0, 3, 2),
        ({1: 5}, 5, 1_800.0, 5, None),
        ({}, 0, 1_800.0, 0, None),
    ],
)
def test_the_numbers_of_a_campaign(
    counts: dict[int, int], everybody: int, age: float, mailed: int, unsent: int | None
) -> None:
    known = {RecipientStatus(code): n for code, n in counts.items()}
    found = poll(attrs.evolve(campaign(23, known), all_email_qty=everybody), age=age)
    assert found.others is not None
    assert (found.others.mailed, found.others.unsent) == (mailed, unsent)


@pytest.mark.parametrize("counts", [{}, SOME])
def test_the_numbers_of_a_cancelled_campaign_come_late(counts: dict[RecipientStatus, int]) -> None:
    found = poll(campaign(16, counts), age=10.0)
    assert (found.again, found.others) == (datetime.fromtimestamp(NOW + 20.0, UTC), None)
    assert "cancelled" in found.why


def test_counters_by_the_services_words() -> None:
    found = poll(
        Campaign(
            7,
            status=CampaignStatus.CANCELLED,
            statistics=Statistics(counters={"sent": 2, "delivered": 1, "error": 0}),
        ),
        age=30.0,
    )
    assert found.statistics == {"sent": 2, "delivered": 1}
    assert found.others is not None
    assert found.others.in_doubt


def test_unknown_statuses_of_recipients_are_counted() -> None:
    general = (StatusCount(99, 2),)
    found = poll(
        Campaign(7, status=CampaignStatus.SENT, statistics=Statistics(general=general)),
    )
    assert found.statistics == {"status_99": 2}


def recipient(status: RecipientStatus | int | None, words: str = "") -> CampaignRecipient:
    return CampaignRecipient(
        global_status=RecipientStatus.SENT, detail_status=status, detail_status_explain=words
    )


@pytest.mark.parametrize(
    ("status", "delivery"),
    [
        (RecipientStatus.SENT, DeliveryStatus.SENT),
        (RecipientStatus.OPENED, DeliveryStatus.OPENED),
        (RecipientStatus.NO_SUCH_ADDRESS, DeliveryStatus.HARD_BOUNCE),
        (RecipientStatus.COMPLAINED, DeliveryStatus.COMPLAINED),
    ],
)
def test_a_recipient_s_status(status: RecipientStatus, delivery: DeliveryStatus) -> None:
    words = "" if delivery < DeliveryStatus.UNDELIVERED else "in words"
    found = row_status("a@b.by", recipient(status, "in words"))
    assert found == RowStatus("a@b.by", delivery, False, words)


@pytest.mark.parametrize("status", [13, 17, 18, 20])
def test_to_whom_nothing_was_sent_is_rejected(status: int) -> None:
    found = row_status("a@b.by", recipient(RecipientStatus(status)))
    assert found is not None
    assert (found.rejected, found.delivery) == (True, None)
    assert bool(found.reason) == (status != 13)  # the campaign's status says why


@pytest.mark.parametrize("status", [RecipientStatus.QUEUED, 99])
def test_what_may_change_is_not_the_last_word(status: RecipientStatus | int) -> None:
    assert row_status("a@b.by", recipient(status)) is None


def test_a_status_without_details() -> None:
    found = CampaignRecipient(global_status=RecipientStatus.FAILED, global_status_explain="no")
    assert row_status("a@b.by", found) == RowStatus(
        "a@b.by", DeliveryStatus.UNDELIVERED, False, "no"
    )
