"""The SendPulse operations on tags of addresses and phones."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse.codes import USER
from mailkit.sandbox.sendpulse.fields import Params, not_found, wrong
from mailkit.sandbox.sendpulse.state import Context, Tag
from mailkit.sandbox.truth import normalized

VERSION = "1.0"


@endpoint("sendpulse.tags.list", "GET /tags")
def all_tags(context: Context, params: Params) -> object:
    """All tags, next to the account and the version of the tags' own service."""
    rows = [
        {"id": key, "name": one.name, "color": one.color}
        for key, one in context.account.tags.items()
    ]
    return {"tags": rows, "user_id": USER, "version": VERSION}


@endpoint("sendpulse.tags.create", "POST /tags")
def create(context: Context, params: Params) -> object:
    """A new tag; its id is only in the list of all."""
    made = Tag(params.text("name"), params.text("color"))
    context.account.tags[context.account.new_id()] = made
    return _queued(context)


@endpoint("sendpulse.tags.update", "PUT /tags/{id}")
def update(context: Context, params: Params) -> object:
    """Change the name of a tag, its color, or both."""
    found = context.account.tags[_number(context, params.args["id"])]
    if not (params.given("name") or params.given("color")):
        raise wrong("name", "or color, one of them, is required")
    if params.given("name"):
        found.name = params.text("name")
    if params.given("color"):
        found.color = params.text("color")
    return _queued(context)


@endpoint("sendpulse.tags.delete", "DELETE /tags/{id}")
def delete(context: Context, params: Params) -> object:
    """Delete a tag, for everybody who has it."""
    number = _number(context, params.args["id"])
    del context.account.tags[number]
    for numbers in context.account.tagged.values():
        numbers.discard(number)
    return _queued(context)


def _pin(context: Context, params: Params) -> object:
    """Give tags to addresses or phones."""
    pin(context, _names(params), chosen(context, params))
    return _queued(context)


pin_email = endpoint("sendpulse.tags.pin_email", "POST /tags/pin/email")(_pin)
pin_phone = endpoint("sendpulse.tags.pin_phone", "POST /tags/pin/phone")(_pin)


def _unpin(context: Context, params: Params) -> object:
    """Take tags from addresses or phones."""
    numbers = chosen(context, params)
    for name in _names(params):
        context.account.tagged.setdefault(name, set()).difference_update(numbers)
    return _queued(context)


unpin_email = endpoint("sendpulse.tags.unpin_email", "POST /tags/unpin/email")(_unpin)
unpin_phone = endpoint("sendpulse.tags.unpin_phone", "POST /tags/unpin/phone")(_unpin)


def _queued(context: Context) -> dict[str, object]:
    """What the service says to every change: it was queued. Here it is done at once."""
    return {
        "success": True,
        "failure": False,
        "code": "request_queued",
        "description": "The request was queued",
        "http_code": 200,
        "queue_id": str(context.account.new_id()),
        "user_id": USER,
        "version": VERSION,
    }


def _names(params: Params) -> list[str]:
    for field in ("emails", "phones", "email", "phone"):
        if params.given(field):
            found = params.structure(field)
            return [normalized(str(one)) for one in (found if isinstance(found, list) else [found])]
    raise wrong("emails", "is required")


def pin(context: Context, names: list[str], numbers: list[int]) -> None:
    """Give tags to addresses or phones."""
    for name in names:
        context.account.tagged.setdefault(name, set()).update(numbers)


def chosen(context: Context, params: Params) -> list[int]:
    """The ids of tags in the body."""
    found = params.structure("tags")
    if not isinstance(found, list) or not found:
        raise wrong("tags", "must be a list of ids")
    return [_number(context, str(one)) for one in found]


def _number(context: Context, text: str) -> int:
    if not is_number(text) or int(text) not in context.account.tags:
        raise not_found("Tag not found")
    return int(text)
