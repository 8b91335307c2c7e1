"""Consents: one purpose, one recipient, some categories; what is taken back stops, and nothing else (C32, C67, C68)."""

import asyncio
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.token_keys import TokenKeys
from authz.tokens import Verifier, utc_now
from authz.vocabulary import Basis
from models.database import connect_once
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose, to_bits
from privacy.consents import Recipient, Wanted, refusal_of
from privacy.notices import Version, default_notice
from tests.privacy.consenting import CHILD, HASH, Consenting
from tests.recorded import ROW, said
from tests.writing.conftest import row_id

ALIKE = ["NAME", "PHONE"]
"""Categories that stand together in both bundles."""
ROWS = "SELECT withdrawn_at FROM consent WHERE person_id = $1 ORDER BY granted_at"


@pytest.fixture
def found(bundled):
    return Consenting.on(bundled)


def codes(found, kind):
    return [row[0] for row in found.rows("SELECT code FROM organization WHERE kind = $1 ORDER BY code", kind)]


@pytest.fixture
def affiliates(found):
    return codes(found, "AFFILIATE")


# To whom, for what.


def test_c32_a_consent_names_its_recipient_and_shows_nothing_to_another(found, affiliates):
    me = found.somebody()
    given = found.grant(found.of(me), "VERIFICATION", ALIKE, affiliates[0])
    assert (given["purpose"], given["recipient"], given["status"]) == (
        "VERIFICATION",
        {"code": affiliates[0]},
        "ACTIVE",
    )
    assert (given["categories"], given["noticeHash"], given["givenByGuardian"]) == (ALIKE, HASH, False)
    shown = found.verified(affiliates[0])[me.id]
    assert (shown["name"], shown["phone"], shown["idNumber"]) == (me.name, "138****0000", None)
    assert me.id not in found.verified(affiliates[1])


def test_c32_a_consent_opens_its_purpose_and_no_other(found, affiliates):
    me = found.somebody()
    found.grant(found.of(me), "MARKETING", ["NAME", "TAG"], affiliates[0])
    assert me.id not in found.verified(affiliates[0])


def test_c32_nobody_consents_for_somebody_else(found):
    me, other = found.somebody(), found.somebody()
    token = found.of(me)
    assert found.grant(token, user=other.id)["code"] == "NOT_FOUND"
    for role, purpose in (("customer_service", "policy_service"), ("privacy_officer", "rights_request")):
        staff = found.token(role, purposes=[purpose])
        assert found.grant(staff, user=other.id, under=purpose)["code"] == "WRITE_DENIED"
    assert found.rows(ROWS, other.person) == []


def test_c32_an_unknown_recipient_is_refused_and_the_brokerage_is_none(found):
    token = found.of(found.somebody())
    for code in ("NOBODY", "BROKER", "", "x" * 10_000):
        refused = found.grant(token, recipient=code)
        assert (refused["code"], refused["field"]) == ("RECIPIENT_UNKNOWN", "recipient")
    assert found.grant(token)["recipient"] is None


def test_c32_a_token_consents_to_no_category_that_it_does_not_list(found):
    me = found.somebody()
    token = found.of(me, categories=[Category.NAME])
    refused = found.grant(token, categories=ALIKE)
    assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "TOKEN_SCOPE")
    assert found.grant(token, categories=["NAME"])["status"] == "ACTIVE"


# How finely.


def test_c32_sensitive_data_are_consented_to_apart_where_the_law_in_force_wants_that(found, bundled, affiliates):
    me = found.somebody()
    mixed = found.grant(found.of(me), "VERIFICATION", ["NAME", "GOVERNMENT_ID"], affiliates[0])
    if not bundled.bundle.consent.apart:
        assert mixed["status"] == "ACTIVE"
        assert found.verified(affiliates[0])[me.id]["idNumber"] == "110101198002030014"
        return
    assert (mixed["code"], mixed["field"]) == ("SEPARATE_CONSENT_REQUIRED", "categories")
    assert "[GOVERNMENT_ID]" in mixed["message"]
    assert "[NAME]" in mixed["message"]
    for one in ("NAME", "GOVERNMENT_ID"):
        assert found.grant(found.of(me), "VERIFICATION", [one], affiliates[0])["status"] == "ACTIVE"
    shown = found.verified(affiliates[0])[me.id]
    assert (shown["name"], shown["idNumber"]) == (me.name, "110101198002030014"), "neither took the other's place"


