from __future__ import annotations

import base64
import copy
import json
import pickle
import sys
import traceback
from types import FrameType
from typing import Any
from urllib.parse import quote

import pytest

from mailkit.core.auth import credential
from mailkit.core.secret import MASK, Secret, scrub
from mailkit.errors import InvalidArgument


def test_a_secret_shows_nothing() -> None:
    secret = Secret("canary")
    shown = f"{secret} {secret!r} {secret!s:>20} {[secret]} {secret:x}" + str([secret])
    assert "canary" not in shown
    assert secret.reveal() == "canary"


def test_a_secret_cannot_be_pickled_or_dumped() -> None:
    for spill in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            spill(Secret("canary"))
        assert "canary" not in str(caught.value)


def test_equal_secrets_are_equal_and_hash_alike() -> None:
    assert Secret("a") == Secret(Secret("a")) != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"
    assert Secret("a")
    assert not Secret("")


def test_the_fingerprint_names_a_secret_without_telling_it() -> None:
    assert Secret("canary").fingerprint() == Secret("canary").fingerprint()
    assert Secret("canary").fingerprint() != Secret("canary2").fingerprint()
    assert len(Secret("canary").fingerprint()) == 12


@pytest.mark.parametrize(
    "spelling",
    [
        "ab/c+d=",
        "ab%2Fc%2Bd%3D",
        "ab%2fc%2bd%3d",
        "ab%2Fc%2bd%3D",
        "AB/C+D=",
        "ab%252Fc%252Bd%253D",
        "ab%252fc%252bd%253d",
        "%61%62%2f%63%2b%64%3d",
        "ab%u002Fc%u002bd%u003D",
        r"ab\/c+d=",
        r"ab\u002fc\u002Bd=",
        "ab&#47;c&#43;d&#61;",
        "ab&#x2f;c&#X2B;d&#x3D;",
        "ab&#0047;c&plus;d&equals;",
        "ab&sol;c+d=",
        "ab&amp;#x2f;c+d=",
        r"ab&#92;&#47;c+d=",
        r"ab\u0025\u0032fc+d=",
    ],
)
def test_scrubbing_finds_every_spelling(spelling: str) -> None:
    secrets = (Secret("ab/c+d="), Secret(""), Secret("another"))
    assert scrub(f"token {spelling} is {spelling}{spelling}", secrets) == "token *** is ***"


@pytest.mark.parametrize("before", ["", "i", "id", "id:", "some-id:"])
@pytest.mark.parametrize("after", ["", "e", "en", "end"])
def test_scrubbing_finds_base64_of_whatever_a_secret_is_part_of(before: str, after: str) -> None:
    secret = "long/enough~secret?>"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        said = encode(f"{before}{secret}{after}".encode()).decode()
        shown = scrub(f"Basic {said}!", (Secret(secret),))
        assert MASK in shown
        head, tail = shown.removeprefix("Basic ").removesuffix("!").split(MASK)
        assert secret[:2] not in str(base64.b64decode(head + "A" * (-len(head) % 4)))
        assert len(tail) <= 8
    assert scrub(f"x {encode(b'a short one').decode()}", (Secret("short"),)).startswith("x YSBz")


def test_a_form_s_plus_is_a_space() -> None:
    assert scrub("a=two+words&b=two%20words", (Secret("two words"),)) == "a=***&b=***"


def test_what_is_not_ascii_is_found_too() -> None:
    said = f"ключ {quote('ключ')} {quote('ключ').lower()} {json.dumps('ключ')}"
    assert scrub(said, (Secret("ключ"),)) == '*** *** *** "***"'


def test_what_is_no_credential_stays_as_it_is() -> None:
    text = r"100%25 &amp; \u0041 \\ %zz &nosuch; %u00 &#99999999999; +"
    assert scrub(text, (Secret("credential"),)) == text
    assert scrub(text, ()) == text


def test_scrubbing_takes_time_in_proportion_to_the_text() -> None:
    def steps(text: str) -> int:
        count = 0

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal count
            count += event == "line"
            return trace

        sys.settrace(trace)
        try:
            scrub(text, (Secret("a-long-credential"),))
        finally:
            sys.settrace(None)
        return count

    traced = sys.gettrace()
    for hostile in (r"%25252525\\\\u0026amp;#x25;", "&#x26;#38;amp;", "a-long-credentia"):
        small, large = steps(hostile * 20), steps(hostile * 200)
        assert large < 11 * small
    sys.settrace(traced)


@pytest.mark.parametrize("empty", ["", Secret("")])
def test_an_empty_credential_is_said_to_be_empty(empty: str | Secret) -> None:
    with pytest.raises(InvalidArgument, match=r"^token is empty$"):
        credential(empty, "token")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *((text, "token: a credential") for text in ("  ", "a b", "ключ", "a\nb", "a\x7f")),
        (None, "token is not given"),
        (7, "token: give text"),
    ],
)
def test_a_credential_is_printable_ascii(wrong: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        credential(wrong, "token")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in frames.stack if "/mailkit/" in frame.filename]
    assert ours
    assert not any("value" in (frame.locals or {}) for frame in ours)
