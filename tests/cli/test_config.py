"""``mailkit.toml`` and ``.env``: what a folder has, so that no command need say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailkit.cli.config import Config, read_config
from mailkit.cli.dotenv import read_dotenv
from mailkit.errors import InvalidArgument

from ..approval import approve
from .shop import PLAIN, Shop

PROVIDERS = ("devino", "sendpulse", "smsby")
FILE = """
[defaults]
provider = "smsby"
journal = "state/journal.db"
concurrency = 2
[smsby]
unsubscribe_url = "https://shop.by/bye"
[profiles.news]
provider = "sendpulse"
strict = true
[profiles.news.sendpulse]
zone = "Europe/Minsk"
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / {"toml": "mailkit.toml", "env": ".env", "news": ".env.news"}[name]).write_text(
            text
        )


def read(profile: str | None = None, place: Path | None = None, **environment: str) -> Config:
    return read_config(place, profile, environment, PROVIDERS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_place_counts_for_more_than_the_next_one(folder: Path) -> None:
    assert read() == Config({}, {})
    write(folder, toml=FILE, env="MAILKIT_SMSBY_UNSUBSCRIBE_URL=https://env.by\nPATH=/nowhere\n")
    defaults = {"provider": ["smsby"], "journal": "state/journal.db", "concurrency": 2}
    url = "MAILKIT_SMSBY_UNSUBSCRIBE_URL"
    assert read() == Config(defaults, {url: "https://env.by"})
    assert read(MAILKIT_SMSBY_UNSUBSCRIBE_URL="").variables == {}
    news = {**defaults, "provider": ["sendpulse"], "strict": True}
    zone = {"MAILKIT_SENDPULSE_ZONE": "Europe/Minsk"}
    assert read("news") == Config(news, {url: "https://env.by", **zone})
    assert read(MAILKIT_PROFILE="news").options == news
    write(folder, news="MAILKIT_SENDPULSE_API_KEY=key\nMAILKIT_SENDPULSE_ZONE=UTC\n")
    own = {"MAILKIT_SENDPULSE_API_KEY": "key", "MAILKIT_SENDPULSE_ZONE": "UTC"}
    assert read("news").variables == {url: "https://env.by", **own}
    write(folder, toml="", env="MAILKIT_PROFILE=news\n")
    assert read().variables == {"MAILKIT_PROFILE": "news", **own}


def test_paths_in_a_file_are_relative_to_its_folder(folder: Path) -> None:
    (folder / "shop").mkdir()
    write(folder / "shop", toml=FILE, env="MAILKIT_JOURNAL=other.db")
    found = read(place=Path("shop/mailkit.toml"))
    assert found.options["journal"] == "shop/state/journal.db"
    assert found.variables["MAILKIT_JOURNAL"] == "shop/other.db"


def test_a_message_called_mailkit_toml_is_a_message(folder: Path) -> None:
    write(folder, toml='sender = "a@b.by"\nsubject = "Hi"\nhtml = "x"\n')
    assert read() == Config({}, {})


def test_what_can_not_be_meant_is_named(folder: Path) -> None:
    cases: dict[str, dict[str, Any]] = {
        "a table with a slip": {"toml": "[default]\nprovider = 'smsby'"},
        "an option outside of a table": {"toml": "provider = 'smsby'"},
        "an option that nobody knows": {"toml": "[defaults]\nspeed = 1"},
        "an order is no default": {"toml": "[defaults]\nagain = true"},
        "another type": {"toml": "[defaults]\nconcurrency = '8'"},
        "another type in a list": {"toml": "[defaults]\nmap = [1]"},
        "no table": {"toml": "defaults = 1"},
        "a profile that is no table": {"toml": "[profiles]\nnews = 1"},
        "a slip in a profile": {"toml": "[profiles.news]\nprovder = 'smsby'"},
        "a credential": {"toml": "[smsby]\ntoken = 'canary'"},
        "a credential among the defaults": {"toml": "[defaults]\napi_key = 'canary'"},
        "a credential next to its provider": {
            "toml": "[defaults]\nprovider = 'devino'\napi-key = 'canary'"
        },
        "a credential in a profile": {"toml": "[profiles.news.sendpulse]\nclient_id = 'canary'"},
        "a variable that is no text": {"toml": "[sendpulse]\nzone = 3"},
        "a line": {"env": "\nMAILKIT_SMSBY_TOKEN='canary"},
        "an address for another's token": {"toml": "[smsby]\nurl = 'http://127.0.0.1:1'"},
    }
    for name, files in cases.items():
        write(folder, **{"toml": "", "env": "", **files})
        with pytest.raises(InvalidArgument) as refused:
            read(MAILKIT_SMSBY_TOKEN="canary-of-the-environment")
        assert "canary" not in str(refused.value)
        approve(f"mailkit.toml and .env: {name}", str(refused.value))
    write(folder, toml="[defaults")
    with pytest.raises(InvalidArgument, match=r"mailkit.toml can't be read: Expected '\]'"):
        read()
    write(folder, toml=FILE, env="")
    with pytest.raises(InvalidArgument) as refused:
        read("winter")
    approve("mailkit.toml and .env: no such profile", str(refused.value))
    with pytest.raises(InvalidArgument) as refused:
        read(place=Path("elsewhere.toml"))
    approve("mailkit.toml and .env: no such file", str(refused.value))


def test_an_address_and_its_credential_in_one_place_are_taken(folder: Path) -> None:
    write(folder, env="MAILKIT_SMSBY_URL=http://127.0.0.1:1\nMAILKIT_SMSBY_TOKEN=x\n")
    assert len(read(MAILKIT_DEVINO_API_KEY="other").variables) == 2
    assert read(MAILKIT_SMSBY_URL="a", MAILKIT_SMSBY_TOKEN="y").variables == {}


def test_the_lines_of_a_dotenv_file(folder: Path) -> None:
    (folder / ".env").write_text(
        "\ufeffexport MAILKIT_A=plain # a comment\r\n"
        "# MAILKIT_B=1\n"
        "MAILKIT_C = 'as $it is' \n"
        'MAILKIT_D="two\\nlines, a \\"quote\\" and \\\\"\n'
        "MAILKIT_E=\n"
        "MAILKIT_F=a#b c\n"
        'OTHER="\n'
        "MAILKIT_A=last\n",
        encoding="utf-8",
    )
    assert read_dotenv(folder / ".env") == {
        "MAILKIT_A": "last",
        "MAILKIT_C": "as $it is",
        "MAILKIT_D": 'two\nlines, a "quote" and \\',
        "MAILKIT_E": "",
        "MAILKIT_F": "a#b c",
    }
    (folder / "env").mkdir()
    assert read_dotenv(folder / "env") == {}
    (folder / "latin").write_bytes(b"MAILKIT_A=\xff")
    with pytest.raises(InvalidArgument, match="latin can't be read: it is not UTF-8"):
        read_dotenv(folder / "latin")


def test_commands_take_what_the_folder_says(shop: Shop) -> None:
    """Options count for more, and nothing of it outlives the command."""
    own = dict(shop.environment)
    shop.environment.clear()
    lines = (f"{name}={value}\n" for name, value in own.items() if "SMSBY" in name)
    write(shop.folder, toml=FILE, env="".join(lines))
    assert shop("send", shop.letter(**PLAIN), shop.customers(2), "--name", "autumn").code == 0
    assert (shop.folder / "state" / "journal.db").exists()
    ended = shop("status", "--json")
    assert [job["job"] for job in ended.json] == ["autumn"]
    ended = shop("status", "--journal", "no.db")
    assert (ended.code, "there is no journal at" in ended.err) == (1, True)
    assert shop("--profile", "winter", "status").code == 1
    write(shop.folder, toml="[defaults", env="")
    assert shop("status").code == 1
    assert shop("send", "-h").code == 0
    assert shop("--version").code == 0
    assert not shop.sandbox.truth.mailed_twice


def test_a_folder_to_begin_with(shop: Shop) -> None:
    ended = shop("init", "new", "--provider", "smsby")
    assert (ended.code, ended.err) == (0, "")
    approve("init", ended.out)
    files = {path.name: path.read_text("utf-8") for path in Path("new").iterdir()}
    approve("init: message.toml", files["message.toml"])
    approve("init: list.csv", files["list.csv"])
    ended = shop("send", "new/message.toml", "new/list.csv", "--provider", "smsby")
    assert (ended.code, shop.sandbox.truth.emails) == (0, 2)
    Path("new/message.toml").unlink()
    shop("init", "new").check_refusal("init: a file is there")
    assert {path.name: path.read_text("utf-8") for path in Path("new").iterdir()} == {
        "list.csv": files["list.csv"]
    }
    assert shop("init", "other", "--provider", "devino").code == 0
    assert shop("plan", "other/message.toml", "other/list.csv", "--provider", "devino").code == 0
