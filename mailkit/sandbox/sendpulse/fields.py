"""Reading the parameters of a SendPulse call, and the form in which the service refuses."""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import attrs

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.php import PhpArray, is_number
from mailkit.sandbox.php_serialize import is_serialized_array, unserialize
from mailkit.sandbox.sendpulse.lists import MailingList
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.service import Refusal, Response
from mailkit.sandbox.truth import normalized

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
MAX_PAGE = 100


@attrs.frozen
class Params:
    """The parameters of a call: those in the path, the query, and the body."""

    args: Mapping[str, str]
    query: PhpArray
    fields: Mapping[str, object]

    def text(self, name: str) -> str:
        """A text or number of the body, as a text; HTTP 422 if it is absent or empty."""
        found = self.fields.get(name)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        if not isinstance(found, str) or not found.strip():
            raise wrong(name, "is required")
        return found

    def given(self, name: str) -> bool:
        """Whether the body has the field with something in it."""
        return self.fields.get(name) not in (None, "", [], {})

    def flag(self, name: str) -> bool:
        """A boolean of the body, or 1 and 0; absent is false."""
        found = self.fields.get(name, False)
        if found in (True, 1, "1", "true"):
            return True
        if found in (False, 0, "0", "false", ""):
            return False
        raise wrong(name, "must be a boolean")

    def structure(self, name: str) -> object:
        """A list or object of the body: as it is, or a text of JSON or of PHP's `serialize`."""
        found = self.fields.get(name)
        if not isinstance(found, str):
            return found
        try:
            if found.lstrip()[:1] in ("[", "{"):
                return read_json(found)
            return unserialize(found) if is_serialized_array(found) else found
        except ValueError:
            raise wrong(name, "is not a valid array") from None

    def addresses(self, name: str, limit: int | None = None) -> list[str]:
        """A list of addresses, normalized; HTTP 422 if it is empty or too long."""
        found = self.structure(name)
        if not isinstance(found, list) or not found:
            raise wrong(name, "must be a list of addresses")
        if not all(isinstance(one, str) for one in found):
            raise wrong(name, "must hold texts only")
        if limit is not None and len(found) > limit:
            raise wrong(name, f"may hold {limit} addresses at most")
        return [normalized(one) for one in found]

    def listed(self, name: str) -> list[str]:
        """`name[]=a&name[]=b` or `name=a` of the query, as a list."""
        found = self.query.get(name)
        if isinstance(found, PhpArray):
            return [one for one in found.values() if isinstance(one, str)]
        return [found] if found else []

    def page(self) -> slice:
        """limit and offset of the query."""
        limit = _number(self.query, "limit", MAX_PAGE)
        offset = _number(self.query, "offset", 0)
        if not 1 <= limit <= MAX_PAGE:
            raise wrong("limit", f"must be between 1 and {MAX_PAGE}")
        return slice(offset, offset + limit)

    def mailing_list(self, context: Context) -> MailingList:
        """The list in the path; HTTP 404 if there is none."""
        text = self.args["id"]
        found = context.account.lists.get(int(text)) if is_number(text) else None
        if found is None:
            raise not_found("Mailing list not found", 213)
        return found

    def address(self, name: str = "email") -> str:
        """The address in the path or the body; HTTP 422 if it cannot be one."""
        found = normalized(self.args[name] if name in self.args else self.text(name))
        if not is_address(found):
            raise wrong(name, "is not an e-mail address")
        return found


def refuse(status: int, message: str, code: int, *, over_quota: bool = False) -> Refusal:
    """A refusal in the service's shape."""
    value = {"message": message, "error_code": code}
    return Refusal(Response(status, value, over_quota=over_quota))


def wrong(name: str, reason: str) -> Refusal:
    """The refusal of a value."""
    return refuse(422, f"The {name} field {reason}.", 422)


def not_found(message: str, code: int = 404) -> Refusal:
    """The refusal of a thing that does not exist."""
    return refuse(404, message, code)


def check_sendable(context: Context, lists: Iterable[MailingList]) -> None:
    """HTTP 422 if the tariff has ended, or no list has a contact (211)."""
    if context.settings.tariff_ended:
        raise refuse(422, "Your tariff plan ended", 422)
    if not any(one.contacts for one in lists):
        raise refuse(422, "Mailing list empty", 211)


def decoded(name: str, value: object) -> bytes:
    """The bytes behind base64; HTTP 422 if it is not."""
    try:
        if isinstance(value, str) and value:
            return b64decode(value, validate=True)
    except ValueError:
        pass
    raise wrong(name, "must be encoded in base64")


def html(name: str, value: object) -> str:
    """The text behind base64."""
    try:
        return decoded(name, value).decode()
    except UnicodeDecodeError:
        raise wrong(name, "is not UTF-8 inside its base64") from None


def moment(context: Context, name: str, value: object) -> float:
    """A date of the account's zone that has not passed."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise wrong(name, "must look like Y-m-d H:i:s")
    try:
        read = datetime.strptime(value, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise wrong(name, "is not a date") from None
    found = read.replace(tzinfo=ZoneInfo(context.settings.timezone)).timestamp()
    if found < int(context.now):
        raise wrong(name, "can not be less than the current date and time")
    return found


def _number(query: PhpArray, name: str, default: int) -> int:
    if name not in query:
        return default
    text = query.text(name)
    if not is_number(text):
        raise wrong(name, "must be a number")
    return int(text)
