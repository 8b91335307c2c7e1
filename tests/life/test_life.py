"""A person's whole life through the public API alone, and what is left of it once they are erased: nothing that opens.

The person, the agent, the partners and the brokerage's staff act over HTTP; the operator runs commands, as the
scheduler would. Nothing is written into a table. The next day and the ten years for which the law keeps a claim pass by
the clock of `orders run` and by `retention sweep --at`, as demo mode lets one.
"""

import contextlib
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from authz.tokens import utc_now
from cli import _parser
from models.vocabulary import Retention
from tests.life.conftest import Place
from tests.life.dumps import Dump, Opened, back_up, restore, written
from tests.life.living import Actor, registered, until
from tests.life.story import Life, Shown
from tests.writing.applying import TODAY, Desk
from tests.writing.conftest import PASSWORD, Customer, row_id
from vault.blind import blind
from vault.keyring import load

LATER = tuple(str(TODAY + timedelta(days=days)) for days in (200, 6 * 366, 11 * 366))
"""Half a year on, for logs; five years, for contracts of up to a year; ten, for claims; and some days."""
BODIES = ["INTERNET_INFORMATION_OFFICE", "TELECOM_AUTHORITY", "POLICE", "MARKET_REGULATOR", "COURT"]
OF_OTHERS = {"beneficiary name", "beneficiary idNumber", "beneficiary phone"}
"""What is somebody else's, though the person said it: not theirs to be given, and gone with them all the same."""
NEVER_KEPT = {"password"}
REPLACED = {"medicalRecord"}
"""What was handed in anew."""
OF_THE_CONTRACT = {"premium", "sumInsured", *OF_OTHERS}
OF_THE_CLAIM = {
    *("incident", "hospital", "diagnosis", "further record", "claim bankCard"),
    *("expenses", "amountClaimed", "amountPaid"),
}
OF_THE_DEVICE = {"device model", "push identifier"}
RESTRICTED = {"name", "idNumber", "phone"}
"""Who had the contract and the claim, which the law keeps."""
SHOWN: Shown = {
    ("broker_agent", None, "APPLICATION"): ({"User.name", "User.idNumber"}, {"Mutation.draftApplication"}),
    ("insurer", "INS01", "APPLICATION"): (
        {"User.name", "User.idNumber", "User.email", "User.healthDeclaration"},
        {"Mutation.recordUnderwriting", "Mutation.recordPayment"},
    ),
    ("insurer", "INS01", "POLICY_SERVICE"): ({"User.phone", "User.email"}, set()),
    ("insurer", "INS01", "CLAIM_HANDLING"): (
        {"Claim.expenses", "Claim.bankCard", "User.name"},
        {"Mutation.recordClaimDecision"},
    ),
    ("insurer", "INS01", "MARKETING"): ({"User.name", "User.virtualPhone"}, set()),
    ("affiliate", "AF01", "VERIFICATION"): ({"User.name"}, set()),
    ("claims_handler", None, "CLAIM_HANDLING"): (
        {"Claim.diagnosis"},
        {"Mutation.assignClaim", "Mutation.requestMaterials"},
    ),
    ("loss_adjuster", "LA01", "CLAIM_HANDLING"): ({"Claim.hospital"}, set()),
}
"""Who saw and did what by the time at which the person asks: written down by hand."""


@dataclass
class Lived:
    """What was seen on the way, and what the database held at each turn."""

    life: Life
    bystander: Customer
    history: Shown = field(default_factory=dict)
    recipients: dict[str, set[str]] = field(default_factory=dict)
    audience: list[list[Any]] = field(default_factory=list)
    """Whom the insurer's marketing was shown before, during and after the person's consent; and then the person."""
    handovers: list[dict[str, Any]] = field(default_factory=list)
    archive: str = ""
    complaint: dict[str, Any] = field(default_factory=dict)
    refusal: dict[str, Any] = field(default_factory=dict)
    cancelled: dict[str, Any] = field(default_factory=dict)
    log_ins: list[str] = field(default_factory=list)
    status: int = 0
    order: str = ""
    classes: list[set[str]] = field(default_factory=list)
    """Whose keys are there: before, after the order, and after each sweep."""
    proof: list[dict[str, Any]] = field(default_factory=list)
    verified: dict[str, Any] = field(default_factory=dict)
    dumps: dict[str, Dump] = field(default_factory=dict)
    log: str = ""

    @property
    def person(self) -> UUID:
        return row_id(self.life.id)

    def alive(self) -> set[str]:
        rows = self.life.office.rows(
            "SELECT retention FROM data_key WHERE person_id = $1 AND wrapped IS NOT NULL", self.person
        )
        return {Retention(row[0]).name for row in rows}


