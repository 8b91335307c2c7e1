"""Comparing two notices: every structured change is found, and is major by exactly its ground (C76, C77)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose
from privacy.comparison import Ground, compare
from privacy.notice_contents import Clause, Content, NoticeError, Right, Told, parse_content, read_content
from privacy.notices import default_notice

FIRST = default_notice()
ALL = sum(one.bit for one in Category)
PLACES = [(purpose, kind) for purpose in Purpose for kind in OrganizationKind]
TEXTS = st.text("甲乙丙丁abc", min_size=1, max_size=5)


def another(old: str):
    return TEXTS.filter(lambda text: text != old)


@st.composite
def contents(draw) -> Content:
    """Any content with few functions, rights and clauses."""
    places = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=5, unique=True))
    names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    return replace(
        FIRST,
        mode=draw(TEXTS),
        controller=draw(TEXTS),
        functions=tuple(Told(*place, draw(st.integers(1, ALL)), draw(TEXTS)) for place in places),
        rights=tuple(Right(name, draw(TEXTS)) for name in names),
        clauses=tuple(Clause(name, draw(TEXTS), draw(TEXTS)) for name in names),
    )


def one_changed(items, draw, change):
    place = draw(st.integers(0, len(items) - 1))
    return (*items[:place], change(items[place]), *items[place + 1 :])


def changed_mode(content, draw):
    return replace(content, mode=draw(another(content.mode))), {Ground.PROCESSING}


def changed_categories(content, draw):
    def change(one):
        return replace(one, categories=draw(st.integers(1, ALL).filter(lambda bits: bits != one.categories)))

    return replace(content, functions=one_changed(content.functions, draw, change)), {Ground.PROCESSING}


def changed_use(content, draw):
    def change(one):
        return replace(one, use=draw(another(one.use)))

    return replace(content, functions=one_changed(content.functions, draw, change)), {Ground.PROCESSING}


def new_function(content, draw):
    told = {one.function for one in content.functions}
    place = draw(st.sampled_from(PLACES).filter(lambda one: one not in told))
    ground = Ground.PROCESSING if place[1] is OrganizationKind.BROKER else Ground.RECIPIENTS
    new_purpose = {Ground.PROCESSING} if place[0] not in {one.purpose for one in content.functions} else set()
    function = Told(*place, draw(st.integers(1, ALL)), draw(TEXTS))
    return replace(content, functions=(*content.functions, function)), {ground} | new_purpose


def changed_control(content, draw):
    return replace(content, controller=draw(another(content.controller))), {Ground.CONTROL}


def changed_right(content, draw):
    def change(one):
        return replace(one, how=draw(another(one.how)))

    return replace(content, rights=one_changed(content.rights, draw, change)), {Ground.RIGHTS}


def new_right(content, draw):
    names = {one.name for one in content.rights}
    name = draw(TEXTS.filter(lambda text: text not in names))
    return replace(content, rights=(*content.rights, Right(name, "how"))), {Ground.RIGHTS}


def changed_responsible(content, draw):
    member = draw(st.sampled_from(["department", "contact", "address", "complaints"]))
    party = replace(content.responsible, **{member: draw(another(getattr(content.responsible, member)))})
    return replace(content, responsible=party), {Ground.RESPONSIBLE}


def reworded(content, draw):
    def change(one):
        return replace(one, text=draw(another(one.text)))

    return replace(content, clauses=one_changed(content.clauses, draw, change)), set()


def another_summary(content, draw):
    return replace(content, summary=draw(another(content.summary))), set()


CHANGES = [
    changed_mode,
    changed_categories,
    changed_use,
    new_function,
    changed_control,
    changed_right,
    new_right,
    changed_responsible,
    reworded,
    another_summary,
]


@given(content=contents(), change=st.sampled_from(CHANGES), data=st.data())
def test_c76_any_change_is_found_and_is_major_by_exactly_its_ground_both_ways(content, change, data):
    after, grounds = change(content, data.draw)
    for found in (compare(content, after), compare(after, content)):
        assert found.changes
        assert set(found.grounds) == grounds
        assert found.major is bool(grounds)


@given(
    content=contents(), changes=st.lists(st.sampled_from(CHANGES), min_size=2, max_size=4, unique=True), data=st.data()
)
def test_c76_a_version_that_shows_anybody_anything_else_is_never_minor(content, changes, data):
    after = content
    for change in changes:
        after, _ = change(after, data.draw)
    found = compare(content, after)
    assert found.major or (after.told, after.rights, after.responsible) == (
        content.told,
        content.rights,
        content.responsible,
    )
    assert {one.place for one in found.changes} == {one.place for one in compare(after, content).changes}


@given(content=contents(), data=st.data())
def test_c76_the_same_said_in_another_order_under_another_name_is_no_change(content, data):
    same = replace(
        content,
        version="another",
        functions=tuple(data.draw(st.permutations(content.functions))),
        rights=tuple(data.draw(st.permutations(content.rights))),
        clauses=tuple(data.draw(st.permutations(content.clauses))),
    )
    assert compare(content, same).changes == ()


@given(content=contents())
def test_c77_an_answered_assessment_of_high_risk_is_major_whatever_else_there_is(content):
    found = compare(content, replace(content, summary="another"), answered=["A new engine of prices"])
    assert found.major
    assert found.grounds == (Ground.IMPACT,)


@given(content=contents())
def test_c82_a_content_is_read_back_as_it_was_and_named_by_what_it_says(content):
    again = parse_content(content.text)
    assert (again, again.text, again.digest) == (content, content.text, content.digest)
    assert replace(content, mode=content.mode + "!").digest != content.digest


def without(name):
    return {key: value for key, value in FIRST.json.items() if key != name}


@pytest.mark.parametrize(
    "given_, told",
    [
        ([], "the notice must be an object with exactly version"),
        (without("rights"), "the notice must be an object"),
        ({**FIRST.json, "more": 1}, "the notice must be an object"),
        ({**FIRST.json, "version": "a b"}, "version must be"),
        ({**FIRST.json, "version": 1}, "version must be"),
        ({**FIRST.json, "effectiveOn": "2026-02-30"}, "effectiveOn must be a date"),
        ({**FIRST.json, "effectiveOn": "20260230"}, "effectiveOn must be a date"),
        ({**FIRST.json, "mode": " x"}, "mode must be a text"),
        ({**FIRST.json, "mode": "a\0b"}, "mode must be a text"),
        ({**FIRST.json, "mode": "\ud800"}, "mode must be a text"),
        ({**FIRST.json, "functions": []}, "functions must be a list"),
        ({**FIRST.json, "functions": FIRST.json["functions"] * 2}, "functions names 'account_service, BROKER' twice"),
        ({**FIRST.json, "functions": [{**FIRST.json["functions"][0], "purpose": "spying"}]}, r"functions\[0\].purpose"),
        ({**FIRST.json, "functions": [{**FIRST.json["functions"][0], "purpose": {}}]}, r"functions\[0\].purpose"),
        (
            {**FIRST.json, "functions": [{**FIRST.json["functions"][0], "categories": ["name"] * 2}]},
            "names .*name.* twice",
        ),
        ({**FIRST.json, "responsible": {"department": "x"}}, "responsible must be an object"),
        ({**FIRST.json, "clauses": [{"number": "一", "title": "x", "text": 3}]}, r"clauses\[0\].text"),
    ],
)
def test_a_content_that_does_not_say_all_it_must_and_only_that_is_refused_by_its_member(given_, told):
    with pytest.raises(NoticeError, match=told):
        read_content(given_)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"mode": 1, "mode": 2}', "NaN"])
def test_what_is_no_json_is_no_notice(text):
    with pytest.raises(NoticeError):
        parse_content(text)
