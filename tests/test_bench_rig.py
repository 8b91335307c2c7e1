"""Beside a rig's peers: its rows are answered value by value as they are there; whoever answers otherwise is out."""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import quote

import asyncpg
import pytest

import app
from authz.callers import Wanted, find_caller
from authz.tokens import utc_now
from bench import unrecorded
from bench.importing import INSURER, claim_ids, load_source, policy_ids, read_source, rig_rules
from bench.peer_server import MASKS, PAGE
from bench.rig_data import CALLERS
from bench.rig_driver import Driver, RigUnknownError, load_rig
from bench.translation import Translation
from ledger.recorder import Recorder
from models.database import connect, connect_once
from models.embedded import database
from models.installation import open_installation
from models.vocabulary import Category, to_bits
from privacy.bring_up import bring_up
from resolvers import compiler
from resolvers.gathering import Gathered
from resolvers.levels import LevelWork
from resolvers.operations import Request
from resolvers.serving.settings import Settings
from tests.inprocess import in_process
from vault.keyring import load_or_create

QUERIES = Path(__file__).parent.parent / "bench" / "peer_queries"
SCHEMA = """
CREATE SCHEMA app;
CREATE TABLE app.users (id int PRIMARY KEY, name text, id_number text, phone text, email text, address text,
    bank_card text);
CREATE TABLE app.policies (id int PRIMARY KEY, policy_no text, holder_id int, insured_id int, insurer_code text,
    product text, status text, premium numeric(12,2), start_date date, end_date date);
CREATE TABLE app.beneficiaries (id int PRIMARY KEY, policy_id int, name text, id_number text, relation text,
    share numeric(5,2));
CREATE TABLE app.claims (id int PRIMARY KEY, policy_id int, insurer_code text, claim_number text, status text,
    amount numeric(12,2), diagnosis text, hospital text, bank_card text, reported_at timestamptz);
"""
"""As a rig has it."""
USERS, POLICIES, BENEFICIARIES, CLAIMS = 6, 130, 40, 120
"""More claims than a page of the product's has by default, and policies that its own order would mix."""


def rows() -> dict[str, list[tuple]]:
    chance = Random(5)  # noqa: S311 - reproducible
    insurers = [INSURER, "INS02", "INS03"]
    policies = [
        (
            one,
            f"P{2020 + one % 6}{one:08d}",
            chance.randint(1, USERS),
            chance.randint(1, USERS),
            chance.choice(insurers),
            chance.choice(["重疾险", "医疗险"]),
            chance.choice(["active", "lapsed", "expired"]),
            Decimal(chance.randrange(10_000, 90_000)) / 100,
            date(2020, 1, 1) + timedelta(days=one),
            date(2021, 1, 1) + timedelta(days=one),
        )
        for one in range(1, POLICIES + 1)
    ]
    claims = []
    for one in range(1, CLAIMS + 1):
        policy = chance.choice(policies)
        status = chance.choice(["reported", "investigating", "approved", "paid", "rejected"])
        reported = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(10**7))
        amount = Decimal(chance.randrange(10_000, 90_000)) / 100
        words = f"诊断{one}", f"医院{one % 3}", "62" + f"{chance.randrange(10**17):017d}"
        claims.append((one, policy[0], policy[4], f"C{one:010d}", status, amount, *words, reported))
    return {
        "users": [
            (
                one,
                f"用户{one}",
                number(chance),
                f"138{one:08d}",
                f"user{one}@example.cn",
                f"某路{one}号",
                f"62{one:017d}",
            )
            for one in range(1, USERS + 1)
        ],
        "policies": policies,
        "beneficiaries": [
            (
                one,
                chance.randint(1, POLICIES),
                f"受益{one}",
                number(chance),
                chance.choice(["spouse", "child", "parent"]),
                Decimal("50.00"),
            )
            for one in range(1, BENEFICIARIES + 1)
        ],
        "claims": claims,
    }


