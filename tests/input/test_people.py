"""Addresses on their whole way: who is one person, who is another, and who is nobody."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.source import read_recipients
from mailkit.errors import InvalidArgument

from ..approval import approve
from .journey import send, travel


async def test_spellings_of_one_mailbox_are_one_person() -> None:
    groups = [
        ["info@почта.рф", "INFO@xn--80a1acny.xn--p1ai", "info@ПОЧТА.РФ", "Info@XN--80A1ACNY.рф"],
        ["a@b.by", " A@B.BY ", "a@ｂ.by", "a@b。by", "A@ｂ．ｂｙ", "\u2028a@b.by\u2028"],
        ["x@faß.de", "x@xn--fa-hia.de"],
        ["y@caf\u00e9.fr", "y@cafe\u0301.fr", "y@CAF\u00c9.fr"],
    ]
    journey = await travel(read_recipients([one for group in groups for one in group]))
    first = 1
    for group in groups:
        assert journey.states[first] == "accepted"
        for line in range(first + 1, first + len(group)):
            assert journey.states[line] == "duplicate"
            assert journey.reasons[line].endswith(f" {first}")
            approve("row: a duplicate", journey.reasons[line], line=f"line {first}")
        first += len(group)
    assert journey.report.counts.accepted == len(groups)


async def test_people_that_only_look_alike_are_different_people() -> None:
    people = [
        "a@paypal.com",
        "a@раура.com",  # all of it is Cyrillic
        "a@paypa.com",
        "a@paypaI.co",
        "a+x@paypal.com",
        "a.@paypal.com".replace(".@", ".b@"),
        "ab@paypal.com",
        "x@fass.de",
        "x@faß.de",
        "y@cafe.fr",
        "y@café.fr",
    ]
    journey = await travel(read_recipients(people))
    assert len(set(journey.mailed)) == len(journey.mailed) == len(people)
    assert all(address.isascii() for address in journey.mailed), "what looks alike is seen"


async def test_letters_that_look_like_those_of_another_alphabet_are_no_domain() -> None:
    people = ["a@раypal.com", "a@раураl.com", "a@почта.рф", "a@пример.бел"]  # Cyrillic er and a
    journey = await travel(read_recipients(people))
    assert journey.report.counts.invalid == 2
    assert len(journey.mailed) == 2


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "the address is empty"),
        ("\u3000\t", "the address is empty"),
        ("anna", "no @"),
        ("a@@b.by", "more than one @"),
        ("a@b.by,c@d.by", "2 addresses in one cell; put each in its own row"),
        ("@b.by", "nothing before the @"),
        ("a@", "nothing after the @"),
        ('"anna petrova"@b.by', "a quoted part before the @"),
        ('"a@b"@c.by', "a quoted part before the @"),
        ('""@b.by', "a quoted part before the @"),
        (r"a\ b@c.by", r"'\\' before the @"),
        ("a(comment)@b.by", "'(' before the @"),
        ("c@d.by <a@b.by>", "angle brackets"),
        ("анна@b.by", "only ASCII letters are accepted there"),
        ("ａ@b.by", "only ASCII letters are accepted there"),
        ("\u212a@b.by", "only ASCII letters are accepted there"),  # the sign of the Kelvin
        ("a..b@c.by", "a dot before the @"),
        (".a@b.by", "a dot before the @"),
        ("a" * 65 + "@b.by", "longer than 64 bytes"),
        ("a@" + "b" * 64 + ".by", "longer than 63 bytes"),
        ("a@" + "b." * 130 + "by", "longer than 254 characters"),
        ("a@localhost", "no dot in the domain"),
        ("a@127.0.0.1", "an IP address"),
        ("a@[IPv6:::1]", "an IP address"),
        ("a@b.by.", "a dot at the end"),
        ("a@-b.by", "hyphen"),
        ("a@b_c.by", "in the domain"),
        ("a@b\u202ec.by", "in the domain"),
        ("a@b\u200dc.by", ""),  # a joiner where nothing joins
        ("a@xn--a.by", "not a valid domain"),
        ("a\nBcc: x@y.by", "before the @"),
        ("a@b.by\nBcc: x", ""),
        ("a@b\0.by", ""),
        ("mailto:a b", "no @"),
    ],
)
async def test_nobody_is_mailed_at_what_is_no_address(address: str, reason: str) -> None:
    quoted = address.replace('"', '""')
    journey = await send(f'email,name\n"{quoted}",x\ngood@b.by,x\n')
    assert journey.mailed == ["good@b.by"]
    assert journey.states[2] == "invalid"
    assert reason in journey.reasons[2] or journey.reasons[2] == "NUL bytes"


LOCAL = st.text("abAB019!#$%&'*+/=?^_`{|}~-.", min_size=1, max_size=10)
DOMAIN = st.lists(
    st.text(st.sampled_from("abzAZ09-éßЖжｂ中日و\u0301\u200d。.x"), min_size=1, max_size=6),
    min_size=1,
    max_size=3,
).map(lambda labels: ".".join([*labels, "by"]))
ANYTHING = st.text(max_size=30)
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN) | ANYTHING | st.builds("a@{}".format, ANYTHING)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(ADDRESS, min_size=1, max_size=12), st.data())
async def test_whoever_is_in_the_list_is_mailed_once_at_most(
    addresses: list[str], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(addresses), max_size=6))
    changed = [
        data.draw(st.sampled_from([str.upper, str.swapcase, _decomposed, "\t{} ".format]))(one)
        for one in again
    ]
    journey = await travel(read_recipients([*addresses, *changed]))
    for row, address in zip(journey.rows, [*addresses, *changed], strict=True):
        try:
            expected = normalize(address)
        except InvalidArgument:
            assert row.state == "invalid"
        else:
            assert row.state in ("accepted", "duplicate")
            assert row.address == expected
            assert expected.isascii()
            assert expected.isprintable()
    keys = [dedupe_key(address) for address in journey.mailed]
    assert len(set(keys)) == len(keys)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)
