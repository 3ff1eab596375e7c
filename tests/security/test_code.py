"""What the package never does: run what it was given, trust blindly, leave files to others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailkit

ROOT = Path(mailkit.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "ruamel", "jsonpickle",
    "code", "codeop", "imp", "pty", "telnetlib", "ftplib", "xmlrpc", "crypt",
    "commands", "xml", "lxml", "jinja2", "ctypes",
}  # fmt: skip
CALLS = {
    "eval", "exec", "compile", "__import__", "breakpoint", "input",
    "os.system", "os.popen", "os.execv", "os.execve", "os.execl", "os.spawnl", "os.spawnv",
    "os.startfile", "os.putenv", "os.chmod", "os.umask", "subprocess.getoutput",
    "subprocess.getstatusoutput", "subprocess.call", "asyncio.create_subprocess_shell",
    "tempfile.mktemp", "ssl._create_unverified_context", "ssl.SSLContext", "ssl.wrap_socket",
    "hashlib.md5", "hashlib.sha1", "logging.basicConfig", "random.seed",
}  # fmt: skip
KEYWORDS = {("shell", True), ("ssl", False), ("verify", False), ("verify_ssl", False),
            ("trust_env", True), ("check_hostname", False), ("allow_redirects", True)}  # fmt: skip
NAMES = {"CERT_NONE", "check_hostname", "verify_mode", "PROTOCOL_TLSv1", "SSLv23_METHOD"}
ALLOWED = {("cli/demo.py", "subprocess"), ("bulk/journal/births.py", "ctypes")}
"""The demo runs the sandbox in a process of its own: Python itself, with words of its own. A file's
time of birth has no call in Python."""


def dotted(node: ast.expr) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
    return "?"


def faults(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names if _module(alias.name))
            case ast.ImportFrom(module=str() as module):
                if _module(module):
                    yield module
                yield from (a.name for a in node.names if f"{module}.{a.name}" in CALLS)
            case ast.Call():
                name = dotted(node.func)
                if name in CALLS:
                    yield f"{name}()"
                for word in node.keywords:
                    if isinstance(word.value, ast.Constant) and (
                        (word.arg, word.value.value) in KEYWORDS
                    ):
                        yield f"{word.arg}={word.value.value!r}"
            case ast.Attribute() if node.attr in NAMES:
                yield node.attr


def _module(name: str) -> bool:
    return name.partition(".")[0] in MODULES | {"subprocess"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_dangerous_is_in_the_code(file: Path) -> None:
    place = file.relative_to(ROOT).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert [fault for fault in faults(tree) if (place, fault) not in ALLOWED] == []


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from yaml import load", "eval('1')", "import os\nos.system('x')",
     "from subprocess import run", "f(shell=True)", "ClientSession(trust_env=True)",
     "get(url, ssl=False)", "get(url, allow_redirects=True)",
     "context.check_hostname = False", "c.verify_mode = ssl.CERT_NONE",
     "import xml.etree.ElementTree", "hashlib.md5(b'')", "__import__('x')"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert list(faults(ast.parse(code)))


def _is_a_state(node: ast.expr) -> bool:
    enums = {"JobState", "ChunkState", "RowState", "Role"}
    return isinstance(node, ast.Attribute) and dotted(node.value) in enums


def test_values_are_bound_in_every_statement_of_the_journal() -> None:
    """Statements are put together from names and question marks; values travel beside them."""
    constants = {"_COLUMNS", "columns", "WHERE", "where", "state", "sending", "table", "column",
                 "VERSION", "begin", "following", "which", "parts",
                 "WAL_LIMIT", "_SENT"}  # fmt: skip
    marks = {
        "', '.join('?' * len(states))",
        "'FULL' if durable else 'NORMAL'",
        "followers.format(order='ASC')",
        "' UNION ALL '.join(rows)",
        "_ids(job)",
        "_ids(job.id)",
        "columns",
        "follow",
        "of_chunk",
        "own",
        "states",
        "followers.format(order='DESC')",
    }
    for file in (ROOT / "bulk" / "journal").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            text = ast.unparse(node).lstrip("rf'\"")
            if not text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "PRAGMA")):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and not _is_a_state(part.value):
                    assert ast.unparse(part.value) in constants | marks, (file.name, node.lineno)
