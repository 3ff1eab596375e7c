"""Whom a bulk send goes to: files, streams and iterables, read as rows in batches.

Reading is streamed, so that ten million rows need no more memory than ten thousand. Nothing is
validated here beyond what it takes to tell one row from the next, and no row is dropped: one that
can't be read comes with its line and the reason.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing, suppress
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

import anyio.lowlevel
import anyio.to_thread
import attrs

from mailkit.bulk.csv_source import CsvRows
from mailkit.bulk.headers import Naming
from mailkit.bulk.jsonl_source import JsonRows
from mailkit.bulk.kinds import check_kind, is_workbook
from mailkit.bulk.lines import Lines, Readable, check_encoding
from mailkit.bulk.rows import Item, Keys, Row, row_of
from mailkit.core.arguments import checked
from mailkit.core.batch import Batch
from mailkit.errors import InvalidArgument
from mailkit.message import Recipient
from mailkit.text import BLANKS, with_article

if TYPE_CHECKING:
    from mailkit.bulk.workbook_source import WorkbookRows

__all__ = [
    "Item",
    "RecipientSource",
    "Row",
    "SuppressionSource",
    "read_recipients",
    "read_suppressions",
]

Format = Literal["csv", "jsonl", "xlsx"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
_ITEMS = 1000  # of an iterable between two pauses for the rest of the program
_BLOCKS = 16  # of a file, at most, in one batch


class RecipientSource(ABC):
    """Rows from one place; made by `read_recipients`.

    ``name`` is the file's name without suffix, or ``stdin``, ``file`` or ``recipients``, ``shown``
    how errors call it. ``rows_read`` counts the rows given so far, unreadable ones too. ``ignored``
    counts the addresses in other columns, once a suppression list was read. ``address_column`` is
    the name of the address column in the table, and ``repeated`` are the names that several of its
    columns have, once ``columns`` was called.
    """

    __how__: ClassVar = "read_recipients(…)"

    def __init__(self, name: str, *, once: bool) -> None:
        self.name = self.shown = name
        self.rows_read = 0
        self.address_column: str | None = None
        self.repeated: frozenset[str] = frozenset()
        self.ignored: Counter[str] = Counter()
        self._once = once
        self._begun = False

    @property
    def once(self) -> bool:
        """Whether it can be read only once, like stdin and iterators."""
        return self._once

    @property
    def progress(self) -> float | None:
        """How much of a file is read, from 0 to 1; None where that can't be known."""
        return None

    async def columns(self) -> tuple[str, ...] | None:
        """The header of a table without the address's column, read ahead of the rows: each row
        then has a tuple of values in this order. None for all else, where each row has a dict.
        """
        return None

    async def batches(self, size: int = 1000) -> AsyncGenerator[Batch[Row], None]:
        """All rows in order, in batches of at most ``size``, shorter where rows are very long.

        Begins anew each time, but raises InvalidArgument the second time if the source can be
        read only once. What is wrong with the whole (no such file, not text, another encoding, no
        column ``email``) raises InvalidArgument; an error of the caller's iterator comes as it is.
        """
        self.rows_read = 0
        waiting = Batch.of(Row, [])
        blocks_waiting = 0
        async with aclosing(self._blocks()) as blocks:
            async for block in blocks:
                new = Batch.of(Row, block)
                waiting = waiting + new if waiting else new
                blocks_waiting += 1
                while len(waiting) >= size or (waiting and blocks_waiting >= _BLOCKS):
                    batch, waiting = waiting[:size], waiting[size:]
                    blocks_waiting = 0
                    self.rows_read += len(batch)
                    yield batch
        if waiting:
            self.rows_read += len(waiting)
            yield waiting

    @abstractmethod
    def _blocks(self) -> AsyncGenerator[Sequence[Row], None]:
        """The rows as they come, in lists of any length."""

    def _begin(self) -> None:
        if self._begun and self._once:
            raise InvalidArgument(
                f"{self.name} can be read only once, and was read before; save it as a file first"
            )
        self._begun = True


SuppressionSource = Annotated[RecipientSource, "read_suppressions(…)"]


@attrs.frozen
class _Options:
    """What the caller says of a list."""

    naming: Naming
    encoding: str | None = None
    delimiter: str | None = None
    format: Format | None = None
    sheet: str | None = None
    addresses: bool = False
    like: RecipientSource | None = None


