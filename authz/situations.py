"""Situations as integers: a bit for every (relation, basis) pair that some record witnesses."""

from collections.abc import Iterator

from authz.vocabulary import ANY, Basis, Relation

_RELATIONS = tuple(Relation)
_BASES = tuple(Basis)

NOTHING = 1
"""The situation of a datum that no record ties to the subject and nothing opens: {(none, none)}."""

UNCOVERED = 1 << (len(_RELATIONS) * len(_BASES))
"""The situation of a datum whose use no notice tells of that its data subject agreed to (C75): no pair, not even
(none, none), so that no rule fits it."""

UNTOLD = "no notice agreed to"
"""How records say it."""


def pair_bit(relation: Relation, basis: Basis) -> int:
    """The bit of one pair."""
    return 1 << (_RELATIONS.index(relation) * len(_BASES) + _BASES.index(basis))


def pairs(situation: int) -> Iterator[tuple[Relation, Basis]]:
    """The pairs of a situation; no bit at all reads as {(none, none)}."""
    for relation in _RELATIONS:
        for basis in _BASES:
            if (situation or NOTHING) & pair_bit(relation, basis):
                yield relation, basis


def words(situation: int) -> list[str]:
    """A situation as records say it: `relation/basis` of each pair, or that nothing was told of the use (C75)."""
    if situation == UNCOVERED:
        return [UNTOLD]
    return [f"{relation}/{basis}" for relation, basis in pairs(situation)]


def holds(situation: int, relation: str, basis: str) -> bool:
    """Does one pair of the situation fit both words of a rule? `any` fits whatever is there, none included."""
    return bool((situation or NOTHING) & fitting(relation, basis))


def has_relation(situation: int, relation: str) -> bool:
    """Does some pair of the situation have this relation, whatever its basis?"""
    return holds(situation, relation, ANY)


def fitting(relation: str, basis: str) -> int:
    """The pairs that fit both words of a rule, as bits. Raises ValueError for a word outside the vocabulary."""
    found = _MASKS.get((relation, basis))
    if found is None:
        message = "a rule names a relation or basis outside the vocabulary"
        raise ValueError(message)
    return found


def _all_masks() -> dict[tuple[str, str], int]:
    masks: dict[tuple[str, str], int] = {}
    for relation in (*_RELATIONS, ANY):
        for basis in (*_BASES, ANY):
            masks[relation, basis] = sum(
                pair_bit(one, other)
                for one in (_RELATIONS if relation == ANY else (Relation(relation),))
                for other in (_BASES if basis == ANY else (Basis(basis),))
            )
    return masks


_MASKS = _all_masks()
