"""Why there is no message, or more than one, where a test expects one."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from mailkit.sandbox.truth import Email, Truth, wanted

FEW = 5


def mismatch(
    address: str,
    found: Sequence[Email],
    truth: Truth,
    requests: Mapping[str, int],
    due_in: float | None,
) -> str:
    """What was sent instead of one message to the address; `due_in` is when something happens next
    by itself, in seconds of the sandbox's time.
    """
    if found:
        return _lines(f"{len(found)} messages to {address}:", found)
    lines = [f"no message to {address}"]
    if truth.emails:
        sent = [one for one in map(truth.email, range(truth.emails, 0, -1)[:FEW]) if one]
        lines = [_lines(f"{lines[0]}; {truth.emails} to others, the last of them:", sent)]
        near = get_close_matches(wanted(address), {one.address for one in sent}, 1)
        lines += [f"did you mean {near[0]}?"] if near else []
    elif requests:
        counts = ", ".join(f"{name} ({count})" for name, count in requests.items())
        lines.append(f"nobody was mailed; the sandbox got these requests: {counts}")
    else:
        lines.append("the sandbox got no request: is the client connected to it?")
    if due_in is not None and due_in > 0:
        lines.append(f"something is due in {due_in:.0f} s: sandbox.clock.advance({due_in + 1:.0f})")
    return "\n".join(lines)


def _lines(title: str, emails: Sequence[Email]) -> str:
    more = [f"  and {len(emails) - FEW} more"] if len(emails) > FEW else []
    return "\n".join([title, *(f"  {email!r}" for email in emails[:FEW]), *more])
