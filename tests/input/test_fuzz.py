"""Lists that nobody thought of: made-up, mutated and random ones, each accounted for."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailkit.bulk.lines import LONGEST
from mailkit.errors import MailkitError
from mailkit.text import BLANKS

from . import fuzz
from .fuzz import Case, judge, make, play
from .journey import PERSONAL, PLAIN, Journey, source_of, travel

ROOT = Path(__file__).parent.parent.parent
BATCHES, SEEDS = 5, 50

PIECES = st.sampled_from(
    ["a@b.by", "c@d.by", "Anna", ",", ",", ";", "\t", '"', '""', "\n", "\n", "\r\n", "\r", " ", "ё",
     "\0", "\ufeff", "\u2028", "{", "}", "[", ":", '"email"', "null", "NaN", "1e9", "\\", "\\u0000"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)
HEADS = st.sampled_from(["", "email,name\n", "name;email\r\n", "email\n", '{"email": "a@b.by"}\n'])


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_made_up_list_is_accounted_for_or_refused(batch: int) -> None:
    ends = Counter(play(seed) for seed in range(batch * SEEDS, (batch + 1) * SEEDS))
    assert {"mutated sent", "mutated refused", "table sent", "objects sent"} <= ends.keys()


def test_a_seed_makes_the_same_list_everywhere() -> None:
    assert make(13) == make(13)
    assert len({make(seed).content for seed in range(100)}) > 90


@settings(derandomize=True, max_examples=60, deadline=None)
@given(HEADS, TEXTS, st.sampled_from([None, "csv", "jsonl"]), st.booleans())
@example("email,name\n", '"\0\n', None, False)
@example("email\tname\n", "\t", None, False)
async def test_any_text_is_accounted_for_to_its_last_line(
    head: str, text: str, format: str | None, personal: bool
) -> None:
    case = Case("text", (head + text).encode(), format=format, personal=personal)
    await accounted(case)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(
    st.sampled_from([b"", b"email,name\n", b"\xff\xfe", b'{"email": "a@b.by"}\n']),
    st.binary(max_size=120),
    st.sampled_from([None, "cp1251", "utf-16", "utf-16-be", "utf-32", "utf-7", "shift_jis"]),
    st.sampled_from([None, None, ",", "|", "\t"]),
)
async def test_any_bytes_are_accounted_for_to_their_last_line(
    head: bytes, data: bytes, encoding: str | None, delimiter: str | None
) -> None:
    await accounted(Case("bytes", head + data, encoding, delimiter))


async def accounted(case: Case) -> None:
    source = source_of(case.content, **case.options)
    try:
        journey = await travel(source, PERSONAL if case.personal else PLAIN)
    except MailkitError as error:
        assert str(error)  # noqa: PT017
        return
    judge(case, journey)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=8), st.integers(0, 30)), min_size=1, max_size=20),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
async def test_a_list_that_a_program_wrote_is_read_but_for_the_blanks_around_values(
    people: list[tuple[str, int]], end: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    names = [name.replace("\0", "") for name, _ in people]
    writer.writerows(
        [("name", "email"), *((n, f"p{at}@b.by") for n, (_, at) in zip(names, people, strict=True))]
    )
    journey = await travel(source_of(text.getvalue().encode(encoding)))
    expected, first, line = [], set[int](), 2
    for name, (_, at) in zip(names, people, strict=True):
        expected.append((line, "duplicate" if at in first else "accepted", [name.strip(BLANKS)]))
        first.add(at)
        line += len(io.StringIO(name + "\v", newline="").readlines())
    assert [(row.line, row.state, list(row.fields)) for row in journey.rows] == expected


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1, LONGEST * 2])
async def test_lines_of_about_the_greatest_length_are_counted(length: int) -> None:
    long = "x" * (length - 8)
    for text in (
        f"email,n\nx@b.by,{long}\na@b.by,y\n",
        f'{{"email": "{long}"}}\n{{"email": "a@b.by"}}\n',
    ):
        journey = await travel(source_of(text))
        assert journey.mailed == ["a@b.by"]
        assert len(journey.rows) == 2
        assert journey.rows[1].line == journey.rows[0].line + 1


def test_the_long_run_sums_up_and_names_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.input.fuzz", "--seconds", "1", "--first", "1000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")

    def fail(case: Case, journey: Journey) -> None:
        raise AssertionError("on purpose")

    monkeypatch.setattr(fuzz, "judge", fail)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--seconds", "0.2"])
    assert fuzz.main() == 1
    out = capsys.readouterr().out
    assert "on purpose" in out
    assert not out.endswith(" 0 failed\n")
