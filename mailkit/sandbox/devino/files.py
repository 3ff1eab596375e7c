"""The Devino operation that stores a file for attachments."""

import uuid
from pathlib import PurePosixPath

from mailkit.sandbox.devino.fields import Refusal, Validation
from mailkit.sandbox.devino.state import Context
from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.truth import Attached

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


def upload(context: Context, query: PhpArray, files: tuple[File, ...]) -> object:
    """Keep one file of an allowed format; its id is for AttachmentsIds."""
    if query.text("category") != "EMAIL_ATTACHMENT":
        raise _refusal("validation.category.unknown", "category")
    chosen = [file for file in files if file.field == "file"]
    if len(chosen) != 1 or not chosen[0].name:
        raise _refusal("validation.file.required", "file")
    file = chosen[0]
    if PurePosixPath(file.name).suffix.lower() not in FORMATS:
        raise _refusal("validation.file.format.not.allowed", "file")
    if not 0 < len(file.data) <= context.settings.max_file_size:
        raise _refusal("validation.file.size", "file")
    file_id = str(uuid.UUID(int=context.chance.getrandbits(128), version=4))
    context.account.files[file_id] = Attached(file.name, len(file.data))
    return {
        "result": {
            "fileId": file_id,
            "publicUrl": f"http://files.sandbox.example/emailAttachments/{file_id}",
        }
    }


def _refusal(key: str, reference: str) -> Refusal:
    return Refusal(Validation(key, reference).value)
