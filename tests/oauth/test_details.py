"""What a token allows is what was asked and agreed, and never more (RFC 9396)."""

import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.oauth.agreements import Agreed, narrow
from authz.oauth.details import Details
from authz.tokens import LONGEST_TEXT, utc_now
from models.vocabulary import Category, Purpose, from_bits, to_bits
from tests.oauth.test_clients import refused
from tests.oauth.wire import TOKEN_URL, Holder, unpack

NOW = utc_now()
purposes = st.sets(st.sampled_from(list(Purpose)))
categories = st.sets(st.sampled_from(list(Category)))
agreements = st.builds(
    lambda p, c, days, reference: Agreed(uuid4(), reference, frozenset(p), to_bits(c), NOW + timedelta(days=days)),
    purposes,
    categories,
    st.integers(1, 3),
    st.sampled_from("abcdef"),
)
asked = st.builds(lambda p, c: Details(tuple(p), to_bits(c)), purposes, categories)


@settings(max_examples=500, deadline=None)
@given(asked=asked, found=st.lists(agreements, min_size=1, max_size=4, unique_by=lambda one: one.reference))
def test_what_is_granted_is_what_was_asked_and_one_agreement_covers(asked, found):
    granted = narrow(asked, found)
    assert granted.agreement in found
    assert set(granted.purposes) == set(asked.purposes) & granted.agreement.purposes
    assert set(from_bits(granted.categories)) == set(from_bits(asked.categories)) & set(
        from_bits(granted.agreement.categories)
    )
    assert narrow(asked, found[::-1]) == granted
    assert all(len(set(asked.purposes) & one.purposes) <= len(granted.purposes) for one in found)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_token_is_never_wider_than_asked_or_agreed(pair, insurer, data):
    wanted = data.draw(st.lists(st.sampled_from([purpose.value for purpose in Purpose]), min_size=1, max_size=6))
    listed = data.draw(st.lists(st.sampled_from([category.value for category in Category]), max_size=10))
    agreed = {"policy_service", "claim_handling", "application"}, {"name", "phone", "health", "incident"}
    response = insurer.ask(wanted, listed, proof=Holder().proof("POST", TOKEN_URL))
    if not agreed[0] & set(wanted):
        assert "covers none" in refused(response, "invalid_authorization_details", 400)
        return
    body = response.json()
    (detail,) = body["authorization_details"]
    assert unpack(body["access_token"].split(".")[1])["authorization_details"] == [detail]
    assert set(detail) == {"type", "purposes", "categories"}
    assert set(detail["purposes"]) == agreed[0] & set(wanted)
    assert set(detail["categories"]) == agreed[1] & set(listed)


def test_caveats_are_carried_as_they_were_asked(insurer):
    until = int(time.time()) + 60
    caveats = {"policies": ["P1", "P2"], "until": until, "row_ceiling": 5, "mask_only": True}
    body = insurer.ask(**caveats).json()
    assert body["authorization_details"] == [
        {"type": "insurance_data", "purposes": ["policy_service"], "categories": ["name", "phone", "health"], **caveats}
    ]
    assert 55 <= body["expires_in"] <= 60
    assert unpack(body["access_token"].split(".")[1])["exp"] <= until


def test_an_end_far_away_prolongs_nothing(insurer):
    assert insurer.ask(until=(1 << 53) - 1).json()["expires_in"] <= 600


@pytest.mark.parametrize("until", [0, 1])
def test_a_token_that_would_be_over_is_not_issued(insurer, until):
    refused(insurer.ask(until=until), "invalid_authorization_details", 400)


def test_more_names_than_a_token_holds_are_refused_and_not_cut(pair, insurer):
    many = [f"{number:032}" for number in range(100)]
    assert "too long" in refused(insurer.ask(policies=many), "invalid_authorization_details", 400)
    token = insurer.token(policies=many[:50])
    assert len(token) <= LONGEST_TEXT
    assert pair.call(token).status_code == 200


DETAIL = {"type": "insurance_data", "purposes": ["policy_service"], "categories": ["name"]}


def only(*names):
    return {name: DETAIL[name] for name in names}


BAD = {
    "no JSON": "{",
    "deep": "[" * 9_000,
    "null": "null",
    "number": "1",
    "object": json.dumps(DETAIL),
    "empty": "[]",
    "two": json.dumps([DETAIL, DETAIL]),
    "text": '["insurance_data"]',
    **{
        name: json.dumps([detail])
        for name, detail in {
            "no type": only("purposes", "categories"),
            "another type": {**DETAIL, "type": "payment"},
            "type as list": {**DETAIL, "type": ["insurance_data"]},
            "no purposes": only("type", "categories"),
            "no categories": only("type", "purposes"),
            "empty purposes": {**DETAIL, "purposes": []},
            "purposes as text": {**DETAIL, "purposes": "policy_service"},
            "unknown purpose": {**DETAIL, "purposes": ["policy_service", "curiosity"]},
            "unknown category": {**DETAIL, "categories": ["everything"]},
            "upper case": {**DETAIL, "purposes": ["POLICY_SERVICE"]},
            "nested": {**DETAIL, "categories": [["name"]]},
            "numbers": {**DETAIL, "purposes": [1]},
            "null categories": {**DETAIL, "categories": None},
            "unknown member": {**DETAIL, "actions": ["read"]},
            "both": {**DETAIL, "policies": ["P"], "products": ["P"]},
            "no policies": {**DETAIL, "policies": []},
            "too many policies": {**DETAIL, "policies": ["P"] * 101},
            "nul": {**DETAIL, "policies": ["\0"]},
            "until text": {**DETAIL, "until": "tomorrow"},
            "until float": {**DETAIL, "until": 1e10},
            "negative ceiling": {**DETAIL, "row_ceiling": -1},
            "huge until": {**DETAIL, "until": 1 << 60},
            "mask_only false": {**DETAIL, "mask_only": False},
            "surrogate": {**DETAIL, "purposes": ["\ud800"]},
        }.items()
    },
}


@pytest.mark.parametrize("details", BAD.values(), ids=BAD)
def test_details_that_are_not_understood_whole_are_refused(pair, insurer, details):
    form = insurer.form() | {"authorization_details": details}
    refused(pair.post("/oauth/token", form), "invalid_authorization_details", 400)


def test_details_are_needed_and_scopes_are_not_understood(pair, insurer):
    form = insurer.form()
    refused(pair.post("/oauth/token", {**form, "authorization_details": ""}), "invalid_request", 400)
    refused(pair.post("/oauth/token", {**insurer.form(), "scope": "all"}), "invalid_scope", 400)
