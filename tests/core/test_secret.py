from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from mailkit.core.auth import credential
from mailkit.core.secret import Secret, scrub
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


def test_scrubbing_finds_every_spelling() -> None:
    secret = Secret("ab/c+d=")
    text = r"ab/c+d= ab%2Fc%2Bd%3D ab%2fc%2bd%3d ab\/c+d="
    assert scrub(text, (secret, Secret(""))) == "*** *** *** ***"


@pytest.mark.parametrize("wrong", ["", "  ", "a b", "ключ", "a\nb", "a\x7f", None, 7])
def test_a_credential_is_printable_ascii(wrong: str) -> None:
    with pytest.raises(InvalidArgument, match="token: a credential") as caught:
        credential(wrong, "token")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in frames.stack if "/mailkit/" in frame.filename]
    assert ours
    assert not any("value" in (frame.locals or {}) for frame in ours)
