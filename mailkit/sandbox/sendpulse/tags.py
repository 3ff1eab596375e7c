"""The SendPulse operations on tags, which addresses and phones can wear."""

from mailkit.sandbox.sendpulse.fields import Ask, is_number, not_found, wrong
from mailkit.sandbox.sendpulse.state import Desk
from mailkit.sandbox.truth import normalised


def everything(desk: Desk, ask: Ask) -> object:
    """All tags."""
    return [{"id": number, "name": name} for number, name in desk.account.tags.items()]


def create(desk: Desk, ask: Ask) -> object:
    """A new tag."""
    name = ask.text("name")
    number = desk.account.new_id()
    desk.account.tags[number] = name
    return {"result": True, "id": number}


def update(desk: Desk, ask: Ask) -> object:
    """Another name."""
    number = _number(desk, ask.args["id"])
    desk.account.tags[number] = ask.text("name")
    return {"result": True}


def delete(desk: Desk, ask: Ask) -> object:
    """A tag less, for everybody."""
    number = _number(desk, ask.args["id"])
    del desk.account.tags[number]
    for worn in desk.account.tagged.values():
        worn.discard(number)
    return {"result": True}


def pin(desk: Desk, ask: Ask) -> object:
    """Give tags to addresses or phones."""
    numbers = _numbers(desk, ask)
    for name in _names(ask):
        desk.account.tagged.setdefault(name, set()).update(numbers)
    return {"result": True}


def unpin(desk: Desk, ask: Ask) -> object:
    """Take tags from addresses or phones."""
    numbers = _numbers(desk, ask)
    for name in _names(ask):
        desk.account.tagged.setdefault(name, set()).difference_update(numbers)
    return {"result": True}


def _names(ask: Ask) -> list[str]:
    for field in ("emails", "phones", "email", "phone"):
        if ask.given(field):
            found = ask.serialised(field)
            return [normalised(str(one)) for one in (found if isinstance(found, list) else [found])]
    raise wrong("emails", "is required")


def _numbers(desk: Desk, ask: Ask) -> list[int]:
    found = ask.serialised("tags")
    if not isinstance(found, list) or not found:
        raise wrong("tags", "must be a list of ids")
    return [_number(desk, str(one)) for one in found]


def _number(desk: Desk, text: str) -> int:
    if not is_number(text) or int(text) not in desk.account.tags:
        raise not_found("Tag not found")
    return int(text)
