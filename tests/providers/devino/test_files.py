"""files.upload: what travels, from memory and from the disk; which files are taken."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mailkit.attachment import Attachment
from mailkit.errors import BadResponse, InvalidArgument, NotSent, Unavailable
from mailkit.providers.devino import Devino, UploadedFile
from mailkit.testing import FakeClock

from .doubles import KEY, Service, response, sample


def client(service: Service) -> Devino:
    return Devino(KEY, transport=service, clock=FakeClock())


@pytest.mark.parametrize(
    ("file", "name"),
    [(Attachment("letter.png", b"\x89PNG"), None), (b"\x89PNG", "letter.png")],
)
async def test_a_file_travels_as_the_page_has_it(
    file: Attachment | bytes, name: str | None
) -> None:
    service = Service(sample("uploaded"))
    uploaded = await client(service).files.upload(file, name)
    [request] = service.requests
    assert request.verb == "POST"
    assert request.url == "https://api.devino.online/files/files?category=EMAIL_ATTACHMENT"
    assert request.headers["Authorization"] == f"Key {KEY}"
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    [body] = service.files
    assert body.count(b"Content-Disposition") == 1
    assert b'name="file"; filename="letter.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in body
    assert uploaded == UploadedFile(
        "efc1c054-9d65-4c21-b01f-cb0986c2dccb",
        "http://files.local/emailAttachments/efc1c054-9d65-4c21-b01f-cb0986c2dccb",
    )


async def test_a_file_on_the_disk_is_never_in_memory_at_once(tmp_path: Path) -> None:
    size = 24_000_000
    path = tmp_path / 'the "price".pdf'.replace('"', "'")
    path.write_bytes(bytes(range(250)) * (size // 250))
    seen: list[tuple[str, str | None, str | None, int, bytes]] = []

    async def storage(request: web.Request) -> web.Response:
        part = await (await request.multipart()).next()
        assert part is not None
        assert not isinstance(part, str)
        count, first = 0, b""
        while piece := await part.read_chunk(2**16):  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
            first = first or bytes(piece[:3])
            count += len(piece)
        seen.append((part.name or "", part.filename, request.query["category"], count, first))  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
        if len(seen) == 1:
            return web.Response(status=502)
        return web.json_response({"result": {"fileId": "f1"}})

    app = web.Application(client_max_size=2**30)
    app.router.add_post("/files/files", storage)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with Devino(KEY, url, clock=FakeClock()) as devino:
            tracemalloc.start()
            try:
                uploaded = await devino.files.upload(path)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    assert uploaded == UploadedFile("f1")
    assert seen == [("file", path.name, "EMAIL_ATTACHMENT", size, b"\0\x01\x02")] * 2
    assert peak < size / 3


async def test_a_file_that_goes_away_before_its_next_try_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("x")

    async def storage(request: web.Request) -> web.Response:
        await request.read()
        path.unlink()
        return web.Response(status=502)

    app = web.Application()
    app.router.add_post("/files/files", storage)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with Devino(KEY, url, clock=FakeClock()) as devino:
            with pytest.raises(NotSent, match=r"letter\.txt: No such file"):
                await devino.files.upload(path)


async def test_an_upload_whose_answer_is_lost_goes_out_again() -> None:
    service = Service(response("?", 500), response({"description": "ok"}))
    uploaded = await client(service).files.upload(Attachment("a.txt", "a"))
    assert uploaded.file_id == "file-3"
    assert service.files[0] == service.files[2]


async def test_an_upload_that_never_works_says_so() -> None:
    with pytest.raises(Unavailable):
        await client(Service(*[response("?", 500)] * 3)).files.upload(Attachment("a.txt", "a"))
    with pytest.raises(BadResponse):
        await client(Service(*[response({"result": 1})] * 3)).files.upload(Attachment("a.txt", "a"))


@pytest.mark.parametrize("name", ["a.exe", "a", ".pdf", "a.zip", "a.pdf.html"])
async def test_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    service = Service()
    for file in (Attachment(name, b"x"), tmp_path / name):
        with pytest.raises(InvalidArgument, match=r"it accepts \.bmp"):
            await client(service).files.upload(file)
    assert service.requests == []


async def test_a_file_that_can_t_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"x")

    def forbidden(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(InvalidArgument, match="can't be read: Permission denied"):
        await client(Service()).files.upload(path)


async def test_the_ending_counts_in_any_letter_case() -> None:
    uploaded = await client(Service()).files.upload(Attachment("A.PDF", b"x"))
    assert uploaded.file_id == "file-1"


async def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    service = Service()
    for path in (tmp_path / "none.pdf", tmp_path):
        with pytest.raises(InvalidArgument, match="is not a file"):
            await client(service).files.upload(path)
    with pytest.raises(InvalidArgument, match="need a name"):
        await client(service).files.upload(b"x")
    with pytest.raises(InvalidArgument, match="only bytes"):
        await client(service).files.upload(Attachment("a.txt", b""), "b.txt")
    assert service.requests == []
