"""`rules check|cases|diff|export|import`: what they print, end with and leave behind (C46, C59)."""

import asyncio
import json

import pytest

from authz.commands import Call, OperatorRefusedError
from authz.default_rules import DATA
from authz.default_ruleset import default_content, keep_default
from authz.ruleset_store import latest
from authz.tokens import utc_now
from authz.workbench.files import write_folder
from cli import _parser
from models.database import connect_once
from schema.build import build_catalogue, build_schema
from tests.conftest import run_cli
from vault.keyring import load

CATALOGUE = build_catalogue(build_schema())
MASKED = "allow,claims_handler,claim_handling,any,any,mask,phone,C55"
SHOWN = "allow,claims_handler,claim_handling,any,any,reveal,health,C55"
LONGEST = 2_000
OF_DRAFT = "SELECT body FROM ledger WHERE body LIKE '%\"kind\":\"RULES\"%' AND body LIKE '%' || $1::text || '%'"


@pytest.fixture
def folder(tmp_path):
    """The default rules as files."""
    write_folder(tmp_path / "repository", default_content(), CATALOGUE)
    return tmp_path / "repository"


def added(folder, line, name="health.csv"):
    path = folder / "rules" / name
    path.write_text(f"{path.read_text()}{line}\n")


def alone(*words):
    """A command that needs no database, run in this process: its exit code and what it would print."""
    arguments = _parser().parse_args(["rules", *words])
    done = arguments.alone(arguments)
    return int(done.wrong), done


def rows(server, statement, *values):
    async def run():
        owner = await connect_once(server.database.owner)
        try:
            return await owner.fetch(statement, *values)
        finally:
            await owner.close()

    return asyncio.run(run())


# --- Files alone ----------------------------------------------------------------------------------------------


