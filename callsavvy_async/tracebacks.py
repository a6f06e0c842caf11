"""Keep keys, phone numbers and texts out of the local variables of tracebacks.

Error trackers, ``pytest -l`` and rich record the local variables of each frame in a traceback. The SDK's frames hold the
caller's arguments and the requests built from them, so each public method clears its frames before an error leaves it. The
frames and their line numbers stay.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def private_arguments(owner: type[T]) -> type[T]:
    """Decorate a class so that its public methods and ``__init__`` clear local variables when they fail.

    Signatures, docstrings and annotations stay unchanged.
    """
    for name, member in list(vars(owner).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(member, classmethod):
            setattr(owner, name, classmethod(_clearing(cast("classmethod[T, ..., object]", member).__func__)))
        elif inspect.iscoroutinefunction(member):
            setattr(owner, name, _clearing_async(member))
        elif inspect.isfunction(member):
            setattr(owner, name, _clearing(member))
    return owner


def _clearing_async(method: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @functools.wraps(method)
    async def cleared(*args: P.args, **kwargs: P.kwargs) -> R:
        running = method(*args, **kwargs)
        del args, kwargs
        try:
            return await running
        except BaseException as error:
            clear_locals(error)
            raise

    return cleared


def _clearing(method: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(method)
    def cleared(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            clear_locals(error)
            raise

    return cleared


def clear_locals(error: BaseException) -> None:
    """Clear the local variables of the SDK's frames, and of all frames below them, in an error and its causes.

    The frames of callers stay unchanged.
    """
    for linked in _chain(error):
        trace = linked.__traceback__
        while trace is not None and not _is_ours(trace.tb_frame):
            trace = trace.tb_next
        while trace is not None:
            with contextlib.suppress(RuntimeError):  # a running frame is cleared by its own method
                trace.tb_frame.clear()
            trace = trace.tb_next


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, contexts and group members, each once."""
    known: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        linked = pending.pop()
        if linked is None or id(linked) in known:
            continue
        known.add(id(linked))
        yield linked
        pending += (linked.__cause__, linked.__context__)
        if isinstance(linked, BaseExceptionGroup):
            pending += cast("BaseExceptionGroup[BaseException]", linked).exceptions


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == __name__.partition(".")[0]