def number(chance: Random) -> str:
    return f"110101{chance.randrange(10**12):012d}"


@dataclass
class Rig:
    """What was asked of the product, in the rig's words, and the rows themselves."""

    answers: dict
    raw: dict
    source: object
    rows: dict


@pytest.fixture(scope="module")
def rig(tmp_path_factory, prepared):
    root = tmp_path_factory.mktemp("rig")
    prepared.empty(root / "data")
    installation = open_installation({"NEEDFUL_DATA": str(root / "data"), "NEEDFUL_DEMO": "1"})
    with pytest.MonkeyPatch.context() as patch, database(installation) as found:
        patch.setattr(compiler, "LARGEST_PAGE", PAGE)
        patch.setattr(app, "DEFAULT_MASKS", MASKS)
        return asyncio.run(_asked(installation, found))


async def _asked(installation, found) -> Rig:
    await bring_up(found, now=utc_now())
    who, keyring = found.owner, load_or_create(installation.keyring_path, demo=True)
    address = (
        f"postgresql://{who.user}:{quote(who.password, safe='')}@/{who.database}?host={quote(who.host)}&port={who.port}"
    )
    made = rows()
    owner = await asyncpg.connect(address)
    await owner.execute(SCHEMA)
    for table, records in made.items():
        await owner.copy_records_to_table(table, schema_name="app", records=records)
    source = await read_source(address)
    await load_source(owner, source, keyring=keyring, content=rig_rules())
    await owner.close()
    ids = {"policies": policy_ids(source), "claims": claim_ids(source)}
    words, answers, raw = Translation(ids), {}, {}
    async with connect(found.application, max_size=4, shared=False) as pool:
        own = partial(connect_once, found.application)
        service = app.build_service(installation, pool, Settings(ledger_milliseconds=10_000), connect=own)
        async with pool.acquire() as connection:
            await service.rulesets.learn(connection)
        for name, (role, purpose, username) in CALLERS.items():
            wanted = Wanted(role, (purpose,), to_bits(set(Category)), username=username)
            subject = await find_caller(pool, wanted, keyring=keyring)
            for query, policies in {"q1": range(1, 41), "q2": [None], "q3": [None], "deny": [1]}.items():
                for policy in policies:
                    variables = {"id": words.policy(policy)} if policy else None
                    request = Request((QUERIES / f"{query}.graphql").read_text(), None, variables)
                    body = json.dumps((await service.answer(request, subject, purpose)).body, default=str)
                    raw[name, query, policy] = body
                    answers[name, query, policy] = json.loads(words.answer(body))
        await service.recorder.close()
    return Rig(answers, raw, source, made)


def expected(made) -> dict:
    """What the rig holds right, worked out from its rows."""
    users = {one[0]: one for one in made["users"]}

    def policy(one):
        _, _, _, phone, *_ = holder = users[one[2]]
        return {
            "id": one[0],
            "policyNo": one[1],
            "holder": {"name": holder[1], "idNumber": masked(holder[2], 6, 4), "phone": masked(phone, 3, 4)},
            "beneficiaries": [
                {"name": name, "idNumber": masked(number, 6, 4), "relation": relation, "share": share}
                for _, of, name, number, relation, share in made["beneficiaries"]
                if of == one[0]
            ],
            "claims": [{key: value for key, value in claim(each).items() if key in short} for each in of(one)],
        }

    def of(one):
        return [each for each in made["claims"] if each[1] == one[0]]

    def claim(one):
        number, _, insurer, claim_number, status, amount, diagnosis, hospital, card, reported = one
        return {
            "id": number,
            "claimNumber": claim_number,
            "status": status,
            "amount": amount,
            "diagnosis": diagnosis if insurer == INSURER else None,
            "hospital": hospital,
            "bankCard": masked(card, 0, 4),
            "reportedAt": reported,
        }

    short = {"claimNumber", "status", "amount", "diagnosis", "bankCard"}
    return {
        **{("q1", one[0]): {"policy": policy(one)} for one in made["policies"][:40]},
        ("q2", None): {"policies": [policy(one) for one in made["policies"][:50]]},
        ("q3", None): {"claims": [claim(one) for one in made["claims"]]},
    }


