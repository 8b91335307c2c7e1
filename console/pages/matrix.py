"""The matrix of a ruleset or of a draft, and the editing of its cells."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from authz.ruleset_store import Content
from console.frame import EDITORS, WATCHERS, Page, page
from console.matrix import BASES, NOTHING, RELATIONS, Cell, cells, possible
from console.pages.fields import catalogue_of
from console.rulesets import DraftSaid, content_of, draft_of, number_in
from models.vocabulary import Category, Purpose, Role

ADDRESS = "/console/matrix"
_FIRST = Purpose.CLAIM_HANDLING


def purpose_of(text: str) -> Purpose:
    """A purpose by its word; the one that shows most if there is none of that word."""
    return Purpose(text) if text in set(Purpose) else _FIRST


async def matrix_page(found: Page, *, problem: Any = None) -> Response:  # noqa: ANN401 - a text or a Problem
    """The matrix of the draft or ruleset that the address names, by default of what is in force."""
    purpose = purpose_of(found.given("purpose"))
    draft = await draft_of(found, found.given("draft")) if found.given("draft") else None
    chosen = number_in(found.given("ruleset"))
    number, content = (draft.parent, draft.after) if draft else await _ruleset(found, chosen)
    catalogue = catalogue_of(found)
    there = cells(content.rules, purpose, catalogue)
    before = cells(draft.before.rules, purpose, catalogue) if draft else there
    return found.render(
        "matrix.html",
        status=400 if problem else 200,
        problem=problem,
        number=number,
        chosen_number=chosen,
        draft=draft,
        purpose=purpose,
        purposes=list(Purpose),
        categories=list(Category),
        roles=list(Role) if draft else [role for role in Role if role in there],
        cells=there,
        changed=_changed(before, there) if draft else frozenset(),
        editing=_editing(found, draft, there),
        relations=RELATIONS,
        bases=BASES,
    )


async def _ruleset(found: Page, chosen: int | None) -> tuple[int, Content]:
    said, content = await content_of(found, chosen)
    return said["number"], content


def _changed(
    before: dict[Role, dict[Category, Cell]], after: dict[Role, dict[Category, Cell]]
) -> frozenset[tuple[Role, Category]]:
    """The cells that differ."""
    places = [(role, category) for role in Role for category in Category]
    return frozenset(
        (role, category)
        for role, category in places
        if before.get(role, {}).get(category) != after.get(role, {}).get(category)
    )


def _editing(found: Page, draft: DraftSaid | None, there: dict[Role, dict[Category, Cell]]) -> dict[str, object] | None:
    """The cell that is being changed: its pairs, and which letters it may have."""
    role, _, category = found.given("cell").partition(".")
    if draft is None or not draft.open or found.role not in EDITORS:
        return None
    if role not in set(Role) or category not in set(Category):
        return None
    cell = there.get(Role(role), {}).get(Category(category))
    return {
        "role": Role(role),
        "category": Category(category),
        "pairs": dict(cell.pairs) if cell else {},
        "possible": possible(Category(category)),
        "others": [*cell.fields, *cell.denied] if cell else [],
    }


def cell_wanted(found: Page) -> tuple[Role, Purpose, Category, dict[tuple[str, str], str]]:
    """What the form of a cell asks for: the letter of each pair, of a new one too. Raises Refused."""
    form = found.form
    try:
        place = Role(form["role"]), Purpose(form["purpose"]), Category(form["category"])
    except (KeyError, ValueError):
        raise found.refused(400, "BAD_REQUEST", "refusal.form") from None
    wanted: dict[tuple[str, str], str] = {}
    for name, letter in form.items():
        word, *pair = name.split(".")
        if word == "pair" and len(pair) == 2:  # noqa: PLR2004 - relation and basis
            if pair[0] not in RELATIONS or pair[1] not in BASES:
                raise found.refused(400, "BAD_REQUEST", "refusal.form")
            wanted[pair[0], pair[1]] = letter
    new = form.get("relation", ""), form.get("basis", "")
    if new[0] in RELATIONS and new[1] in BASES:
        wanted[new] = form.get("letter", NOTHING)
    return (*place, wanted)


ROUTES = (Route(ADDRESS, page(matrix_page, *WATCHERS), methods=["GET"]),)
