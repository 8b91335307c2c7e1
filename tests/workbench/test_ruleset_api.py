"""Rules over HTTP and on the command line: drafted by one, approved by others, live in a second, rolled back (C46)."""

import json

import pytest

from models.global_ids import from_global
from tests.workbench.governing import FIRST, OFFICER, ROW, SECOND, WATCHED_ROW, Governing

RULES_ROWS = "SELECT body FROM ledger WHERE body::jsonb ->> 'kind' = 'RULES' ORDER BY at, sequence"


@pytest.fixture(scope="module")
def rules(governed):
    return Governing(governed)


def test_a_change_is_drafted_proposed_approved_by_another_published_felt_and_rolled_back(rules):
    with rules.restored() as before:
        assert rules.occupations() == (0, before)
        proposed = rules.proposed()
        assert (proposed["state"], proposed["parent"]) == ("PROPOSED", before)
        assert rules.publish(proposed)["code"] == "NOT_APPROVED"
        assert rules.review(FIRST, proposed)["code"] == "OWN_DRAFT"
        approved = rules.approved_by_all(proposed)
        assert approved["missing"] == ""
        number = rules.publish(approved)["number"]
        assert number == before + 1
        shown, under = rules.under(number)
        assert shown
        assert under == number
        back = rules.write("rollBackRules", SECOND, to=before, reason="It was a test.")
        assert (back["state"], back["parent"]) == ("PROPOSED", number)
        assert rules.publish(back)["code"] == "NOT_APPROVED"
        assert rules.review(SECOND, back)["code"] == "OWN_DRAFT"
        assert rules.publish(rules.review(FIRST, back))["number"] == number + 1
        assert rules.under(number + 1) == (0, number + 1)
        (kept,) = rules.ask("{ rulesets(first: 1) { number kind restores digest inForce } }")["rulesets"]
        (first,) = rules.ask("query($n: Int!) { ruleset(number: $n) { ruleset { digest } } }", n=before).values()
        assert kept == {
            "number": number + 1,
            "kind": "ROLLBACK",
            "restores": before,
            "digest": first["ruleset"]["digest"],
            "inForce": True,
        }


def test_what_shows_anybody_more_of_what_the_privacy_officer_watches_waits_for_one(rules):
    proposed = rules.proposed(add=[WATCHED_ROW], cases="[]")
    assert proposed["widens"] is True
    half = rules.review(SECOND, proposed)
    assert half["missing"] == "Still missing: a privacy_officer."
    assert rules.publish(half)["code"] == "NOT_APPROVED"
    assert rules.review(OFFICER, proposed)["missing"] == ""
    rules.write("withdrawDraft", FIRST, draft=proposed["id"])
    alone = rules.proposed(add=[WATCHED_ROW], cases="[]")
    assert rules.review(OFFICER, alone)["missing"] == "Still missing: a security_admin."
    assert rules.publish(alone)["code"] == "NOT_APPROVED"
    rules.write("withdrawDraft", FIRST, draft=alone["id"])


def test_a_verdict_is_on_exactly_what_was_looked_at_and_any_edit_voids_it(rules):
    proposed = rules.proposed()
    rules.approved_by_all(proposed)
    edited = rules.write("editDraft", FIRST, draft=proposed["id"], reason="Said better.")
    assert (edited["state"], edited["approves"], edited["revision"]) == ("OPEN", None, 2)
    assert rules.publish(edited)["code"] == "DRAFT_STATE"
    again = rules.write("proposeRules", FIRST, draft=proposed["id"])
    assert again["approves"] != proposed["approves"]
    assert again["missing"]
    assert rules.publish(again)["code"] == "NOT_APPROVED"
    stale = rules.review(SECOND, again, approves=proposed["approves"])
    assert (stale["code"], stale["field"], stale["clause"]) == ("PROPOSAL_CHANGED", "approves", "C46")
    rejected = rules.review(SECOND, again, verdict="REJECTED", note="Not like this.")
    assert rejected["state"] == "REJECTED"
    assert rules.publish(again)["code"] == "DRAFT_STATE"
    mended = rules.write("editDraft", SECOND, draft=again["id"], title="Another hand")
    assert mended["state"] == "OPEN"
    other = rules.write("proposeRules", FIRST, draft=again["id"])
    assert rules.review(SECOND, other)["code"] == "OWN_DRAFT"
    assert rules.write("withdrawDraft", FIRST, draft=again["id"])["state"] == "WITHDRAWN"


