"""What a service's words are about, where it publishes no codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

__all__ = ["about_account", "about_recipient", "says_only"]

_account = re.compile(
    r"(?i)\b(?:insufficient|not[ ._-]enough|lack[ ._-]of|no|low)[ ._-]"
    r"(?:funds|money|balance|credits?)\b"
    r"|\b(?:funds|money|balance|credits?)[ ._-](?:(?:is|are)[ ._-])?"
    r"(?:insufficient|not[ ._-]enough|exhausted|too[ ._-]low|empty)\b"
    r"|\b(?:tariff|plan|plan's)[ ._-](?:\w+[ ._-])?"
    r"(?:limit|quota|exceeded|expired|exhausted|reached|ended)\b"
    r"|\b(?:недостаточно|не хватает|нет) (?:средств|денег)\b"
    r"|\b(?:тариф|баланс)\w*(?: \w+)? (?:исчерпан|превышен|израсходован|закончил|истёк|истек)"
    r"|\b(?:исчерпан|превышен)\w*(?: \w+)? (?:тариф|баланс)"
    r"|\b(?:недастаткова|не хапае|няма) (?:сродкаў|грошай)\b"
    r"|\b(?:тарыф|баланс)\w*(?: \w+)? (?:вычарпан|перавышан|скончы)"
    r"|\b(?:вычарпан|перавышан)\w*(?: \w+)? (?:тарыф|баланс)"
).search


def about_account(reasons: Iterable[str]) -> bool:
    """Whether a service without published codes says that the account has no money left, or is at
    the end of its plan. "Account" alone may be a recipient's mailbox.
    """
    return any(_account(reason) for reason in reasons)


_recipient = re.compile(
    r"(?i)\baddress|\brecipient|\bmailbox|\bdomain|unsubscri|black[ ._-]?list|stop[ ._-]?list"
    r"|адрес|получател|отпис|чёрн|черн|стоп-лист|адрас|атрымальнік|адпіс|чорн|стоп-спіс"
).search


def about_recipient(said: str) -> bool:
    """Whether the words are about a recipient, whoever that is, and not about the account."""
    return _recipient(said) is not None


_no_letters = re.compile(r"[^a-z]+")


def says_only(status: int, text: str) -> bool:
    """Whether the text is the HTTP status in words, which anybody on the way may say."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return False
    return _no_letters.sub("", text.casefold()) == _no_letters.sub("", phrase.casefold())