def lives(life: Life) -> Lived:
    """To the day on which nothing runs any more."""
    lived = Lived(life, life.office.customer())
    Desk(life.office).in_force(lived.bystander)
    life.begins()
    lived.audience.append(life.audience())
    marketing = life.agrees("MARKETING", "INS01", "NAME", "RELAY")
    lived.audience.append(life.audience())
    verification = life.agrees("VERIFICATION", "AF01", "NAME")
    life.applies()
    life.claims()
    assert life.verifier.reads("user", life.id, "name") == life.said("name")
    lived.history = until(life.history, SHOWN)
    lived.recipients = life.recipients()
    for consent in (marketing, verification):
        assert life.me.does("withdrawConsent", "... on Consent { status }", id=consent)["status"] == "WITHDRAWN"
    lived.audience.append(life.audience())
    lived.audience.append([life.verifier.reads("user", life.id, "name")])
    lived.handovers = life.corrects()
    lived.complaint = life.complains()
    lived.archive = life.archive()
    application = life.applies_again()
    lived.refusal = life.cancels()
    life.ends_contracts(application)
    lived.log_ins.append(life.logs_in("phone"))
    return lived


def is_erased(lived: Lived, place: Place) -> None:
    """From the backup of before to eleven years on."""
    office = lived.life.office
    lived.dumps["backup"] = Dump.of(place.database, back_up(place.database, place.backup))
    lived.classes.append(lived.alive())
    lived.cancelled = lived.life.cancels()
    lived.status = until(lambda: office.post("{ viewer { __typename } }", token=lived.life.me.token).status_code, 401)
    lived.log_ins += [lived.life.logs_in(by) for by in ("phone", "username")]
    (lived.order,) = [one["order"] for one in office.operate("orders", "list") if one["done"] is None]
    assert place.operate("orders", "run", now=utc_now() + timedelta(days=1)).data["ERASED ACCOUNT"] == 1
    lived.classes.append(lived.alive())
    lived.dumps["ordered"] = Dump.of(place.database, back_up(place.database, place.folder / "ordered"))
    for day in LATER:
        assert office.run_operator("retention", "sweep", "--at", day).wrong is False
        lived.classes.append(lived.alive())
    lived.verified = verified(place)
    # The newest rows are found by the order's id once they are indexed.
    until(lambda: len(office.operate("retention", "proof", lived.order)), len(LATER) + 1)
    lived.proof = office.operate("retention", "proof", lived.order)
    lived.dumps["erased"] = Dump.of(place.database, back_up(place.database, place.folder / "erased"))


def verified(place: Place) -> dict[str, Any]:
    """What the ledger's verifier says of all that there is, which the export seals first."""
    file, told = place.folder / "export.jsonl", {}
    heads = ("--heads", str(place.installation.ledger_heads_path))
    for arguments in (("export", str(file)), ("verify", str(file), *heads)):
        given = _parser().parse_args(["ledger", *arguments, "--json"])
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert given.run(given, place.installation) == 0, printed.getvalue()
        told = json.loads(printed.getvalue())
    return dict(told)


@pytest.fixture(scope="module")
def lived(place) -> Lived:
    with place.server(place.log) as url, httpx.Client(timeout=60) as client:
        found = lives(Life(place.office(url, client)))
        is_erased(found, place)
    found.log = place.log.read_text()
    return found


@pytest.fixture(scope="module")
def restored(lived, place) -> Iterator[Lived]:
    """The backup of before in place of all that the database holds, once a server has started on it."""
    restore(place.database, place.backup)
    log = place.folder / "restored.log"
    with place.server(log) as url, httpx.Client(timeout=60) as client:
        lived.life.office = place.office(url, client)
        lived.log_ins += [lived.life.logs_in(by) for by in ("phone", "username")]
        lived.dumps["restored"] = Dump.of(place.database, back_up(place.database, place.folder / "restored"))
        yield lived
    assert in_clear(lived, log.read_text()) == set()


def in_clear(lived: Lived, text: str) -> set[str]:
    return {what for what, value in lived.life.planted.items() if any(one in text for one in written(value))}


def told(lived: Lived, opened: Any) -> set[str]:
    """Which of the person's values what was opened tells."""
    text = "\n".join(one.text for one in opened)
    return {what for what, value in lived.life.planted.items() if value in text}


