"""``python -m tests.input.fuzz --seconds 60``: lists of all kinds, whole, mutated and random.

Each case is made from its seed. A list goes the whole way (source, plan, journal, provider,
report) and is compared with a model that reads it in the slowest and plainest manner. Whatever a
list holds, it is accounted for to the last line, or refused in a sentence, in bounded time.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

import anyio
import attrs

from mailkit.address import dedupe_key
from mailkit.bulk.address_line import address_of
from mailkit.errors import InvalidArgument, MailkitError
from mailkit.text import BLANKS, column_name

from .journey import PERSONAL, PLAIN, Journey, source_of, travel

SECONDS_A_CASE = 20.0

ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1251", "koi8-r")
NAMES = ("name", "city", "имя", "last, name", "a;b", "{{ x }}", "=sum", "x\ty", 'say "x"', "n\nl")
VALUES = (
    "", " ", "Anna", "Анна", "a,b", "a;b", "a\tb", 'say "hi"', '"', '""', "two\nlines", "a\r\nb",
    "a\rb", "=1+1", "{{ name }}", "<b>&", "\x1b[2J", "\ufeff", "\u2028", "\x85", "\u202e", "ё" * 50,
    "x" * 200, "'", "\\", "null", "NaN", "\x0c", "\u3000",
)  # fmt: skip
ADDRESSES = (
    "anna@example.com", "ANNA@Example.COM", " ivan@shop.by ", "olga+x@shop.by", "info@почта.рф",
    "INFO@xn--80a1acny.xn--p1ai", "a@faß.de", "a@ｂ.by", "a@b.by", '"a b"@c.by', "анна@shop.by", "",
    "a@", "@b.by", "a@@b.by", "a b@c.by", "a@b", "a@[127.0.0.1]", "a@раypal.com", "a@paypal.com",
    "a@b.by\u2028", "=a@b.by", "x" * 65 + "@b.by", "a@" + "d" * 300 + ".by",
)  # fmt: skip
HOSTILE = (
    b'"', b'""', b'"\n', b'\n"', b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"\xff",
    b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xd0", b"email", b"e-mail,", b"{", b"}", b"[", b"[" * 300, b'{"x":' * 300, b"NaN", b"\\u0000",
    b"\\ud800", b"\\", b":", b"1e999", b"-", b"0" * 5000, b'"email":', b"\xe2\x80\xa8", b"\xc2\x85",
    b"\x1a", b"\x1b[2J", b"' OR 1=1 --", b"%00", b"null", b"{{", b"}}", b"\xc2\xa0", b"\x0b",
    b"PK\x03\x04", b"\x1f\x8b",
)  # fmt: skip


@attrs.frozen
class Case:
    """A file, and the options it is read with."""

    kind: str
    content: bytes
    encoding: str | None = None
    delimiter: str | None = None
    format: str | None = None
    personal: bool = False

    @property
    def options(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "format": self.format,
        }


def make(seed: int) -> Case:
    """The case of this seed, the same everywhere."""
    rng = random.Random(seed)
    kind = rng.choices(tuple(KINDS), [weight for _, weight in KINDS.values()])[0]
    return attrs.evolve(KINDS[kind][0](rng), kind=kind, personal=rng.random() < 0.3)


def _table(rng: random.Random) -> Case:
    names: list[str] = rng.sample(NAMES, rng.randint(0, 4))
    names.insert(rng.randint(0, len(names)), rng.choice(("email", "EMAIL", "E-mail", " Email ")))
    delimiter = rng.choice(",,;\t|")
    ends = rng.choice((("\n",), ("\r\n",), ("\r",), ("\n", "\r\n", "\r")))

    def cell(text: str) -> str:
        must = any(char in text for char in f'{delimiter}"\r\n') or not text or text.isspace()
        if must or rng.random() < 0.1:
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [delimiter.join(map(cell, names))]
    for _ in range(rng.choice((0, 1, 2, 5, 20, 60))):
        cells = [rng.choice(VALUES) for _ in names]
        cells[_email(names)] = _address(rng)
        if rng.random() < 0.05:
            cells = cells[: rng.randrange(len(cells) + 1)] or cells * 2
        lines.append(delimiter.join(map(cell, cells)))
        if rng.random() < 0.05:
            lines.append(rng.choice(("", " ", "\t\t")))
    text = "".join(line + rng.choice(ends) for line in lines)
    if rng.random() < 0.2:
        text = text.rstrip("\r\n")
    encoding = rng.choice(ENCODINGS)
    marked = encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")
    return Case(
        "",
        text.encode(encoding, "replace"),
        None if marked else encoding,
        delimiter if delimiter == "|" or rng.random() < 0.2 else None,
        rng.choice((None, "csv")),
    )


def _objects(rng: random.Random) -> Case:
    lines = []
    for _ in range(rng.choice((1, 2, 5, 20, 60))):
        fields: dict[str, Any] = {
            name: rng.choice((*VALUES, None, True, 5, -1.5, "a\0b", 10**30, [1], {"x": 1}))
            for name in rng.sample(NAMES, rng.randint(0, 4))
        }
        fields[rng.choice(("email", "email", "Email", "e-mail"))] = _address(rng)
        line = json.dumps(fields, ensure_ascii=rng.random() < 0.5)
        if rng.random() < 0.05:
            line = line[:-1] + rng.choice(
                (', "email": "x@y.by"}', ', "x": NaN}', ',"x":"\\ud800"}')
            )
        lines.append(line if rng.random() < 0.95 else rng.choice(("", " ", "[]", "5", '"a@b.by"')))
    text = "".join(line + rng.choice(("\n", "\r\n")) for line in lines)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))
    return Case("", text.encode(encoding, "replace"), format=rng.choice((None, "jsonl")))


def _mutated(rng: random.Random) -> Case:
    case = rng.choice((_table, _objects))(rng)
    data = bytearray(case.content)
    for _ in range(rng.choice((1, 1, 2, 4, 10))):
        at, length = rng.randint(0, len(data)), rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(7):
            case 0:
                data[at:at] = rng.choice(HOSTILE)
            case 1:
                data[at : at + length] = rng.choice(HOSTILE)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * rng.randint(1, 5)
            case 4:
                data[at : at + 1] = rng.randbytes(1)
            case 5:
                del data[at:]
            case _:
                other = rng.choice((_table, _objects))(rng).content
                data[at:at] = other[rng.randint(0, len(other)) :]
    return attrs.evolve(case, content=bytes(data))


def _noise(rng: random.Random) -> Case:
    head = rng.choice(
        (b"", b"", b"email,name\n", b'{"email": "a@b.by"}\n', b"\xff\xfe", b"email\n")
    )
    if rng.random() < 0.5:
        body = rng.randbytes(rng.choice((1, 10, 300)))
    else:
        body = b"".join(rng.choices(HOSTILE, k=rng.choice((1, 5, 40))))
    return Case(
        "",
        head + body,
        rng.choice((None, None, None, "cp1251", "utf-16", "utf-16-be", "utf-7", "shift_jis")),
        rng.choice((None, None, None, None, "|", "\t", "'", "e", "\ud800")),
        rng.choice((None, None, "csv", "jsonl")),
    )


def _repeated(rng: random.Random) -> Case:
    """A small pattern many times over: what takes the square of its length shows here."""
    head = rng.choice((b"", b"email,name\n", b"email\n", b'{"email": "a@b.by"}\n'))
    piece = b"".join(rng.choices((*HOSTILE[:16], b"a@b.by", b"x"), k=rng.randint(1, 4)))
    return Case("", head + piece * (rng.choice((20_000, 200_000)) // len(piece)))


KINDS: dict[str, tuple[Callable[[random.Random], Case], float]] = {
    "table": (_table, 4),
    "objects": (_objects, 3),
    "mutated": (_mutated, 9),
    "noise": (_noise, 4),
    "repeated": (_repeated, 0.15),
}


def _email(names: Sequence[str]) -> int:
    return next(n for n, name in enumerate(names) if name.strip().lower() in ("email", "e-mail"))


def _address(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return f"user{rng.randrange(40)}@example.com"
    return rng.choice(ADDRESSES)


# the model


@attrs.frozen
class Told:
    """What the model knows of a row: its line, and the address and values if it can be read. A
    value that is None is no text.
    """

    line: int
    address: str | None = None
    values: dict[str, str | None] | None = None


def model(case: Case) -> list[Told] | None:
    """The rows of a file that a few plain lines can read; None for all others."""
    text = _decoded(case)
    if text is None:
        return None
    physical = [(n, line) for n, line in enumerate(io.StringIO(text, newline=""), 1)]
    lines = [(n, line) for n, line in physical if line.strip(BLANKS)]
    if not lines or any(len(line) > 100_000 for _, line in lines):
        return None
    if case.format == "jsonl" or (case.format is None and lines[0][1].lstrip(BLANKS)[:1] in "{["):
        return [_told(n, line) for n, line in lines]
    return None if '"' in text else _split(physical[lines[0][0] - 1 :], case.delimiter)


def _decoded(case: Case) -> str | None:
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32",
             b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # fmt: skip
    found = (encoding for mark, encoding in marks.items() if case.content.startswith(mark))
    try:
        return case.content.decode(next(found, case.encoding or "utf-8"))
    except UnicodeError:
        return None


def _split(lines: Sequence[tuple[int, str]], delimiter: str | None) -> list[Told] | None:
    """CSV without a quote: what stands between the delimiters."""
    cells = [(n, line.rstrip("\r\n")) for n, line in lines]
    head = cells[0][1]
    if delimiter is None:
        found = [mark for mark in ",;\t" if _addressed(head.split(mark))]
        delimiter = max(found, key=lambda mark: head.count(mark), default=",")
    names = [column_name(name) for name in head.split(delimiter)]
    if not _addressed(names) or "\0" in head:
        return None
    needed = max(n + 1 for n, name in enumerate(names) if name)
    told = []
    for n, line in cells[1:]:
        values = [value.strip(BLANKS) for value in line.split(delimiter)]
        if not any(values):
            continue
        if len(values) < needed or any(values[len(names) :]):
            told.append(Told(n))
            continue
        row = dict(zip_longest(names, values[: len(names)], fillvalue=""))
        address = row.pop(names[_email(names)]).removeprefix("'")
        texts = {name: None if "\0" in value else value for name, value in row.items()}
        told.append(Told(n, None if "\0" in address else address, texts))
    return told


def _addressed(names: Sequence[str]) -> bool:
    return any(column_name(name).casefold() in ("email", "e-mail") for name in names)


def _told(n: int, line: str) -> Told:
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return Told(n)
    if not isinstance(pairs, _Pairs):
        return Told(n)
    row: dict[str, str | None] = {}
    for key, value in pairs:
        if _text(key) is not None:
            row[key] = None if key in row else _text(value)
    own = [k for k in row if column_name(k) == "email"] or [k for k in row if _addressed([k])]
    if not own:
        return Told(n)
    address = row[own[0]]
    if column_name(own[0]).casefold() == "email":
        del row[own[0]]
    return Told(n, address, row)


class _Number(str):
    """A number as it stands in the file."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it stands in the file."""