def test_c82_a_consent_ends_in_the_future_and_not_later_than_the_law_in_force_lets_it(found):
    me, now = found.somebody(), utc_now()
    token, days = found.of(me), found.longest_days
    bad = [now - timedelta(seconds=1), now.replace(year=2200)] + ([now + timedelta(days=days + 1)] if days else [])
    for end in bad:
        refused = found.grant(token, expiresAt=end.isoformat())
        assert (refused["code"], refused["field"]) == ("EXPIRY_INVALID", "expiresAt")
    assert found.grant(token, expiresAt=(now + timedelta(days=9)).isoformat()[:19])["code"] == "EXPIRY_INVALID"
    usual = found.grant(token)["expiresAt"]
    assert (usual is not None) == bool(days)
    assert not days or now + timedelta(days=days - 1) < datetime.fromisoformat(usual) <= now + timedelta(days=days)


def test_c68_an_expired_consent_shows_nothing_more_by_itself(found, affiliates):
    me = found.somebody()
    found.grant(
        found.of(me), "VERIFICATION", ALIKE, affiliates[0], expiresAt=(utc_now() + timedelta(days=1)).isoformat()
    )
    assert me.id in found.verified(affiliates[0])
    found.execute("UPDATE consent SET expires_at = now() WHERE person_id = $1", me.person)
    assert me.id not in found.verified(affiliates[0])
    (one,) = found.history(found.of(me), me)
    assert one["status"] == "EXPIRED"
    assert found.withdraw(found.of(me), one["id"])["status"] == "EXPIRED", "it has ended, and stays as it ended"


def test_c82_a_consent_given_under_another_law_lasts_no_longer_than_the_law_in_force_lets_one(found, affiliates):
    old, young = found.somebody(), found.somebody()
    for one, days in ((old, 731), (young, 729)):
        found.grant(found.of(one), "VERIFICATION", ALIKE, affiliates[0])
        change = (
            "UPDATE consent SET granted_at = now() - make_interval(days => $2), expires_at = NULL WHERE person_id = $1"
        )
        found.execute(change, one.person, days)
    shown, lasts = found.verified(affiliates[0]), not found.longest_days
    assert shown[young.id]["name"] == young.name
    assert (shown.get(old.id) or {"name": None})["name"] == (old.name if lasts else None)
    for one, status in ((young, "ACTIVE"), (old, "ACTIVE" if lasts else "EXPIRED")):
        assert [row["status"] for row in found.history(found.of(one), one)] == [status]
    found.grant(found.of(old), "VERIFICATION", ALIKE, affiliates[0])
    assert found.verified(affiliates[0])[old.id]["name"] == old.name, "who agrees anew is shown"


# Under which notice.


def test_c82_a_consent_is_bound_to_the_notice_that_the_person_stands_under(found):
    token = found.of(found.somebody())
    for wrong in ("", "0" * 64, HASH.upper()):
        refused = found.grant(token, noticeHash=wrong)
        assert (refused["code"], refused["field"], refused["clause"]) == ("NOTICE_MISMATCH", "noticeHash", "C82")
        assert HASH in refused["message"], "it says which one"
    assert found.grant(token)["noticeVersion"] == default_notice().version


def test_c82_what_the_notice_does_not_tell_of_cannot_be_consented_to(found, affiliates):
    token = found.of(found.somebody())
    refused = found.grant(token, "MARKETING", ["NAME", "EMAIL"], affiliates[0])
    assert (refused["code"], refused["field"]) == ("NOTICE_DOES_NOT_TELL", "categories")
    assert "[EMAIL]" in refused["message"]
    assert found.grant(token, "RIGHTS_REQUEST")["code"] == "CONSENT_NO_BASIS"
    assert found.grant(token, categories=[])["code"] == "CATEGORIES_INVALID"


