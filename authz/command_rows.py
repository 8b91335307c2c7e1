"""The ledger's row of an operator's command: which one, what it was given, what came of it (C59).

Of its arguments the names, and the values of those that cannot be a person's: words of the vocabulary, numbers, dates,
codes and ids. The operating system's user is not among it: a name, which anybody who can run the command can choose;
the host's own audit says who that was (docs/hardening.md).
"""

import argparse
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from authz.commands import Done
from ledger.append import add_alone
from ledger.rows import Kind, Operation, Outcome
from models.faults import NO_ANSWER

_OURS = frozenset({"run", "act", "json", "command", "subcommand", "only", "snapshot", "catalogue", "alone", "stepwise"})
"""What the parser keeps beside what was given."""
_CODES = frozenset({"org", "insurer", "code", "client", "kid", "reference", "job"})
"""Arguments that name an organization, product, client, key, agreement or job: not a person's."""
_BITS = 53
"""A larger number is a text in a row: not every reader of JSON keeps it."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_END = "Error"
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


async def recorded(
    connection: Any,  # noqa: ANN401 - asyncpg
    arguments: argparse.Namespace,
    act: Callable[[], Awaitable[Done]],
    *,
    clock: Callable[[], datetime],
    beside: bool = False,
) -> Done:
    """Do what a command does, and record it in the same transaction of the owner's; a refusal is recorded too.

    What is done on other connections is recorded right after. What changes a file (`beside`) cannot be undone with its
    row, and neither can what commits step by step (`arguments.stepwise`), which no transaction holds together: so a row
    says before that it is about to be done, and without that nothing is. Raises what `act` raises, and the database's
    errors: then what was done on this connection is undone, but for the steps that are committed.
    """
    row = partial(_row, arguments, uuid4())
    stepwise = "stepwise" in arguments
    if beside or stepwise:
        await add_alone(connection, row(clock(), outcome=Outcome.BEGUN))
    try:
        # Its steps commit before the row is written, or else the first to change anything would wait for the last.
        ahead = await act() if stepwise else None
        async with connection.transaction():
            done = ahead or await act()
            await add_alone(connection, row(clock(), ids=done.ids, persons=done.persons))
    except Exception as refusal:
        with suppress(*NO_ANSWER):
            await add_alone(connection, row(clock(), outcome=Outcome.REFUSED, code=_code(refusal)))
        raise
    return done


def _row(  # noqa: PLR0913 - what it says
    arguments: argparse.Namespace,
    decision: UUID,
    now: datetime,
    *,
    outcome: Outcome = Outcome.DONE,
    code: str | None = None,
    ids: Any = None,  # noqa: ANN401 - names to ids
    persons: tuple[UUID, ...] = (),
) -> Operation:
    given = {name: value for name, value in vars(arguments).items() if name not in _OURS and _is_given(value)}
    detail: dict[str, Any] = {"command": arguments.command, "arguments": sorted(given)}
    if "subcommand" in arguments:
        detail["subcommand"] = arguments.subcommand
    values = {name: told for name, value in given.items() if (told := _told(name, value)) is not None}
    detail |= {"values": values} if values else {}
    detail |= {"ids": {name: str(one) for name, one in ids.items()}} if ids else {}
    return Operation(Kind.COMMAND, decision, now, outcome, code, persons=persons, detail=detail)


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != []


def _told(name: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    """A value as it may stand in the row; None for one that may be a person's."""
    if isinstance(value, list | tuple):
        told = [_told(name, one) for one in value]
        return told if None not in told else None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int) and value.bit_length() >= _BITS:
        return str(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if name in _CODES and isinstance(value, str) and _CODE.fullmatch(value) else None


def _code(refusal: Exception) -> str:
    """The kind of a refusal as a code: `OPERATOR_REFUSED`, `INSTALLATION`, …"""
    return _WORD.sub("_", type(refusal).__name__.removesuffix(_END)).upper()
