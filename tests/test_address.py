"""Addresses: what is one, what is none and why, and which two are the same."""

import string
from contextlib import suppress
from typing import Any

import pytest
from email_validator import validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.address import Address, InvalidAddress, _common, are_common, dedupe_key, normalize
from mailkit.errors import InvalidArgument
from mailkit.text import header_text

LOWER = set(string.ascii_lowercase + string.digits)
ATEXT = set(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-")
ATOMS = st.text(sorted(ATEXT), min_size=1)
LOCALS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join).filter(lambda text: len(text) <= 64)
DOMAINS = st.sampled_from(
    [
        "shop.by",
        "EXAMPLE.com",
        "mail.co.uk",
        "a.test",
        "printer.local",
        "почта.рф",
        "xn--p1ai.xn--p1ai",
    ]
)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("a@b.by", "a@b.by"),
        ("  Anna.Petrova@Shop.BY\t", "Anna.Petrova@shop.by"),
        ("news+autumn@sub.mail.example.com", "news+autumn@sub.mail.example.com"),
        ("o'neil@shop.ie", "o'neil@shop.ie"),
        ("info@почта.рф", "info@xn--80a1acny.xn--p1ai"),
        ("info@ПОЧТА.РФ", "info@xn--80a1acny.xn--p1ai"),
        ("info@XN--80A1ACNY.xn--p1ai", "info@xn--80a1acny.xn--p1ai"),
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("anna@printer.local", "anna@printer.local"),
        ("anna@something.invalid", "anna@something.invalid"),
        ("anna@something.test", "anna@something.test"),
        ("x" * 64 + "@shop.by", "x" * 64 + "@shop.by"),
        ("a@" + "d" * 63 + ".by", "a@" + "d" * 63 + ".by"),
    ],
)
def test_an_address_is_brought_to_its_one_spelling(given_text: str, expected: str) -> None:
    assert normalize(given_text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the address is empty"),
        ("   ", "the address is empty"),
        ("anna", "no @"),
        ("anna@", "nothing after the @"),
        ("@shop.by", "nothing before the @"),
        ("a@b@shop.by", "more than one @"),
        ("a@b.by,c@d.by", "more than one @"),
        ("Anna <a@b.by>", "angle brackets"),
        ('"anna petrova"@shop.by', "quoted part"),
        ("анна@shop.by", "'а' before the @; only ASCII"),
        ("anna petrova@shop.by", "' ' before the @"),
        (".anna@shop.by", "a dot before the @"),
        ("anna.@shop.by", "a dot before the @"),
        ("an..na@shop.by", "a dot before the @"),
        ("x" * 65 + "@shop.by", "local part longer than 64 bytes"),
        ("a@" + "b." * 130 + "by", "longer than 254 characters"),
        ("x" * 64 + "@" + "жук." * 20 + "by", "longer than 254 characters"),
        ("a@" + "d" * 64 + ".by", "longer than 63 bytes"),
        ("a@localhost", "no dot in the domain"),
        ("a@127.0.0.1", "an IP address"),
        ("a@[127.0.0.1]", "an IP address"),
        ("a@shop.by.", "a dot at the end"),
        ("a@shop..by", "an extra dot in the domain"),
        ("a@-shop.by", "hyphen"),
        ("a@my_shop.by", "'_' in the domain"),
        ("a@xn--zzzzzz.by", "not a valid domain"),
        (
            "anna@m\N{CYRILLIC SMALL LETTER A}il.by",
            "the Cyrillic letter 'а' among Latin letters in the domain; type the Latin letter in "
            "its place",
        ),
        ("a@shop.m\N{CYRILLIC SMALL LETTER A}il.by", "the Cyrillic letter 'а' among Latin letters"),
        ("a@\N{CYRILLIC CAPITAL LETTER ES}om.by", "the Cyrillic letter 'С' among Latin letters"),
        ("a@пoчта.рф", "the Latin letter 'o' among Cyrillic letters in the domain"),
        ("a@xn--mil-6cd.by", "the Cyrillic letter 'а' among Latin letters in the domain"),
        ("a@sh\u202eop.by", "in the domain"),
        ("a\0@shop.by", "before the @"),
        ("a@sh\ud800op.by", "in the domain"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        normalize(text)
    assert reason in caught.value.reason
    assert caught.value.reason in str(caught.value)
    assert isinstance(caught.value, InvalidArgument)


def test_a_refusal_shows_a_short_part_of_a_long_text() -> None:
    with pytest.raises(InvalidAddress) as caught:
        normalize("x" * 1_000_000)
    assert len(str(caught.value)) < 200


@given(LOCALS, DOMAINS)
def test_normalising_twice_changes_nothing_more(local: str, domain: str) -> None:
    once = normalize(f" {local}@{domain} ")
    assert normalize(once) == once
    assert once.isascii()
    assert once.startswith(local + "@")


@given(LOCALS, DOMAINS)
def test_spellings_in_other_cases_have_the_same_key(local: str, domain: str) -> None:
    keys = {
        dedupe_key(normalize(f"{name}@{place}"))
        for name in (local, local.upper(), local.lower())
        for place in (domain, domain.upper())
    }
    assert len(keys) == 1


def test_a_key_of_raw_text_is_folded_too() -> None:
    assert dedupe_key("И\u0306@ПОЧТА.РФ") == dedupe_key("й@почта.рф")


def test_tags_and_dots_tell_mailboxes_apart() -> None:
    same = {dedupe_key(text) for text in ("anna@b.by", "anna+x@b.by", "an.na@b.by")}
    assert len(same) == 3


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for candidate in (text, text + "@shop.by", "anna@" + text, "anna@" + text + ".by"):
        with suppress(InvalidAddress):
            assert normalize(normalize(candidate)) == normalize(candidate)


def looks_common(text: str) -> bool:
    """An address that needs no closer look, by its parts."""
    local, _, domain = text.partition("@")
    *labels, last = domain.split(".")
    return (
        all(atom and set(atom) <= ATEXT for atom in local.split("."))
        and all(part and set(part) <= LOWER for label in labels for part in label.split("-"))
        and labels != []
        and len(last) > 1
        and set(last) <= set(string.ascii_lowercase)
    )


QUICK = (
    st.text("aB0.-@", max_size=20)
    | st.lists(st.sampled_from(["a", "b1", "C", ".", "-", "@", "by", "+", " ", "é"])).map("".join)
    | st.tuples(ATOMS, st.lists(st.sampled_from(["a", "b1", ".", ".", "-", "by"])).map("".join))
    .map("@".join)
)  # fmt: skip


@given(QUICK)
@example("a.b.c@x-y.b.by")
@example("a@b-c.d-e.f.by")
@example("a@b.by-c")
@example("a@b--c.by")
@example("a@b.by\n")
def test_the_quick_check_agrees_with_a_slow_one(text: str) -> None:
    assert bool(_common(text)) == looks_common(text)
    if looks_common(text) and len(text) < 64:
        assert normalize(text) == text


@given(st.lists(QUICK | st.sampled_from(["a@b.by", "a.b@b-c.by", "a\nb@b.by"]), min_size=1))
@example(["a@b.by"])
@example(["a@b.by\nc@d.by"])
@example([".a@b.by"])
@example(["a.@b.by"])
@example(["a..b@b.by"])
@example(["@b.by"])
@example(["a@b.by", "a" * 60 + "@b.by"])
def test_many_addresses_are_as_common_as_each(texts: list[str]) -> None:
    expected = [len(text) < 64 and looks_common(text) for text in texts]
    assert [*map(bool, are_common(texts))] == expected


@pytest.mark.parametrize(
    "garbage",
    [
        "a" * 1_000_000,
        "a." * 500_000 + "@",
        "@" * 1_000_000,
        "a@" + "b-" * 500_000,
        "a@" + "b." * 500_000,
        "a@" + "ж" * 1_000_000,
        "a@" + "ж" * 252,
        "a@" + "xn--" * 62,
        "." * 1_000_000 + "a@b.by",
        '"' * 1_000_000 + "@b.by",
    ],
)
def test_long_garbage_is_refused(garbage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def validate(address: str, **options: Any) -> object:
        seen.append(address)
        return validate_email(address, **options)

    monkeypatch.setattr("email_validator.validate_email", validate)
    with pytest.raises(InvalidAddress):
        normalize(garbage)
    assert max(map(len, seen), default=0) <= 254  # what reads slowly reads no more than that


@pytest.mark.parametrize(
    ("text", "email", "name"),
    [
        ("news@shop.by", "news@shop.by", ""),
        (" news@SHOP.by ", "news@shop.by", ""),
        ("<news@shop.by>", "news@shop.by", ""),
        ("Shop <news@shop.by>", "news@shop.by", "Shop"),
        ("Мой магазин <news@shop.by>", "news@shop.by", "Мой магазин"),
        ("Shop, Inc. <news@shop.by>", "news@shop.by", "Shop, Inc."),
        ('"Shop, Inc." <news@shop.by>', "news@shop.by", "Shop, Inc."),
        (r'"The \"Shop\" \\ Minsk" <news@shop.by>', "news@shop.by", r'The "Shop" \ Minsk'),
        ('"Shop <old>" <news@shop.by>', "news@shop.by", "Shop <old>"),
        ("news@shop.by <news@shop.by>", "news@shop.by", "news@shop.by"),
        ('"Shop" Minsk, "Inc." <news@shop.by>', "news@shop.by", "Shop Minsk, Inc."),
        ("'Shop' <news@shop.by>", "news@shop.by", "Shop"),
        ("O'Neil's <news@shop.by>", "news@shop.by", "O'Neil's"),
        ("=?utf-8?B?0JzQsNCz?= <news@shop.by>", "news@shop.by", "Маг"),
        ("=?koi8-r?Q?=ED=C1?=  =?utf-8?q?_x?= <news@shop.by>", "news@shop.by", "Ма x"),
        ('"=?utf-8?q?a=2C_b?=" <news@shop.by>', "news@shop.by", "a, b"),
        ("Why =? <news@shop.by>", "news@shop.by", "Why =?"),
    ],
)
def test_an_address_is_read_with_its_name(text: str, email: str, name: str) -> None:
    address = Address.parse(text)
    assert (address.email, address.name) == (email, name)
    assert Address.parse(str(address)) == address


def test_an_address_comes_back_as_it_is() -> None:
    address = Address("news@shop.by", "Shop")
    assert Address.parse(address) is address


@pytest.mark.parametrize(
    "text",
    [
        "Shop",
        "Shop <news@shop.by",
        "Shop news@shop.by>",
        "Shop <>",
        'Shop "x <news@shop.by>',
        "A <a@b.by>, B <c@d.by>",
        "a@b.by, B <c@d.by>",
    ],
)
def test_what_is_not_one_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"Shop <news@shop.by>', "an unclosed quote in the name"),
        ("Shop news@shop.by", "no angle brackets around the address; write it as Name <address>"),
        ('"Shop, Inc." news@shop.by', "no angle brackets around the address"),
        ("news@shop.by (Shop)", "a name in parentheses; write it as Name <address>"),
        ("<news@shop.by> Shop", "text after the angle brackets"),
        ("Shop <news@shop.by>;", "text after the angle brackets"),
        ("Shop &lt;news@shop.by&gt;", "&lt; instead of <"),
        ("a@b.by, c@d.by", "more than one address; give one"),
        ("=?utf-9?q?x?= <news@shop.by>", "an encoded word in the name that can't be decoded"),
        ("=?utf-8?b?x?= <news@shop.by>", "an encoded word in the name that can't be decoded"),
    ],
)
def test_what_stands_beside_an_address_is_named(text: str, reason: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address.parse(text)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "char", ["\r", "\n", "\0", "\t", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_control_characters_are_refused_everywhere_in_an_address(char: str) -> None:
    for text in (f"Sh{char}op <news@shop.by>", f"news@sh{char}op.by", f"news@shop.by{char}"):
        with pytest.raises(InvalidArgument, match=f"U\\+{ord(char):04X}"):
            Address.parse(text)
    with pytest.raises(InvalidArgument, match="name of the address"):
        Address("news@shop.by", f"Shop{char}")


def test_an_address_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="give text, not NoneType"):
        Address.parse(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="give text, not bytes"):
        Address(b"a@b.by")  # type: ignore[arg-type]


@given(st.text())
def test_every_name_that_is_taken_can_be_read_back(name: str) -> None:
    try:
        address = Address("news@shop.by", name)
    except InvalidArgument:
        return
    assert Address.parse(str(address)) == address


@given(st.text())
def test_any_text_parses_or_is_refused(text: str) -> None:
    for candidate in (text, text + "<a@b.by>", f'"{text}" <a@b.by>'):
        with suppress(InvalidArgument):
            address = Address.parse(candidate)
            assert header_text(str(address), "header") == str(address)


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u200e", "\u202a", "\u2060", " \xad\xa0"])
def test_what_can_t_be_seen_around_an_address_is_no_part_of_it(unseen: str) -> None:
    assert normalize(f"{unseen}a@b.by{unseen}") == "a@b.by"
    assert Address.parse(f"{unseen}Ann <{unseen}a@b.by>{unseen}").email == "a@b.by"
    with pytest.raises(InvalidAddress):
        normalize(f"a{unseen}a@b.by")
