"""Clauses about devices, permissions, cookies, joins and recipients, each by its number and under both bundles."""

from dataclasses import fields
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from models.global_ids import from_global
from models.permissions import PermissionKind
from models.vocabulary import PERSON_ROLES, Category, Purpose, Role, to_bits
from resolvers.registered import house_documents
from tests.authz.test_law import BUNDLES
from tests.conftest import Server
from tests.plain import lines
from tests.recorded import came_of, said
from tests.writing.conftest import Office
from vault.keyring import load

APP = ("STORAGE", "PUSH", "CAMERA", "CALL", "ALBUM")
COOKIES = ("COOKIE_PREFERENCES", "COOKIE_SECURITY", "COOKIE_EFFICIENCY", "COOKIE_RESEARCH")
PERMISSION = "... on Permission { kind granted }"
_CATALOGUE = next(found for found, text in house_documents().items() if "permissionCatalogue" in text)


@pytest.fixture
def office(bundled) -> Office:
    """The bundle's server, to write to: fresh people, and nothing of anybody else's."""
    found = bundled.server
    given = {one.name: getattr(found, one.name) for one in fields(Server)}
    return Office(**given, keyring=load(found.installation.keyring_path))


def decide(office, me, kind, *, granted):
    given = {"permission": kind, "granted": granted}
    return office.write("setPermission", given, token=me.token, purpose="account_service", show=PERMISSION)


def use(office, me, kind):
    """Does a use of a permission go through? If not, by which code."""
    found = office.write(
        "usePermission", {"permission": kind}, token=me.token, purpose="account_service", show=PERMISSION
    )
    return found["granted"] if found["__typename"] == "Permission" else (found["code"], found["clause"])


OF_USES = """
SELECT body FROM ledger WHERE body LIKE '%Mutation.usePermission%' AND body LIKE '%' || $1 || '%' ORDER BY at, sequence
"""
REFUSED = ("PERMISSION_REQUIRED", "C67")


def effects(body):
    return {one["coordinate"]: one["effect"] for one in body["extensions"]["authorization"]["fields"]}


# Devices and what is joined with them.


def showing(bundle, *categories):
    """The roles and purposes to which some rule shows all of these."""
    return {place for place, one in BUNDLES[bundle.name].slices.items() if one.shows >= set(categories)}


OWN_OR_LAWFUL = {
    *((role, purpose) for role in PERSON_ROLES for purpose in Purpose),
    (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST),
    (Role.PRIVACY_OFFICER, Purpose.REGULATORY_DISCLOSURE),
}
"""A person themselves, and what is given out at their request or by law."""


def test_c12_device_data_kept_for_security_are_not_read_for_analytics_or_anything_else(bundled):
    server = bundled.server
    device = lines(server.plaintext)["Device"][0]
    document = (
        f'{{ user(id: "{device["user"]}") {{ devices(first: 5) {{ edges {{ node {{ model ipAddress }} }} }} }} }}'
    )
    token = server.token("risk_analyst", purposes=["security", "verification"])
    read = server.post(document, token=token, purpose="security").json()
    assert device["model"] in [edge["node"]["model"] for edge in read["data"]["user"]["devices"]["edges"]]
    assert effects(read) == {"Device.model": "REVEAL", "Device.ipAddress": "REVEAL"}
    other = server.post(document, token=token, purpose="verification").json()
    assert not (other["data"]["user"] and other["data"]["user"]["devices"]["edges"])
    analyst = server.token("analyst", purposes=["analytics"])
    assert server.post(document, token=analyst, purpose="analytics").json()["data"] == {"user": None}
    refused = server.post(document, token=analyst, purpose="security")
    assert refused.json()["errors"][0]["extensions"]["code"] == "PURPOSE_NOT_ALLOWED"
    assert showing(bundled.bundle, Category.DEVICE) - OWN_OR_LAWFUL == {(Role.RISK_ANALYST, Purpose.SECURITY)}


