"""The Devino operation that stores a file for attachments."""

import uuid
from pathlib import PurePosixPath

from mailkit.sandbox.devino.fields import Validation, ValidationFailed
from mailkit.sandbox.devino.state import Context
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.service import Request
from mailkit.sandbox.truth import AttachedFile

FORMATS = frozenset(
    {
        ".xls",
        ".xlsx",
        ".doc",
        ".docx",
        ".pdf",
        ".jpg",
        ".jpeg",
        ".png",
        ".img",
        ".bmp",
        ".rar",
        ".txt",
    }
)


@endpoint("devino.files.upload", "POST /files/files")
def upload(context: Context, request: Request) -> object:
    """Keep one file of an allowed format; its id is for AttachmentsIds."""
    if request.query.text("category") != "EMAIL_ATTACHMENT":
        raise _refusal("validation.category.unknown", "category")
    chosen = [file for file in request.files if file.field == "file"]
    if len(chosen) != 1 or not chosen[0].name:
        raise _refusal("validation.file.required", "file")
    file = chosen[0]
    if PurePosixPath(file.name).suffix.lower() not in FORMATS:
        raise _refusal("validation.file.format.not.allowed", "file")
    if not 0 < len(file.data) <= context.settings.max_file_size:
        raise _refusal("validation.file.size", "file")
    file_id = str(uuid.UUID(int=context.rng.getrandbits(128), version=4))
    context.account.files[file_id] = AttachedFile(file.name, len(file.data))
    return {
        "result": {
            "fileId": file_id,
            "publicUrl": f"http://files.sandbox.example/emailAttachments/{file_id}",
        }
    }


def _refusal(key: str, reference: str) -> ValidationFailed:
    return ValidationFailed([Validation(key, reference)])