def _text(value: object) -> str | None:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            is_text = "\0" not in value and not re.search("[\ud800-\udfff]", value)
            return value.strip(BLANKS) if is_text else None
    return None


# the comparison


def judge(case: Case, journey: Journey) -> None:
    """Hold what happened against the model, and against what is true of every list."""
    lines = [row.line for row in journey.rows]
    assert all(before < line for before, line in pairwise(lines)), "lines out of order"
    text = _decoded(case)
    if text is not None:
        physical = list(io.StringIO(text, newline=""))
        assert lines[-1] <= len(physical), "a line beyond the file's end"
        _covered(physical, lines, f',;\t|"{BLANKS}{case.delimiter or ""}')
    told = model(case)
    if told is None:
        return
    assert lines == [row.line for row in told], "other lines than the model's"
    first: dict[str, int] = {}
    for row, expected in zip(journey.rows, told, strict=True):
        where = f"line {row.line}: {row}"
        try:
            values = {column_name(name): value for name, value in (expected.values or {}).items()}
            assert expected.address is not None
            twice = Counter(map(column_name, expected.values or {}))
            assert not (case.personal and twice["name"] > 1)  # the one that PERSONAL uses
            assert not (case.personal and _is_no_text("name", values))
            assert not any(name.casefold() == "email" for name in values)
            address = address_of(expected.address)
        except (InvalidArgument, AssertionError):
            assert row.state == "invalid", where
            continue
        key = dedupe_key(address)
        if row.state == "invalid":
            assert row.reason is not None
            assert "is part of the subject" in row.reason or "characters" in row.reason, where
            continue
        assert row.state == ("duplicate" if key in first else "accepted"), where
        first.setdefault(key, row.line)
        assert row.address == address, where
        named = dict(zip(map(column_name, journey.columns), row.fields, strict=False))
        for name in values | named:
            assert (values.get(name) or "") == named.get(name, "") or not name, where


