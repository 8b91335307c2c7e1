"""Drafts: begun, edited row by row or cell by cell, checked, proposed, reviewed, published (C46)."""

from asyncio import to_thread
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from authz.rules import RulesetError, parse_rule
from authz.workbench.drafts import Changes
from console import checking
from console.asking import Problem, Refused
from console.forms import between
from console.frame import EDITORS, WATCHERS, Page, page
from console.matrix import edited
from console.pages.fields import catalogue_of, snapshot_of
from console.pages.matrix import ADDRESS as MATRIX
from console.pages.matrix import cell_wanted, matrix_page, purpose_of
from console.rulesets import DraftSaid, draft_of
from models.vocabulary import Purpose, Role
from resolvers.payloads import ProblemCode

ADDRESS = "/console/drafts"
_TABS = ("changes", "difference", "impact", "cases", "approval")
_PAGE = 20
MOST_REPLAY_DAYS, USUAL_REPLAY_DAYS = 366, 30
_REVIEWERS = (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER)


def address_of(found: Page, tab: str = "changes") -> str:
    """The page of the draft that the address names."""
    return f"{ADDRESS}/{found.http.path_params['id']}" + ("" if tab == "changes" else f"/{tab}")


async def _list(found: Page, *, problem: Problem | None = None) -> Response:
    drafts = (await found.ask("RuleDrafts", first=_PAGE))["ruleDrafts"]
    return found.render("drafts.html", status=400 if problem else 200, problem=problem, drafts=drafts, given=found.form)


async def _begin(found: Page) -> Response:
    begun = await found.ask.write("DraftRules", {name: found.form.get(name, "") for name in ("title", "reason")})
    if isinstance(begun, Problem):
        return await _list(found, problem=begun)
    purpose = found.form.get("purpose", "")
    return found.go(f"{MATRIX}?draft={begun['id']}&purpose={purpose_of(purpose)}", done="begun")


async def _show(found: Page, *, tab: str = "", problem: Problem | None = None) -> Response:
    """One draft, on one of its tabs."""
    tab = tab or found.http.path_params.get("tab", "changes")
    if tab not in _TABS:
        raise found.refused(404, "NOT_FOUND", "refusal.unknown")
    draft = await draft_of(found, found.http.path_params["id"], checks=tab in ("changes", "cases", "approval"))
    now, catalogue = found.console.clock(), catalogue_of(found)
    given: dict[str, Any] = {}
    if tab == "difference":
        try:
            given["cells"] = await to_thread(checking.differs, draft, catalogue, now)
        except RulesetError as refused:
            given["cells"], problem = [], problem or checking.invalid(refused)
    if tab == "changes" and draft.open and found.role in EDITORS:
        given.update(_rows_there(found, draft))
    if tab == "impact":
        given["days"] = days = _days(found.given("days"))
        given["impact"] = (await found.ask("RuleImpact", draft=draft.id, days=days, language=found.say.language.word))[
            "ruleImpact"
        ]
    if tab == "cases":
        given["whole"] = bool(found.given("all"))
        given["differing"] = checking.cases_changed(draft)
        given["coverage"] = await to_thread(checking.reaches, draft.after, catalogue)
    if tab == "approval":
        given["differing"] = checking.cases_changed(draft)
        given["report"] = checking.report_in(draft.impact, found.say.language)
    status = 400 if problem else 200
    typed = found.form.get("rows", "")
    reviews = found.role in _REVIEWERS and draft.state == "PROPOSED"
    return found.render(
        "draft.html",
        status=status,
        problem=problem,
        draft=draft,
        tab=tab,
        tabs=_TABS,
        typed=typed,
        reviews=reviews,
        **given,
    )


