"""Each default that a ``mailkit.toml`` may have, with each command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from typer.main import get_command

from mailkit.cli.app import WITHOUT_CONFIG, app
from mailkit.cli.config import DEFAULTS

from .shop import Ended, Shop

VALUES: Mapping[str, str] = {
    "account": '"shop"',
    "concurrency": "2",
    "delimiter": '";"',
    "email-column": '"email"',
    "encoding": '"utf-8"',
    "journal": '"journal.db"',
    "map": '"name=who"',
    "provider": '"smsby"',
    "rate": '"100000/h"',
    "strict": "true",
    "suppress": '"nobody.csv"',
    "track": '"1s"',
}
LISTS: Mapping[str, str] = {"map": '["name=who"]', "provider": '["smsby"]'}
ARGUMENTS: Mapping[str, list[str]] = {
    "send": ["message.toml", "autumn.csv", "--name", "autumn", "--provider", "smsby"],
    "plan": ["message.toml", "autumn.csv", "--provider", "smsby"],
    "test": ["message.toml", "anna@example.com", "--provider", "smsby"],
    "resume": ["autumn"],
    "cancel": ["autumn"],
    "report": ["autumn"],
    "resolve": ["autumn", "--rejected"],
    "suppress add": ["anna@example.com"],
    "suppress import": ["nobody.csv"],
    "suppress remove": ["anna@example.com"],
    "journal backup": ["copy.db"],
    "journal prune": ["--older-than", "90d"],
    "journal forget": ["anna@example.com"],
    "doctor": ["--provider", "smsby"],
}
"""What a command needs; one that would go on until Ctrl-C ends for want of something."""


def commands(command: Any = None, name: str = "") -> Iterator[str]:
    """The names of all commands that read a mailkit.toml."""
    inner = getattr(command or get_command(app), "commands", None)
    if inner is None:
        yield name
        return
    for word, one in inner.items():
        if word not in WITHOUT_CONFIG or name:
            yield from commands(one, f"{name} {word}".strip())


@pytest.fixture(autouse=True)
def folder(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(shop.folder)
    shop.letter()
    shop.table(["email;name", "bob@example.com;Bob"])
    shop.table(["email", "eve@example.com"], "nobody.csv")
    return shop.folder


def with_defaults(shop: Shop, lines: str, *words: str, **environment: str | None) -> Ended:
    (shop.folder / "mailkit.toml").write_text(f"[defaults]\n{lines}\n")
    return shop(*words, environment=environment)


def test_every_default_has_a_value_here() -> None:
    assert VALUES.keys() == DEFAULTS.keys()
    assert LISTS.keys() == {name for name, kind in DEFAULTS.items() if kind is list}


@pytest.mark.parametrize("command", [*commands()])
def test_a_command_ends_with_each_default_as_without(shop: Shop, command: str) -> None:
    words = [*command.split(), *ARGUMENTS.get(command, [])]

    def ended(lines: str) -> tuple[int, str]:
        for left in shop.folder.glob("*.db*"):
            if left.is_file():
                left.unlink()
        found = with_defaults(shop, lines, *words)
        return found.code, found.err

    expected = ended("")
    assert expected[0] != 2, expected
    for option, value in (*VALUES.items(), *LISTS.items()):
        assert ended(f"{option} = {value}") == expected, option
    assert ended("\n".join(f"{option} = {value}" for option, value in VALUES.items())) == expected


@pytest.mark.parametrize(
    "words", [("send", "message.toml", "autumn.csv", "--provider", "smsby"), ("resume", "autumn")]
)
def test_what_workers_do_is_not_refused_for_a_default(shop: Shop, words: tuple[str, ...]) -> None:
    lines = 'strict = true\ntrack = "2h"\nrate = "100/h"'
    ended = with_defaults(shop, lines, *words, "--detach")
    ended.check_refusal("a file as the journal of workers", path=shop.journal)
    assert shop(*words, "--detach", "--strict").code == 2


def test_a_list_of_another_kind_does_without_what_only_text_has(shop: Shop) -> None:
    lines = 'delimiter = ";"\nencoding = "cp1251"'
    (shop.folder / "autumn.jsonl").write_text('{"email": "bob@example.com"}\n')
    book = Workbook()
    sheet = book.create_sheet("list", 0)
    for row in (["email"], ["ann@example.com"]):
        sheet.append(row)
    book.save(shop.folder / "autumn.xlsx")
    for file, words in (("autumn.jsonl", ["--delimiter", ";"]), ("autumn.xlsx", [])):
        command = ("plan", "message.toml", file, "--provider", "smsby")
        ended = with_defaults(shop, lines, *command)
        assert (ended.code, ended.err) == (0, "")
        assert with_defaults(shop, lines, "suppress", "import", file).code == 0
        refused = shop(*command, *(words or ["--encoding", "cp1251"]))
        assert refused.code == 1


def test_several_services_are_a_default_of_workers_alone(shop: Shop) -> None:
    both, address = 'provider = ["smsby", "devino"]', "postgresql://nobody@127.0.0.1:1/none"
    shop.environment["MAILKIT_JOURNAL"] = address
    ended = with_defaults(shop, both, "worker", MAILKIT_DEVINO_API_KEY=None)
    assert "MAILKIT_DEVINO_API_KEY is not set" in ended.err
    ended = with_defaults(shop, both, "send", "message.toml", "autumn.csv")
    ended.check_usage("one of several services by default")


def test_the_account_of_a_worker_is_that_of_one_service(shop: Shop) -> None:
    address = "postgresql://nobody@127.0.0.1:1/none"
    shop.environment["MAILKIT_JOURNAL"] = address
    account = 'account = "shop"'
    alone = {
        name: None
        for name in shop.environment
        if name.startswith(("MAILKIT_DEVINO", "MAILKIT_SENDPULSE"))
    }
    for lines, environment in (
        (account, alone),
        (f'{account}\nprovider = "smsby"', {}),
        (account, {"MAILKIT_PROVIDER": "smsby"}),
    ):
        ended = with_defaults(shop, lines, "worker", **environment)
        assert ended.code == 1
        assert "127.0.0.1" in ended.err  # it goes on to the journal, which is not there
    ended = with_defaults(shop, account, "worker")
    ended.check_usage("several services for the account of mailkit.toml")
    ended = with_defaults(shop, "", "worker", "--account", "shop")
    ended.check_usage("several services for an account")
