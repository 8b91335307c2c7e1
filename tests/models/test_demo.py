import io
import json
from collections import Counter, defaultdict
from datetime import date
from functools import partial

import pytest

from models.demo.plaintext import PlainLines
from models.demo.population import population
from models.demo.scenarios import MINIMUM_PEOPLE, SCENARIOS
from models.demo.values import id_check, luhn_check, serial
from models.global_ids import NodeType, from_global
from vault.blind import audience_id
from vault.keyring import generate

KEYRING = generate()
PEOPLE, SEED = 300, 7
LIVE = {"IN_FORCE", "GRACE"}
UNISSUED = {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT", "DRAFT", "DECLINED"}
OPEN = {"REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"}
PAST, FUTURE = "2026-10-01", "2032-01-01"


def lines_of(people, *, seed=SEED, keyring=None):
    stream = io.StringIO()
    lines = PlainLines(stream)
    for batch in population(people, seed, audience=partial(audience_id, keyring or KEYRING)):
        lines.write(batch)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture(scope="module")
def demo():
    by_type = defaultdict(list)
    for line in lines_of(PEOPLE):
        by_type[line["type"]].append(line)
    return by_type


def by_id(rows):
    return {row["id"]: row for row in rows}


def test_equal_size_and_seed_give_equal_data_and_another_seed_gives_others():
    first = lines_of(80)
    assert lines_of(80) == first
    assert lines_of(80, seed=SEED + 1) != first
    keyed = [line["audienceId"] for line in first if "audienceId" in line]
    assert keyed
    assert keyed != [line["audienceId"] for line in lines_of(80, keyring=generate()) if "audienceId" in line]


@pytest.mark.parametrize("people", [0, 1, 2, 5, MINIMUM_PEOPLE - 1, MINIMUM_PEOPLE, 60])
def test_any_size_gives_exactly_so_many_people(people):
    assert sum(line["type"] == "User" for line in lines_of(people)) == people


def test_a_larger_population_begins_with_the_smaller_one():
    def people(size):
        return [line for line in lines_of(size) if line["type"] == "User"]

    # The last household of the smaller one may have been cut short.
    assert people(120)[:100] == people(700)[:100]


def test_scenarios_have_the_people_they_say():
    assert sum(scenario.people for scenario in SCENARIOS) == MINIMUM_PEOPLE <= 40


def test_identity_numbers_pass_the_check_and_say_birth_date_and_gender(demo):
    kinds = Counter()
    for user in demo["User"]:
        kinds[user["idType"]] += 1
        number = user["idNumber"]
        if user["idType"] in {"RESIDENT_ID", "FOREIGNER_PERMIT"}:
            assert len(number) == 18
            assert number[17] == id_check(number[:17])
            assert number[6:14] == user["birthDate"].replace("-", "")
            assert (user["gender"] == "MALE") == bool(int(number[16]) % 2)
    assert kinds["RESIDENT_ID"] > 0.9 * PEOPLE
    for beneficiary in demo["Beneficiary"]:
        if len(beneficiary["idNumber"]) == 18:
            assert beneficiary["idNumber"][17] == id_check(beneficiary["idNumber"][:17])
            date.fromisoformat(
                f"{beneficiary['idNumber'][6:10]}-{beneficiary['idNumber'][10:12]}-{beneficiary['idNumber'][12:14]}",
            )


def test_checks_are_those_of_published_examples():
    assert id_check("11010519491231002") == "X"  # GB 11643-1999
    assert luhn_check("7992739871") == "3"
    assert len({serial(number) for number in range(5_000)}) == 5_000


def test_cards_pass_luhn_and_belong_to_one_person(demo):
    own = [user["bankCard"] for user in demo["User"] if user["bankCard"]]
    assert len(set(own)) == len(own) > PEOPLE / 2
    for card in own + [claim["bankCard"] for claim in demo["Claim"]]:
        assert card.startswith("62")
        assert card[-1] == luhn_check(card[:-1])


def test_phones_and_user_names_are_unique(demo):
    for values in (
        [user["phone"] for user in demo["User"] if user["phone"]],
        [account["username"] for account in demo["Account"]],
    ):
        assert len(set(values)) == len(values)
    assert all(len(user["phone"]) == 11 for user in demo["User"] if user["phone"])


def test_averages_are_as_documented():
    counts = Counter(line["type"] for line in lines_of(900))
    for name, average in (("Policy", 2), ("Beneficiary", 4), ("Claim", 3), ("Consent", 5), ("Device", 1.4)):
        assert counts[name] / 900 == pytest.approx(average, rel=0.15), name


def test_about_four_adults_in_five_have_an_account(demo):
    adults = [user for user in demo["User"] if user["birthDate"] < "2008"]
    assert 0.7 < sum(user["username"] is not None for user in adults) / len(adults) < 0.9
    assert 0.1 < 1 - len(adults) / PEOPLE < 0.3


def test_nobody_comes_of_age_between_the_anchor_and_2032(demo):
    assert not [user for user in demo["User"] if "2006-11" <= user["birthDate"] < "2014"]


def test_everyone_is_account_holder_holder_or_insured(demo):
    known = {account["user"] for account in demo["Account"]}
    known |= {policy[role] for policy in demo["Policy"] for role in ("policyholder", "insured")}
    assert {user["id"] for user in demo["User"]} <= known


def test_policies_have_dates_that_fit_their_status(demo):
    users = by_id(demo["User"])
    for policy in demo["Policy"]:
        starts, ends = policy["startsOn"], policy["endsOn"]
        assert float(policy["premium"]) > 0 < float(policy["sumInsured"])
        if policy["status"] in UNISSUED:
            assert starts is ends is None
            continue
        assert users[policy["insured"]]["birthDate"] < starts < ends
        assert ends >= FUTURE if policy["status"] in LIVE else ends < PAST


def test_claims_have_dates_and_sums_that_fit_their_status(demo):
    policies = by_id(demo["Policy"])
    for claim in demo["Claim"]:
        policy = policies[claim["policy"]]
        assert policy["startsOn"] <= claim["incidentDate"] <= claim["reportedAt"][:10] <= policy["endsOn"]
        ended = claim["status"] not in OPEN | {"DRAFT"}
        assert (claim["closedAt"] is not None) == ended
        assert claim["closedAt"] is None or claim["reportedAt"] < claim["closedAt"] < "2026-11"
        assert claim["amountPaid"] is not None if claim["status"] == "PAID" else True
        if claim["amountPaid"] is not None:
            assert ended
            assert float(claim["amountPaid"]) <= float(claim["amountClaimed"]) <= float(policy["sumInsured"])


def test_shares_of_each_order_add_up(demo):
    shares = Counter()
    for beneficiary in demo["Beneficiary"]:
        shares[beneficiary["policy"], beneficiary["order"]] += round(100 * float(beneficiary["share"]))
    assert set(shares.values()) == {10_000}


def test_verified_links_point_to_holder_or_insured_and_some_links_are_unverified(demo):
    policies = by_id(demo["Policy"])
    unverified = Counter()
    for kind, role in (("Beneficiary", "person"), ("Claim", "reporter"), ("Claim", "payee")):
        for row in demo[kind]:
            policy = policies[row["policy"]]
            if row[f"{role}VerifiedAt"]:
                assert row[role] in {policy["policyholder"], policy["insured"]}
            unverified[role, row[role] is None] += row[f"{role}VerifiedAt"] is None
    assert len(unverified) == 6
    assert all(unverified.values())


def test_expiries_are_clearly_past_or_clearly_future(demo):
    moments = [consent["expiresAt"] for consent in demo["Consent"]]
    moments += [case["expiresAt"] for case in demo["DisclosureCase"]]
    moments += [service["endsAt"] for service in demo["HealthService"]]
    assert all(moment < PAST or moment >= FUTURE for moment in moments if moment)


def test_one_consent_at_most_holds_for_a_person_purpose_and_recipient(demo):
    active = Counter(
        (consent["user"], consent["purpose"], consent["recipient"]) for consent in demo["Consent"] if holds(consent)
    )
    assert set(active.values()) == {1}
    states = Counter("withdrawn" if consent["withdrawnAt"] else holds(consent) for consent in demo["Consent"])
    assert len(states) == 3


def test_only_marketing_consents_carry_an_audience_id_of_their_recipient(demo):
    for consent in demo["Consent"]:
        assert ("audienceId" in consent) == (consent["purpose"] == "MARKETING")
    ids = [consent["audienceId"] for consent in demo["Consent"] if "audienceId" in consent]
    pairs = {(consent["user"], consent["recipient"]) for consent in demo["Consent"] if "audienceId" in consent}
    assert len(set(ids)) == len(pairs)
    assert {from_global(one)[0] for one in ids} == {NodeType.AUDIENCE_USER}


def holds(consent):
    return consent["withdrawnAt"] is None and (consent["expiresAt"] is None or consent["expiresAt"] >= FUTURE)


def test_every_type_occurs_and_every_link_leads_somewhere(demo):
    assert len(demo) == 17
    ids = {line["id"] for rows in demo.values() for line in rows}
    for rows in demo.values():
        assert len({line["id"] for line in rows}) == len(rows)
        for line in rows:
            for name in ("user", "policy", "claim", "consent", "guardian", "child", "person", "reporter", "payee"):
                assert line.get(name) is None or line[name] in ids
            assert set(line.get("users", ())) <= ids
