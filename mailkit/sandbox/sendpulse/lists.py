"""Mailing lists with their contacts, as the sandbox remembers them."""

import re
from collections.abc import Mapping

import attrs

from mailkit.sandbox.sendpulse.codes import NEW_OR_ACTIVE, ContactStatus, MailingListStatus
from mailkit.sandbox.sendpulse.settings import SendPulseSettings

# Looking up a member takes time, and a campaign asks every contact of its lists.
_NEW, _ASKED = ContactStatus.NEW, ContactStatus.CONFIRMATION_REQUESTED
_ACTIVE = ContactStatus.ACTIVE

_LOADING = {4: MailingListStatus.LOCKED, 5: MailingListStatus.COPYING}
_LIST_VERDICTS = {
    "approve": MailingListStatus.ACTIVE,
    "ask": MailingListStatus.IN_QUESTION,
    "block": MailingListStatus.LOCKED,
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def kind(value: object) -> str:
    """The type of a variable that has the value."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return "date" if isinstance(value, str) and _DAY.fullmatch(value) else "string"


@attrs.define
class Contact:
    """An address on a list; its variables are two tuples, since a list can have a million."""

    email: str
    status: ContactStatus
    added_at: float
    names: tuple[str, ...] = ()
    values: tuple[object, ...] = ()

    @property
    def variables(self) -> dict[str, object]:
        """The values by name."""
        return dict(zip(self.names, self.values, strict=True))

    @property
    def typed_variables(self) -> list[dict[str, object]]:
        """The variables as objects of name, type and value."""
        return [
            {"name": name, "type": kind(value), "value": value}
            for name, value in self.variables.items()
        ]

    def status_at(self, now: float, settings: SendPulseSettings) -> ContactStatus:
        """The status at `now`: new contacts, and those asked to confirm, become active in time."""
        if self.status is _NEW:
            after = settings.active_after
        elif self.status is _ASKED:
            after = settings.confirmed_after
        else:
            return self.status
        if after is None or now < self.added_at + after:
            return self.status
        return _ACTIVE


@attrs.define
class MailingList:
    """A mailing list; `types` are its variables, `phones` the phones of those who have one.

    `apart` are the addresses whose status was ever set to something else than new and active, so
    that counting the others needs no walk through all of them.
    """

    id: int
    name: str
    created_at: float
    contacts: dict[str, Contact] = attrs.field(factory=dict)
    phones: dict[str, str] = attrs.field(factory=dict)
    apart: set[str] = attrs.field(factory=set)
    types: dict[str, str] = attrs.field(factory=dict)
    loaded_at: float | None = None
    settled: int = 0
    """How many contacts there were before those that are loaded now."""
    in_question: bool = False
    copying_until: float = 0.0
    _names: dict[tuple[str, ...], tuple[str, ...]] = attrs.field(factory=dict, init=False)

    def status(self, now: float, settings: SendPulseSettings) -> MailingListStatus:
        """Active, or locked while addresses are copied or loaded, or by the service."""
        if now < self.copying_until:
            return MailingListStatus.COPYING
        if self.in_question:
            return MailingListStatus.IN_QUESTION
        if self.loaded_at is None:
            return MailingListStatus.ACTIVE
        if self.is_loading(now, settings):
            return _LOADING[settings.loading_status]
        return _LIST_VERDICTS[settings.list_verdict]

    def is_loading(self, now: float, settings: SendPulseSettings) -> bool:
        """Whether contacts are loaded that do not show yet."""
        return self.loaded_at is not None and now < self.loaded_at + settings.loading

    def count(self, now: float, settings: SendPulseSettings) -> int:
        """How many contacts show: those that are loaded come last, and only in the end."""
        total = len(self.contacts)
        return min(self.settled, total) if self.is_loading(now, settings) else total

    def load(self, now: float, settings: SendPulseSettings) -> None:
        """Contacts are about to be added."""
        self.settled = self.count(now, settings)
        self.loaded_at = now

    def add(self, contact: Contact) -> None:
        """Put a new contact on the list."""
        self.contacts[contact.email] = contact
        if contact.status not in NEW_OR_ACTIVE:
            self.apart.add(contact.email)

    def mark(self, email: str, status: ContactStatus) -> None:
        """Give the contact a status; nothing if it is not on the list."""
        found = self.contacts.get(email)
        if found is not None:
            found.status = status
            self.apart.add(email)

    def remove(self, email: str) -> bool:
        """Take the contact off the list; whether it was on it."""
        self.phones.pop(email, None)
        self.apart.discard(email)
        return self.contacts.pop(email, None) is not None

    def has_seen(self, values: Mapping[str, object]) -> bool:
        """Whether a contact had exactly these variables already."""
        return tuple(values) in self._names

    def set_variables(self, contact: Contact, values: Mapping[str, object]) -> None:
        """Set the values by name; the others stay."""
        merged = {**contact.variables, **values} if contact.names else values
        names = tuple(merged)
        contact.names = self._names.setdefault(names, names)
        contact.values = tuple(merged.values())
