"""Receipts of consents: a document to keep, signed so that anybody can verify it, and never taken for a token."""

import base64
import json
import os
import re
import subprocess
import sys

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

import cli
from authz.token_keys import TokenKeys
from authz.tokens import utc_now
from models.vocabulary import Purpose
from privacy.receipt_keys import ReceiptKeys
from privacy.receipts import TYPE, NoReceipt, read_receipt
from tests.conftest import ROOT
from tests.privacy.consenting import CHILD, HASH, Consenting, download, published_keys


@pytest.fixture
def found(bundled):
    return Consenting.on(bundled)


@pytest.fixture
def affiliate(found):
    return found.rows("SELECT code, name FROM organization WHERE kind = 'AFFILIATE' ORDER BY code LIMIT 1")[0]


def verify(found, file, capsys, *arguments):
    """What the command says of a file, and its exit code; without any server or database."""
    code = cli.main(["receipt", "verify", str(file), "--json", *map(str, arguments)])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else said.err


@pytest.fixture
def verifying(found, capsys, monkeypatch, tmp_path):
    """Verifies a text by the command, as this installation does or by published keys."""
    monkeypatch.setenv("NEEDFUL_DATA", str(found.data_dir))

    def act(text, *arguments):
        (tmp_path / "receipt").write_text(text)
        return verify(found, tmp_path / "receipt", capsys, *arguments)

    return act


def test_c32_c82_a_receipt_says_who_agreed_to_what_whom_and_under_which_notice(found, affiliate):
    me = found.somebody()
    given = found.grant(found.of(me), "VERIFICATION", ["GOVERNMENT_ID"], affiliate["code"])
    said = given["receipt"]["document"]
    (service,), (controller,) = said["services"], said["piiControllers"]
    (purpose,) = service["purposes"]
    assert (said["version"], said["jurisdiction"]) == ("KI-CR-v1.1.0", "CN")
    assert (said["consentReceiptID"], said["piiPrincipalId"]) == (given["id"], me.id)
    assert said["notice"] == {"version": "2020-10-26", "hash": HASH, "field": "Query.notice", "published": True}
    assert (purpose["purpose"], purpose["piiCategory"]) == ("VERIFICATION", ["GOVERNMENT_ID"])
    assert (purpose["thirdPartyDisclosure"], purpose["thirdPartyName"]) == (True, affiliate["name"])
    assert said["recipient"] == {"code": affiliate["code"], "name": affiliate["name"]}
    assert (said["sensitive"], said["spiCat"]) == (True, ["GOVERNMENT_ID"])
    assert controller["piiController"].startswith("安润国际")
    assert controller["email"] == "privacy@wkbins.com.com"
    assert said["withdrawal"] == {**said["withdrawal"], "mutation": "withdrawConsent", "id": given["id"]}
    assert (said["expiresAt"] is not None) == bool(found.longest_days)
    assert [one["eventType"] for one in said["events"]] == ["given"]
    assert me.name not in json.dumps(said, ensure_ascii=False), "it says which categories, and no datum"


def test_c68_the_receipt_of_a_consent_that_was_taken_back_says_when(found):
    token = found.of(found.somebody())
    given = found.grant(token)
    gone = found.withdraw(token, given["id"])
    said = gone["receipt"]["document"]
    assert [(one["eventType"], one["by"]) for one in said["events"]] == [("given", "SELF"), ("withdrawn", "SELF")]
    assert said["withdrawnAt"] == said["events"][1]["eventTime"]
    assert said["consentTimestamp"] == given["receipt"]["document"]["consentTimestamp"]


def test_a_receipt_is_verified_offline_by_a_stock_library_with_the_published_keys(found):
    receipt = found.grant(found.of(found.somebody()))["receipt"]
    keys = KeySet.import_key_set(published_keys(found))
    signed = jwt.decode(receipt["jws"], keys, algorithms=["EdDSA"])
    assert signed.header["typ"] == TYPE
    assert signed.claims == receipt["document"]
    assert not any("d" in key for key in published_keys(found)["keys"])
    head, _, signature = receipt["jws"].split(".")
    changed = base64.urlsafe_b64encode(json.dumps({**signed.claims, "sensitive": True}).encode()).decode().rstrip("=")
    with pytest.raises(JoseError):
        jwt.decode(f"{head}.{changed}.{signature}", keys, algorithms=["EdDSA"])


def test_a_download_is_the_receipt_as_a_file_signed_or_with_its_document(found, verifying):
    token = found.of(found.somebody())
    given = found.grant(token)
    signed = download(found, given["id"], token)
    assert (signed.status_code, signed.text) == (200, given["receipt"]["jws"])
    assert signed.headers["content-type"] == "application/jwt"
    assert signed.headers["content-disposition"] == f'attachment; filename="consent-{given["id"]}.jwt"'
    assert signed.headers["cache-control"] == "no-store"
    whole = download(found, given["id"], token, accept="application/json")
    assert whole.headers["content-type"] == "application/json"
    assert whole.json() == {"document": given["receipt"]["document"], "jws": signed.text}
    for text in (signed.text, whole.text):
        code, said = verifying(text)
        assert (code, said["genuine"], said["document"]) == (0, True, given["receipt"]["document"])
    other = json.dumps({**whole.json(), "document": {**whole.json()["document"], "sensitive": True}})
    assert verifying(other) == (1, {"genuine": False, "why": "the document beside the signed text says something else"})


@pytest.mark.parametrize(
    "bad", ["", "no receipt", "{}", '{"jws": 3}', "[", "[" * 100_000, "a.b.c", "é.é.é", "x" * 100_000]
)
def test_what_is_no_receipt_is_told_apart_without_a_fault(verifying, bad):
    code, said = verifying(bad)
    assert (code, said["genuine"]) == (1, False)