TOLD = default_notice()
VERSION = Version(1, TOLD.version, TOLD.digest, utc_now(), major=True, functions=TOLD.told, summary=TOLD.summary)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    purpose=st.sampled_from(Purpose),
    kind=st.sampled_from(OrganizationKind),
    categories=st.sets(st.sampled_from(Category), max_size=5),
    known=st.booleans(),
    days=st.none() | st.integers(-3, 1000),
)
def test_c82_exactly_what_the_notice_tells_and_the_bundle_allows_is_taken(
    bundled, purpose, kind, categories, known, days
):
    bundle, now = bundled.bundle, utc_now()
    end = None if days is None else now + timedelta(days=days)
    recipient = Recipient(None if kind is OrganizationKind.BROKER else UUID(int=7), kind)
    wanted = Wanted(purpose, recipient, to_bits(categories), TOLD.digest if known else "another", end)
    told = {one for f in TOLD.functions if f.function == (purpose, kind) for one in Category if f.categories & one.bit}
    apart = len({one in bundle.consent.apart for one in categories}) > 1
    longest = bundle.consent.longest_days
    allowed = (
        Basis.CONSENT in bundle.bases[purpose]
        and categories
        and categories <= told
        and not apart
        and known
        and (days is None or 0 < days <= (longest or 10**6))
    )
    assert (refusal_of(wanted, version=VERSION, bundle=bundle, now=now) is None) == bool(allowed)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    purpose=st.sampled_from(["MARKETING", "VERIFICATION", "HEALTH_SERVICE", "SECURITY"]),
    kind=st.sampled_from([None, "AFFILIATE", "INSURER", "HEALTH_PROVIDER"]),
    categories=st.sets(st.sampled_from(["NAME", "PHONE", "RELAY", "TAG", "GOVERNMENT_ID", "HEALTH"]), min_size=1),
)
def test_c32_over_the_api_a_consent_is_taken_exactly_where_notice_and_bundle_allow_it(
    bundled, purpose, kind, categories
):
    found = Consenting.on(bundled)
    me = _reused(found)
    function = (Purpose[purpose], OrganizationKind[kind or "BROKER"])
    told = {one.name for f in TOLD.functions if f.function == function for one in Category if f.categories & one.bit}
    mixed = len({Category[one] in bundled.bundle.consent.apart for one in categories}) > 1
    answer = found.grant(found.of(me), purpose, sorted(categories), kind and codes(found, kind)[0])
    assert (answer["__typename"] == "Consent") == (categories <= told and not mixed), answer


_people: dict[str, object] = {}


def _reused(found):
    """One person for all the examples on one server."""
    if found.url not in _people:
        _people[found.url] = found.somebody()
    return _people[found.url]


# Again, and at once.


def test_c68_a_new_consent_takes_the_place_of_the_running_one_at_the_same_moment_and_both_stay_on_record(
    found, affiliates
):
    me = found.somebody()
    token = found.of(me)
    first = found.grant(token, "VERIFICATION", ["NAME"], affiliates[0])
    second = found.grant(token, "VERIFICATION", ALIKE, affiliates[0])
    told = {one["id"]: one for one in found.history(token, me)}
    assert {told[first["id"]]["status"], told[second["id"]]["status"]} == {"WITHDRAWN", "ACTIVE"}
    assert told[first["id"]]["withdrawnAt"] == told[second["id"]]["grantedAt"]
    assert (told[first["id"]]["categories"], told[second["id"]]["categories"]) == (["NAME"], ALIKE)
    assert found.grant(token, "VERIFICATION", ["PHONE", "NAME", "NAME"], affiliates[0])["id"] == second["id"]
    assert len(found.history(token, me)) == 2, "the same words again are no new consent"


def test_c68_consents_to_other_recipients_and_purposes_stay(found, affiliates):
    me = found.somebody()
    token = found.of(me)
    asked = [("VERIFICATION", affiliates[0]), ("VERIFICATION", affiliates[1]), ("MARKETING", affiliates[0])]
    for purpose, code in [*asked, ("VERIFICATION", None)]:
        assert found.grant(token, purpose, ["NAME"], code)["status"] == "ACTIVE"
    assert [one["status"] for one in found.history(token, me)] == ["ACTIVE"] * 4


