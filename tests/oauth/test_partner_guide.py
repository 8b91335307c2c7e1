"""The guide for partners is true: a stock client works unmodified, its commands run, its numbers are the code's."""

import asyncio
import json
import os
import re
import subprocess
import sys
import warnings

import pytest

from authz.caveats import read_caveats
from authz.oauth import assertions, endpoints, proofs
from authz.oauth.problems import Problem
from authz.oauth.registration import register
from authz.tokens import LIFETIME, utc_now
from cli import main
from models.database import connect_once
from tests.conftest import ROOT
from tests.oauth.wire import new_key
from tests.warm import program

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib would rather find httpx2
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, RSAKey

GUIDE = (ROOT / "docs" / "partners.md").read_text()
DETAILS = json.dumps([{"type": "insurance_data", "purposes": ["policy_service"], "categories": ["name"]}])


def registered(server, keys) -> str:
    """A client of INS01, by its own agreement in the demo data."""

    async def run():
        connection = await connect_once(server.database.owner)
        try:
            return await register(connection, "INS01", contact="x@insurer.test", keys=keys, now=utc_now())
        finally:
            await connection.close()

    return asyncio.run(run()).client


@pytest.mark.parametrize(
    "key, arguments",
    [(RSAKey.generate_key(2048), {}), (ECKey.generate_key("P-256"), {"alg": "ES256"}), (new_key(), {"alg": "EdDSA"})],
    ids=["RS256", "ES256", "EdDSA"],
)
def test_a_stock_client_library_works_unmodified(server, key, arguments):
    client_id = registered(server, key.as_dict(private=False))
    base = server.url.removesuffix("/graphql")

    async def run():
        async with AsyncOAuth2Client(
            client_id, key, token_endpoint_auth_method="private_key_jwt",
            revocation_endpoint_auth_method="private_key_jwt", token_endpoint=f"{base}/oauth/token",
        ) as client:  # fmt: skip
            client.register_client_auth_method(PrivateKeyJWT(**arguments))
            for _ in range(2):
                token = await client.fetch_token(grant_type="client_credentials", authorization_details=DETAILS)
            assert token["token_type"] == "Bearer"
            answer = await client.post(server.url, json={"query": "{ viewer { organization } }"})
            assert answer.json()["data"]["viewer"]["organization"] == "INS01"
            with pytest.raises(OAuthError, match="covers none"):
                await client.fetch_token(
                    grant_type="client_credentials", authorization_details=DETAILS.replace("policy_service", "security")
                )
            assert (await client.revoke_token(f"{base}/oauth/revoke", token=token["access_token"])).status_code == 200
            await asyncio.sleep(1)
            assert (await client.post(server.url, json={"query": "{ viewer { organization } }"})).status_code == 401

    asyncio.run(run())


def shell(script, server, folder):
    """Run commands of the guide as they stand, on this server and in a folder of their own."""
    script = script.replace(".venv/bin/python", sys.executable).replace("examples/partner", f"{ROOT}/examples/partner")
    script = script.replace("http://127.0.0.1:8000", server.url.removesuffix("/graphql"))
    environment = {**os.environ, "NEEDFUL_DATA": str(server.data_dir)}
    with program() as needful:
        script = script.replace("scripts/needful", needful)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def test_the_guides_commands_lead_to_the_first_answer(server, tmp_path):
    blocks = [re.sub(r"^ +", "", text, flags=re.MULTILINE) for text in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)]
    done = shell("\n".join(blocks), server, tmp_path)
    assert not re.search("Warning|Traceback", done.stderr)
    out = done.stdout
    # Twice, with the first key and with the second: both tokens, both answers, the end of the first.
    assert len(re.findall(r'^Bearer token for \d+ s: .*"purposes": \["policy_service"\]', out, re.MULTILINE)) == 2
    assert len(re.findall(r'^DPoP token for \d+ s: .*"categories": \["health"\]', out, re.MULTILINE)) == 2
    assert out.count("claims: 200") == out.count("revoked: 200") == out.count("policies: 200") == 2
    assert out.count("policies: 401") == out.count("the token has been revoked") == 2
    assert re.search(r'"policyNumber": "\S+"', out)
    assert re.search(r'"name": "\S+"', out)
    assert re.search(r'"claimNumber": "\S+"', out)
    assert "Recorded INS02-2026: it gives tokens." in out
    assert (tmp_path / "insurer.private.json").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "insurer.public.json").read_text()).keys() == {
        "kty",
        "crv",
        "x",
        "y",
        "kid",
        "use",
        "alg",
    }


def rows(heading):
    part = GUIDE.split(f"\n{heading}\n")[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines()[1:]]


def test_the_guide_tells_every_error_with_its_statuses():
    told = {
        row[0].strip("`"): {int(status) for status in row[1].split(",")} for row in rows("| error | status | when |")
    }
    real = {}
    for problem in Problem:
        real.setdefault(problem.code, set()).add(problem.status)
    assert told == real
    assert f"over {endpoints.MAX_BODY // 1024} KiB" in GUIDE


def test_the_guide_tells_every_caveat():
    samples = {"policies": ["P"], "products": ["P"], "until": 1, "row_ceiling": 1, "mask_only": True}
    assert {row[0].strip("`") for row in rows("| caveat | meaning |")} == set(samples)
    assert all(len(read_caveats({name: value})) == 1 for name, value in samples.items())