def test_after_another_publication_a_draft_is_rebased_and_looked_at_anew(rules):
    with rules.restored():
        proposed = rules.proposed(add=[[*ROW[:6], "tag", "C55"]])
        rules.approved_by_all(proposed)
        waiting = rules.draft(add=[[*ROW[:6], "email", "C55"]])
        other = rules.proposed()
        number = rules.publish(rules.approved_by_all(other))["number"]
        refused = rules.publish(proposed)
        assert (refused["code"], "rebase" in refused["message"]) == ("PARENT_STALE", True)
        assert rules.write("proposeRules", FIRST, draft=waiting)["code"] == "PARENT_STALE"
        moved = rules.write("editDraft", FIRST, draft=proposed["id"], rebase=True)
        assert (moved["parent"], moved["state"]) == (number, "OPEN")
        again = rules.write("proposeRules", FIRST, draft=proposed["id"])
        assert rules.publish(again)["code"] == "NOT_APPROVED"
        assert rules.publish(rules.approved_by_all(again))["number"] == number + 1
        (found,) = rules.ask("{ ruleset { rules { role object action } } }").values()
        said = [(one["role"], one["object"], one["action"]) for one in found["rules"]]
        assert ("customer_service", "tag", "reveal") in said
        assert ("customer_service", "occupation", "reveal") in said
        rules.write("withdrawDraft", FIRST, draft=waiting)


def test_rules_with_an_error_are_not_proposed_and_rows_that_cannot_be_are_not_even_drafted(rules):
    beside = [*ROW[:5], "reveal", "demographic", "C55"]
    draft = rules.draft(add=[beside])
    refused = rules.write("proposeRules", FIRST, draft=draft)
    assert (refused["code"], refused["field"], refused["clause"]) == ("FINDINGS", "draft", "C24")
    document = "query($id: ID!) { ruleDraft(id: $id) { findings { kind severity message } } }"
    (found,) = rules.ask(document, id=draft).values()
    assert "ERROR" in {one["severity"] for one in found["findings"]}
    for row in (["allow"], [*ROW[:6], "no such thing", "C55"], [*ROW[:7], "=1+1"], ["permit", *ROW[1:]]):
        made = rules.write("draftRules", FIRST, title="x", reason="y", add=[row])
        if "code" in made:
            assert (made["code"], made["field"]) == ("RULES_INVALID", "add")
        else:
            assert rules.write("proposeRules", FIRST, draft=made["id"])["code"] == "FINDINGS"
    empty = rules.draft(add=[])
    assert rules.write("proposeRules", FIRST, draft=empty)["code"] == "NOTHING_CHANGED"
    against = rules.draft(add=[WATCHED_ROW])
    refused = rules.write("proposeRules", FIRST, draft=against)
    assert (refused["code"], refused["clause"]) == ("CASES_FAIL", "C24")
    document = "query($id: ID!) { ruleDraft(id: $id) { casesChanged cases { intent case expected got passed } } }"
    (found,) = rules.ask(document, id=against).values()
    assert not found["casesChanged"]
    assert {one["passed"] for one in found["cases"]} == {True, False}
    for title, reason in (("", "y"), ("x", " "), ("x" * 121, "y"), ("x", "y" * 2001)):
        assert rules.write("draftRules", FIRST, title=title, reason=reason)["code"] == "TEXT_INVALID"
    assert rules.write("rollBackRules", FIRST, to=10_000, reason="y")["code"] == "RULESET_UNKNOWN"
    assert rules.write("rollBackRules", FIRST, to=rules.latest, reason="y")["code"] == "NOTHING_CHANGED"


def test_a_roll_back_is_what_was_published_and_nobody_changes_it(rules):
    with rules.restored() as before:
        number = rules.publish(rules.approved_by_all(rules.proposed()))["number"]
        back = rules.write("rollBackRules", FIRST, to=before, reason="As it was.")
        for change in ({"title": "Else"}, {"rebase": True}, {"add": [WATCHED_ROW]}):
            assert rules.write("editDraft", FIRST, draft=back["id"], **change)["code"] == "ROLLBACK_FIXED"
        assert rules.latest == number
        rules.write("withdrawDraft", FIRST, draft=back["id"])


