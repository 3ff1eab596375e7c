"""Reading the parameters of a campaign: sender, content, lists, attachments."""

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse import templates
from mailkit.sandbox.sendpulse.fields import (
    Params,
    decoded,
    html,
    not_found,
    refuse,
    wrong,
)
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.truth import AttachedFile, normalized

MAX_LISTS = 10
MAX_ATTACHMENTS = 5


def content(context: Context, params: Params, *, required: bool) -> tuple[str, str, str, str]:
    """Sender's name and address, subject and body; the body is "" if it is absent and may be."""
    name, sender, subject = (
        params.text("sender_name"),
        params.text("sender_email"),
        params.text("subject"),
    )
    if not is_address(sender.strip()):
        raise wrong("sender_email", "is not an e-mail address")
    known = context.account.senders.get(normalized(sender))
    if (known is None or not known.active) and not context.settings.any_sender:
        raise refuse(422, "Sender is not valid", 422)
    given = [field for field in ("body", "template_id") if params.given(field)]
    if len(given) > 1 or (required and not given):
        raise wrong("body", "or template_id, one of them, is required")
    if params.given("body_amp"):
        html("body_amp", params.fields["body_amp"])
    if not given:
        return name, sender.strip(), subject, ""
    if given == ["body"]:
        return name, sender.strip(), subject, html("body", params.fields["body"])
    return name, sender.strip(), subject, templates.find(context, params.text("template_id")).body


def lists(context: Context, params: Params, *, required: bool) -> list[int]:
    """The numbers of the lists, each of them once; a segment is its list.

    A segment and a test go with one list; `list_id` may stand next to the `segment_id` that is
    part of it.
    """
    by_list, by_segment = params.given("list_id"), params.given("segment_id")
    if not (by_list or by_segment):
        if required:
            raise wrong("list_id", "or segment_id, one of them, is required")
        return []
    found = _listed(context, params) if by_list else []
    if by_segment:
        of_segment = _segment(context, params)
        if by_list and found != [of_segment]:
            raise wrong("segment_id", "must be part of the one list in list_id")
        found = [of_segment]
    if len(found) > 1 and params.flag("is_test"):
        raise wrong("list_id", "may hold one list only for a test")
    return found


def _segment(context: Context, params: Params) -> int:
    """The list of the segment."""
    segment = params.text("segment_id")
    found = context.account.segments.get(int(segment)) if is_number(segment) else None
    if found is None or found not in context.account.lists:
        raise not_found("Segment not found")
    return found


def _listed(context: Context, params: Params) -> list[int]:
    value = params.structure("list_id")
    entries = value if isinstance(value, list) else [value]
    if len(entries) > MAX_LISTS:
        raise wrong("list_id", f"may hold {MAX_LISTS} lists at most")
    texts = [str(one) for one in entries]
    if not all(is_number(text) for text in texts):
        raise wrong("list_id", "must be a number or an array of numbers")
    numbers = list(dict.fromkeys(int(text) for text in texts))
    if not all(number in context.account.lists for number in numbers):
        raise not_found("Mailing list not found", 213)
    return numbers


def attachments(params: Params) -> tuple[AttachedFile, ...]:
    """Plain and base64 attachments together; HTTP 422 for more than five."""
    found: list[AttachedFile] = []
    for field in ("attachments", "attachments_binary"):
        files = params.structure(field) or {}
        if not isinstance(files, dict):
            raise wrong(field, "must be an object of names and contents")
        for name, value in files.items():
            if not isinstance(value, str) or not name:
                raise wrong(field, "must hold texts")
            data = value.encode() if field == "attachments" else decoded(field, value)
            found.append(AttachedFile(name, len(data)))
    if len(found) > MAX_ATTACHMENTS:
        raise wrong("attachments", f"may hold {MAX_ATTACHMENTS} files at most")
    return tuple(found)


def tracked(params: Params) -> tuple[bool, bool]:
    """Whether opens and clicks are tracked; both are unless `stats` says otherwise."""
    stats = params.structure("stats") or {}
    if not isinstance(stats, dict):
        raise wrong("stats", "must be an object")
    opens, clicks = stats.get("opens", True), stats.get("clicks", True)
    if not (isinstance(opens, bool) and isinstance(clicks, bool)):
        raise wrong("stats", "must hold booleans")
    return opens, clicks


def is_draft(params: Params) -> bool:
    """Whether a draft is wanted; HTTP 422 for another type."""
    if not params.given("type"):
        return False
    if params.fields["type"] != "draft":
        raise wrong("type", "can only be draft")
    return True
