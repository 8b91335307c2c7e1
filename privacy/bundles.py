"""Bundles: what the law of a time asks for, as data. Configuration chooses one (`NEEDFUL_BUNDLE`).

`seed` is the privacy policy of 2020, `pipl` the Personal Information Protection Law: lawful bases, ages, how finely a
consent is given, how long data are kept, and deadlines. A bundle that cannot be read does not start a server.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from authz.law import Law
from authz.vocabulary import Basis
from models.installation import InstallationError
from models.vocabulary import Category, Purpose, Retention, to_bits

BUNDLE = "NEEDFUL_BUNDLE"
AGE = "NEEDFUL_AGE_OF_MAJORITY"
SCHEDULED = (Retention.ACCOUNT, Retention.CONTRACT, Retention.CLAIM, Retention.DEVICE)
"""The classes that a schedule says something of; how long the restricted remainder is kept is said with each."""
_AGES = range(14, 22)
"""Of which one may be set: the law of no time treats somebody younger as of age (PIPL, article 31)."""
_FOLDER = Path(__file__).parent / "data" / "bundles"


class BundleName(StrEnum):
    """The bundles there are."""

    SEED = "seed"
    PIPL = "pipl"


@dataclass(frozen=True, slots=True)
class ConsentTerms:
    """How finely a consent is given."""

    apart: frozenset[Category]
    """Categories that only a consent to such categories alone opens."""
    longest_days: int
    """After how many days a consent ends by itself, also one given under another law; 0: it does not."""


@dataclass(frozen=True, slots=True)
class RetentionTerms:
    """Days for which data are kept after the end of what they are for: data for what erases them, told by `bundle`."""

    account_days: int
    short_contract_days: int
    long_contract_days: int
    claim_days: int
    device_days: int


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """What one class is kept for beside agreements (C27), in days; and whose duty comes on top (C28)."""

    counts_from: str
    draft_days: int
    """After which what was begun and left without a word is abandoned."""
    function_days: int
    quality_days: int
    law: str
    """Empty: no law keeps the class by itself."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Until when something is to be done: in working days (Shanghai), a minor's case in days.

    The working days are data for requests of persons, told by the command `bundle`.
    """

    answer_working_days: int
    erasure_working_days: int
    minor_case_days: int


@dataclass(frozen=True, slots=True)
class _Hours:
    report_hours: int
    grave_report_hours: int
    """Of one that is more than general."""
    letter_hours: int


@dataclass(frozen=True, slots=True)
class IncidentTerms(_Hours):
    """Hours, since an incident was noticed, until the authority has a report and the persons have their letters."""

    may_withhold: bool
    """May persons be told nothing, where measures avoid the harm?"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One bundle."""

    name: BundleName
    title: str
    age_of_majority: int
    """Years; the birthday itself is the first day of age."""
    consent: ConsentTerms
    bases: Mapping[Purpose, frozenset[Basis]]
    retention: RetentionTerms
    schedule: Mapping[Retention, ScheduleTerms]
    deadlines: Deadlines
    incidents: IncidentTerms

    @property
    def law(self) -> Law:
        """What of it goes into situations. `none` is no basis, and always there."""
        bases = {purpose: bases | {Basis.NONE} for purpose, bases in self.bases.items()}
        return Law(bases, to_bits(self.consent.apart), self.consent.longest_days)


@cache
def read_bundle(name: BundleName) -> Bundle:
    """A bundle as it is shipped. Raises InstallationError for one that does not say all it must, and only that."""
    with (_FOLDER / f"{name}.toml").open("rb") as file:
        told = tomllib.load(file)
    try:
        return _bundle(name, told)
    except (KeyError, TypeError, ValueError) as fault:
        message = f"The bundle {name} cannot be read: {type(fault).__name__}: {fault}."
        raise InstallationError(message) from fault


def bundle_of(environ: Mapping[str, str]) -> Bundle:
    """The bundle that an environment names, `seed` without one; with the age of majority that it sets, if any.

    Raises InstallationError for an unknown bundle, or an age that cannot be.
    """
    name = environ.get(BUNDLE) or BundleName.SEED
    if name not in set(BundleName):
        message = f"{BUNDLE} must be one of: {', '.join(BundleName)}."
        raise InstallationError(message)
    bundle = read_bundle(BundleName(name))
    age = environ.get(AGE)
    return bundle if age is None else replace(bundle, age_of_majority=_age(age))


def bundle_told(bundle: Bundle) -> dict[str, Any]:
    """All members of a bundle as JSON has them, by the names of its file."""
    return {
        "name": bundle.name.value,
        "title": bundle.title,
        "minors": {"age_of_majority": bundle.age_of_majority},
        "consent": {
            "apart": sorted(one.value for one in bundle.consent.apart),
            "longest_days": bundle.consent.longest_days,
        },
        "bases": {purpose.value: sorted(one.value for one in bases) for purpose, bases in bundle.bases.items()},
        "retention": asdict(bundle.retention),
        "schedule": {one.name.lower(): asdict(terms) for one, terms in bundle.schedule.items()},
        "deadlines": asdict(bundle.deadlines),
        "incidents": asdict(bundle.incidents),
    }


def _age(text: str) -> int:
    if text not in map(str, _AGES):
        message = f"{AGE} must be a number from {_AGES[0]} to {_AGES[-1]}."
        raise InstallationError(message)
    return int(text)


def _bundle(name: BundleName, told: Mapping[str, Any]) -> Bundle:
    consent = told["consent"]
    bases = {Purpose(purpose): frozenset(map(Basis, names)) for purpose, names in told["bases"].items()}
    if set(bases) != set(Purpose):
        message = f"no bases for {', '.join(sorted(set(Purpose) - set(bases)))}"
        raise ValueError(message)
    return Bundle(
        name,
        told["title"],
        _number(told["minors"]["age_of_majority"]),
        ConsentTerms(frozenset(map(Category, consent["apart"])), _number(consent["longest_days"])),
        bases,
        RetentionTerms(**_numbers(told["retention"], RetentionTerms)),
        {one: _schedule(told["schedule"][one.name.lower()]) for one in SCHEDULED},
        Deadlines(**_numbers(told["deadlines"], Deadlines)),
        _incidents(told["incidents"]),
    )


def _incidents(told: Mapping[str, Any]) -> IncidentTerms:
    may = told["may_withhold"]
    if not isinstance(may, bool):
        message = f"may_withhold is true or false, not {may!r}"
        raise TypeError(message)
    numbers = _numbers({name: one for name, one in told.items() if name != "may_withhold"}, _Hours)
    return IncidentTerms(**numbers, may_withhold=may)


def _schedule(told: Mapping[str, Any]) -> ScheduleTerms:
    words = {name: told[name] for name in ("counts_from", "law")}
    if not all(isinstance(one, str) for one in words.values()):
        message = f"{words} should be words"
        raise ValueError(message)
    days = {name: value for name, value in told.items() if name not in words}
    expected = {one.name for one in fields(ScheduleTerms)} - words.keys()
    return ScheduleTerms(words["counts_from"], law=words["law"], **_named(days, expected))


def _numbers(told: Mapping[str, Any], kind: type) -> dict[str, int]:
    return _named(told, {one.name for one in fields(kind)})


def _named(told: Mapping[str, Any], expected: set[str]) -> dict[str, int]:
    if set(told) != expected:
        message = f"{sorted(set(told) ^ expected)} should be {sorted(expected)}"
        raise ValueError(message)
    return {name: _number(value) for name, value in told.items()}


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        message = f"{value!r} is no number"
        raise ValueError(message)
    return value