def _rows_there(found: Page, draft: DraftSaid) -> dict[str, Any]:
    """The rows of one role and purpose that may be taken away, and which to choose among."""
    role, purpose = found.given("role"), found.given("purpose")
    whose = {"there_role": role, "there_purpose": purpose, "roles": list(Role), "purposes": list(Purpose)}
    rows = (draft.after.budgets, draft.after.rules)
    there = [one.line for some in rows for one in some if (one.role, one.purpose) == (role, purpose)]
    return {**whose, "there": there}


def _days(text: str) -> int:
    return between(text, 1, MOST_REPLAY_DAYS) or USUAL_REPLAY_DAYS


async def _edit(found: Page, given: Mapping[str, object], *, tab: str = "changes", back: str | None = None) -> Response:
    """Keep an edit; on its tab or where it leads `back` to, or on the tab with the problem."""
    kept = await found.ask.write("EditDraft", {"draft": found.http.path_params["id"], **given})
    if isinstance(kept, Problem):
        return await _show(found, tab=tab, problem=kept)
    return found.go(back or address_of(found, tab), done="kept")


def _said(changes: Changes) -> dict[str, list[list[str]]]:
    """Changes as the API takes them."""
    return {
        "add": [rule.line.split(",") for rule in changes.add],
        "remove": [rule.line.split(",") for rule in changes.remove],
        "addBudgets": [budget.line.split(",") for budget in changes.add_budgets],
        "removeBudgets": [budget.line.split(",") for budget in changes.remove_budgets],
    }


async def _rows(found: Page) -> Response:
    """Add the rows that were typed."""
    try:
        changes = checking.rows_in(found.form.get("rows", ""))
    except RulesetError as refused:
        return await _show(found, problem=checking.invalid(refused))
    return await _edit(found, _said(changes))


async def _check_rows(found: Page) -> Response:
    """What is to be said of rows as somebody types them."""
    try:
        changes = checking.rows_in(found.form.get("rows", ""))
    except RulesetError as refused:
        return found.render("told.html", told=checking.Told(refused=checking.invalid(refused)))
    return await _told(found, changes)


async def _told(found: Page, changes: Changes) -> Response:
    draft = await draft_of(found, found.http.path_params["id"])
    told = await to_thread(checking.told_of, draft, changes, snapshot_of(found), found.console.clock())
    return found.render("told.html", told=told)


async def _take_back(found: Page) -> Response:
    """Take back one change of the draft."""
    draft = await draft_of(found, found.http.path_params["id"])
    return await _edit(found, _said(checking.without(draft.changes, [found.form.get("row", "")])))


async def _take_away(found: Page) -> Response:
    """Take a row away that the draft has now, and go back to where it stood."""
    draft = await draft_of(found, found.http.path_params["id"])
    changes = checking.taken_away(draft.after, [found.form.get("row", "")])
    if not (changes.remove or changes.remove_budgets):
        return await _show(found, tab="changes", problem=Problem("", found.say("drafts.row_gone")))
    role, purpose = found.form.get("role", ""), found.form.get("purpose", "")
    back = address_of(found) + f"?role={quote(role)}&purpose={quote(purpose)}#there"
    if found.form.get("from") == "matrix":
        back = f"{MATRIX}?draft={draft.id}&purpose={purpose_of(purpose)}"
    return await _edit(found, _said(changes), back=back)


async def _cell_changes(found: Page, draft: DraftSaid) -> Changes:
    """What the form of a cell changes. Raises Refused."""
    role, purpose, category, wanted = cell_wanted(found)
    clause = found.form.get("clause", "").strip()
    try:
        rows = edited(draft.after.rules, role, purpose, category, wanted=wanted, clause=clause)
    except ValueError:
        raise found.refused(400, "BAD_REQUEST", "refusal.form") from None
    if any(not rule.clause for rule in rows.add):
        raise found.refused(400, "BAD_USER_INPUT", "matrix.clause_missing")
    try:
        for rule in rows.add:
            parse_rule(rule.line.split(","), place=found.say("word.clause"))
    except RulesetError as refused:
        raise Refused(400, ProblemCode.RULES_INVALID.value, str(refused)) from None
    return Changes(add=rows.add, remove=rows.remove)


