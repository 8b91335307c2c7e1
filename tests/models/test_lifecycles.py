"""Lifecycles: the tables hold every operation and status there is, and the documentation is what they say."""

from pathlib import Path

import pytest

from models.claims import ClaimStatus
from models.lifecycles import CLAIM, LIFECYCLES, POLICY, Event, diagrams
from models.policies import PolicyStatus
from schema.build import build_schema

DOCS = Path(__file__).parent.parent.parent / "docs"
# Entered by time alone, or known from insurers: no operation leads there.
BY_TIME = {"GRACE", "LAPSED", "EXPIRED"}


def test_the_diagrams_in_the_documentation_are_generated_from_the_tables():
    assert (DOCS / "lifecycles.md").read_text() == diagrams()


def test_every_event_stands_in_one_lifecycle_and_is_a_root_field():
    told = [event for one in LIFECYCLES.values() for event in {event for event, _ in one.steps}]
    assert sorted(told) == sorted(Event)
    fields = set(build_schema().mutation_type.fields)
    assert {event.value.split(":")[0] for event in Event} <= fields


@pytest.mark.parametrize("lifecycle,statuses", [(POLICY, PolicyStatus), (CLAIM, ClaimStatus)])
def test_every_status_is_one_of_the_nouns_and_is_reached(lifecycle, statuses):
    named = {status for _, status in lifecycle.steps} | set(lifecycle.steps.values())
    assert named <= {status.value for status in statuses}
    reached = {lifecycle.begins}
    while more := {ends for (_, begins), ends in lifecycle.steps.items() if begins in reached} - reached:
        reached |= more
    assert reached == {status.value for status in statuses} - BY_TIME


@pytest.mark.parametrize(
    "lifecycle,ends",
    [
        (POLICY, {"DECLINED", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"}),
        (CLAIM, {"CLOSED"}),
    ],
)
def test_what_has_ended_stays_ended(lifecycle, ends):
    assert {status for _, status in lifecycle.steps} & ends == set()
