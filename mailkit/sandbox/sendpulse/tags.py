"""The SendPulse operations on tags of addresses and phones."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse.fields import Params, not_found, wrong
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.truth import normalized


@endpoint("sendpulse.tags.list", "GET /tags")
def all_tags(context: Context, params: Params) -> object:
    """All tags."""
    return [{"id": number, "name": name} for number, name in context.account.tags.items()]


@endpoint("sendpulse.tags.create", "POST /tags")
def create(context: Context, params: Params) -> object:
    """A new tag."""
    name = params.text("name")
    number = context.account.new_id()
    context.account.tags[number] = name
    return {"result": True, "id": number}


@endpoint("sendpulse.tags.update", "PUT /tags/{id}")
def update(context: Context, params: Params) -> object:
    """Rename a tag."""
    number = _number(context, params.args["id"])
    context.account.tags[number] = params.text("name")
    return {"result": True}


@endpoint("sendpulse.tags.delete", "DELETE /tags/{id}")
def delete(context: Context, params: Params) -> object:
    """Delete a tag, for everybody who has it."""
    number = _number(context, params.args["id"])
    del context.account.tags[number]
    for numbers in context.account.tagged.values():
        numbers.discard(number)
    return {"result": True}


def _pin(context: Context, params: Params) -> object:
    """Give tags to addresses or phones."""
    numbers = _numbers(context, params)
    for name in _names(params):
        context.account.tagged.setdefault(name, set()).update(numbers)
    return {"result": True}


pin_email = endpoint("sendpulse.tags.pin_email", "POST /tags/pin/email")(_pin)
pin_phone = endpoint("sendpulse.tags.pin_phone", "POST /tags/pin/phone")(_pin)


def _unpin(context: Context, params: Params) -> object:
    """Take tags from addresses or phones."""
    numbers = _numbers(context, params)
    for name in _names(params):
        context.account.tagged.setdefault(name, set()).difference_update(numbers)
    return {"result": True}


unpin_email = endpoint("sendpulse.tags.unpin_email", "POST /tags/unpin/email")(_unpin)
unpin_phone = endpoint("sendpulse.tags.unpin_phone", "POST /tags/unpin/phone")(_unpin)


def _names(params: Params) -> list[str]:
    for field in ("emails", "phones", "email", "phone"):
        if params.given(field):
            found = params.structure(field)
            return [normalized(str(one)) for one in (found if isinstance(found, list) else [found])]
    raise wrong("emails", "is required")


def _numbers(context: Context, params: Params) -> list[int]:
    found = params.structure("tags")
    if not isinstance(found, list) or not found:
        raise wrong("tags", "must be a list of ids")
    return [_number(context, str(one)) for one in found]


def _number(context: Context, text: str) -> int:
    if not is_number(text) or int(text) not in context.account.tags:
        raise not_found("Tag not found")
    return int(text)
