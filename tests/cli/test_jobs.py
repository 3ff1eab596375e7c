"""``mailkit status``, ``report``, ``resolve`` and ``resume``: a job after its first run."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import PERSONAL, SEND, SENDER, Ended, Shop, customer, end_of, kill


def rows_of(ended: Ended) -> list[dict[str, str]]:
    assert (ended.code, ended.err) == (0, "")
    return list(csv.DictReader(io.StringIO(ended.out)))


def in_doubt(shop: Shop, kind: str, **fault: Any) -> None:
    """A job of two chunks, the first of which met this fault."""
    shop.sandbox.faults.add(Fault(kind, on=SEND, times=1, **fault))
    ended = shop.send(shop.letter(), shop.customers(503), "--name", "autumn", "--concurrency", "1")
    assert ended.code == 3


# status


def test_status_shows_every_job_in_a_line_the_newest_first(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(1), "--name", "a job with a name of many words")
    in_doubt(shop, "reset_after_acting")
    ended = shop("status")
    assert (ended.code, ended.err) == (0, "")
    heading, second, first = ended.out.splitlines()
    titles = ["job", "provider", "started", "rows", "accepted", "rejected", "in", "doubt", "unsent"]
    assert heading.split() == titles
    assert second.split()[:2] == ["autumn", "smsby"]
    numbers = ["503", "2", "0", "500", "0"]  # one of them is a duplicate
    assert second.split()[3:] == [*numbers, "in", "doubt"]
    assert first.startswith("a job with a name of many words smsby")
    assert first.split()[-6:] == ["1", "1", "0", "0", "0", "done"]


def test_status_as_json_is_a_list_of_reports(shop: Shop) -> None:
    for name in ("spring", "autumn"):
        shop.send(shop.letter(), shop.customers(1, f"{name}.csv"), "--again", "--name", name)
    reports = shop("status", "--json").json
    assert [report["job"] for report in reports] == ["autumn", "spring"]
    assert reports == [shop.report("autumn"), shop.report("spring")]


def test_status_of_one_job_is_its_report_and_its_exit_code(shop: Shop) -> None:
    in_doubt(shop, "reset_after_acting")
    for words in (("autumn",), ("autumn", "--json")):
        ended = shop("status", *words)
        assert ended == shop("report", *words)
        assert ended.code == 3


def test_follow_asks_until_every_delivery_is_final(shop: Shop) -> None:
    people = shop.table(["email", customer(1), "bounce@example.com"])
    shop.send(shop.letter(), people, "--name", "autumn")
    assert shop.report()["deliveries"] == {"queued": 2}
    shop.sandbox.clock.advance(60)
    ended = shop("status", "autumn", "--follow", "--json")
    assert ended.code == 0
    assert ended.json["deliveries"] == {"delivered": 1, "undelivered": 1}
    assert shop.sandbox.truth.emails == 2


# report


def test_the_report_of_some_states_has_those_rows_alone(shop: Shop) -> None:
    people = shop.table(["email", "a@example.com", "b", "A@example.com", "invalid@example.com"])
    shop.send(shop.letter(), people, "--name", "autumn")
    rows = rows_of(shop("report", "autumn", "--state", "invalid, duplicate"))
    assert [(row["email"], row["state"]) for row in rows] == [
        ("b", "invalid"),
        ("A@example.com", "duplicate"),
    ]
    shop("report", "autumn", "--state", "refused").check_usage("an unknown state")


def test_rows_in_doubt_and_unsent_are_states_too(shop: Shop) -> None:
    in_doubt(shop, "reset_after_acting")
    shop("resolve", "autumn", "1", "--not-sent")
    assert len(rows_of(shop("report", "autumn", "--state", "unsent"))) == 500
    in_doubt_rows = shop("report", "autumn", "--csv", "--state", "in_doubt").out.splitlines()
    assert in_doubt_rows == ["email,name,line,state,reason,chunk,delivery"]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(shop: Shop) -> None:
    people = shop.table(["email,name", "=1+1@example.com,\"=cmd|'/c calc'!A0\"", "b,@SUM(A1)"])
    shop.send(shop.letter(), people, "--name", "autumn")
    assert [(row["email"], row["name"]) for row in rows_of(shop("report", "autumn", "--csv"))] == [
        ("'=1+1@example.com", "'=cmd|'/c calc'!A0"),
        ("b", "'@SUM(A1)"),
    ]


def test_unsent_rows_as_recipients_can_be_sent_to_again_unchanged(shop: Shop) -> None:
    values = ["=1+1", "a,b", 'say "hi"', "two\nlines", "a\rreturn", " spaces ", "", "-5", "Анна"]
    people = shop.folder / "autumn.jsonl"
    lines = [
        json.dumps({"email": customer(n), "name": "Anna", "last, name": value})
        for n, value in enumerate(values)
    ]
    people.write_text("\n".join(["no JSON", *lines]))
    letter = shop.letter(**PERSONAL)
    shop.sandbox.faults.add(Fault("error_envelope", on=SEND))
    first = shop.send(letter, people, "--name", "autumn", "--json").json
    assert (first["unsent"], first["invalid"]) == (len(values), 1)
    shop.sandbox.faults.clear()

    output = shop("report", "autumn", "--state", "unsent,invalid", "--as-recipients").out
    again = shop.folder / "again.csv"
    again.write_text(output, encoding="utf-8", newline="")
    report = shop.send(letter, again, "--name", "again", "--again", "--json").json
    assert (report["accepted"], report["invalid"]) == (len(values), 0), "nothing was in that line"
    assert dict(shop.sandbox.truth.mailed) == {customer(n): 1 for n in range(len(values))}
    rows = list(csv.reader(io.StringIO(shop("report", "again", "--as-recipients").out, newline="")))
    assert rows[0] == ["email", "name", "last, name"]
    assert [row[2] for row in rows[1:]] == [value.strip() for value in values]


def test_the_report_shows_delivery_and_what_is_still_to_be_found(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    assert "  delivery: queued 3\n" in shop("report", "autumn").out


def test_an_output_that_knows_few_letters_fails_no_command(shop: Shop) -> None:
    letter = shop.letter(sender=SENDER, subject="Осень", html="<p>Hi</p>")
    shop.environment["PYTHONIOENCODING"] = "ascii"
    words = (letter, shop.table(["email,name", "a@example.com,Анна"]), "--provider", "smsby")
    ended = shop.run("send", *words, "--name", "осень")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("\\u043e\\u0441\\u0435\\u043d\\u044c over smsby: ")
    assert shop.run("report", "осень", "--as-recipients").out == "email,name\na@example.com,Анна\n"


# resolve and resume


def test_rows_that_were_taken_are_resolved_as_accepted(shop: Shop) -> None:
    in_doubt(shop, "reset_after_acting")
    assert set(shop.sandbox.truth.mailed.values()) == {1}
    ended = shop("resolve", "autumn", "1", "--accepted")
    assert (ended.code, ended.err) == (0, "")
    approve("resolve --accepted", ended.out)
    assert shop("resume", "autumn").code == 0
    assert shop.sandbox.truth.compare(shop.accepted()).agrees
    assert shop.sandbox.requests[SEND] == 2


def test_rows_that_were_not_sent_are_resolved_and_sent_by_resume(shop: Shop) -> None:
    in_doubt(shop, "reset_after_reading")
    ended = shop("resolve", "autumn", "1", "--not-sent")
    assert (ended.code, ended.err) == (0, "")
    approve("resolve --not-sent", ended.out)
    assert shop("status", "autumn").code == 4
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.json["accepted"], ended.json["complete"]) == (0, 503, True)
    assert shop.sandbox.truth.compare(shop.accepted()).agrees
    assert shop.sandbox.requests.last[-2].form.text("name") == "autumn #1.2"


def test_what_is_not_in_doubt_can_not_be_resolved(shop: Shop) -> None:
    in_doubt(shop, "reset_after_acting")
    for chunk in ("2", "99"):
        ended = shop("resolve", "autumn", chunk, "--not-sent")
        ended.check_refusal("a chunk that is not in doubt", chunk=f"chunk {chunk}")
    assert shop.report()["in_doubt"] == 500


def test_resume_never_sends_what_is_in_doubt(shop: Shop) -> None:
    in_doubt(shop, "reset_after_reading")
    for _ in range(2):
        ended = shop("resume", "autumn")
        assert ended.code == 3
        assert "  chunk 1 (autumn #1, 500 rows" in ended.out
    assert shop.sandbox.truth.emails == 3


def test_resume_of_a_finished_job_sends_nothing(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    assert shop("resume", "autumn").code == 0
    assert shop.sandbox.requests[SEND] == 1


def test_resume_with_another_account_is_refused_unless_it_is_named(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, times=1))
    assert shop.send(shop.letter(), shop.customers(3), "--name", "autumn").code == 1
    assert shop.report()["unsent"] == 3
    shop.sandbox.smsby.settings.token = "renewed"
    renewed: dict[str, str | None] = {"MAILKIT_SMSBY_TOKEN": "renewed"}
    ended = shop("resume", "autumn", environment=renewed)
    [account] = re.findall("--account (.*)\n", ended.err)
    ended.check_refusal("another account", account=account)
    ended = shop("resume", "autumn", "--account", account, environment=renewed)
    assert ended.code == 0
    assert shop.sandbox.truth.emails == 3


@pytest.mark.parametrize("words", [["--json"], []], ids=["json", "text"])
def test_resume_reports_as_send_does(shop: Shop, words: list[str]) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, times=1))
    ended = shop.send(shop.letter(), shop.customers(3), "--name", "autumn", *words)
    assert ended.code == 1
    assert "the provider can't be used: smsby.bulk.send: Wrong or missing token" in ended.out
    assert "was stopped by an error; check MAILKIT_SMSBY_TOKEN\n" in ended.err
    ended = shop("resume", "autumn", *words)
    assert (ended.code, ended.err) == (0, "")
    assert ended == shop("report", "autumn", *words)


def test_send_resume_is_one_command_for_all_of_a_job_s_life(shop: Shop) -> None:
    """As cron gives it: killed, given again, given at the same time, and when all is done."""
    files = [shop.letter(), shop.customers(1200)]
    words: list[str | Path] = [
        "send",
        *files,
        "--provider",
        "smsby",
        "--resume",
        "--json",
        "--concurrency",
        "1",
    ]
    release = shop.hold()
    with shop.spawn(*words) as process:
        shop.until_requests(1, process)
        kill(process)
    release()
    shop.settled()
    with shop.spawn(*words) as process:
        codes = {shop(*words).code, end_of(process).code}
    assert codes == {3}
    report = shop(*words).json
    assert (report["accepted"], report["in_doubt"]) == (700, 500)
    assert shop.sandbox.truth.mailed == {customer(n): 1 for n in range(1200)}
    assert shop("resolve", report["job"], "1", "--accepted").code == 0
    shop.sandbox.smsby.settings.token = "renewed"  # what has ended asks for nothing
    assert shop(*words).code == 0
    ended = shop(*words, "--again")
    assert ended.code == 2
    assert "not both" in ended.err


def test_a_letter_of_plain_text_goes_out_as_it_is(shop: Shop) -> None:
    letter = shop.letter(sender=SENDER, subject="Autumn", text="a < b & {{ name }}")
    shop.send(letter, shop.table(["email,name", 'a@example.com,"<Anna>"']), "--name", "autumn")
    assert shop.sandbox.truth.kept[0].body == "a < b & <Anna>"
