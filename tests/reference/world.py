"""The reference's world: every row of a plaintext fixture file as a plain object with its links resolved.

What the lines look like is `docs/plaintext.md`; every name of a line that the reference depends on stands in
`LINKS` below or is an attribute read in `decide.py`, `scope.py` and `server.py`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from models.global_ids import from_global

LINKS: dict[str, dict[str, str]] = {
    "Account": {"user": "User"},
    "Staff": {},
    "Organization": {},
    "Product": {"insurer": "Organization"},
    "User": {},
    "Device": {"user": "User"},
    "Permission": {"user": "User"},
    "Correction": {"user": "User"},
    "VirtualPhone": {"user": "User", "organization": "Organization"},
    "Policy": {"product": "Product", "insurer": "Organization", "policyholder": "User", "insured": "User"},
    "Beneficiary": {"policy": "Policy", "person": "User"},
    "Claim": {"policy": "Policy", "reporter": "User", "payee": "User"},
    "Consent": {"user": "User", "recipient": "Organization"},
    "Assignment": {
        "staff": "Staff",
        "organization": "Organization",
        "policy": "Policy",
        "claim": "Claim",
        "verificationCase": "VerificationCase",
        "rightsRequest": "RightsRequest",
        "disclosureCase": "DisclosureCase",
    },
    "GuardianLink": {"guardian": "User", "child": "User"},
    "VerificationCase": {"user": "User", "claim": "Claim", "consent": "Consent"},
    "RightsRequest": {"user": "User", "requester": "User"},
    "DisclosureCase": {"recipient": "Organization"},
    "HealthService": {"policy": "Policy", "provider": "Organization"},
}
"""Per type the fields of a line that name another line, and that line's type."""

LEFT_OUT: dict[str, dict[str, Any]] = {
    "User": {"avatar": None, "profileSource": None, "version": 1},
    "Device": {"pushIdKind": None},
    "Claim": {"diagnosisCode": None},
    "Consent": {"givenByGuardian": False, "withdrawnByGuardian": False},
}
"""What only writes bring about: a line may leave it out, and then it is this."""

NAMES = {"Staff": "username", "Organization": "code", "Product": "code"}
"""What the lines of a type are named by, if not by their id."""

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai has had no daylight saving time since 1991."""


class Row:
    """One line: its fields as attributes, links as other rows, identity as equality."""

    def __init__(self, line: dict[str, Any]) -> None:
        """Take a line as it was written."""
        self.type: str = line["type"]
        self.fields: dict[str, Any] = {**LEFT_OUT.get(self.type, {}), **line}

    def __getattr__(self, name: str) -> Any:
        """Read a field; one that the line lacks is an error, never a silent None."""
        if name.startswith("__") or name == "fields":
            raise AttributeError(name)
        try:
            return self.fields[name]
        except KeyError:
            message = f"a {self.type} line has no {name}"
            raise AttributeError(message) from None

    def __repr__(self) -> str:
        """The type, never a value."""
        return self.type


class World:
    """All rows, by type, by name and by what they link to."""

    def __init__(self, lines: Iterable[dict[str, Any]], *, ruleset: int = 1) -> None:
        """Resolve every link; a name that no line has is an error."""
        self.ruleset = ruleset
        self._rows: dict[str, list[Row]] = {kind: [] for kind in LINKS}
        self._named: dict[tuple[str, str], Row] = {}
        self._linked: dict[tuple[str, str, Row], list[Row]] = defaultdict(list)
        for line in lines:
            row = Row(line)
            self._rows[row.type].append(row)
            self._named[row.type, line[NAMES.get(row.type, "id")]] = row
        for kind, links in LINKS.items():
            for row in self._rows[kind]:
                for link, target in links.items():
                    self._resolve(row, link, target)
        for case in self._rows["DisclosureCase"]:
            case.fields["users"] = [self._named["User", user] for user in case.users]

    def _resolve(self, row: Row, link: str, target: str) -> None:
        name = row.fields[link]
        row.fields[link] = found = None if name is None else self._named[target, name]
        if found is not None:
            self._linked[row.type, link, found].append(row)

    def all(self, kind: str) -> list[Row]:
        """Every row of a type."""
        return self._rows[kind]

    def linked(self, kind: str, link: str, target: Row) -> list[Row]:
        """The rows of a type whose `link` is `target`."""
        return self._linked.get((kind, link, target), [])

    def named(self, kind: str, name: str) -> Row | None:
        """The row of that type and id (or what else it is named by), if there is one."""
        return self._named.get((kind, name))

    def policies_of(self, person: Row) -> list[Row]:
        """The policies of which a person is holder or insured, each once."""
        held = self.linked("Policy", "policyholder", person)
        return held + [policy for policy in self.linked("Policy", "insured", person) if policy not in held]

    def claims_of(self, person: Row) -> list[Row]:
        """The claims on the policies of which a person is holder or insured."""
        return [claim for policy in self.policies_of(person) for claim in self.linked("Claim", "policy", policy)]


def load(path: Path, *, ruleset: int = 1) -> World:
    """The world of a plaintext fixture file."""
    with path.open(encoding="utf-8") as lines:
        return World((json.loads(line) for line in lines if line.strip()), ruleset=ruleset)


def moment(text: str) -> datetime:
    """An RFC 3339 date and time."""
    return datetime.fromisoformat(text)


def row_bytes(row_id: str) -> bytes:
    """The 16 bytes within a global id, which rows are ordered by."""
    found = from_global(row_id)
    if found is None:
        message = "a line has an id that is none"
        raise ValueError(message)
    return found[1].bytes


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def age(birth_date: str, at: datetime) -> int:
    """Completed years at that moment's day in Shanghai."""
    born, today = date.fromisoformat(birth_date), at.astimezone(SHANGHAI).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
