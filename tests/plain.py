"""The demo data in the clear, by type and id, as a test looks things up in them."""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path

OPEN_CLAIM = {"REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"}
OPEN_POLICY = {"IN_FORCE", "GRACE"}


@cache
def lines(path: Path) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for line in path.read_text().splitlines():
        row = json.loads(line)
        found[row["type"]].append(row)
    return found


@cache
def by_id(path: Path, kind: str) -> dict[str, dict]:
    return {row["id"]: row for row in lines(path)[kind]}


def claims_of(path: Path, policy: str) -> list[dict]:
    return [claim for claim in lines(path)["Claim"] if claim["policy"] == policy and claim["status"] != "DRAFT"]
