import pytest

from mailkit.sandbox.delivery import Step, arrival, is_address, meaning, step_at, steps


def step(address: str, age: float, *, tracked: bool = True, open_share: float = 0) -> Step:
    return step_at(address, age, tracked=tracked, open_share=open_share)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.by",
        "first.last+tag@sub.domain.co",
        "o'neil@xn--90ais.xn--90ais",
        "x" * 60 + "@" + "d" * 63 + ".by",
    ],
)
def test_addresses_of_the_right_form(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@b",
        "a@b.c",
        "@b.by",
        "a@@b.by",
        ".a@b.by",
        "a.@b.by",
        "a..b@c.by",
        "a b@c.by",
        "a@-b.by",
        "a@b..by",
        "анна@mail.by",
        "a@почта.бел",
        "a@b.by\n",
        "x" * 250 + "@b.by",
        "a@" + "d" * 64 + ".by",
    ],
)
def test_addresses_of_the_wrong_form(address: str) -> None:
    assert not is_address(address)


def test_an_ordinary_email_is_queued_then_sent_then_delivered() -> None:
    assert [step("anna@b.by", age) for age in (-10, 0.5, 1.5, 31)] == [
        "queued",
        "queued",
        "sent",
        "delivered",
    ]
    assert 2 <= arrival("anna@b.by") <= 30


@pytest.mark.parametrize(
    ("address", "soon", "in_two_hours"),
    [
        ("bounce@b.by", "undelivered", "undelivered"),
        ("bounce-77@b.by", "undelivered", "undelivered"),
        ("opens@b.by", "delivered", "opened"),
        ("complaint@b.by", "delivered", "delivered"),
        ("clicks@b.by", "delivered", "opened"),
        ("leaves@b.by", "delivered", "delivered"),
        ("slow.one@b.by", "sent", "delivered"),
        ("expires@b.by", "sent", "sent"),
    ],
)
def test_addresses_with_a_meaning(address: str, soon: str, in_two_hours: str) -> None:
    assert address.startswith(meaning(address))
    assert meaning(address)
    assert step(address, 30.5) == soon
    assert step(address, 7200) == in_two_hours


def test_an_untracked_email_is_never_seen_to_be_opened() -> None:
    assert step("opens@b.by", 7200, tracked=False) == "delivered"
    assert step("anna@b.by", 9000, tracked=False, open_share=1) == "delivered"


def test_a_share_of_the_ordinary_addresses_opens() -> None:
    people = [f"person{number}@b.by" for number in range(1000)]
    opened = sum(step(one, 9000, open_share=0.2) == "opened" for one in people)
    assert 130 < opened < 270
    assert all(step(one, 9000, open_share=1) == "opened" for one in people)
    assert not any(step(one, 9000, open_share=0) == "opened" for one in people)


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    "address",
    [
        "opens@b.by",
        "bounce@b.by",
        "expires@b.by",
        "slow@b.by",
        *[f"person{n}@b.by" for n in range(20)],
    ],
)
def test_each_step_is_the_one_at_its_moment(address: str, tracked: bool) -> None:
    found = list(steps(address, tracked=tracked, open_share=0.5))
    assert found == sorted(found, key=lambda pair: pair[0])
    for after, reached in found:
        shown = step(address, after + 0.001, tracked=tracked, open_share=0.5)
        seen = {Step.DEFERRED: Step.SENT, Step.EXPIRED: Step.UNDELIVERED}
        assert shown == seen.get(reached, reached)


@pytest.mark.parametrize(
    ("address", "then"),
    [
        ("unsubscribed@b.by", ["delivered", "unsubscribed"]),
        ("unsubscribes@b.by", ["delivered", "unsubscribed"]),
        ("leaves@b.by", ["delivered", "unsubscribed"]),
        ("returns@b.by", ["delivered", "unsubscribed", "subscribed"]),
        ("complaint@b.by", ["delivered", "complained"]),
        ("clicks@b.by", ["delivered", "opened", "clicked"]),
        ("expires@b.by", ["deferred", "expired"]),
    ],
)
def test_recipients_who_act_and_emails_that_expire(address: str, then: list[str]) -> None:
    found = list(steps(address, tracked=True, open_share=1))
    assert [reached for _, reached in found] == ["sent", *then]
    assert found == sorted(found, key=lambda pair: pair[0])