def test_those_who_look_after_the_rules_read_them_and_only_they(rules, governed):
    proposed = rules.proposed()
    document = """query($id: ID!) {
      rulesets(first: 3) { number } ruleset { rules { effect } } ruleDrafts(states: [PROPOSED]) { id }
      brokenGlasses { id } ruleDraft(id: $id) { title state stale editors casesText impact
      changes { add { object } remove { object } } reviews { verdict } missing { roles people sentence } } }"""
    readers = (
        rules.token(SECOND),
        rules.token(OFFICER),
        governed.token("auditor", purposes=["administration"]),
    )
    for token in readers:
        found = governed.post(document, {"id": proposed["id"]}, token=token).json()["data"]
        assert found["ruleDraft"]["changes"] == {"add": [{"object": "occupation"}], "remove": []}
        assert found["ruleDraft"]["missing"]["people"] == 1
        assert found["ruleDraft"]["impact"]
        assert proposed["id"] in [one["id"] for one in found["ruleDrafts"]]
        assert len(found["ruleset"]["rules"]) > 100
    for role, purpose in (
        ("developer", "administration"),
        ("claims_handler", "claim_handling"),
        ("customer", "account_service"),
        ("security_admin", "security"),
    ):
        found = governed.post(document, {"id": proposed["id"]}, token=governed.token(role, purposes=[purpose])).json()
        assert set(found["data"].values()) == {None}
        assert "errors" not in found
    narrowed = governed.token("auditor", purposes=["administration"], categories=[])
    assert governed.post(document, {"id": proposed["id"]}, token=narrowed).json()["data"]["ruleset"] is None
    rules.write("withdrawDraft", FIRST, draft=proposed["id"])


def test_nobody_else_writes_rules_and_the_privacy_officer_reviews_only(rules, governed):
    proposed = rules.proposed()
    who = {
        "auditor": governed.token("auditor", purposes=["administration"]),
        "developer": governed.token("developer", purposes=["administration"]),
        "claims_handler": governed.token("claims_handler", purposes=["claim_handling"]),
        "customer": governed.token("customer", purposes=["account_service"]),
        "privacy_officer": rules.token(OFFICER),
    }
    draft = {"draft": proposed["id"]}
    acts = {
        "draftRules": {"title": "x", "reason": "y"},
        "editDraft": {**draft, "title": "x"},
        "withdrawDraft": draft,
        "proposeRules": draft,
        "rollBackRules": {"to": 1, "reason": "y"},
        "publishRules": draft,
        "reviewRules": {**draft, "approves": proposed["approves"], "verdict": "REJECTED"},
    }
    for role, token in who.items():
        for name, given in acts.items():
            if (role, name) != ("privacy_officer", "reviewRules"):
                refused = rules.write(name, None, "... on Problem { code }", token=token, **given)
                assert refused == {"code": "WRITE_DENIED"}, (role, name)
    assert rules.review(OFFICER, proposed, verdict="REJECTED")["state"] == "REJECTED"


def test_each_act_leaves_a_row_of_its_own_with_the_id_that_the_client_got(rules):
    before = len(rules.execute(RULES_ROWS))
    with rules.restored():
        proposed = rules.proposed()
        number = rules.publish(rules.approved_by_all(proposed))["number"]
        rows = [json.loads(row["body"]) for row in rules.execute(RULES_ROWS)][before:]
        assert [row["detail"]["act"] for row in rows] == ["draft", "propose", "review", "review", "publish"]
        draft = str(from_global(proposed["id"])[1])
        assert {row["detail"]["draft"] for row in rows} == {draft}
        assert {row["role"] for row in rows} == {"security_admin", "privacy_officer"}
        assert {row["detail"]["approves"] for row in rows[1:]} == {proposed["approves"]}
        assert all(row["account"] == row["detail"]["by"] for row in rows)
        assert (rows[-1]["ruleset"], rows[-1]["role"]) == (number, "security_admin")
        assert "A test wants it." not in json.dumps(rows)


# Files in a repository, proposed by a machine, approved by people.


def test_a_machine_proposes_what_a_repository_holds_and_two_people_approve_it(rules, tmp_path):
    folder = tmp_path / "repository"
    rules.cli("rules", "export", str(folder))
    with (folder / "rules" / "occupation.csv").open("a") as stream:
        stream.write(",".join(ROW) + "\n")
    with rules.restored() as before:
        made = json.loads(
            rules.cli("rules", "import", str(folder), "--title", "From Git", "--reason", "Wanted.").stdout
        )
        assert (made["added"], made["removed"]) == ([",".join(ROW)], [])
        proposed = json.loads(rules.cli("rules", "propose", made["draft"]).stdout)
        assert proposed["missing"] == "Still missing: a security_admin, 1 more of security_admin or privacy_officer."
        words = ("rules", "approve", made["draft"], "--approves", proposed["approves"])
        nobody = rules.cli(*words, check=False)
        assert nobody.returncode == 1
        assert "your own access token" in nobody.stderr
        assert json.loads(rules.cli(*words, who=FIRST).stdout)["missing"].endswith("privacy_officer.")
        early = rules.cli("rules", "publish", made["draft"], check=False)
        assert (early.returncode, "Not enough people" in early.stderr) == (1, True)
        assert json.loads(rules.cli(*words, who=SECOND).stdout)["missing"] == ""
        published = json.loads(rules.cli("rules", "publish", made["draft"]).stdout)
        assert published["ruleset"] == before + 1
        assert rules.under(before + 1)[0]
        (kept,) = rules.ask("{ rulesets(first: 1) { author } }")["rulesets"]
        assert kept["author"] == "operator"


