"""Execute one statement on the connection that a user's transaction runs on, whatever its library.

The library is recognised by the modules of the connection's class, so none of them is imported.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from callsavvy_async.errors import InvalidRequestError

_PLACEHOLDER = re.compile(r"\?")


def execute(connection: object, statement: str, values: Sequence[object]) -> Awaitable[object] | None:
    """Execute a statement in the transaction of a connection.

    Args:
        connection: a connection, cursor or session of psycopg, asyncpg, SQLAlchemy, Django, sqlite3 or aiosqlite.
        statement: the statement, with ``?`` for each value.
        values: the values.

    Returns:
        What executes the statement when it is awaited, for an async connection. None if the statement was executed.

    Raises:
        InvalidRequestError: the object is not a connection of these libraries.
        Exception: an error of the database.
    """
    modules = {kind.__module__.partition(".")[0] for kind in type(connection).__mro__}
    run = next((run for library, run in _LIBRARIES.items() if library in modules), None)
    if run is None:
        kind = type(connection)
        raise InvalidRequestError(
            f"the connection is of type {kind.__module__}.{kind.__qualname__}; give a connection of {', '.join(_LIBRARIES)}."
        )
    result = run(connection, statement, values)
    return result if inspect.isawaitable(result) else None


def _sqlite(connection: Any, statement: str, values: Sequence[object]) -> object:
    return connection.execute(statement, tuple(values))


def _psycopg(connection: Any, statement: str, values: Sequence[object]) -> object:
    return connection.execute(statement.replace("?", "%s"), tuple(values))


def _psycopg2(connection: Any, statement: str, values: Sequence[object]) -> object:
    cursor = connection if hasattr(connection, "execute") else connection.cursor()
    return cursor.execute(statement.replace("?", "%s"), tuple(values))


def _asyncpg(connection: Any, statement: str, values: Sequence[object]) -> object:
    numbers = iter(range(1, len(values) + 1))
    return connection.execute(_PLACEHOLDER.sub(lambda _: f"${next(numbers)}", statement), *values)


def _django(connection: Any, statement: str, values: Sequence[object]) -> object:
    if hasattr(connection, "execute"):  # a cursor
        return connection.execute(statement.replace("?", "%s"), tuple(values))
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("?", "%s"), tuple(values))
    return None


def _sqlalchemy(connection: Any, statement: str, values: Sequence[object]) -> object:
    text: Callable[[str], object] = sys.modules["sqlalchemy"].text  # imported by whoever made the connection
    numbers = iter(range(len(values)))
    named = _PLACEHOLDER.sub(lambda _: f":v{next(numbers)}", statement)
    return connection.execute(text(named), {f"v{number}": value for number, value in enumerate(values)})


_LIBRARIES: dict[str, Callable[[Any, str, Sequence[object]], object]] = {
    "psycopg": _psycopg,
    "asyncpg": _asyncpg,
    "sqlalchemy": _sqlalchemy,
    "django": _django,
    "sqlite3": _sqlite,
    "aiosqlite": _sqlite,
    "psycopg2": _psycopg2,
}
"""How each library executes a statement, under the name of its package."""