def _is_no_text(name: str, values: Mapping[str, str | None]) -> bool:
    """Whether the value of a placeholder is none."""
    found = [name] if name in values else [key for key in values if key.casefold() == name]
    return any(values[key] is None for key in found)


def _covered(physical: Sequence[str], rows: Sequence[int], nothing: str) -> None:
    """Every line below the header is a row's first, blank, or belongs to a value in quotes."""
    for begin, end in zip(rows, [*rows[1:], len(physical) + 1], strict=True):
        if any(physical[n - 1].strip(nothing) for n in range(begin + 1, end)):
            assert '"' in physical[begin - 1], f"lines below line {begin} belong to no row"


async def _run(case: Case) -> str:
    message = PERSONAL if case.personal else PLAIN
    source = source_of(case.content, **case.options)
    try:
        with anyio.fail_after(SECONDS_A_CASE):
            journey = await travel(source, message)
    except MailkitError as error:
        sentence = str(error)
        assert sentence.strip(), "a refusal without a word"
        assert len(sentence) < 10_000, "a sentence without an end"
        return "refused"
    judge(case, journey)
    return "sent"


def play(seed: int) -> str:
    """Carry the case of this seed out; ``sent`` or ``refused``, AssertionError if it went wrong."""
    case = make(seed)
    try:
        end = asyncio.run(_run(case))
    except BaseException as error:
        error.add_note(f"seed {seed}: {case.kind}, {case.options}, {case.content[:300]!r}")
        raise
    return f"{case.kind} {end}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Lists of all kinds, and the account of each.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with its traceback")
    options = parser.parse_args()
    if options.seed is not None:
        print(play(options.seed))
        return 0
    began, longest, seed = time.monotonic(), 0.0, options.first
    ends, failed = Counter[str](), 0
    while time.monotonic() - began < options.seconds:
        start = time.monotonic()
        try:
            ends[play(seed)] += 1
        except Exception:  # noqa: BLE001 - told with its seed
            failed += 1
            print(f"seed {seed} failed:\n{traceback.format_exc()}", flush=True)
        longest = max(longest, time.monotonic() - start)
        seed += 1
    facts = ", ".join(f"{count:,} {what}" for what, count in sorted(ends.items()))
    print(f"{seed - options.first:,} lists in {options.seconds:.0f} s: {facts}")
    print(f"the longest took {longest:.2f} s")
    print(f"{ends.total():,} passed, {failed:,} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
