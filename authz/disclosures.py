"""What a disclosure case opens of one person, and who may know of it, as SQL over a case and its person (C25, C42-C45).

A case opens only categories that it names, of persons that it names. Where it rests on the persons' own word, it opens
no more of each than they chose, in the manner they chose, as long as they stand by it.
"""

from models.disclosures import CATEGORIES_ONLY

# An organization that is not bound has to ask anew: what was said before it was known counts for nothing (C43).
_AGREED = (
    "coalesce((SELECT ch.categories FROM disclosure_choice ch WHERE ch.person_id = {person}"
    " AND ch.receiver_id = {case}.receiver_id AND ch.chosen_at >= {case}.opened_at AND ch.withdrawn_at IS NULL), 0)"
)
_CHOSEN = (
    "coalesce((SELECT ch.items FROM disclosure_choice ch WHERE ch.person_id = {person}"
    " AND ch.manner = {case}.manner AND ch.withdrawn_at IS NULL), 0)"
)


def asks_anew(case: str) -> str:
    """SQL: does this case rest on the word of each person, given since it was opened? (C42, C43)"""
    return (
        f"({case}.kind = 'MERGER' AND {case}.undertaking IS NULL"
        f" OR {case}.kind = 'TRANSFER' AND {case}.basis = 'CONSENT')"
    )


def opens(case: str, person: str) -> str:
    """SQL: what an approved case opens of one of its persons: categories, or of a public one items, as a stored set."""
    given = {"case": case, "person": person}
    categories = f"({case}.categories & {CATEGORIES_ONLY})::bigint"
    return (
        f"(CASE WHEN {case}.kind = 'PUBLIC' THEN {case}.items & {_CHOSEN.format(**given)} & ~{CATEGORIES_ONLY}::bigint"
        f" WHEN {asks_anew(case)} THEN {categories} & {_AGREED.format(**given)} ELSE {categories} END)"
    )


def agreed_ever(case: str, person: str) -> str:
    """SQL: which categories a case has opened of one of its persons at any time; null: of who stayed frozen, none.

    Of a case that rests on nobody's word, all of its own.
    """
    return (
        f"(CASE WHEN {asks_anew(case)} THEN (SELECT nullif(bit_or(ch.categories) & {case}.categories, 0)"
        f" FROM disclosure_choice ch WHERE ch.person_id = {person} AND ch.receiver_id = {case}.receiver_id"
        f" AND ch.chosen_at >= {case}.opened_at) ELSE {case}.categories END)"
    )


def told_of(case: str) -> str:
    """SQL: may its persons know of this case? Always, but for a time that the law sets and the case names."""
    return f"({case}.secret_until IS NULL OR {case}.secret_until <= now())"
