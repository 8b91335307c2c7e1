"""The leaks that situations as bits invite, each shut: a pair counts only where one record witnesses both halves."""

import pytest

from tests.plain import OPEN_CLAIM, OPEN_POLICY, by_id, claims_of, lines

EVERYTHING = "name idNumber phone email address bankCard occupation healthDeclaration"


def ask(server, document, *, token, **variables):
    body = server.post(document, variables, token=token).json()
    assert "data" in body, body
    return body["data"]


def effects(server, document, *, token, **variables):
    body = server.post(document, variables, token=token).json()
    return {one["pathPattern"]: one["effect"] for one in body["extensions"]["authorization"]["fields"]}


def people(server):
    return by_id(server.plaintext, "User")


def policies(server):
    return lines(server.plaintext)["Policy"]


def test_a_lapsed_policy_with_one_insurer_and_a_live_one_with_another_give_the_first_nothing(server):
    checked = 0
    for lapsed in policies(server):
        holder, insurer = lapsed["policyholder"], lapsed["insurer"]
        concerning = [one for one in policies(server) if holder in (one["policyholder"], one["insured"])]
        if lapsed["status"] != "LAPSED" or any(
            one["insurer"] == insurer and one["status"] in OPEN_POLICY for one in concerning
        ):
            continue
        if not any(one["insurer"] != insurer and one["status"] in OPEN_POLICY for one in concerning):
            continue
        token = server.token("insurer", org=insurer, purposes=["policy_service"])
        user = ask(server, f"query($id: ID!) {{ user(id: $id) {{ {EVERYTHING} }} }}", token=token, id=holder)["user"]
        assert user is not None
        assert not any(user.values())
        checked += 1
    assert checked


def test_the_live_policy_of_the_same_person_shows_its_own_insurer_what_it_needs(server):
    policy = next(one for one in policies(server) if one["status"] == "IN_FORCE")
    token = server.token("insurer", org=policy["insurer"], purposes=["policy_service"])
    user = ask(server, "query($id: ID!) { user(id: $id) { name idNumber } }", token=token, id=policy["policyholder"])
    holder = people(server)[policy["policyholder"]]
    assert user == {"user": {"name": holder["name"], "idNumber": holder["idNumber"]}}


def customer(server, person):
    return server.token("customer", user=people(server)[person]["username"], purposes=["account_service"])


def test_an_insured_who_is_not_the_holder_reads_neither_the_premium_nor_the_holder(server):
    checked = 0
    for policy in policies(server):
        insured, holder = policy["insured"], policy["policyholder"]
        insures_holder = any(one["policyholder"] == insured and one["insured"] == holder for one in policies(server))
        if insured == holder or insures_holder or not people(server)[insured]["username"]:
            continue
        found = ask(
            server,
            "query($id: ID!) { policy(id: $id) { premium sumInsured policyholder { name } insured { name }"
            " beneficiaries { name } } }",
            token=customer(server, insured),
            id=policy["id"],
        )["policy"]
        assert (found["premium"], found["sumInsured"], found["policyholder"]) == (None, None, None)
        assert found["beneficiaries"] == []
        assert found["insured"]["name"] == people(server)[insured]["name"]
        checked += 1
        if checked == 10:
            break
    assert checked


def test_a_holder_reads_neither_health_nor_incident_of_the_insured(server):
    policy = next(
        one
        for one in policies(server)
        if one["insured"] != one["policyholder"]
        and one["status"] in OPEN_POLICY
        and people(server)[one["policyholder"]]["username"]
        and claims_of(server.plaintext, one["id"])
    )
    claim = claims_of(server.plaintext, policy["id"])[0]
    found = ask(
        server,
        "query($id: ID!) { claim(id: $id) { diagnosis hospital medicalRecord incidentDescription expenses"
        " amountClaimed } }",
        token=customer(server, policy["policyholder"]),
        id=claim["id"],
    )["claim"]
    assert found.pop("amountClaimed") == claim["amountClaimed"]
    assert not any(found.values())


def test_a_reporters_phone_is_no_datum_of_the_customer_unless_the_link_is_verified(server):
    seen = set()
    for claim in lines(server.plaintext)["Claim"]:
        policy = by_id(server.plaintext, "Policy")[claim["policy"]]
        holder = policy["policyholder"]
        verified = claim["reporter"] is not None and claim["reporterVerifiedAt"] is not None
        own = verified and claim["reporter"] == holder
        if not people(server)[holder]["username"] or not claim["reporterPhone"] or own in seen:
            continue
        document = "query($id: ID!) { claim(id: $id) { reporterPhone reporterName } }"
        found = ask(server, document, token=customer(server, holder), id=claim["id"])["claim"]
        if own:
            assert found == {"reporterPhone": claim["reporterPhone"], "reporterName": claim["reporterName"]}
        else:
            assert found == {"reporterPhone": None, "reporterName": None}
        seen.add(own)
    assert seen == {True, False}