@pytest.fixture(scope="module")
def opens(place):
    """What of a dump opens to who has the keyring of today."""
    keyring, known = load(place.installation.keyring_path), {}

    def attack(dump: Dump) -> dict[Any, Opened]:
        if id(dump) not in known:
            known[id(dump)] = dump.opened(dump.keys(keyring))
        return known[id(dump)]

    return attack


def theirs(lived: Lived, opened: dict[Any, Opened]) -> dict[Any, Opened]:
    """Of what a backup of before gives, the person's."""
    return {cell: one for cell, one in opened.items() if one.by.owner == lived.person}


def test_c64_the_access_history_tells_who_saw_and_did_what_exactly(lived):
    assert lived.history == SHOWN


def test_c33_the_recipients_are_those_who_were_shown_something_and_nobody_else(lived):
    shown: dict[str, set[str]] = {}
    for (_, code, _), (fields, _) in SHOWN.items():
        if code:
            shown.setdefault(code, set()).update(fields)
    assert lived.recipients == shown


def test_c68_who_withdrew_is_shown_to_the_recipient_no_more_from_the_next_read_on(lived):
    before, during, after, verified = lived.audience
    (mine,) = [one for one in during if one not in before]
    assert mine["name"] != lived.life.planted["name"]
    assert mine["virtualPhone"]
    assert after == before
    assert verified == [None]


def test_c64_a_correction_is_handed_on_applied_and_the_person_sees_both(lived):
    told_of = {one["code"]: (bool(one["handedOnAt"]), bool(one["acknowledgedAt"])) for one in lived.handovers}
    assert told_of["INS01"] == (True, True)


def test_c64_the_archive_holds_everything_that_is_stored_of_the_person(lived):
    expected = set(lived.life.planted) - OF_OTHERS - NEVER_KEPT - REPLACED - {"amountPaid"}
    found = {what for what, value in lived.life.planted.items() if value in lived.archive}
    # The words of requests are asked for by `rightsRequests`.
    assert found == expected


def test_c80_c81_the_complaint_is_answered_in_time_and_names_to_whom_else_one_may_turn(lived):
    told_of = lived.complaint
    assert (told_of["state"], told_of["answer"], told_of["overdue"]) == ("GRANTED", lived.life.planted["answer"], False)
    assert told_of["decidedAt"][:10] <= told_of["dueOn"]
    assert told_of["escalation"] == BODIES


def test_c69_c70_the_account_ends_at_once_when_nothing_stands_in_the_way_any_more(lived):
    blockers = [(one["kind"], one["status"]) for one in lived.refusal["blockers"]]
    assert (lived.refusal["code"], lived.refusal["clause"]) == ("CANCELLATION_BLOCKED", "C69")
    assert blockers == [
        ("CLAIM_OPEN", "APPROVED"),
        ("POLICY_IN_FORCE", "IN_FORCE"),
        ("PURCHASE_OPEN", "SUBMITTED"),
    ]
    assert lived.cancelled["escalation"] == BODIES
    assert lived.status == 401
    assert lived.log_ins[:3] == ["SessionTokens", "INVALID_CREDENTIALS", "INVALID_CREDENTIALS"]


def test_the_attack_finds_everything_in_the_backup_of_before(lived, opens):
    opened = opens(lived.dumps["backup"])
    mine = theirs(lived, opened)
    assert told(lived, mine.values()) == set(lived.life.planted) - NEVER_KEPT - REPLACED
    assert told(lived, [one for cell, one in opened.items() if cell not in mine]) == set()


def test_c28_c29_the_order_leaves_what_the_law_keeps_and_nothing_else(lived, opens):
    before, after = opens(lived.dumps["backup"]), opens(lived.dumps["ordered"])
    left = theirs(lived, after)
    by_class = {
        retention: told(lived, [one for one in left.values() if one.by.retention is retention])
        for retention in {one.by.retention for one in left.values()}
    }
    assert by_class == {
        Retention.CONTRACT: OF_THE_CONTRACT,
        Retention.CLAIM: OF_THE_CLAIM,
        Retention.DEVICE: OF_THE_DEVICE,
        Retention.RESTRICTED: RESTRICTED,
    }
    assert {cell[0] for cell, one in left.items() if one.by.retention is Retention.RESTRICTED} == {"restricted_record"}
    # Everybody else's is as it was.
    others = [
        {cell: one.text for cell, one in some.items() if one.by.owner != lived.person} for some in (before, after)
    ]
    assert len(others[0]) > 1_000
    assert {cell for cell, text in others[0].items() if others[1].get(cell) != text} <= logins_of(lived)


