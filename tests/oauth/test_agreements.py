"""No valid agreement, no token; none outlives its agreement; what is ended is refused everywhere within a second."""

import time
from datetime import timedelta

import pytest

from authz.commands import OperatorRefusedError
from authz.oauth.registration import Terms, add_keys, agree, end_agreement, end_key, register, withdraw
from authz.token_keys import TokenKeys
from authz.tokens import mint, new_subject, utc_now
from models.vocabulary import Category, Purpose, Role, to_bits
from tests.oauth.test_clients import refused
from tests.oauth.wire import API_URL, TOKEN_URL, Holder, new_key, unpack

SECOND = 1.0


def await_refusal(pair, token, done) -> float:
    """Seconds from `done` until both servers refuse the token."""
    waiting = {0, 1}
    while waiting:
        waiting -= {server for server in waiting if pair.call(token, server=server).status_code == 401}
        assert time.monotonic() - done < 5
    return time.monotonic() - done


def demo_token(pair, code) -> str:
    """A token as the command line makes them, of an organization."""
    row = pair.owner(lambda c: c.fetchrow("SELECT id FROM organization WHERE code = $1", code))
    subject = new_subject(
        Role.INSURER, [Purpose.POLICY_SERVICE], categories=0, organization=row[0], organization_code=code
    )
    return mint(TokenKeys.load(pair.installation.token_keys_path), subject, now=utc_now())


def test_c31_c38_an_organization_without_an_agreement_gets_no_token(pair):
    partner = pair.partner(agreed=False)
    assert "no valid agreement" in refused(partner.ask(), "unauthorized_client", 400)


@pytest.mark.parametrize("begins, ends", [(60, 3600), (-3600, 1)])
def test_c38_an_agreement_that_has_not_begun_or_has_run_out_gives_no_token(pair, begins, ends):
    partner = pair.partner(begins=begins, ends=ends)
    if begins < 0:
        time.sleep(1.1)
    refused(partner.ask(), "unauthorized_client", 400)


def test_c31_a_fresh_partner_sees_nothing_that_is_not_shared_with_it(pair):
    partner, holder = pair.partner(), Holder()
    token = partner.token(["policy_service", "claim_handling"], holder=holder)
    document = "{ policies(first: 5) { totalCount edges { node { id } } } claims(first: 5) { totalCount } }"
    for purpose in ("policy_service", "claim_handling"):
        headers = {"Authorization": f"DPoP {token}", "DPoP": holder.proof("POST", API_URL, token), "X-Purpose": purpose}
        body = pair.http.post(f"{pair.urls[0]}/graphql", json={"query": document}, headers=headers).json()
        assert body["data"]["policies"]["edges"] == []
        assert not body["data"]["policies"]["totalCount"]
        assert not body["data"]["claims"]["totalCount"]


def test_c35_an_affiliate_without_an_attestation_gets_no_token(pair):
    terms = {"purposes": ["verification"], "categories": ["name"]}
    for attested, status in ((False, 400), (True, 200)):
        partner = pair.partner("AFFILIATE", attested=attested, **terms)
        response = partner.ask(["verification"])
        assert response.status_code == status
        if not attested:
            refused(response, "unauthorized_client", 400)


