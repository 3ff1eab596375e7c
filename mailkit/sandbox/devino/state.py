"""The state of the Devino sandbox: settings, files, and who has unsubscribed."""

from random import Random
from typing import TYPE_CHECKING

import attrs

from mailkit.sandbox.truth import Attached, Truth

if TYPE_CHECKING:
    from mailkit.sandbox.devino.callbacks import Callbacks

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@attrs.define
class DevinoSettings:
    """What the provider does not publish; may be changed while the sandbox runs.

    refusal_status: HTTP status of a failed validation.
    max_recipients: more recipients than this in one request are refused.
    strict: one invalid address refuses the whole request, instead of its recipient alone.
    balance: the messages that are paid for; a request for more is refused whole. None: no end.
    requests_per_second: more requests than this within a second of sandbox time get HTTP 429.
    mixed_case: the keys of an answer begin with a capital or a small letter by chance.
    shuffled: the items of a result come in any order.
    sender_domains: the approved domains of senders; None approves all.
    max_file_size: the bytes above which a file is refused.
    open_share: the share of ordinary addresses that open their message.
    callback_url: where states are posted; None for nowhere. It counts when a message is taken.
    callback_batch: at most so many states a post.
    callback_twice: each post is made twice.
    extra_data_key: the key under which ExtraData comes back; None for beside the others.
    """

    refusal_status: int = 400
    max_recipients: int | None = None
    strict: bool = False
    balance: int | None = None
    requests_per_second: int | None = None
    mixed_case: bool = False
    shuffled: bool = False
    sender_domains: frozenset[str] | None = None
    max_file_size: int = 10 * 1024 * 1024
    open_share: float = 0.2
    callback_url: str | None = None
    callback_batch: int = 100
    callback_twice: bool = False
    extra_data_key: str | None = None


@attrs.define
class Account:
    """Everything the service remembers between two requests."""

    files: dict[str, Attached] = attrs.field(factory=dict)
    unsubscribed: set[str] = attrs.field(factory=set)
    resubscribed: set[str] = attrs.field(factory=set)
    next_message: int = 62**10 * 40

    def message_id(self) -> str:
        """An id that was never given before: eleven letters and digits."""
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
    chance: Random
    now: float
    callbacks: "Callbacks"
