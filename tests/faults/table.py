"""The table of faults: what each does to a request, and what mailkit makes of it."""

# ruff: noqa: E501 - a row is a line

from __future__ import annotations

import socket
from collections.abc import Container
from math import inf

import attrs

from mailkit.core.retry import Outcome
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    MailkitError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)

from . import answers as a
from . import gateways as g
from . import troubles as t
from .calls import Call
from .troubles import Trouble, sandbox
from .world import PATIENT

TRIES = 3
"""How often a call is tried that may be tried again."""

ANSWERED, REFUSED = Outcome.ANSWERED, Outcome.REFUSED
NOT_SENT, NOT_NOW, UNKNOWN = Outcome.NOT_SENT, Outcome.NOT_NOW, Outcome.UNKNOWN

Error = type[MailkitError] | None


@attrs.frozen
class Row:
    """A fault that lasts: the outcome of each attempt, and then, for a call that sends, how it
    ends, how often its request arrives and how often it is acted upon; for a call that only
    asks, how it ends and how often it arrives. ``slow`` faults end by running out of time.
    ``only`` names the providers whose own words the fault is in, where others have none; ``own``
    is a response that one call alone can read.
    """

    fault: str
    outcome: Outcome
    sends: Error
    arrivals: int
    acted: int
    asks: Error
    questions: int
    trouble: Trouble
    slow: bool = False
    only: tuple[str, ...] = ()
    own: bool = False

    def concerns(self, call: Call) -> bool:
        return not self.only or call.provider in self.only

    def ends(self, repeatable: bool) -> Error:
        return self.asks if repeatable else self.sends

    def arrives(self, repeatable: bool) -> int:
        return self.questions if repeatable else self.arrivals

    def tried_again(self, repeatable: bool) -> bool:
        return self.outcome is NOT_SENT or self.arrives(repeatable) == TRIES


def one_of_each(call: Call, *, but: Container[str] = ()) -> list[Row]:
    """The first fault of each that ends the call alike, ``but`` for these: what a job makes of the
    end, and of nothing else, is the engine's.
    """
    alike: dict[object, Row] = {}
    for row in TABLE:
        if row.concerns(call) and row.fault not in but:
            end = row.ends(call.repeatable), row.arrives(call.repeatable)
            alike.setdefault((*end, not call.repeatable and row.acted, row.slow), row)
    return list(alike.values())


def patience(row: Row, *, again: bool) -> float:
    """The seconds for an attempt; one that comes ``again`` has to connect within them."""
    return PATIENT if not row.slow else 0.3 if again else 0.05


# fmt: off
WIRE = [
    #                                                a call that sends:     acted   one that asks:
    #   the fault                         outcome    error        arrivals   |      error   arrivals

    Row("nothing goes wrong",             ANSWERED,  None,                1, 1, None,         1, t.nothing),
    Row("an answer in small chunks",      ANSWERED,  None,                1, 1, None,         1, t.said(acted=True, play=a.in_chunks)),
    Row("an answer without its length",   ANSWERED,  None,                1, 1, None,         1, t.said(acted=True, play=a.without_length)),
    Row("103 before the answer",          ANSWERED,  None,                1, 1, None,         1, t.said(acted=True, play=a.after_hints)),
    Row("an answer packed with gzip",     ANSWERED,  None,                1, 1, None,         1, sandbox("gzip_bomb", size=5000)),
    Row("an answer that takes its time",  ANSWERED,  None,                1, 1, None,         1, sandbox("slow_answer", seconds=0.02)),

    Row("connection refused",             NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.refused),
    Row("no such name",                   NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.nameless(socket.EAI_NONAME)),
    Row("no name server",                 NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.nameless(socket.EAI_AGAIN)),
    Row("TLS with a plain-text port",     NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.plain_text),
    Row("TLS that hangs up",              NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.hung_up),
    Row("a self-signed certificate",      NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.self_signed),
    Row("a TLS handshake without end",    NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.handshake_without_end()),
    Row("a connection that never comes",  NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.deaf_port()),
    Row("no place in the pool",           NOT_SENT,  NotSent,             0, 0, NotSent,      0, t.full_pool()),

    Row("reset before reading",           UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("reset_before_reading")),
    Row("reset after reading",            UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("reset_after_reading")),
    Row("reset after acting",             UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("reset_after_acting")),
    Row("closed after reading",           UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, t.said(acted=False, play=a.silence)),
    Row("closed after acting",            UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, t.said(acted=True, play=a.silence)),
    Row("never an answer",                UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("slow_before_acting", seconds=inf), slow=True),
    Row("acts after its client is gone",  UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("slow_before_acting", seconds=1.0), slow=True),
    Row("an answer that is too late",     UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("slow_answer", seconds=inf), slow=True),
    Row("headers that trickle in",        UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("slow_headers", seconds=60), slow=True),
    Row("a cut answer",                   UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("cut_answer")),
    Row("a length that is too long",      UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("wrong_length", size=7)),
    Row("a length that is too short",     UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("wrong_length", size=-5)),
    Row("chunks without their end",       UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, t.said(acted=True, play=a.in_chunks_without_end)),
    Row("gzip that is none",              UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, t.said(acted=True, play=a.not_gzip)),
    Row("another protocol",               UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, t.said(acted=False, play=a.not_http)),
    Row("a header of 20 KB",              UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, t.said(acted=True, play=a.long_header)),
    Row("a gzip bomb",                    UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("gzip_bomb", size=3_000_000)),
    Row("a body of 100 MB",               UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("huge_body")),

    Row("cut JSON without its length",    UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, t.said(acted=True, play=a.without_length_cut)),
    Row("204",                            UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, sandbox("empty_200", status=204)),
    Row("301 to another host",            UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, t.moved(301)),
    Row("302 to another host",            UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, t.moved(302)),
    Row("303 to another host",            UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, t.moved(303)),
    Row("307 to another host",            UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, t.moved(307)),
    Row("308 to another host",            UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, t.moved(308)),
]
"""Faults of the connection and of HTTP itself, in which one kind of request may differ from another."""

