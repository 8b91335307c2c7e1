"""The rules that the reference goes by: the matrix, the grants and what is sensitive, read from their sources."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graphql import InterfaceTypeDefinitionNode, ObjectTypeDefinitionNode, parse

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "contract.graphql"
NECESSITY = ROOT / "authz" / "data" / "necessity.csv"
GRANTS = ROOT / "authz" / "data" / "grants.csv"

TEXT = frozenset(
    {
        "name",
        "government_id",
        "phone",
        "relay",
        "email",
        "address",
        "bank_account",
        "occupation",
        "profile",
        "account",
    },
)
"""The categories of which a part can be shown."""


MODEL = """
[request_definition]
r = role, purpose, situation, coordinate, action
[policy_definition]
p = role, purpose, relation, basis, object, action, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.role == p.role && r.purpose == p.purpose && holds(r.situation, p.relation, p.basis) && covers(r.coordinate, p.object) && acts(r.action, p.action, p.eft)
"""  # noqa: E501 - a matcher is one line


@dataclass(frozen=True)
class Rule:
    """One row of the ruleset."""

    role: str
    purpose: str
    relation: str
    basis: str
    object: str
    action: str
    eft: str


@dataclass(frozen=True)
class Sensitive:
    """What the contract says of a sensitive field."""

    category: str
    of: str


@lru_cache
def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@lru_cache
def rules() -> tuple[Rule, ...]:
    """The default ruleset, straight from the two tables."""
    found = []
    for row in _table(NECESSITY):
        who = row["role"], row["purpose"], row["relation"], row["basis"]
        for category in categories():
            if row[category] != "-":
                action = {"R": "reveal", "M": "mask"}[row[category]]
                found.append(Rule(*who, category, action, "allow"))
    for row in _table(GRANTS):
        who = row["role"], row["purpose"], row["relation"], row["basis"]
        found.append(Rule(*who, row["object"], row["action"], "allow"))
    return tuple(found)


@lru_cache
def categories() -> tuple[str, ...]:
    """Every category: the columns of the matrix between the basis and the clause."""
    header = list(_table(NECESSITY)[0])
    return tuple(header[header.index("basis") + 1 : header.index("clause")])


def named(role: str) -> frozenset[str]:
    """The purposes under which the matrix names a role."""
    return frozenset(row["purpose"] for row in _table(NECESSITY) if row["role"] == role)


@lru_cache
def sensitive() -> dict[str, Sensitive]:
    """Every sensitive coordinate of the contract, with its category and data subject."""
    found = {}
    for node in parse(CONTRACT.read_text(encoding="utf-8")).definitions:
        if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            for field in node.fields or ():
                for directive in field.directives or ():
                    if directive.name.value == "sensitive":
                        given = {argument.name.value: argument.value.value for argument in directive.arguments}
                        known = Sensitive(given["category"].lower(), given.get("of", "HOLDER"))
                        found[f"{node.name.value}.{field.name.value}"] = known
    return found
