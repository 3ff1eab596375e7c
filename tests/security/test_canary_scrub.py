"""The search for the canary finds it, and what is scrubbed holds no piece of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.core.secret import Secret, scrub

from .canary import CANARY, ECHOES, assert_hidden, everything, hits


def test_the_canary_is_found_in_every_disguise() -> None:
    for name, echo in ECHOES.items():
        assert hits(f"… {echo} …"), name
        assert hits(f"… {echo} …".encode()), name
    assert not hits("a service that says nothing of it")


def test_the_echoes_are_different_from_one_another() -> None:
    assert len(set(ECHOES.values())) == len(ECHOES)
    assert "%2f" in ECHOES["URL-encoded in lower case"]
    mixed = ECHOES["URL-encoded in mixed case"]
    assert "%2f" in mixed
    assert "%3D" in mixed


def test_the_canary_is_found_in_an_error_and_in_what_it_stands_on() -> None:
    outer = ValueError("outer")
    assert not hits(everything(outer))
    outer.__cause__ = KeyError(CANARY)
    assert hits(everything(outer))


@pytest.mark.parametrize("echo", ECHOES)
def test_what_is_scrubbed_holds_no_piece_of_the_canary(echo: str) -> None:
    assert_hidden(scrub(f"Token {ECHOES[echo]} is wrong", (Secret(CANARY),)))


@settings(derandomize=True)
@given(st.text(), st.text(), st.integers(0, 40), st.integers(0, 40))
def test_no_cut_and_no_place_lets_a_piece_through(
    before: str, after: str, start: int, end: int
) -> None:
    text = before + CANARY[start : max(end, start)] + after
    shown = scrub(text, (Secret(CANARY),))
    assert_hidden(shown)
    if not hits(text):
        assert shown == text