class _FileSource(RecipientSource):
    def __init__(self, file: Path | Readable, name: str, shown: str, options: _Options) -> None:
        super().__init__(name, once=not isinstance(file, Path) or _is_stream(file))
        self._file = file
        self._shown = self.shown = shown
        self._options = options
        self._lines = self._new_lines()
        self._reader: CsvRows | JsonRows | WorkbookRows | None = None
        self._ahead: tuple[Sequence[Row] | None, Generator[Sequence[Row], None, None]] | None = None

    @property
    def naming(self) -> Naming:
        """What the caller says of the columns."""
        return self._options.naming

    @property
    def encoding(self) -> str | None:
        """What the caller says of the encoding."""
        return self._options.encoding

    @property
    def delimiter(self) -> str | None:
        """What the caller says of the delimiter."""
        return self._options.delimiter

    def _new_lines(self) -> Lines:
        options = self._options
        if not options.addresses:
            return Lines(self._file, self._shown, options.encoding)
        option = "mailkit suppress import --encoding"
        like = options.like.encoding if isinstance(options.like, _FileSource) else None
        return Lines(
            self._file, self._shown, options.encoding, lenient=True, option=option, fallback=like
        )

    @property
    def progress(self) -> float | None:
        size = self._lines.size
        return min(self._lines.bytes_read / size, 1.0) if size else None

    async def columns(self) -> tuple[str, ...] | None:
        if self._reader is None:
            blocks = self._read()
            first = await self._next(blocks)
            if self._once:
                self._ahead = (first, blocks)
            else:
                blocks.close()
        if self._reader is None or isinstance(self._reader, JsonRows):
            return None
        self.address_column = self._reader.table.address_column
        self.repeated = self._reader.table.repeated
        return self._reader.table.columns

    async def _blocks(self) -> AsyncGenerator[Sequence[Row], None]:
        if self._ahead is None:
            blocks = self._read()
            rows = await self._next(blocks)
        else:
            rows, blocks = self._ahead
            self._ahead = None
        try:
            while rows is not None:
                yield rows
                rows = await self._next(blocks)
        finally:
            with suppress(ValueError):  # a read that was left to itself is still in there
                blocks.close()

    async def _next(self, blocks: Generator[Sequence[Row], None, None]) -> Sequence[Row] | None:
        # A cancelled read of a stream is left to itself, since it may wait for ever.
        return await anyio.to_thread.run_sync(next, blocks, None, abandon_on_cancel=self._once)

    def _read(self) -> Generator[Sequence[Row], None, None]:
        """Runs in worker threads, a block at a time."""
        self._begin()
        any_rows = False
        with closing(self._new_reader()) as blocks:
            for rows in blocks:
                any_rows = any_rows or bool(rows)
                yield rows
        if not any_rows and not self._options.addresses:
            raise InvalidArgument(f"{self._shown} has a header and nothing below it")

    def _new_reader(self) -> Generator[Sequence[Row], None, None]:
        options = self._options
        if is_workbook(self._file):
            if options.encoding or options.delimiter:
                what = "encoding" if options.encoding else "delimiter"
                raise InvalidArgument(f"{self._shown} is an Excel workbook, which has no {what}")
            from mailkit.bulk.workbook_source import WorkbookRows  # which few lists need

            self._reader = WorkbookRows(
                self._file,
                self._shown,
                options.naming,
                sheet=options.sheet,
                addresses=options.addresses,
            )
            yield from self._reader
            return
        lines = self._lines = self._new_lines()
        with closing(iter(lines)) as line_blocks:
            first = []
            for block in islice(line_blocks, _BLOCKS):
                first.append(block)
                if any(map(str.strip, block)):
                    break
            text = _first_text(chain.from_iterable(first))
            is_jsonl = check_kind(text, options.format, self._shown) == "jsonl"
            if options.sheet is not None:
                raise InvalidArgument(f"{self._shown} is not an Excel workbook: it has no sheets")
            blocks = chain(first, line_blocks)
            if not is_jsonl:
                like = options.like
                also = (like.delimiter if isinstance(like, _FileSource) else None) or ""
                self._reader = CsvRows(
                    lines,
                    blocks,
                    options.delimiter,
                    options.naming,
                    addresses=options.addresses,
                    delimiters=also,
                )
            elif options.delimiter is not None:
                raise InvalidArgument(f"{self._shown} is JSON lines, which have no delimiter")
            else:
                self._reader = JsonRows(self._shown, blocks, options.naming)
            yield from self._reader


class _ItemSource(RecipientSource):
    def __init__(self, items: Iterable[Item] | AsyncIterable[Item], naming: Naming) -> None:
        super().__init__("recipients", once=isinstance(items, Iterator | AsyncIterator))
        self._items = items
        self.naming = naming

    async def _blocks(self) -> AsyncGenerator[Sequence[Row], None]:
        self._begin()
        keys = Keys(self.naming)
        rows: list[Row] = []
        number = 0
        any_readable = False
        async with aclosing(_each(self._items)) as items:
            async for item in items:
                number += 1
                rows.append(row_of(item, number, keys))
                if len(rows) >= _ITEMS:
                    any_readable = any_readable or _any_readable(rows)
                    yield rows
                    rows = []
        if rows:
            yield rows
        if number:
            readable = any_readable or _any_readable(rows)
            keys.check("the recipients", any_readable=readable)