def logins_of(lived: Lived) -> set[Any]:
    """The cells of the person's own log-in, whose key is its own."""
    accounts = {row["id"] for row in lived.dumps["backup"].rows("account", person_id=str(lived.person))}
    logins = [UUID(row["id"]) for row in lived.dumps["backup"].rows("login") if row["account_id"] in accounts]
    assert len(logins) == 1
    return {("login", column, one) for one in logins for column in ("totp_sealed", "pending_totp_sealed")}


def test_c27_c28_each_class_goes_when_its_own_time_has_come(lived):
    assert lived.classes == [
        {"ACCOUNT", "CONTRACT", "CLAIM", "DEVICE"},
        {"CONTRACT", "CLAIM", "DEVICE", "RESTRICTED"},
        {"CONTRACT", "CLAIM", "RESTRICTED"},
        {"CLAIM", "RESTRICTED"},
        set(),
    ]


@pytest.fixture(params=["erased", "restored"])
def dump(request, lived) -> Dump:
    """The live database, and the one that was restored from before the erasure."""
    if request.param == "restored":
        request.getfixturevalue("restored")
    return lived.dumps[request.param]


def test_c29_c66_nothing_of_the_person_stands_in_the_database_in_any_writing(lived, dump):
    assert dump.clear(lived.life.planted) == set()


def test_c29_c66_no_key_that_is_left_opens_anything_of_the_person(lived, dump, opens, place):
    opened = opens(dump)
    assert len(opened) > 1_000
    assert theirs(lived, opened) == {}
    assert told(lived, opened.values()) == set()
    # Nor what a backup still has of them, sealed.
    keys = dump.keys(load(place.installation.keyring_path))
    mine = theirs(lived, opens(lived.dumps["backup"]))
    assert mine.keys().isdisjoint(lived.dumps["backup"].opened(keys, only=mine.keys()))


def test_c29_c66_no_look_up_finds_the_person(lived, dump, place):
    keyring = load(place.installation.keyring_path)
    columns = {"phone": "phone", "id_number": "idNumber", "bank_card": "bankCard", "username": "username"}
    digests = {f"\\x{blind(keyring, column, lived.life.planted[what]).hex()}" for column, what in columns.items()}
    found = [
        {row["digest"] for row in one.rows("blind_index") if row["digest"] in digests}
        for one in (lived.dumps["backup"], dump)
    ]
    assert found == [digests, set()]
    assert dump.rows("blind_index", person_id=str(lived.person)) == []


def test_c29_the_ledger_says_what_was_done_and_of_whom_nobody_can_tell(lived, dump):
    backup = lived.dumps["backup"]
    (known,) = backup.rows("person_reference", person_id=str(lived.person))
    reference = {"reference": known["reference"]}
    assert backup.rows("ledger_access", **reference)
    assert dump.rows("person_reference", **reference) == []
    assert dump.rows("person_reference", person_id=str(lived.person)) == []
    assert not [row for row in dump.rows("ledger") if str(lived.person) in (row["body"] or "")]


def test_c29_the_ledger_still_verifies_and_proves_the_erasure_of_every_class(lived):
    assert lived.verified["intact"] is True
    assert all(one["proved"] for one in lived.proof)
    assert [one["erased"] for one in lived.proof] == ["ACCOUNT", "DEVICE", "CONTRACT", "CLAIM,RESTRICTED"]


def test_c66_after_the_restore_nobody_logs_in_as_the_person_and_another_person_reads_their_own(restored):
    assert restored.log_ins[3:] == ["INVALID_CREDENTIALS", "INVALID_CREDENTIALS"]
    office, other = restored.life.office, restored.bystander
    session = registered(office, "LogIn", {"identifier": other.phone, "password": PASSWORD})
    found = Actor(office, session["accessToken"], "account_service").asks("{ viewer { user { username name phone } } }")
    assert found["viewer"]["user"] == {"username": other.username, "name": "王小明", "phone": other.phone}


def test_c48_neither_log_nor_data_directory_holds_a_value_of_the_person(restored, place):
    assert in_clear(restored, restored.log) == set()
    patterns = place.folder / "patterns"
    patterns.write_text("\n".join(restored.life.planted.values()) + "\n")
    command = ["grep", "-rohaFf", str(patterns), str(place.installation.root)]
    done = subprocess.run(command, capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_c66_once_the_key_is_retired_the_backup_itself_opens_to_nobody(restored, place):
    office = restored.life.office
    old = load(place.installation.keyring_path).wrapping.current
    office.operate("keys", "rotate")
    office.operate("keys", "retire", "--version", str(old))
    assert restored.dumps["backup"].keys(load(place.installation.keyring_path)) == []
