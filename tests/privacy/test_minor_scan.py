"""The scan: a case for every minor whose data are held without a guardian's verifiable consent, and only them (C72)."""

import asyncio
import json
from datetime import timedelta

import pytest

from authz.tokens import utc_now
from models.database import connect_once
from models.global_ids import NodeType, to_global
from privacy import minor_scan
from privacy.minor_scan import OVERDUE, UNREADABLE, Scanner, scan, scan_if_due
from tests.privacy.guarding import ADULT, NEEDS_GUARDIAN, Guarded, born
from tests.writing.conftest import row_id

CASES = (
    "query($open: Boolean) { minorCases(open: $open, first: 100) { id user openedAt dueAt overdue closedAt outcome } }"
)
OF_PERSON = "SELECT outcome, closed_at IS NULL AS open, due_at - opened_at AS days FROM minor_case WHERE person_id = $1"


# The server's own scan, a minute after its start, finds nothing to do: after whatever one is at work.
NOT_DUE = """
DO $$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('minor_scan'));
  INSERT INTO minor_scan (one, began_at, after, finished_at)
  VALUES (TRUE, now(), '00000000-0000-0000-0000-000000000000', now())
  ON CONFLICT (one) DO UPDATE SET began_at = now(), finished_at = now();
END $$
"""


@pytest.fixture
def guarded(bundled, monkeypatch):
    found = Guarded(bundled)
    monkeypatch.setenv("NEEDFUL_DATA", str(found.office.data_dir))
    monkeypatch.setenv("NEEDFUL_BUNDLE", found.bundle.name)
    found.office.execute(NOT_DUE)
    return found


def a_minor(guarded, birth=None):
    child = guarded.office.customer()
    guarded.office.know(child.person, birthDate=(birth or guarded.minor()).isoformat())
    return child


def of(guarded, child):
    """Outcomes of a person's cases, the open one as None; the latest last."""
    rows = guarded.office.rows(f"{OF_PERSON} ORDER BY opened_at", child.person)
    return [row["outcome"] for row in rows]


def look(guarded, *arguments):
    return guarded.office.operate("minors", "scan", *arguments)


def test_c72_a_minor_without_a_guardian_gets_a_case_with_the_bundles_deadline_and_only_one(guarded):
    child, adult = a_minor(guarded), a_minor(guarded, ADULT)
    dry = look(guarded, "--dry-run")
    assert dry["opened"] >= 1
    assert of(guarded, child) == [], "a dry run counts only"
    first = look(guarded)
    assert (of(guarded, child), of(guarded, adult)) == ([None], [])
    assert first["people"] == guarded.office.rows("SELECT count(*) FROM person")[0][0]
    assert first["without_consent"] >= first["opened"] >= 1
    days = guarded.office.rows(OF_PERSON, child.person)[0]["days"]
    assert days == timedelta(days=guarded.bundle.deadlines.minor_case_days)
    assert (look(guarded)["opened"], of(guarded, child)) == (0, [None]), "the same again opens nothing"


def test_c72_the_two_bundles_differ_in_who_is_found(guarded):
    child = a_minor(guarded, born(16))
    look(guarded)
    assert of(guarded, child) == ([None] if guarded.bundle.age_of_majority == 18 else [])


def test_c72_a_case_closes_by_itself_once_a_guardian_is_verified_and_opens_anew_when_none_is(guarded):
    guardian, own = guarded.known(ADULT, "孙大明")
    child, theirs = guarded.known(guarded.minor())
    look(guarded)
    assert of(guarded, child) == [None]
    link = guarded.request(guardian, theirs)["id"]
    look(guarded)
    assert of(guarded, child) == [None], "a request is no consent"
    guarded.verify(link, ("孙大明", own), ("孙小明", theirs))
    look(guarded)
    assert of(guarded, child) == ["GUARDIAN_VERIFIED"]
    guarded.revoke(link, guardian.token)
    look(guarded)
    assert of(guarded, child) == ["GUARDIAN_VERIFIED", None]


def test_c72_a_case_closes_when_the_child_comes_of_age_or_the_data_are_erased(guarded):
    grown, erased = a_minor(guarded), a_minor(guarded)
    look(guarded)
    guarded.office.know(grown.person, birthDate=ADULT.isoformat())
    guarded.office.execute("UPDATE data_key SET wrapped = NULL WHERE person_id = $1", erased.person)
    look(guarded)
    assert (of(guarded, grown), of(guarded, erased)) == (["OF_AGE"], ["ERASED"])


