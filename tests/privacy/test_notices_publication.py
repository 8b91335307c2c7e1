"""Publishing a notice: by the privacy officer, ahead of its day, major where it is; nothing published ever changes."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import asyncpg
import pytest

from authz.commands import OperatorRefusedError
from models.database import connect_once
from models.global_ids import NodeType, from_global
from models.vocabulary import Category
from privacy.assessments import NOTICE_ASKED_FOR, remind
from privacy.publication import check
from resolvers.registered import house_documents
from resolvers.times import SHANGHAI
from tests.privacy.noticing import FIRST, SERVICE, telling
from tests.recorded import as_owner, said

PUBLISHED = "... on NoticePublished { named: version hash effectiveOn major grounds }"
ASSESSED = "... on ImpactAssessed { id risk asksForNotice }"
ROWS = "SELECT body FROM ledger WHERE body::jsonb -> 'detail' ->> 'act' = $1 ORDER BY at"


def in_days(days: int):
    return (datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=days)).date()


def draft(days: int = 3, **changed):
    return replace(FIRST, version=f"v-{uuid4().hex[:8]}", effective_on=in_days(days), **changed)


@pytest.fixture
def officer(noticing):
    return noticing.token("privacy_officer", purposes=["administration"])


def publish(noticing, token, content, **more):
    given = {"content": content.json, "reason": "A test wants it.", **more}
    return noticing.write("publishNotice", given, token=token, purpose="administration", show=PUBLISHED)


def assess(noticing, token, risk="HIGH"):
    given = {"title": "New prices", "text": "An engine that learns from health.", "risk": risk}
    return noticing.write("assessImpact", given, token=token, purpose="administration", show=ASSESSED)


def test_c76_the_privacy_officer_publishes_and_major_is_found_not_claimed(noticing, officer):
    wording = draft(2, summary="换了说法。")
    found = publish(noticing, officer, wording)
    assert (found["named"], found["hash"], found["major"], found["grounds"]) == (
        wording.version,
        wording.digest,
        False,
        [],
    )
    more = draft(3, functions=telling(FIRST, SERVICE, Category.NAME, Category.HEALTH).functions)
    found = publish(noticing, officer, more)
    assert (found["major"], found["grounds"]) == (True, ["PROCESSING"])
    row = said(as_owner(noticing, lambda owner: owner.fetch(ROWS, "publishNotice")))[-1]
    assert (row["digest"], row["detail"]["major"], row["role"]) == (more.digest, True, "privacy_officer")
    assert row["detail"]["notice"]


def test_c82_a_version_takes_effect_within_a_year_tomorrow_at_the_earliest_and_after_every_other(noticing, officer):
    for days in (-400, 0, 368, 2_900_000):
        found = publish(noticing, officer, draft(days, mode="另一种方式"))
        assert (found["code"], found["field"], found["clause"]) == ("NOTICE_DATE", "effectiveOn", "C82")
    assert publish(noticing, officer, draft(5, mode="另一种方式"))["major"]
    assert publish(noticing, officer, draft(5, mode="第三种方式"))["code"] == "NOTICE_DATE"
    found = publish(noticing, officer, draft(5, mode="第三种方式"), effectiveOn=in_days(6).isoformat())
    assert found["effectiveOn"] == in_days(6).isoformat()


def test_c82_a_published_version_can_be_read_ahead_and_is_not_the_current_one(noticing, officer):
    later = draft(2, controller="别人")
    publish(noticing, officer, later)
    query = (
        "query($v: String!) { notices { version hash } notice(version: $v) { effectiveOn controller agreed }"
        ' currentNotice { version } none: notice(version: "none") { version } }'
    )
    found = noticing.post(query, {"v": later.version}, token=officer).json()["data"]
    assert found == {
        "notices": [
            {"version": later.version, "hash": later.digest},
            {"version": FIRST.version, "hash": FIRST.digest},
        ],
        "notice": {"effectiveOn": in_days(2).isoformat(), "controller": "别人", "agreed": None},
        "currentNotice": {"version": FIRST.version},
        "none": None,
    }


def test_c76_versions_are_compared_by_whoever_has_a_token(noticing, officer):
    later = draft(2, controller="别人", functions=telling(FIRST, SERVICE).functions)
    publish(noticing, officer, later)
    query = (
        "query($a: String!, $b: String!) { compareNotices(from: $a, to: $b)"
        " { from to major grounds changes { place before after ground } } }"
    )
    insurer = noticing.token("insurer", purposes=["policy_service"])
    asked = {"a": FIRST.version, "b": later.version}
    found = noticing.post(query, asked, token=insurer).json()["data"]["compareNotices"]
    # The brokerage itself still processes for this purpose: a recipient went, no purpose did.
    assert (found["from"], found["to"], found["major"]) == (FIRST.version, later.version, True)
    assert found["grounds"] == ["CONTROL", "RECIPIENTS"]
    assert [one["place"] for one in found["changes"]] == ["controller", "functions.health_service.HEALTH_PROVIDER"]
    assert found["changes"][0] == {
        "place": "controller",
        "before": FIRST.controller,
        "after": "别人",
        "ground": "CONTROL",
    }
    body = noticing.post(query, {"a": "x", "b": later.version}, token=insurer).json()
    assert body["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "from"}


@pytest.mark.parametrize(
    "content, field, code",
    [
        ({"mode": 1}, "content", "NOTICE_INVALID"),
        ({**FIRST.json, "effectiveOn": "2990-01-01"}, "content", "NOTICE_INVALID"),
        (
            {**FIRST.json, "version": "same-later", "effectiveOn": in_days(300).isoformat()},
            "content",
            "NOTHING_CHANGED",
        ),
    ],
)
def test_what_is_no_new_notice_is_refused_with_what_to_do(noticing, officer, content, field, code):
    given = {"content": content, "reason": "A test wants it."}
    found = noticing.write("publishNotice", given, token=officer, purpose="administration", show=PUBLISHED)
    assert (found["code"], found["field"]) == (code, field)
    assert found["message"]
    assert publish(noticing, officer, draft(mode="x"), reason=" ")["field"] == "reason"


@pytest.mark.parametrize("role", ["security_admin", "developer", "auditor"])
def test_nobody_but_the_privacy_officer_publishes_or_assesses(noticing, role):
    token = noticing.token(role, purposes=["administration"])
    assert publish(noticing, token, draft(mode="x"))["code"] == "WRITE_DENIED"
    assert assess(noticing, token)["code"] == "WRITE_DENIED"


def test_c77_an_assessment_of_high_risk_asks_for_a_notice_until_one_answers_it(noticing, officer):
    asked = "{ open: impactAssessments(open: true) { id risk answeredBy } all: impactAssessments { risk } }"
    assert assess(noticing, officer, "MEDIUM")["asksForNotice"] is False
    high = assess(noticing, officer)
    assert high["asksForNotice"] is True
    found = noticing.post(asked, token=officer).json()["data"]
    assert found["open"] == [{"id": high["id"], "risk": "HIGH", "answeredBy": None}]
    assert [one["risk"] for one in found["all"]] == ["HIGH", "MEDIUM"]
    unknown = publish(noticing, officer, draft(mode="x"), answersAssessments=["nothing"])
    assert (unknown["code"], unknown["clause"]) == ("ASSESSMENT_UNKNOWN", "C77")
    # Only other words, and major all the same.
    answering = draft(summary="换了说法。")
    published = publish(noticing, officer, answering, answersAssessments=[high["id"]])
    assert (published["major"], published["grounds"]) == (True, ["IMPACT"])
    assert noticing.post(asked, token=officer).json()["data"]["open"] == []
    again = publish(noticing, officer, draft(9, mode="x"), answersAssessments=[high["id"]])
    assert again["code"] == "ASSESSMENT_UNKNOWN", "it has been answered"
    compared = 'query($b: String!) { compareNotices(from: "2020-10-26", to: $b) { grounds } }'
    found = noticing.post(compared, {"b": answering.version}, token=officer).json()["data"]["compareNotices"]
    assert found == {"grounds": ["IMPACT"]}
    assert noticing.post(asked, token=noticing.token("developer", purposes=["administration"])).json()["data"] == {
        "open": None,
        "all": None,
    }


def test_c77_an_alarm_sounds_at_once_and_once_a_day_for_as_long_as_it_is_open(noticing, officer):
    # What the server sounds by itself is this very work, each minute.
    high = from_global(assess(noticing, officer)["id"])
    assert high[0] is NodeType.RECORD
    begun = datetime.now(UTC) + timedelta(days=1)
    heard: list[str] = []

    def at(moment):
        def sound(code, *, assessment):
            assert code == NOTICE_ASKED_FOR
            heard.append(assessment)

        heard.clear()
        as_owner(noticing, lambda owner: remind(owner, now=moment, sound=sound))
        return heard == [str(high[1])]

    assert at(begun + timedelta(hours=1))
    assert not at(begun + timedelta(hours=24))
    assert at(begun + timedelta(hours=26))
    open_now = noticing.post("{ impactAssessments(open: true) { id } }", token=officer).json()["data"]
    publish(noticing, officer, draft(summary="x"), answersAssessments=[open_now["impactAssessments"][0]["id"]])
    assert not at(begun + timedelta(days=9))


def test_c79_anybody_reads_the_whole_policy_in_force_without_a_token(bundled):
    found = next(key for key, text in house_documents().items() if "PrivacyNotice" in text)
    body = bundled.server.client.post(bundled.server.url, json={"documentId": f"sha256:{found}"}).json()
    notice = body["data"]["currentNotice"]
    assert (notice["version"], notice["effectiveOn"], notice["hash"]) == ("2020-10-26", "2020-10-26", FIRST.digest)
    assert notice["clauses"] == FIRST.json["clauses"]
    assert notice["responsible"]["contact"] == "privacy@wkbins.com.com"
    functions = {(one["purpose"], one["recipient"]): one["categories"] for one in notice["functions"]}
    assert functions["HEALTH_SERVICE", "HEALTH_PROVIDER"] == ["NAME", "GOVERNMENT_ID", "PHONE"]
    assert notice["rights"]


def test_c75_nothing_published_or_said_can_be_changed_or_taken_back_by_the_service(noticing):
    async def tried(statement):
        connection = await connect_once(noticing.database.application)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    for statement in (
        "UPDATE notice SET major = FALSE",
        "DELETE FROM notice",
        "UPDATE notice_function SET categories = 0",
        "DELETE FROM notice_function",
        "UPDATE notice_agreement SET agrees = TRUE",
        "DELETE FROM notice_agreement",
        "UPDATE impact_assessment SET risk = 'LOW'",
        "DELETE FROM impact_assessment",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(tried(statement))


_INSERT = (
    "INSERT INTO notice (number, version, effective_from, major, content, digest, summary, published_by, published_at)"
    " VALUES ((SELECT max(number) + 1 FROM notice), $1, $2, FALSE, $3, $4, '', 'somebody', now())"
)
_TELLS = (
    "INSERT INTO notice_function (notice, purpose, recipient, categories)"
    " VALUES ((SELECT max(number) FROM notice), $1, 'HEALTH_PROVIDER', -1)"
)


def test_c75_c82_the_service_can_neither_widen_nor_backdate_a_notice(noticing, officer):
    published = publish(noticing, officer, draft(2, summary="换了说法。"))
    assert published["hash"]
    given = draft(4, summary="又换了说法。")

    async def tried(*statements):
        connection = await connect_once(noticing.database.application)
        try:
            async with connection.transaction():
                for statement, *values in statements:
                    # A service's writes run within savepoints.
                    async with connection.transaction():
                        await connection.execute(statement, *values)
        finally:
            await connection.close()

    def notice(*, days=5.0, content=given.text):
        moment = datetime.now(UTC) + timedelta(days=days)
        return _INSERT, given.version, moment, content, given.digest

    for refused in (
        (_TELLS, "marketing"),
        notice(days=-1),
        notice(days=-0.001),
        notice(days=1),
        notice(content="{}"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(tried(refused))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(tried(("CREATE TEMP TABLE notice AS SELECT 2 AS number, now() AS kept_at",), (_TELLS, "marketing")))
    asyncio.run(tried(notice(), (_TELLS, "marketing")))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(tried((_TELLS, "analytics")))


def test_c82_a_version_takes_effect_an_hour_from_now_at_the_earliest(noticing):
    midnight = datetime.combine(in_days(1), time(), SHANGHAI)

    def at(now, days):
        return as_owner(noticing, lambda owner: check(owner, draft(days, summary="x"), now=now))

    assert at(midnight - timedelta(minutes=61), 1).number == 2
    assert at(midnight - timedelta(minutes=59), 1).why == "NOTICE_DATE"
    assert at(midnight - timedelta(seconds=1), 2).number == 2


def test_the_operator_does_the_same_from_the_command_line(noticing, tmp_path):
    file = tmp_path / "notice.json"
    content = draft(3, mode="另一种方式")
    file.write_text(json.dumps(content.json), "utf-8")
    text = tmp_path / "assessment.txt"
    text.write_text("An engine that learns from health.")
    made = noticing.operate("notices", "assess", "New prices", str(text), "--risk", "HIGH")
    assert [one["id"] for one in noticing.operate("notices", "assessments", "--open")] == [made["id"]]
    checked = noticing.operate("notices", "check", str(file))
    assert (checked["major"], checked["grounds"]) == (True, ["PROCESSING"])
    assert [one["version"] for one in noticing.operate("notices", "list")] == [FIRST.version], "nothing was published"
    words = ("notices", "publish", str(file), "--reason", "A test wants it.", "--answers", made["id"])
    assert noticing.operate(*words)["grounds"] == ["PROCESSING", "IMPACT"]
    assert noticing.operate("notices", "show", content.version) == content.json
    compared = noticing.operate("notices", "compare", FIRST.version, content.version)
    assert [one["place"] for one in compared["changes"]] == ["mode", "assessments"]
    with pytest.raises(OperatorRefusedError, match="There is a version"):
        noticing.operate("notices", "check", str(file))
    with pytest.raises(OperatorRefusedError, match="There is no version"):
        noticing.operate("notices", "show", "none")
    with pytest.raises(OperatorRefusedError, match="cannot be read"):
        noticing.operate("notices", "check", str(tmp_path / "nothing"))