def test_a_payees_card_is_no_datum_of_the_holder(server):
    checked = 0
    for claim in lines(server.plaintext)["Claim"]:
        holder = by_id(server.plaintext, "Policy")[claim["policy"]]["policyholder"]
        own = claim["payee"] == holder and claim["payeeVerifiedAt"]
        if own or not claim["bankCard"] or not people(server)[holder]["username"]:
            continue
        document = "query($id: ID!) { claim(id: $id) { bankCard } }"
        assert ask(server, document, token=customer(server, holder), id=claim["id"])["claim"]["bankCard"] is None
        checked += 1
        if checked == 5:
            break
    assert checked


def test_an_open_claim_opens_nothing_of_the_same_persons_closed_claim(server):
    by_insured = {}
    for claim in lines(server.plaintext)["Claim"]:
        insured = by_id(server.plaintext, "Policy")[claim["policy"]]["insured"]
        by_insured.setdefault(insured, []).append(claim)
    pair = None
    for claims in by_insured.values():
        opened = [one for one in claims if one["status"] in OPEN_CLAIM and one["diagnosis"]]
        closed = [one for one in claims if one["status"] in {"PAID", "CLOSED", "REJECTED"} and one["diagnosis"]]
        for one in opened:
            for other in closed:
                insurers = {by_id(server.plaintext, "Policy")[row["policy"]]["insurer"] for row in (one, other)}
                if len(insurers) == 1:
                    pair = (one, other, insurers.pop())
    assert pair
    token = server.token("insurer", org=pair[2], purposes=["claim_handling"])
    document = "query($id: ID!) { claim(id: $id) { diagnosis } }"
    assert ask(server, document, token=token, id=pair[0]["id"])["claim"]["diagnosis"] == pair[0]["diagnosis"]
    assert ask(server, document, token=token, id=pair[1]["id"])["claim"]["diagnosis"] is None


def test_a_narrow_token_never_gets_what_a_wide_one_just_got_for_the_same_document(server):
    policy = next(one for one in policies(server) if one["status"] == "IN_FORCE")
    document = "query($id: ID!) { user(id: $id) { name idNumber phone } }"
    wide = server.token("insurer", org=policy["insurer"], purposes=["policy_service"])
    narrow = server.token("insurer", org=policy["insurer"], purposes=["policy_service"], categories=["name"])
    none = server.token("insurer", org=policy["insurer"], purposes=["policy_service"], categories=[])
    for token, shown in ((wide, 3), (narrow, 1), (none, 0), (wide, 3), (narrow, 1)):
        user = ask(server, document, token=token, id=policy["policyholder"])["user"]
        assert len([value for value in user.values() if value]) == shown
    errors = server.post(document, {"id": policy["policyholder"]}, token=none).json()["errors"]
    assert {error["extensions"]["reason"] for error in errors} == {"TOKEN_SCOPE"}


def consent_is_active(consent):
    return consent["withdrawnAt"] is None and (consent["expiresAt"] is None or consent["expiresAt"] > "2032")


def test_a_consent_counts_for_its_own_recipient_only(server):
    by_person = {}
    for consent in lines(server.plaintext)["Consent"]:
        if consent["purpose"] == "VERIFICATION" and consent_is_active(consent):
            by_person.setdefault(consent["user"], set()).add(consent["recipient"])
    checked = 0
    for person, recipients in by_person.items():
        for other in {"AF01", "AF02"} - recipients:
            token = server.token("affiliate", org=other, purposes=["verification"])
            assert ask(server, "query($id: ID!) { user(id: $id) { name } }", token=token, id=person)["user"] is None
            checked += 1
    assert checked


@pytest.mark.parametrize("purpose", ["MARKETING", "VERIFICATION"])
def test_a_consent_counts_for_its_own_categories_only(server, purpose):
    checked = 0
    for consent in lines(server.plaintext)["Consent"]:
        affiliate = (consent["recipient"] or "").startswith("AF")
        if consent["purpose"] != purpose or not affiliate or not consent_is_active(consent):
            continue
        field, category = ("tags", "TAG") if purpose == "MARKETING" else ("idNumber", "GOVERNMENT_ID")
        token = server.token("affiliate", org=consent["recipient"], purposes=[purpose.lower()])
        person = consent.get("audienceId", consent["user"])
        user = ask(server, f"query($id: ID!) {{ user(id: $id) {{ {field} }} }}", token=token, id=person)["user"]
        if category not in consent["categories"]:
            assert user[field] is None
            checked += 1
        elif people(server)[consent["user"]][field]:
            assert user[field] == people(server)[consent["user"]][field]
    assert checked


