"""Files that are sent by their path: what is no file, or not what it was, is not sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mailkit.core.hooks import Attempt
from mailkit.core.wire import Request, Response
from mailkit.errors import InvalidArgument, Refused
from mailkit.message import Message
from mailkit.sandbox import DevinoSettings

from ..cli.shop import open_shop
from .acts import CLIENTS, LETTER
from .canary import CANARY
from .service import Saying, no
from .test_canary_commands import LETTERS

Call = Callable[[Any, Path], Awaitable[object]]


@attrs.frozen
class Taker:
    """A call that takes a path; ``bounded``: it holds the whole file, which must not be large."""

    client: Callable[..., Any]
    call: Call
    bounded: bool = True

    def refusing(self, seen: list[Request]) -> Any:
        """The client over a service that says no and keeps what it ``seen``."""
        [provider] = (name for name, make in CLIENTS.items() if make is self.client)
        return self.client(transport=Saying(Response(400, {}, no(provider, "no").encode()), seen))


def _of_message(path: Path) -> Message:
    toml = path.parent / "message.toml"
    words = ("sender = 'a@b.by'", "subject = 's'", "html = 'h'", f"attachments = ['{path.name}']")
    toml.write_text("\n".join(words))
    return Message.from_toml(toml)


async def _send_message(client: Any, path: Path) -> object:
    [file] = _of_message(path).attachments
    return await client.files.upload(file)


TAKERS = {
    "smsby.emails.send": Taker(
        CLIENTS["smsby"], lambda c, p: c.emails.send(to="c@d.by", attachment=p, **LETTER)
    ),
    "smsby.emails.send_to_list": Taker(
        CLIENTS["smsby"], lambda c, p: c.emails.send_to_list(list_id=7, attachment=p, **LETTER)
    ),
    "devino.files.upload": Taker(
        CLIENTS["devino"], lambda c, p: c.files.upload(p), bounded=False
    ),
    "devino, message.toml": Taker(CLIENTS["devino"], _send_message),
    "sendpulse.campaigns.create": Taker(
        CLIENTS["sendpulse"], lambda c, p: c.campaigns.create(list_id=7, attachments=[p], **LETTER)
    ),
    "sendpulse.campaigns.create with names": Taker(
        CLIENTS["sendpulse"],
        lambda c, p: c.campaigns.create(list_id=7, attachments={p.name: p}, **LETTER),
    ),
    "sendpulse.campaigns.send_test": Taker(
        CLIENTS["sendpulse"],
        lambda c, p: c.campaigns.send_test(list_id=7, to=["c@d.by"], attachments=[p], **LETTER),
    ),
}  # fmt: skip


def missing(path: Path) -> None:
    """Nothing is there."""


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing.pdf")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_a_folder(path: Path) -> None:
    path.symlink_to(path.parent, target_is_directory=True)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_secret_of_others(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


TROUBLES = [missing, a_folder, a_link_to_nothing, a_link_to_itself, a_link_to_a_folder]
if sys.platform != "win32":
    TROUBLES += [a_pipe, a_device]
    if os.getuid() != 0:
        TROUBLES.append(a_secret_of_others)

each_taker = pytest.mark.parametrize("taker", TAKERS.values(), ids=TAKERS)


@each_taker
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_is_no_file_is_refused_before_the_network(
    trouble: Callable[[Path], None], taker: Taker, tmp_path: Path
) -> None:
    path = tmp_path / "price.pdf"
    trouble(path)
    seen: list[Request] = []
    client = taker.client(transport=Saying(Response(400, {}, b""), seen))
    with pytest.raises(InvalidArgument, match=r"price\.pdf"):
        await taker.call(client, path)
    assert seen == []


@each_taker
async def test_a_file_that_is_too_large_is_not_read(
    taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.attachment._LARGEST", 1000)
    path = tmp_path / "price.pdf"
    path.write_bytes(b"x" * 1001)
    seen: list[Request] = []
    client = taker.refusing(seen)
    with pytest.raises(InvalidArgument if taker.bounded else Refused) as caught:
        await taker.call(client, path)
    assert ("is larger than" in str(caught.value)) == taker.bounded == (seen == [])


@each_taker
async def test_a_file_goes_under_its_own_name_and_tells_nothing_of_its_folder(
    taker: Taker, tmp_path: Path
) -> None:
    folder = tmp_path / "secret-folder"
    folder.mkdir()
    (folder / "target.txt").write_bytes(b"what the link leads to")
    path = folder / "price.pdf"
    path.symlink_to("target.txt")
    seen: list[Request] = []
    client = taker.refusing(seen)
    with pytest.raises(Refused):
        await taker.call(client, path)
    [request] = seen
    upload = request.upload
    body = upload.head + upload.tail if upload else request.body or b""
    assert b"price.pdf" in body
    for word in (b"secret-folder", b"target", str(tmp_path).encode()):
        assert word not in body


@pytest.mark.parametrize("name", ["a\nb.pdf", "a\\b.pdf", 'a"b.pdf', "a\x1bb.pdf"])
@each_taker
async def test_a_file_with_a_name_that_leads_elsewhere_is_refused(
    taker: Taker, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    try:
        path.write_bytes(b"x")
    except OSError:
        pytest.skip("no file can have this name here")
    seen: list[Request] = []
    with pytest.raises(InvalidArgument):
        await taker.call(taker.client(transport=Saying(Response(400, {}, b""), seen)), path)
    assert seen == []


# a file that changes while it is sent


def grow(path: Path) -> None:
    """By a byte, at what looks like the same time."""
    changed = path.stat().st_mtime_ns
    with path.open("ab") as file:
        file.write(b"y")
    os.utime(path, ns=(changed, changed))


def shrink(path: Path) -> None:
    """At what looks like the same time."""
    changed = path.stat().st_mtime_ns
    os.truncate(path, 300_000)
    os.utime(path, ns=(changed, changed))


def rewrite(path: Path) -> None:
    """To the same length."""
    changed = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.write(b"z")
    os.utime(path, ns=(changed, changed + 1))


@pytest.mark.parametrize("change", [grow, shrink, rewrite])
async def test_a_file_that_changes_while_it_is_sent_does_not_arrive(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "price.pdf"
    path.write_bytes(b"x" * 8_000_000)
    arrived: list[bytes] = []

    async def storage(request: web.Request) -> web.Response:
        await request.content.readexactly(1000)
        change(path)
        arrived.append(await request.read())
        return web.json_response({"result": {"fileId": "f-1"}})

    app = web.Application(client_max_size=2**30)
    app.router.add_post("/files/files", storage)
    seen: list[Attempt] = []
    async with (
        TestServer(app) as server,
        CLIENTS["devino"](url=str(server.make_url("/")), hooks=[seen.append]) as devino,
    ):
        with pytest.raises(InvalidArgument, match=r"price\.pdf changed while it was sent"):
            await devino.files.upload(path)
    assert arrived == []
    assert len(seen) == 2


# a bulk job of the command line


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_job_s_attachments_are_those_of_its_planning(tmp_path: Path) -> None:
    with open_shop(tmp_path, devino=DevinoSettings(api_key=CANARY)) as shop:
        file = tmp_path / "price.pdf"
        letter = shop.letter(**{**LETTERS["devino"], "attachments": ["price.pdf"]})
        words = ("send", letter, shop.customers(1), "--provider", "devino", "--name", "autumn")
        for trouble in TROUBLES:
            trouble(file)
            ended = shop(*words)
            assert (ended.code, shop.sandbox.requests.total()) == (1, 0), trouble
            assert "price.pdf" in ended.err
            if file.is_symlink() or file.is_file() or file.is_fifo():
                file.unlink()
            elif file.is_dir():
                file.rmdir()
        file.write_bytes(b"the price")
        assert shop(*words).code == 0
        assert shop.sandbox.requests["devino.files.upload"] == 1
