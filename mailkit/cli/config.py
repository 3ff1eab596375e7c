"""The defaults of a folder: its ``mailkit.toml``, with profiles, and its ``.env``.

Options override environment variables, these override ``.env``, and ``.env`` overrides
``mailkit.toml``. Credentials are only in the environment or in ``.env``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from mailkit.bulk.journal import is_address
from mailkit.cli.dotenv import read_dotenv
from mailkit.errors import InvalidArgument
from mailkit.message import Message

__all__ = ["DEFAULTS", "FILE", "KINDS", "Config", "is_credential", "read_config"]

FILE = "mailkit.toml"
DEFAULTS: Mapping[str, type] = {
    "account": str,
    "concurrency": int,
    "delimiter": str,
    "email-column": str,
    "encoding": str,
    "journal": str,
    "map": list,
    "provider": list,
    "rate": str,
    "strict": bool,
    "suppress": str,
    "track": str,
}
"""The options that a file can have, and their types in TOML. None of them makes anybody be mailed
who would not be without it. An option that some command takes several times is a list, or a string
for a list of one."""

KINDS = {
    str: "a string",
    int: "a number",
    bool: "true or false",
    list: "a string, or a list of strings",
}
"""The types in words."""

_SUCH_AS = "the provider's variable, such as MAILKIT_SMSBY_TOKEN"
_PATHS = ("journal", "suppress")
is_credential = re.compile(r"(?i)token|key|secret|password|client.?id|login|credential").search
"""Whether an option or a variable of this name holds a credential."""

_address = re.compile(r"MAILKIT_([A-Z0-9]+)_URL").fullmatch


@attrs.frozen
class Config:
    """``options`` by their names, and environment ``variables``, which may hold credentials."""

    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    variables: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)


def read_config(
    place: Path | None,
    profile: str | None,
    environment: Mapping[str, str],
    providers: Sequence[str],
) -> Config:
    """What the files say that ``place`` names, or those in the current folder, for this profile, or
    the one of ``MAILKIT_PROFILE``. The variables are those that the environment has not got.

    InvalidArgument, with the file and the place in it, for what can't be meant.
    """
    folder = Path() if place is None else place.parent
    variables = read_dotenv(folder / ".env")
    profile = profile or environment.get("MAILKIT_PROFILE") or variables.get("MAILKIT_PROFILE")
    table = _Table(place or folder / FILE, providers, must_be_there=place is not None)
    options, others = table.read(profile)
    if profile:
        own = read_dotenv(folder / f".env.{profile}")
        if not own and profile not in table.profiles:
            known = ", ".join(sorted(table.profiles)) or "none"
            raise InvalidArgument(f"there is no profile {profile!r}; {table.path} has {known}")
        variables |= own
    if "MAILKIT_JOURNAL" in variables:
        variables["MAILKIT_JOURNAL"] = _beside(folder, variables["MAILKIT_JOURNAL"])
    variables = {**others, **variables}
    _check_addresses(variables, environment)
    new = {name: value for name, value in variables.items() if name not in environment}
    return Config(options, new)


class _Table:
    """A mailkit.toml. One that is a message is none."""

    def __init__(self, path: Path, providers: Sequence[str], *, must_be_there: bool) -> None:
        self.path = path
        self._providers = providers
        self._tree = self._parsed(must_be_there=must_be_there)
        own = ("defaults", "profiles", *providers)
        words = {field.name for field in attrs.fields(Message)} | {"html_file", "text_file"}
        if self._tree.keys() & words and not self._tree.keys() & set(own):
            self._tree = {}
        for name, value in self._tree.items():
            self._known(name, own, "")
            if not isinstance(value, dict):
                raise self._wrong("", f"{name} must be a table: write [{name}]")
        self.profiles: Mapping[str, Any] = self._tree.get("profiles", {})

    def read(self, profile: str | None) -> tuple[dict[str, Any], dict[str, str]]:
        """The options and the variables of the defaults, and of this profile on top."""
        options = self._options(self._tree.get("defaults", {}), "defaults")
        variables = self._variables(self._tree, "")
        for name, table in self.profiles.items():
            where = f"profiles.{name}"
            if not isinstance(table, dict):
                raise self._wrong("profiles", f"{name} must be a table: write [{where}]")
            said = {key: value for key, value in table.items() if key not in self._providers}
            own, ours = self._options(said, where), self._variables(table, f"{where}.")
            if name == profile:
                options |= own
                variables |= ours
        return options, variables

    def _options(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in table.items():
            if is_credential(name):
                known = table.get("provider") in self._providers
                variable = _variable(table["provider"], name) if known else _SUCH_AS
                raise self._credential(where, name, variable)
            option = name.replace("_", "-")
            self._known(option, DEFAULTS, where)
            kind = DEFAULTS[option]
            given = [value] if kind is list and isinstance(value, str) else value
            texts = given if kind is list and isinstance(given, list) else [""]
            if type(given) is not kind or not all(isinstance(text, str) for text in texts):
                raise self._wrong(where, f"{name} must be {KINDS[kind]}")
            found[option] = _beside(self.path.parent, str(given)) if option in _PATHS else given
        return found

    def _variables(self, tree: Mapping[str, Any], prefix: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for provider in self._providers:
            for name, value in tree.get(provider, {}).items():
                variable = _variable(provider, name)
                if is_credential(name):
                    raise self._credential(f"{prefix}{provider}", name, variable)
                if not isinstance(value, str):
                    raise self._wrong(f"{prefix}{provider}", f"{name} must be a string")
                found[variable] = value
        return found

    def _parsed(self, *, must_be_there: bool) -> Mapping[str, Any]:
        if not must_be_there and not self.path.is_file():
            return {}
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidArgument(f"{self.path} can't be read: {why}") from None

    def _known(self, name: str, names: Sequence[str] | Mapping[str, Any], where: str) -> None:
        if name in names:
            return
        if not where and name.replace("_", "-") in DEFAULTS:
            raise self._wrong(where, f"{name} is an option: put it under [defaults]")
        near = get_close_matches(name, names, 1)
        remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
        raise self._wrong(where, f"{name} is unknown: {remedy}")

    def _credential(self, where: str, name: str, variable: str) -> InvalidArgument:
        return self._wrong(
            where,
            f"{name} is a credential, and others may read this file: put it in the environment or "
            f"in .env, as {variable}",
        )

    def _wrong(self, where: str, what: str) -> InvalidArgument:
        return InvalidArgument(f"{self.path}: {f'[{where}] ' if where else ''}{what}")


def _variable(provider: str, name: str) -> str:
    """The environment variable of this option of the provider."""
    return f"MAILKIT_{provider}_{name}".upper().replace("-", "_")


def _beside(folder: Path, path: str) -> str:
    """A path in a file is relative to the file's folder."""
    if is_address(path):
        return path
    return str(folder / Path(path).expanduser())


def _check_addresses(variables: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Whoever wrote a file in some folder must not get the credential of the environment."""
    for name in variables.keys() - environment.keys():
        found = _address(name)
        mine = f"MAILKIT_{found[1]}_" if found else None
        if mine and any(one.startswith(mine) and is_credential(one) for one in environment):
            raise InvalidArgument(
                f"{name} comes from a file, and the credential from the environment would be sent "
                "to that URL: put both in .env, or both in the environment"
            )
