"""Reading the parameters of a Devino message, and the shape in which the service refuses."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class Validation:
    """One failed validation: the error's key, the parameter, and a text for people."""

    key: str
    reference: str
    text: str = ""


class ValidationFailed(Exception):
    """The request is refused whole."""

    def __init__(self, validations: list[Validation]) -> None:
        super().__init__(validations)
        self.validations = validations


def failed(validations: list[Validation]) -> dict[str, object]:
    """The response to a request with these problems."""
    reasons = [{"Key": one.key, "Reference": one.reference} for one in validations]
    for reason, one in zip(reasons, validations, strict=True):
        if one.text:
            reason["Message"] = one.text
    return {"Description": "Validation failed", "Reasons": reasons}


def unauthorized() -> dict[str, object]:
    """The response to a missing or wrong key."""
    return {
        "Description": "Unauthorized",
        "Reasons": [{"Key": "authorization.failed", "Reference": "Authorization"}],
    }


def part(value: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The object under the name; anything else counts as an empty one."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def text(value: Mapping[str, object], name: str) -> str:
    """The text under the name; anything else counts as an empty one."""
    found = value.get(name)
    return found if isinstance(found, str) else ""
