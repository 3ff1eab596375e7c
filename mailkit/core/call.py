"""Calls as values: each endpoint of a service is written once, as a class.

    @post("/addressbooks", repeatable=False)
    class CreateMailingList(Call[int]):
        name: str = arg(wire="bookName")

    class MailingLists(Resource):
        create = method(CreateMailingList)

    class SomeService(Client):
        mailing_lists = resource(MailingLists)

    list_id = await service.mailing_lists.create("Autumn")
    result = await service.mailing_lists.create.raw("Autumn")    # status, headers, value

Names in the path fill the path; what else a class declares is the query of a GET, else the body.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cached_property
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)

import attrs
import msgspec

from mailkit.core.arguments import checking
from mailkit.core.frames import clear_frames
from mailkit.core.model import Model, plain_json
from mailkit.core.reading import Pick
from mailkit.core.wire import Refusal
from mailkit.core.wire_format import WireFormat

__all__ = [
    "AsyncMethod",
    "Call",
    "CallResult",
    "Caller",
    "Gone",
    "Method",
    "Raw",
    "Resource",
    "Route",
    "arg",
    "delete",
    "get",
    "method",
    "patch",
    "post",
    "put",
    "reads_files",
    "resource",
    "result_type",
    "wire",
]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Body = Literal["json", "form", "none"]
Raw = bytes | msgspec.Raw
Quotas = tuple[str, ...] | Callable[[Any], tuple[str, ...]]


@attrs.frozen
class Gone:
    """How the service refuses to do once more what is done, such as to delete what is gone.

    After an attempt whose outcome is unknown, such a refusal stands for ``response``, the bytes of
    a success without their envelope.
    """

    refuses: Callable[[Refusal], bool]
    response: bytes


@attrs.frozen
class Route:
    """What the verb decorator says about a call; the same for all calls of the class.

    ``body`` is how the fields travel that are neither in the path nor in ``query``: ``none`` puts
    them into the query. ``quotas`` names the quotas that a request takes from, besides
    ``requests``, or gives them for one call. ``multipart`` says for one call whether its form goes
    out as multipart. ``pick`` finds the value in the response, where it is not the whole.
    ``read`` reads the response together with its call, where neither is enough
    alone; it may raise Unreadable. ``gone`` is how the service refuses a repeat.
    """

    verb: str
    path: str
    repeatable: bool
    body: Body
    query: tuple[str, ...] = ()
    fixed: Mapping[str, object] = attrs.field(factory=dict[str, object])
    quotas: Quotas = ()
    multipart: Callable[[Any, WireFormat], bool] | None = None
    pick: Pick | None = None
    read: Callable[[Any, Raw], Any] | None = None
    gone: Gone | None = None


@attrs.frozen
class CallResult(Model, Generic[T_co]):
    """A response with what surrounds it: HTTP status, headers (any case) and the value.

    The repr and ``to_dict()`` leave the headers out, because a service may repeat credentials
    there.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    value: T_co

    def to_dict(self) -> dict[str, Any]:
        """The status and the value in JSON types."""
        return {name: plain_json(value) for name, value in self}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        # Whatever makes a dict of it leaves the headers out, too.
        return iter((("status", self.status), ("value", self.value)))


def wire(name: str, *also: str) -> dict[str, object]:
    """Metadata for an attrs field whose name on the wire differs; ``also`` are names read too."""
    return {"wire": name, "also": also}


def arg(
    *,
    default: Any = attrs.NOTHING,
    wire: str | None = None,
    write: Callable[[Any, WireFormat], object] | None = None,
    expand: Callable[[Any, WireFormat], Mapping[str, object]] | None = None,
    file: bool = False,
    secret: bool = False,
) -> Any:
    """A field of a call: its wire name where that differs from Python's, and how it is written.

    ``write`` turns the caller's value into the one that travels; ``expand`` turns it into several
    wire names with their values. A wire name that ends in ``[]`` repeats for each item of a list.
    ``file``: writing may read a file, and is done off the event loop. ``secret``: the call makes a
    Secret of it, which no repr shows, and which is taken out of what the service says.
    """
    said = {"wire": wire, "write": write, "expand": expand, "file": file, "secret": secret}
    return attrs.field(default=default, metadata=said, repr=not secret)


