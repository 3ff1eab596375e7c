"""The state of the Devino sandbox: files, who has unsubscribed, and the callbacks to come."""

from collections.abc import Iterable
from random import Random

import attrs

from mailkit.sandbox.devino.callbacks import AcceptedEmail, Callbacks, Status
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.timeline import Window
from mailkit.sandbox.truth import AttachedFile, Truth

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@attrs.define
class Account:
    """Everything the service remembers between two requests."""

    files: dict[str, AttachedFile] = attrs.field(factory=dict)
    unsubscribed: set[str] = attrs.field(factory=set)
    resubscribed: set[str] = attrs.field(factory=set)
    callbacks: Callbacks = attrs.field(factory=Callbacks)
    emails: list[AcceptedEmail] = attrs.field(factory=list)
    refused: list[str] = attrs.field(factory=list)
    """The addresses that were refused alone."""
    each_second: Window = attrs.field(factory=Window)
    next_message: int = 62**10 * 40

    def tick(self, now: float, settings: DevinoSettings, rng: Random) -> None:
        """Let the due statuses happen, and the opt-outs with them."""
        self.change(self.callbacks.tick(now, settings, rng))

    def change(self, statuses: Iterable[tuple[str, Status]]) -> None:
        """Let addresses opt out, or in again."""
        for address, status in statuses:
            if status is Status.SUBSCRIBED:
                self.unsubscribed.discard(address)
                self.resubscribed.add(address)
            else:
                self.unsubscribed.add(address)
                self.resubscribed.discard(address)

    def message_id(self) -> str:
        """A new id: eleven letters and digits."""
        number, text = self.next_message, ""
        self.next_message += 1
        while number:
            number, digit = divmod(number, 62)
            text = _DIGITS[digit] + text
        return text


@attrs.frozen
class Context:
    """What an operation works with."""

    account: Account
    settings: DevinoSettings
    truth: Truth
    rng: Random
    now: float