def test_c68_of_consents_at_once_one_is_running_in_the_end_and_none_ended_before_it_began(found, affiliates):
    me = found.somebody()
    token = found.of(me)
    sets = [["NAME"], ["PHONE"], ALIKE, ["NAME", "EMAIL"]]
    with ThreadPoolExecutor(8) as threads:
        work = [threads.submit(found.grant, token, "VERIFICATION", sets[n % 4], affiliates[0]) for n in range(24)]
    assert all(one.result()["__typename"] == "Consent" for one in work)
    rows = found.rows(
        "SELECT granted_at, withdrawn_at FROM consent WHERE person_id = $1 ORDER BY granted_at", me.person
    )
    assert [row["withdrawn_at"] is None for row in rows] == [False] * (len(rows) - 1) + [True]
    assert all(row["withdrawn_at"] == after["granted_at"] for row, after in itertools.pairwise(rows))


def test_one_person_gives_so_many_consents_a_day_and_takes_any_back(found):
    me = found.somebody()
    token = found.of(me)
    found.execute(
        "INSERT INTO consent"
        " (id, person_id, purpose, categories, notice_version, notice_hash, granted_at, withdrawn_at)"
        " SELECT gen_random_uuid(), $1, 'security', 1, '', '', now(), now() FROM generate_series(1, 199)",
        me.person,
    )
    given = found.grant(token)
    assert found.grant(token, "SECURITY")["code"] == "TRY_LATER"
    assert found.withdraw(token, given["id"])["status"] == "WITHDRAWN"


# Taken back.


@pytest.mark.parametrize("under", ["account_service", "rights_request"])
def test_c67_what_is_taken_back_shows_nothing_from_the_next_read_on(found, affiliates, under):
    me = found.somebody()
    token = found.of(me, purposes=[Purpose(under)])
    consent = found.grant(token, "VERIFICATION", ALIKE, affiliates[0], under=under)["id"]
    assert me.id in found.verified(affiliates[0])
    gone = found.withdraw(token, consent, under=under)
    assert (gone["status"], gone["withdrawnByGuardian"]) == ("WITHDRAWN", False)
    assert me.id not in found.verified(affiliates[0])
    assert found.withdraw(token, consent, under=under)["withdrawnAt"] == gone["withdrawnAt"], (
        "once more changes nothing"
    )


def test_c68_taking_back_stops_that_function_alone(found, affiliates):
    me = found.somebody()
    token = found.of(me)
    ids = {code: found.grant(token, "VERIFICATION", ALIKE, code)["id"] for code in affiliates[:2]}
    marketing = found.grant(token, "MARKETING", ["NAME", "TAG"], affiliates[0])["id"]
    found.withdraw(token, ids[affiliates[0]])
    assert me.id not in found.verified(affiliates[0])
    assert found.verified(affiliates[1])[me.id]["name"] == me.name
    told = {one["id"]: one["status"] for one in found.history(token, me)}
    assert (told[ids[affiliates[1]]], told[marketing]) == ("ACTIVE", "ACTIVE")
    user = found.ask("{ viewer { user { name phone } } }", token, "account_service")["viewer"]["user"]
    assert user == {"name": me.name, "phone": "13800000000"}, "the account goes on"
    assert found.grant(token, "VERIFICATION", ALIKE, affiliates[0])["status"] == "ACTIVE", "and so does consenting"


def test_c68_a_contract_goes_on_when_every_consent_is_taken_back(found):
    me = found.somebody()
    token = found.of(me)
    (insurer, product) = found.rows(
        "SELECT o.id, p.id FROM product p JOIN organization o ON o.id = p.insurer_id ORDER BY p.code LIMIT 1"
    )[0]
    found.execute(
        "INSERT INTO policy (id, policy_number, product_id, insurer_id, holder_id, insured_id, status, currency,"
        " starts_on, ends_on) VALUES (gen_random_uuid(), $4, $2, $1, $3, $3, 'IN_FORCE', 'CNY', current_date,"
        " current_date + 300)",
        *(insurer, product, me.person, f"C{me.account.hex[:20]}"),
    )
    (code,) = found.rows("SELECT code FROM organization WHERE id = $1", insurer)[0]
    consent = found.grant(token, "POLICY_SERVICE", ["NAME"], code)["id"]
    reader = found.token("insurer", org=code, purposes=["policy_service"])
    query = "query($id: ID!) { user(id: $id) { name } }"
    before = found.ask(query, reader, "policy_service", id=me.id)
    found.withdraw(token, consent)
    assert found.ask(query, reader, "policy_service", id=me.id) == before == {"user": {"name": me.name}}