@dataclass_transform(frozen_default=True, field_specifiers=(arg,))
class Call(Generic[T_co]):
    """One request as a frozen value; ``T`` is what its response is read into, None for nothing.

    ``class Send(Call[Sent], kw_only=True)`` makes all arguments keyword-only.
    """

    __slots__ = ()
    __route__: ClassVar[Route]
    __kw_only__: ClassVar[bool] = False
    __files__: ClassVar[tuple[str, ...]] = ()
    __codec__: ClassVar[Any] = None

    def __attrs_post_init__(self) -> None:
        """Look at the arguments together, once each has the right type; InvalidArgument."""

    def __init_subclass__(cls, *, kw_only: bool | None = None) -> None:
        super().__init_subclass__()
        if kw_only is not None:
            cls.__kw_only__ = kw_only


C = TypeVar("C", bound=Call[Any])


def reads_files(call: Call[Any]) -> bool:
    """Whether writing the call may read a file, and belongs off the event loop."""
    for name in call.__files__:  # noqa: SIM110 - a generator costs time
        if getattr(call, name) is not None:
            return True
    return False


def result_type(call: type[Call[Any]]) -> Any:
    """The ``T`` of ``Call[T]``."""
    for base in call.__orig_bases__:  # type: ignore[attr-defined]  # Call[T] is generic
        kind = get_origin(base)
        if isinstance(kind, type) and issubclass(kind, Call):
            return get_args(base)[0]
    raise TypeError(f"{call.__name__} does not say Call[...] among its bases")


class Verb:
    """A decorator that makes a class of fields a call of one HTTP method.

    ``repeatable`` says whether a second arrival at the service would do no harm; it is asked for
    on every call, since a GET can send a message and a POST can be a poll.
    """

    def __init__(self, name: str, body: Body) -> None:
        self.name = name
        self.body: Body = body

    def __call__(
        self,
        path: str,
        *,
        repeatable: bool,
        body: Body | None = None,
        query: tuple[str, ...] = (),
        fixed: Mapping[str, object] | None = None,
        quotas: Quotas = (),
        multipart: Callable[[Any, WireFormat], bool] | None = None,
        pick: Pick | None = None,
        read: Callable[[Any, Raw], Any] | None = None,
        gone: Gone | None = None,
    ) -> Callable[[type[C]], type[C]]:
        """Declare the call; ``query`` names the fields of a body call that go into the query."""
        route = Route(
            verb=self.name,
            path=path,
            repeatable=repeatable,
            body=body or self.body,
            query=query,
            fixed=fixed or {},
            quotas=quotas,
            multipart=multipart,
            pick=pick,
            read=read,
            gone=gone,
        )

        def declare(cls: type[C]) -> type[C]:
            call = attrs.frozen(cls, kw_only=cls.__kw_only__)
            call.__route__, call.__codec__ = route, None
            fields = attrs.fields(cast("Any", call))
            call.__files__ = tuple(one.name for one in fields if one.metadata.get("file"))
            own = call.__attrs_post_init__
            then = None if own is Call.__attrs_post_init__ else own
            cast("Any", call).__attrs_post_init__ = checking(call, then) if fields else own
            return call

        return declare


get: Final = Verb("GET", "none")
post: Final = Verb("POST", "json")
put: Final = Verb("PUT", "json")
patch: Final = Verb("PATCH", "json")
delete: Final = Verb("DELETE", "json")


class Caller(Protocol):
    """What carries calls out: the client."""

    async def exchange(self, call: Call[T], name: str) -> CallResult[T]:
        """Carry the call out under its name, such as ``emails.send``."""
        ...


class Resource:
    """A group of methods under one name of the client, such as ``client.emails``."""

    def __init__(self, client: Caller, name: str) -> None:
        self.client = client
        self.name = name


R_co = TypeVar("R_co", bound=Resource, covariant=True)


class resource(Generic[R_co]):  # noqa: N801 - reads as a keyword in the class body, like property
    """``emails = resource(Emails)`` in a client: the resource, made at its first use."""

    def __init__(self, cls: type[R_co]) -> None:
        self.cls = cls
        self.__doc__ = cls.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, client: None, owner: type) -> type[R_co]: ...
    @overload
    def __get__(self, client: Caller, owner: type) -> R_co: ...
    def __get__(self, client: Caller | None, owner: type) -> type[R_co] | R_co:
        if client is None:
            return self.cls
        made = vars(client)[self.name] = self.cls(client, self.name)
        return made


