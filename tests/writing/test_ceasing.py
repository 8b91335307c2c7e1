"""Operations cease when two officers say so: then nothing is collected, the announcement stands, and duties go on."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, is_required_input_field

from authz.commands import OperatorRefusedError
from models.database import connect_once
from privacy.ceasing import ceased_at
from resolvers.collecting import COLLECTS, GOES_ON
from resolvers.registered import house_documents
from resolvers.times import in_shanghai
from resolvers.writes import rule_of
from schema.build import build_schema
from tests.writing.claiming import ITEMS, cast_of
from tests.writing.conftest import PASSWORD

SCHEMA = build_schema()
MUTATIONS = SCHEMA.mutation_type.fields
TEXT = "本公司将停止运营。\n联系：400-000-0000"
SHOW = "... on CeasingDecided { id day ceasesAt }"
OPERATIONS = next(found for found, text in house_documents().items() if "operations {" in text)
PLAIN = {
    "String": "x",
    "ID": "x",
    "Int": 1,
    "Boolean": True,
    "Date": "2020-01-01",
    "DateTime": "2020-01-01T00:00:00Z",
    "JSON": {},
    "Decimal": "1",
}


@pytest.fixture(scope="module")
def officers(office):
    return [office.token(role, purposes=["administration"]) for role in ("privacy_officer", "security_admin")]


@pytest.fixture
def operating(office):
    """The house operates again after the test: only whoever takes the guard away can do that."""
    try:
        yield office
    finally:
        office.execute("ALTER TABLE ceasing DISABLE TRIGGER ceasing_final")
        office.execute("DELETE FROM ceasing")
        office.execute("ALTER TABLE ceasing ENABLE TRIGGER ceasing_final")


def day(days=0):
    return (in_shanghai(datetime.now(UTC)).date() + timedelta(days=days)).isoformat()


def decide(office, name, given, token):
    return office.write(name, given, token=token, purpose="administration", show=SHOW)


def proposed(office, token, days=0):
    return decide(office, "proposeCeasing", {"announcement": TEXT, "day": day(days)}, token)


def told(office, token=None):
    """What `operations` tells: to anybody, as the registered document; to an officer, with what stands."""
    if token is None:
        return office.client.post(office.url, json={"documentId": f"sha256:{OPERATIONS}"}).json()["data"]["operations"]
    document = "{ operations { ceasedAt standing { id announcement day confirmed } } }"
    return office.post(document, token=token, purpose="administration").json()["data"]["operations"]


def least(kind):
    """The least that an input of a type may be."""
    if isinstance(kind, GraphQLNonNull):
        return least(kind.of_type)
    if isinstance(kind, GraphQLList):
        return []
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {name: least(one.type) for name, one in kind.fields.items() if is_required_input_field(one)}
    return PLAIN.get(kind.name, "x")


def tried(office, name, token, purpose=None):
    """What a mutation is answered, and the code of its problem."""
    purpose = purpose or ("account_service" if rule_of(SCHEMA, name).purpose is None else None)
    arguments = MUTATIONS[name].args
    declared = f"($input: {arguments['input'].type})" if arguments else ""
    call = f"{name}(input: $input)" if arguments else name
    document = f"mutation{declared} {{ {call} {{ __typename ... on Problem {{ code message clause }} }} }}"
    given = {"input": least(arguments["input"].type)} if arguments else {}
    body = office.post(document, given, token=token, purpose=purpose).json()
    return body, ((body.get("data") or {}).get(name) or {}).get("code")


def test_c30_every_mutation_is_said_to_collect_or_not_and_in_one_place():
    assert set(MUTATIONS) == COLLECTS | GOES_ON
    assert not COLLECTS & GOES_ON


def test_c30_it_takes_two_officers_and_the_announcement_stands_for_everybody(operating, officers):
    office, (first, second) = operating, officers
    before = office.customer()
    assert told(office) == {"ceasedAt": None, "ceasesAt": None, "announcement": None}
    found = proposed(office, first)
    # One alone ceases nothing, and shows nothing to anybody else.
    assert decide(office, "confirmCeasing", {"id": found["id"]}, first)["code"] == "CEASING_YOURS"
    assert told(office)["announcement"] is None
    assert tried(office, "setPushIdentifiers", before.token)[1] != "CEASED"
    assert told(office, second)["standing"]["announcement"] == TEXT
    confirmed = decide(office, "confirmCeasing", {"id": found["id"]}, second)
    stands = told(office)
    assert stands["announcement"] == TEXT
    assert stands["ceasedAt"] == stands["ceasesAt"] == confirmed["ceasesAt"]
    # It is final: for the API, and for the database.
    assert decide(office, "takeBackCeasing", {"id": found["id"]}, second)["code"] == "CEASING_STATE"
    assert proposed(office, first)["code"] == "CEASING_STATE"
    for change in ("DELETE FROM ceasing", "UPDATE ceasing SET taken_back_at = now(), taken_back_by = 'x'"):
        with pytest.raises(asyncpg.CheckViolationError):
            office.execute(change)
    assert office.rows("SELECT count(*) FROM ceasing WHERE proposed_by <> confirmed_by")[0][0] == 1


def test_c30_nothing_is_collected_any_more_and_what_is_owed_goes_on(operating, officers):
    office, (first, second) = operating, officers
    cast = cast_of(office)
    policy = cast.policy(cast.insured, cast.insured)
    somebody = office.customer()
    found = proposed(office, first)
    assert decide(office, "confirmCeasing", {"id": found["id"]}, second)["ceasesAt"]
    for name in sorted(COLLECTS):
        body, code = tried(office, name, somebody.token)
        assert code == "CEASED", (name, body)
        assert body["data"][name]["clause"] == "C30"
        assert "claims" in body["data"][name]["message"]
    sign_up = next(one for one, text in house_documents().items() if "register(" in text)
    given = {"phone": f"175{secrets.randbelow(10**8):08d}", "username": f"late{secrets.randbelow(10**8)}"}
    accounts = office.rows("SELECT count(*) FROM account")
    body = {"documentId": f"sha256:{sign_up}", "variables": {"input": {**given, "password": PASSWORD}}}
    answer = office.client.post(office.url, json=body).json()["data"]["register"]
    assert answer["code"] == "CEASED"
    assert office.rows("SELECT count(*) FROM account") == accounts
    answered = {name: tried(office, name, somebody.token) for name in sorted(GOES_ON - {"logOut"})}
    assert {name for name, (_, code) in answered.items() if code == "CEASED"} == set()
    # What names no row that there is gets as far as to be told so.
    refused = [body["errors"][0]["extensions"]["code"] for body, _ in answered.values() if "data" not in body]
    assert set(refused) == {"BAD_ID"}
    # Corrections are a right, and a claim under a contract in force is owed.
    correcting = office.token("customer", user=somebody.username, purposes=["rights_request"])
    assert tried(office, "updateProfile", correcting, "rights_request")[1] != "CEASED"
    caller = cast.customer(cast.insured)
    draft = cast.draft(caller, policy, **ITEMS)
    assert cast.write(caller, "submitClaim", {"id": draft["id"]})["state"] == "REPORTED"


def test_c30_until_its_day_comes_it_can_be_taken_back_and_nothing_has_ended(operating, officers):
    office, (first, second) = operating, officers
    somebody = office.customer()
    assert proposed(office, first, days=-1)["code"] == "CEASING_DAY"
    assert decide(office, "proposeCeasing", {"announcement": " ", "day": day(3)}, first)["code"] == "TEXT_INVALID"
    found = proposed(office, first, days=3)
    assert decide(office, "confirmCeasing", {"id": found["id"]}, second)["ceasesAt"].startswith(f"{day(3)}T00:00:00")
    stands = told(office)
    assert (stands["ceasedAt"], stands["announcement"]) == (None, TEXT)
    assert tried(office, "setPushIdentifiers", somebody.token)[1] != "CEASED"

    async def since(days):
        owner = await connect_once(office.database.owner)
        try:
            return await ceased_at(owner, now=None if days is None else datetime.now(UTC) + timedelta(days=days))
        finally:
            await owner.close()

    assert asyncio.run(since(None)) is None
    assert in_shanghai(asyncio.run(since(3))).isoformat().startswith(f"{day(3)}T00:00:00")
    assert decide(office, "takeBackCeasing", {"id": found["id"]}, second)["id"] == found["id"]
    assert told(office)["announcement"] is None
    assert decide(office, "confirmCeasing", {"id": found["id"]}, second)["code"] == "CEASING_UNKNOWN"


def test_c30_nobody_else_ceases_operations_or_sees_what_is_proposed(operating, officers):
    office = operating
    found = proposed(office, officers[0], days=3)
    for role in ("auditor", "developer"):
        token = office.token(role, purposes=["administration"])
        assert told(office, token)["standing"] is None
        refused = decide(office, "confirmCeasing", {"id": found["id"]}, token)
        assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "ROLE")
    assert told(office, officers[1])["standing"] == {
        "id": found["id"],
        "announcement": TEXT,
        "day": day(3),
        "confirmed": False,
    }


def test_c30_the_command_takes_the_tokens_of_two_officers_and_counts_the_apis_proposal_as_its_own(
    operating, officers, tmp_path, monkeypatch
):
    office = operating
    monkeypatch.setenv("NEEDFUL_DATA", str(office.data_dir))
    text = tmp_path / "announcement"
    text.write_text(TEXT, encoding="utf-8")

    def run(name, *words, token=None):
        if token is not None:
            (tmp_path / "token").write_text(token)
            words = (*words, "--token-file", str(tmp_path / "token"))
        return office.operate("ceasing", name, *words)

    assert run("show") == {"ceasing": None, "state": "OPERATING"}
    # Another token of one's own is not another person, nor is another way to say so.
    mine = [officers[0], office.token("privacy_officer", purposes=["administration", "rights_request"])]
    found = proposed(office, mine[0], days=3)
    ceasing = run("show")["ceasing"]
    assert run("show") == {
        "ceasing": ceasing,
        "state": "PROPOSED",
        "day": day(3),
        "ceases": None,
        "announcement": TEXT,
    }
    for token, why in (
        (mine[1], "Somebody else has to confirm"),
        (office.token("auditor", purposes=["administration"]), "by two of privacy_officer and security_admin"),
        (office.token("customer", purposes=["account_service"]), "no token of a member of staff"),
        ("nothing", "refused"),
    ):
        with pytest.raises(OperatorRefusedError, match=why):
            run("confirm", ceasing, token=token)
    with pytest.raises(OperatorRefusedError, match="no such proposal"):
        run("confirm", str(uuid4()), token=officers[1])
    assert run("confirm", ceasing, token=officers[1])["state"] == "CONFIRMED"
    assert told(office)["ceasesAt"].startswith(f"{day(3)}T00:00:00")
    assert run("take-back", ceasing, token=officers[1]) == {"ceasing": ceasing, "state": "TAKEN_BACK"}
    assert decide(office, "confirmCeasing", {"id": found["id"]}, officers[1])["code"] == "CEASING_UNKNOWN"
    with pytest.raises(OperatorRefusedError, match="today or a later day"):
        run("propose", "--announcement", str(text), "--day", day(-1), token=officers[0])
    with pytest.raises(OperatorRefusedError, match="name a file of text"):
        run("propose", "--announcement", str(tmp_path / "none"), "--day", day(), token=officers[0])
    ceasing = run("propose", "--announcement", str(text), "--day", day(), token=officers[0])["ceasing"]
    assert told(office)["announcement"] is None
    assert run("confirm", ceasing, token=officers[1])["state"] == "CEASED"
    assert told(office)["announcement"] == TEXT
    with pytest.raises(OperatorRefusedError, match="It stands otherwise by now"):
        run("take-back", ceasing, token=officers[0])
    # Who did which of it stands in the ledger's body by command; the texts do not.
    bodies = [row[0] for row in office.rows("SELECT body::text FROM ledger WHERE body::text LIKE '%ceasing%'")]
    assert any("confirm" in body for body in bodies)
    assert not any("400-000-0000" in body for body in bodies)