WORDS = [
    #                                                a call that sends:     acted   one that asks:
    #   the fault                         outcome    error        arrivals   |      error   arrivals

    Row("cut JSON",                       UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, sandbox("cut_json")),
    Row("JSON without a bottom",          UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, t.said(acted=True, play=a.nested)),
    Row("wrong types",                    UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, sandbox("wrong_types"), own=True),
    Row("200 with HTML",                  UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, sandbox("html_200")),
    Row("200 with HTML, not acted",       UNKNOWN,   OutcomeUnknown,      1, 0, BadResponse,    3, sandbox("html_200", acted=False)),
    Row("200 with plain text",            UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, t.said(acted=True, play=a.in_words(200, "not now"))),
    Row("200 with an empty body",         UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, sandbox("empty_200")),
    Row("408",                            UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=408)),
    Row("408, acted all the same",        UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("server_error", status=408, acted=True)),
    Row("500 in JSON",                    UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error")),
    Row("500 in JSON, acted",             UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("server_error", acted=True)),
    Row("500 in HTML",                    UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", html=True)),
    Row("502 in JSON",                    UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=502)),
    Row("502 in HTML, acted",             UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("server_error", status=502, html=True, acted=True)),
    Row("503 in HTML",                    UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=503, html=True)),
    Row("504 in JSON",                    UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=504)),
    Row("504 in HTML, acted",             UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, sandbox("server_error", status=504, html=True, acted=True)),
    Row("599",                            UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=599)),
    Row("503 in sms.by's JSON",           UNKNOWN,   OutcomeUnknown,      1, 0, Unavailable,  3, sandbox("server_error", status=503), only=("smsby",)),
    Row("401 in sms.by's JSON",           NOT_NOW,   AuthenticationFailed, 1, 0, Unavailable,  3, sandbox("token_refused", status=401), only=("smsby",)),
    Row("401 in HTML",                    NOT_NOW,   AuthenticationFailed, 1, 0, Unavailable,  3, sandbox("html_200", status=401, acted=False)),
    Row("429 in HTML",                    UNKNOWN,   OutcomeUnknown,      1, 0, RateLimited,  3, sandbox("html_200", status=429, acted=False)),
    Row("a gateway's 503, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, g.trouble("problem", 503, acted=True)),
    Row("a gateway's 502, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, g.trouble("aws", 502, acted=True)),
    Row("a gateway's 429, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, RateLimited,  3, g.trouble("kong", 429, acted=True)),
    Row("a gateway's 402, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, g.trouble("google", 402, acted=True)),
    Row("a gateway's 451, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, g.trouble("spring", 451, acted=True)),
    Row("a gateway's 299, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, g.trouble("error", 299, acted=True)),
    Row("a gateway's 200, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, BadResponse,    3, g.trouble("error", 200, acted=True)),
    Row("a gateway's 999, acted",         UNKNOWN,   OutcomeUnknown,      1, 1, Unavailable,  3, g.trouble("nginx", 999, acted=True)),

    Row("a gateway's 400",                NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, g.trouble("azure", 400, acted=False)),
    Row("a gateway's 403",                NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, g.trouble("aws", 403, acted=False)),
    Row("a gateway's 404",                NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, g.trouble("kong", 404, acted=False)),
    Row("a gateway's 407",                NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, g.trouble("empty", 407, acted=False)),
    Row("a gateway's 421",                NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, g.trouble("google", 421, acted=False)),
    Row("404 in HTML",                    NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, sandbox("html_200", status=404, acted=False)),
    Row("413 in HTML",                    NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, sandbox("html_200", status=413, acted=False)),
    Row("403 in sms.by's JSON",           NOT_NOW,   Unavailable,         1, 0, Unavailable,  3, sandbox("error_envelope", status=403), only=("smsby",)),

    Row("503 in the service's JSON",      REFUSED,   Unavailable,         3, 0, Unavailable,  3, sandbox("server_error", status=503), only=("devino", "sendpulse")),
    Row("429, later by seconds",          REFUSED,   RateLimited,         3, 0, RateLimited,  3, sandbox("rate_limited", retry_after=7)),
    Row("429, later by a date",           REFUSED,   RateLimited,         3, 0, RateLimited,  3, t.later(9)),
    Row("429, later by a date gone by",   REFUSED,   RateLimited,         3, 0, RateLimited,  3, t.later(-3600)),
    Row("429, at once",                   REFUSED,   RateLimited,         3, 0, RateLimited,  3, sandbox("rate_limited", retry_after=0)),
    Row("429, before now",                REFUSED,   RateLimited,         3, 0, RateLimited,  3, sandbox("rate_limited", retry_after=-5)),
    Row("429, soon",                      REFUSED,   RateLimited,         3, 0, RateLimited,  3, sandbox("rate_limited", retry_after="soon")),
    Row("429, no word when",              REFUSED,   RateLimited,         3, 0, RateLimited,  3, sandbox("rate_limited", retry_after=None)),
    Row("429, in a thousand years",       REFUSED,   RateLimited,         1, 0, RateLimited,  1, sandbox("rate_limited", retry_after="99999999999")),
    Row("the code for too fast",          REFUSED,   QuotaExhausted,      3, 0, QuotaExhausted, 3, t.said(acted=False, play=a.in_words(400, '{"message":"Wait","error_code":2020202020}')), only=("sendpulse",)),
    Row("the code for a used-up quota",   REFUSED,   QuotaExhausted,      1, 0, QuotaExhausted, 1, t.said(acted=False, play=a.in_words(422, '{"message":"Wait","error_code":791}')), only=("sendpulse",)),
    Row("an error envelope",              REFUSED,   Refused,             1, 0, Refused,      1, sandbox("error_envelope")),
    Row("an error at 200",                REFUSED,   Refused,             1, 0, Refused,      1, sandbox("error_envelope", status=200), only=("devino", "sendpulse")),
    Row("false at 200",                   REFUSED,   Refused,             1, 0, Refused,      1, t.said(acted=False, play=a.in_words(200, '{"result":false}')), only=("sendpulse",)),
    Row("false as success at 200",        REFUSED,   Refused,             1, 0, Refused,      1, t.said(acted=False, play=a.in_words(200, '{"success":true,"data":[false]}')), only=("sendpulse",)),
    Row("400",                            REFUSED,   Refused,             1, 0, Refused,      1, sandbox("error_envelope", status=400)),
    Row("404",                            REFUSED,   NotFound,            1, 0, NotFound,     1, sandbox("error_envelope", status=404)),
    Row("421",                            REFUSED,   Refused,             1, 0, Refused,      1, sandbox("error_envelope", status=421)),
    Row("a token refused at 200",         REFUSED,   AuthenticationFailed, 1, 0, AuthenticationFailed, 1, sandbox("token_refused"), only=("smsby",)),
    Row("a token refused at 401",         REFUSED,   AuthenticationFailed, 1, 0, AuthenticationFailed, 1, sandbox("token_refused", status=401), only=("devino", "sendpulse")),
    Row("403",                            REFUSED,   AuthenticationFailed, 1, 0, AuthenticationFailed, 1, sandbox("error_envelope", status=403), only=("devino", "sendpulse")),
]
"""Whole responses, whose words alone count."""

TABLE = WIRE + WORDS
# fmt: on