def test_a_receipt_is_for_the_person_and_their_guardian_and_does_not_exist_for_anybody_else(found, affiliate):
    child, mother, other = found.somebody(birth=CHILD), found.somebody(), found.somebody()
    found.guards(mother, child)
    given = found.grant(found.guardian_of(mother), "VERIFICATION", ["NAME"], affiliate["code"], user=child.id)["id"]
    for token in (found.of(child), found.guardian_of(mother)):
        assert download(found, given, token).status_code == 200
    unknown = found.grant(found.of(other))["id"]
    refused = [download(found, given, found.of(other)), download(found, unknown, found.of(child))]
    assert [one.status_code for one in refused] == [404, 404]
    assert refused[0].json() == refused[1].json()
    assert download(found, given, None).status_code == 401
    assert download(found, given, "nonsense").status_code == 401
    assert download(found, "nonsense", found.of(other)).status_code == 400
    assert download(found, given, found.of(child, categories=[])).status_code == 404, "such a token is for less"


def test_to_download_a_receipt_is_an_access_on_record(found):
    me = found.somebody()
    token = found.of(me)
    given = found.grant(token)["id"]
    download(found, given, token)
    rows = found.rows("SELECT body FROM ledger WHERE body LIKE '%ConsentReceipt%' AND body LIKE $1", f"%{me.account}%")
    assert len(rows) == 1
    assert "Consent.receipt" in rows[0]["body"]


# Never one for the other.


def test_a_receipt_is_no_access_token_even_if_a_token_key_had_signed_it(found):
    me = found.somebody()
    receipt = found.grant(found.of(me))["receipt"]
    key = TokenKeys.load(found.installation.token_keys_path).signing(utc_now())
    claims = json.loads(base64.urlsafe_b64decode(found.of(me).split(".")[1] + "=="))
    crossed = jwt.encode({"alg": "EdDSA", "typ": TYPE, "kid": key.kid}, claims, key, algorithms=["EdDSA"])
    for text in (receipt["jws"], crossed):
        response = found.post("{ viewer { role } }", token=text, purpose="account_service")
        assert response.status_code == 401
    assert found.post("{ viewer { role } }", token=found.of(me), purpose="account_service").status_code == 200


def test_an_access_token_is_no_receipt_even_if_a_receipt_key_had_signed_it(found, verifying, tmp_path):
    me = found.somebody()
    token = found.of(me)
    keys = TokenKeys.load(found.installation.token_keys_path)
    (tmp_path / "token-keys.json").write_text(json.dumps(keys.public(utc_now())))
    assert verifying(token)[0] == 1
    assert verifying(token, "--keys", tmp_path / "token-keys.json") == (
        1,
        {"genuine": False, "why": "it is signed, and is no consent receipt"},
    )
    own = ReceiptKeys.load(found.installation.receipt_keys_path)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    crossed = jwt.encode(
        {"alg": "EdDSA", "typ": "at+jwt", "kid": own.signing.kid}, claims, own.signing, algorithms=["EdDSA"]
    )
    assert isinstance(read_receipt(crossed, own.verifying()), NoReceipt)
    assert found.post("{ viewer { role } }", token=crossed, purpose="account_service").status_code == 401


# Keys.


def test_after_a_rotation_a_new_key_signs_and_earlier_receipts_stay_genuine(found, verifying):
    token = found.of(found.somebody())
    before = found.grant(token)["receipt"]["jws"]
    old = ReceiptKeys.load(found.installation.receipt_keys_path)
    old.rotated().save(found.installation.receipt_keys_path)
    after = found.latest_receipt(token)
    assert json.loads(base64.urlsafe_b64decode(after.split(".")[0] + "=="))["kid"] != old.signing.kid
    assert [len(published_keys(found)["keys"]), verifying(before)[0], verifying(after)[0]] == [2, 0, 0]
    stored = json.loads(found.installation.receipt_keys_path.read_text())
    assert "d" not in stored["earlier"][0], "its private half is gone"
    old.save(found.installation.receipt_keys_path)


def test_the_key_file_is_the_owners_alone_and_not_the_one_of_tokens(found):
    path = found.installation.receipt_keys_path
    assert path.stat().st_mode & 0o777 == 0o600
    kids = {key["kid"] for key in published_keys(found)["keys"]}
    tokens = TokenKeys.load(found.installation.token_keys_path).public(utc_now())["keys"]
    assert not kids & {key["kid"] for key in tokens}
    assert str(ReceiptKeys.load(path).signing.as_dict(private=True)["d"]) not in repr(ReceiptKeys.load(path))


# The guide.


def test_the_guides_commands_run_and_answer_what_it_says(found, tmp_path):
    text = (ROOT / "docs" / "consents.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    token = found.of(found.somebody(), purposes=[Purpose.ACCOUNT_SERVICE])
    address = found.url.removesuffix("/graphql")
    command = re.sub(r"^TOKEN=.*$", f"TOKEN={token}", "\n".join(blocks), flags=re.MULTILINE)
    command = command.replace("http://127.0.0.1:8000", address)
    command = command.replace("\nscripts/needful", f"\n{sys.executable} {ROOT}/cli.py")
    environment = {**os.environ, "NEEDFUL_DATA": str(tmp_path / "elsewhere")}
    ran = subprocess.run(
        ["bash", "-euc", command], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    payload, verified = ran.stdout[: ran.stdout.index("Genuine")], ran.stdout[ran.stdout.index("Genuine") :]
    given = json.loads(payload)["data"]["grantConsent"]
    assert (given["__typename"], given["status"]) == ("Consent", "ACTIVE")
    assert verified == f"Genuine: the consent {given['id']}, in force when it was made.\n"
