"""Page after page, batch after batch, and responses that come as one or as many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import attrs

from mailkit.address import Address
from mailkit.core.call import Call, Caller, CallResult, Method, Raw
from mailkit.core.model import Model
from mailkit.core.reading import decode, php_list
from mailkit.core.wire import Unreadable
from mailkit.errors import BadResponse, ErrorContext, InvalidArgument, RequestError
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.text import header_text

__all__ = [
    "BatchCall",
    "BatchResult",
    "all_done",
    "batched",
    "made",
    "many",
    "named",
    "only",
    "paged",
]

P = ParamSpec("P")
T = TypeVar("T")


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name."""
        ...


N = TypeVar("N", bound=Named)

_PAGE = 100  # records in a page, and addresses in a batch


async def paged(page: Callable[[int, int], Awaitable[Sequence[T]]]) -> AsyncIterator[T]:
    """The items of all pages, asked for with a limit and an offset until a page is empty.

    A page that comes twice is the last: the service does not look at the offset. BadResponse if it
    is full, since there may be more behind it.
    """
    offset = 0
    before: Sequence[T] = ()
    while items := await page(_PAGE, offset):
        if items == before and len(items) != _PAGE:
            return
        if items == before:
            raise BadResponse(
                f"the page at {offset} is the one before it again", ErrorContext("sendpulse")
            )
        for item in items:
            yield item
        offset += len(items)
        before = items


async def named(items: AsyncIterator[N], name: str) -> N | None:
    """The first item of this name, or None; the service drops blanks around names."""
    wanted = header_text(name, "name").strip()
    async for item in items:
        if item.name.strip() == wanted:
            return item
    return None


def only(tree: Any) -> Any:
    """The one thing that may come as a list of one."""
    found = many(tree)
    if len(found) != 1:
        raise Unreadable(f"{len(found)} things in the response instead of one")
    return found[0]


def many(tree: Any) -> list[Any]:
    """The list that may come as its only item; an object without keys is none."""
    tree = php_list(tree)
    if tree == {}:
        raise Unreadable("nothing in the response")
    return tree if isinstance(tree, list) else [tree]


def made(tree: Any) -> list[Any]:
    """The same of what was made, which is something."""
    found = many(tree)
    if not found:
        raise Unreadable("the response names nothing that was made")
    return found


@attrs.frozen
class BatchResult(Model):
    """The result of a call in batches: the addresses that are done, and those that are not, each
    with the error of its batch.
    """

    done: tuple[str, ...] = ()
    failed: Mapping[str, RequestError] = attrs.field(factory=dict[str, RequestError])


class BatchCall(Protocol):
    """A call whose addresses may be more than one request takes."""

    @property
    def emails(self) -> Sequence[Address | str]:
        """The addresses."""
        ...


def all_done(call: BatchCall, raw: Raw) -> BatchResult:
    """Reads the response to one batch, which has to say yes to all of it."""
    confirmed(decode(raw))
    return BatchResult(tuple(fields.plain_addresses(call.emails)))


class _BatchMethod(Method[P, BatchResult]):
    def carrying_out(self, client: Caller, name: str) -> Callable[P, Awaitable[BatchResult]]:
        """As many requests as it takes, one after the other."""

        async def carry_out(*args: P.args, **kwargs: P.kwargs) -> BatchResult:
            call: Any = self.made(name, *args, **kwargs)
            emails = fields.plain_addresses(call.emails)  # a wrong one must not come up half-way
            done: list[str] = []
            failed: dict[str, RequestError] = {}
            for start in range(0, len(emails), _PAGE):
                batch = emails[start : start + _PAGE]
                try:
                    await client.exchange(attrs.evolve(call, emails=batch), name)
                except RequestError as error:
                    failed |= dict.fromkeys(batch, error)
                else:
                    done += batch
            if not done:
                raise next(iter(failed.values()))
            return BatchResult(tuple(done), failed)

        return carry_out

    def carrying_out_raw(
        self, client: Caller, name: str
    ) -> Callable[P, Awaitable[CallResult[BatchResult]]]:
        """One request, and so at most 100 addresses."""

        async def carry_out(*args: P.args, **kwargs: P.kwargs) -> CallResult[BatchResult]:
            call: Any = self.made(name, *args, **kwargs)
            if len(call.emails) > _PAGE:
                raise InvalidArgument(f"emails: raw() is one request, of at most {_PAGE} addresses")
            return cast("CallResult[BatchResult]", await client.exchange(call, name))

        return carry_out


def batched(call: Callable[P, Call[BatchResult]]) -> _BatchMethod[P]:
    """A method of any number of addresses, 100 in a request.

    It raises only if every batch failed; else the result says which addresses did.
    """
    return _BatchMethod(call)
