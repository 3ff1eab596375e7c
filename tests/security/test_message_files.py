"""A message.toml of somebody else's mails nothing that does not lie with it, and stalls nobody."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from mailkit import message_file
from mailkit.attachment import Attachment
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.sandbox import SmsBySettings

from ..cli.shop import open_shop
from .canary import CANARY, assert_hidden

HEAD = "sender = 'a@b.by'\nsubject = 'Hi'\n"
WORDS = ["html_file = {}", "text_file = {}", "html = 'x'\nattachments = [{}]"]

linked = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
made_up = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a letter, next to a secret."""
    (tmp_path / "secret.html").write_text(CANARY)
    (tmp_path / "mail-secrets").mkdir()
    (tmp_path / "mail-secrets" / "secret.html").write_text(CANARY)
    folder = tmp_path / "mail"
    (folder / "sub").mkdir(parents=True)
    (folder / "letter.html").write_text("<p>Hello</p>")
    (folder / "sub" / "letter.html").write_text("<p>Hello</p>")
    return folder


def message(folder: Path, words: str, path: str | Path) -> Message:
    file = folder / "message.toml"
    file.write_text(HEAD + words.format(json.dumps(str(path))))
    return Message.from_toml(file)


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "path",
    [
        "../secret.html",
        "../mail-secrets/secret.html",
        "sub/../../secret.html",
        "{folder}/../secret.html",
        "{folder}-secrets/secret.html",
        "..",
        "/",
        "/etc/hostname",
        "/proc/self/environ",
        "/dev/stdin",
    ],
)
def test_a_path_out_of_the_folder_is_refused(folder: Path, words: str, path: str) -> None:
    with pytest.raises(InvalidArgument, match="is outside the folder of the message") as caught:
        message(folder, words, path.format(folder=folder))
    assert_hidden(str(caught.value))


def test_a_path_to_another_machine_is_refused_without_a_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "resolve", lambda *args, **named: pytest.fail("was looked at"))
    with pytest.raises(InvalidArgument, match="is outside the folder of the message"):
        message(folder, WORDS[0], "//elsewhere/share/letter.html")


@linked
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(
    "target", ["../secret.html", "{folder}/../secret.html", "hop", "/dev/zero"]
)
def test_a_link_out_of_the_folder_is_refused(folder: Path, words: str, target: str) -> None:
    (folder / "hop").symlink_to("../secret.html")
    (folder / "link.html").symlink_to(target.format(folder=folder))
    (folder / "out").symlink_to("..", target_is_directory=True)
    for path in ("link.html", "out/secret.html", "sub/../out/secret.html"):
        with pytest.raises(InvalidArgument, match="is outside the folder of the message"):
            message(folder, words, path)


@linked
@pytest.mark.parametrize(
    "path",
    ["letter.html", "./letter.html", "sub/letter.html", "sub/../letter.html", "in/letter.html",
     "link.html", "{folder}/letter.html"],
)  # fmt: skip
def test_all_other_ways_to_a_file_in_the_folder_are_open(
    folder: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "link.html").symlink_to(folder / "sub" / "letter.html")
    (folder / "in").symlink_to("sub", target_is_directory=True)
    (folder.parent / "elsewhere").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(folder)
    for place in (folder, folder.parent / "elsewhere", Path(), Path("../mail")):
        found = message(place, WORDS[0], path.format(folder=place))
        assert found.html == "<p>Hello</p>"


@linked
def test_links_in_a_circle_and_names_that_can_t_be_are_refused(folder: Path) -> None:
    (folder / "round.html").symlink_to("round.html")
    for path in ("round.html", "nul\0.html", "x" * 2000):
        with pytest.raises(InvalidArgument, match=r"html_file: .* can't be read"):
            message(folder, WORDS[0], path)


# files that are none


@made_up
@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/status", "/proc/meminfo"])
def test_what_the_system_makes_up_is_no_file(path: str) -> None:
    with pytest.raises(InvalidArgument, match="is not a file on a disk") as caught:
        Attachment.of(path)
    assert_hidden(str(caught.value))


@made_up
def test_no_command_mails_the_environment(tmp_path: Path) -> None:
    with open_shop(tmp_path, smsby=SmsBySettings(token=CANARY)) as shop:
        words = {"sender": "a@b.by", "subject": "Hi", "html_file": "/proc/self/environ"}
        ended = shop.send(shop.letter(**words), shop.customers(1))
        assert (ended.code, shop.sandbox.requests.total()) == (1, 0)
        assert "html_file: /proc/self/environ is outside the folder of the message" in ended.err
        ended = shop.send("/proc/self/environ", shop.customers(1))
        assert (ended.code, shop.sandbox.requests.total()) == (1, 0)
        assert_hidden(ended.err)


