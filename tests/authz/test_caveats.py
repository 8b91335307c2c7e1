"""Caveats: what they are written as, what is refused, and which uses of a token are within them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.caveats import (
    MOST_NAMES,
    MOST_ROWS,
    MaskOnly,
    OnlyPolicies,
    OnlyProducts,
    RowCeiling,
    Until,
    Use,
    read_caveats,
    write_caveats,
)
from authz.vocabulary import Effect, Reason

PINNED = [
    (OnlyPolicies(("P-1", "P-2")), b'{"policies":["P-1","P-2"]}'),
    (OnlyProducts(("HEALTH-A",)), b'{"products":["HEALTH-A"]}'),
    (Until(1_900_000_000), b'{"until":1900000000}'),
    (RowCeiling(500), b'{"row_ceiling":500}'),
    (MaskOnly(), b'{"mask_only":true}'),
]


def canonical(members) -> bytes:
    """Its bytes as RFC 8785 has them, which for these members is sorted keys and no spaces."""
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("caveat, pinned", PINNED, ids=lambda one: type(one).__name__)
def test_a_caveat_is_written_as_the_very_bytes_that_tokens_in_use_hold(caveat, pinned):
    assert canonical(write_caveats((caveat,))) == pinned
    assert read_caveats(json.loads(pinned)) == (caveat,)


def test_no_caveat_is_no_member():
    assert write_caveats(()) == {}
    assert read_caveats({}) == ()


NAMES = st.lists(
    st.text(min_size=1, max_size=32).filter(str.isprintable), min_size=1, max_size=MOST_NAMES, unique=True
).map(tuple)
ROWS = st.one_of(st.none(), NAMES.map(OnlyPolicies), NAMES.map(OnlyProducts))
TIMES = st.one_of(st.none(), st.integers(0, 2**53 - 1).map(Until))
CEILINGS = st.one_of(st.none(), st.integers(0, MOST_ROWS).map(RowCeiling))
MASKS = st.one_of(st.none(), st.just(MaskOnly()))


@given(st.tuples(ROWS, TIMES, CEILINGS, MASKS))
def test_what_is_written_is_read_back(found):
    caveats = tuple(one for one in found if one is not None)
    assert read_caveats(json.loads(canonical(write_caveats(caveats)))) == caveats


@pytest.mark.parametrize(
    "members",
    [
        {"policy": ["P-1"]},
        {"Policies": ["P-1"]},
        {"mask_only": True, "more": 1},
        {"policies": ["P-1"], "products": ["A"]},
        {"policies": []},
        {"policies": "P-1"},
        {"policies": [1]},
        {"policies": [""]},
        {"policies": ["P" * 33]},
        {"policies": ["P\0"]},
        {"policies": ["\ud800"]},
        {"policies": [f"P-{number}" for number in range(MOST_NAMES + 1)]},
        {"products": None},
        {"until": 1.5},
        {"until": True},
        {"until": -1},
        {"until": "tomorrow"},
        {"until": 2**53},
        {"row_ceiling": -1},
        {"row_ceiling": True},
        {"row_ceiling": MOST_ROWS + 1},
        {"row_ceiling": None},
        {"mask_only": False},
        {"mask_only": 1},
        {"mask_only": "true"},
    ],
)
def test_a_member_that_is_not_understood_is_refused_and_never_skipped(members):
    with pytest.raises(ValueError, match=r"\w"):
        read_caveats(members)


@pytest.mark.parametrize(
    "caveat, within, outside, reason",
    [
        (OnlyPolicies(("P-1", "P-2")), Use(policy="P-2"), Use(policy="P-3"), Reason.TOKEN_SCOPE),
        (OnlyPolicies(("P-1",)), Use(policy="P-1"), Use(), Reason.TOKEN_SCOPE),
        (OnlyProducts(("A",)), Use(product="A"), Use(product="B", policy="A"), Reason.TOKEN_SCOPE),
        (OnlyProducts(("A",)), Use(product="A"), Use(), Reason.TOKEN_SCOPE),
        (Until(100), Use(now=99), Use(now=100), Reason.TOKEN_SCOPE),
        (RowCeiling(3), Use(rows=3), Use(rows=4), Reason.LIMIT),
        (RowCeiling(0), Use(rows=0), Use(rows=1), Reason.LIMIT),
        (MaskOnly(), Use(effect=Effect.MASK), Use(effect=Effect.REVEAL), Reason.TOKEN_SCOPE),
    ],
)
def test_a_use_is_within_a_caveat_or_outside_it_with_a_reason(caveat, within, outside, reason):
    assert caveat.verify(within) is None
    assert caveat.verify(outside) is reason
