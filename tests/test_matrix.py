"""The minimum-necessary matrix, cell by cell, over HTTP (C24, C51, C55)."""

import csv
import json
from functools import cache

import pytest

from authz.default_rules import DATA
from tests.conftest import ROOT, run_cli

NOUNS = ("user", "policy", "beneficiary", "claim", "device")
LEVELS = {"R": "REVEAL", "M": "MASK", "-": "DENY"}
MATRIX = list(
    csv.DictReader(line for line in (DATA / "necessity.csv").read_text().splitlines() if not line.startswith("#"))
)
PLACES = [(row["role"], row["purpose"], row["relation"], row["basis"]) for row in MATRIX]


@cache
def coordinates() -> dict[str, dict[str, tuple[str, str]]]:
    """By noun: field -> (category, data subject), read from the contract."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    noun = ""
    for line in (ROOT / "schema" / "contract.graphql").read_text().splitlines():
        if line.startswith("type "):
            noun = line.split()[1]
        elif "@sensitive(" in line and noun:
            guard = line.split("@sensitive(")[1].rstrip(")")
            words = dict(part.strip().split(": ") for part in guard.split(","))
            field = line.strip().split(":")[0].split("(")[0]
            found.setdefault(noun.lower(), {})[field] = (words["category"].lower(), words["of"])
    return found


@pytest.fixture(scope="module")
def situations(server):
    printed = run_cli("situations", "--plaintext", data_dir=server.data_dir).stdout
    return {(one["role"], one["purpose"], one["relation"], one["basis"]): one for one in json.loads(printed)}


def expected(place, category):
    """The effect in the situation of one row: the best of that row and the broader ones."""
    role, purpose, relation, basis = place
    fitting = [
        row[category]
        for row in MATRIX
        if (row["role"], row["purpose"]) == (role, purpose)
        and row["relation"] in (relation, "any")
        and row["basis"] in (basis, "any")
    ]
    return LEVELS[max(fitting, key="-MR".index)]


JUDGED = {"user": "USER", "policy": "HOLDER", "beneficiary": "BENEFICIARY", "claim": "INSURED", "device": "USER"}
RECORD_WIDE = {"assigned", "underwriter", "provider", "any"}


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_c51_c55_every_cell_of_the_matrix_is_answered_as_the_matrix_says(server, situations, place):
    example = situations[place]
    shown = set()
    for noun in NOUNS:
        if noun not in example:
            continue
        fields = coordinates()[noun]
        selection = " ".join(fields)
        body = server.post(
            f"query($id: ID!) {{ node(id: $id) {{ ... on {noun.capitalize()} {{ {selection} }} }} }}",
            {"id": example[noun]},
            token=example["token"],
        ).json()
        effects = {
            one["coordinate"].split(".")[1]: one["effect"] for one in body["extensions"]["authorization"]["fields"]
        }
        for name, (category, of) in fields.items():
            if of != JUDGED[noun] and not (place[2] in RECORD_WIDE and place[3] in ("contract_open", "any")):
                continue
            assert effects[name] == expected(place, category), (noun, name)
            shown.add(category)
            _check_value(body["data"]["node"][name], example["plain"][example[noun]][name], effects[name])
    granted = {name for name in MATRIX[0] if name not in ("role", "purpose", "relation", "basis", "clause")}
    assert {name for name in granted if expected(place, name) != "DENY"} <= shown


def _check_value(value, plain, effect):
    if effect == "REVEAL":
        assert value == plain
    elif effect == "DENY" or plain is None:
        assert value is None
    else:
        assert "*" in value
        assert value != plain


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_c24_c51_outside_the_matrix_every_sensitive_field_is_denied(server, situations, place):
    """The same rows asked for a purpose that the matrix does not name for the role: nothing."""
    role, purpose, _, _ = place
    example = situations[place]
    named = {row["purpose"] for row in MATRIX if row["role"] == role}
    other = next(name for name in ("research", "administration", "analytics") if name not in named)
    subject = {key: example.get(key) for key in ("user", "policy", "claim")}
    token = _same_caller(server, example, other)
    for noun, global_id in subject.items():
        if global_id is None:
            continue
        fields = coordinates()[noun]
        body = server.post(
            f"query($id: ID!) {{ node(id: $id) {{ ... on {noun.capitalize()} {{ {' '.join(fields)} }} }} }}",
            {"id": global_id},
            token=token,
        ).json()
        assert body["data"]["node"] is None or not any(body["data"]["node"].values())
    assert purpose != other


def _same_caller(server, example, purpose):
    """A token for the same caller and another purpose, signed with the demo key."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from authz.token_keys import TokenKeys  # noqa: PLC0415
    from authz.tokens import Verifier, mint, new_subject  # noqa: PLC0415
    from models.vocabulary import Purpose  # noqa: PLC0415

    keys = TokenKeys.load_or_create(server.installation.token_keys_path)
    who = Verifier(keys).verify(example["token"], now=datetime.now(UTC)).subject
    subject = new_subject(
        who.role,
        [Purpose(purpose)],
        categories=who.categories,
        account=who.account,
        person=who.person,
        organization=who.organization,
        organization_code=who.organization_code,
    )
    return mint(keys, subject, now=datetime.now(UTC))
