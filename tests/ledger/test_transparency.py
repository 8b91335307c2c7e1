"""Anybody can follow the ledger's growth and prove a decision's place; its text is for whom it is about."""

import base64
import json
import os
import signal
import time
from hashlib import sha256
from uuid import UUID, uuid4

import psutil
import pytest

from ledger import tree
from ledger.head_keys import is_signed, key_id
from models.vocabulary import Category
from resolvers.operating.metrics_token import metrics_token
from tests.plain import by_id, lines
from tests.recorded import as_owner, said

ASKED = "query Look { claims(first: 2) { edges { node { claimNumber diagnosis } } } }"


@pytest.fixture(scope="module")
def asked(server, handler):
    """Asks the server for one path."""

    def ask(path, *, token=None, **parameters):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return server.client.get(
            f"{server.url.removesuffix('/graphql')}/ledger/{path}", params=parameters, headers=headers
        )

    return ask


@pytest.fixture(scope="module")
def customer(server):
    person = by_id(server.plaintext, "User")[lines(server.plaintext)["Policy"][0]["policyholder"]]
    return server.token("customer", user=person["username"], purposes=["account_service"])


def decided(server, token) -> str:
    return server.post(ASKED, token=token).json()["extensions"]["authorization"]["decisionId"]


def proven(ask, decision, **more):
    """The answer once the decision is sealed."""
    deadline = time.monotonic() + 20
    while (answer := ask("inclusion", decision=decision, **more)).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_head_is_signed_with_the_key_that_comes_with_it_and_the_second_place_has_it(server, handler, asked):
    proven(asked, decided(server, handler))
    head = asked("head").json()
    public = base64.urlsafe_b64decode(head["publicKey"]["x"] + "=")
    assert head["publicKey"]["kid"] == key_id(public)
    assert is_signed(head["head"], bytes.fromhex(head["signature"]), public)
    said = json.loads(head["head"])
    assert (said["size"], said["root"], said["at"], said["key"]) == (
        head["size"], head["root"], head["at"], head["publicKey"]["kid"],
    )  # fmt: skip
    line = json.dumps({"head": head["head"], "signature": head["signature"]}, separators=(",", ":"))
    assert line in server.installation.ledger_heads_path.read_text().splitlines()


def test_a_decision_is_proven_to_be_in_the_tree_of_a_head(server, handler, asked):
    answer = proven(asked, decided(server, handler))
    (leaf,) = answer["leaves"]
    path = [bytes.fromhex(step) for step in leaf["path"]]
    root = bytes.fromhex(answer["head"]["root"])
    assert answer["size"] == answer["head"]["size"]
    assert tree.includes(bytes.fromhex(leaf["leafHash"]), leaf["index"], answer["size"], path, root)
    assert "text" not in leaf


def test_a_later_tree_is_proven_to_begin_with_an_earlier_one(server, handler, asked):
    first = proven(asked, decided(server, handler))
    second = proven(asked, decided(server, handler))
    sizes = first["size"], second["size"]
    assert sizes[0] < sizes[1]
    answer = asked("consistency", first=sizes[0], second=sizes[1]).json()
    roots = bytes.fromhex(first["head"]["root"]), bytes.fromhex(second["head"]["root"])
    assert (answer["firstRoot"], answer["secondRoot"]) == tuple(root.hex() for root in roots)
    assert tree.consistent(sizes, roots, [bytes.fromhex(step) for step in answer["path"]])


def test_an_earlier_heads_tree_is_proven_into_as_well(server, handler, asked):
    decision = decided(server, handler)
    earlier = proven(asked, decision)
    proven(asked, decided(server, handler))
    answer = proven(asked, decision, size=earlier["size"])
    (leaf,) = answer["leaves"]
    path = [bytes.fromhex(step) for step in leaf["path"]]
    root = bytes.fromhex(earlier["head"]["root"])
    assert tree.includes(bytes.fromhex(leaf["leafHash"]), leaf["index"], earlier["size"], path, root)


def told_of(
    server, asked, token, document="{ policies(first: 2) { edges { node { id policyholder { name } } } } }", **reader
):
    """What an operation with this token left, as somebody is told of it; a token of their own or None."""
    body = server.post(document, token=token).json()
    decision = body["extensions"]["authorization"]["decisionId"]
    return {
        name: proven(asked, decision, token=one) for name, one in {"itself": token, "nobody": None, **reader}.items()
    }


def test_a_partner_proves_that_its_operation_is_in_the_tree_and_never_gets_a_text(server, asked):
    mine = server.token("insurer", org="INS01", purposes=["policy_service"])
    other = server.token("insurer", org="INS02", purposes=["policy_service"])
    auditor = server.token("auditor", user="auditor01", purposes=["administration"])
    told = told_of(server, asked, mine, other=other, auditor=auditor)
    (leaf,) = told["itself"]["leaves"]
    path, root = [bytes.fromhex(step) for step in leaf["path"]], bytes.fromhex(told["itself"]["head"]["root"])
    assert tree.includes(bytes.fromhex(leaf["leafHash"]), leaf["index"], told["itself"]["size"], path, root)
    text = told["auditor"]["leaves"][0]["text"]
    assert sha256(b"\x00" + text.encode()).hexdigest() == leaf["leafHash"]
    writer, sequence, row = text.split(":", 2)
    assert (UUID(writer).version, int(sequence) > 0) == (4, True)
    row = json.loads(row)
    assert row["role"] == "insurer"
    assert row["persons"]
    assert row["records"]
    for name in ("itself", "other", "nobody"):
        assert told[name]["leaves"][0].keys() == {"index", "leafHash", "path"}
        said = json.dumps(told[name])
        for reference in (*row["persons"], *(record[1:] for record in row["records"]), writer):
            assert str(reference) not in said


