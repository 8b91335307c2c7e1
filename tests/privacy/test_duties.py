"""The register of the operator's duties: what is due, for whom, and what is told of it (C46, C56, C61, C62)."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.commands import OperatorRefusedError
from authz.situations import NOTHING
from authz.unused_grants import NOTICE
from models.vocabulary import STAFF_ROLES, Purpose, Role
from privacy.bundles import BundleName
from privacy.duties import (
    DRILL,
    DutyRefusal,
    DutyState,
    Fact,
    keep_duties,
    months_later,
    record,
    register,
    see_staff,
    today_of,
)
from privacy.duty_catalogue import catalogue
from privacy.duty_job import DUE, OVERDUE, tell
from privacy.jobs import Turn
from schema.build import build_schema
from tests.operations.conftest import until
from tests.privacy.incidents import undone
from tests.privacy.world import office_of
from tests.rules import default_snapshot

NOON = datetime(2027, 3, 1, 4, tzinfo=UTC)
TODAY = date(2027, 3, 1)
RECORDED = "... on DutyRecorded { duty state dueOn }"
ANEW = "TRUNCATE duty_done, duty_staff, duty; UPDATE grant_held SET reported_at = NULL; DELETE FROM grant_review"


@pytest.fixture(scope="module")
def office(_bundled):
    return office_of(_bundled(BundleName.SEED).server)


def begun(office, work, *, since=NOON):
    """Do something with a register that begins at noon, as the owner; all of it is taken back."""

    async def run(owner):
        await owner.execute(ANEW)
        await keep_duties(owner, now=since)
        await see_staff(owner, now=since)
        return await work(owner)

    return undone(office, run)


async def named(owner, code, now):
    return next(one for one in await register(owner, now=now) if one.duty.code == code)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 120))
def test_c61_the_same_day_of_a_later_month_or_its_last(day, months):
    found = months_later(day, months)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    assert found.day == day.day or (found.day < day.day and (found + timedelta(days=1)).day == 1)


def test_c61_training_is_due_for_each_who_works_here_and_the_overdue_are_listed(office):
    async def work(owner):
        first = await named(owner, "training", NOON)
        assert {one.due_on for one in first.members} == {TODAY + timedelta(days=30)}
        assert first.state is DutyState.DUE, "within the days of warning"
        someone = first.members[0].work_name
        fact = Fact("training", TODAY, "培训 2027-1", "operator", someone)
        await record(owner, fact, now=NOON)
        later = NOON + timedelta(days=31)
        await owner.execute("INSERT INTO staff (id, username, role) VALUES ($1, 'newcomer', 'auditor')", uuid4())
        gone = first.members[1]
        await owner.execute("UPDATE staff SET left_at = $2 WHERE id = $1", gone.id, later)
        found = await named(owner, "training", later)
        overdue = {one.work_name for one in found.members if one.due_on < today_of(later)}
        assert overdue == {one.work_name for one in first.members} - {someone, gone.work_name}
        assert found.state is DutyState.OVERDUE
        trained = next(one for one in found.members if one.work_name == someone)
        assert (trained.last_on, trained.due_on) == (TODAY, date(2028, 3, 1))
        # Whoever is new has their days from when they are first seen.
        await see_staff(owner, now=later)
        much_later = later + timedelta(days=10)
        (new,) = [one for one in (await named(owner, "training", much_later)).members if one.work_name == "newcomer"]
        assert new.due_on == today_of(later) + timedelta(days=30)
        overlooked = await named(owner, "training", NOON + timedelta(days=800))
        assert all(one.due_on < today_of(NOON + timedelta(days=800)) for one in overlooked.members)

    begun(office, work)


def test_c61_c62_what_is_due_and_overdue_is_told_once_a_day_with_code_and_days(office):
    heard = []

    def sound(code, **detail):
        heard.append((code, detail["duty"], detail["days"]))

    async def work(owner):
        def turn(days):
            return Turn(owner, None, None, None, NOON + timedelta(days=days), sound)

        fact = Fact(DRILL, TODAY, "演练记录 3", "operator")
        await record(owner, fact, now=NOON)
        assert (await named(owner, DRILL, NOON)).due_on == date(2028, 3, 1)
        await tell(turn(336))
        assert [one for one in heard if one[1] == DRILL] == [(DUE, DRILL, 30)]
        assert (OVERDUE, "incident-plan", 306) in heard
        told = len(heard)
        await tell(turn(336))
        assert len(heard) == told, "the same day tells it once"
        await tell(turn(367))
        assert [one for one in heard if one[1] == DRILL][1:] == [(OVERDUE, DRILL, 1)]
        await record(owner, Fact(DRILL, TODAY + timedelta(days=368), "演练记录 4", "operator"), now=turn(368).now)
        told = len(heard)
        await tell(turn(368))
        assert DRILL not in [one[1] for one in heard[told:]]

    begun(office, work)


def test_c46_c47_c62_the_catalogue_names_the_duties_that_the_policy_promises():
    clauses = {one["clause"] for one in catalogue().values()}
    assert {"C41", "C46", "C47", "C56", "C61", "C62", "C66"} <= clauses
    assert {"training", "incident-plan", "incident-training", DRILL, "graded-protection"} <= set(catalogue())


def test_c56_the_access_review_is_followed_from_its_own_decisions_and_cannot_be_recorded(office):
    async def work(owner):
        first = await named(owner, "access-review", NOON)
        assert (first.last_on, first.due_on) == (None, TODAY + timedelta(days=30))
        fact = Fact("access-review", TODAY, "x", "operator")
        assert await record(owner, fact, now=NOON) is DutyRefusal.DUTY_FOLLOWED
        decide = (
            "INSERT INTO grant_review (holder_kind, holder, purpose, category, decision, decided_at, decided_by)"
            " VALUES ('ROLE', 'auditor', 'security', 'name', 'LAPSED', $1, $2)"
        )
        await owner.execute(decide, NOON, "needful")
        assert (await named(owner, "access-review", NOON)).last_on is None, "what lapses by itself is no review"
        await owner.execute(decide, NOON, "operator")
        done = await named(owner, "access-review", NOON)
        assert (done.last_on, done.due_on, done.state) == (TODAY, date(2027, 9, 1), DutyState.DONE)
        await owner.execute(
            "INSERT INTO grant_held (holder_kind, holder, purpose, category, since, reported_at)"
            " VALUES ('ROLE', 'auditor', 'security', 'phone', $1, $1)",
            NOON,
        )
        waiting = await named(owner, "access-review", NOON)
        assert (waiting.due_on, waiting.waiting) == (TODAY + NOTICE, 1), "before a grant lapses"

    begun(office, work)


def test_c46_an_unfilled_place_of_the_officer_is_a_warning_of_readiness_and_keeps_nobody_away(office):
    def warned():
        answer = office.client.get(f"{office.url.removesuffix('/graphql')}/readyz")
        assert answer.status_code == 200
        return [one["why"] for one in answer.json()["warnings"] if one["check"] == "privacy officer"]

    def stands():
        (row,) = [one for one in office.operate("duties", "list") if one["duty"] == "officer"]
        return row["state"]

    assert (warned(), stands()) == ([], "DONE")
    left = office.rows(
        "UPDATE staff SET left_at = now() WHERE role = 'privacy_officer' AND left_at IS NULL RETURNING id"
    )
    try:
        assert "privacy officer" in until(warned)[0]
        assert stands() == "OVERDUE"
    finally:
        office.execute("UPDATE staff SET left_at = NULL WHERE id = ANY($1::uuid[])", [one["id"] for one in left])
    assert (warned(), stands()) == ([], "DONE")


def test_c46_rules_are_approved_by_the_officer_or_the_security_team_and_by_nobody_else():
    snapshot = default_snapshot(build_schema())
    may = {
        role
        for role in Role
        if any(snapshot.writing(role, purpose).may_write("Mutation.reviewRules", NOTHING) for purpose in Purpose)
    }
    assert may == {Role.PRIVACY_OFFICER, Role.SECURITY_ADMIN}


def test_c61_officers_record_by_the_api_and_others_neither_see_nor_record(office):
    given = {"duty": "incident-plan", "evidence": "预案 2026 修订"}
    document = "{ duties { code clause state dueOn days members { username overdue } } }"
    for role in sorted(STAFF_ROLES):
        token = office.token(role, purposes=["administration"])
        found = office.post(document, token=token, purpose="administration").json()["data"]["duties"]
        written = office.write("recordDuty", given, token=token, purpose="administration", show=RECORDED)
        if role in (Role.PRIVACY_OFFICER, Role.SECURITY_ADMIN):
            assert {"training", DRILL} <= {one["code"] for one in found}
            due = months_later(today_of(datetime.now(UTC)), 12).isoformat()
            assert written == {"__typename": "DutyRecorded", "duty": "incident-plan", "state": "DONE", "dueOn": due}
        else:
            assert (found, written["code"]) == (None, "WRITE_DENIED")


WRONG = [
    ({"duty": "nothing"}, "DUTY_UNKNOWN"),
    ({"duty": "officer"}, "DUTY_FOLLOWED"),
    ({"duty": "training"}, "DUTY_MEMBER"),
    ({"duty": "training", "member": "nobody.here"}, "MEMBER_UNKNOWN"),
    ({"member": "auditor01"}, "DUTY_MEMBER"),
    ({"doneOn": "2999-01-01"}, "DAY_INVALID"),
    ({"evidence": "证明 13800138000"}, "ITEM_INVALID"),
]


@pytest.mark.parametrize("wrong, code", WRONG)
def test_c61_what_cannot_have_been_done_is_not_recorded(office, wrong, code):
    token = office.token("privacy_officer", purposes=["administration"])
    sent = {"duty": "incident-plan", "evidence": "预案", **wrong}
    assert office.write("recordDuty", sent, token=token, purpose="administration", show=RECORDED)["code"] == code


def test_c61_the_operator_adds_retires_and_resumes_a_duty(office):
    own = ("--title", "Insurance of the office", "--every-months", "24", "--lead-days", "10", "--who", "auditor")
    added = office.operate("duties", "add", "office-insurance", *own)
    assert (added["state"], added["days"]) == ("DUE", 10)
    with pytest.raises(OperatorRefusedError):
        office.operate("duties", "add", "office-insurance", *own)
    done = office.operate("duties", "record", "office-insurance", "--evidence", "保单 7")
    assert (done["state"], done["days"] > 700) == ("DONE", True)
    assert office.operate("duties", "retire", "office-insurance")["state"] == "RETIRED"
    with pytest.raises(OperatorRefusedError):
        office.operate("duties", "record", "office-insurance", "--evidence", "保单 8")
    assert office.operate("duties", "resume", "office-insurance")["due"] == done["due"]
    assert "24 months after" in office.operate("duties", "explain", "office-insurance")["why"]
    office.operate("duties", "retire", "office-insurance")


def test_c61_the_commands_say_what_is_overdue_and_end_with_1(office):
    staff = office.operate("duties", "staff")
    someone = staff[0]["staff"]
    office.operate("duties", "record", "training", "--staff", someone, "--evidence", "培训 2026-1")
    (after,) = [one for one in office.operate("duties", "staff") if one["staff"] == someone]
    assert (after["overdue"], after["days"] > 360) == (False, True)
    assert office.run_operator("duties", "overdue").wrong is False
    office.execute("UPDATE duty SET since = since - 365 WHERE code = 'restore-drill'")
    try:
        found = office.run_operator("duties", "overdue")
        assert (found.wrong, [one["duty"] for one in found.data]) == (True, ["restore-drill"])
        assert "restore-drill" in {one["duty"] for one in office.operate("duties", "plan")}
        assert office.operate("duties", "tell")["overdue"] == 1
    finally:
        office.execute("UPDATE duty SET since = since + 365 WHERE code = 'restore-drill'")