def masked(value: str, head: int, tail: int) -> str:
    return value[:head] + "*" * (len(value) - head - tail) + value[-tail:]


def plain(value, key=""):
    """An answer without its connections, its numbers and times as such."""
    if isinstance(value, dict):
        if set(value) == {"edges"}:
            return [plain(one["node"]) for one in value["edges"]]
        return {name: plain(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if key in ("amount", "share"):
        return Decimal(value)
    return datetime.fromisoformat(value) if key == "reportedAt" else value


def test_every_value_is_as_the_rigs_rows_and_masks_have_it(rig):
    found = {place[1:]: one for place, one in rig.answers.items() if place[0] == "caller" and place[1] != "deny"}
    right = expected(rig.rows)
    assert found.keys() == right.keys()
    for place, one in found.items():
        assert "errors" not in one
        assert plain(one["data"]) == right[place]
    diagnoses = [one["diagnosis"] for one in right["q3", None]["claims"]]
    assert None in diagnoses
    assert len(set(diagnoses)) > 1


def test_what_the_rig_forbids_is_told_of_as_refused(rig):
    assert '"FIELD_DENIED"' in rig.raw["caller", "q3", None]
    refused = rig.answers["caller", "deny", 1]
    assert refused["data"]["policy"]["holder"]["address"] is None
    assert {one["extensions"]["coordinate"] for one in refused["errors"]} == {"User.address"}


def test_somebody_without_rights_has_the_rows_and_no_value_of_them(rig):
    secrets = {value for one in rig.rows["users"] for value in one[1:]} | {one[6] for one in rig.rows["claims"]}
    for query in ("q1", "q2", "q3"):
        text = rig.raw["nobody", query, 1 if query == "q1" else None]
        assert rig.rows["claims"][0][3] in text or query == "q1"
        assert not [one for one in secrets if json.dumps(one)[1:-1] in text or one in text]


def test_rows_are_known_by_what_they_hold(rig):
    changed = [dict(one) for one in rig.source.claims]
    changed[7]["diagnosis"] = "另一个"
    copy = type(rig.source)(rig.source.users, rig.source.policies, rig.source.beneficiaries, changed)
    same = type(rig.source)(*(tuple(map(dict, getattr(rig.source, name))) for name in rig.rows))
    assert same.digest == rig.source.digest != copy.digest


def test_without_its_ledger_the_product_answers_the_same_and_leaves_no_row(server, monkeypatch):
    for owner, name in ((compiler, "situation_sql"), (LevelWork, "person"), (Gathered, "add"), (Recorder, "record")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # to be put back
    document = "{ claims(first: 5) { edges { node { claimNumber diagnosis bankCard policy { insured { name } } } } } }"

    def answer():
        with in_process(server) as asked:
            found = asked.body(asked.subject("claims_handler", purposes=["claim_handling"]), document)
        return found["data"], found["extensions"]["authorization"].pop("decisionId")

    recorded, on_record = answer()
    unrecorded.leave_out()
    bare, off_record = answer()
    assert bare == recorded
    assert asyncio.run(_rows(server, on_record)) == 1
    assert asyncio.run(_rows(server, off_record)) == 0


async def _rows(server, decision) -> int:
    owner = await connect_once(server.database.owner)
    try:
        return await owner.fetchval("SELECT count(*) FROM ledger WHERE strpos(body, $1) > 0", decision)
    finally:
        await owner.close()


BENCH = """
import asyncio, json, pathlib, sys
import psutil
ANSWERS = json.loads(pathlib.Path(sys.argv[1]).read_text())
async def expected(): return {("q3", None): {"claims": [{"id": 1, "diagnosis": None}]}}
def load(): return {n: {"name": n, "kind": "peer", **one} for n, one in ANSWERS.items()}
def start(p):
    if p["answer"] is None: sys.exit("did not listen")
def stop(ts):
    for p in ts.values(): p["stopped"] = True
def body(p, q, i=None): return {"query": q, "variables": {}}
def post(p, b, headers=None): return p["answer"]
def pg_cpu(pm): return 1.0
def wrk(p, q, c, secs, pm): return {"rps": 10.0, "n": 1}
def check(ts, qs):
    exp = asyncio.run(expected()); bad = 0
    for n, p in ts.items():
        j = json.loads(post(p, body(p, "q3")))
        wrong = j.get("errors") or j["data"] != exp["q3", None]
        bad += bool(wrong); print("check", n, "BAD" if wrong else "EQUAL")
    return bad
def report(ts, qs, res): pass
def main():
    ts = load()
    for p in ts.values(): start(p)
    if check(ts, ["q3"]): return 1
    report(ts, ["q3"], {"q3": {n: [{"c1": wrk(p, "q3", 1, 1, 0)}] for n, p in ts.items()}})
    return 0
sys.exit(main())
"""
RIGHT = {"data": {"claims": [{"id": 1, "diagnosis": None}]}}
REFUSED = [{"extensions": {"code": "FIELD_DENIED", "coordinate": "Claim.diagnosis"}}]


@pytest.fixture
def driven(tmp_path, monkeypatch):
    """A rig in small, run with peers that give these answers; the product's under its own id."""
    (tmp_path / "bench.py").write_text(BENCH)
    (tmp_path / "ids.json").write_text(json.dumps({"policies": {}, "claims": {"1": "one"}}))

    def run(peers, product):
        known = {"ids": str(tmp_path / "ids.json"), "postmaster": 0}
        answers = {name: {"answer": one if one is None else json.dumps(one)} for name, one in peers.items()}
        answers["P"] = {"answer": json.dumps(product), **known}
        me = {one: {**answer, "pid": os.getpid()} for one, answer in answers.items()}
        (tmp_path / "answers.json").write_text(json.dumps(me))
        monkeypatch.setattr("sys.argv", [])
        loaded = load_rig(tmp_path, [str(tmp_path / "answers.json")])
        driver = Driver(loaded)
        return loaded["main"](), driver

    return run


def told(claim, **more):
    return {"data": {"claims": [{"id": "one", "diagnosis": None} | claim]}, **more}


def test_a_peer_that_fails_is_named_and_not_ranked(driven):
    wrong = {"data": {"claims": [{"id": 1, "diagnosis": "x"}]}}
    code, driver = driven({"C": RIGHT, "D": wrong, "E": None}, told({}, errors=REFUSED))
    assert code == 0
    assert driver.failed == {"D": "check D BAD", "E": "did not listen"}
    assert driver.rounds["q3"].keys() == driver.memory.keys() == {"C", "P"}


@pytest.mark.parametrize(
    "answer",
    [
        told({"diagnosis": "x"}),
        told({"id": "two"}),
        told({"more": 1}),
        told({}, errors=[{"extensions": {"code": "INTERNAL"}}]),
        told({}, errors=[{"extensions": {"code": "FIELD_DENIED", "coordinate": "Claim.hospital"}}]),
        {"data": None},
    ],
)
def test_a_wrong_answer_of_the_product_stops_everything(driven, answer):
    code, driver = driven({"C": RIGHT}, answer)
    assert code == 1
    assert driver.failed.keys() == {"P"}
    assert not driver.rounds


def test_a_rig_of_another_shape_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", [])
    (tmp_path / "bench.py").write_text(BENCH.replace("def wrk", "def hit"))
    (tmp_path / "answers.json").write_text("{}")
    with pytest.raises(RigUnknownError, match="wrk"):
        load_rig(tmp_path, [str(tmp_path / "answers.json")])