def test_the_guides_times_are_those_of_the_code():
    assert (assertions.GOOD_FOR, assertions.LONGEST) == (300, 3600)
    assert f"a proof is good for {proofs.WINDOW} seconds" in GUIDE
    assert f"up to {proofs.LONGEST_JTI} characters" in GUIDE
    assert f"at most {LIFETIME.total_seconds():.0f} seconds" in GUIDE


def test_every_file_that_the_guide_names_exists():
    for name in re.findall(r"\]\(([^)#]+)\)", GUIDE) + re.findall(r"examples/\S+\.py", GUIDE):
        assert (ROOT / "docs" / name).exists() or (ROOT / name).exists(), name


@pytest.fixture
def cli(pair, capsys, monkeypatch):
    """Runs a command on the pair's installation, in this process: its exit code, output and complaint."""
    monkeypatch.setenv("NEEDFUL_DATA", str(pair.installation.root))

    def run(*arguments):
        capsys.readouterr()
        code = main(arguments)
        return (code, *capsys.readouterr())

    return run


def test_the_commands_record_and_end_a_partner(pair, cli, tmp_path):
    code, key = pair.organization("AFFILIATE"), new_key("cli")
    (tmp_path / "public.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    terms = ["--org", code, "--purpose", "verification", "--category", "name", "--to", "2027-12-31", "--json"]
    _, out, _ = cli("partner", "agree", *terms, "--reference", f"{code}-1")
    assert json.loads(out)["valid"] is False  # an affiliate's without --attested (C35)
    _, out, _ = cli("partner", "agree", *terms, "--reference", f"{code}-2", "--attested")
    assert json.loads(out)["valid"] is True
    contact = "运维 ops@affiliate.test"
    _, out, _ = cli("partner", "register", "--org", code, "--contact", contact, "--keys", str(tmp_path / "public.json"))
    client = out.splitlines()[-1]
    (partner,) = [one for one in json.loads(cli("partner", "list", "--json")[1]) if one["org"] == code]
    assert [one["valid"] for one in partner["agreements"]] == [False, True]
    assert partner["agreements"][1]["to"].startswith("2027-12-31T15:59:59")  # the day's end in Shanghai
    (listed,) = partner["clients"]
    assert (listed["client"], listed["contact"], listed["secret"]) == (client, contact, False)
    assert [one["kid"] for one in listed["keys"]] == ["cli"]
    assert client in cli("partner", "list")[1]
    (tmp_path / "second.json").write_text(json.dumps(new_key("cli2").as_dict(private=False)))
    for arguments in (
        ["add-key", "--client", client, "--keys", str(tmp_path / "second.json")],
        ["end", "--reference", f"{code}-2"],
        ["end-key", "--client", client, "--kid", "cli"],
        ["withdraw", "--client", client],
    ):
        assert cli("partner", *arguments)[0] == 0
    (partner,) = [one for one in json.loads(cli("partner", "list", "--json")[1]) if one["org"] == code]
    assert not any(one["valid"] for one in partner["agreements"])
    assert partner["clients"][0]["ended"]
    assert [bool(one["ended"]) for one in partner["clients"][0]["keys"]] == [True, False]


AGREE = ["agree", "--reference", "R", "--purpose", "marketing"]
REGISTER = ["register", "--org", "INS01", "--contact", "x"]
REFUSED = {
    "unknown organization": [*AGREE, "--org", "NOBODY", "--to", "2027-12-31"],
    "over": [*AGREE, "--org", "INS01", "--to", "2020-12-31"],
    "no file": [*REGISTER, "--keys", "/nowhere/keys.json"],
    "a folder": [*REGISTER, "--keys", "/"],
    "not JSON": [*REGISTER, "--keys", str(ROOT / "README.md")],
    "no end": [*REGISTER, "--keys", "/dev/zero"],
    "neither": REGISTER,
    "both": [*REGISTER, "--secret", "--keys", "x"],
    "unknown client": ["withdraw", "--client", "nobody"],
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_a_command_that_cannot_be_done_is_refused_in_one_sentence(cli, arguments):
    code, out, complaint = cli("partner", *arguments)
    assert (code, out) == (1, "")
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize("date", ["tomorrow", "2027-13-01", "2027-12-31T10:00:00", ""])
def test_a_date_that_cannot_be_is_a_mistake_of_usage(cli, date):
    assert cli("partner", *AGREE, "--org", "INS01", "--to", date)[0] == 2


def test_shared_secrets_are_for_demo_mode_only(cli, monkeypatch):
    assert len(json.loads(cli("partner", *REGISTER, "--secret", "--json")[1])["secret"]) >= 40
    monkeypatch.setenv("NEEDFUL_DEMO", "0")
    code, out, complaint = cli("partner", *REGISTER, "--secret", "--json")
    assert (code, out) == (1, "")
    assert "demo mode only" in complaint


def test_c38_without_a_valid_agreement_there_is_no_demo_token_either(pair, cli):
    code = pair.organization()
    arguments = ["token", "--role", "insurer", "--purpose", "policy_service", "--org", code]
    refusal, out, complaint = cli(*arguments)
    assert (refusal, out) == (1, "")
    assert "no valid agreement" in complaint
    pair.agree(code)
    assert pair.call(cli(*arguments)[1].strip()).status_code == 200