def test_a_file_that_is_being_written_is_not_read_by_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stat = tmp_path / "price.pdf", os.fstat
    path.write_bytes(b"half")

    def fstat(number: int) -> os.stat_result:
        found = stat(number)
        with path.open("ab") as file:
            file.write(b" and half")
        return found

    monkeypatch.setattr("mailkit.attachment.os.fstat", fstat)
    with pytest.raises(InvalidArgument, match=r"price\.pdf .* or is being written"):
        Attachment.of(path)


# what could stall the reader


def refused(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why the text is refused without a look of the TOML reader, which may take for ever."""
    with monkeypatch.context() as patched:
        patched.setattr("mailkit.message_file.tomllib.loads", lambda text: pytest.fail("was read"))
        with pytest.raises(InvalidArgument) as caught:
            message_file._parse(text)
    return str(caught.value)


DOTTED = "k." * 101 + "k"
STRINGS = [
    "1", "''", '""', "'''a'''", '"""a"""', "'#'", '"#"', "'\"'", '"\'"', '"\\""', "'\\'", '"\\\\"',
    '"""a""""', '"""a"""""', "'''a''''", "'''a'''''", '"""\\""""', '""""a"""', '"""\\\\"""',
    '"""\n"#\n\\"""""', "'''\n'#\\'''", '"""""""', '["#", \'"\']', '"""\'\'\'"""', "'''\"\"\"'''",
]  # fmt: skip


@pytest.mark.parametrize("before", STRINGS)
def test_a_key_of_very_many_parts_is_refused_wherever_it_stands(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begin, end in (
        (f"a = {before}\n", " = 1"),
        (f"a = {before} # it's \"\n[", "]"),
        (f"# '''\na = {before}\n[[", "]]"),
        (f"x = {{a = {before}, ", " = 1}"),
        (f"x = [{{a = {before}}}, {{", " = 1}]"),
    ):
        tomllib.loads(f"{begin}k{end}")
        assert "dots in its keys" in refused(begin + DOTTED + end, monkeypatch)
        quoted = DOTTED.replace("k", '"k"').replace('"."', "\" . 'k' . \"")
        assert "dots in its keys" in refused(begin + quoted + end, monkeypatch)


@pytest.mark.parametrize(
    "value",
    ['"{}"', "'{}'", '"""\n{}\n"quoted" \\""""', "'''\n{}\n'quoted' '''", '"x" # {}'],
)
def test_dots_in_the_text_are_no_dots_in_a_key(tmp_path: Path, value: str) -> None:
    file = tmp_path / "message.toml"
    file.write_text(HEAD + "html = " + value.format("w. " * 500))
    assert Message.from_toml(file).html


def test_a_message_has_a_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refused(HEAD + f"html = '{'x' * 1_000_000}'", monkeypatch)
    assert sentence == (
        "this is larger than 1 MB: put the body into a file of its own, and name that with "
        "html_file or text_file"
    )
    (tmp_path / "letter.html").write_text("x" * 1_000_001)
    assert message(tmp_path, WORDS[0], "letter.html").html == "x" * 1_000_001


def test_attachments_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_file, "_LARGEST_TOGETHER", 1000)
    (tmp_path / "price.pdf").write_bytes(b"x" * 500)
    file = tmp_path / "message.toml"
    file.write_text(HEAD + "html = 'x'\nattachments = ['price.pdf', 'price.pdf']")
    assert len(Message.from_toml(file).attachments) == 2
    file.write_text(HEAD + "html = 'x'\nattachments = [" + "'price.pdf', " * 10_000 + "]")
    with pytest.raises(InvalidArgument, match="together they are larger than"):
        Message.from_toml(file)


def test_a_word_that_nobody_knows_is_shown_in_short(tmp_path: Path) -> None:
    file = tmp_path / "message.toml"
    long = "w" * 100_000
    for text in (f"{long} = 1", f"html_file = '../{long}'", f"html_file = '{long}'", f"x = {long}"):
        file.write_text(HEAD + text)
        with pytest.raises(InvalidArgument) as caught:
            Message.from_toml(file)
        assert len(str(caught.value)) < 2_000
