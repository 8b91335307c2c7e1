"""C48: a raw dump of the database, its write-ahead log included, holds none of the planted values."""

import json
import subprocess

import httpx
import pytest

from tests.conftest import run_cli, running_server
from tests.plain import lines

PEOPLE = 150
SENSITIVE = {
    "User": [
        "username",
        "name",
        "idNumber",
        "birthDate",
        "phone",
        "email",
        "address",
        "bankCard",
        "occupation",
        "healthDeclaration",
        "nickname",
    ],
    "Device": ["model", "ipAddress", "pushId", "lastSeenAt"],
    "Policy": ["premium", "sumInsured"],
    "Beneficiary": ["name", "idNumber", "phone"],
    "Claim": [
        "reporterName",
        "reporterPhone",
        "incidentDescription",
        "hospital",
        "diagnosis",
        "medicalRecord",
        "expenses",
        "amountClaimed",
        "bankCard",
    ],
    "VirtualPhone": ["number"],
}
SHORTEST = 6
"""Bytes: shorter values could stand in the files by chance."""


@pytest.fixture(scope="module")
def dump(tmp_path_factory, prepared):
    """The whole data directory of a server that was loaded, searched by phone, asked, and stopped."""
    folder = tmp_path_factory.mktemp("dump")
    data_dir, plaintext = folder / "data", folder / "plain.jsonl"
    prepared.demo(data_dir, PEOPLE, plaintext=plaintext)
    token = run_cli(
        "token", "--role", "claims_handler", "--purpose", "claim_handling", data_dir=data_dir
    ).stdout.split()[-1]
    phone = next(row["phone"] for row in lines(plaintext)["User"] if row["phone"])
    document = (
        "query($phone: String) { users(phone: $phone) { edges { node { name claims { edges { node { id } } } } } } }"
    )
    with running_server(data_dir, data_dir.parent / "server.log") as url:
        headers = {"Authorization": f"Bearer {token}"}
        body = {"query": document, "variables": {"phone": phone}}
        found = httpx.post(f"{url}/graphql", json=body, headers=headers).json()
        assert len(found["data"]["users"]["edges"]) == 1, json.dumps(found)
    assert any((data_dir / "postgres").rglob("pg_wal/0*"))
    return folder, plaintext


def planted(plaintext):
    rows = lines(plaintext)
    values = {str(row[name]) for kind, names in SENSITIVE.items() for row in rows[kind] for name in names if row[name]}
    public = {str(value) for kind in ("Organization", "Product") for row in rows[kind] for value in row.values()}
    text = "\n".join(public | {row["noticeVersion"] for row in rows["Consent"]})
    return {value for value in values if len(value.encode()) >= SHORTEST and value not in text}


def found_in(folder, values):
    """Which of the values stand anywhere in the files of the data directory or in the server's log."""
    patterns = folder / "patterns"
    patterns.write_text("\n".join(values) + "\n")
    command = ["grep", "-rohaFf", str(patterns), str(folder / "data"), str(folder / "server.log")]
    done = subprocess.run(command, capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {line.decode(errors="replace") for line in done.stdout.splitlines()}


def test_c48_no_planted_value_is_found_in_the_databases_files_or_the_log(dump):
    folder, plaintext = dump
    values = planted(plaintext)
    assert len(values) > 3_000
    assert found_in(folder, values) == set()


def test_the_search_finds_what_is_stored_in_the_clear(dump):
    folder, plaintext = dump
    numbers = {row["policyNumber"] for row in lines(plaintext)["Policy"]}
    assert found_in(folder, numbers) == numbers