def test_c19_security_joins_account_device_and_use_and_no_other_purpose_can(bundled):
    server = bundled.server
    device = next(one for one in lines(server.plaintext)["Device"] if account_of(server, one["user"]))
    document = (
        f'{{ user(id: "{device["user"]}") {{ username nickname profileSource region'
        " devices(first: 5) { edges { node { model lastSeenAt } } } } }"
    )
    joined = server.post(document, token=server.token("risk_analyst", purposes=["security"])).json()
    assert joined["data"]["user"]["username"] == account_of(server, device["user"])
    assert set(effects(joined).values()) == {"REVEAL"}
    together = showing(bundled.bundle, Category.ACCOUNT, Category.DEVICE, Category.PROFILE)
    assert together - OWN_OR_LAWFUL == {(Role.RISK_ANALYST, Purpose.SECURITY)}
    for role, purpose in (("analyst", "research"), ("marketer", "marketing"), ("claims_handler", "claim_handling")):
        other = server.post(document, token=server.token(role, purposes=[purpose])).json()
        assert "REVEAL" not in effects(other).values()
        assert not (other["data"]["user"] and other["data"]["user"]["devices"]["edges"])


def account_of(server, user):
    return next((one["username"] for one in lines(server.plaintext)["Account"] if one["user"] == user), None)


# Permissions and cookies.


def test_c13_switching_push_off_stops_push_and_nothing_else(office):
    me = office.customer()
    for kind in APP:
        decide(office, me, kind, granted=True)
    given = {"kind": "ANDROID_ID", "identifier": "a1b2c3d4e5f60718", "model": "Pixel"}
    kept = office.write(
        "setPushIdentifiers", given, token=me.token, purpose="account_service", show="... on Device { pushId }"
    )
    assert kept["pushId"] == given["identifier"]
    decide(office, me, "PUSH", granted=False)
    query = "{ viewer { user { username devices(first: 2) { edges { node { model pushId } } } } } }"
    user = office.post(query, token=me.token, purpose="account_service").json()["data"]["viewer"]["user"]
    assert user["username"] == me.username
    assert [edge["node"] for edge in user["devices"]["edges"]] == [{"model": "Pixel", "pushId": None}]
    assert {kind: use(office, me, kind) for kind in APP} == dict.fromkeys(APP, True) | {"PUSH": REFUSED}
    again = office.write("setPushIdentifiers", given, token=me.token, purpose="account_service")
    assert (again["code"], again["clause"]) == ("PERMISSION_REQUIRED", "C13")


def test_c14_four_uses_of_cookies_are_told_to_anybody_and_each_is_refused_alone_and_stays_so(office):
    body = office.client.post(office.url, json={"documentId": f"sha256:{_CATALOGUE}"}).json()
    offers = [one for one in body["data"]["permissionCatalogue"] if one["group"] == "COOKIE"]
    assert tuple(one["kind"] for one in offers) == COOKIES
    assert len({one["use"] for one in offers}) == len(COOKIES)
    me = office.customer()
    for kind in COOKIES:
        decide(office, me, kind, granted=True)
    for refused in COOKIES:
        decide(office, me, refused, granted=False)
        assert {kind: use(office, me, kind) for kind in COOKIES} == {
            kind: REFUSED if kind == refused else True for kind in COOKIES
        }
        # The choice is stored: whoever asks later, with another token, is served it.
        later = office.token("customer", user=me.username, purposes=["account_service"])
        asked = office.post("{ viewer { user { permissions { kind granted } } } }", token=later)
        served = {one["kind"]: one["granted"] for one in asked.json()["data"]["viewer"]["user"]["permissions"]}
        assert served == {kind: kind != refused for kind in COOKIES}
        decide(office, me, refused, granted=True)


@pytest.mark.parametrize("kind", APP)
def test_c15_c67_each_permission_is_asked_for_at_its_first_use_and_its_next_use_is_denied_once_taken_back(office, kind):
    me = office.customer()
    others = [one for one in APP if one != kind]
    assert use(office, me, kind) == REFUSED
    for one in APP:
        decide(office, me, one, granted=True)
    assert [use(office, me, one) for one in APP] == [True] * len(APP)
    decide(office, me, kind, granted=False)
    assert use(office, me, kind) == REFUSED
    assert [use(office, me, one) for one in others] == [True] * len(others)
    decide(office, me, kind, granted=True)
    assert use(office, me, kind) is True


