"""What gateways say in a service's place: one page or JSON of each kind for any HTTP status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import responses
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mailkit.core.wire import Request, Response
from mailkit.sandbox import RawRequest, Service

from .answers import in_words
from .troubles import Trouble, said

BEFORE_PASSING_ON = frozenset({400, 401, 403, 404, 405, 407, 411, 413, 414, 421, 431})
"""What a gateway says before it passes a request on."""

ODD = (199, 201, 202, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 399, 600, 700, 999)
STATUSES = (200, *range(400, 600), *ODD)


def phrase(status: int) -> str:
    return responses.get(status, "Unknown Status")


NOT_TOLD_APART = {("smsby", "tyk", 429)}
"""What sms.by's own words for a limit look like; nobody says that after an act."""


Words = Callable[[int, str], object]
"""The JSON, or the text, of a gateway for a status and its phrase."""

DIALECTS: Mapping[str, Words] = {
    "nginx": lambda status, why: (
        f"<html>\r\n<head><title>{status} {why}</title></head>\r\n<body>\r\n<center><h1>{status} "
        f"{why}</h1></center>\r\n<hr><center>nginx/1.27.3</center>\r\n</body>\r\n</html>\r\n"
    ),
    "nginx in JSON": lambda status, why: {"status": status, "error": why},
    "empty": lambda status, why: "",
    "text": lambda status, why: f"{status} {why}",
    "envoy": lambda status, why: (
        "upstream connect error or disconnect/reset before headers. reset reason: overflow"
    ),
    "cloudflare": lambda status, why: f"error code: {status}",
    "problem": lambda status, why: {
        "type": "about:blank",
        "title": why,
        "status": status,
        "detail": "The upstream server did not answer.",
        "instance": "/api/v2/sendBulkEmail",
    },
    "spring": lambda status, why: {
        "timestamp": "2030-05-01T09:00:00.123+00:00",
        "status": status,
        "error": why,
        "path": "/campaigns",
    },
    "google": lambda status, why: {
        "error": {"code": status, "message": f"{why}.", "status": "UNAVAILABLE"}
    },
    "grpc": lambda status, why: {"code": 14, "message": "upstream unavailable", "details": []},
    "aws": lambda status, why: {"message": why},
    "aws in capitals": lambda status, why: {"Message": f"User is not authorized: {why}"},
    "lambda": lambda status, why: {
        "errorMessage": "2030-05-01 Task timed out after 3.00 seconds",
        "errorType": "Sandbox.Timedout",
    },
    "kong": lambda status, why: {"message": why, "request_id": "9ac3e7f4b1d0"},
    "tyk": lambda status, why: {"error": why},
    "error": lambda status, why: {"error": "upstream timeout"},
    "kubernetes": lambda status, why: {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": why,
        "reason": "Forbidden",
        "code": status,
    },
    "azure": lambda status, why: {"statusCode": status, "message": why},
    "azure front door": lambda status, why: {"error": {"code": str(status), "message": why}},
    "apigee": lambda status, why: {
        "fault": {"faultstring": why, "detail": {"errorcode": "messaging.adaptors.http.flow"}}
    },
    "wso2": lambda status, why: {"code": "900800", "message": why, "description": "Throttled out"},
    "fastify": lambda status, why: {"statusCode": status, "error": why, "message": why},
    "graphql": lambda status, why: {"errors": [{"message": why}]},
    "cloudflare api": lambda status, why: {
        "result": None,
        "success": False,
        "errors": [{"code": 10000, "message": why}],
        "messages": [],
    },
    "imperva": lambda status, why: {"errorCode": "15", "description": why, "incidentId": "1-2"},
    "django": lambda status, why: {"detail": why},
    "oauth": lambda status, why: {"error": "invalid_token", "error_description": why},
    "huawei": lambda status, why: {
        "error_code": "APIG.0201",
        "error_msg": why,
        "request_id": "1f2e",
    },
    "string": lambda status, why: json.dumps(why),
    "number": lambda status, why: str(status),
    "null": lambda status, why: "null",
    "list": lambda status, why: [],
}


def body(dialect: str, status: int) -> bytes:
    words = DIALECTS[dialect](status, phrase(status))
    return (words if isinstance(words, str) else json.dumps(words)).encode()


def page(dialect: str, status: int) -> Response:
    return Response(status, {}, body(dialect, status))


def trouble(dialect: str, status: int, *, acted: bool) -> Trouble:
    """A gateway that answers so, after it has passed the request on or without."""
    return said(acted=acted, play=in_words(status, body(dialect, status).decode()))


MAY_FOLLOW = ("envoy", "problem", "grpc", "lambda", "error", "null", "list")
"""The dialects that speak of a failure behind the gateway, whatever the status, or give no reason,
as a program's output may do.
"""


def turned_away(answer: Response) -> bool:
    """Whether the gateway says so before it passes a request on."""
    may_follow = any(answer.body == body(dialect, answer.status) for dialect in MAY_FOLLOW)
    return answer.status in BEFORE_PASSING_ON and not may_follow


Play = tuple[Response, bool]
"""What a gateway says, and whether it has passed the request on before."""


def plays(provider: str) -> Iterator[Play]:
    """A page with each status, before the service acts and, where that can be, after it; the
    dialects take turns. A 401 that ends the job is left out.
    """
    dialects = list(DIALECTS)
    for at, (status, acted) in enumerate(product(STATUSES, (False, True))):
        dialect = dialects[at % len(dialects)]
        answer = page(dialect, status)
        ends = status == 401 and turned_away(answer)
        possible = not ends and (not acted or not turned_away(answer))
        if possible and (provider, dialect, status) not in NOT_TOLD_APART:
            yield answer, acted


class Front:
    """A gateway in front of a service, without sockets: each request of the operation meets the
    next play, or none.
    """

    def __init__(self, service: Service[Any], operation: str, plays: Iterable[Play | None]) -> None:
        self.operation = operation
        self._service = service
        self._plays = iter(plays)

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = True
        play = next(self._plays, None) if self.operation_of(request) == self.operation else None
        if play is not None and not play[1]:
            return play[0]
        answer = self._act(request)
        return answer if play is None else play[0]

    def operation_of(self, request: Request) -> str:
        found = self._service.find(request.verb, urlsplit(request.url).path)
        return "" if found is None else found[0]

    def _act(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        match = self._service.find(request.verb, parts.path)
        assert match is not None
        raw = RawRequest(
            *match,
            request.verb,
            parts.path,
            parts.query.encode(),
            request.headers.get("Content-Type", ""),
            request.body or b"",
            request.headers.get("Authorization", ""),
        )
        reply = self._service.act(self._service.parse(raw))
        return Response(reply.status, dict(reply.headers), msgspec.json.encode(reply.value))

    async def aclose(self) -> None:
        return
