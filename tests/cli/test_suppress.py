"""``mailkit suppress``, and the list that a send is told not to mail."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

import pytest

from ..approval import approve
from .shop import PLAIN, Ended, Shop

PEOPLE = ["a@b.by", "x@b.by"]
UTF8 = "email;причина\na@b.by;жалоба\nx@b.by;отписка\n"


def done(ended: Ended) -> str:
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def suppressed(shop: Shop) -> dict[str, str]:
    """Who is suppressed and why."""
    return {one["email"]: one["reason"] for one in shop("suppress", "list", "--json").json}


def stop(shop: Shop, content: str | bytes, name: str = "stop.csv") -> Path:
    file = shop.folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_addresses_are_added_with_a_reason_and_removed(shop: Shop) -> None:
    out = done(shop("suppress", "add", "A@b.by", "x@b.by", "--reason", "asked by phone"))
    out += done(shop("suppress", "add", "a@b.by", "y@b.by"))
    assert suppressed(shop) == {
        "a@b.by": "asked by phone",
        "x@b.by": "asked by phone",
        "y@b.by": "by hand",
    }
    out += done(shop("suppress", "remove", "a@B.by", "z@b.by", "w@b.by"))
    out += done(shop("suppress", "remove", "x@b.by"))
    assert suppressed(shop) == {"y@b.by": "by hand"}
    approve("suppress: added and removed", out)


def test_addresses_are_taken_as_people_paste_them(shop: Shop) -> None:
    done(shop("suppress", "add", "'+plus@b.by", "Petrova, Anna <A@b.by>; x@b.by"))
    assert [*suppressed(shop)] == ["+plus@b.by", "a@b.by", "x@b.by"]
    done(shop("suppress", "remove", "Anna <a@b.by>", "'+plus@b.by"))
    assert [*suppressed(shop)] == ["x@b.by"]


def test_of_addresses_with_a_wrong_one_none_is_added(shop: Shop) -> None:
    shop("suppress", "add", "a@b.by", "nobody").check_refusal("suppress a wrong address")
    shop("suppress", "add", "a@b.by", "--reason", "a\nb").check_refusal("suppress: two lines")
    shop("suppress", "add", "a@b.by", "*@b.by").check_refusal("suppress a whole domain")
    assert suppressed(shop) == {}


def test_the_list_says_since_when_and_why(shop: Shop) -> None:
    done(shop("suppress", "add", "=1+1@b.by", "--reason", "left; «уже»"))
    [row] = csv.DictReader(io.StringIO(done(shop("suppress", "list", "--csv"))))
    assert (row["email"], row["reason"]) == ("'=1+1@b.by", "left; «уже»")
    assert datetime.fromisoformat(row["since"]).utcoffset() is not None
    [line] = done(shop("suppress", "list")).splitlines()
    assert line.endswith("  =1+1@b.by  left; «уже»")
    ended = shop("suppress", "list", "--csv", "--json")
    assert ended.code == 2


def test_a_list_of_nobody(shop: Shop) -> None:
    done(shop("suppress", "add", "a@b.by"))
    done(shop("suppress", "remove", "a@b.by"))
    assert shop("suppress", "list", "--json").json == []
    approve("suppress: nobody", done(shop("suppress", "list")))


def test_only_adding_makes_a_journal(shop: Shop) -> None:
    for words in (["list"], ["remove", "a@b.by"]):
        ended = shop("suppress", *words)
        assert ended.code == 1
        assert not shop.journal.exists()


@pytest.mark.parametrize(
    "content",
    [
        "a@b.by\nx@b.by\n",
        "\n a@b.by \r\n\r\nX@b.by",
        "\ufeffa@b.by\nx@b.by\n",
        "email\na@b.by\nx@b.by\n",
        "E-Mail\n'a@b.by\nx@b.by\n",
        'a@b.by\n"x@b.by"\n',
        "a@b.by\nAnn <x@b.by>\n",
        "Ann <a@b.by>;gone\nx@b.by\n",
        'a@b.by,gone\nx@b.by,"spam, twice"\n',
        "a@b.by, x@b.by",
        "a@b.by x@b.by;\n",
        "a@b.by\nx@b.by,a@b.by\n",
        "a@b.by\na@b.by; x@b.by\n",
        "a@b.by; Ann <x@b.by>, <a@b.by>",
        "email\na@b.by,x@b.by\n",
        "E-mail\na@b.by;x@b.by;;\n",
        '"Ann, B." <a@b.by>; "Bob" <x@b.by>\n',
        "a@b.by\n\"Ann\" <a@b.by>; 'x@b.by'\n",
        "Petrova, Ann <a@b.by>\nBob <x@b.by>\n",
        'A@b.by <a@b.by>\n"x@b.by" <X@b.by>\n',
        "sep=;\nemail;name\na@b.by;Ann\nx@b.by;Bob\n",
        "\ufeffSEP=|\r\nname|email\r\nAnn|a@b.by\r\nBob|x@b.by\r\n",
        '"sep=\t"\na@b.by\tgone, left\nx@b.by\tspam\n',
        "a@b.by\u200b\n\ufeffx@b.by\n",
        "email,name\n\u2060a@b.by,\n\u202ax@b.by\u202c,Bob\n",
        "\u200eAnn <a@b.by>\u200e; Bob <x@b.by>\u200b\n",
        "gone;a@b.by;1\nspam, twice;x@b.by;2\n",
        "name\temail\nAnn\ta@b.by\nBob\tx@b.by\tmore\n",
        "email;name\na@b.by;\nx@b.by;Bob;;\n",
        "email;\na@b.by;x@b.by\n",
        "Эл. почта;причина\nmailto:a@b.by;жалоба;\n;;\nBob <x@b.by>;\n",
        'E-mail Address,Name\n"a@b.by" ,\n x@b.by, "Bob, Jr." \n',
        "email,name,name\na@b.by,A,B\nx@b.by,A,B\n",
        '{"email": "a@b.by"}\n{"email": "x@b.by", "n": 5}\n',
        UTF8,
        UTF8.replace(";", "|"),
        UTF8.encode("cp1251"),
        UTF8.encode("cp866"),
        UTF8.encode("utf-16"),
        UTF8.encode("utf-16-le"),
        UTF8.replace("\n", "\r").encode("koi8-r"),
    ],
)
def test_lists_of_all_kinds_are_read_alike_by_import_and_send(
    content: str | bytes, shop: Shop
) -> None:
    file = stop(shop, content)
    if isinstance(content, str) and content.startswith("{"):
        file = file.rename(file.with_suffix(".jsonl"))
    listed = shop.folder / "list.csv"
    listed.write_text("email\na@b.by\nx@b.by\nc@b.by\n")
    ended = shop.send(shop.letter(**PLAIN), listed, "--suppress", file, "--json")
    assert ended.code == 0
    assert (ended.json["suppressed"], ended.json["accepted"]) == (2, 1)
    done(shop("suppress", "import", file))
    assert sorted(suppressed(shop)) == PEOPLE


def test_addresses_in_other_columns_are_told(shop: Shop) -> None:
    file = stop(shop, "email,email2,reason\na@b.by,c@b.by,left\nx@b.by,d@b.by,asked y@b.by\n")
    ended = shop("suppress", "import", file)
    assert ended.code == 0
    assert sorted(suppressed(shop)) == PEOPLE
    approve("suppress: addresses in another column", ended.err, file=file)
    listed = shop.folder / "list.csv"
    listed.write_text("email\na@b.by\nc@b.by\n")
    letter = shop.letter(**PLAIN)
    for command in ("plan", "send"):
        sent = shop(command, letter, listed, "--provider", "smsby", "--suppress", file)
        assert (sent.code, sent.err) == (0, ended.err)
    wide = "email,other\na@b.by,c@b.by,,\n"
    assert "1 address in the column 'other'" in shop("suppress", "import", stop(shop, wide)).err
    lines = '{"email": "a@b.by", "other": "c@b.by"}\n'
    ended = shop("suppress", "import", stop(shop, lines, "stop.jsonl"))
    assert "1 address in the column 'other'" in ended.err


def test_a_list_on_stdin_in_any_encoding_and_with_any_delimiter(shop: Shop) -> None:
    text = "email|причина\na@b.by|жалоба\nann@пример.бел|отписка\n"
    words = ("--encoding", "cp1251", "--delimiter", "|", "--reason", "an old list")
    out = done(shop("suppress", "import", "-", *words, stdin=text.encode("cp1251")))
    assert suppressed(shop) == {
        "a@b.by": "an old list",
        "ann@xn--e1afmkfd.xn--90ais": "an old list",
    }
    out += done(shop("suppress", "import", "-", stdin="a@b.by\nb@b.by\na@b.by\n"))
    approve("suppress: imported", out)


@pytest.mark.parametrize("content", ["email\n", "email;reason\r\n\r\n", "\ufeffE-mail"])
def test_a_header_with_nobody_below_it_is_nobody(content: str, shop: Shop) -> None:
    file = stop(shop, content)
    listed = shop.folder / "list.csv"
    listed.write_text("email\na@b.by\n")
    ended = shop.send(shop.letter(**PLAIN), listed, "--suppress", file, "--json")
    assert (ended.code, ended.json["suppressed"]) == (0, 0)
    approve("suppress: a header alone", done(shop("suppress", "import", file)))
    assert suppressed(shop) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("an address with two @", "a@b.by\nx@@b.by\n"),
        ("a first line that is nothing", "nobody\na@b.by\n"),
        ("a header without email", "name;post\nAnn;a@b.by\n"),
        ("two addresses and more on a line", "a@b.by;gone\nx@b.by;left;b@b.by\n"),
        ("two addresses and more on the first line", "a@b.by, x@b.by, gone\n"),
        ("an address in the header", "email, a@b.by\nx@b.by\n"),
        ("an address in text", "a@b.by;ask x@b.by\n"),
        ("an address in a column without a name", "email;;name\na@b.by;x@b.by;Ann\n"),
        ("an address behind the last column", "email;name\na@b.by;Ann;x@b.by\n"),
        ("an address for a name", "c@b.by <a@b.by>\n"),
        ("another address in a quoted name", 'a@b.by\n"c@b.by" <x@b.by>\n'),
        ("an open quote", 'a@b.by\n"x@b.by\n'),
        ("a row without its address", "name;email\nAnn;a@b.by\nx@b.by\n"),
        ("a line of JSON", '{"email": "a@b.by"}\n{"post": "x@b.by"}\n'),
        ("an empty file", ""),
        ("an address in another encoding", "a@b.by\nann@пример.бел\n".encode("cp1251")),
        ("NUL bytes", "a@b.by\0x\nx@b.by\n"),
    ],
)
def test_one_line_that_can_t_be_read_suppresses_nobody(
    name: str, content: str | bytes, shop: Shop
) -> None:
    file = stop(shop, content)
    if name == "a line of JSON":
        file = file.rename(file.with_suffix(".jsonl"))
    ended = shop("suppress", "import", file)
    ended.check_refusal(f"suppress import: {name}", file=file)
    listed = shop.folder / "list.csv"
    listed.write_text("email\na@b.by\n")
    sent = shop.send(shop.letter(**PLAIN), listed, "--suppress", file)
    assert (sent.code, sent.err) == (ended.code, ended.err)
    assert shop.sandbox.truth.emails == 0
    assert suppressed(shop) == {}


def test_what_was_listed_can_be_imported_with_its_reasons(shop: Shop, tmp_path: Path) -> None:
    done(shop("suppress", "add", "a@b.by", "--reason", "unsubscribed (job autumn)"))
    done(shop("suppress", "add", "=x@b.by", "--reason", "-5; by hand"))
    before = suppressed(shop)
    saved = stop(shop, done(shop("suppress", "list", "--csv")))
    lines = "".join(f'{{"email": "{k}", "reason": "{v}"}}\n' for k, v in before.items())
    other = stop(shop, lines, "stop.jsonl")
    for n, file in enumerate((saved, other)):
        journal = tmp_path / f"other-{n}.db"
        done(shop("suppress", "import", file, "--journal", journal))
        rows = shop("suppress", "list", "--json", "--journal", journal).json
        assert {one["email"]: one["reason"] for one in rows} == before


def test_every_later_job_respects_them(shop: Shop) -> None:
    done(shop("suppress", "add", "customer1@shop.example", "--reason", "asked by phone"))
    listed = shop.folder / "list.csv"
    listed.write_text("email\nCustomer1@shop.example\nc@b.by\n")
    ended = shop.send(shop.letter(**PLAIN), listed, "--name", "autumn", "--json")
    assert (ended.json["suppressed"], ended.json["accepted"]) == (1, 1)
    assert "asked by phone" in done(shop("report", "autumn", "--csv"))
