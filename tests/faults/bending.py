"""Answers that are bent: samples, envelopes and gateways' pages, changed as trees and as bytes."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from .gateways import DIALECTS, page

RECIPIENTS = ["a@mail.by", "b@mail.by", "c@mail.by"]
SAMPLES = Path(__file__).parents[1] / "samples"
ENVELOPES: dict[str, list[Any]] = {
    "smsby": [
        {"status": "OK", "result": {"email_id": 5, "message_id": 6, "list_id": 7, "uuid": "u-1"}},
        {"status": "success", "data": {"uuid": "u-1", "email_id": "5"}},
        {"success": "OK", "uuid": "u-1"},
        {"error": "No such list"},
        {"status": "error", "message": "Data not verified"},
    ],
    "devino": [
        {
            "result": [
                {"index": n, "address": one, "messageId": f"m{n}"}
                for n, one in enumerate(RECIPIENTS)
            ],
            "description": "ok",
        },
        {"result": {"fileId": "f", "publicUrl": "http://f"}},
        {"Description": "Validation failed", "Reasons": [{"Key": "k", "Reference": "r"}]},
        {"code": "error", "description": "no money"},
    ],
    "sendpulse": [
        {"id": 27, "status": 13, "count": 3},
        {"result": True},
        {"result": True, "id": 5},
        {"result": False},
        {"is_error": True, "message": "No", "error_code": 213},
        {"success": True, "data": {"0": True, "2": True}},
        {"0": {"id": 27}, "2": {"id": 28}},
        {"success": True, "data": [True]},
        {"message": "No", "error_code": 213},
        {"message": "Wait", "error_code": 791},
        [],
    ],
}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 5, 1.5, 10**30, "", " ", "0", "1", "ok", "OK", "error", "success",
    "null", "Ж\u2028", "\u0000", "\x1b[2J", "e\u0301", [], [True], [False], {}, {"a": 1}, [[]],
    "upstream timeout", "insufficient funds", 791, 2020202020, "a@mail.by", "stranger@mail.by",
)  # fmt: skip
KEYS = (
    "status", "success", "error", "message", "result", "data", "code", "error_code", "description",
    "reasons", "errors", "id", "uuid", "email_id", "Result", "STATUS", "index", "messageId", "key",
    "is_error", "failure", "0",
)  # fmt: skip
STATUSES = (
    *(200,) * 12, 201, 204, 299, 302, 400, 400, 401, 403, 404, 404, 405, 408, 409, 413, 421, 422,
    429, 429, 431, 451, 500, 502, 503, 503, 504, 599, 999,
)  # fmt: skip
WAITS = (None, None, None, "7", "-1", "soon", "9" * 400, "Tue, 01 Jan 2030 00:00:30 GMT", "٣")


class Bender:
    """Makes answers from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.samples = {
            name: [
                json.loads(path.read_text("utf-8")) for path in sorted((SAMPLES / name).iterdir())
            ]
            for name in ENVELOPES
        }

    def status(self) -> int:
        return self.random.choice(STATUSES)

    def headers(self) -> dict[str, str]:
        wait = self.random.choice(WAITS)
        return {} if wait is None else {"Retry-After": wait}

    def body(self, provider: str, status: int) -> bytes:
        """A sample, an envelope or a page, bent or as it is; now and then another service's."""
        random = self.random
        kind = random.random()
        if kind < 0.1:
            return self._bytes(page(random.choice(list(DIALECTS)), status).body)
        other = random.choice(list(ENVELOPES)) if kind < 0.2 else provider
        tree = random.choice(
            random.choice((self.samples[other], ENVELOPES[other], ENVELOPES[other]))
        )
        tree = deepcopy(tree)
        for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
            tree = self._bent(tree)
        body = json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "replace")
        return self._bytes(body) if random.random() < 0.3 else body

    def _bent(self, tree: Any) -> Any:
        """The tree with one thing in it changed."""
        random = self.random
        if isinstance(tree, dict) and tree and random.random() < 0.9:
            key = random.choice(list(tree))
            act = random.randrange(8)
            if act == 0:
                del tree[key]
            elif act == 1:
                tree[random.choice(KEYS)] = deepcopy(random.choice(VALUES))
            elif act == 2:
                tree[random.choice((key.upper(), key.title(), f"{key} ", key[::-1]))] = tree.pop(
                    key
                )
            elif act == 3 and isinstance(tree[key], int | float | str):
                number = isinstance(tree[key], str) and tree[key].isdecimal()
                tree[key] = int(tree[key]) if number else str(tree[key])
            elif act == 4:
                tree[key] = deepcopy(random.choice(VALUES))
            else:
                tree[key] = self._bent(tree[key])
            return tree
        if isinstance(tree, list) and tree and random.random() < 0.9:
            at = random.randrange(len(tree))
            act = random.randrange(5)
            if act == 0:
                del tree[at]
            elif act == 1:
                tree.insert(at, deepcopy(tree[at]))
            elif act == 2:
                random.shuffle(tree)
            else:
                tree[at] = self._bent(tree[at])
            return tree
        return deepcopy(random.choice((*VALUES, [tree], {"result": tree}, {"data": tree})))

    def _bytes(self, body: bytes) -> bytes:
        """The bytes with one thing changed."""
        random = self.random
        at = random.randrange(len(body) + 1)
        act = random.randrange(14)
        changes = {
            0: body[:at],
            1: body + body,
            2: b"\xef\xbb\xbf" + body,
            3: b"\xef\xbb\xbf\xef\xbb\xbf" + body,
            4: b" \r\n\t" + body + b"\n\n",
            5: body + random.choice((b",", b"}", b"\0", b"<html>", b"{}", b" null")),
            6: body[:at] + random.randbytes(random.randrange(1, 4)) + body[at:],
            7: body[:at] + body[at + 1 :],
            8: body.decode("utf-8", "replace").encode("utf-16"),
            9: b"[" * 100_000 if at % 2 else b'{"result":' * 700 + b"1" + b"}" * 700,
            10: b")]}',\n" + body,
            11: body.replace(b"{", b'{"status":"error","status":"OK",', 1),
            12: body.replace(b'"', b"'"),
            13: body[:-1] + b',"id":1e999,"x":"\\ud800"}',
        }
        return changes[act]
