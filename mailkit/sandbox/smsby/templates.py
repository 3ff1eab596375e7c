"""The sms.by operation on templates."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.smsby.state import Context


@endpoint("smsby.templates.list", "POST /api/v2/getEmailTemplates", parameters="query")
def all_templates(context: Context, fields: PhpArray) -> object:
    """All templates of the account."""
    return {"status": "OK", "result": context.account.templates}
