"""Until when data are kept, what wins, what holds, and that a sweep erases that and nothing else (C27-C29)."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.retention import judge
from models.embedded import database
from models.installation import open_installation
from models.migrating import migrate
from models.retention import AgreementKind
from models.vocabulary import Retention
from privacy.bundles import SCHEDULED, BundleName, read_bundle
from privacy.holds import Hold
from privacy.retention import Agreed, Duty, Facts, Record, duty_days, explain

TODAY = date(2026, 11, 23)
_days = st.integers(-6000, 400).map(lambda days: TODAY + timedelta(days=days))
_duties = st.sampled_from([one for one in Duty if one is not Duty.KEPT])
_facts = st.builds(
    Facts,
    st.sampled_from(SCHEDULED),
    st.lists(st.builds(Record, _duties, st.none() | _days, st.booleans()), min_size=1, max_size=4),
    st.lists(st.builds(Agreed, st.sampled_from(AgreementKind), _days), max_size=3),
    st.none() | _days,
    st.none() | _days,
)
_bundles = st.sampled_from([read_bundle(one) for one in BundleName])


@settings(deadline=None, max_examples=300)
@given(_facts, _bundles)
def test_c27_the_explained_winner_is_the_longest_of_all_there_is(facts, bundle):
    terms, never = bundle.schedule[facts.retention], date.max
    untils = []
    for record in facts.records:
        stops = [one for one in (facts.ceased, None if record.named else facts.ordered) if one]
        for days in (terms.function_days, terms.quality_days):
            end = record.ended + timedelta(days=days) if record.ended else never
            untils.append(min([end, *(stop - timedelta(days=1) for stop in stops)]))
        law, end = duty_days(record.duty, bundle), record.ended or facts.ceased
        untils += [end + timedelta(days=law) if end else never] if law else []
    untils += [one.until for one in facts.agreed if one.kind is AgreementKind.SPECIAL or not facts.ordered]
    told = explain(facts, bundle, TODAY)
    assert (told.until or never) == max(untils)
    assert told.until == next(one.until for one in told.candidates if one.criterion is told.winner)
    assert told.due(TODAY) == (max(untils) < TODAY)


@settings(deadline=None, max_examples=200)
@given(_facts, _bundles)
def test_c28_nothing_is_erased_before_the_law_allows_it(facts, bundle):
    told = explain(facts, bundle, TODAY)
    for record in facts.records:
        law, end = duty_days(record.duty, bundle), record.ended or facts.ceased
        if law:
            assert not told.due(end + timedelta(days=law) if end else TODAY)


@settings(deadline=None, max_examples=100)
@given(_facts, _bundles, st.builds(Agreed, st.sampled_from(AgreementKind), _days))
def test_c27_an_agreement_lengthens_and_never_shortens(facts, bundle, more):
    before, after = explain(facts, bundle, TODAY), explain(replace(facts, agreed=[*facts.agreed, more]), bundle, TODAY)
    counts = more.kind is AgreementKind.SPECIAL or not facts.ordered
    longest = max(before.until or date.max, more.until if counts else date.min)
    assert (after.until or date.max) == longest
    assert after.duty == before.duty
    assert after.begins == before.begins


@settings(deadline=None, max_examples=100)
@given(_facts, _bundles, st.none() | st.just(TODAY))
def test_c28_a_hold_always_wins(facts, bundle, until):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    hold = Hold(UUID(int=1), UUID(int=2), frozenset(Retention), "file 1", now, "operator", until, None)
    held = Facts(facts.retention, facts.records, facts.agreed, facts.ordered, facts.ceased, [hold])
    told = explain(held, bundle, TODAY)
    assert told.holds == (hold.id,)
    assert not told.due(TODAY)
    assert told.until == explain(facts, bundle, TODAY).until


@pytest.fixture(scope="module")
def empty(tmp_path_factory, prepared):
    data_dir = tmp_path_factory.mktemp("retention") / "data"
    prepared.empty(data_dir)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})
    with database(installation, lasting=True) as found:
        asyncio.run(migrate(found))
        yield installation, found


def test_c29_a_sweep_that_is_killed_erases_exactly_what_is_due_once_and_a_second_one_nothing(empty):
    differs, figures = judge(*empty, records=1_500, kills=2, seed=7)
    assert differs == []
    assert figures["killed"] == 2
    assert figures["classes_erased"] > 50
    assert figures["classes_kept"] > 50
