"""Files that anybody may have written: each is read whole, or refused with its place and what to do about it."""

import os
import random
import socket
import time

import pytest

from authz.default_ruleset import default_content
from authz.rules import COLUMNS, parse_rule
from authz.vocabulary import ANY, Basis, Relation
from authz.workbench.checks import check
from authz.workbench.files import read_folder, read_placed
from authz.workbench.findings import FindingKind, Severity, findings
from models.vocabulary import Category, Purpose, Role
from schema.build import build_catalogue, build_schema
from tests.workbench.small import NOW

CATALOGUE = build_catalogue(build_schema())
HEADER = ",".join(COLUMNS)
GOOD = "allow,claims_handler,claim_handling,assigned,contract_open,reveal,health,C08"
BUDGET = "role,purpose,per_hour,per_day,clause\nclaims_handler,claim_handling,10,20,C08\n"
CASES = "intent,role,purpose,pairs,coordinate,effect"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "budget.csv").write_text(BUDGET)
    (tmp_path / "rules" / "name.csv").write_text(f"{HEADER}\n{GOOD}\n")
    return tmp_path


def told(folder, *, rules=None, cases=None):
    """What is found of a folder with this text, or these bytes, in a file of rules or of cases."""
    for name, given in (("rules", rules), ("cases", cases)):
        if given is not None:
            (folder / name).mkdir(exist_ok=True)
            data = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
            (folder / name / "health.csv").write_bytes(data)
    return read_folder(folder)


def bad(*row):
    return f"{HEADER}\n{GOOD}\n{','.join(row)}\n"


WORDS = GOOD.split(",")


def instead(place, word):
    return [word if number == place else one for number, one in enumerate(WORDS)]


@pytest.mark.parametrize(
    "row, says",
    [
        (instead(0, "Deny"), "effect 'Deny' is not written as it should be: write deny."),
        (instead(0, "dney"), "did you mean deny?"),
        (instead(0, " deny"), "write deny"),
        (instead(0, ""), "effect is empty: write allow or deny."),
        (instead(1, "clerk"), "role 'clerk' is unknown"),
        (instead(1, "*"), "role '*' is a pattern"),
        (instead(2, ".*"), "purpose '.*' is a pattern"),
        (instead(2, "any"), "purpose 'any' is unknown"),
        (instead(3, "*"), "`any` fits every one"),
        (instead(4, "contract_open|consent"), "is a pattern"),
        (instead(5, "read"), "action 'read' is unknown"),
        (instead(0, "=cmd|' /C calc'!A0"), "begins like a formula"),
        (instead(1, "+1"), "begins like a formula"),
        (instead(6, "-health"), "begins like a formula"),
        (instead(7, "@SUM(1)"), "begins like a formula"),
        (instead(7, '"=HYPERLINK(""http://x"",""C08"")"'), "begins like a formula"),
        (instead(7, "'C08'"), "is no clause"),
        (instead(7, '"C08, C09"'), "is no clause"),
        (instead(7, '"C08\nC09"'), "holds a sign that is no text, or a line break"),
        (instead(6, '"health\nname"'), "holds a sign that is no text, or a line break"),
        (instead(0, "al\x00low"), "holds a sign that is no text"),
        (instead(1, "insurer\u202e"), "role 'insurer\\u202e' is unknown"),
        (instead(1, "ｉnsurer"), "is unknown"),
        ([*WORDS, "2027-01-01"], "10 words"),
        (WORDS[:-1], "It has 7 words where the first line has 8"),
        (["g", "claims_handler", "insurer"], "Roles do not inherit"),
        (["g2", *WORDS[1:]], "Roles do not inherit"),
        (["p", *WORDS], "effect 'p' is unknown"),
    ],
)
def test_a_row_that_is_not_wholly_valid_is_refused_with_its_place_and_what_to_do(folder, row, says):
    content, found = told(folder, rules=bad(*row))
    assert content is None
    says = says.replace("10 words", "It has 9 words where the first line has 8")
    assert any(says in one.message for one in found), found
    assert {one.place for one in found} == {"rules/health.csv line 3"}
    assert {one.severity for one in found} == {Severity.ERROR}


def test_every_bad_word_of_every_bad_row_is_told(folder):
    rows = "\n".join([HEADER, ",".join(instead(0, "dney")), GOOD, ",".join(["dney", "clerk", *WORDS[2:]])])
    _, found = told(folder, rules=f"{rows}\n")
    assert [one.place for one in found] == ["rules/health.csv line 2", *["rules/health.csv line 4"] * 2]


