"""``{"data": …}`` is a success, ``{"problem": {"code": …, "text": …}}`` a refusal."""

from __future__ import annotations

import msgspec

from mailkit.provider import Raw, Refusal, Response, Unreadable

__all__ = ["unwrap"]


class _Problem(msgspec.Struct):
    code: str
    text: str


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    problem: _Problem | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


def unwrap(response: Response) -> Raw | Refusal:
    """The bytes of the data, or the service's own no; Unreadable for what is neither."""
    try:
        found = _decode(response.body)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"not a response of Listmail: {error}") from None
    if found.problem is not None and not found.data:
        problem = found.problem
        return Refusal((problem.text,), problem.code, account=problem.code == "balance")
    if not found.data:
        raise Unreadable("not a response of Listmail: neither data nor a problem")
    return found.data
