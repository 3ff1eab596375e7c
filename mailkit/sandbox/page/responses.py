"""Responses to a browser, with the headers that say what a page may load and do."""

from pathlib import Path

from mailkit.sandbox.wire import HTML, Bytes, head

FOLDER = Path(__file__).parent

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
MESSAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'; sandbox"
)
"""For the HTML of a message: nothing runs, and nothing is loaded."""
SAFE = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer a form would have the Origin "null"
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def html(text: str, *, status: int = 200, policy: str = PAGE_POLICY) -> Bytes:
    """A page, or the HTML of a message."""
    return _response(text.encode(), HTML, status, ("Content-Security-Policy", policy))


def file(content: bytes, kind: str) -> Bytes:
    """A style sheet or a script."""
    return _response(content, f"{kind}; charset=utf-8", 200)


def see(path: str) -> Bytes:
    """Go on to another page of the sandbox."""
    return _response(b"", HTML, 303, ("Location", path))


def _response(body: bytes, kind: str, status: int, *headers: tuple[str, str]) -> Bytes:
    return Bytes(head(status, len(body), (*SAFE, *headers), kind) + body)
