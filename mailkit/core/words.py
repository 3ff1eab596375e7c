"""What a service's words are about, where it publishes no codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

__all__ = ["about_account", "about_failure", "about_recipient", "says_only"]

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
).search


def about_account(reasons: Iterable[str]) -> bool:
    """Whether a service without published codes says that the account has no money left, or is at
    the end of its plan. "Account" alone may be a recipient's mailbox.
    """
    return any(_account(reason) for reason in reasons)


_recipient = re.compile(
    r"(?i)\baddress|\brecipient|\bmailbox|\bdomain|unsubscri|black[ ._-]?list|stop[ ._-]?list"
    r"|адрес|получател|отпис|чёрн|черн|стоп-лист"
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


_failure = re.compile(
    r"(?i)timed?[ -]?out|deadline exceeded|execution time|out of memory|memory size|exception"
    r"|fatal error|unexpected (?:end|eof|token|response)|went wrong|unknown error|internal error"
    r"|server error|status code|\b50[234]\b|temporar(?:y|ily) (?:error|failure|unavailable)"
    r"|service (?:is )?unavailable|overloaded|server (?:is )?busy|maintenance|upstream|gateway"
    r"|proxy|backend|\borigin\b|circuit|no healthy|(?:no|bad|invalid|empty) response|not respond"
    r"|connection|ECONN|disconnect|(?:to|not) connect\b|connect error|socket|network error"
    r"|unreachable|hang up|aborted|context cancel|broken pipe|EPIPE|EHOST|ENOTFOUND|EAI_|\bEOF\b"
    r"|fetch failed|failed to fetch|resolve host|TLS|handshake|SQLSTATE|deadlock|lock wait"
    r"|gone away|header|cookie|no such route|no route|page not found|authori[sz]ation field"
    r"|firewall|captcha|(?:время|времени) ожидания|тайм-?аут|соединени|внутренняя ошибка"
    r"|ошибка сервера|неизвестная ошибка|технические работы"
    r"|(?:сервис|сервер) (?:временно )?(?:недоступ|занят|перегруж)"
).search
_between_words = re.compile(r"[._]+").sub


def about_failure(said: str) -> bool:
    """Whether the words report a failure on the way or inside: it may have come after the act."""
    return any(_failure(text) for text in (said, _between_words(" ", said)))