def test_roles_twenty_deep_are_refused_row_by_row(folder):
    chain = [f"g,role_{number},role_{number + 1}" for number in range(20)]
    content, found = told(folder, rules="\n".join([HEADER, GOOD, *chain, ""]))
    assert content is None
    assert len(found) == 20
    assert all("Roles do not inherit" in one.message for one in found)


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("", 1, "The first line must be effect,role"),
        ("\n\n", 1, "The first line must be effect,role"),
        ("role,effect\n", 1, "The first line must be effect,role"),
        (f"{HEADER},extra\n{GOOD},\n", 1, "The first line must be effect,role"),
        (HEADER.replace(",", ";") + "\n", 1, "The first line must be effect,role"),
        (f"# rules\n{HEADER}\n{GOOD}\n", 1, "The first line must be effect,role"),
        (f'{HEADER}\n{GOOD}\n"allow,insurer\n\n{GOOD}\n', 3, "A quotation mark is not closed"),
        (f'{HEADER}\n"allow"x,{GOOD}\n', 2, "A quotation mark is not closed"),
        (f"{HEADER}\n{GOOD}{'x' * 140_000}\n", 2, "more than 131072 letters"),
        (f"{HEADER}\n\n{GOOD}\n", 2, "It is an empty line"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\udc80\n", 3, "not text in UTF-8"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), 1, "not text in UTF-8"),
        (f"{HEADER}\n{GOOD},保险\n".encode("gb18030"), 2, "not text in UTF-8"),
        (os.urandom(4096) + b"\xff", None, ""),
    ],
)
def test_a_file_that_is_no_table_of_rules_is_refused_with_its_place(folder, text, line, says):
    content, found = told(folder, rules=text)
    assert content is None
    assert any(says in one.message and (line is None or one.place.endswith(f" line {line}")) for one in found), found
    assert all(one.place.startswith("rules/health.csv") for one in found)


def test_a_byte_order_mark_is_passed_over_and_told(folder):
    content, found = told(folder, rules=b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD.replace('health', 'phone')}\r\n".encode())
    assert {rule.object for rule in content.rules} == {"health", "phone"}
    assert [(one.severity, one.place) for one in found] == [(Severity.NOTE, "rules/health.csv line 1")]


def test_a_row_that_stands_twice_is_told_with_both_places(folder):
    (folder / "rules" / "health.csv").write_text(f"{HEADER}\n{GOOD}\n")
    read = read_placed(folder)
    found = read.placed(findings(read.content, catalogue=CATALOGUE, now=NOW))
    assert [(one.kind, one.place) for one in found] == [
        (FindingKind.DOUBLED, "rules/health.csv line 2 and rules/name.csv line 2")
    ]


@pytest.mark.parametrize(
    "obj", ["../../etc/passwd", "User.name,reveal", "health*", "a" * 5_000, "健康", "Claim.*", "User.name.x", "health "]
)
def test_an_object_that_can_be_no_name_is_refused(folder, obj):
    content, found = told(folder, rules=bad(*instead(6, f'"{obj}"')))
    assert content is None
    (one,) = found
    assert "is no name of a category" in one.message
    assert len(one.message) < 200


def test_an_object_that_the_schema_does_not_have_is_an_error(folder):
    content, found = told(folder, rules=bad(*instead(6, "Claim.diagnoses")))
    assert found == []
    (one, _) = findings(content, catalogue=CATALOGUE, now=NOW)
    assert (one.kind, one.severity) == (FindingKind.VOCABULARY, Severity.ERROR)
    assert "Did you mean Claim.diagnosis?" in one.message


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "dangling", "closed"])
def test_what_is_no_file_is_refused_and_not_waited_for(folder, kind, monkeypatch):
    place = folder / "rules" / "health.csv"
    listening = socket.socket(socket.AF_UNIX)
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        # A socket's path is short: from within its folder it is.
        with monkeypatch.context() as there:
            there.chdir(folder / "rules")
            listening.bind("health.csv")
    elif kind == "dangling":
        place.symlink_to("nothing.csv")
    else:
        place.symlink_to(place)
    content, found = read_folder(folder)
    listening.close()
    assert content is None
    assert [(one.kind, one.place) for one in found] == [(FindingKind.FILE, "rules/health.csv")]


