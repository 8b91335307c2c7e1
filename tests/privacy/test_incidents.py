"""A breach: whom it befell comes from the ledger, the authority has a report, and everybody a letter (C62, C63)."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from authz.commands import OperatorRefusedError
from ledger.references import forget
from ledger.searches import Sought
from models.global_ids import NodeType, from_global, to_global
from models.incidents import Severity
from privacy import incident_job
from privacy.bundles import BundleName, read_bundle
from privacy.duties import DRILL
from privacy.incident_job import LETTERS as LETTERS_DUE
from privacy.incident_job import REPORT as REPORT_DUE
from privacy.incidents import Opening, Told, open_incident, reported
from privacy.jobs import Turn
from tests.privacy.guarding import born
from tests.privacy.incidents import (
    LETTERS,
    OF_CLAIM,
    OF_HOLDER,
    OF_INSURED,
    OPENED,
    TEXTS,
    Leak,
    row_of,
    settled,
    token_id,
    undone,
)
from tests.privacy.world import office_of
from tests.recorded import as_owner


@pytest.fixture(scope="module")
def leak(_bundled):
    """Twelve persons are read of with the leaked token, the last of them once the incident is open."""
    found = Leak(_bundled(BundleName.PIPL).server)
    found.read(OF_CLAIM, 6)
    found.read(OF_HOLDER, 3)
    found.read(OF_HOLDER, 2, token=found.other)
    found.read(OF_INSURED, 2)
    settled(found.office)
    opened = found.write("openIncident", found.given())
    found.opened, found.incident = opened, opened["id"]
    found.after_eleven = found.known(opened["id"])
    found.read(OF_INSURED, 1)
    settled(found.office)
    found.office.operate("incidents", "tell")
    return found


@pytest.fixture(scope="module")
def told(leak):
    """Described, reported and told of."""
    early = leak.write("sendIncidentLetters", {"id": leak.incident}, "privacy_officer")
    assert early["code"] == "INCIDENT_UNTOLD"
    unfinished = leak.write("closeIncident", {"id": leak.incident})
    assert unfinished["code"] == "INCIDENT_UNREPORTED"
    leak.write("describeIncident", {"id": leak.incident, **TEXTS})
    assert leak.write("reportIncident", {"id": leak.incident, "reference": "网信 2026-17"})["reportedAt"]
    sent = leak.write("sendIncidentLetters", {"id": leak.incident}, "privacy_officer")
    assert sent["lettersAt"]
    return leak


def by_person(leak):
    """Whom the incident befell by the command, by user id: categories in clear and in part, and how often."""
    shown = leak.office.operate("incidents", "show", row_of(leak.incident))
    rows = leak.office.rows("SELECT reference, person_id FROM person_reference")
    people = {str(one["reference"]): to_global(NodeType.USER, one["person_id"]) for one in rows}
    return {
        people[one["reference"]]: ({name.upper() for name in one["revealed"]}, {name.upper() for name in one["masked"]})
        for one in shown["affected"]
    }, shown


def test_c63_whom_it_befell_is_exactly_who_was_read_of_with_what_was_read(leak):
    assert leak.after_eleven["persons"] == 11, "as far as the ledger was sealed"
    found, shown = by_person(leak)
    assert len(leak.expected) == 12
    assert found == leak.expected
    assert {one["times"] for one in shown["affected"]} == {1}
    assert not set(leak.spared) & set(found), "another token of the same partner is none of it"
    counted = {one["category"]: (one["inClear"], one["inPart"]) for one in leak.known(leak.incident)["categories"]}
    assert counted == {
        **dict.fromkeys(("HEALTH", "INCIDENT", "EXPENSE"), (6, 0)),
        **dict.fromkeys(("NAME", "PHONE"), (3, 0)),
        "GOVERNMENT_ID": (3, 0),
        "BANK_ACCOUNT": (0, 3),
    }


def test_c63_deadlines_are_the_bundles_and_a_graver_incident_is_reported_sooner(leak):
    terms = read_bundle(BundleName.PIPL).incidents
    noticed = datetime.fromisoformat(leak.opened["reportDueAt"]) - timedelta(hours=terms.grave_report_hours)
    assert terms.grave_report_hours == 4 < terms.report_hours
    assert datetime.fromisoformat(leak.opened["lettersDueAt"]) == noticed + timedelta(hours=terms.letter_hours)
    assert abs(noticed - leak.began) < timedelta(minutes=5)


def test_c63_the_letters_name_each_ones_own_categories_and_nobody_reads_anothers(told):
    reached = [person for person in told.expected if person in told.accounts]
    assert len(reached) >= 4
    letters = {}
    for person in reached:
        (letter,) = told.letters(person)
        letters[person] = letter
        clear, part = told.expected[person]
        assert (set(letter["categories"]), set(letter["masked"]), letter["user"]) == (clear, part, person)
        assert {name: letter[name] for name in TEXTS} == TEXTS
        for text in (letter["text"], letter["english"]):
            assert all(words in text for words in (*TEXTS.values(), "privacy@wkbins.com.com"))
        assert ("健康和医疗信息" in letter["text"]) is ("HEALTH" in clear)
        assert ("bank account" in letter["english"]) is ("BANK_ACCOUNT" in part)
    assert len({one["id"] for one in letters.values()}) == len(reached)
    for spared in told.accounts & told.spared.keys():
        assert told.letters(spared) == []
    for role in ("privacy_officer", "auditor", "insurer", "developer"):
        org = told.insurer if role == "insurer" else None
        token = told.office.token(role, org=org, purposes=["administration" if org is None else "claim_handling"])
        answer = told.office.post(LETTERS, token=token).json()
        assert answer["data"]["letters"] is None


def test_c63_a_letter_is_acknowledged_by_its_own_person_once_and_by_nobody_else(told):
    first, second = [person for person in told.expected if person in told.accounts][:2]
    (letter,) = told.letters(first)
    show = "... on LetterAcknowledged { id acknowledgedAt }"

    def acknowledge(person, named):
        token = told.office.token("customer", user=told.users[person]["username"], purposes=["account_service"])
        return told.office.write("acknowledgeLetter", {"id": named}, token=token, purpose="account_service", show=show)

    assert acknowledge(second, letter["id"])["code"] == "NOT_FOUND"
    assert told.letters(first)[0]["acknowledgedAt"] is None
    at = acknowledge(first, letter["id"])["acknowledgedAt"]
    assert acknowledge(first, letter["id"])["acknowledgedAt"] == at == told.letters(first)[0]["acknowledgedAt"]


def test_c63_the_report_has_facts_numbers_and_measures_and_nothing_of_a_person(told):
    data = told.office.operate("incidents", "report", row_of(told.incident))
    assert (data["persons"], data["severity"], data["letters"] is not None) == (12, "CONSIDERABLE", True)
    assert data["categories"]["health"] == {"in_clear": 6, "in_part": 0}
    text = json.dumps(data, ensure_ascii=False) + told.known(told.incident)["report"]
    assert all(words in text for words in (*TEXTS.values(), "安润国际保险经纪有限公司", "privacy@wkbins.com.com"))
    for person in (*told.expected, *told.spared):
        user = told.users[person]
        stored = {person, str(from_global(person)[1]), user["name"], user["phone"], user["idNumber"]}
        assert not [value for value in stored if value and value in text]


def test_c63_who_has_no_account_is_on_the_list_for_the_post_without_any_contact(told):
    data = told.office.operate("incidents", "letters", row_of(told.incident))
    without = {str(from_global(one)[1]) for one in told.expected if one not in told.accounts}
    assert without
    assert {one["person"] for one in data["relay"]} == without
    assert (data["letters"], data["shown"], data["relayed"]) == (12, 12 - len(without), len(without))
    text = json.dumps(data, ensure_ascii=False)
    for one in told.expected:
        assert told.users[one]["phone"] not in text
        assert told.users[one]["name"] not in text


def test_c63_what_is_found_later_is_told_in_another_letter_and_a_closed_incident_stays(told):
    person = next(one for one in told.expected if one in told.accounts and "HEALTH" in told.expected[one][0])
    before = told.letters(person)
    told.office.operate("incidents", "tell")
    assert told.letters(person) == before, "nothing new, no new letter"
    row = next(row for row, whose in told.choices[OF_CLAIM] if whose == person)
    asked = "query($id: ID!) { claim(id: $id) { amountClaimed } }"
    assert told.office.post(asked, {"id": row}, token=told.token, purpose="claim_handling").json()["data"]["claim"]
    settled(told.office)
    told.office.operate("incidents", "tell")
    latest, *earlier = told.letters(person)
    assert earlier == before
    assert set(latest["categories"]) == told.expected[person][0] | {"FINANCIAL"}
    assert told.write("closeIncident", {"id": told.incident})["closedAt"]
    told.office.post(asked, {"id": row}, token=told.token, purpose="claim_handling")
    settled(told.office)
    told.office.operate("incidents", "tell")
    shown = told.office.operate("incidents", "show", row_of(told.incident))
    assert sorted(one["times"] for one in shown["affected"]) == [1] * 11 + [2]
    assert told.write("describeIncident", {"id": told.incident, **TEXTS})["code"] == "INCIDENT_CLOSED"


@pytest.fixture(scope="module")
def child(_bundled):
    """A minor whose own token leaks; their guardian, and the incident with its letters sent."""
    office = office_of(_bundled(BundleName.SEED).server)
    found = office.customer()
    office.know(found.person, birthDate=born(9).isoformat(), name="孙小明")
    guardian = office.guardian(found.person)
    asked = "{ viewer { user { name birthDate } } }"
    assert office.post(asked, token=found.token, purpose="account_service").json()["data"]["viewer"]["user"]["name"]
    settled(office)
    now = datetime.now(UTC)
    rows = ("--from", (now - timedelta(hours=1)).isoformat(), "--token", token_id(found.token))
    words = [text for name, value in TEXTS.items() for text in (f"--{name}", value)]
    told = ("--facts", "登录令牌泄露", "--severity", "GENERAL", "--noticed", now.isoformat())
    opened = office.operate("incidents", "open", *told, *rows, *words)
    office.operate("incidents", "letters", opened["incident"], "--send")
    return office, found, guardian, opened["incident"]


def test_c63_a_guardian_reads_the_letter_of_the_child_and_who_is_erased_is_no_longer_known(child):
    office, minor, guardian, incident = child
    for token in (minor.token, guardian.token):
        (letter,) = office.post(LETTERS, token=token, purpose="account_service").json()["data"]["letters"]
        assert (letter["user"], set(letter["categories"])) == (
            minor.id,
            {"NAME", "DEMOGRAPHIC"},
        )
    stranger = office.customer()
    assert office.post(LETTERS, token=stranger.token, purpose="account_service").json()["data"]["letters"] == []

    as_owner(office, lambda owner: forget(owner, minor.person))
    assert office.post(LETTERS, token=minor.token, purpose="account_service").json()["data"]["letters"] == []
    report = office.operate("incidents", "report", incident)
    assert (report["persons"], report["persons_no_longer_known"]) == (1, 1)
    assert office.operate("incidents", "letters", incident)["relay"] == []


def opened(office, *more):
    """An incident by the command, of nobody."""
    now = datetime.now(UTC)
    given = ("--facts", "演习：令牌泄露", "--severity", "MAJOR", "--noticed", now.isoformat())
    words = [text for name, value in TEXTS.items() for text in (f"--{name}", value)]
    return office.operate("incidents", "open", *given, "--from", (now - timedelta(days=1)).isoformat(), *words, *more)


def test_c62_a_drill_goes_the_same_way_shows_nobody_a_letter_and_stands_in_the_register(leak):
    office, person = leak.office, next(one for one in leak.expected if one in leak.accounts)
    before = leak.letters(person)
    drill = opened(office, "--token", token_id(leak.token), "--drill")
    assert (drill["drill"], drill["persons"]) == (True, 12)
    office.operate("incidents", "report", drill["incident"], "--reference", "演习不报")
    sent = office.operate("incidents", "letters", drill["incident"], "--send")
    assert sent["letters"] == 12
    assert leak.letters(person) == before
    settled(office)
    office.operate("incidents", "close", drill["incident"])
    (row,) = [one for one in office.operate("duties", "list") if one["duty"] == DRILL]
    assert (row["state"], row["last"]) == ("DONE", office.operate("duties", "explain", DRILL)["last"])
    assert row["days"] in (364, 365, 366)


def test_c63_letters_are_withheld_by_a_privacy_officer_alone_with_a_reason_and_where_the_law_knows_it(leak, child):
    one = opened(leak.office)
    given = {"id": to_global(NodeType.RECORD, UUID(one["incident"])), "reason": "数据已加密 密钥未泄露"}
    assert leak.write("withholdIncidentLetters", given)["code"] == "WRITE_DENIED"
    assert leak.write("withholdIncidentLetters", given, "privacy_officer")["withheldAt"]
    (kept,) = leak.office.rows(
        "SELECT withheld_reason, withheld_by FROM incident WHERE id = $1::text::uuid", one["incident"]
    )
    assert kept["withheld_reason"] == given["reason"]
    assert kept["withheld_by"] not in ("operator", None)
    with pytest.raises(OperatorRefusedError, match="your own access token"):
        leak.office.operate("incidents", "letters", one["incident"], "--withhold", "已补救")
    office = child[0]
    officer = office.token("privacy_officer", purposes=["administration"])
    named = {**given, "id": to_global(NodeType.RECORD, UUID(opened(office)["incident"]))}
    found = office.write("withholdIncidentLetters", named, token=officer, purpose="administration", show=OPENED)
    assert found["code"] == "WITHHOLDING_UNLAWFUL", "the policy of 2020 promises to tell"


def test_c63_what_is_due_is_told_each_hour_until_it_is_done(leak):
    heard = []

    async def work(owner):
        await owner.execute("UPDATE incident SET closed_at = now(), closed_by = 'operator' WHERE closed_at IS NULL")
        return await turns(owner)

    async def turns(owner):
        now = datetime.now(UTC)
        terms = read_bundle(BundleName.PIPL).incidents
        opening = Opening(Severity.GENERAL, "x", now, Sought(since=now, until=now + timedelta(hours=1)), Told())
        made = await open_incident(owner, opening, terms=terms, by="operator", now=now)
        sound = lambda code, **detail: heard.append((code, detail["hours"]))  # noqa: E731 - short
        for hours in (0, 0.5, 1, 30):
            turn = Turn(owner, leak.office.keyring, None, None, now + timedelta(hours=hours), sound)
            await incident_job.look_after(turn)
        await reported(owner, made.id, "x", by="operator", now=now)
        await incident_job.look_after(Turn(owner, None, None, None, now + timedelta(hours=40), sound))

    undone(leak.office, work)
    both = [(REPORT_DUE, hours) for hours in (24, 23, -6)], [(LETTERS_DUE, hours) for hours in (24, 23, -6, -16)]
    assert [one for one in heard if one[0] == REPORT_DUE] == both[0]
    assert [one for one in heard if one[0] == LETTERS_DUE] == both[1]


WRONG = [
    ({"facts": "电话 13800138000 泄露"}, "ITEM_INVALID"),
    ({"noticedAt": "2999-01-01T00:00:00+08:00"}, "NOTICED_LATER"),
]


@pytest.mark.parametrize("wrong, code", WRONG)
def test_c63_what_names_somebody_or_is_not_yet_opens_no_incident(leak, wrong, code):
    assert leak.write("openIncident", leak.given(**wrong))["code"] == code


def test_c63_incidents_are_for_officers_and_the_security_team_alone(leak):
    for role in ("privacy_officer", "security_admin", "auditor", "developer", "claims_handler"):
        answer = leak.office.post(
            "{ incidents { id } }", token=leak.office.token(role, purposes=["administration"]), purpose="administration"
        ).json()
        assert (answer["data"]["incidents"] is not None) is (role in ("privacy_officer", "security_admin"))
    auditor = leak.office.token("auditor", purposes=["administration"])
    found = leak.office.write("openIncident", leak.given(), token=auditor, purpose="administration", show=OPENED)
    assert found["code"] == "WRITE_DENIED"
