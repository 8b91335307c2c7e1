"""Corrections handed on: recipients learn what was corrected and no value, and say when they have applied it (C64)."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from authz.tokens import utc_now
from models.global_ids import NodeType, from_global, to_global
from models.vocabulary import Category, to_bits
from privacy.correction_handovers import NOT_APPLIED, WORKING_DAYS
from privacy.timetable import JOBS
from tests.writing.conftest import Customer, Office

TO_APPLY = "{ correctionsToApply(first: 100) { id user coordinate correctedAt } }"
HANDOVERS = (
    "{ viewer { user { corrections { coordinate recipients"
    " handovers { organization code handedOnAt acknowledgedAt } } } } }"
)


class Desk:
    """A person with a policy whose phone was corrected, and partners that may or may not have had the earlier one."""

    def __init__(self, office: Office) -> None:
        self.office, self.me = office, office.customer()
        # A partner reads a page of what waits, and other tests of this office have corrected much.
        office.execute("DELETE FROM correction_handover")
        office.execute("DELETE FROM correction_recipient")
        self.first, self.second = (
            row["code"]
            for row in office.rows(
                "SELECT code FROM organization o WHERE kind = 'INSURER' AND EXISTS (SELECT FROM agreement a"
                " WHERE a.organization_id = o.id AND a.ended_at IS NULL) ORDER BY code LIMIT 2"
            )
        )
        office.execute(
            "INSERT INTO policy (id, policy_number, product_id, insurer_id, status, holder_id, insured_id, currency)"
            " SELECT $1::uuid, 'H' || left($1::uuid::text, 8), p.id, o.id, 'IN_FORCE', $2::uuid, $2::uuid, 'CNY'"
            " FROM organization o JOIN product p ON p.insurer_id = o.id WHERE o.code = $3 LIMIT 1",
            *(uuid4(), self.me.person, self.first),
        )

    def correct(self) -> str:
        """The person corrects their email; the id of the correction."""
        for email in ("old@example.cn", "new@example.cn"):
            found = self.office.write(
                "updateProfile",
                {"email": email},
                token=self.me.token,
                purpose="account_service",
                show="... on User { id }",
            )
            assert found["__typename"] == "User", found
        (row,) = self.office.rows("SELECT id FROM correction WHERE person_id = $1", self.me.person)
        return to_global(NodeType.RECORD, row["id"])

    def insurer(self, code: str, *, purpose: str = "policy_service") -> str:
        return self.office.token("insurer", org=code, purposes=[purpose])

    def waiting(self, token: str, *, purpose: str = "policy_service") -> list[dict[str, Any]]:
        """What a partner has yet to apply of this person."""
        body = self.office.post(TO_APPLY, token=token, purpose=purpose).json()
        return [one for one in body["data"]["correctionsToApply"] if one["user"] in self.names]

    @property
    def names(self) -> set[str]:
        rows = self.office.rows("SELECT audience_id FROM consent WHERE person_id = $1", self.me.person)
        return {self.me.id, *(to_global(NodeType.AUDIENCE_USER, row[0]) for row in rows if row[0])}

    def acknowledge(self, token: str, correction: str, *, purpose: str = "policy_service") -> Any:
        show = "... on CorrectionAcknowledged { id acknowledgedAt }"
        return self.office.write("acknowledgeCorrection", {"id": correction}, token=token, purpose=purpose, show=show)

    def handover(self) -> dict[str, Any]:
        """What the person sees of their correction."""
        body = self.office.post(HANDOVERS, token=self.me.token, purpose="rights_request").json()
        (correction,) = body["data"]["viewer"]["user"]["corrections"]
        return {one["code"]: one for one in correction["handovers"]}


@pytest.fixture
def desk(office) -> Desk:
    return Desk(office)


def test_c64_a_recipient_learns_of_a_correction_and_says_when_it_has_applied_it_and_the_person_sees_both(desk):
    correction, token = desk.correct(), desk.insurer(desk.first)
    before = desk.handover()
    assert set(before) == {desk.first}
    assert (before[desk.first]["handedOnAt"], before[desk.first]["acknowledgedAt"]) == (None, None)
    (one,) = desk.waiting(token)
    assert (one["id"], one["user"], one["coordinate"]) == (correction, desk.me.id, "User.email")
    told = desk.handover()[desk.first]
    assert told["handedOnAt"] is not None
    assert told["acknowledgedAt"] is None
    done = desk.acknowledge(token, correction)
    assert desk.waiting(token) == []
    assert desk.handover()[desk.first]["acknowledgedAt"] == done["acknowledgedAt"]
    assert desk.acknowledge(token, correction) == done


def test_c64_no_partner_learns_of_or_acknowledges_what_did_not_go_to_it(desk):
    correction, other = desk.correct(), desk.insurer(desk.second)
    assert desk.waiting(other) == []
    assert desk.acknowledge(other, correction)["code"] == "CORRECTION_UNKNOWN"
    assert desk.acknowledge(other, to_global(NodeType.RECORD, uuid4()))["code"] == "CORRECTION_UNKNOWN"
    assert desk.handover()[desk.first]["acknowledgedAt"] is None
    for token, purpose in ((desk.me.token, "rights_request"), (desk.insurer(desk.first, purpose="research"), None)):
        asked = desk.office.post(TO_APPLY, token=token, purpose=purpose).json()
        shown = (asked.get("data") or {}).get("correctionsToApply")
        assert desk.me.token != token or shown is None
    refused = desk.acknowledge(desk.me.token, correction, purpose="rights_request")
    assert refused["code"] == "WRITE_DENIED"


def test_c64_a_recipient_that_knows_a_person_from_marketing_only_learns_by_its_own_id_and_only_under_marketing(desk):
    audience, other = uuid4(), desk.second
    desk.office.execute(
        "INSERT INTO consent (id, person_id, purpose, recipient_id, categories, notice_version, notice_hash,"
        " granted_at, audience_id) SELECT $1, $2, 'marketing', o.id, $4, '2020-10-26', '', now(), $5"
        " FROM organization o WHERE o.code = $3",
        *(uuid4(), desk.me.person, other, to_bits(set(Category)), audience),
    )
    desk.correct()
    assert desk.waiting(desk.insurer(other)) == []
    under = desk.waiting(desk.insurer(other, purpose="marketing"), purpose="marketing")
    assert [from_global(one["user"]) for one in under] == [(NodeType.AUDIENCE_USER, audience)]
    assert desk.waiting(desk.insurer(desk.first, purpose="marketing"), purpose="marketing") == []


def test_c42_c64_who_took_the_data_over_learns_of_a_correction_once_the_case_is_approved(desk):
    desk.office.execute(
        "WITH d AS (INSERT INTO disclosure_case (id, kind, purpose, authority, categories, expires_at, receiver_id,"
        " approved_at) SELECT $1, 'TRANSFER', 'regulatory_disclosure', 'a buyer', $4, now() + interval '9 days', o.id,"
        " now() FROM organization o WHERE o.code = $3 RETURNING id)"
        " INSERT INTO disclosure_person (id, case_id, person_id) SELECT $1, id, $2 FROM d",
        *(uuid4(), desk.me.person, desk.second, to_bits(set(Category))),
    )
    correction, token = desk.correct(), desk.insurer(desk.second)
    assert [one["id"] for one in desk.waiting(token)] == [correction]
    assert desk.acknowledge(token, correction)["acknowledgedAt"]
    assert desk.waiting(token) == []


def turn(office: Office, *, days: int) -> list[dict[str, Any]]:
    """A turn of the job so many days from now: the alarms of corrections that it sounds."""
    sounded: list[dict[str, Any]] = []

    async def work(owner: Any) -> None:
        (job,) = (one for one in JOBS if one.name == "corrections")
        given = SimpleNamespace(
            connection=owner,
            now=utc_now() + timedelta(days=days),
            sound=lambda code, **detail: sounded.append({"code": code, **detail}),
        )
        await job.work(given)

    asyncio.run(office._as_owner(work))
    return [one for one in sounded if one["code"] == NOT_APPLIED]


def test_c64_who_has_not_applied_a_correction_in_time_is_alarmed_by_numbers_only(desk):
    correction = desk.correct()

    def late(days: int) -> int:
        alarms = turn(desk.office, days=days)
        assert all(set(one) == {"code", "organization", "count"} for one in alarms)
        return next((one["count"] for one in alarms if one["organization"] == desk.first), 0)

    assert late(WORKING_DAYS - 1) == 0
    before = late(40)
    assert before >= 1
    desk.acknowledge(desk.insurer(desk.first), correction)
    assert late(40) == before - 1


def test_c64_a_request_for_an_archive_that_nobody_came_for_is_closed_with_its_link(office):
    me = office.customer()
    given = {"password": "a horse eats 9 apples"}
    office.write("requestExport", given, token=me.token, purpose="rights_request")
    turn(office, days=6)
    assert closed(office, me) is None
    turn(office, days=8)
    first = closed(office, me)
    assert first is not None
    turn(office, days=9)
    assert closed(office, me) == first


def closed(office: Office, me: Customer) -> Any:
    (row,) = office.rows("SELECT closed_at FROM rights_request WHERE person_id = $1", me.person)
    return row[0]
