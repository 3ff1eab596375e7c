"""The sms.by operation on templates."""

from mailkit.sandbox.forms import File
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.state import Context


def all_templates(context: Context, fields: PhpArray, files: tuple[File, ...]) -> object:
    """All templates of the account."""
    return {"status": "OK", "result": context.account.templates}
