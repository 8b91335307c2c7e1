"""Outside demo mode the service starts only with secrets of its own, real data and a region in the PRC (C26, C58)."""

import asyncio
import base64
import json
import os
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz.token_keys import TokenKeys
from ledger.head_keys import HeadKey
from models.database import connect_once
from models.embedded import database
from models.installation import InstallationError, open_installation
from resolvers.serving.startup import check_settings
from tests.conftest import PRODUCTION, ROOT, run_cli, running_server
from vault.keyring import load_or_create

ABROAD = ["US", "eu-central-1", "cn-", "cnorth", "xcn-1", "hk", "cn-hongkong", "cn-hk-2", "cn tw"]
AT_HOME = ["CN", "cn", "cn-north-1", "CN-SHANGHAI", "cn-beijing-finance-1"]
KNOWN = ["", "postgres", "Password", "changeme", "boss", "BOSS", "thedb", "p%61ssword", "123456"]
WEAK = {
    "zeros": bytes(32),
    "ones": b"\xff" * 32,
    "counted": bytes(range(32)),
    "digits": b"0123456789abcdef" * 2,
    "typed": b"correct horse battery staple 123",
    "repeated": b"ab\x01\xfe" * 8,
}


def refusal(data_dir, **environment) -> str:
    """The one line that a server which does not start prints; its port answers at no time."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    production = {**PRODUCTION, **environment}
    done = run_cli("serve", "--port", port, data_dir=data_dir, check=False, environment=production)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def checked(tmp_path, **environment) -> str | None:
    """Why these settings are refused, without a process."""
    environ = {"NEEDFUL_DATA": str(tmp_path / "data"), **PRODUCTION, **environment}
    try:
        check_settings(open_installation(environ), environ)
    except InstallationError as why:
        return str(why)
    return None


@pytest.mark.parametrize("name", ["NEEDFUL_REGION", "NEEDFUL_KEYS_REGION", "NEEDFUL_BACKUPS_REGION"])
def test_c26_a_foreign_region_is_refused_for_each_of_the_three(tmp_path, name):
    assert f"{name} declares" in checked(tmp_path, **{name: "us-east-1"})


def test_c26_an_undeclared_region_does_not_start(tmp_path):
    assert "NEEDFUL_REGION must declare" in refusal(tmp_path / "data", NEEDFUL_REGION="")


def test_outside_demo_mode_it_has_to_be_told_its_public_address(tmp_path):
    assert "NEEDFUL_PUBLIC_URL must say where" in checked(tmp_path, NEEDFUL_PUBLIC_URL="")
    assert checked(tmp_path, NEEDFUL_PUBLIC_URL="", NEEDFUL_DEMO="1") is None


@pytest.mark.parametrize("region", ABROAD)
def test_c26_what_is_no_region_of_the_mainland_is_refused(tmp_path, region):
    assert "outside the PRC" in checked(tmp_path, NEEDFUL_REGION=region)


@pytest.mark.parametrize("region", AT_HOME)
def test_c26_a_region_of_the_mainland_is_accepted_for_all_three(tmp_path, region):
    assert checked(tmp_path, NEEDFUL_REGION=region) is None


def test_c58_a_known_database_password_does_not_start(tmp_path):
    said = refusal(tmp_path / "data", DATABASE_URL="postgresql://needful:postgres@127.0.0.1:1/needful")
    assert "give the owner a random one" in said


@pytest.mark.parametrize("password", KNOWN)
def test_c58_default_and_known_passwords_are_refused_and_never_shown(tmp_path, password):
    said = checked(tmp_path, DATABASE_URL=f"postgresql://boss:{password}@db.example/thedb")
    assert said is not None
    assert "DATABASE_URL has no password or one that everybody knows" in said
    assert not password or password not in said


def test_c58_a_password_of_ones_own_is_accepted(tmp_path):
    assert checked(tmp_path, DATABASE_URL="postgresql://boss:gK2-vQ9_sLm4@db.example/thedb") is None


def keys_in(folder) -> None:
    """The key files of a demo installation, as its first start writes them; no database."""
    installation = open_installation({"NEEDFUL_DATA": str(folder), "NEEDFUL_DEMO": "1"})
    load_or_create(installation.keyring_path, demo=True)
    TokenKeys.load_or_create(installation.token_keys_path, demo=True)


def test_c58_keys_made_in_demo_mode_do_not_start(tmp_path):
    folder = tmp_path / "data"
    keys_in(folder)
    assert "keyring.json was made in demo mode" in refusal(folder)
    (folder / "keyring.json").unlink()
    assert "token-keys.json was made in demo mode" in checked(tmp_path)


def test_c58_the_suites_own_keys_are_marked_as_demo(server):
    assert json.loads(server.installation.keyring_path.read_text())["demo"] is True
    assert json.loads(server.installation.token_keys_path.read_text())["demo"] is True


def test_c58_rotation_does_not_wash_the_mark_away(server, tmp_path):
    keys = TokenKeys.load(server.installation.token_keys_path)
    for at_once in (False, True):
        keys.rotated(datetime.now(UTC), at_once=at_once).save(tmp_path / "keys.json")
        assert TokenKeys.load(tmp_path / "keys.json").demo


@pytest.mark.parametrize("key", WEAK)
@pytest.mark.parametrize("place", ["wrapping", "phone", "audience", "cursor", "login"])
def test_c58_weak_and_known_keys_are_refused(tmp_path, key, place):
    assert checked(tmp_path) is None
    path = tmp_path / "data" / "keyring.json"
    stored, text = json.loads(path.read_text()), base64.b64encode(WEAK[key]).decode()
    if place == "wrapping":
        stored["wrapping"]["1"] = text
    elif place == "phone":
        stored["blind"]["phone"] = text
    else:
        stored[place] = text
    path.write_text(json.dumps(stored))
    assert "not drawn at random" in checked(tmp_path)


@pytest.mark.parametrize("key", WEAK)
def test_c58_a_weak_key_of_the_ledgers_heads_is_refused(tmp_path, key):
    assert checked(tmp_path) is None
    private = Ed25519PrivateKey.from_private_bytes(WEAK[key])
    path = tmp_path / "data" / "ledger-key.json"
    HeadKey(private.private_bytes_raw(), private.public_key().public_bytes_raw()).save(path)
    assert f"{path} holds a key that was not drawn at random" in checked(tmp_path)


def test_c58_a_key_of_the_ledgers_heads_made_in_demo_mode_is_refused_rotated_or_not(tmp_path):
    assert checked(tmp_path) is None
    path = tmp_path / "data" / "ledger-key.json"
    path.unlink()
    made = HeadKey.load_or_create(path, demo=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for key in (made, made.rotated(datetime.now(UTC))):
        key.save(path)
        assert f"{path} was made in demo mode" in checked(tmp_path)


def test_c58_a_signing_key_out_of_a_specification_is_refused(tmp_path):
    assert checked(tmp_path) is None
    path = tmp_path / "data" / "token-keys.json"
    stored = json.loads(path.read_text())
    stored["keys"][0]["key"].update(
        d="nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    )
    path.write_text(json.dumps(stored))
    assert "token-keys.json holds a key that was not drawn" in checked(tmp_path)


@pytest.fixture(scope="module")
def production(prepared, tmp_path_factory):
    """The data directory of a server that has run outside demo mode."""
    folder = tmp_path_factory.mktemp("production")
    prepared.empty(folder / "data")
    with running_server(folder / "data", folder / "log", environment=PRODUCTION):
        pass
    return folder / "data"


def in_database(data_dir, *statements: str) -> None:
    async def run(credentials) -> None:
        connection = await connect_once(credentials)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    with database(open_installation({"NEEDFUL_DATA": str(data_dir), **PRODUCTION})) as found:
        asyncio.run(run(found.owner))


def test_c58_a_shared_client_secret_does_not_start(production):
    organization = (
        "INSERT INTO organization (id, code, name, kind) VALUES"
        " ('00000000-0000-7000-8000-000000000001', 'PARTNER', 'A partner', 'INSURER')"
    )
    client = (
        "INSERT INTO partner_client (id, organization_id, contact, secret_hash, registered_at) VALUES"
        " ('client', '00000000-0000-7000-8000-000000000001', 'someone', 'ab', now())"
    )
    in_database(production, organization, client)
    assert "shared secret" in refusal(production)
    in_database(production, "DELETE FROM partner_client", "DELETE FROM organization")


def unmarked(*paths):
    """Take the mark of demo mode off key files, as those of an earlier release have none."""
    for path in paths:
        stored = json.loads(path.read_text())
        del stored["demo"]
        path.write_text(json.dumps(stored))


def test_c58_demo_data_do_not_start_outside_demo_mode_and_do_in_it(prepared, tmp_path):
    data_dir = tmp_path / "data"
    prepared.empty(data_dir)
    run_cli("token", "--role", "auditor", "--purpose", "administration", data_dir=data_dir)
    unmarked(data_dir / "keyring.json", data_dir / "token-keys.json")
    assert "holds demo data" in refusal(data_dir)
    with running_server(data_dir, tmp_path / "log", environment={"NEEDFUL_DEMO": "1", "NEEDFUL_REGION": "us"}):
        pass


def test_demo_mode_refuses_none_of_these(tmp_path):
    keys_in(tmp_path / "data")
    known = "postgresql://postgres:postgres@127.0.0.1/postgres"
    assert checked(tmp_path, NEEDFUL_DEMO="1", NEEDFUL_REGION="us-east-1", DATABASE_URL=known) is None


def test_demo_mode_does_not_run_over_an_installation_made_outside_it(tmp_path):
    data_dir = tmp_path / "real"
    environment = {**os.environ, "NEEDFUL_DATA": str(data_dir)}
    made = subprocess.run(
        [sys.executable, "cli.py", "migrate"], cwd=ROOT, env={**environment, **PRODUCTION}, check=False
    )
    assert made.returncode == 0
    minting = ("token", "--role", "auditor", "--purpose", "administration")
    for command in (minting, ("staff", "list"), ("demo", "--people", "5")):
        done = run_cli(*command, data_dir=data_dir, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "was set up outside demo mode: set NEEDFUL_DEMO=0" in done.stderr
