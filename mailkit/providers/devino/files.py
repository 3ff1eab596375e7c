"""The storage, which messages take their attachments from."""

from __future__ import annotations

from typing import Literal

import attrs

from mailkit.attachment import Attachment
from mailkit.core.call import Call, Resource, arg, method, post, wire
from mailkit.core.model import Model
from mailkit.errors import InvalidArgument
from mailkit.providers.devino import fields

__all__ = ["Files", "UploadedFile"]


@attrs.frozen
class UploadedFile(Model):
    """A file in the storage: ``file_id`` goes into ``messages.send``, ``public_url`` is where
    anybody can read it.
    """

    file_id: str = attrs.field(metadata=wire("fileid"), validator=attrs.validators.min_len(1))
    public_url: str = attrs.field(default="", metadata=wire("publicurl"))


@post("/files/files", repeatable=True, body="form", query=("category",), pick="result")
class UploadFile(Call[UploadedFile]):
    """Put a file into the storage; a second upload creates a second file, which does no harm.

    ``file`` is a Path (read in pieces while it is sent), an Attachment, or bytes, which need a
    ``name``. The extension determines the format: .xls .xlsx .doc .docx .pdf .jpg .jpeg .png .img
    .bmp .rar .txt. ``category`` has no other value yet. A large file over a slow line needs a
    longer timeout: ``with_options(timeout=…)``.
    """

    file: fields.FileLike = arg(write=fields.file, file=True)
    name: str | None = arg(default=None, expand=lambda value, wire_format: {})
    category: Literal["EMAIL_ATTACHMENT"] = arg(default="EMAIL_ATTACHMENT")

    def __attrs_post_init__(self) -> None:
        if isinstance(self.file, bytes):
            object.__setattr__(self, "file", Attachment.of(self.file, self.name))
        elif self.name is not None:
            raise InvalidArgument("name: only bytes need one; use Attachment(name, path)")


class Files(Resource):
    """The storage for attachments."""

    upload = method(UploadFile)
