"""Permissions of the app, uses of cookies and push identifiers: each given and taken back alone (C13-C15)."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.permissions import PermissionKind
from resolvers.registered import house_documents
from tests.plain import lines
from tests.writing.conftest import row_id
from tests.writing.test_profile import CHILD, update

KINDS = [kind.value for kind in PermissionKind]
COOKIES = [kind for kind in KINDS if kind.startswith("COOKIE")]
PERMISSION = "... on Permission { kind granted decidedAt }"
DEVICE = "... on Device { id model pushId pushIdKind lastSeenAt }"
ANDROID, IDFA = "a1b2c3d4e5f60718", "6D92078A-8246-4BA4-AE5B-76104861E7DC"
OF_MINE = "{ viewer { user { permissions { kind granted decidedAt } } } }"
_CATALOGUE = next(found for found, text in house_documents().items() if "permissionCatalogue" in text)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def refused(office):
    """Somebody who granted push and of whom nothing that is refused is kept."""
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    return me


def decide(office, me, kind, *, granted):
    given = {"permission": kind, "granted": granted}
    return office.write("setPermission", given, token=me.token, purpose="account_service", show=PERMISSION)


def push(office, me, **given):
    sent = {"kind": "ANDROID_ID", "identifier": f"{next(_numbers):016x}", **given}
    return office.write("setPushIdentifiers", sent, token=me.token, purpose="account_service", show=DEVICE)


def permitted(office, me):
    answer = office.post(OF_MINE, token=me.token, purpose="account_service").json()
    return {one["kind"]: one["granted"] for one in answer["data"]["viewer"]["user"]["permissions"]}


def identifiers(office, me):
    statement = "SELECT push_id_sealed IS NOT NULL AS kept, push_id_kind FROM device WHERE person_id = $1"
    return [tuple(row) for row in office.rows(statement, me.person)]


# What is offered.


def test_c14_c15_the_catalogue_is_served_to_anybody_with_use_and_consequence_in_the_policys_words(office):
    answer = office.client.post(office.url, json={"documentId": f"sha256:{_CATALOGUE}"}).json()
    offers = answer["data"]["permissionCatalogue"]
    assert [one["kind"] for one in offers] == KINDS
    assert {one["kind"] for one in offers if one["group"] == "COOKIE"} == set(COOKIES)
    assert {(one["group"], one["clause"]) for one in offers} == {("APP", "C15"), ("COOKIE", "C14")}
    assert (len(COOKIES), len({one["use"] for one in offers})) == (4, 9)
    assert all("不影响您正常使用我们其他功能" in one["consequence"] for one in offers if one["group"] == "APP")


@pytest.mark.parametrize("role, purpose", [("customer", "account_service"), ("insurer", "policy_service")])
def test_the_catalogue_is_the_same_for_everybody(office, role, purpose):
    token = office.token(role, purposes=[purpose])
    answer = office.post("{ permissionCatalogue { kind } viewer { role } }", token=token, purpose=purpose).json()
    assert [one["kind"] for one in answer["data"]["permissionCatalogue"]] == KINDS
    assert answer["data"]["viewer"] == {"role": role}


# What is given and taken back.


def test_c15_nothing_is_granted_before_somebody_says_so(office):
    assert permitted(office, office.customer()) == {}


def test_c14_c15_each_is_granted_alone_and_taken_back_alone(office):
    me = office.customer()
    for one in KINDS[::2]:
        decide(office, me, one, granted=True)
    for kind in KINDS:
        before = permitted(office, me)
        assert decide(office, me, kind, granted=True)["granted"] is True
        assert permitted(office, me) == {**before, kind: True}
        assert decide(office, me, kind, granted=False)["granted"] is False
        assert permitted(office, me) == {**before, kind: False}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), max_size=12))
def test_c14_c15_whatever_is_said_in_whatever_order_the_last_word_on_each_counts(office, words):
    me, replayed = office.customer(), {}
    for kind, granted in words:
        found = decide(office, me, kind, granted=granted)
        replayed[kind] = granted
        assert (found["kind"], found["granted"]) == (kind, granted)
    assert permitted(office, me) == replayed


def test_the_same_word_again_is_no_new_decision(office):
    me = office.customer()
    first = decide(office, me, "PUSH", granted=False)
    assert decide(office, me, "PUSH", granted=False) == first
    assert decide(office, me, "PUSH", granted=True)["decidedAt"] > first["decidedAt"]
    assert office.rows("SELECT count(*) FROM permission WHERE person_id = $1", me.person)[0][0] == 1


def test_words_at_once_leave_one_row_each(office):
    me = office.customer()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: decide(office, me, KINDS[n % 2], granted=n % 3 == 0), range(16)))
    assert set(permitted(office, me)) == set(KINDS[:2])


@pytest.mark.parametrize("kind", ["MICROPHONE", "push", "", None, 3])
def test_what_is_no_permission_cannot_be_set(office, refused, kind):
    me = refused
    document = "mutation($input: SetPermissionInput!) { setPermission(input: $input) { __typename } }"
    body = office.post(
        document, {"input": {"permission": kind, "granted": True}}, token=me.token, purpose="account_service"
    ).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert permitted(office, me) == {"PUSH": True}


def test_a_persons_word_is_seen_by_themselves_only(office):
    me = office.customer()
    office.know(me.person, birthDate=CHILD)
    mother = office.guardian(me.person)
    decide(office, me, "CAMERA", granted=False)
    query = "query($id: ID!) { user(id: $id) { permissions { kind } } }"
    for token, purpose in (
        (mother.token, "account_service"),
        (office.token("risk_analyst", purposes=["security"]), "security"),
    ):
        answer = office.post(query, {"id": me.id}, token=token, purpose=purpose).json()
        assert answer["data"]["user"] == {"permissions": []}


@pytest.mark.parametrize("role, purpose", [("guardian", "account_service"), ("customer_service", "policy_service")])
def test_nobody_decides_for_somebody_else(office, role, purpose):
    token = office.token(role, purposes=[purpose])
    found = office.write("setPermission", {"permission": "PUSH", "granted": True}, token=token, purpose=purpose)
    assert found["code"] == "WRITE_DENIED"


def test_c71_a_minor_grants_with_a_guardians_agreement_and_takes_back_without(office):
    child = office.customer()
    office.know(child.person, birthDate=CHILD)
    assert decide(office, child, "ALBUM", granted=True)["code"] == "MINOR_NEEDS_GUARDIAN"
    assert decide(office, child, "ALBUM", granted=False)["granted"] is False
    mother = office.guardian(child.person)
    update(office, mother.token, user=child.id, nickname="kid")
    assert decide(office, child, "ALBUM", granted=True)["code"] == "MINOR_NEEDS_GUARDIAN", "that was about the nickname"
    office.agree(mother, child.person, "account_service")
    assert decide(office, child, "ALBUM", granted=True)["granted"] is True


# Push identifiers.


def test_c13_a_push_identifier_is_kept_only_while_push_is_granted(office):
    me = office.customer()
    found = push(office, me)
    assert (found["code"], found["clause"]) == ("PERMISSION_REQUIRED", "C13")
    assert identifiers(office, me) == []
    decide(office, me, "PUSH", granted=True)
    found = push(office, me, identifier=f" {ANDROID.upper()} ", model="Mate 60")
    assert (found["pushId"], found["pushIdKind"], found["model"]) == (ANDROID, "ANDROID_ID", "Mate 60")
    assert found["lastSeenAt"].endswith("+08:00")
    decide(office, me, "PUSH", granted=False)
    assert identifiers(office, me) == [(False, None)], "erased, not hidden"
    assert push(office, me)["code"] == "PERMISSION_REQUIRED"


def test_c13_switching_push_off_stops_nothing_else(office):
    me = office.customer()
    for kind in KINDS:
        decide(office, me, kind, granted=True)
    device = push(office, me, model="Mate 60")["id"]
    decide(office, me, "PUSH", granted=False)
    assert permitted(office, me) == {**dict.fromkeys(KINDS, True), "PUSH": False}
    query = "{ viewer { user { phone devices { edges { node { id model pushId pushIdKind } } } } } }"
    user = office.post(query, token=me.token, purpose="account_service").json()["data"]["viewer"]["user"]
    assert user["phone"] == me.phone
    (edge,) = user["devices"]["edges"]
    assert edge["node"] == {"id": device, "model": "Mate 60", "pushId": None, "pushIdKind": None}
    assert update(office, me.token, nickname="still")["__typename"] == "User"


def test_switching_off_another_permission_leaves_the_push_identifiers(office):
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    push(office, me)
    for kind in KINDS:
        if kind != "PUSH":
            decide(office, me, kind, granted=False)
    assert identifiers(office, me) == [(True, "ANDROID_ID")]


def test_c13_somebody_elses_identifiers_stay(office):
    me, other = office.customer(), office.customer()
    for one in (me, other):
        decide(office, one, "PUSH", granted=True)
        push(office, one, identifier=ANDROID)
    decide(office, me, "PUSH", granted=False)
    assert (identifiers(office, me), identifiers(office, other)) == ([(False, None)], [(True, "ANDROID_ID")])


def test_a_device_is_changed_by_its_id_and_found_again_by_its_identifier(office):
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    device = push(office, me, identifier=ANDROID, model="Mate 60")["id"]
    found = push(office, me, device=device, kind="IDFA", identifier=IDFA.lower())
    assert (found["id"], found["pushId"], found["pushIdKind"], found["model"]) == (device, IDFA, "IDFA", "Mate 60")
    assert push(office, me, kind="IDFA", identifier=IDFA)["id"] == device, "an app that was installed anew"
    assert push(office, me, kind="OAID", identifier=IDFA)["id"] != device


@pytest.mark.parametrize(
    "kind, identifier",
    [
        ("ANDROID_ID", "a1b2c3d4e5f6071"),
        ("ANDROID_ID", "a1b2c3d4e5f607181"),
        ("ANDROID_ID", "g1b2c3d4e5f60718"),
        ("ANDROID_ID", "0" * 16),
        ("ANDROID_ID", IDFA),
        ("IDFA", ANDROID),
        ("IDFA", "00000000-0000-0000-0000-000000000000"),
        ("IDFA", "6D92078A82464BA4AE5B76104861E7DC"),
        ("OAID", "f" * 15),
        ("OAID", "f" * 65),
        ("OAID", "0" * 64),
        ("OAID", ""),
        ("OAID", "***"),
        ("OAID", "f" * 10_000),
        ("OAID", "ｆ" * 16),
    ],
)
def test_c13_what_is_no_identifier_of_its_kind_is_refused(office, refused, kind, identifier):
    me = refused
    found = push(office, me, kind=kind, identifier=identifier)
    assert (found["code"], found["field"]) == ("ITEM_INVALID", "identifier")
    assert identifiers(office, me) == []


def test_an_oaid_is_a_uuid_or_hex_digits(office):
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    for identifier in ("f" * 16, "F" * 64, IDFA):
        assert push(office, me, kind="OAID", identifier=identifier)["pushId"] == identifier.lower()


@pytest.mark.parametrize("model", ["", "\u200b", "m" * 65, "m" * 10_000, "a\u0007"])
def test_a_model_is_a_short_text(office, refused, model):
    me = refused
    found = push(office, me, model=model)
    assert (found["code"], found["field"]) == ("ITEM_INVALID", "model")
    assert identifiers(office, me) == []


def test_somebody_elses_device_does_not_exist(office):
    me, other = office.customer(), office.customer()
    for one in (me, other):
        decide(office, one, "PUSH", granted=True)
    found = push(office, me, device=push(office, other, identifier=ANDROID)["id"])
    assert (found["code"], found["field"]) == ("NOT_FOUND", "device")
    stranger = next(one for one in lines(office.plaintext)["Device"])
    assert push(office, me, device=stranger["id"])["code"] == "NOT_FOUND"
    assert office.rows("SELECT push_id_kind FROM device WHERE id = $1", row_id(stranger["id"]))[0][0] is None


def test_one_person_has_twenty_devices_and_changes_one_for_the_next(office):
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    devices = [push(office, me)["id"] for _ in range(20)]
    found = push(office, me)
    assert (found["code"], found["field"]) == ("DEVICE_CEILING", "device")
    assert push(office, me, device=devices[3], identifier=ANDROID)["id"] == devices[3]
    assert len(identifiers(office, me)) == 20


def test_c71_a_minor_gives_no_push_identifier_without_a_guardians_agreement(office):
    child = office.customer()
    decide(office, child, "PUSH", granted=True)
    office.know(child.person, birthDate=CHILD)
    assert push(office, child)["code"] == "MINOR_NEEDS_GUARDIAN"
    assert identifiers(office, child) == []


def test_c13_no_push_identifier_stands_in_the_log_or_in_the_ledger(office):
    me = office.customer()
    decide(office, me, "PUSH", granted=True)
    push(office, me, identifier="feedfacecafebeef")
    assert "feedfacecafebeef" not in office.log.read_text(encoding="utf-8", errors="replace").lower()
    rows = office.rows("SELECT body FROM ledger ORDER BY at DESC LIMIT 500")
    assert not any("feedfacecafebeef" in row[0] for row in rows)
