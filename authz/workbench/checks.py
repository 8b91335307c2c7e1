"""All that must hold of rules before they are proposed: no finding that is an error, and every case passes."""

from dataclasses import dataclass
from datetime import datetime

from authz.catalogue import Catalogue
from authz.law import EVERYTHING, Law
from authz.rules import RulesetError
from authz.ruleset_store import Content
from authz.workbench.cases import Coverage, Ran, coverage, from_now_on, read_cases, run_cases
from authz.workbench.findings import Finding, FindingKind, Severity, Use, findings, refuses
from ledger.searches import Fetch
from models.vocabulary import Purpose, Role

_USES = """
SELECT DISTINCT coalesce(lower(o.kind), u.holder), u.purpose, u.coordinate
FROM ledger_use u LEFT JOIN organization o ON u.holder_kind = 'ORGANIZATION' AND o.id::text = u.holder
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: findings, failed cases and those that cannot be read among them; the cases; what they cover.

    Without `ran` and `coverage` where rules or cases cannot be used at all; without the latter if nobody asked for it.
    """

    findings: tuple[Finding, ...]
    ran: tuple[Ran, ...] = ()
    coverage: Coverage | None = None

    @property
    def refused(self) -> bool:
        """Can it not be proposed?"""
        return refuses(self.findings)


def check(  # noqa: PLR0913 - what may be looked at
    content: Content,
    *,
    catalogue: Catalogue,
    parent: Content | None = None,
    now: datetime,
    used: frozenset[Use] | None = None,
    law: Law = EVERYTHING,
    covering: bool = True,
) -> Checked:
    """Every finding, every case and, if `covering`, what cases cover; see `findings` for the others."""
    found = findings(content, catalogue=catalogue, parent=parent, now=now, used=used, law=law)
    try:
        groups = read_cases(content.cases)
    except RulesetError as fault:
        return Checked((_failed(f"The cases cannot be read: {fault}."), *found))
    try:
        snapshots = from_now_on(content, catalogue, now=now)
    except RulesetError as fault:
        # Most often what is told as an error anyway: a name that is not there, or no rule at all.
        told = () if refuses(found) else (_failed(f"The rules that have not ended cannot be used: {fault}."),)
        return Checked((*told, *found))
    ran = run_cases(groups, *snapshots)
    failed = (_failed(one.message) for one in ran if not one.passed)
    return Checked((*failed, *found), tuple(ran), coverage(groups, content, catalogue) if covering else None)


def _failed(message: str) -> Finding:
    return Finding(FindingKind.CASE_FAILED, Severity.ERROR, None, message)


async def uses(fetch: Fetch) -> frozenset[Use]:
    """What was ever shown to whom, partners by their role. Raises the database's error."""
    roles, purposes = set(Role), set(Purpose)
    return frozenset(
        (Role(role), Purpose(purpose), name)
        for role, purpose, name in await fetch(_USES)
        if role in roles and purpose in purposes
    )
