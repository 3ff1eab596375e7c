"""The states of rows have colors that everybody can tell apart, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from itertools import combinations
from math import dist
from operator import mul

import pytest

STYLE = resources.files("mailkit.bulk.report").joinpath("style.css").read_text(encoding="utf-8")
LIGHT, _, DARK = STYLE.partition("@media (prefers-color-scheme: dark)")
STATES = ("accepted", "rejected", "in-doubt", "unsent", "invalid", "duplicate", "suppressed")
WORDS = {"accepted", "rejected", "in-doubt", "unsent", "duplicate"}
"""Those that are also colors of text."""
FAR = 0.1
"""In Oklab, which goes from 0 to 1; black and dark gray (#333) are 0.32 apart."""

Color = Sequence[float]
Matrix = Sequence[Color]

EYES: dict[str, Matrix] = {
    "most": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""What eyes make of linear red, green and blue (Machado, Oliveira and Fernandes, 2009)."""
LMS: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def linear(css: str, name: str) -> Color:
    """A variable of the style sheet as linear red, green and blue."""
    found = re.search(rf"--{name}: #(\w\w)(\w\w)(\w\w);", css)
    assert found
    parts = [int(part, 16) / 255 for part in found.groups()]
    return [pow((c + 0.055) / 1.055, 2.4) if c > 0.04045 else c / 12.92 for c in parts]


def times(matrix: Matrix, color: Color) -> Color:
    return [sum(map(mul, row, color)) for row in matrix]


def oklab(color: Color) -> Color:
    return times(OKLAB, [max(one, 0) ** (1 / 3) for one in times(LMS, color)])


def contrast(one: Color, other: Color) -> float:
    """As WCAG 2 defines it."""
    darker, lighter = sorted(sum(map(mul, (0.2126, 0.7152, 0.0722), c)) for c in (one, other))
    return float((lighter + 0.05) / (darker + 0.05))


@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_no_two_states_look_alike(css: str, eyes: str) -> None:
    seen = {name: oklab(times(EYES[eyes], linear(css, name))) for name in STATES}
    near = {(a, b): dist(seen[a], seen[b]) for a, b in combinations(STATES, 2)}
    assert {pair: far for pair, far in near.items() if far < FAR} == {}


@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
def test_each_state_stands_out_from_the_page(css: str) -> None:
    card = linear(css, "card")
    for name in STATES:
        assert contrast(linear(css, name), card) >= (4.5 if name in WORDS else 3)
