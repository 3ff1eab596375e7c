"""What Devino does not publish."""

from typing import Literal

import attrs

from mailkit.sandbox.posting import Posting
from mailkit.sandbox.values import Count, Share, Status, Url, typed


@attrs.define(field_transformer=typed)
class DevinoSettings:
    """May be changed while the sandbox runs.

    api_key: the key that the account accepts.
    refusal_status: HTTP status of a failed validation.
    max_recipients: more recipients than this in one request are refused.
    strict: one invalid address refuses the whole request, instead of its recipient alone.
    balance: the emails that are paid for; a request for more is refused whole. None: no limit.
    requests_per_second: more requests than this within a second of sandbox time get HTTP 429.
    mixed_case: the keys of a response, and those of a status but for ExtraData's, begin with an
        upper-case or lower-case letter at random.
    shuffled: the items of a result come in random order.
    sender_domains: the approved domains of senders; None approves all.
    max_file_size: the bytes above which a file is refused.
    open_share: the share of ordinary addresses that open their email.
    callback_url: where statuses are posted; None for nowhere. Read when an email is accepted.
    callback_numbers: whether the time of a status is a number, as on the page, or text.
    posting: how statuses are posted, and when again.
    extra_data_key: the key under which ExtraData comes back; None for next to the others.
    """

    api_key: str = "sandbox-key"
    refusal_status: Status = 400
    max_recipients: Count | None = None
    strict: bool = False
    balance: Count | None = None
    requests_per_second: Count | None = None
    mixed_case: bool = False
    shuffled: bool = False
    sender_domains: frozenset[str] | None = None
    max_file_size: Count = 10 * 1024 * 1024
    open_share: Share = 0.2
    callback_url: Url | None = None
    callback_numbers: Literal["number", "text"] = "number"
    posting: Posting = attrs.field(factory=Posting)
    extra_data_key: str | None = None