def _any_readable(rows: Iterable[Row]) -> bool:
    return any(row.reason is None for row in rows)


async def _each(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for number, item in enumerate(items, 1):
        yield item
        if number % _ITEMS == 0:
            await anyio.lowlevel.checkpoint()


def _is_stream(path: Path) -> bool:
    try:
        return path.exists() and not path.is_file()
    except OSError:
        return False  # opening it will say why


def _first_text(lines: Iterable[str]) -> str:
    """A few lines from the first one that isn't blank."""
    shown = dropwhile(lambda line: not line.strip(BLANKS), lines)
    return "".join(islice(shown, 20))


@checked
def read_recipients(
    source: str | Path | Readable | Iterable[Item] | AsyncIterable[Item],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    format: Format | None = None,
    sheet: str | None = None,
    email_column: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> RecipientSource:
    """Recipients from a path, from ``-`` (stdin) or an open file, or from an iterable or async
    iterable of addresses, Recipients, mappings with ``email`` or (address, mapping) pairs.

    Nothing is opened before the first batch is requested. ``.csv``, ``.tsv`` and ``.txt`` are CSV,
    ``.jsonl`` and ``.ndjson`` are JSON lines; for other names, ``format`` or the first character
    decides. A workbook, ``.xlsx``, needs the extra ``excel``; ``sheet`` chooses one of several
    sheets. CSV has a header; its ``delimiter`` is detected: comma, semicolon, tab or ``|``. A
    byte-order mark decides the encoding, else ``encoding``, else it is UTF-8.

    The address column or key is ``email`` or ``e-mail``, in any case, else the only one with a name
    that exports use for it, such as ``Email Address``; ``email_column`` chooses another one.
    Values are stripped. ``rename`` maps old names of columns to new ones.

    A plain iterable is consumed in the event loop's thread: pass an async one if the next item must
    be waited for. Raises InvalidArgument.
    """
    naming = Naming.of(email_column, rename)
    options = _Options(naming, encoding, delimiter, format, sheet)
    return _read(source, options)


@checked
def read_suppressions(
    source: str | Path | Readable | Iterable[Item] | AsyncIterable[Item],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    format: Format | None = None,
    sheet: str | None = None,
    email_column: str | None = None,
    like: RecipientSource | None = None,
) -> RecipientSource:
    """Addresses that must not be mailed, from whatever `read_recipients` takes, and from plain
    lines of addresses, as copied from a mail program: ``Ann <a@b.by>; c@d.by``.

    A file needs no header, other columns are ignored, and a header alone is an empty list. Without
    ``encoding``, bytes that are not UTF-8 are harmless outside an address. The encoding, delimiter
    and address column given for another list, ``like``, are tried, too. Raises InvalidArgument.
    """
    naming = Naming.of(email_column, None)
    if isinstance(like, _FileSource | _ItemSource):
        naming = attrs.evolve(naming, likely=like.naming.email, is_stop=True)
    options = _Options(naming, encoding, delimiter, format, sheet, addresses=True, like=like)
    return _read(source, options)


def _read(
    source: str | Path | Readable | Iterable[Item] | AsyncIterable[Item], options: _Options
) -> RecipientSource:
    encoding, delimiter, format = options.encoding, options.delimiter, options.format
    if encoding is not None:
        check_encoding(encoding)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise InvalidArgument(f"delimiter: give one character, such as ';', not {delimiter!r}")
    if format not in (None, "csv", "jsonl", "xlsx"):
        raise InvalidArgument(f"format: give 'csv', 'jsonl' or 'xlsx', not {format!r}")
    file: Path | Readable
    if source == "-":
        file, name, shown = getattr(sys.stdin, "buffer", sys.stdin), "stdin", "stdin"
    elif isinstance(source, str | Path):
        file = Path(source)
        name, shown = file.stem, str(file)
        format = format or _FORMATS.get(file.suffix.lower())
    elif hasattr(source, "read"):
        file = cast("Readable", source)
        path = getattr(file, "name", None)
        name, shown = (Path(path).stem, path) if isinstance(path, str) else ("file", "the file")
        if inspect.iscoroutinefunction(file.read):
            raise InvalidArgument(f"{shown} is read asynchronously; pass its path instead")
    elif (encoding, delimiter, format, options.sheet) != (None, None, None, None):
        raise InvalidArgument(
            "encoding, delimiter, format and sheet are for files, not for iterables"
        )
    elif isinstance(source, bytes | Mapping | Recipient) or not isinstance(
        source, Iterable | AsyncIterable
    ):
        kind = with_article(type(source).__name__)
        raise InvalidArgument(
            f"recipients can't be read from {kind}; give a path, an open "
            "file, or an iterable of addresses, Recipients or mappings with 'email'"
        )
    else:
        return _ItemSource(source, options.naming)
    return _FileSource(file, name, shown, attrs.evolve(options, format=format))
