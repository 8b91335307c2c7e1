"""How long data are kept, as it is told; longer periods and holds, by API and command (C27, C28)."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from models.global_ids import NodeType, to_global
from models.vocabulary import Retention
from privacy.bundles import BundleName, read_bundle
from privacy.retention import Criterion
from tests.privacy.retaining import Retaining, counted, today
from tests.privacy.world import office_of
from tests.writing.asking import Asking

SEED = read_bundle(BundleName.SEED)
SHORT = SEED.retention.short_contract_days


@pytest.fixture(scope="module")
def desk(_bundled) -> Retaining:
    return Retaining(office_of(_bundled(BundleName.SEED).server))


def child_of(desk):
    """A child and their guardian."""
    child = desk.office.customer()
    desk.office.know(child.person, birthDate=str(today(-3650)))
    return child, desk.office.guardian(child.person)


def test_c27_a_person_is_told_class_by_class_until_when_why_and_by_which_law(desk):
    person = desk.person()
    desk.contract(person.person, ended=30)
    told = desk.of(person.token)
    ended, law = today(-30), today(-30) + timedelta(days=SHORT)
    assert set(told) == {"ACCOUNT", "CONTRACT"}
    contract = told["CONTRACT"]
    assert (contract["begins"], contract["until"], contract["winner"]) == (str(ended), str(law), "LAW")
    quality = ended + timedelta(days=SEED.schedule[Retention.CONTRACT].quality_days)
    assert contract["candidates"] == [
        {"criterion": "FUNCTION", "until": str(ended)},
        {"criterion": "QUALITY", "until": str(quality)},
        {"criterion": "LAW", "until": str(law)},
    ]
    assert contract["duty"] == {"law": SEED.schedule[Retention.CONTRACT].law, "until": str(law)}
    assert (contract["held"], contract["erasedFrom"]) == (False, str(law + timedelta(days=1)))
    assert str(law) in contract["words"]
    assert "Insurance Law, article 87" in contract["words"]
    # Who has an account is kept while they have it: there is no day yet.
    account = told["ACCOUNT"]
    assert (account["begins"], account["until"], account["erasedFrom"]) == (None, None, None)
    assert (account["winner"], account["duty"]) == ("FUNCTION", None)
    assert "no last day yet" in account["words"]


def test_c27_it_is_told_to_the_person_a_guardian_of_theirs_and_the_officer_with_their_request_and_to_nobody_else(desk):
    person, other = desk.person(), desk.person()
    child, guardian = child_of(desk)
    assert set(desk.of(guardian.token, child.id)) == {"ACCOUNT"}
    assert desk.of(guardian.token, person.id) is None
    assert desk.of(other.token, person.id) is None
    asking = Asking(desk.office)
    name, token = asking.hired()
    assert desk.of(token, person.id, "rights_request") is None, "no request of theirs is in hand"
    request = asking.file(person, "ACCESS")["id"]
    assert desk.of(token, person.id, "administration") is None
    assert asking.assign(request, token, name)["id"] == request
    assert desk.of(token, person.id, "rights_request") == desk.of(person.token)
    for role, user, purpose in (("security_admin", None, "administration"), ("auditor", None, "administration")):
        assert desk.of(desk.office.token(role, user=user, purposes=[purpose]), person.id, purpose) is None


def test_c27_a_longer_period_is_agreed_to_only_if_it_is_longer_and_ended_by_the_person(desk):
    person = desk.person()
    desk.contract(person.person, ended=30)
    law = today(-30) + timedelta(days=SHORT)
    given = {"class": "CONTRACT"}
    for day in (law, today(), today(31 * 365)):
        refused = desk.agreed(person.token, **given, until=str(day))
        assert (refused["code"], refused["field"], refused["clause"]) == ("RETENTION_NOT_LONGER", "until", "C27")
    assert desk.agreed(person.token, **{"class": "CLAIM"}, until=str(today(9)))["code"] == "RETENTION_NOT_LONGER"
    first = desk.agreed(person.token, **given, until=str(law + timedelta(days=1)))
    assert (first["class"], first["until"], first["endedAt"]) == ("CONTRACT", str(law + timedelta(days=1)), None)
    assert desk.agreed(person.token, **given, until=str(law + timedelta(days=1)))["code"] == "RETENTION_NOT_LONGER"
    second = desk.agreed(person.token, **given, until=str(law + timedelta(days=9)))
    told = desk.of(person.token)["CONTRACT"]
    assert (told["winner"], told["until"]) == ("CONSENTED", second["until"])
    assert told["agreement"] == {"id": second["id"], "until": second["until"]}
    # Nobody else ends it, what has been replaced is gone, and ending it the law counts again.
    end = {"name": "endRetention", "id": second["id"]}
    assert desk.agreed(desk.person().token, **end)["code"] == "AGREEMENT_UNKNOWN"
    assert desk.agreed(person.token, "endRetention", id=first["id"])["code"] == "AGREEMENT_UNKNOWN"
    assert desk.agreed(person.token, **end)["endedAt"]
    assert desk.agreed(person.token, **end)["code"] == "AGREEMENT_UNKNOWN"
    told = desk.of(person.token)["CONTRACT"]
    assert (told["winner"], told["until"], told["agreement"]) == ("LAW", str(law), None)


def test_c27_what_was_agreed_keeps_the_data_until_its_day_and_an_end_lets_them_go(desk):
    person = desk.person()
    desk.contract(person.person, ended=SHORT - 5)
    until = today(40)
    made = desk.agreed(person.token, **{"class": "CONTRACT"}, until=str(until))
    assert counted(desk.sweep(person.person, days=39)) == {}
    assert Retention.CONTRACT in desk.keys(person.person)
    assert desk.agreed(person.token, "endRetention", id=made["id"], purpose="account_service")["endedAt"]
    assert counted(desk.sweep(person.person, days=39)) == {"ERASED CONTRACT": 1}


def test_c27_a_special_agreement_is_the_contracts_and_no_person_ends_it(desk):
    person = desk.person()
    given = ("--class", "account", "--until", str(today(99)), "--reference", "contract 7")
    made = desk.office.operate("retention", "agree", "--person", person.id, *given)
    assert made["until"] == str(today(99))
    named = to_global(NodeType.RECORD, UUID(made["agreement"]))
    assert desk.agreed(person.token, "endRetention", id=named)["code"] == "AGREEMENT_UNKNOWN"
    assert [one["criterion"] for one in desk.of(person.token)["ACCOUNT"]["candidates"]][-1] == Criterion.SPECIAL.name


def test_c27_a_guardian_agrees_for_a_child_and_a_child_not_alone(desk):
    child, guardian = child_of(desk)
    given = {"class": "ACCOUNT", "until": str(today(400))}
    assert desk.agreed(child.token, **given)["code"] == "MINOR_NEEDS_GUARDIAN"
    made = desk.agreed(guardian.token, user=child.id, **given)
    assert desk.of(child.token)["ACCOUNT"]["agreement"]["id"] == made["id"]
    assert desk.agreed(guardian.token, "endRetention", purpose="account_service", id=made["id"])["endedAt"]
    assert desk.agreed(guardian.token, user=desk.person().id, **given)["code"] == "NOT_FOUND"


def test_c27_what_is_ordered_to_be_erased_is_no_longer_lengthened(desk):
    person = desk.person()
    desk.order(person.person, [Retention.ACCOUNT])
    refused = desk.agreed(person.token, **{"class": "ACCOUNT"}, until=str(today(400)))
    assert refused["code"] == "RETENTION_NOT_LONGER"


def test_c28_a_hold_keeps_the_sweep_off_is_counted_and_told_without_its_file_and_lifted_lets_it_through(desk):
    person = desk.person()
    desk.contract(person.person, ended=SHORT + 5)
    # Nobody orders, agrees or asks against it.
    desk.order(person.person, [Retention.CONTRACT])
    placed = desk.hold("placeHold", user=person.id, classes=["CONTRACT"], reference="民初字第12号")
    assert (placed["user"], placed["classes"], placed["liftedAt"]) == (person.id, ["CONTRACT"], None)
    assert counted(desk.sweep(person.person, days=4000)) == {"HELD CONTRACT": 1}
    assert Retention.CONTRACT in desk.keys(person.person)
    told = desk.of(person.token)["CONTRACT"]
    assert (told["held"], told["erasedFrom"]) == (True, None)
    assert "legal hold" in told["words"]
    assert "民初字第12号" not in str(told)
    assert [one["reference"] for one in desk.holds() if one["id"] == placed["id"]] == ["民初字第12号"]
    assert desk.hold("liftHold", id=placed["id"])["liftedAt"]
    assert desk.hold("liftHold", id=placed["id"])["code"] == "HOLD_UNKNOWN"
    assert placed["id"] not in {one["id"] for one in desk.holds()}
    assert placed["id"] in {one["id"] for one in desk.holds(lifted=True)}
    assert counted(desk.sweep(person.person)) == {"ERASED CONTRACT": 1}


def test_c28_a_hold_is_an_officers_names_no_person_and_ends_on_its_last_day(desk):
    person = desk.person()
    given = {"user": person.id, "reference": "case 12"}
    refused = desk.office.write("placeHold", given, token=person.token, purpose="account_service")
    assert (refused["code"], refused["reason"]) == ("WRITE_DENIED", "ROLE")
    nobody = to_global(NodeType.USER, uuid4())
    assert desk.hold("placeHold", user=nobody, reference="case 12")["code"] == "PERSON_UNKNOWN"
    for bad in ({"reference": "110101199003078515"}, {"reference": "case 12", "until": str(today(-1))}):
        assert desk.hold("placeHold", user=person.id, **bad)["code"] in ("ITEM_INVALID", "NEVER_COLLECTED")
    document = "{ legalHolds { id } }"
    assert desk.own(person, document) == {"legalHolds": None}
    desk.contract(person.person, ended=SHORT + 5)
    made = desk.hold("placeHold", user=person.id, reference="case 12", until=str(today(3)))
    assert made["classes"] == [one.name for one in Retention]
    assert counted(desk.sweep(person.person, days=3)) == {"HELD CONTRACT": 1}
    assert counted(desk.sweep(person.person, days=4)) == {"ERASED CONTRACT": 1}


def test_c28_holds_are_placed_listed_and_lifted_by_command_too(desk):
    person = desk.person()
    made = desk.office.operate("holds", "place", "--person", person.id, "--class", "device", "--reference", "case 9")
    assert made["hold"] in {one["hold"] for one in desk.office.operate("holds", "list")}
    explained = desk.office.operate("retention", "explain", "--person", person.id)
    assert {one["class"]: one["holds"] for one in explained} == {"ACCOUNT": None}
    assert desk.office.operate("holds", "lift", made["hold"])["lifted"]
    assert made["hold"] not in {one["hold"] for one in desk.office.operate("holds", "list")}
    assert made["hold"] in {one["hold"] for one in desk.office.operate("holds", "list", "--lifted")}
    assert {one["class"] for one in desk.office.operate("retention", "schedule")} == {
        "ACCOUNT",
        "CONTRACT",
        "CLAIM",
        "DEVICE",
    }