@pytest.mark.parametrize("whose", ["the child's", "the guardian's"])
def test_c72_a_birth_date_that_cannot_be_opened_settles_nothing_and_is_told_of(guarded, whose):
    child, guardian = a_minor(guarded), guarded.office.customer()
    look(guarded)
    if whose == "the guardian's":
        guardian = guarded.office.guardian(child.person)
        guarded.office.know(guardian.person, birthDate=ADULT.isoformat())
    other = a_minor(guarded)
    look(guarded)
    closed = ["GUARDIAN_VERIFIED"] if whose == "the guardian's" else [None]
    assert (of(guarded, child), of(guarded, other)) == (closed, [None])
    lost = child.person if whose == "the child's" else guardian.person
    wrapped = guarded.office.rows("SELECT wrapped FROM data_key WHERE person_id = $1", lost)[0][0]
    heard = []

    async def look_on(scanner):
        begun = await scanner()
        await begun.connection.execute("UPDATE minor_scan SET finished_at = finished_at - interval '2 days'")
        done = await scan_if_due(begun, sound=lambda code, **told: heard.append((code, told)))
        return done, begun.found

    guarded.office.execute("UPDATE data_key SET wrapped = $2 WHERE person_id = $1", lost, wrapped[::-1])
    try:
        done, found = scanning(guarded, look_on)
        ended = guarded.office.run_operator("minors", "scan")
    finally:
        guarded.office.execute("UPDATE data_key SET wrapped = $2 WHERE person_id = $1", lost, wrapped)
    # A guardian is somebody of an age of their own besides.
    people = 1 if whose == "the child's" else 2
    assert (done, found.unreadable) == (True, people)
    assert (UNREADABLE, {"people": people}) in heard
    assert (ended.wrong, ended.data["unreadable"]) == (True, people)
    assert (of(guarded, child), of(guarded, other)) == (closed, [None])


def test_c72_a_guardian_of_no_age_on_record_or_under_age_is_no_guardian(guarded):
    child = a_minor(guarded)
    guardian = guarded.office.guardian(child.person)
    look(guarded)
    assert of(guarded, child) == [None]
    guarded.office.know(guardian.person, birthDate=guarded.minor().isoformat())
    look(guarded)
    assert of(guarded, child) == [None]
    guarded.office.know(guardian.person, birthDate=ADULT.isoformat())
    look(guarded)
    assert of(guarded, child) == ["GUARDIAN_VERIFIED"]


def test_c72_a_guardian_of_unknown_age_agrees_to_what_the_data_are_held_for_while_their_link_stands(guarded):
    child = a_minor(guarded)
    guardian = guarded.office.guardian(child.person)
    guarded.office.agree(guardian, child.person, "marketing")
    look(guarded)
    assert of(guarded, child) == [None], "a consent to something is none to everything"
    guarded.office.agree(guardian, child.person, "account_service")
    look(guarded)
    assert of(guarded, child) == ["GUARDIAN_VERIFIED"]
    guarded.office.execute("UPDATE guardian_link SET revoked_at = now() WHERE child_id = $1", child.person)
    look(guarded)
    assert of(guarded, child) == ["GUARDIAN_VERIFIED", None]


def test_c72_a_guardian_who_is_under_age_agrees_to_nothing(guarded):
    child = a_minor(guarded)
    guardian = guarded.office.guardian(child.person)
    guarded.office.know(guardian.person, birthDate=guarded.minor().isoformat())
    guarded.office.agree(guardian, child.person, "account_service")
    look(guarded)
    assert of(guarded, child) == [None]


def test_c72_while_a_case_is_open_nothing_new_is_collected_from_the_minor_alone(guarded):
    child = a_minor(guarded)
    look(guarded)
    assert of(guarded, child) == [None]
    assert guarded.nickname(child.token) == NEEDS_GUARDIAN
    given = {"permission": "PUSH", "granted": True}
    found = guarded.office.write("setPermission", given, token=child.token, purpose="account_service")
    assert found["code"] == NEEDS_GUARDIAN


def test_c72_officers_see_cases_of_nobody_by_name_and_nobody_else_sees_any(guarded):
    child = a_minor(guarded)
    look(guarded)
    answer = guarded.office.post(CASES, {"open": True}, token=guarded.officer, purpose="administration").json()
    (case,) = [one for one in answer["data"]["minorCases"] if one["user"] == child.id]
    assert (case["overdue"], case["closedAt"], case["outcome"]) == (False, None, None)
    query = "query($id: ID!) { user(id: $id) { birthDate } }"
    for purpose in ("administration", "rights_request"):
        token = guarded.office.token("privacy_officer", purposes=[purpose])
        found = guarded.office.post(query, {"id": child.id}, token=token, purpose=purpose).json()
        assert found["data"]["user"] is None, "a case opens nothing"
    for role, purpose in (("security_admin", "administration"), ("privacy_officer", "rights_request")):
        token = guarded.office.token(role, purposes=[purpose])
        assert guarded.office.post(CASES, {}, token=token, purpose=purpose).json()["data"]["minorCases"] is None


