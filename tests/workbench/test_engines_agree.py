"""Casbin, the compiled table, the explainer, reach, who and Cedar give one answer to every question.

python -m bench.agreement asks of 10,000 rulesets; here are some of them, and others each time.
"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.vocabulary import Action, Effect
from authz.workbench.readings import Reading
from bench.agreement import main
from tests.workbench import engines
from tests.workbench.engines import differences

SEEDS = range(80)


def test_six_engines_agree_on_random_rulesets_and_every_answer_occurs():
    answers = Counter()
    for seed in SEEDS:
        found, given_answers = differences(seed, requests=8, thorough=1)
        assert found == []
        answers.update(given_answers)
    assert min(answers[effect] for effect in Effect) > len(SEEDS) * 8 / 20, answers


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=1_000_000, max_value=2**63))
def test_they_agree_on_rulesets_that_nobody_has_tried(seed):
    assert differences(seed, requests=4, thorough=2)[0] == []


def without_overriding(reading, purpose, held):
    return [rule for rule in speaking(reading, purpose, held) if rule.effect == "allow"]


def without_masks_denied(reading, purpose, held):
    return [rule for rule in speaking(reading, purpose, held) if (rule.effect, rule.action) != ("deny", Action.MASK)]


def halves_of_two_pairs(reading, purpose, held):
    relations, bases = ({pair[place] for pair in held} for place in (0, 1))
    return speaking(reading, purpose, {(one, other) for one in relations for other in bases})


speaking = Reading.speaking


@pytest.mark.parametrize("mistake", [without_overriding, without_masks_denied, halves_of_two_pairs])
def test_a_mistake_in_reading_the_rules_is_found(monkeypatch, mistake):
    monkeypatch.setattr(Reading, "speaking", mistake)
    assert any(differences(seed, requests=8, thorough=0)[0] for seed in SEEDS)


def test_a_token_that_is_read_wrongly_is_found(monkeypatch):
    monkeypatch.setattr(Reading, "waits", lambda *_: False)
    assert any(differences(seed, requests=8, thorough=0)[0] for seed in SEEDS)


def test_a_rule_that_another_engine_lacks_is_found(monkeypatch):
    whole = engines.cedar_answers
    monkeypatch.setattr(engines, "cedar_answers", lambda rules, asked: whole(rules[1:] or rules, asked))
    assert any(differences(seed, requests=8, thorough=0)[0] for seed in SEEDS)


def test_the_benchmark_prints_how_many_were_asked_and_ends_with_1_where_any_differ(monkeypatch, capsys):
    assert main(3, 4) == 0
    assert capsys.readouterr().out.startswith("3 rulesets, 12 requests (")
    monkeypatch.setattr(Reading, "waits", lambda *_: False)
    monkeypatch.setattr(Reading, "speaking", without_overriding)
    assert main(20, 8) == 1
    assert " 0 differences" not in capsys.readouterr().out