def test_c68_what_was_shown_before_stays_lawful_and_on_record(found, affiliates):
    me = found.somebody()
    token = found.of(me)
    consent = found.grant(token, "VERIFICATION", ALIKE, affiliates[0])["id"]
    reader = found.token("affiliate", org=affiliates[0], purposes=["verification"])
    answer = found.post(
        "query($id: ID!) { user(id: $id) { name } }", {"id": me.id}, token=reader, purpose="verification"
    )
    decision = answer.json()["extensions"]["authorization"]["decisionId"]
    assert answer.json()["data"]["user"]["name"] == me.name
    found.withdraw(token, consent)
    (row,) = said(found.rows(ROW, decision))
    assert f"n{row_id(consent).hex}" in row["records"], "it names the consent that it rested on"
    told = _looked(found, token, decision)
    assert (told["revealed"], told["purpose"]) == (["User.name"], "VERIFICATION")
    assert told["under"] == [{"kind": "CONSENT", "id": consent}], "and the person still reads what it rested on"
    (one,) = found.history(token, me)
    assert (one["id"], one["status"], one["categories"]) == (consent, "WITHDRAWN", ALIKE)
    kept = found.ask("{ consents { edges { node { id status } } } }", token, "account_service")["consents"]["edges"]
    assert kept == [{"node": {"id": consent, "status": "WITHDRAWN"}}]


def test_c68_somebody_elses_consent_and_an_unknown_one_are_the_same(found):
    me, other = found.somebody(), found.somebody()
    theirs = found.grant(found.of(other))["id"]
    unknown = theirs[:-6] + ("AAAAA" if "AAAAA" not in theirs else "BBBBB") + theirs[-1]
    answers = [found.withdraw(found.of(me), one) for one in (theirs, unknown)]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "NOT_FOUND"
    assert found.history(found.of(other), other)[0]["status"] == "ACTIVE"


def test_c68_the_application_can_neither_delete_nor_change_what_was_agreed_to(found):
    me = found.somebody()
    found.grant(found.of(me))
    for statement in (
        "DELETE FROM consent",
        "UPDATE consent SET categories = 0",
        "UPDATE consent SET granted_at = now()",
    ):
        assert _refused(found, statement), statement


# Minors.


def test_c71_a_guardian_consents_for_a_ward_and_a_minor_alone_does_not(found, affiliates):
    child, mother, stranger = found.somebody(birth=CHILD), found.somebody(), found.somebody()
    found.guards(mother, child)
    found.guards(stranger, child, verified=False)
    refused = found.grant(found.of(child), "VERIFICATION", ALIKE, affiliates[0])
    assert (refused["code"], refused["clause"]) == ("MINOR_NEEDS_GUARDIAN", "C71")
    assert found.grant(found.guardian_of(stranger), user=child.id)["code"] == "NOT_FOUND"
    assert found.grant(found.guardian_of(mother))["code"] == "NOT_FOUND", "a guardian names the ward"
    given = found.grant(found.guardian_of(mother), "VERIFICATION", ALIKE, affiliates[0], user=child.id)
    assert (given["status"], given["givenByGuardian"]) == ("ACTIVE", True)
    assert given["receipt"]["document"]["collectionMethod"] == "grantConsent, by a guardian"
    assert found.verified(affiliates[0])[child.id]["name"] == child.name


def test_c71_what_a_guardian_gave_either_takes_back_and_what_somebody_gave_they_do(found):
    child, mother = found.somebody(birth=CHILD), found.somebody()
    found.guards(mother, child)
    given = found.grant(found.guardian_of(mother), user=child.id)["id"]
    assert found.withdraw(found.guardian_of(mother), given)["withdrawnByGuardian"] is True
    again = found.grant(found.guardian_of(mother), user=child.id)["id"]
    assert found.withdraw(found.of(child), again)["withdrawnByGuardian"] is False, "to take back only narrows"
    young = found.somebody()
    own = found.grant(found.of(young))["id"]
    found.know(young.person, birthDate=CHILD)
    assert found.withdraw(found.of(young), own)["status"] == "WITHDRAWN", "whatever their age turns out to be"


