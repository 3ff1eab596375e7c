"""``mailkit send``: a list goes out, and the report says what became of every row."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import PERSONAL, PLAIN, SEND, SENDER, Shop, customer, end_of

DIRTY = [
    "name,EMAIL,city",
    "Anna,anna@example.com,Minsk",
    "Борис,boris@почта.example,Гродно",
    "Anna again,ANNA@example.com,Minsk",
    "Nobody,no-at-sign,Brest",
    "Gone,invalid-gone@example.com,Brest",
    "Bounce,bounce@example.com,Brest",
]


def test_a_dirty_list_goes_out_and_every_row_is_accounted_for(shop: Shop) -> None:
    ended = shop.run(
        "send",
        shop.letter(**PERSONAL),
        shop.table(DIRTY),
        "--provider",
        "smsby",
        "--name",
        "autumn",
    )
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[0] == ["autumn", "over", "smsby:", "Hi", "{{", "name", "}}"]
    assert lines[1:10] == [
        ["rows", "read", "6"],
        ["invalid", "1"],
        ["duplicate", "1"],
        ["suppressed", "0"],
        ["accepted", "3"],
        ["rejected", "1"],
        ["in", "doubt", "0"],
        ["unsent", "0"],
        ["sum", "6", "=", "rows", "read"],
    ]
    assert dict(shop.sandbox.truth.mailed) == {
        "anna@example.com": 1,
        "boris@xn--80a1acny.example": 1,
        "bounce@example.com": 1,
    }
    assert {letter.subject for letter in shop.sandbox.truth.kept} == {
        "Hi Anna",
        "Hi Борис",
        "Hi Bounce",
    }


def test_json_is_one_object_on_stdout(shop: Shop) -> None:
    ended = shop.send(shop.letter(), shop.table(DIRTY), "--name", "autumn", "--json")
    assert (ended.code, ended.err) == (0, "")
    report = ended.json
    states = ("invalid", "duplicate", "suppressed", "accepted", "rejected", "in_doubt", "unsent")
    assert report["rows"] == sum(report[state] for state in states) == 6
    assert (report["job"], report["subject"], report["complete"]) == ("autumn", "Autumn", True)
    assert report == shop.report()


def test_a_common_letter_goes_out_as_one_and_a_personal_one_to_each(shop: Shop) -> None:
    shop.send(shop.letter(**PLAIN), shop.customers(3), "--name", "common")
    assert [mailing.subject for mailing in shop.sandbox.truth.mailings] == ["Autumn"]
    shop.send(shop.letter(**PERSONAL), shop.customers(3), "--name", "personal")
    assert [letter.subject for letter in shop.sandbox.truth.kept[3:]] == [
        "Hi Name 0",
        "Hi Name 1",
        "Hi Name 2",
    ]


def test_job_and_chunk_stand_in_the_name_of_the_mailing(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(501), "--name", "autumn")
    named = {
        seen.form.text("name") for seen in shop.sandbox.requests.last if seen.form.text("name")
    }
    assert named == {"autumn #1", "autumn #2"}


def test_the_same_command_again_is_refused_and_mails_nobody(shop: Shop) -> None:
    command = (shop.letter(), shop.customers(5))
    first = shop.send(*command, "--json").json["job"]
    for name in ((), ("--name", "another")):
        ended = shop.send(*command, *name)
        ended.check_refusal("the same send again", job=first)
    assert shop.sandbox.truth.emails == 5
    assert shop.in_journal("jobs") == 1


def test_a_name_that_is_taken_is_refused_also_for_another_list(shop: Shop) -> None:
    letter = shop.letter()
    assert shop.send(letter, shop.customers(5), "--name", "autumn").code == 0
    ended = shop.send(letter, shop.customers(6, "other.csv"), "--name", "autumn")
    ended.check_refusal("a job's name that is taken")
    assert shop.sandbox.truth.emails == 5


def test_again_sends_it_once_more_under_a_number(shop: Shop) -> None:
    command = (shop.letter(), shop.customers(2), "--name", "autumn")
    assert shop.send(*command).code == 0
    ended = shop.send(*command, "--again", "--json")
    assert (ended.code, ended.json["job"]) == (0, "autumn-2")
    assert shop.sandbox.truth.mailed == {customer(0): 2, customer(1): 2}


def test_without_a_name_the_job_is_called_after_the_list(shop: Shop) -> None:
    assert re.fullmatch(
        "spring-sale-[0-9a-f]{8}",
        shop.send(shop.letter(), shop.customers(1, "spring sale.csv"), "--json").json["job"],
    )


def test_a_list_on_stdin(shop: Shop) -> None:
    lines = "".join(f"{line}\n" for line in DIRTY)
    command = ("send", shop.letter(**PERSONAL), "-", "--provider", "smsby", "--json")
    ended = shop.run(*command, stdin=lines)
    assert (ended.code, ended.json["accepted"], ended.err) == (0, 3, "")
    assert ended.json["job"].startswith("stdin-")


def test_a_list_is_the_same_however_a_pipe_cuts_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = shop.letter()
    lines = shop.customers(1500).read_bytes()
    first = shop.send(letter, "-", "--json", stdin=lines)
    assert first.code == 0
    monkeypatch.setattr("mailkit.bulk.lines._BLOCK", 50)
    second = shop.send(letter, "-", stdin=lines)
    second.check_refusal("the same send again", job=first.json["job"])
    assert shop.sandbox.truth.emails == 1500


@pytest.mark.parametrize("name", ["autumn.jsonl", "autumn.data"])
def test_a_list_of_json_lines(shop: Shop, name: str) -> None:
    path = shop.folder / name
    people = [{"email": customer(n), "name": f"Name {n}", "age": n} for n in range(3)]
    path.write_text("".join(json.dumps(person) + "\n" for person in people) + "[1]\n")
    ended = shop.send(shop.letter(**PERSONAL), path, "--json")
    assert (ended.code, ended.json["accepted"], ended.json["invalid"]) == (0, 3, 1)
    assert [letter.subject for letter in shop.sandbox.truth.kept] == [
        "Hi Name 0",
        "Hi Name 1",
        "Hi Name 2",
    ]


def test_a_list_in_another_encoding_and_with_another_delimiter(shop: Shop) -> None:
    path = shop.folder / "список.csv"
    path.write_bytes("email|name\nanna@example.com|Анна\n".encode("cp1251"))
    ended = shop.send(
        shop.letter(**PERSONAL), path, "--encoding", "cp1251", "--delimiter", "|", "--json"
    )
    assert (ended.code, ended.json["accepted"]) == (0, 1)
    assert shop.sandbox.truth.kept[0].subject == "Hi Анна"


def test_the_people_on_the_suppression_list_are_not_mailed(shop: Shop) -> None:
    unwanted = shop.table(["email", customer(1).upper(), "stranger@example.com"], "unwanted.csv")
    ended = shop.send(shop.letter(), shop.customers(3), "--suppress", unwanted, "--json")
    assert (ended.code, ended.json["suppressed"], ended.json["accepted"]) == (0, 1, 2)
    assert set(shop.sandbox.truth.mailed) == {customer(0), customer(2)}
    ended = shop.send(shop.letter(), shop.customers(3), "--again", "--json")
    assert ended.json["suppressed"] == 0  # it was for that one job


def test_strict_makes_refused_rows_an_error_after_the_others_were_sent(shop: Shop) -> None:
    ended = shop.send(shop.letter(), shop.table(DIRTY), "--strict", "--json")
    assert (ended.code, ended.json["accepted"]) == (1, 3)


def test_an_answer_that_was_lost_leaves_its_chunk_in_doubt(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    ended = shop.send(shop.letter(), shop.customers(501), "--name", "autumn", "--concurrency", "1")
    assert ended.code == 3
    approve("report: a chunk in doubt", ended.out)
    found = shop.report()
    assert (found["in_doubt"], found["accepted"], found["doubts"][0]["label"]) == (
        500,
        1,
        "autumn #1",
    )
    assert shop.sandbox.truth.emails == 501


def test_a_service_that_goes_down_leaves_the_rest_unsent_and_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.bulk.holds.TRIES_TO_STOP", 1)
    shop.sandbox.faults.add(Fault("html_200", on=SEND, after=1, status=403, acted=False))
    letter, people = shop.letter(), shop.customers(1001)
    ended = shop.send(letter, people, "--name", "autumn", "--concurrency", "1")
    assert ended.code == 1
    approve("report: a service that went down", ended.out.splitlines()[-1])
    assert (shop.report()["accepted"], shop.report()["unsent"]) == (500, 501)
    shop.sandbox.faults.clear()
    assert shop("resume", "autumn").code == 0
    assert shop.sandbox.truth.compare(shop.accepted()).agrees
    assert shop.sandbox.truth.emails == 1001


def test_a_letter_that_the_service_refuses_rejects_nobody_and_stops(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("error_envelope", on=SEND))
    ended = shop.send(shop.letter(), shop.customers(2), "--name", "autumn")
    assert ended.code == 1
    approve("report: a message that the service refuses", ended.out)
    assert shop.sandbox.truth.emails == 0
    shop.sandbox.faults.clear()
    assert shop("resume", "autumn").code == 0


def test_what_a_terminal_would_act_upon_is_shown_as_text(shop: Shop) -> None:
    refusal = Fault("error_envelope", on=SEND, times=1)
    shop.sandbox.faults.add(refusal)
    letter = shop.letter(sender=SENDER, subject="[/bold] sale", html="<p>Hi</p>")
    name = "[/red] autumn; reboot"
    ended = shop.send(letter, shop.customers(1), "--name", name)
    assert ended.out.startswith(f"{name} over smsby: [/bold] sale\n")
    assert name in shop("status").out
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    ended = shop.send(letter, shop.customers(2), "--name", "autumn; reboot")
    assert "mailkit resolve 'autumn; reboot' 1 --accepted" in ended.out


def test_the_report_can_be_piped_into_a_reader_that_goes_away(shop: Shop) -> None:
    people = shop.customers(20_000)
    shop.sandbox.faults.add(Fault("token_refused", on=SEND))
    shop.send(shop.letter(), people, "--name", "autumn")
    with shop.spawn("report", "autumn", "--csv") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "email,name,line,state,reason,chunk,delivery\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_the_package_and_the_command_are_the_same(shop: Shop) -> None:
    shown = shop.run("--help").out
    script = Path(sys.executable).with_name("mailkit")
    assert script.exists()
    ended = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^│ (\w+)", ended.stdout, re.MULTILINE)
    assert commands == re.findall(r"^│ (\w+)", shown, re.MULTILINE)
    assert {"send", "resume", "status", "report", "resolve", "sandbox", "demo"} <= set(commands)


def test_the_csv_of_a_report_tells_what_became_of_every_row(shop: Shop) -> None:
    shop.send(shop.letter(), shop.table(DIRTY), "--name", "autumn")
    ended = shop("report", "autumn", "--csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [(row["line"], row["email"], row["state"], row["reason"]) for row in rows] == [
        ("2", "anna@example.com", "accepted", ""),
        ("3", "boris@xn--80a1acny.example", "accepted", ""),
        ("4", "ANNA@example.com", "duplicate", "the address is that of line 2"),
        ("5", "no-at-sign", "invalid", "no @"),
        ("6", "invalid-gone@example.com", "rejected", "Incorrect recipient address"),
        ("7", "bounce@example.com", "accepted", ""),
    ]
    assert [row["city"] for row in rows] == ["Minsk", "Гродно", "Minsk", "Brest", "Brest", "Brest"]


def test_a_long_hold_is_told_where_there_is_no_bar(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("rate_limited", on=SEND, retry_after=7_000))
    words = ("send", shop.letter(), shop.customers(3), "--provider", "smsby", "--name", "autumn")
    with shop.spawn(*words) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        shown = shop("status", "autumn").out.splitlines()
        assert "waiting until" in shop("status").out
        assert shop("cancel", "autumn").code == 0
        assert end_of(process).code == 4
    [moment] = re.findall(r"until ((?:[\d-]+ )?[\d:]+): ", line)
    approve("send: a long hold", line.partition(" autumn: ")[2], moment=moment)
    [status] = [line for line in shown if line.startswith("Waiting")]
    approve("status: a long hold", status, moment=moment)


VARIABLE = "MAILKIT_SMSBY_UNSUBSCRIBE_URL"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", "email,key\na+1@b.by,x&y\nc@d.by,2\n"),
        ("list.jsonl", '{"email": "a+1@b.by", "key": "x&y"}\n{"email": "c@d.by", "key": 2}\n'),
    ],
)
def test_each_recipient_has_a_link_of_its_own(name: str, content: str, shop: Shop) -> None:
    listed = shop.folder / name
    listed.write_text(content)
    letter = shop.letter(**PLAIN | {"html": "<a href='{{ unsubscribe }}'>x</a>"})
    to = ("--provider", "smsby")
    for wrong in ("https://shop.by/{{ nmae }}", "https://shop.by/{{ key", "shop.by/u"):
        ended = shop("send", letter, listed, *to, environment={VARIABLE: wrong})
        assert (ended.code, shop.sandbox.truth.emails) == (1, 0)
        assert VARIABLE in ended.err
    page = "https://shop.by/{id}?e={{ email }}&k={{ key }}"
    ended = shop("send", letter, listed, *to, environment={VARIABLE: page})
    assert ended.code == 0
    bodies = {email.address: email.body for email in shop.sandbox.truth.kept}
    assert bodies == {
        "a+1@b.by": "<a href='https://shop.by/{id}?e=a%2B1%40b.by&amp;k=x%26y'>x</a>",
        "c@d.by": "<a href='https://shop.by/{id}?e=c%40d.by&amp;k=2'>x</a>",
    }