@pytest.mark.parametrize("path", ["nothing", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path, path):
    (tmp_path / "file").write_text("")
    content, found = read_folder(tmp_path / path)
    assert content is None
    assert "as `rules export` writes it" in found[0].message


def test_a_missing_budget_is_an_error_and_a_rule_file_of_another_name_is_told(folder):
    (folder / "rules" / "budget.csv").rename(folder / "rules" / "health.csv.bak")
    content, found = read_folder(folder)
    assert content is None
    assert [(one.severity, one.place) for one in found] == [
        (Severity.WARNING, "rules/health.csv.bak"),
        (Severity.ERROR, "rules/budget.csv"),
    ]


def test_a_file_larger_than_any_is_not_read(folder):
    with (folder / "rules" / "health.csv").open("wb") as file:
        file.truncate(65 << 20)
    content, found = read_folder(folder)
    assert content is None
    assert "more than 64 MiB" in found[0].message


@pytest.mark.parametrize(
    "row, says",
    [
        ("=1+1,claims_handler,claim_handling,none:none,User.name,mask", "begins like a formula"),
        ("It holds.,claims_handler,claim_handling,assigned,User.name,mask", "is not a valid Basis"),
        ("It holds.,claims_handler,claim_handling,none:none none:none,User.name,mask", "different ones"),
        ("It holds.,claims_handler,claim_handling,none:none,User.name,maybe", "write one of reveal, mask, deny"),
        ("It holds.,clerk,claim_handling,none:none,User.name,mask", "role 'clerk' is unknown"),
        ("It holds.,claims_handler,claim_handling,,User.name,mask", "none of them empty"),
        ('"It\nholds.",claims_handler,claim_handling,none:none,User.name,mask', "line break"),
    ],
)
def test_a_case_that_is_not_wholly_valid_is_refused_with_its_place(folder, row, says):
    content, found = told(folder, cases=f"{CASES}\n{row}\n")
    assert content is None
    assert any(says in one.message for one in found), found
    assert {one.place for one in found} == {"cases/health.csv line 2"}


def test_a_case_that_stands_twice_is_refused(folder):
    row = "It holds.,claims_handler,claim_handling,none:none,User.name,mask"
    content, found = told(folder, cases=f"{CASES}\n{row}\n{row}\n")
    assert content is None
    assert [(one.kind, one.place) for one in found] == [(FindingKind.DOUBLED, "cases/health.csv line 3")]


def many(count):
    """Rows of every role and purpose, some for all times and most for times of their own."""
    chance = random.Random(6)  # noqa: S311 - the same rows each time, no secret
    relations, bases = (*Relation, ANY), (*Basis, ANY)
    for number in range(count):
        begin = f"20{27 + number % 50}-0{1 + number % 9}-{1 + number % 28:02}T00:00:00Z" if number % 4 else ""
        yield (
            *(chance.choice(some) for some in (("allow", "deny"), list(Role), list(Purpose), relations, bases)),
            *(chance.choice(("reveal", "mask")), chance.choice((*Category, "User.name", "Claim.diagnosis")), "C08"),
            *(begin, ""),
        )


def test_a_hundred_thousand_rows_are_read_and_every_finding_told_in_seconds(folder):
    rows = [",".join(row) for row in many(100_000)]
    header = f"{HEADER},valid_from,valid_until"
    began = time.process_time()
    content, found = told(folder, rules="\n".join([header, *rows, ""]))
    assert found == []
    assert len(content.rules) == 100_001
    some = findings(content, catalogue=CATALOGUE, now=NOW)
    assert time.process_time() - began < 30
    assert len(some) > 10_000
    doubled = len(rows) - len({(row.rsplit(",", 3)[0], row.rsplit(",", 2)[1]) for row in rows})
    assert doubled > 0
    assert FindingKind.DOUBLED in {one.kind for one in some}


def test_twenty_thousand_bad_rows_are_each_told(folder):
    content, found = told(folder, rules="\n".join([HEADER, *[",".join(instead(0, "dney"))] * 20_000, ""]))
    assert content is None
    assert len(found) == 20_000
    assert found[-1].place == "rules/health.csv line 20001"


def test_rules_and_cases_that_cannot_be_used_are_told_and_nothing_is_raised(folder):
    content, _ = told(
        folder,
        rules=bad(*instead(6, "nothing")),
        cases=f"{CASES}\nIt holds.,insurer,research,none:none,No.where,deny\n",
    )
    assert check(content, catalogue=CATALOGUE, now=NOW).refused
    # Beside a row that stands twice, which decides nothing that it would not decide once, cases are asked as ever.
    content, _ = told(folder, rules=f"{HEADER}\n{GOOD}\n")
    checked = check(content, catalogue=CATALOGUE, now=NOW)
    errors = [(one.kind, one.message) for one in checked.findings if one.severity is Severity.ERROR]
    assert [kind for kind, _ in errors] == [FindingKind.CASE_FAILED, FindingKind.DOUBLED]
    assert "No.where is not there to be shown: name one that is." in errors[0][1]
    assert (checked.refused, [one.passed for one in checked.ran]) == (True, [False])
    assert default_content().rules
    assert parse_rule(WORDS, place="here") in content.rules