def test_a_token_that_is_nobodys_of_the_staff_or_has_been_taken_back_approves_nothing(rules, governed, tmp_path):
    proposed = rules.proposed()
    draft = str(from_global(proposed["id"])[1])
    file = tmp_path / "token"

    def refused(token):
        file.write_text(token)
        words = ("rules", "approve", draft, "--approves", proposed["approves"], "--token-file", str(file))
        found = rules.cli(*words, check=False)
        assert (found.returncode, found.stdout) == (1, "")
        return found.stderr

    assert "no token of a member of staff" in refused(governed.token("customer", purposes=["account_service"]))
    assert "refused" in refused("x.y.z")
    assert "Your role" in refused(governed.token("auditor", purposes=["administration"]))
    assert "purpose" in refused(governed.token("security_admin", user=SECOND, purposes=["security"]))
    assert "wrote or proposed" in refused(rules.token(FIRST))
    rules.write("withdrawDraft", FIRST, draft=proposed["id"])


def test_whoever_did_something_is_named_to_those_who_watch(rules):
    with rules.restored():
        proposed = rules.approved_by_all(rules.proposed())
        document = """query($id: ID!) { ruleDraft(id: $id) {
          author authorName editors editorNames proposedBy proposedByName reviews { reviewer reviewerName } } }"""
        (said,) = rules.ask(document, id=proposed["id"]).values()
        assert (said["authorName"], said["editorNames"], said["proposedByName"]) == (FIRST, [FIRST], FIRST)
        assert said["author"] == said["proposedBy"] == said["editors"][0] != FIRST
        assert [one["reviewerName"] for one in said["reviews"]] == [SECOND, OFFICER]
        number = rules.publish(proposed)["number"]
        names = {
            one["number"]: one["authorName"] for one in rules.ask("{ rulesets { number authorName } }")["rulesets"]
        }
        assert (names[number], names[1]) == (FIRST, None)


# What costs much.


def test_a_rulesets_rows_come_in_pages_that_join_to_the_whole(rules):
    document = "query($f: Int!, $o: Int!) { ruleset(first: $f, offset: $o) { ruleCount rules { role object } } }"
    whole = rules.ask(document, f=1_000, o=0)["ruleset"]
    assert whole["ruleCount"] == len(whole["rules"])
    pages = [rules.ask(document, f=150, o=offset)["ruleset"] for offset in range(0, whole["ruleCount"], 150)]
    assert [row for page in pages for row in page["rules"]] == whole["rules"]
    assert {len(page["rules"]) for page in pages[:-1]} == {150}
    assert rules.ask(document, f=10, o=whole["ruleCount"])["ruleset"]["rules"] == []
    for given, code in (({"f": 1_001, "o": 0}, "LIMIT_EXCEEDED"), ({"f": 1, "o": -1}, "BAD_USER_INPUT")):
        body = rules.server.post(document, given, token=rules.token(FIRST)).json()
        assert body["errors"][0]["extensions"]["code"] == code


def test_checks_of_many_drafts_are_too_much_for_one_answer(rules):
    def refused(document):
        body = rules.server.post(document, token=rules.token(FIRST)).json()
        return [(one["extensions"]["code"], one["extensions"]["limit"]) for one in body.get("errors", ())]

    for selected in ("findings { kind }", "findingCount", "cases { passed }"):
        assert refused(f"{{ ruleDrafts(first: 20) {{ {selected} }} }}") == [("LIMIT_EXCEEDED", "cost")]
    assert refused("{ ruleDrafts(first: 20) { id title state } }") == []
    many = " ".join(f'd{one}: ruleDraft(id: "x") {{ findings {{ kind }} }}' for one in range(20))
    assert refused(f"{{ {many} }}") == [("LIMIT_EXCEEDED", "cost")]
    asked = 'reach(role: "insurer", purpose: CLAIM_HANDLING, ruleset: 1) { effect }'
    assert refused(f"{{ {' '.join(f'r{one}: {asked}' for one in range(10))} }}") == [("LIMIT_EXCEEDED", "cost")]