class RawMethod(Protocol[P, T_co]):
    """The ``raw`` variant of a method: the value with the HTTP status and the headers."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> CallResult[T_co]:
        """Carry the call out."""
        ...


class AsyncMethod(Protocol[P, T_co]):
    """A method of a resource: awaiting it carries the call out and returns the value."""

    __name__: str
    __signature__: inspect.Signature
    route: Route

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Carry the call out and return what its response holds."""
        ...

    @property
    def call(self) -> Callable[P, Call[T_co]]:
        """The class of its calls."""
        ...

    @property
    def raw(self) -> RawMethod[P, T_co]:
        """The same, with the HTTP status and the headers."""
        ...


class Method(Generic[P, T_co]):
    """A call's place in a resource; keeps the constructor's signature for both type checkers.

    What a resource has is a coroutine function with the name, the arguments and the words of the
    call: those are what help, tracebacks, warnings and mocks show.
    """

    def __init__(self, call: Callable[P, Call[T_co]]) -> None:
        self.call = call
        self.__doc__ = call.__doc__

    def __set_name__(self, owner: type[Resource], name: str) -> None:
        self.name = name

    @cached_property
    def signature(self) -> inspect.Signature:
        """The arguments, as written once in the call's class."""
        call = cast("type[Call[T_co]]", self.call)
        return inspect.signature(call).replace(return_annotation=result_type(call))

    @property
    def route(self) -> Route:
        """What the verb decorator said."""
        return cast("type[Call[T_co]]", self.call).__route__

    def __get__(self, group: Resource | None, owner: type[Resource]) -> AsyncMethod[P, T_co]:
        client = _NOBODY if group is None else group.client
        name = f"{owner.__name__ if group is None else group.name}.{self.name}"
        bound: Any = self.carrying_out(client, name)
        bound.raw = self.carrying_out_raw(client, name)
        for function, shown in ((bound, name), (bound.raw, f"{name}.raw")):
            function.__code__ = function.__code__.replace(co_name=shown, co_qualname=shown)
            function.__name__, function.__qualname__ = shown.rpartition(".")[2], shown
            function.__module__, function.__doc__ = self.call.__module__, self.__doc__
            function.__signature__ = self.signature
        bound.call, bound.route = self.call, self.route
        if group is not None:
            vars(group)[self.name] = bound  # the next look-up finds it without coming here
        return cast("AsyncMethod[P, T_co]", bound)

    def carrying_out(self, client: Caller, name: str) -> Callable[P, Awaitable[T_co]]:
        """A coroutine function that returns what the response holds."""
        make = self.call

        async def carry_out(*args: P.args, **kwargs: P.kwargs) -> T_co:
            try:
                call = make(*args, **kwargs)
            except BaseException as error:
                self._explain(error, name, args, kwargs)
                raise
            finally:
                del args, kwargs  # there may be secrets, and tracebacks can show names' values
            return (await client.exchange(call, name)).value

        return carry_out

    def carrying_out_raw(
        self, client: Caller, name: str
    ) -> Callable[P, Awaitable[CallResult[T_co]]]:
        """The same, with what surrounds that."""

        async def carry_out(*args: P.args, **kwargs: P.kwargs) -> CallResult[T_co]:
            try:
                call = self.made(name, *args, **kwargs)
            finally:
                del args, kwargs
            return await client.exchange(call, name)

        return carry_out

    def made(self, name: str, /, *args: P.args, **kwargs: P.kwargs) -> Call[T_co]:
        """The call as a value."""
        try:
            return self.call(*args, **kwargs)
        except BaseException as error:
            self._explain(error, name, args, kwargs)
            raise
        finally:
            del args, kwargs

    def _explain(
        self, error: BaseException, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Take the values out of the frames; TypeError, as of any function, for arguments that the
        call has not got or that are missing.
        """
        clear_frames(error)
        if not isinstance(error, TypeError):
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as misfit:
            fault = str(misfit)
        else:
            return
        finally:
            del args, kwargs
        raise TypeError(f"{name}(): {fault}") from None


class _Nobody:
    """Stands for the client where a method is looked up in the class."""

    async def exchange(self, call: Call[T], name: str) -> CallResult[T]:
        """Refuse."""
        raise TypeError(f"{name} is a method of a client's resource: use it on a client")


_NOBODY = _Nobody()


def method(call: Callable[P, Call[T_co]]) -> Method[P, T_co]:
    """Make a call class a method of a resource, with the same arguments and a ``raw`` variant."""
    return Method(call)
