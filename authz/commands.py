"""What operator commands have in common: each is called with the owner's connection and gives what it has done."""

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from models.installation import Installation
from vault.keyring import Keyring


class OperatorRefusedError(Exception):
    """Why nothing was changed, in one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a command works with."""

    connection: Any
    arguments: argparse.Namespace
    keyring: Keyring
    now: datetime
    installation: Installation

    @property
    def demo(self) -> bool:
        """Is it demo mode?"""
        return self.installation.demo


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has done: as JSON, and in words. Either may hold a secret that is shown this once."""

    data: Any = field(repr=False)
    text: str = field(repr=False)
    ids: Mapping[str, object] = field(default_factory=dict)
    """Ids of the rows that it made or changed, for the ledger; never a name."""
    persons: tuple[UUID, ...] = ()
    """Whose data it changed or showed."""
    wrong: bool = False
    """Has it found what should not be? Then the command ends with 1."""
    published: int | None = None
    """The ruleset that it published, which the command waits for in every worker."""


Act = Callable[[Call], Awaitable[Done]]


def add_command(
    commands: Any,  # noqa: ANN401 - argparse's own
    name: str,
    act: Act,
    summary: str,
    *,
    stepwise: bool = False,
) -> Callable[..., object]:
    """Declare a subcommand that sets `act`; its `add_argument`.

    `stepwise`: it commits step by step, so that nobody waits for the whole and what is done stays done.
    """
    inner: argparse.ArgumentParser = commands.add_parser(name, help=summary)
    inner.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    inner.set_defaults(act=act, subcommand=name)
    if stepwise:
        inner.set_defaults(stepwise=True)
    return inner.add_argument


def day_given(text: str) -> date:
    """An argument that is a date. Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = "a date such as 2026-11-20"
        raise argparse.ArgumentTypeError(message) from None


def told(row: Mapping[str, Any], *, persons: tuple[UUID, ...] = (), **ids: object) -> Done:
    """One row as the result; `ids` and `persons` are for the ledger."""
    return Done(dict(row), _line(row), ids, persons)


def listed(rows: Sequence[Mapping[str, Any]]) -> Done:
    """Rows as the result, a line each."""
    return Done([dict(row) for row in rows], "\n".join(_line(row) for row in rows))


def _line(row: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}: {value}" for name, value in row.items() if value is not None)