def test_c72_a_case_is_closed_by_hand_once_and_the_next_scan_opens_another(guarded):
    child = a_minor(guarded)
    look(guarded)
    case = str(guarded.office.rows("SELECT id FROM minor_case WHERE person_id = $1", child.person)[0][0])
    assert case in {one["case"] for one in guarded.office.operate("minors", "list")}
    closed = guarded.office.operate("minors", "close", case, "--outcome", "MISTAKE")
    assert (closed["outcome"], of(guarded, child)) == ("MISTAKE", ["MISTAKE"])
    with pytest.raises(Exception, match="no such open case"):
        guarded.office.operate("minors", "close", case, "--outcome", "MISTAKE")
    look(guarded)
    assert of(guarded, child) == ["MISTAKE", None]


def test_c72_what_a_scan_says_is_numbers_alone(guarded):
    child = a_minor(guarded)
    said = json.dumps(look(guarded))
    assert all(isinstance(value, int) for value in json.loads(said).values())
    log = guarded.office.log.read_text(encoding="utf-8", errors="replace")
    for secret in (str(child.person), to_global(NodeType.USER, child.person), guarded.minor().isoformat()):
        assert secret not in said
        assert secret not in log


def scanning(guarded, work):
    """Do some asynchronous work with a function that gives scanners, each on a connection of its own."""

    async def run():
        opened = []

        async def scanner(**more):
            opened.append(await connect_once(guarded.office.database.owner))
            return Scanner(opened[-1], guarded.office.keyring, guarded.bundle, more.pop("now", utc_now()), **more)

        try:
            return await work(scanner)
        finally:
            for one in opened:
                await one.close()

    return asyncio.run(run())


def test_c72_two_scans_at_once_open_one_case_a_person_and_leave_none_out(guarded, monkeypatch):
    monkeypatch.setattr(minor_scan, "PORTION", 25)
    children = [a_minor(guarded) for _ in range(3)]

    async def both(scanner):
        one, other = await scanner(), await scanner()
        return await asyncio.gather(scan(one), scan(other))

    found = scanning(guarded, both)
    assert any(one.done for one in found)
    assert [of(guarded, child) for child in children] == [[None]] * 3
    twice = (
        "SELECT count(*) FROM (SELECT FROM minor_case WHERE closed_at IS NULL GROUP BY person_id HAVING count(*) > 1) x"
    )
    assert guarded.office.rows(twice)[0][0] == 0


def test_c72_a_scan_goes_on_where_one_was_left(guarded, monkeypatch):
    monkeypatch.setattr(minor_scan, "PORTION", 100)
    look(guarded)
    child = a_minor(guarded)

    async def in_two(scanner):
        first = await scanner()
        looked = Scanner.portion

        async def one_only(self, after):
            if self.found.people:
                raise ConnectionError
            return await looked(self, after)

        monkeypatch.setattr(Scanner, "portion", one_only)
        with pytest.raises(ConnectionError):
            await scan(first)
        monkeypatch.setattr(Scanner, "portion", looked)
        return first.found, await scan(await scanner())

    first, second = scanning(guarded, in_two)
    assert (first.people, first.done, second.done) == (100, False, True)
    assert first.people + second.people == guarded.office.rows("SELECT count(*) FROM person")[0][0]
    assert of(guarded, child) == [None]


def test_c72_the_keeper_scans_once_a_day_and_sounds_an_alarm_for_what_is_overdue(guarded):
    child = a_minor(guarded)
    look(guarded)
    heard = []

    async def twice(scanner):
        later = utc_now() + timedelta(days=guarded.bundle.deadlines.minor_case_days + 1)
        done = [
            await scan_if_due(await scanner(now=now), sound=lambda code, **told: heard.append((code, told)))
            for now in (utc_now(), later, later + timedelta(hours=23))
        ]
        connection = (await scanner()).connection
        await connection.execute("UPDATE minor_scan SET began_at = now(), finished_at = now()")
        return done

    assert scanning(guarded, twice) == [False, True, False]
    assert [code for code, _ in heard] == [OVERDUE, OVERDUE], "at each look, whether it is time for a scan or not"
    assert all(told["cases"] >= 1 for _, told in heard)
    assert of(guarded, child) == [None]
    assert row_id(child.id) == child.person
