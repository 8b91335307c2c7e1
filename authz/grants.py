"""Grants: what the rules in force show a role, and a partner within its running agreements, by purpose and category.

What the access review reviews (C56). Customers and guardians hold none here: what they may see is their right.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from authz.compile import Snapshot
from authz.oauth.agreements import VALID
from ledger.searches import Fetch
from models.reviews import HolderKind
from models.vocabulary import STAFF_ROLES, Category, Purpose, Role, from_bits

_AGREED = f"""
SELECT o.id::text, o.code, o.kind, a.purposes, a.categories
FROM agreement a JOIN organization o ON o.id = a.organization_id WHERE o.kind <> 'BROKER' AND {VALID}
"""
_CODES = "SELECT id::text, code FROM organization WHERE kind <> 'BROKER'"


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """Who holds a grant: a role of the brokerage, by its name, or a partner organization, by its id."""

    kind: HolderKind
    key: str


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What one holder may be shown for one purpose, masked or revealed."""

    holder: Holder
    purpose: Purpose
    category: Category

    @property
    def words(self) -> tuple[str, str, str, str]:
        """As it stands in the database."""
        return self.holder.kind.value, self.holder.key, self.purpose.value, self.category.value


def read_grant(kind: str, key: str, purpose: str, category: str) -> Grant:
    """A grant as it stands in the database."""
    return Grant(Holder(HolderKind(kind), key), Purpose(purpose), Category(category))


async def granted(fetch: Fetch, snapshot: Snapshot) -> frozenset[Grant]:
    """Every grant there is at the moment. Raises the database's error."""
    roles = {
        Grant(Holder(HolderKind.ROLE, role.value), purpose, category)
        for role in STAFF_ROLES
        for purpose in Purpose
        for category in snapshot.slice(role, purpose).shows
    }
    partners = {
        Grant(Holder(HolderKind.ORGANIZATION, key), purpose, category)
        for key, _, kind, purposes, categories in await fetch(_AGREED)
        for purpose in map(Purpose, json.loads(purposes))
        for category in snapshot.slice(Role[kind], purpose).shows & frozenset(from_bits(categories))
    }
    return frozenset(roles | partners)


async def codes(fetch: Fetch) -> dict[str, str]:
    """The codes of partner organizations by their ids."""
    return dict(await fetch(_CODES))


def holder_named(name: str, codes_by_id: dict[str, str]) -> Holder | None:
    """The holder that goes by a name: a role of the brokerage, or the code of a partner; None for nobody's."""
    if name in STAFF_ROLES:
        return Holder(HolderKind.ROLE, name)
    return next((Holder(HolderKind.ORGANIZATION, key) for key, code in codes_by_id.items() if code == name), None)


def name_of(holder: Holder, codes_by_id: Mapping[str, str]) -> str:
    """What a holder goes by; an organization that is gone, by its id."""
    return codes_by_id.get(holder.key, holder.key)
