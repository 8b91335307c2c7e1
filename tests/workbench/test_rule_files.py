"""Rules as files: what is written and read again is the same, and the default rules are the files that are shipped."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.commands import OperatorRefusedError
from authz.default_rules import CASES, DATA, RULES
from authz.default_ruleset import default_content
from authz.rules import BUDGET_FILE, Budget, Rule
from authz.ruleset_store import Content
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from authz.workbench.cases import Case, Expected, grouped, write_cases
from authz.workbench.files import read_folder, texts, write_folder
from models.vocabulary import Category, Purpose, Role
from schema.build import build_catalogue, build_schema
from tests.workbench.small import MOMENTS

CATALOGUE = build_catalogue(build_schema())
DEFAULT = default_content()
CLAUSES = st.sampled_from(["C08", "C04-C06 C55", "Art. 13(1)", "一(二)"])


@st.composite
def rules(draw):
    action = draw(st.sampled_from(Action))
    objects = [*Category, *CATALOGUE, "User.longGone", *(CATALOGUE.writes if action is Action.WRITE else ())]
    begin, end = draw(st.sampled_from([("", ""), (MOMENTS[1], ""), ("", MOMENTS[2]), MOMENTS[1:3]]))
    return Rule(
        draw(st.sampled_from(RuleEffect)),
        draw(st.sampled_from(Role)),
        draw(st.sampled_from(Purpose)),
        draw(st.sampled_from([ANY, *(one.value for one in Relation)])),
        draw(st.sampled_from([ANY, *(one.value for one in Basis)])),
        action,
        str(draw(st.sampled_from(objects))),
        draw(CLAUSES),
        begin,
        end,
    )


BUDGETS = st.builds(
    Budget, st.sampled_from(Role), st.sampled_from(Purpose), st.integers(1, 50), st.integers(50, 10**8), CLAUSES
)
CASE_LISTS = st.lists(
    st.tuples(
        st.sampled_from(["It holds, also with a comma.", "It holds (C24)."]),
        st.builds(
            Case,
            st.sampled_from(Role),
            st.sampled_from(Purpose),
            st.just(((Relation.NONE, Basis.CONSENT), (Relation.ASSIGNED, Basis.NONE))),
            st.sampled_from(["User.name", "Mutation.submitClaim"]),
            st.sampled_from(Expected),
        ),
    ),
    unique=True,
    max_size=6,
)
CONTENTS = st.builds(
    Content,
    st.lists(rules(), unique=True, max_size=8).map(tuple),
    st.lists(BUDGETS, unique_by=lambda one: (one.role, one.purpose), max_size=4).map(tuple),
    CASE_LISTS.map(lambda cases: write_cases(grouped(cases))),
)


def canonical(content):
    return frozenset(content.rules), frozenset(content.budgets), content.cases


def files(path):
    return {
        str(file.relative_to(path)): file.read_text() for name in ("rules", "cases") for file in (path / name).glob("*")
    }


@given(CONTENTS)
@settings(max_examples=30, deadline=None)
def test_a_content_written_and_read_again_is_the_same(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("written")
    write_folder(folder, content, CATALOGUE)
    read, found = read_folder(folder)
    assert found == []
    assert canonical(read) == canonical(content)
    assert (read.digest, len(read.rules)) == (content.digest, len(content.rules))
    assert texts(read, CATALOGUE) == files(folder) == texts(content, CATALOGUE)


@given(CONTENTS, CONTENTS)
@settings(max_examples=30, deadline=None)
def test_a_content_written_over_another_leaves_nothing_of_it(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("written")
    write_folder(folder, first, CATALOGUE)
    write_folder(folder, second, CATALOGUE)
    assert files(folder) == texts(second, CATALOGUE)


def test_the_default_rules_are_the_files_that_are_shipped_and_these_are_read_as_them(tmp_path):
    write_folder(tmp_path, DEFAULT, CATALOGUE)
    shipped = {f"rules/{path.name}": path.read_text() for path in RULES.glob("*.csv")}
    shipped |= {f"cases/{path.name}": path.read_text() for path in CASES.glob("*.csv")}
    assert files(tmp_path) == shipped
    content, found = read_folder(DATA)
    assert found == []
    assert canonical(content) == canonical(DEFAULT)


def test_a_rule_stands_in_the_file_of_its_category_and_filters_writes_and_what_is_gone_in_their_own():
    row = DEFAULT.rules[0]
    given = [
        replace(row, action=Action.REVEAL, object=obj)
        for obj in ("health", "Claim.diagnosis", "User.name", "User.gone")
    ]
    given += [replace(row, action=action, object="phone") for action in (Action.FILTER, Action.WRITE)]
    written = texts(Content(tuple(given), ()), CATALOGUE)
    assert {name: text.count("\n") - 1 for name, text in written.items()} == {
        "rules/health.csv": 2,
        "rules/name.csv": 1,
        "rules/unknown.csv": 1,
        "rules/filter.csv": 1,
        "rules/write.csv": 1,
        f"rules/{BUDGET_FILE}": 0,
    }


def test_times_have_columns_only_where_some_rule_has_them():
    row = replace(DEFAULT.rules[0], object="health", action=Action.REVEAL)
    timed = replace(row, object="name", valid_until=MOMENTS[1])
    plain = replace(row, object="name")
    written = texts(Content((row, timed, plain), ()), CATALOGUE)
    assert "valid_from" not in written["rules/health.csv"]
    header, *rows = written["rules/name.csv"].splitlines()
    assert header.endswith("clause,valid_from,valid_until")
    assert sorted(one.split(",")[-2:] for one in rows) == [["", ""], ["", MOMENTS[1]]]


@pytest.mark.parametrize("place", ["rules/mine.csv", "cases/mine.csv"])
def test_files_of_others_are_neither_overwritten_nor_mixed_in(tmp_path, place):
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text("theirs")
    with pytest.raises(OperatorRefusedError, match=r"holds mine\.csv"):
        write_folder(tmp_path, DEFAULT, CATALOGUE)
    assert files(tmp_path) == {place: "theirs"}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorRefusedError, match="cannot be written"):
        write_folder(tmp_path / "file", DEFAULT, CATALOGUE)