def test_a_repository_is_checked_without_a_database(tmp_path, folder):
    data_dir = tmp_path / "data"
    added(folder, "dney,insurer,claim_handling,any,any,reveal,health,C38")
    done = run_cli("rules", "check", str(folder), "--json", data_dir=data_dir, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    (one,) = json.loads(done.stdout)["findings"]
    assert one["severity"] == "ERROR"
    assert one["place"].startswith("rules/health.csv line ")
    assert "did you mean deny?" in one["message"]
    assert [path.name for path in data_dir.iterdir()] == ["needful.json"]


def test_the_default_rules_pass_their_check_and_their_cases():
    code, done = alone("check", str(DATA))
    assert (code, done.data["errors"], done.data["warnings"], done.data["notes"]) == (0, 0, 0, 0)
    assert done.data["cases"] > 700
    assert done.data["failed"] == done.data["unexercised"] == done.data["unnoticed"] == []
    assert done.text.endswith("0 errors, 0 warnings, 0 notes; " + f"{done.data['cases']} cases, 0 failed.")
    code, done = alone("cases", str(DATA))
    assert (code, done.data["findings"]) == (0, [])


def test_a_change_that_breaks_a_case_fails_and_a_rule_that_none_exercises_is_told(folder):
    added(folder, SHOWN)
    added(folder, "allow,insurer,research,any,any,reveal,tag,C38", "tag.csv")
    for command in ("check", "cases"):
        code, done = alone(command, str(folder))
        assert code == 1
        assert {tuple(one["case"][3:]) for one in done.data["failed"]} >= {("Claim.diagnosis", "deny")}
        assert done.data["unexercised"] == ["allow,insurer,research,any,any,reveal,tag,C38"]
        assert "No case exercises  allow,insurer,research,any,any,reveal,tag,C38" in done.text


def test_a_warning_alone_is_told_with_its_place_and_passes(folder):
    added(folder, "deny,insurer,claim_handling,provider,request,reveal,health,C38")
    code, done = alone("check", str(folder))
    assert (code, done.data["errors"], done.data["warnings"]) == (0, 0, 1)
    assert done.data["findings"][0]["place"].startswith("rules/health.csv line ")


def test_many_findings_are_counted_and_the_first_told(folder):
    for number in range(1_200):
        added(
            folder,
            f"allow,insurer,claim_handling,any,any,reveal,Claim.no_{'x' * (number % 40)}{chr(97 + number // 50)},C38",
        )
    code, done = alone("check", str(folder))
    assert code == 1
    assert len(done.data["findings"]) == 1_000 < done.data["errors"]
    assert "the first 1000 are told" in done.text


# --- Against the database -------------------------------------------------------------------------------------


def test_what_is_in_force_is_checked_and_its_cases_run(server):
    checked = server.operate("rules", "check")
    assert (checked["errors"], checked["warnings"], checked["unnoticed"]) == (0, 0, [])
    assert server.operate("rules", "cases")["failed"] == []


def test_what_nobody_was_ever_shown_is_told_of_staff_and_partners(server):
    """In a transaction that is never committed: what other tests were shown is not this one's."""
    asked = _parser().parse_args(["rules", "check", "--unused"])
    shown = "INSERT INTO ledger_use VALUES ('ROLE', 'claims_handler', 'claim_handling', 'Claim.diagnosis', now())"

    async def run():
        owner = await connect_once(server.database.owner)
        never = owner.transaction()
        await never.start()
        try:
            for statement in ("DELETE FROM ledger_use", shown):
                await owner.execute(statement)
                keyring = load(server.installation.keyring_path)
                yield (await asked.act(Call(owner, asked, keyring, utc_now(), server.installation))).data["findings"]
        finally:
            await never.rollback()
            await owner.close()

    async def both():
        return [found async for found in run()]

    nothing, something = asyncio.run(both())
    assert {one["kind"] for one in nothing} == {"NEVER_USED"}
    rules = [rule for rule in default_content().rules if rule.effect == "allow" and rule.action in ("reveal", "mask")]
    theirs = {rule.line for rule in rules if rule.role not in ("customer", "guardian")}
    assert {one["rule"] for one in nothing} == theirs
    used = {one["rule"] for one in nothing} - {one["rule"] for one in something}
    assert used == {
        one for one in theirs if one.startswith("allow,claims_handler,claim_handling,") and ",health," in one
    }
    assert used


def test_what_is_in_force_is_exported_as_it_is_shipped(server, tmp_path):
    done = server.operate("rules", "export", str(tmp_path / "out"))
    assert {name: (tmp_path / "out" / name).read_text() for name in done["files"]} == {
        f"{name}/{path.name}": path.read_text() for name in ("rules", "cases") for path in (DATA / name).glob("*.csv")
    }
    with pytest.raises(OperatorRefusedError, match="There is no ruleset 999"):
        server.operate("rules", "export", str(tmp_path / "other"), "--ruleset", "999")


def test_the_difference_is_told_as_a_matrix_with_what_the_privacy_officer_watches(server, folder):
    assert not server.operate("rules", "diff", "--to", str(folder))["differs"]
    assert not server.operate("rules", "diff", "--default")["differs"]
    assert not server.operate("rules", "diff", "--from", "1", "--to", "1")["differs"]
    added(folder, SHOWN)
    found = server.operate("rules", "diff", "--to", str(folder))
    assert (found["differs"], found["added"], found["removed"]) == (True, [SHOWN], [])
    assert (found["widened"], found["watched"]) == (["health"], ["health"])
    (cell,) = found["answers"]
    assert (cell["purpose"], cell["role"], cell["object"]) == ("claim_handling", "claims_handler", "health")
    assert (cell["before"], cell["after"], cell["widens"], cell["watched"]) == ("deny", "reveal", True, True)
    assert cell["when"] == ["any but assigned any, or assigned any but contract_open"]
    assert "Claim.diagnosis" in cell["coordinates"]


def test_a_difference_ends_with_1_only_where_it_is_asked_to(server, folder):
    added(folder, SHOWN)
    for words, code in (((), 0), (("--exit-code",), 1)):
        done = run_cli("rules", "diff", "--to", str(folder), *words, data_dir=server.data_dir, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert "claim_handling  claims_handler  health  reveal  deny -> reveal" in done.stdout
        assert "The privacy officer has to approve: health." in done.stdout


def test_files_of_which_one_was_not_read_are_not_compared(server, folder):
    (folder / "rules" / "deny.txt").write_text("deny")
    with pytest.raises(OperatorRefusedError, match=r"rules/deny\.txt"):
        server.operate("rules", "diff", "--to", str(folder))


@pytest.mark.parametrize(
    "words, says",
    [
        (("--default", "--to", "1"), "Give one of"),
        (("--to", "999"), "There is no ruleset 999"),
        (("--to", "0"), "a ruleset is a number"),
        (("--to", "nowhere"), "as `rules export` writes it"),
        (("--draft", "00000000-0000-4000-8000-000000000000"), "There is no such draft"),
    ],
)
def test_a_difference_to_nothing_is_refused(server, words, says):
    with pytest.raises(OperatorRefusedError, match=says):
        server.operate("rules", "diff", *words)


@pytest.fixture
def ours(server):
    """Drafts that the test makes, of which none stays; other tests have drafts of their own."""
    made = []
    yield made
    rows(server, "DELETE FROM rule_draft WHERE id = ANY($1::uuid[])", made)


def drafts_titled(server, title):
    return rows(server, "SELECT count(*) FROM rule_draft WHERE title = $1", title)[0][0]


def test_files_become_a_draft_against_what_is_in_force_and_the_ledger_says_so(server, folder, ours):
    before = rows(server, "SELECT count(*) FROM ruleset")
    added(folder, SHOWN)
    kept = (folder / "rules" / "phone.csv").read_text()
    (folder / "rules" / "phone.csv").write_text(kept.replace(f"{MASKED}\n", ""))
    # A case that says otherwise now has to go with the rule.
    with pytest.raises(OperatorRefusedError, match="CASE_FAILED"):
        server.operate("rules", "import", str(folder), "--title", "Health", "--reason", "They need it")
    for path in (folder / "cases").glob("claims_handler.csv"):
        path.unlink()
    done = server.operate("rules", "import", str(folder), "--title", "Health", "--reason", "They need it")
    ours.append(done["draft"])
    ((state, parent, author, title, changes),) = rows(
        server, "SELECT state, parent, author, title, changes FROM rule_draft WHERE id = $1::uuid", done["draft"]
    )
    assert (state, parent, author, title) == ("OPEN", done["parent"], "operator", "Health")
    assert json.loads(changes) == {
        "add": [[*SHOWN.split(","), "", ""]],
        "remove": [[*MASKED.split(","), "", ""]],
        "add_budgets": [],
        "remove_budgets": [],
    }
    assert done["casesDiffer"]
    assert {one["kind"] for one in done["findings"]} == {"WIDENED", "SHADOWED"}
    ((body,),) = rows(server, OF_DRAFT, done["draft"])
    assert json.loads(body)["detail"] == {
        "act": "draft",
        "by": "operator",
        "draft": done["draft"],
        "parent": done["parent"],
    }
    again = server.operate("rules", "diff", "--draft", done["draft"])
    assert again["added"] == done["added"] == [SHOWN]
    assert again["answers"] == done["answers"]
    assert rows(server, "SELECT count(*) FROM ruleset") == before


def test_files_bring_a_draft_up_to_what_they_say_by_now_and_its_title_stays(server, folder, ours):
    added(folder, "allow,claims_handler,claim_handling,any,any,reveal,occupation,C55", "occupation.csv")
    (folder / "cases" / "claims_handler.csv").unlink()
    words = ("rules", "import", str(folder))
    made = server.operate(*words, "--title", "Occupation", "--reason", "They need it")
    ours.append(made["draft"])
    added(folder, "allow,claims_handler,claim_handling,any,any,mask,email,C55", "email.csv")
    done = server.operate(*words, "--draft", made["draft"])
    assert (done["draft"], len(made["added"]), len(done["added"])) == (made["draft"], 1, 2)
    assert {one["kind"] for one in done["findings"]} >= {"WIDENED"}
    shown = server.operate("rules", "show", made["draft"])
    assert (shown["title"], shown["revision"]) == ("Occupation", 2)
    assert sorted(shown["changes"]) == sorted(f"+ {line}" for line in done["added"])


@pytest.mark.parametrize("name", ["deny.txt", "deny.CSV"])
def test_files_of_which_one_was_not_read_become_no_draft_for_it_may_be_what_denies(server, folder, name):
    (folder / "rules" / name).write_text("deny,claims_handler,claim_handling,any,any,reveal,health,C55")
    added(folder, "allow,claims_handler,claim_handling,any,any,reveal,occupation,C55", "occupation.csv")
    title = f"Without {name}"
    with pytest.raises(OperatorRefusedError, match=name):
        server.operate("rules", "import", str(folder), "--title", title, "--reason", "Why")
    assert drafts_titled(server, title) == 0


@pytest.mark.parametrize(
    "title, reason, says",
    [
        ("", "Why", "--title is one line"),
        (" ", "Why", "--title is one line"),
        ("Two\nlines", "Why", "--title is one line"),
        ("x" * 121, "Why", "--title is one line"),
        (None, "Why", "--title is one line"),
        ("Nothing new", None, "--reason is one line"),
        ("Nothing new", "y" * (LONGEST + 1), "--reason is one line"),
        ("Nothing new", "Two\nlines", "--reason is one line"),
        ("Nothing new", "Why", "there is nothing to draft"),
    ],
)
def test_a_draft_of_nothing_or_without_why_is_refused(server, folder, title, reason, says):
    said = {"--title": title, "--reason": reason}
    given = [word for name, text in said.items() if text is not None for word in (name, text)]
    with pytest.raises(OperatorRefusedError, match=says):
        server.operate("rules", "import", str(folder), *given)
    assert drafts_titled(server, title) == 0


def test_files_with_an_error_become_no_draft_and_every_error_is_told(server, folder):
    added(folder, "dney,insurer,claim_handling,any,any,reveal,health,C38")
    added(folder, "g,insurer,affiliate")
    with pytest.raises(OperatorRefusedError) as refused:
        server.operate("rules", "import", str(folder), "--title", "With errors", "--reason", "Why")
    assert "did you mean deny?" in str(refused.value)
    assert "Roles do not inherit" in str(refused.value)
    assert drafts_titled(server, "With errors") == 0


@pytest.mark.parametrize(
    "words",
    [
        *(["diff", "--from", word] for word in ("0", "-1", "x", "99999999999")),
        *(["diff", "--draft", "7"], ["export"], ["import", "x", "--draft", "7"], ["export", "x", "--ruleset", "one"]),
    ],
)
def test_arguments_that_cannot_be_are_usage_errors(words, capsys):
    with pytest.raises(SystemExit) as stop:
        _parser().parse_args(["rules", *words])
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_a_release_whose_cases_alone_are_new_is_published(server):
    async def run():
        owner = await connect_once(server.database.owner)
        undone = owner.transaction()
        await undone.start()
        try:
            numbers = [await latest(owner)]
            for change in (
                "SELECT 1",
                "UPDATE ruleset r SET cases = (SELECT min(digest) FROM ruleset_text WHERE digest <> r.cases)",
            ):
                await owner.execute(change)
                await keep_default(owner, now=utc_now())
                numbers.append(await latest(owner))
            return numbers
        finally:
            await undone.rollback()
            await owner.close()

    first, same, later = asyncio.run(run())
    assert (same, later) == (first, first + 1)