def test_a_seat_gets_no_text_of_its_own_rows_and_a_customer_does(server, handler, asked, customer):
    marketer = server.token("marketer", purposes=["marketing"])
    for seat in (handler, marketer):
        for told in told_of(server, asked, seat, "{ users(first: 2) { edges { node { id } } } }").values():
            assert told["leaves"][0].keys() == {"index", "leafHash", "path"}
    told = told_of(server, asked, customer, "{ viewer { user { name } } }", handler=handler)
    leaf = told["itself"]["leaves"][0]
    assert sha256(b"\x00" + leaf["text"].encode()).hexdigest() == leaf["leafHash"]
    assert ["text" in told[name]["leaves"][0] for name in ("nobody", "handler")] == [False, False]


@pytest.mark.parametrize("purpose", ["administration", "rights_request"])
def test_an_auditor_gets_texts_for_administration_only(server, handler, asked, purpose):
    auditor = server.token("auditor", user="auditor01", purposes=[purpose])
    leaf = proven(asked, decided(server, handler), token=auditor)["leaves"][0]
    assert ("text" in leaf) == (purpose == "administration")


@pytest.mark.parametrize(
    "path, parameters, argument",
    [
        ("inclusion", {}, "decision"),
        ("inclusion", {"decision": "nonsense"}, "decision"),
        ("inclusion", {"decision": "{" + str(uuid4()) + "}"}, "decision"),
        ("inclusion", {"decision": [str(uuid4()), str(uuid4())]}, "decision"),
        ("inclusion", {"decision": str(uuid4()), "size": "0"}, "size"),
        ("inclusion", {"decision": str(uuid4()), "size": "-1"}, "size"),
        ("inclusion", {"decision": str(uuid4()), "size": "999999999999999999"}, "size"),
        ("inclusion", {"decision": str(uuid4()), "size": "9" * 99}, "size"),
        ("consistency", {}, "first"),
        ("consistency", {"first": "0", "second": "1"}, "first"),
        ("consistency", {"first": "²", "second": "1"}, "first"),
        ("consistency", {"first": "2", "second": "1"}, "second"),
        ("consistency", {"first": "1", "second": "999999999999999999"}, "second"),
        ("consistency", {"first": "1"}, "second"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(server, handler, asked, path, parameters, argument):
    proven(asked, decided(server, handler))
    answer = asked(path, **parameters)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]) == (400, {"code": "BAD_USER_INPUT", "argument": argument})


def test_what_is_not_sealed_has_no_proof_yet(asked):
    answer = asked("inclusion", decision=str(uuid4()))
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_SEALED")
    assert int(answer.headers["retry-after"]) > 0


def test_a_bad_token_is_refused_and_not_taken_for_nobodys(asked):
    answer = asked("inclusion", decision=str(uuid4()), token="nonsense")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


def test_what_is_refused_is_counted_or_has_its_row(server, asked):
    def refused() -> float:
        shown = {"Authorization": f"Bearer {metrics_token(server.installation.metrics_token_path)}"}
        text = server.client.get(f"{server.url.removesuffix('/graphql')}/metrics", headers=shown).text
        counts = [line for line in text.splitlines() if 'code="UNAUTHENTICATED"' in line and "_total" in line]
        return sum(float(line.split()[-1]) for line in counts)

    before = refused()
    for _ in range(3):
        asked("inclusion", decision=str(uuid4()), token="nonsense")
    assert refused() >= before + 3
    insurer = server.token("insurer", org="INS01", purposes=["policy_service"], categories=[Category.NAME])
    rows = "SELECT body FROM ledger WHERE body::jsonb ->> 'token' = $1"
    # Not sealed yet is no refusal: whoever asks until it is would look as if they tried what they may not.
    asked("inclusion", decision=str(uuid4()), token=insurer)
    asked("inclusion", decision=str(uuid4()), size="0", token=insurer)
    deadline, payload = time.monotonic() + 10, insurer.split(".")[1]
    token = json.loads(base64.urlsafe_b64decode(payload + "=="))["jti"]
    while not (found := as_owner(server, lambda one: one.fetch(rows, token))) and time.monotonic() < deadline:
        time.sleep(0.05)
    (row,) = said(found)
    assert (row["kind"], row["outcome"], row["code"]) == ("REFUSAL", "REFUSED", "BAD_USER_INPUT")
    assert (row["role"], "organization" in row) == ("insurer", True)


def test_all_of_it_is_within_the_rate_of_anonymous_callers(asked):
    for path in ("head", "consistency", "inclusion"):
        assert '"anonymous"' in asked(path).headers["ratelimit-policy"]


def test_a_killed_sealer_is_replaced_and_loses_and_doubles_nothing(server, handler, asked):
    found = [one for one in psutil.process_iter() if is_sealer(one, server)]
    assert len(found) == 1
    decisions = [decided(server, handler) for _ in range(5)]
    os.kill(found[0].pid, signal.SIGKILL)
    decisions += [decided(server, handler) for _ in range(5)]
    leaves = [proven(asked, decision)["leaves"] for decision in decisions]
    assert [len(some) for some in leaves] == [1] * 10
    deadline = time.monotonic() + 5
    while not (again := [one.pid for one in psutil.process_iter() if is_sealer(one, server)]):
        # A process that begins says late what it is.
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(again) == 1
    assert again[0] != found[0].pid


def is_sealer(process, server) -> bool:
    try:
        named = process.cmdline()[1:] == ["-m", "ledger.process"]
        serving = json.loads(server.installation.postgres_lock_path.read_text())["pid"]
        return named and serving in {one.pid for one in process.parents()}
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