def test_c36_a_purpose_that_was_not_agreed_is_refused_and_never_used(pair, insurer):
    refused(insurer.ask(["marketing"]), "invalid_authorization_details", 400)
    token = insurer.token(["policy_service", "marketing"])
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "marketing"}
    response = pair.http.post(f"{pair.urls[0]}/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
    assert response.json()["errors"][0]["extensions"]["code"] == "PURPOSE_NOT_ALLOWED"


def test_c39_a_service_provider_never_gets_marketing_whatever_was_agreed(pair):
    code = pair.organization("SERVICE_PROVIDER")
    pair.agree(code, purposes=["verification"], processor=True)
    partner = pair.partner(code=code, agreed=False)
    pair.owner(lambda c: c.execute("""UPDATE agreement a SET purposes = '["verification", "marketing"]'
        FROM organization o WHERE o.id = a.organization_id AND o.code = $1""", code))  # fmt: skip
    assert partner.ask(["verification"]).status_code == 200
    for purposes in (["marketing"], ["verification", "marketing"]):
        refused(partner.ask(purposes), "unauthorized_client", 400)


def test_the_role_is_the_organizations_kind(pair):
    for kind, purpose in (("HEALTH_PROVIDER", "health_service"), ("LOSS_ADJUSTER", "policy_service")):
        partner = pair.partner(kind, purposes=[purpose])
        assert pair.call(partner.token([purpose])).json()["data"]["viewer"]["role"] == kind.lower()


def test_a_token_ends_with_its_agreement(pair):
    partner = pair.partner(ends=90)
    body = partner.ask().json()
    assert 85 <= body["expires_in"] <= 90


def test_of_several_agreements_one_that_covers_most_is_chosen_and_never_mixed(pair):
    partner = pair.partner(purposes=["policy_service"], categories=["name", "phone", "health"])
    other = pair.agree(partner.code, purposes=["policy_service", "application"], categories=["email"])
    ids = pair.owner(lambda c: c.fetch("SELECT reference, id::text FROM agreement"))

    def granted(purposes):
        body = partner.ask(purposes, ["name", "phone", "email"], proof=Holder().proof("POST", TOKEN_URL)).json()
        (detail,) = body["authorization_details"]
        reference = {row[1]: row[0] for row in ids}[unpack(body["access_token"].split(".")[1])["agreement"]]
        return reference, detail["purposes"], detail["categories"]

    for _ in range(3):
        assert granted(["policy_service"]) == (partner.reference, ["policy_service"], ["name", "phone"])
        assert granted(["application", "policy_service"]) == (other, ["application", "policy_service"], ["email"])


def test_an_agreements_end_is_the_end_of_its_tokens_within_a_second(pair):
    partner = pair.partner()
    token, demo = partner.token(), demo_token(pair, partner.code)
    assert all(pair.call(one, server=server).status_code == 200 for one in (token, demo) for server in (0, 1))
    pair.owner(lambda c: end_agreement(c, partner.reference))
    done = time.monotonic()
    assert await_refusal(pair, token, done) < SECOND
    assert await_refusal(pair, demo, done) < SECOND
    refused(partner.ask(), "unauthorized_client", 400)


def test_what_stands_on_another_agreement_goes_on(pair):
    partner = pair.partner(categories=["name", "phone", "health"])
    other = pair.agree(partner.code, categories=["email"])
    first, second = partner.token(categories=["name", "phone"]), partner.token(categories=["email"])
    demo = demo_token(pair, partner.code)
    pair.owner(lambda c: end_agreement(c, other))
    assert await_refusal(pair, second, time.monotonic()) < SECOND
    for server in (0, 1):
        assert pair.call(first, server=server).status_code == 200
        assert pair.call(demo, server=server).status_code == 200
    assert partner.ask().status_code == 200


def test_a_withdrawn_clients_tokens_end_within_a_second(pair):
    partner = pair.partner()
    sibling = pair.partner(code=partner.code, agreed=False)
    token, kept = partner.token(), sibling.token()
    pair.owner(lambda c: withdraw(c, partner.client_id))
    assert await_refusal(pair, token, time.monotonic()) < SECOND
    refused(partner.ask())
    assert pair.call(kept).status_code == 200


def test_a_revoked_token_is_refused_within_a_second_and_no_other(pair, insurer):
    token, kept = insurer.token(), insurer.token()
    response = insurer.revoke(token, server=1)
    done = time.monotonic()
    assert (response.status_code, response.content) == (200, b"")
    assert await_refusal(pair, token, done) < SECOND
    assert pair.call(kept).status_code == 200
    assert insurer.revoke(token).status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c", "A" * 20_000, "é"])
def test_revoking_what_is_no_token_is_answered_like_success(insurer, token):
    response = insurer.revoke(token)
    assert (response.status_code, response.content) == (200, b"")


def test_a_client_revokes_its_own_tokens_only(pair, insurer):
    other, token = pair.partner(), insurer.token()
    assert "another client" in refused(other.revoke(token), "invalid_grant", 400)
    refused(other.revoke(demo_token(pair, insurer.code)), "invalid_grant", 400)
    time.sleep(0.6)
    assert all(pair.call(token, server=server).status_code == 200 for server in (0, 1))


def test_revoking_needs_the_client_and_a_token(pair, insurer):
    refused(pair.post("/oauth/revoke", {"token": insurer.token()}))
    refused(insurer.revoke(""), "invalid_request", 400)


def test_an_ended_key_signs_nobody_in_and_a_lost_one_takes_its_tokens_along(pair):
    partner, second = pair.partner(), new_key("k2")
    pair.owner(lambda c: add_keys(c, partner.client_id, keys=second.as_dict(private=False), now=utc_now()))
    token = partner.token()
    pair.owner(lambda c: end_key(c, partner.client_id, kid="k1", lost=False))
    refused(partner.ask())
    partner.key = second
    newer = partner.token()
    time.sleep(0.6)
    assert pair.call(token).status_code == pair.call(newer).status_code == 200
    pair.owner(lambda c: end_key(c, partner.client_id, kid="k2", lost=True))
    assert await_refusal(pair, newer, time.monotonic()) < SECOND
    assert pair.call(token).status_code == 200, "another key brought it"


NOW = utc_now()
GOOD = Terms(
    reference="GOOD",
    purposes=(Purpose.VERIFICATION,),
    categories=to_bits({Category.NAME}),
    valid_from=NOW,
    valid_to=NOW + timedelta(days=1),
    processor=False,
    attested=False,
)


def changed(**members):
    return Terms(**{name: getattr(GOOD, name) for name in GOOD.__slots__} | members)


@pytest.mark.parametrize(
    "terms, why",
    [(changed(reference=""), "reference"), (changed(reference="a\nb"), "reference"),
     (changed(reference="x" * 65), "reference"), (changed(valid_to=NOW - timedelta(days=1)), "over before it begins"),
     (changed(valid_from=NOW + timedelta(days=2)), "over before it begins"),
     (changed(valid_to=NOW + timedelta(days=4000)), "ten years"), (GOOD, "--processor"),
     (changed(processor=True, purposes=(Purpose.VERIFICATION, Purpose.MARKETING)), "marketing")],
)  # fmt: skip
def test_terms_that_cannot_be_are_refused(pair, terms, why):
    code = pair.organization("SERVICE_PROVIDER")
    with pytest.raises(OperatorRefusedError, match=why):
        pair.owner(lambda c: agree(c, code, terms=terms, now=NOW))
    assert pair.owner(lambda c: c.fetchval("SELECT count(*) FROM agreement WHERE reference = $1", terms.reference)) == 0


@pytest.mark.parametrize("code", ["NOBODY", "BROKER", ""])
def test_only_a_partner_organization_can_agree_or_register(pair, code):
    with pytest.raises(OperatorRefusedError, match="no partner organization"):
        pair.owner(lambda c: agree(c, code, terms=GOOD, now=NOW))
    keys = new_key().as_dict(private=False)
    with pytest.raises(OperatorRefusedError, match="no partner organization"):
        pair.owner(lambda c: register(c, code, contact="x", keys=keys, now=NOW))


PUBLIC = new_key().as_dict(private=False)


@pytest.mark.parametrize(
    "keys, why",
    [(new_key().as_dict(private=True), "private"), ({"kty": "oct", "k": "AAAA"}, "symmetric"), ({}, "kty"),
     ([], "JSON object"), ("x", "JSON object"), (None, "JSON object"), ({"keys": []}, "1 to 10"),
     ({"keys": 1}, "1 to 10"),
     ({"keys": [PUBLIC] * 2}, "same kid"), ({"keys": [PUBLIC] * 11}, "1 to 10"), ({**PUBLIC, "kid": ""}, "kid"),
     ({**PUBLIC, "kid": "x" * 65}, "kid"), ({**PUBLIC, "kid": 1}, "kid"), ({**PUBLIC, "crv": "Ed448"}, "curve"),
     ({**PUBLIC, "use": "enc"}, "not for signatures"), ({**PUBLIC, "alg": "HS256"}, "alg"),
     ({"kty": "RSA", "n": "_" * 171, "e": "AQAB"}, "2048")],
)  # fmt: skip
def test_keys_that_must_not_be_registered_are_refused(pair, insurer, keys, why):
    with pytest.raises(OperatorRefusedError, match=why):
        pair.owner(lambda c: add_keys(c, insurer.client_id, keys=keys, now=NOW))
    assert insurer.ask().status_code == 200


def test_a_key_id_is_never_used_again(pair):
    partner = pair.partner()
    with pytest.raises(OperatorRefusedError, match="already"):
        pair.owner(lambda c: add_keys(c, partner.client_id, keys=PUBLIC, now=NOW))
    pair.owner(lambda c: end_key(c, partner.client_id, kid="k1", lost=False))
    with pytest.raises(OperatorRefusedError, match="already"):
        pair.owner(lambda c: add_keys(c, partner.client_id, keys=PUBLIC, now=NOW))


def test_what_has_ended_cannot_end_again(pair):
    partner = pair.partner()
    for act in (
        lambda c: end_agreement(c, partner.reference),
        lambda c: end_key(c, partner.client_id, kid="k1", lost=False),
        lambda c: withdraw(c, partner.client_id),
    ):
        pair.owner(act)
        with pytest.raises(OperatorRefusedError, match="partner list"):
            pair.owner(act)
