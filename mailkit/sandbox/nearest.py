"""What a misspelled name was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str], otherwise: str) -> str:
    """ "did you mean …?", with the nearest of the known names, or `otherwise` if none is near.

    Dotted names are also found by their last parts: `emails.send` for `smsby.emails.send`.
    """
    names = list(known)
    near = [one for one in names if one.endswith(f".{name}")] or get_close_matches(name, names, 1)
    return f"did you mean {' or '.join(near[:3])}?" if near else otherwise


def operation_meant(name: str, known: Iterable[str]) -> str:
    """The same for an operation, or for all of a service or resource, such as `smsby.*`."""
    operations = sorted(known)
    groups = {
        f"{one.rsplit('.', parts)[0]}.*"
        for one in operations
        for parts in range(1, one.count(".") + 1)
    }
    services = ", ".join(sorted(one for one in groups if one.count(".") == 1))
    return meant(name, [*operations, *sorted(groups)], f"use * or a call of {services}")
