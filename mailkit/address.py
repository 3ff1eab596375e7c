"""E-mail addresses: checked strictly and offline, brought to one spelling, and compared.

A regular expression without backtracking decides the common address; what it can't decide
(internationalised domains, long addresses, the reason of a refusal) costs a closer look.
Special domains (``.test``, ``.local``, ``example.com``) are addresses like any other here:
whether a domain takes mail is for the service to say. What no mail service takes is invalid:
a quoted part before the @, letters outside ASCII there, an IP address for a domain.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import attrs

from mailkit.errors import InvalidArgument
from mailkit.text import BLANKS, header_text

__all__ = ["Address", "InvalidAddress", "are_common", "dedupe_key", "normalize"]

# Possessive quantifiers only after single characters: after groups they match wrongly before
# Python 3.11.5. No group here needs one, since each round ends with a character of its own.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_DOMAIN = r"(?:[a-z0-9]++[.-])+(?<=\.)[a-z]{2,}+"  # "--" is left to IDNA

_common = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_DOMAIN}").fullmatch
_common_domain = re.compile(_DOMAIN).fullmatch
_local_part = re.compile(rf"{_ATOM}(?:\.{_ATOM})*").fullmatch
_not_in_domain = re.compile(r"[^\w.。．-]|_").search
_not_in_local_part = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]").search

_IN_PARTS = (string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~.-").encode()

_plain_name = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]++").fullmatch
_name_part = re.compile(r'"((?:[^"\\]++|\\.)*)"|([^"]++)').match
_encoded_word = re.compile(r"=\?[^?\s]++\?[A-Za-z]\?[^?\s]*+\?=").search

_in_single_quotes = re.compile("'.+'").fullmatch

_LONGEST = 254
_LONGEST_LOCAL = 64
_LONGEST_LABEL = 63


class InvalidAddress(InvalidArgument):
    """Text that is not an e-mail address; ``reason`` says why in a few words, such as ``no @``."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason

    def __str__(self) -> str:
        shown = self.address if len(self.address) <= 80 else self.address[:80] + "…"
        return f"{shown!r} is not an email address: {self.reason}"


def normalize(text: str) -> str:
    """The address in its one spelling, always ASCII: nothing blank around it, the domain in
    lower case and punycode, the part before the @ as it was. Raises InvalidAddress.
    """
    if len(text) <= _LONGEST_LABEL and _common(text):  # so short, no limit of a part is passed
        return text
    return _look_closer(text)


def are_common(addresses: Sequence[str]) -> Sequence[object]:
    """Whether `normalize` gives each of these as it is, as far as a quick look can tell."""
    if _all_common(addresses):
        return [True] * len(addresses)
    return [len(text) <= _LONGEST_LABEL and _common(text) for text in addresses]


def _all_common(addresses: Sequence[str]) -> bool:
    """One look at all of them, and one at each domain: a third of the time."""
    text = "\n".join([*addresses, ""])
    return (
        text.isascii()
        and text.encode().translate(None, _IN_PARTS) == b"@\n" * len(addresses)
        and not text.startswith((".", "@"))
        and not any(map(text.__contains__, ("..", "\n.", ".@", "\n@")))
        and max(map(len, addresses)) <= _LONGEST_LABEL
        and all(map(_is_common_domain, {*text.replace("\n", "@").split("@")[1::2]}))
    )


@lru_cache(maxsize=10_000)
def _is_common_domain(domain: str) -> bool:
    return bool(_common_domain(domain))


def dedupe_key(normalized: str) -> str:
    """What two spellings of one mailbox share: the whole address case-folded. ``+tag`` and dots
    stay, since only some services ignore them.
    """
    if normalized.isascii():
        return normalized.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", normalized).casefold())


def _email(value: str) -> str:
    return normalize(header_text(value, "address"))


def _name(value: str) -> str:
    return header_text(value, "name of the address").strip()


@attrs.frozen
class Address:
    """A mailbox: ``email``, in the spelling of `normalize`, and the ``name`` shown with it.

    Raises InvalidAddress if the email is not an address, InvalidArgument if either holds a line
    break or another control character. ``str()`` gives the header form, which `parse` reads back.
    """

    email: str = attrs.field(converter=_email)
    name: str = attrs.field(default="", converter=_name)

    @classmethod
    def parse(cls, value: Address | str) -> Address:
        """Read ``news@shop.by``, ``Shop <news@shop.by>`` or ``"Shop, Inc." <news@shop.by>``; a name
        in encoded words is decoded. One address only; an Address is returned as it is.
        """
        if isinstance(value, Address):
            return value
        text = header_text(value, "address").strip(BLANKS)
        if not text.endswith(">"):
            if fault := _beside_address(text):
                raise InvalidAddress(text, fault)
            return cls(text)
        name, bracket, email = text[:-1].rpartition("<")
        if not bracket:
            raise InvalidAddress(text, "a > without a <")
        return cls(email, _display_name(name.strip(), text))

    def __str__(self) -> str:
        if not self.name:
            return self.email
        if _plain_name(self.name) and not _in_single_quotes(self.name):
            return f"{self.name} <{self.email}>"
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{self.email}>'


