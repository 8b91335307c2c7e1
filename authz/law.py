"""What must hold beside the rules for a processing to be lawful: bases by purpose, consents apart, notices agreed to.

Rules say who sees what. A record counts as a witness only on a basis that the law in force knows for the purpose; where
consents to sensitive categories stand apart, none opens them together with others; and nobody's data are used in a way
that no notice they agreed to tells of (C24, C75). None of it is decided here: it goes into the situation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authz.vocabulary import Basis
from models.organizations import OrganizationKind
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Purpose, Role

EVERY_CATEGORY = (1 << 32) - 1
_EVERY_BASIS = frozenset(Basis)

Function = tuple[Purpose, OrganizationKind]
"""What a notice tells of: a purpose, and the kind of who processes; BROKER is the brokerage itself."""

_NEWEST = "SELECT coalesce(max(number), 0) FROM notice"
_TOLD = """
SELECT n.number, f.purpose, f.recipient, f.categories FROM notice n
LEFT JOIN notice_function f ON f.notice = n.number ORDER BY n.number
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """The law as far as one slice goes.

    `versions`: for each notice by number, the categories (a stored set) that it tells of for this purpose and kind of
    recipient. Empty where every notice tells of all that the slice could show: whoever agreed to which makes no odds.
    """

    bases: frozenset[Basis] = _EVERY_BASIS
    apart: int = 0
    longest_days: int = 0
    versions: tuple[tuple[int, int], ...] = ()

    @property
    def line(self) -> str:
        """The terms as a text, as canonical as a rule's line."""
        return f"{','.join(sorted(self.bases))};{self.apart};{self.longest_days};{self.versions}"


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Notices:
    """What each published notice tells of, by its number, the oldest first; none known: nothing is held against it."""

    told: Mapping[int, Mapping[Function, int]] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        """The number of the latest; 0: there is none."""
        return max(self.told, default=0)

    def newest_tells(self, role: Role, purpose: Purpose) -> int:
        """The categories, a stored set, that the newest tells of for a role's kind of recipient; without one, all."""
        if role in PERSON_ROLES or not self.told:
            return EVERY_CATEGORY
        return self.told[self.newest].get((purpose, recipient_of(role)), 0)

    def versions(self, role: Role, purpose: Purpose, needed: int) -> tuple[tuple[int, int], ...]:
        """The categories by number, where some version does not tell of all that is needed."""
        if role in PERSON_ROLES or not needed:
            return ()
        function = purpose, recipient_of(role)
        found = tuple((number, told.get(function, 0)) for number, told in self.told.items())
        return () if all(needed & ~categories == 0 for _, categories in found) else found


def recipient_of(role: Role) -> OrganizationKind:
    """The kind of recipient that a notice has to tell of for a role: whoever is no partner acts for the brokerage."""
    return OrganizationKind[role.name] if role in PARTNER_ROLES else OrganizationKind.BROKER


@dataclass(frozen=True, slots=True)
class Law:
    """What one worker goes by: a bundle's part, which configuration sets, and the notices there are.

    `bases` by purpose: None knows every basis for every purpose. `apart` is a stored set of categories that only a
    consent to such categories alone opens. After `longest_days` a consent counts no more, whatever end it names; with 0
    it does.
    """

    bases: Mapping[Purpose, frozenset[Basis]] | None = None
    apart: int = 0
    longest_days: int = 0
    notices: Notices = field(default_factory=Notices)

    def knows(self, basis: Basis, purpose: Purpose) -> bool:
        """May a processing for a purpose rest on this basis?"""
        return self.bases is None or basis in self.bases.get(purpose, frozenset())

    def terms(self, role: Role, purpose: Purpose, needed: int) -> Terms:
        """The terms of a slice that could show the categories `needed`, a stored set."""
        bases = _EVERY_BASIS if self.bases is None else self.bases.get(purpose, frozenset())
        return Terms(bases, self.apart, self.longest_days, self.notices.versions(role, purpose, needed))


EVERYTHING = Law()
"""Holds nothing against anything: for whoever asks what rules alone say."""


async def newest_notice(connection: Any) -> int:  # noqa: ANN401 - asyncpg's connection
    """The number of the latest published notice; 0: there is none. Raises the database's error."""
    found: int = await connection.fetchval(_NEWEST)
    return found


async def law_now(connection: Any, configured: Law) -> Law:  # noqa: ANN401 - as above
    """The law as configuration has it, with the notices that there are. Raises the database's error."""
    return replace(configured, notices=await load_notices(connection))


async def load_notices(connection: Any) -> Notices:  # noqa: ANN401 - as above
    """What the published notices tell of. Raises the database's error."""
    told: dict[int, dict[Function, int]] = {}
    for row in await connection.fetch(_TOLD):
        functions = told.setdefault(row["number"], {})
        if row["purpose"] is not None:
            functions[Purpose(row["purpose"]), OrganizationKind(row["recipient"])] = row["categories"]
    return Notices(told)