def test_c71_who_has_come_of_age_takes_back_what_a_guardian_gave(found):
    child, mother = found.somebody(birth=CHILD), found.somebody()
    found.guards(mother, child)
    given = found.grant(found.guardian_of(mother), user=child.id)["id"]
    found.know(child.person, birthDate="1999-01-01")
    assert found.withdraw(found.guardian_of(mother), given)["code"] == "NOT_FOUND"
    assert found.withdraw(found.of(child), given)["status"] == "WITHDRAWN"


def test_a_person_of_unknown_age_consents_as_they_do_all_else(found):
    me = found.somebody()
    found.execute("UPDATE person SET birth_date_sealed = NULL WHERE id = $1", me.person)
    assert found.grant(found.of(me))["status"] == "ACTIVE"


# History.


def test_c68_the_officer_of_a_request_reads_every_consent_and_no_receipt(found):
    me = found.somebody()
    token = found.of(me)
    given = found.grant(token)["id"]
    found.withdraw(token, given)
    officer = found.token("privacy_officer", purposes=["rights_request"])
    assert found.ask("query($id: ID!) { node(id: $id) { id } }", officer, "rights_request", id=given) == {"node": None}
    _request(found, me, officer)
    (one,) = found.history(officer, me, "rights_request")
    assert (one["status"], one["givenByGuardian"], one["withdrawnByGuardian"]) == ("WITHDRAWN", False, False)
    query = "query($id: ID!) { node(id: $id) { ... on Consent { status receipt { jws } } } }"
    node = found.ask(query, officer, "rights_request", id=given)["node"]
    assert node == {"status": "WITHDRAWN", "receipt": None}


def test_each_grant_and_withdrawal_is_a_row_of_the_ledger_about_the_person(found):
    me = found.somebody()
    token = found.of(me)
    show = "mutation($input: GrantConsentInput!) { grantConsent(input: $input) { ... on Consent { id } } }"
    asked = {"purpose": "SECURITY", "categories": ["NAME"], "noticeHash": HASH}
    body = found.post(show, {"input": asked}, token=token, purpose="account_service").json()
    (row,) = said(found.rows(ROW, body["extensions"]["authorization"]["decisionId"]))
    assert (row["kind"], row["outcome"], row["entries"][0][0]) == ("WRITE", "DONE", ["Mutation.grantConsent"])
    assert row["records"] == [f"n{row_id(body['data']['grantConsent']['id']).hex}"]
    assert len(row["persons"]) == 1


def _refused(found, statement):
    """Is this refused to the application's role?"""

    async def run():
        connection = await connect_once(found.database.application)
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            return True
        finally:
            await connection.close()
        return False

    return asyncio.run(run())


def _request(found, me, officer):
    """A rights request of somebody's, in an officer's hands."""
    decided = Verifier(TokenKeys.load(found.installation.token_keys_path)).verify(officer, now=utc_now())
    request = uuid4()
    found.execute(
        "INSERT INTO rights_request (id, person_id, requester_id, kind, opened_at)"
        " VALUES ($1, $2, $2, 'ACCESS', now())",
        *(request, me.person),
    )
    found.execute(
        "INSERT INTO assignment (id, rights_request_id, staff_id, assigned_at) VALUES ($1, $2, $3, now())",
        *(uuid4(), request, decided.subject.account),
    )


def _looked(found, token, decision):
    """The entry of somebody's access history about a decision, as soon as it is sealed."""
    query = (
        "{ viewer { user { accessHistory(first: 20) { edges { node"
        " { decisionId revealed purpose under { kind id } } } } } } }"
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        user = found.ask(query, token, "account_service")["viewer"]["user"]
        for edge in user["accessHistory"]["edges"]:
            if edge["node"]["decisionId"] == decision:
                return edge["node"]
        time.sleep(0.1)
    raise AssertionError("it was never sealed")