def test_an_adjuster_sees_the_case_engaged_on_and_of_another_not_that_it_exists(server):
    engaged = {
        row["claim"] for row in lines(server.plaintext)["Assignment"] if row["organization"] == "LA01" and row["claim"]
    }
    token = server.token("loss_adjuster", org="LA01", purposes=["claim_handling"])
    document = "query($id: ID!) { claim(id: $id) { claimNumber } }"
    foreign = next(one for one in lines(server.plaintext)["Claim"] if one["id"] not in engaged)
    assert ask(server, document, token=token, id=foreign["id"])["claim"] is None
    assert engaged


def test_a_user_has_one_effect_wherever_in_the_answer_it_stands(server):
    policy = next(
        one
        for one in policies(server)
        if one["policyholder"] == one["insured"] and claims_of(server.plaintext, one["id"])
    )
    token = server.token("insurer", org=policy["insurer"], purposes=["claim_handling"])
    found = effects(
        server,
        "query($id: ID!, $user: ID!) { policy(id: $id) { policyholder { phone } insured { phone }"
        " claims { edges { node { policy { insured { phone } } } } } } user(id: $user) { phone } }",
        token=token,
        id=policy["id"],
        user=policy["insured"],
    )
    assert len({effect for pattern, effect in found.items() if pattern.endswith("phone")}) == 1


def test_a_beneficiary_is_oneself_only_by_a_verified_link(server):
    document = "query($id: ID!) { beneficiary(id: $id) { phone } }"
    seen = set()
    for row in lines(server.plaintext)["Beneficiary"]:
        holder = by_id(server.plaintext, "Policy")[row["policy"]]["policyholder"]
        verified = row["personVerifiedAt"] is not None
        if row["person"] != holder or not people(server)[holder]["username"] or verified in seen:
            continue
        phone = ask(server, document, token=customer(server, holder), id=row["id"])["beneficiary"]["phone"]
        assert (phone == row["phone"]) == verified
        seen.add(verified)
    assert seen == {True, False}


def test_a_guardian_whose_link_is_unverified_or_revoked_or_whose_child_is_of_age_sees_nothing(server):
    counting = {
        (row["guardian"], row["child"])
        for row in lines(server.plaintext)["GuardianLink"]
        if row["verifiedAt"] and not row["revokedAt"] and people(server)[row["child"]]["birthDate"] > "2010"
    }
    seen = set()
    for row in lines(server.plaintext)["GuardianLink"]:
        guardian, child = row["guardian"], row["child"]
        username = people(server)[guardian]["username"]
        state = (bool(row["verifiedAt"]), bool(row["revokedAt"]), people(server)[child]["birthDate"] > "2010")
        if not username or state in seen:
            continue
        token = server.token("guardian", user=username, purposes=["account_service"])
        user = ask(server, "query($id: ID!) { user(id: $id) { name } }", token=token, id=child)["user"]
        assert (user is not None) == ((guardian, child) in counting)
        seen.add(state)
    assert seen >= {(True, False, True), (False, False, True), (True, True, True), (True, False, False)}


def test_one_document_answers_ids_of_every_type_each_as_its_own(server):
    document = """query($id: ID!) { node(id: $id) { __typename
      ... on Policy { policyNumber } ... on Claim { claimNumber } ... on User { idType } } }"""
    token = server.token("claims_handler", purposes=["claim_handling"])
    for _ in range(2):
        for kind, field in (("Policy", "policyNumber"), ("Claim", "claimNumber"), ("User", "idType")):
            row = next(one for one in lines(server.plaintext)[kind] if one.get("status") != "DRAFT")
            found = ask(server, document, token=token, id=row["id"])["node"]
            assert found == {"__typename": kind, field: row[field]}


def test_consents_of_a_person_outside_the_scope_are_not_found_by_that_persons_id(server):
    token = server.token("insurer", org="INS01", purposes=["policy_service"])
    visible = "query($id: ID!) { user(id: $id) { id } }"
    document = "query($id: ID!) { consents(user: $id) { totalCount edges { node { id } } } }"
    seen = set()
    for consent in lines(server.plaintext)["Consent"]:
        if consent["recipient"] != "INS01":
            continue
        exists = ask(server, visible, token=token, id=consent["user"])["user"] is not None
        found = ask(server, document, token=token, id=consent["user"])["consents"]
        assert bool(found["totalCount"]) == exists
        seen.add(exists)
        if seen == {True, False}:
            break
    assert seen == {True, False}