def _display_name(name: str, text: str) -> str:
    """The name as it is shown: quotes, their backslashes and encoded words read."""
    shown, at = "", 0
    while at < len(name):
        found = _name_part(name, at)
        if found is None:
            raise InvalidAddress(text, "an unclosed quote in the name")
        quoted, bare = found.groups()
        if bare and ("<" in bare or ("@" in bare and ("," in bare or ";" in bare))):
            raise InvalidAddress(text, "more than one address; give one")
        shown += bare or re.sub(r"\\(.)", r"\1", quoted or "")
        at = found.end()
    if _encoded_word(shown):
        return _decoded(shown, text)
    return name[1:-1] if _in_single_quotes(name) else shown


def _decoded(name: str, text: str) -> str:
    from email.errors import HeaderParseError  # imports that few names need
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        reason = "an encoded word in the name that can't be decoded; write the name as plain text"
        raise InvalidAddress(text, reason) from None


def _beside_address(text: str) -> str | None:
    """What surrounds the address in a text that does not end with a bracket, and how to write it;
    None if nothing does.
    """
    example = "write it as Name <address>"
    if "<" in text and ">" in text:
        return f"text after the angle brackets; {example}"
    if "&lt;" in text:
        return f"&lt; instead of <; {example}"
    if text.endswith(")") and "(" in text and "@" in text:
        return f"a name in parentheses; {example}"
    words = text.split()
    if text.count("@") > 1 and (len(words) > 1 or "," in text or ";" in text):
        return "more than one address; give one"
    if len(words) > 1 and "@" in words[-1] and "@" not in "".join(words[:-1]):
        return f"a name, but no angle brackets around the address; {example}"
    return None


def _look_closer(text: str) -> str:
    address = text.strip(BLANKS)
    fault = _fault(address)
    if fault:
        raise InvalidAddress(text, fault)
    local, _, domain = address.partition("@")
    try:
        address = f"{local}@{_ascii_domain(domain)}"
    except ValueError as error:
        raise InvalidAddress(text, str(error)) from None
    if len(address) > _LONGEST:
        raise InvalidAddress(text, f"longer than {_LONGEST} characters")
    return address


def _fault(address: str) -> str | None:
    """Why this is not an address, apart from the domain's spelling; None if it may be one."""
    if not address:
        return "the address is empty"
    local, at, domain = address.rpartition("@")
    if not at:
        return "no @"
    if local.startswith('"'):
        return "a quoted part before the @, which mail services refuse"
    if address.endswith(">"):
        return "angle brackets; give the bare address"
    if "@" in local:
        return "more than one @"
    if not local:
        return "nothing before the @"
    if not domain:
        return "nothing after the @"
    if not _local_part(local):
        if odd := _not_in_local_part(local):
            hint = "" if odd[0].isascii() else "; only ASCII letters are accepted there"
            return f"{odd[0]!r} before the @{hint}"
        return "a dot before the @ at the beginning, at the end or twice in a row"
    if len(local) > _LONGEST_LOCAL:
        return f"local part longer than {_LONGEST_LOCAL} bytes"
    if len(address) > _LONGEST:
        return f"longer than {_LONGEST} characters"
    return None


@lru_cache(maxsize=10_000)
def _ascii_domain(domain: str) -> str:
    """The domain in lower case and punycode; ValueError with the reason if it is invalid."""
    if domain.isascii():
        domain = domain.lower()
        if _common_domain(domain):
            if max(map(len, domain.split("."))) > _LONGEST_LABEL:
                raise ValueError(f"a part of the domain longer than {_LONGEST_LABEL} bytes")
            return domain
        if domain.startswith("[") or domain.rpartition(".")[2].isdigit():
            raise ValueError("an IP address for a domain")
        if "." not in domain:
            raise ValueError("no dot in the domain")
        if domain.endswith("."):
            raise ValueError("a dot at the end of the domain")
    if not _not_in_domain(domain) and (fault := _mixed(domain)):
        raise ValueError(fault)
    # Imported here, since few programs meet such a domain and the import is slow.
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError(_domain_fault(domain)) from None
    if fault := _mixed(found.domain):  # it was written in punycode
        raise ValueError(fault)
    return found.ascii_domain


def _mixed(domain: str) -> str | None:
    """Why no registry has this domain, if a part of it mixes Latin and Cyrillic letters."""
    for part in _labels(domain):
        latin = [char for char in part if _script(char) == "LATIN"]
        cyrillic = [char for char in part if _script(char) == "CYRILLIC"]
        if not (latin and cyrillic):
            continue
        if len(cyrillic) <= len(latin):
            found, script, others = cyrillic[0], "Cyrillic", "Latin"
        else:
            found, script, others = latin[0], "Latin", "Cyrillic"
        return (
            f"the {script} letter {found!r} among {others} letters in the domain; type the "
            f"{others} letter in its place"
        )
    return None


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _labels(domain: str) -> list[str]:
    return re.split("[.\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH FULL STOP}]", domain)


def _domain_fault(domain: str) -> str:
    """Why this is not a domain."""
    if odd := _not_in_domain(domain):
        return f"{'a space' if odd[0] == ' ' else repr(odd[0])} in the domain"
    parts = _labels(domain)
    if not all(parts):
        return "an extra dot in the domain"
    if any("-" in (part[0], part[-1]) for part in parts):
        return "a hyphen at the beginning or end of a part of the domain"
    if max(map(len, parts)) > _LONGEST_LABEL:
        return f"a part of the domain longer than {_LONGEST_LABEL} bytes"
    return "not a valid domain"
