"""One's own profile: seen, corrected and added to by oneself or a guardian, and by nobody else (C01, C64, C71)."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from models.vocabulary import BlindColumn
from resolvers.masks import DEFAULT_MASKS
from resolvers.registered import house_documents
from schema.build import build_catalogue, build_schema
from tests.plain import by_id, lines
from tests.writing.applying import id_number, policyholder
from tests.writing.conftest import PASSWORD, row_id
from vault.blind import blind

SHOWN = "... on User { id counted: version name idNumber birthDate phone email address corrections { coordinate } }"
ITEMS = {
    "name": "张三丰",
    "idNumber": "110101199003074514",
    "gender": "MALE",
    "birthDate": "1990-03-07",
    "email": "zhang@example.com",
    "address": "浙江省杭州市西湖区文三路1号",
    "bankCard": "6222020000000000018",
    "occupation": "会计",
    "healthDeclaration": "无既往病史",
    "region": "浙江",
    "nickname": "小张",
}
CHILD, ADULT = "2015-06-01", "1990-03-07"
_LOG_IN = next(found for found, text in house_documents().items() if "logIn(" in text)
_phones = iter(f"178{number:08d}" for number in range(1, 10_000))


@pytest.fixture(scope="module")
def refused(office):
    """Somebody of whom nothing that is refused is kept."""
    return office.customer()


def update(office, token, purpose="account_service", **given):
    return office.write("updateProfile", given, token=token, purpose=purpose, show=SHOWN)


def stored(office, person):
    return office.stored("User", person, owner=person)


def version(office, person):
    return office.rows("SELECT version FROM person WHERE id = $1", person)[0][0]


def log_in(office, identifier):
    given = {"identifier": identifier, "password": PASSWORD}
    body = {"documentId": f"sha256:{_LOG_IN}", "variables": {"input": given}}
    return office.client.post(office.url, json=body).json()["data"]["logIn"]["__typename"]


# Correcting one's own data.


@pytest.mark.parametrize("purpose", ["account_service", "rights_request"])
def test_c64_a_person_adds_every_item_to_their_own_profile_and_corrects_each(office, purpose):
    me = office.customer()
    token = office.token("customer", user=me.username, purposes=["account_service", "rights_request"])
    assert update(office, token, purpose, **ITEMS)["__typename"] == "User"
    assert {item: stored(office, me.person)[item] for item in ITEMS} == ITEMS
    other = {
        "name": "欧阳·娜娜",
        "idNumber": "11010119900307109X",
        "gender": "OTHER",
        "phone": next(_phones),
        "email": "other@example.com",
        "address": "上海市徐汇区漕溪北路8号",
        "bankCard": "6222020000000000026",
        "occupation": "教师",
        "healthDeclaration": "高血压",
        "region": "上海",
        "nickname": "阿娜",
    }
    assert update(office, token, purpose, **other)["__typename"] == "User"
    assert {item: stored(office, me.person)[item] for item in other} == other


def test_c64_one_correction_a_datum_tells_which_and_when_and_never_what_it_was(office):
    me = office.customer()
    update(office, me.token, address="浙江省杭州市西湖区文三路1号", email="first@example.com")
    found = update(office, me.token, address="上海市徐汇区漕溪北路8号", email="first@example.com")
    assert found["corrections"] == [{"coordinate": "User.address"}], "added is not corrected"
    (row,) = office.rows("SELECT coordinate, earlier_sealed FROM correction WHERE person_id = $1", me.person)
    assert row[0] == "User.address"
    assert "文三路".encode() not in row[1]
    answer = office.post(
        "{ viewer { user { address corrections { coordinate correctedAt recipients } } } }",
        token=me.token,
        purpose="account_service",
    )
    assert "漕溪北路" in answer.text
    assert "文三路" not in answer.text


def test_c64_equal_values_however_they_are_written_change_nothing_and_count_nothing(office):
    me = office.customer()
    update(office, me.token, **ITEMS)
    before = office.rows("SELECT * FROM person WHERE id = $1", me.person)
    again = {"name": " 张三丰 ", "idNumber": "110101 19900307 4514", "phone": f"+86 {me.phone}", "bankCard": None}
    assert update(office, me.token, **again)["corrections"] == []
    assert office.rows("SELECT * FROM person WHERE id = $1", me.person) == before


def test_another_type_of_document_with_the_same_number_is_a_correction(office):
    me = office.customer()
    update(office, me.token, idNumber="12345678", idType="PASSPORT")
    found = update(office, me.token, idNumber="12345678", idType="HK_MACAU_TAIWAN_PERMIT")
    assert found["corrections"] == [{"coordinate": "User.idNumber"}]
    assert office.rows("SELECT id_type FROM person WHERE id = $1", me.person)[0][0] == "HK_MACAU_TAIWAN_PERMIT"


@pytest.mark.parametrize("given", [{}, {"name": None, "phone": None}])
def test_who_gives_nothing_is_told_so(office, refused, given):
    me = refused
    assert update(office, me.token, **given)["code"] == "NOTHING_GIVEN"
    assert version(office, me.person) == 1


def test_a_correction_based_on_an_older_version_changes_nothing(office):
    me = office.customer()
    assert update(office, me.token, ifVersion=1, nickname="first")["counted"] == 2
    found = update(office, me.token, ifVersion=1, nickname="second")
    assert (found["code"], found["version"]) == ("VERSION_CONFLICT", 2)
    assert stored(office, me.person)["nickname"] == "first"


def test_of_corrections_at_once_of_one_version_one_is_done(office):
    me = office.customer()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: update(office, me.token, ifVersion=1, nickname=f"no{n}"), range(8)))
    assert sorted(one["__typename"] for one in found) == ["StateProblem"] * 7 + ["User"]
    assert version(office, me.person) == 2


def test_there_is_an_end_to_the_corrections_of_one_day(office):
    me = office.customer()
    office.execute(
        "INSERT INTO correction (id, person_id, coordinate, corrected_at)"
        " SELECT gen_random_uuid(), $1, 'User.nickname', now() - interval '23 hours' FROM generate_series(1, 499)",
        me.person,
    )
    assert update(office, me.token, nickname="one")["__typename"] == "User", "adding is no correction"
    assert update(office, me.token, nickname="two")["__typename"] == "User"
    for guess in ("two", "three"):
        found = update(office, me.token, nickname=guess, email="added@example.com")
        assert found["code"] == "TRY_LATER", "a ceiling does not tell whether a guess was right"
    assert stored(office, me.person)["email"] is None
    assert update(office, me.token, email="added@example.com")["__typename"] == "User"


# Nobody else's.


def test_c64_nobody_corrects_somebody_else(office):
    me, other = office.customer(), office.customer()
    found = update(office, me.token, user=other.id, nickname="mine")
    assert (found["code"], found["field"]) == ("NOT_FOUND", "user")
    assert stored(office, other.person)["nickname"] is None


def test_a_holder_sees_the_insured_and_still_cannot_correct_them(office):
    users = by_id(office.plaintext, "User")
    policy = next(
        one
        for one in lines(office.plaintext)["Policy"]
        if one["policyholder"] != one["insured"] and users[one["policyholder"]]["username"]
    )
    token = office.token("customer", user=users[policy["policyholder"]]["username"], purposes=["account_service"])
    before = version(office, row_id(policy["insured"]))
    found = update(office, token, user=policy["insured"], nickname="mine")
    assert found["code"] == "WRITE_DENIED"
    assert version(office, row_id(policy["insured"])) == before


@pytest.mark.parametrize(
    "role, purpose",
    [
        ("customer_service", "policy_service"),
        ("claims_handler", "claim_handling"),
        ("privacy_officer", "rights_request"),
        ("risk_analyst", "security"),
        ("insurer", "policy_service"),
    ],
)
def test_no_member_of_staff_and_no_partner_corrects_anybody(office, role, purpose):
    token = office.token(role, purposes=[purpose])
    answer = office.post("{ users(first: 1) { edges { node { id } } } }", token=token, purpose=purpose).json()
    (person,) = [edge["node"]["id"] for edge in answer["data"]["users"]["edges"]]
    before = version(office, row_id(person))
    assert update(office, token, purpose, user=person, nickname="mine")["code"] == "WRITE_DENIED"
    assert update(office, token, purpose, nickname="mine")["code"] == "WRITE_DENIED"
    assert version(office, row_id(person)) == before


def test_a_token_corrects_only_what_its_categories_list(office):
    me = office.customer()
    token = office.token("customer", user=me.username, purposes=["account_service"], categories=["profile"])
    found = update(office, token, nickname="fine", email="not@example.com")
    assert (found["code"], found["field"], found["reason"]) == ("WRITE_DENIED", "email", "TOKEN_SCOPE")
    assert stored(office, me.person)["nickname"] is None
    assert update(office, token, nickname="fine")["__typename"] == "User"


# What is no value.


def test_a_masked_value_that_comes_back_replaces_nothing(office):
    me = office.customer()
    update(office, me.token, **ITEMS)
    catalogue, whole = build_catalogue(build_schema()), {**ITEMS, "phone": me.phone}
    masked = {
        item: mask(value)
        for item, value in whole.items()
        if (mask := DEFAULT_MASKS.get(catalogue[f"User.{item}"].category))
    }
    assert len(masked) == 9
    for item, value in masked.items():
        found = update(office, me.token, **{item: value})
        assert (found["code"], found["field"]) == ("ITEM_INVALID", item), item
    assert {item: stored(office, me.person)[item] for item in whole} == whole
    assert office.rows("SELECT FROM correction WHERE person_id = $1", me.person) == []


@pytest.mark.parametrize(
    "item, value",
    [
        ("nickname", "n" * 10_000),
        ("nickname", "\u200b\u2060"),
        ("nickname", "\u200d\u200c"),
        ("nickname", "  "),
        ("nickname", "a\u0007b"),
        ("name", "张"),
        ("name", "Robert'); DROP TABLE person;--"),
        ("idNumber", "110101199003074515"),
        ("phone", "12345"),
        ("email", "nobody"),
        ("address", "路" * 10_000),
        ("bankCard", "6222020000000000019"),
        ("birthDate", "2999-01-01"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_not_repeated(office, refused, item, value):
    me = refused
    found = update(office, me.token, **{item: value})
    assert (found["code"], found["field"]) == ("ITEM_INVALID", item)
    assert value.strip() not in found["message"] or not value.strip()
    assert version(office, me.person) == 1


def test_invisible_characters_are_left_out_of_what_is_kept(office):
    me = office.customer()
    update(office, me.token, nickname="小\u200b张\u2060")
    assert stored(office, me.person)["nickname"] == "小张"


def test_a_card_secret_is_never_collected(office, refused):
    me = refused
    found = update(office, me.token, occupation="会计, CVV 123")
    assert (found["code"], found["field"]) == ("NEVER_COLLECTED", "occupation")
    assert stored(office, me.person)["occupation"] is None


def test_a_document_type_without_its_number_is_refused(office, refused):
    found = update(office, refused.token, idType="PASSPORT")
    assert (found["code"], found["field"]) == ("ITEM_INVALID", "idType")


def test_a_birth_date_does_not_contradict_the_id_number_on_record(office):
    me = office.customer()
    update(office, me.token, idNumber=ITEMS["idNumber"])
    assert stored(office, me.person)["birthDate"] == ADULT
    found = update(office, me.token, birthDate="1980-01-01")
    assert (found["code"], found["field"]) == ("ITEM_INVALID", "birthDate")
    assert update(office, me.token, birthDate=ADULT)["__typename"] == "User"


# The phone, which logs in.


def test_c01_one_logs_in_with_the_new_phone_and_no_longer_with_the_old_one(office):
    me, new = office.customer(), next(_phones)
    assert update(office, me.token, phone=f"+86 {new}")["phone"] == new
    assert log_in(office, new) == "SessionTokens"
    assert log_in(office, me.phone) == "AccessProblem"
    assert log_in(office, me.username) == "SessionTokens"
    other = office.customer()
    assert update(office, other.token, phone=me.phone)["__typename"] == "User", "it is free again"
    assert log_in(office, me.phone) == "SessionTokens"


def test_c01_a_phone_that_somebody_logs_in_with_is_taken_and_nothing_else_of_the_write_is_done(office):
    me, other = office.customer(), office.customer()
    found = update(office, me.token, nickname="kept?", phone=other.phone)
    assert (found["code"], found["field"], found["clause"]) == ("PHONE_TAKEN", "phone", "C01")
    assert stored(office, me.person)["nickname"] is None
    assert stored(office, me.person)["phone"] == me.phone
    assert (log_in(office, me.phone), log_in(office, other.phone)) == ("SessionTokens", "SessionTokens")


@pytest.mark.parametrize("phone", ["010-62581234", "+852 9123 4567"])
def test_c01_a_phone_to_log_in_with_stays_a_mobile_of_the_mainland(office, refused, phone):
    me = refused
    found = update(office, me.token, phone=phone)
    assert (found["code"], found["field"], found["clause"]) == ("PHONE_INVALID", "phone", "C01")
    assert log_in(office, me.phone) == "SessionTokens"


def test_c01_of_many_who_want_a_phone_at_once_one_gets_it(office):
    everybody, wanted = [office.customer() for _ in range(6)], next(_phones)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda one: update(office, one.token, phone=wanted), everybody))
    assert sorted(one.get("code", "") for one in found) == [""] + ["PHONE_TAKEN"] * 5
    assert log_in(office, wanted) == "SessionTokens"
    assert [log_in(office, one.phone) for one in everybody].count("AccessProblem") == 1


def test_c01_who_comes_second_by_a_moment_is_told_that_the_phone_is_taken(office):
    me, other, wanted = office.customer(), office.customer(), next(_phones)
    digest, found = blind(office.keyring, "phone", wanted), []

    async def first(connection):
        async with connection.transaction():
            await connection.execute(
                'INSERT INTO blind_index ("column", digest, person_id) VALUES ($1, $2, $3)',
                *(int(BlindColumn.LOGIN_PHONE), digest, other.person),
            )
            second = threading.Thread(target=lambda: found.append(update(office, me.token, phone=wanted)))
            second.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            for _ in range(500):
                if await connection.fetchval(waiting):
                    break
                await asyncio.sleep(0.01)
        second.join(20)

    asyncio.run(office._as_owner(first))
    assert found[0]["code"] == "PHONE_TAKEN"
    assert log_in(office, me.phone) == "SessionTokens"


# Minors.


def test_c71_a_minor_changes_their_own_profile_only_once_a_guardian_has_agreed(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD)
    found = update(office, child.token, nickname="kid")
    assert (found["code"], found["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    mother = office.guardian(child.person)
    assert update(office, mother.token, user=child.id, email="kid@example.com")["email"] == "kid@example.com"
    assert update(office, child.token, nickname="kid")["code"] == "MINOR_NEEDS_GUARDIAN", "that was about the address"
    office.agree(mother, child.person, "account_service")
    assert update(office, child.token, nickname="kid")["__typename"] == "User"
    query = "{ viewer { user { consents { edges { node { purpose givenByGuardian status } } } } } }"
    answer = office.post(query, token=child.token, purpose="account_service").json()
    (edge,) = answer["data"]["viewer"]["user"]["consents"]["edges"]
    assert edge["node"] == {"purpose": "ACCOUNT_SERVICE", "givenByGuardian": True, "status": "ACTIVE"}


def test_c71_what_a_guardian_is_refused_is_no_agreement(office):
    child, other = office.customer(), office.customer()
    office.know(child.person, birthDate=CHILD)
    mother = office.guardian(child.person)
    assert update(office, mother.token, user=child.id, phone=other.phone)["code"] == "PHONE_TAKEN"
    assert office.rows("SELECT FROM consent WHERE person_id = $1", child.person) == []
    assert update(office, child.token, nickname="kid")["code"] == "MINOR_NEEDS_GUARDIAN"


@pytest.mark.parametrize("ended", ["unverified", "revoked", "of age"])
def test_c71_who_is_no_guardian_any_more_or_not_yet_reaches_nobody(office, ended):
    child = office.customer()
    office.know(child.person, birthDate=ADULT if ended == "of age" else CHILD)
    mother = office.guardian(child.person, verified=ended != "unverified")
    if ended == "revoked":
        assert update(office, mother.token, user=child.id, nickname="kid")["__typename"] == "User"
        office.execute("UPDATE guardian_link SET revoked_at = $2 WHERE child_id = $1", child.person, datetime.now(UTC))
        assert update(office, child.token, nickname="own")["code"] == "MINOR_NEEDS_GUARDIAN", "the agreement ended too"
    assert update(office, mother.token, user=child.id, email="kid@example.com")["code"] == "NOT_FOUND"
    assert stored(office, child.person)["email"] is None


def test_a_guardian_has_no_profile_of_their_own_in_that_role(office):
    mother = office.guardian()
    assert update(office, mother.token, nickname="mother")["code"] == "NOT_FOUND"


def test_c71_nobody_comes_of_age_or_becomes_a_minor_by_correcting_a_date(office):
    child, adult = office.customer(), office.customer()
    office.know(child.person, birthDate=CHILD)
    office.know(adult.person, birthDate=ADULT)
    assert update(office, child.token, birthDate=ADULT)["code"] == "MINOR_NEEDS_GUARDIAN"
    assert update(office, child.token, idNumber=ITEMS["idNumber"])["code"] == "MINOR_NEEDS_GUARDIAN"
    found = update(office, adult.token, birthDate=CHILD)
    assert (found["code"], found["field"]) == ("MINOR_NEEDS_GUARDIAN", "birthDate")
    assert stored(office, child.person)["birthDate"] == CHILD
    assert stored(office, adult.person)["birthDate"] == ADULT


def test_c71_a_guardian_who_corrects_a_ward_into_an_adult_sees_them_no_more(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD)
    mother = office.guardian(child.person)
    assert update(office, mother.token, user=child.id, birthDate=ADULT) is None
    assert stored(office, child.person)["birthDate"] == ADULT
    assert update(office, mother.token, user=child.id, nickname="kid")["code"] == "NOT_FOUND"


# Counted for oneself and one's guardian alone.


def test_a_version_is_told_to_oneself_and_ones_guardian_and_links_nobody_elsewhere(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD)
    mother = office.guardian(child.person)
    query = "query($id: ID!) { user(id: $id) { version } }"
    for token in (child.token, mother.token):
        answer = office.post(query, {"id": child.id}, token=token, purpose="account_service").json()
        assert answer["data"]["user"] == {"version": 1}
    seen = 0
    for role, purpose in [
        ("customer_service", "policy_service"),
        ("risk_analyst", "security"),
        ("marketer", "marketing"),
        ("insurer", "marketing"),
        ("insurer", "policy_service"),
        ("affiliate", "marketing"),
        ("health_provider", "health_service"),
        ("loss_adjuster", "claim_handling"),
    ]:
        token = office.token(role, purposes=[purpose])
        query = "{ users(first: 10) { edges { node { version permissions { kind } corrections { coordinate } } } } }"
        body = office.post(query, token=token, purpose=purpose).json()
        assert "errors" not in body, body
        nodes = [edge["node"] for edge in body["data"]["users"]["edges"]]
        assert all(node == {"version": None, "permissions": [], "corrections": []} for node in nodes), role
        seen += len(nodes)
    assert seen > 30


def test_a_repeated_correction_is_done_once_and_shown_again(office):
    me, key = office.customer(), str(uuid4())
    given = {"nickname": "once"}
    first, second = (
        office.write(
            "updateProfile", given, token=me.token, purpose="account_service", show=SHOWN, Idempotency_Key=f'"{key}"'
        )
        for _ in range(2)
    )
    assert first == second
    assert first["counted"] == 2


def test_no_value_of_a_correction_is_in_the_log(office):
    log = office.log.read_text(encoding="utf-8", errors="replace")
    for value in (*ITEMS.values(), "漕溪北路", "first@example.com"):
        assert not re.search(re.escape(value), log) or value in ("MALE", "小张")


def test_what_identifies_or_pays_is_corrected_under_rights_requests_only_with_a_second_factor(office):
    me = office.customer()
    for item, value, code in (
        ("idNumber", id_number(), "WRITE_DENIED"),
        ("bankCard", policyholder()["bankCard"], "WRITE_DENIED"),
        ("nickname", "me", None),
    ):
        found = update(office, me.token, purpose="rights_request", **{item: value})
        assert (found.get("code"), found.get("reason")) == (code, code and "STEP_UP"), item
