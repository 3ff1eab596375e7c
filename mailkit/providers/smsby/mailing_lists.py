"""Mailing lists, which ``emails.send_to_list`` writes to."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailkit.core.call import Call, Resource, arg, method, post
from mailkit.core.model import Model
from mailkit.core.reading import new_id
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.smsby import fields

__all__ = ["ImportContactsResult", "ImportProblem", "MailingLists"]

_CONTACTS = 500  # in one call
_FIELDS = 30

Cell = str | int | float | None


@attrs.frozen
class ImportProblem(Model):
    """A contact that was not accepted: its index in the call, and why."""

    index: int
    error_message: str = ""


@attrs.frozen
class ImportContactsResult(Model):
    """How many contacts were new, known and wrong; ``log`` lists the wrong ones."""

    inserted: int = 0
    updated: int = 0
    invalid: int = 0
    log: tuple[ImportProblem, ...] = ()


def _rows(rows: Sequence[Sequence[Cell]], wire_format: WireFormat) -> object:
    return [["" if cell is None else cell for cell in row] for row in rows]


@post("/api/v2/createSubscriberList", repeatable=False, body="none", pick=new_id("list_id"))
class CreateMailingList(Call[int]):
    """Create a mailing list and return its id."""

    name: str = arg(write=fields.one_line("name"))


@post("/api/v2/importContacts", repeatable=True, body="form")
class ImportContacts(Call[ImportContactsResult]):
    """Add contacts to a list, or bring known ones up to date: at most 500 of up to 30 fields.

    ``field_names`` has ``email`` or ``phone`` among its names; each of ``rows`` has a value for
    each name. Some contacts may be accepted and others not: see ``log``.
    """

    list_id: int
    field_names: Sequence[str]
    rows: Sequence[Sequence[Cell]] = arg(wire="data", write=_rows)

    def __attrs_post_init__(self) -> None:
        names = [name.strip().casefold() for name in self.field_names]
        if isinstance(self.field_names, str) or not 1 <= len(names) <= _FIELDS:
            raise InvalidArgument(f"field_names: give a list of 1 to {_FIELDS} names")
        if "email" not in names and "phone" not in names:
            raise InvalidArgument("field_names: email or phone must be among them")
        if not 1 <= len(self.rows) <= _CONTACTS:
            raise InvalidArgument(f"rows: give 1 to {_CONTACTS} contacts, not {len(self.rows)}")
        for place, row in enumerate(self.rows):
            if isinstance(row, str) or len(row) != len(names):
                raise InvalidArgument(f"rows[{place}]: give {len(names)} values, one for each name")


class MailingLists(Resource):
    """Mailing lists and their contacts."""

    create = method(CreateMailingList)
    import_contacts = method(ImportContacts)