async def _cell(found: Page) -> Response:
    """Keep what was changed of a cell, and go back to the matrix."""
    draft = await draft_of(found, found.http.path_params["id"])
    changes = await _cell_changes(found, draft)
    back = f"{MATRIX}?draft={draft.id}&purpose={purpose_of(found.form.get('purpose', ''))}"
    if not (changes.add or changes.remove):
        return found.go(back)
    kept = await found.ask.write("EditDraft", {"draft": draft.id, **_said(changes)})
    if isinstance(kept, Problem):
        shown = replace(found, form={**found.form, "draft": draft.id})
        return await matrix_page(shown, problem=kept)
    return found.go(back, done="kept")


async def _check_cell(found: Page) -> Response:
    """What is to be said of a cell as somebody changes it."""
    draft = await draft_of(found, found.http.path_params["id"])
    try:
        changes = await _cell_changes(found, draft)
    except Refused as refused:
        return found.render("told.html", told=checking.Told(refused=refused.problem))
    told = await to_thread(checking.told_of, draft, changes, snapshot_of(found), found.console.clock())
    return found.render("told.html", told=told)


async def _words(found: Page) -> Response:
    """Change title and reason."""
    return await _edit(found, {name: found.form.get(name, "") for name in ("title", "reason")})


async def _rebase(found: Page) -> Response:
    """Take the draft onto the ruleset in force."""
    return await _edit(found, {"rebase": True})


async def _cases(found: Page) -> Response:
    """Replace the cases."""
    return await _edit(found, {"cases": found.form.get("cases", "")}, tab="cases")


async def _accept(found: Page) -> Response:
    """Expect of the cases that fail what came."""
    draft = await draft_of(found, found.http.path_params["id"])
    try:
        cases = await to_thread(checking.accepted, draft.after, catalogue_of(found), found.console.clock())
    except RulesetError as refused:
        return await _show(found, tab="cases", problem=checking.invalid(refused))
    return await _edit(found, {"cases": cases}, tab="cases")


def _acts(document: str, done: str, names: Iterable[str] = ()) -> Any:  # noqa: ANN401 - an Answers
    """An act on a draft, on the page of its approval."""
    fields = tuple(names)

    async def act(found: Page) -> Response:
        given = {name: found.form.get(name, "") for name in fields}
        done_so = await found.ask.write(document, {"draft": found.http.path_params["id"], **given})
        if isinstance(done_so, Problem):
            return await _show(found, tab="approval", problem=done_so)
        return found.go(address_of(found, "approval"), done=done)

    return act


_ONE = f"{ADDRESS}/{{id}}"


def _posts() -> list[Route]:
    acts = {
        "rows": _rows,
        "take-back": _take_back,
        "take-away": _take_away,
        "cell": _cell,
        "words": _words,
        "rebase": _rebase,
        "cases": _cases,
        "accept": _accept,
        "check-rows": _check_rows,
        "check-cell": _check_cell,
        "propose": _acts("ProposeRules", "proposed"),
        "publish": _acts("PublishRules", "published"),
        "withdraw": _acts("WithdrawDraft", "withdrawn"),
    }
    reviewed = page(_acts("ReviewRules", "reviewed", ("approves", "verdict", "note")), *_REVIEWERS)
    edits = [Route(f"{_ONE}/{name}", page(act, *EDITORS), methods=["POST"]) for name, act in acts.items()]
    return [*edits, Route(f"{_ONE}/review", reviewed, methods=["POST"])]


ROUTES = (
    Route(ADDRESS, page(_list, *WATCHERS), methods=["GET"]),
    Route(ADDRESS, page(_begin, *EDITORS), methods=["POST"]),
    *_posts(),
    Route(_ONE, page(_show, *WATCHERS), methods=["GET"]),
    Route(f"{_ONE}/{{tab}}", page(_show, *WATCHERS), methods=["GET"]),
)
