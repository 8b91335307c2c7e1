"""What duties there are: those of the catalogue, which is data, and those that the operator added."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from models.installation import InstallationError
from models.vocabulary import STAFF_ROLES, Role

_FILE = Path(__file__).parent / "data" / "duties.toml"
LONGEST_TITLE = 120
LONGEST_MONTHS, LONGEST_LEAD = 120, 366


class DutyKind(StrEnum):
    """By what it is known that a duty was done."""

    RECORDED = "recorded"
    STAFF = "staff"
    """Recorded for each member of staff."""
    GRANTS = "grants"
    """By the decisions of the access review."""
    OFFICER = "officer"
    """By who works here."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty. Done once, it is due again after `every_months`; the first time `lead_days` after it began."""

    code: str
    title: str
    clause: str | None
    every_months: int
    lead_days: int
    """Days before it is due in which an alarm tells of it."""
    who: Role
    """Who of the staff sees to it."""
    kind: DutyKind
    since: date
    retired_on: date | None = None


@cache
def catalogue() -> Mapping[str, Mapping[str, Any]]:
    """The duties of this release by code. Raises InstallationError for a file that does not say all it must."""
    with _FILE.open("rb") as file:
        told = tomllib.load(file)
    try:
        for code, one in told.items():
            duty_of(code, one, since=date.min)
    except (TypeError, ValueError) as fault:
        message = f"The catalogue of duties cannot be read: {type(fault).__name__}: {fault}."
        raise InstallationError(message) from fault
    return told


def duty_of(code: str, told: Mapping[str, Any], *, since: date, retired_on: date | None = None) -> Duty:
    """A duty by what is told of it. Raises TypeError or ValueError for what cannot be."""
    read = {**told, "who": Role(told["who"]), "kind": DutyKind(told["kind"])}
    duty = Duty(code, since=since, retired_on=retired_on, **read)
    months = range(1, LONGEST_MONTHS + 1) if duty.kind is not DutyKind.OFFICER else range(1)
    if duty.every_months not in months or duty.lead_days not in range(LONGEST_LEAD + 1) or duty.who not in STAFF_ROLES:
        message = f"{code} is due in a time that cannot be, or seen to by nobody of the staff"
        raise ValueError(message)
    return duty