def test_c67_every_use_stands_on_the_ledger_granted_or_not_and_is_the_persons_own(office):
    me = office.customer()
    use(office, me, "CAMERA")
    decide(office, me, "CAMERA", granted=True)
    use(office, me, "CAMERA")
    account = office.rows("SELECT id FROM account WHERE person_id = $1", me.person)[0][0]
    rows = office.rows(OF_USES, str(account))
    assert [came_of(one)[1:] for one in said(rows)] == [("REFUSED", "PERMISSION_REQUIRED"), ("DONE", None)]
    staff = office.token("customer_service", purposes=["policy_service"])
    body = office.write("usePermission", {"permission": "CAMERA"}, token=staff, purpose="policy_service")
    assert body["code"] == "WRITE_DENIED"


def test_the_permissions_of_these_clauses_are_all_there_are():
    assert set(APP) | set(COOKIES) == {kind.value for kind in PermissionKind}


# Recipients.


def test_c23_a_health_provider_gets_name_id_number_mobile_and_policy_number_and_no_diagnosis(bundled):
    server, now = bundled.server, datetime.now(UTC)
    people = {one["id"]: one for one in lines(server.plaintext)["User"]}
    policies = {one["id"]: one for one in lines(server.plaintext)["Policy"]}
    service = next(
        one
        for one in lines(server.plaintext)["HealthService"]
        if datetime.fromisoformat(one["startsAt"]) <= now
        and (one["endsAt"] is None or datetime.fromisoformat(one["endsAt"]) > now)
    )
    policy = policies[service["policy"]]
    holder = people[policy["policyholder"]]
    token = server.token("health_provider", org=service["provider"], purposes=["health_service"])
    items = "name idNumber phone healthDeclaration birthDate email address bankCard"
    document = (
        f'{{ policy(id: "{policy["id"]}") {{ policyNumber premium policyholder {{ {items}'
        " claims(first: 5) { edges { node { diagnosis } } } } } }"
    )
    body = server.post(document, token=token).json()
    found = body["data"]["policy"]
    shown = {name: found["policyholder"][name] for name in ("name", "idNumber", "phone")}
    assert found["policyNumber"] == policy["policyNumber"]
    assert shown == {name: holder[name] for name in shown}
    assert found["policyholder"]["claims"]["edges"] == []
    assert {name for name, effect in effects(body).items() if effect != "DENY"} == {f"User.{name}" for name in shown}
    given = BUNDLES[bundled.bundle.name].slice(Role.HEALTH_PROVIDER, Purpose.HEALTH_SERVICE).shows
    assert given == {Category.NAME, Category.GOVERNMENT_ID, Category.PHONE}


def test_c32_a_consent_that_names_one_recipient_shows_nothing_to_another(office):
    me = office.customer()
    document = f'{{ user(id: "{me.id}") {{ name idNumber phone }} }}'
    given, other = (office.token("affiliate", org=code, purposes=["verification"]) for code in ("AF01", "AF02"))
    consent = uuid4()
    office.execute(
        "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
        " granted_at) SELECT $1, $2, 'verification', id, $3, '2020-10-26', '', now() FROM organization"
        " WHERE code = 'AF01'",
        *(consent, from_global(me.id)[1], to_bits({Category.NAME, Category.PHONE})),
    )
    read = office.post(document, token=given).json()
    assert effects(read) == {"User.name": "REVEAL", "User.phone": "MASK", "User.idNumber": "DENY"}
    assert office.post(document, token=other).json()["data"] == {"user": None}
    office.execute("UPDATE consent SET withdrawn_at = now() WHERE id = $1", consent)
    assert office.post(document, token=given).json()["data"] == {"user": None}
