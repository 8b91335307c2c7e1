"""Decisions are what a naive replay of all that was agreed to and published makes of them (C24, C32, C35, C68, C75)."""

from pprint import pformat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.situations import UNCOVERED
from models.global_ids import NodeType, to_global
from privacy.bundles import BundleName
from tests.plain import lines
from tests.privacy.drawing import CATEGORIES, FUNCTIONS
from tests.privacy.histories import courtroom
from tests.privacy.naive import BROKER, Agreed, Published

EXAMPLES = 20


@pytest.fixture(scope="module", params=list(BundleName))
def judged(request, _bundled):
    found = _bundled(request.param)
    with courtroom(found.server) as room:
        yield room, found.bundle.name.value


@settings(max_examples=EXAMPLES)
@given(chance=st.randoms(use_true_random=True))
def test_decisions_after_any_history_equal_a_naive_replay_of_it(judged, chance):
    room, bundle = judged
    history, lost = room.drawn(chance, bundle), room.lost(chance)
    found = room.judge(history, bundle, lost=lost)
    assert not found, f"{pformat(found[:3])}\nunder {bundle} without {sorted(lost)}\n{pformat(history)}"


def test_the_histories_come_to_every_effect_and_many_of_them(judged):
    room, _ = judged
    assert min(room.effects[effect] for effect in ("REVEAL", "MASK", "DENY")) > EXAMPLES
    assert room.decisions > 50 * EXAMPLES


# Two versions of a notice, spelled out.


EVERYTHING = dict.fromkeys(FUNCTIONS, frozenset(CATEGORIES))
OLD = {**EVERYTHING, ("policy_service", "INSURER"): frozenset({"name"})}
OLD[("policy_service", BROKER)] = frozenset(CATEGORIES) - {"phone", "financial"}
FIRST = Published(-50, 1, -50, OLD)
SECOND = Published(-40, 2, -30, EVERYTHING)
COMING = Published(-40, 2, 30, EVERYTHING)


def asker(room, role, purpose):
    return next(one for one in room.askers if (one.role, one.purpose) == (role, purpose))


def effects(body):
    return {one["pathPattern"]: one["effect"] for one in body["extensions"]["authorization"]["fields"]}


@pytest.mark.parametrize(
    "events, told",
    [
        ([FIRST, SECOND], False),
        ([FIRST, SECOND, Agreed(-1, 0, 2, agrees=False)], False),
        ([FIRST, SECOND, Agreed(-1, 0, 2, agrees=True)], True),
        ([FIRST, COMING, Agreed(-1, 0, 2, agrees=True)], False),
    ],
    ids=["nobody was asked", "shown and not agreed", "agreed", "not in effect yet"],
)
def test_c75_who_has_not_agreed_keeps_what_the_notice_before_told_of(judged, events, told):
    room, bundle = judged
    document = f'{{ user(id: "{room.global_id(0)}") {{ name idNumber }} }}'
    insurer = asker(room, "insurer", "policy_service")
    body, row = room.told(events, bundle, insurer, document)
    assert effects(body) == {"user.name": "REVEAL", "user.idNumber": "REVEAL" if told else "DENY"}
    # Whether somebody agreed is a datum of theirs: a partner is not told.
    assert [one["extensions"]["reason"] for one in body.get("errors", ())] == ([] if told else ["RELATION"])
    untold = [entry for entry in row.entries if entry.situation == UNCOVERED]
    assert [entry.coordinates for entry in untold] == ([] if told else [("User.idNumber",)])


def test_c75_nobody_is_found_by_what_no_notice_told_them_they_are_looked_up_by(judged):
    room, bundle = judged
    service = asker(room, "customer_service", "policy_service")
    phones = {one["id"]: one["phone"] for one in lines(room.server.plaintext)["User"]}
    look_up = f'{{ users(phone: "{phones[room.global_id(1)]}", first: 5) {{ totalCount edges {{ node {{ id }} }} }} }}'
    for events, found in (
        ([], 1),
        ([FIRST, SECOND], 0),
        ([FIRST, SECOND, Agreed(-1, 1, 2, agrees=True)], 1),
        ([FIRST, SECOND, Agreed(-1, 0, 2, agrees=True)], 0),
    ):
        body, _ = room.told(events, bundle, service, look_up)
        assert body["data"]["users"]["totalCount"] == len(body["data"]["users"]["edges"]) == found


def test_a_ledger_row_tells_of_each_field_whose_was_shown_where_notices_part_them(judged):
    room, bundle = judged
    service = asker(room, "customer_service", "policy_service")
    document = f"""{{ user(id: "{room.global_id(1)}") {{ policies(first: 20) {{ edges {{ node {{
      policyholder {{ id }} insured {{ id name phone }} }} }} }} }} }}"""
    agreed = [FIRST, SECOND, *(Agreed(-1, person, 2, agrees=True) for person in (1, 2))]
    body, row = room.told(agreed, bundle, service, document)
    insured = {edge["node"]["insured"]["id"] for edge in body["data"]["user"]["policies"]["edges"]}
    shown = {
        name: {
            to_global(NodeType.USER, row.persons[place])
            for entry in row.entries
            if name in entry.coordinates and entry.effect != "DENY"
            for place in row.groups[entry.group][0]
        }
        for name in ("User.name", "User.phone")
    }
    assert shown == {"User.name": insured, "User.phone": {room.global_id(1)}}
    assert len(insured) > 1
