"""Guardian links: asked for by the guardian, verified by somebody who saw the document, ended at once (C71, C73)."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest

from ledger.references import references_of
from models.vocabulary import BlindColumn
from tests.conftest import Server
from tests.privacy.conftest import Bundled
from tests.privacy.guarding import ADULT, NEEDS_GUARDIAN, Guarded, born, number
from tests.privacy.test_notices_agreements import MORE
from tests.recorded import ALL, as_owner, said
from tests.writing.conftest import row_id
from vault.blind import blind

LINKS = (
    "query($state: GuardianLinkState) { guardianLinks(state: $state, first: 100) { id state guardian child reference"
)
LINKS += " evidence requestedAt verifiedAt endedAt note } }"


@pytest.fixture
def guarded(bundled):
    return Guarded(bundled)


def listed(guarded, token, purpose="account_service"):
    answer = guarded.office.post(LINKS, {}, token=token, purpose=purpose).json()
    return answer["data"]["guardianLinks"]


def test_c73_a_guardian_reads_and_acts_from_the_verification_on_and_not_before(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    assert guarded.birth_date_of(guardian, child) is None
    found = guarded.request(guardian, theirs)
    assert found["state"] == "PENDING"
    assert guarded.birth_date_of(guardian, child) is None, "a request gives nothing"
    assert guarded.nickname(guarded.as_guardian(guardian), child.id) == "NOT_FOUND"
    assert guarded.nickname(child.token) == NEEDS_GUARDIAN
    assert guarded.verify(found["id"], ("孙大明", own), ("孙小明", theirs))["state"] == "VERIFIED"
    assert guarded.birth_date_of(guardian, child) == guarded.minor().isoformat()
    assert guarded.nickname(guarded.as_guardian(guardian), child.id) is None
    stranger, _ = guarded.known(ADULT, "李四", found=False)
    assert guarded.birth_date_of(stranger, child) is None, "an unlinked guardian is refused"


@pytest.mark.parametrize("who", ["guardian", "officer"])
def test_c73_who_ends_a_link_ends_it_from_the_next_read_on(guarded, who):
    guardian, child, link = guarded.linked()
    assert guarded.birth_date_of(guardian, child)
    token, purpose = (guarded.officer, "administration") if who == "officer" else (guardian.token, "account_service")
    assert guarded.revoke(link, token, purpose)["state"] == "REVOKED"
    assert guarded.birth_date_of(guardian, child) is None
    assert guarded.nickname(guarded.as_guardian(guardian), child.id) == "NOT_FOUND"
    assert guarded.revoke(link, token, purpose)["code"] == "LINK_STATE"


def test_c73_a_child_ends_it_once_of_age_and_not_before(guarded):
    guardian, child, link = guarded.linked()
    assert guarded.revoke(link, child.token)["code"] == "LINK_UNKNOWN"
    assert guarded.birth_date_of(guardian, child)
    guarded.office.know(child.person, birthDate=born(guarded.bundle.age_of_majority).isoformat())
    assert guarded.birth_date_of(guardian, child) is None, "who is of age has no guardian"
    assert guarded.revoke(link, child.token)["state"] == "REVOKED"


def test_c73_nobody_else_ends_a_link_or_learns_that_there_is_one(guarded):
    _, child, link = guarded.linked()
    stranger, _ = guarded.known(ADULT, "李四", found=False)
    assert guarded.revoke(link, stranger.token)["code"] == "LINK_UNKNOWN"
    assert guarded.revoke(child.id, stranger.token)["code"] == "LINK_UNKNOWN"
    assert listed(guarded, stranger.token) == []


def test_c73_the_answer_is_the_same_whether_the_child_is_on_record_or_not(guarded):
    _, theirs = guarded.known(guarded.minor())
    answers = []
    for asked in (theirs, number(guarded.minor())):
        guardian, _ = guarded.known(ADULT, "孙大明", found=False)
        found = guarded.request(guardian, asked)
        (row,) = listed(guarded, guardian.token)
        same = {name: value for name, value in row.items() if name not in ("id", "guardian", "requestedAt")}
        answers.append(({name: found[name] for name in ("__typename", "state")}, same))
    assert answers[0] == answers[1]
    assert answers[0][1]["child"] is None


def test_c71_a_child_nobody_knew_is_on_record_once_verified_and_the_guardian_reads_them(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    theirs = number(guarded.minor())
    link = guarded.request(guardian, theirs, "孙新生")["id"]
    assert guarded.verify(link, ("孙大明", own), ("孙新生", theirs))["state"] == "VERIFIED"
    ((row),) = listed(guarded, guardian.token)
    query = "query($id: ID!) { user(id: $id) { name birthDate } }"
    answer = guarded.office.post(
        query, {"id": row["child"]}, token=guarded.as_guardian(guardian), purpose="account_service"
    ).json()
    assert answer["data"]["user"] == {"name": "孙新生", "birthDate": guarded.minor().isoformat()}


def test_c73_a_number_that_tells_no_birth_date_makes_nobody_the_guardian_of_an_adult(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    adult = guarded.office.customer()
    guarded.office.know(adult.person, name="孙小明")
    theirs = guarded.holds_passport(adult)
    stated = guarded.minor().isoformat()
    link = guarded.request(guardian, theirs, child={"idType": "PASSPORT", "birthDate": stated})["id"]
    says = ("孙大明", own), ("孙小明", theirs)
    for births in ({}, {"childBirthDate": ADULT.isoformat()}):
        assert guarded.verify(link, *says, births=births)["code"] == "DOCUMENT_DIFFERS"
    assert guarded.verify(link, *says, births={"childBirthDate": stated})["state"] == "VERIFIED"
    assert guarded.office.stored("User", adult.person, owner=adult.person)["birthDate"] is None
    assert guarded.office.rows("SELECT FROM guardian_link WHERE child_id = $1", adult.person) == []
    assert guarded.nickname(adult.token) is None, "an adult is not locked out"
    ((row),) = listed(guarded, guardian.token)
    assert row["child"] not in (None, adult.id), "the child has a record of its own"


def test_c71_a_guardian_whose_number_tells_no_birth_date_is_as_old_as_the_document_says(guarded):
    guardian, _ = guarded.known(ADULT, "孙大明")
    own = guarded.holds_passport(guardian)
    child, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    says = ("孙大明", own), ("孙小明", theirs)
    for births in ({}, {"guardianBirthDate": born(30).isoformat()}):
        assert guarded.verify(link, *says, births=births)["code"] == "DOCUMENT_DIFFERS"
    assert guarded.verify(link, *says, births={"guardianBirthDate": ADULT.isoformat()})["state"] == "VERIFIED"
    assert guarded.birth_date_of(guardian, child)


def test_c71_a_new_child_stands_under_the_newest_notice(noticing):
    server = Server(**{one.name: getattr(noticing, one.name) for one in fields(Server)})
    guarded = Guarded(Bundled(noticing.bundle, server))
    second = noticing.version(MORE)
    guardian, own = guarded.known(ADULT, "孙大明")
    theirs = number(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["state"] == "VERIFIED"
    stands = (
        "SELECT n.version FROM guardian_link g JOIN notice_agreement a ON a.person_id = g.child_id"
        " JOIN notice n ON n.number = a.notice WHERE g.request_id = $1"
    )
    assert [row[0] for row in noticing.rows(stands, row_id(link))] == [second.version]


def test_c73_two_guardians_of_a_child_nobody_knew_have_one_child(guarded):
    theirs = number(guarded.minor())
    asked = []
    for name in ("孙大明", "李丽"):
        guardian, own = guarded.known(ADULT, name)
        asked.append((guarded.request(guardian, theirs)["id"], (name, own), ("孙小明", theirs)))
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda one: guarded.verify(*one, token=guarded.officer), asked))
    assert [one["state"] for one in found] == ["VERIFIED"] * 2
    children = "SELECT DISTINCT child_id FROM guardian_link WHERE request_id = ANY($1::uuid[])"
    assert len(guarded.office.rows(children, [row_id(one[0]) for one in asked])) == 1


def test_c73_no_record_of_a_child_is_left_out_without_a_word(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    theirs = number(guarded.minor())
    guarded.office.execute(
        "WITH made AS (INSERT INTO person (id, source, id_type) SELECT gen_random_uuid(), 'application', 'RESIDENT_ID'"
        ' FROM generate_series(1, 101) RETURNING id) INSERT INTO blind_index ("column", digest, person_id)'
        " SELECT $1, $2, id FROM made",
        *(int(BlindColumn.ID_NUMBER), blind(guarded.office.keyring, "id_number", theirs)),
    )
    link = guarded.request(guardian, theirs)["id"]
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "CHILD_CEILING"


def test_c73_who_guesses_what_a_document_says_has_five_tries(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    _, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    for _ in range(5):
        assert guarded.verify(link, ("孙大明", own), ("赵六七", theirs))["code"] == "DOCUMENT_DIFFERS"
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "LINK_STATE"
    assert [one["state"] for one in listed(guarded, guardian.token)] == ["REFUSED"]


@pytest.mark.parametrize("decision", ["VERIFIED", "REFUSED", "WITHDRAWN"])
def test_c73_what_a_request_says_of_a_child_is_gone_once_it_is_decided(guarded, decision):
    guardian, own = guarded.known(ADULT, "孙大明")
    theirs = number(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    kept = "SELECT stated_sealed IS NOT NULL, child_digest IS NOT NULL FROM guardian_request WHERE id = $1"
    assert tuple(guarded.office.rows(kept, row_id(link))[0]) == (True, True)
    if decision == "WITHDRAWN":
        found = guarded.revoke(link, guardian.token)
    else:
        verdict = "APPROVED" if decision == "VERIFIED" else "REJECTED"
        found = guarded.verify(link, ("孙大明", own), ("孙小明", theirs), verdict=verdict)
    assert found["state"] == decision
    assert tuple(guarded.office.rows(kept, row_id(link))[0]) == (False, False)


def test_c59_c64_the_ledger_names_guardian_and_child_in_what_is_done_and_told_of_their_link(guarded):
    before = len(guarded.office.rows(ALL))
    guardian, child, link = guarded.linked()
    listed(guarded, guardian.token)
    guarded.revoke(link, guardian.token)
    ids = [guardian.person, child.person]
    numbers = as_owner(guarded.office, lambda owner: references_of(owner, ids))
    both = {numbers[one] for one in ids}
    named = {}
    for body in said(guarded.office.rows(ALL)[before:]):
        for names, *_, group in body.get("entries", ()):
            people = {body["persons"][place] for place in body["groups"][group][0]}
            if people & both:
                named.setdefault(names[0], set()).update(people)
    assert named["Mutation.requestGuardianLink"] == {numbers[guardian.person]}
    for name in ("Mutation.verifyGuardianLink", "Query.guardianLinks", "Mutation.revokeGuardianLink"):
        assert named[name] == both, name


@pytest.mark.parametrize("wrong", ["guardian name", "guardian number", "child name", "child number"])
def test_c73_a_document_of_other_people_makes_no_link(guarded, wrong):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    says = {"guardian name": "孙大明", "guardian number": own, "child name": "孙小明", "child number": theirs}
    says[wrong] = number(ADULT) if "number" in wrong else "赵六七"
    found = guarded.verify(
        link, (says["guardian name"], says["guardian number"]), (says["child name"], says["child number"])
    )
    assert (found["code"], found["clause"]) == ("DOCUMENT_DIFFERS", "C73")
    assert guarded.birth_date_of(guardian, child) is None


def test_c73_a_refused_request_gives_nothing_and_may_be_made_anew(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    assert guarded.request(guardian, theirs)["id"] == link, "the same again is the same request"
    refused = guarded.verify(link, ("", ""), ("", ""), verdict="REJECTED", note="页码不清")
    assert refused["state"] == "REFUSED"
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "LINK_STATE"
    again = guarded.request(guardian, theirs)["id"]
    assert again != link
    assert [one["state"] for one in listed(guarded, guardian.token)] == ["PENDING", "REFUSED"]
    assert guarded.revoke(again, guardian.token)["state"] == "WITHDRAWN"
    assert guarded.birth_date_of(guardian, child) is None


def test_c73_what_a_guardian_says_anew_of_the_same_child_takes_the_place_of_what_was_said_before(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    mistaken = guarded.request(guardian, theirs, child={"name": "孙小朋"})["id"]
    link = guarded.request(guardian, theirs)["id"]
    assert link != mistaken
    assert [one["state"] for one in listed(guarded, guardian.token)] == ["PENDING", "WITHDRAWN"]
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["state"] == "VERIFIED"
    assert guarded.birth_date_of(guardian, child) is not None


def test_c73_nobody_becomes_a_guardian_under_the_number_of_somebody_elses_account(guarded):
    _, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    stranger, _ = guarded.known(ADULT, "孙大明", of=own)
    link = guarded.request(stranger, theirs)["id"]
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "GUARDIAN_CONTESTED"
    assert guarded.birth_date_of(stranger, child) is None


def test_c71_a_guardian_is_of_age_a_child_is_not_and_nobody_is_their_own(guarded):
    limit = guarded.bundle.age_of_majority
    nobody = guarded.office.customer()
    minor, _ = guarded.known(born(limit - 1), found=False)
    guardian, own = guarded.known(ADULT, "孙大明")
    theirs = number(guarded.minor())
    assert guarded.request(nobody, theirs)["code"] == "GUARDIAN_UNKNOWN"
    assert guarded.request(minor, theirs)["code"] == "GUARDIAN_UNDER_AGE"
    assert guarded.request(guardian, number(born(limit)))["code"] == "CHILD_OF_AGE"
    assert guarded.request(guardian, own)["code"] == "CHILD_OF_AGE"
    assert guarded.request(guardian, "E12345678", child={"idType": "PASSPORT"})["code"] == "AGE_UNKNOWN"
    passport = {"idType": "PASSPORT", "birthDate": guarded.minor().isoformat()}
    assert guarded.request(guardian, "E12345678", child=passport)["state"] == "PENDING"


def test_c71_who_has_turned_of_age_or_a_guardian_who_is_not_is_not_linked_when_it_is_decided(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    _, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    guarded.office.know(guardian.person, birthDate=guarded.minor().isoformat())
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "GUARDIAN_UNDER_AGE"


def test_c73_guardians_are_no_circle(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    between = guarded.office.customer()
    for one, other in itertools.pairwise((child.person, between.person, guardian.person)):
        guarded.office.execute(
            "INSERT INTO guardian_link (id, guardian_id, child_id, verified_at)"
            " VALUES (gen_random_uuid(), $1, $2, now())",
            *(one, other),
        )
    link = guarded.request(guardian, theirs)["id"]
    assert guarded.verify(link, ("孙大明", own), ("孙小明", theirs))["code"] == "LINK_CIRCLE"


@pytest.mark.parametrize("reference", ["", "13812345678", "11010519491231002X", "a@example.cn", "x" * 65, "CVV 123 卡"])
def test_c73_the_reference_of_a_document_holds_no_number_of_a_person(guarded, reference):
    guardian, _ = guarded.known(ADULT, "孙大明", found=False)
    found = guarded.request(guardian, number(guarded.minor()), reference=reference)
    assert found["code"] in ("ITEM_INVALID", "NEVER_COLLECTED")
    assert listed(guarded, guardian.token) == []


def test_c73_only_a_privacy_officer_verifies_and_is_shown_nobody(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    _, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    for role, purpose in (("security_admin", "administration"), ("customer_service", "policy_service")):
        token = guarded.office.token(role, purposes=[purpose])
        given = {"id": link, "verdict": "APPROVED"}
        found = guarded.office.write("verifyGuardianLink", given, token=token, purpose=purpose)
        assert found["code"] == "WRITE_DENIED"
        assert listed(guarded, token, purpose) is None
    found = guarded.verify(link, ("孙大明", own), ("孙小明", theirs), token=guardian.token, purpose="account_service")
    assert found["code"] == "WRITE_DENIED", "and no guardian verifies their own"
    (row,) = [one for one in listed(guarded, guarded.officer, "administration") if one["id"] == link]
    assert (row["state"], row["reference"], row["guardian"], row["child"]) == ("PENDING", "柜台 2026-0017", None, None)
    assert not {"孙大明", "孙小明", own, theirs} & set(map(str, row.values()))


def test_c73_a_link_is_made_once_however_many_officers_decide_at_once(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    link = guarded.request(guardian, theirs)["id"]
    with ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(guarded.verify, link, ("孙大明", own), ("孙小明", theirs), token=guarded.officer)
            for _ in range(4)
        ]
    outcomes = sorted(one.result().get("state") or one.result()["code"] for one in asked)
    assert outcomes == ["LINK_STATE"] * 3 + ["VERIFIED"]
    made = "SELECT count(*) FROM guardian_link WHERE child_id = $1"
    assert guarded.office.rows(made, child.person)[0][0] == 1


def test_c73_so_many_requests_wait_at_once_and_no_more(guarded):
    guardian, _ = guarded.known(ADULT, "孙大明", found=False)
    for _ in range(10):
        assert guarded.request(guardian, number(guarded.minor()))["state"] == "PENDING"
    assert guarded.request(guardian, number(guarded.minor()))["code"] == "LINK_CEILING"


def test_c73_what_a_request_says_of_a_child_is_stored_sealed_and_logged_nowhere(guarded):
    guardian, _ = guarded.known(ADULT, "孙大明", found=False)
    theirs = number(guarded.minor())
    link = guarded.request(guardian, theirs, "钱无痕")["id"]
    row = guarded.office.rows("SELECT * FROM guardian_request WHERE id = $1", row_id(link))[0]
    stored = json.dumps([str(value) for value in row.values()], ensure_ascii=False)
    log = guarded.office.log.read_text(encoding="utf-8", errors="replace")
    rows = [one[0] for one in guarded.office.rows("SELECT body FROM ledger ORDER BY at DESC LIMIT 50")]
    for secret in ("钱无痕", theirs):
        assert secret not in stored
        assert secret not in log
        assert not any(secret in body for body in rows)


def test_c73_the_operator_lists_and_revokes_and_verifies_only_with_an_officers_token(guarded, tmp_path, monkeypatch):
    monkeypatch.setenv("NEEDFUL_DATA", str(guarded.office.data_dir))
    monkeypatch.setenv("NEEDFUL_BUNDLE", guarded.bundle.name)
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    link = str(row_id(guarded.request(guardian, theirs)["id"]))
    (row,) = [one for one in guarded.office.operate("guardians", "list", "--state", "PENDING") if one["link"] == link]
    assert (row["evidence"], row["reference"]) == ("HOUSEHOLD_REGISTER", "柜台 2026-0017")
    document, token = tmp_path / "document.json", tmp_path / "token"
    says = {"guardianName": "孙大明", "guardianIdNumber": own, "childName": "孙小明", "childIdNumber": theirs}
    document.write_text(json.dumps(says))
    verify = ("guardians", "verify", link, "--document", str(document), "--token-file", str(token))
    token.write_text(guarded.office.token("security_admin", purposes=["administration"]))
    with pytest.raises(Exception, match="by privacy officers"):
        guarded.office.operate(*verify)
    token.write_text(guarded.officer)
    document.write_text(json.dumps({**says, "childBirthDate": ADULT.isoformat()}))
    assert guarded.office.operate(*verify)["problem"] == "DOCUMENT_DIFFERS"
    counted = "SELECT differing FROM guardian_request WHERE id = $1"
    assert guarded.office.rows(counted, row["link"])[0][0] == 1, "an attempt that stays counted"
    document.write_text(json.dumps(says))
    assert guarded.office.operate(*verify)["state"] == "VERIFIED"
    assert guarded.birth_date_of(guardian, child)
    assert guarded.office.operate("guardians", "revoke", link)["state"] == "REVOKED"
    assert guarded.birth_date_of(guardian, child) is None
