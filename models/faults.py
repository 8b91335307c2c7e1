"""Faults: how a database that cannot be had shows itself, and what a log may say of an exception."""

import traceback

import asyncpg

NO_ANSWER = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""How a database that cannot be had shows itself; the third when a connection breaks in the middle of an answer."""

PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    *(fault for fault in NO_ANSWER if fault is not asyncpg.PostgresError),
)
"""Of these, what may go by itself: nothing that the database refuses."""


def place(fault: BaseException) -> str:
    """Kind and place of an exception and of what led to it. Not its text, which may hold a caller's values."""
    lines = [type(fault).__name__, *traceback.format_tb(fault.__traceback__)]
    before = fault.__cause__ or fault.__context__
    return "\n".join([*lines, "after", place(before)] if before else lines)
