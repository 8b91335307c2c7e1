"""Decisions know the notice that somebody agreed to: what came later is not theirs, what went stays until then."""

from datetime import UTC, datetime

import pytest

from models.global_ids import NodeType, from_global, to_global
from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose
from tests.plain import lines
from tests.privacy.noticing import FIRST, SERVICE, Noticing, telling, until
from tests.recorded import ROW, as_owner, said

ASKED = "{ users(first: 50) { edges { node { id name birthDate phone } } } }"
LATER = "allow,health_provider,health_service,provider,contract_open,reveal,demographic,C75"
TOLD = (Category.NAME, Category.GOVERNMENT_ID, Category.PHONE)


@pytest.fixture
def provider(noticing):
    """A health provider with running services for two adults at least who can log in: its token, and their names."""
    rows = lines(noticing.plaintext)
    people = {one["id"]: one for one in rows["User"]}
    policies = {one["id"]: one for one in rows["Policy"]}
    names: dict[str, dict[str, str]] = {}
    for one in rows["HealthService"]:
        ends = one["endsAt"] and datetime.fromisoformat(one["endsAt"])
        holder = people[policies[one["policy"]]["policyholder"]]
        adult = holder["birthDate"] and holder["birthDate"] < "2000"
        if holder.get("username") and adult and (ends is None or ends > datetime.now(UTC)):
            names.setdefault(one["provider"], {})[holder["id"]] = holder["username"]
    organization, served = max(names.items(), key=lambda pair: len(pair[1]))
    assert len(served) > 2
    code = next(one["code"] for one in rows["Organization"] if one["id"] == organization)
    token = noticing.token("health_provider", org=code, purposes=["health_service"])
    return token, [
        (person, noticing.token("customer", user=name, purposes=["account_service"]))
        for person, name in list(served.items())[:3]
    ]


def shown(noticing: Noticing, token: str) -> dict[str, dict]:
    """What the provider is shown, by person; and the decision."""
    body = noticing.post(ASKED, token=token).json()
    found = {edge["node"]["id"]: edge["node"] for edge in body["data"]["users"]["edges"]}
    return {**found, "decision": body["extensions"]["authorization"]["decisionId"]}


def with_rule(noticing: Noticing) -> None:
    found = noticing.rows("SELECT text FROM ruleset_text WHERE text LIKE '%demographic,C75%'")
    if not found:
        noticing.rule(LATER)


def test_c75_who_has_not_agreed_keeps_the_old_notices_terms_and_who_has_is_shown_by_the_new(noticing, provider):
    token, ((ann, hers), (bob, his), (eve, _)) = provider
    with_rule(noticing)
    # The rules would show it by now; that no notice tells of it, nobody is shown it.
    assert until(lambda: shown(noticing, token)[ann]["name"])
    assert all(shown(noticing, token)[one]["birthDate"] is None for one in (ann, bob, eve))

    second = noticing.version(telling(FIRST, SERVICE, *TOLD, Category.DEMOGRAPHIC))
    assert noticing.says(hers, second)["id"] == ann
    assert until(lambda: shown(noticing, token)[ann]["birthDate"])
    assert noticing.says(his, second, agrees=False)["id"] == bob
    found = shown(noticing, token)
    assert found[bob]["birthDate"] is None, "was shown the notice and does not agree"
    assert found[eve]["birthDate"] is None, "was never asked"
    assert all(found[one]["name"] and found[one]["phone"] for one in (ann, bob, eve)), "what the first tells of stays"
    body = said(as_owner(noticing, lambda owner: owner.fetch(ROW, found["decision"])))
    assert body, "it is on record"

    # Who thinks again is shown by it from the next read on.
    noticing.says(his, second)
    assert shown(noticing, token)[bob]["birthDate"]


def test_c75_what_a_later_notice_takes_away_goes_for_who_agrees_to_it_and_for_nobody_else(noticing, provider):
    token, ((ann, hers), (bob, _), (eve, _)) = provider
    less = noticing.version(telling(FIRST, SERVICE, Category.NAME))
    assert all(shown(noticing, token)[one]["phone"] for one in (ann, bob, eve))
    noticing.says(hers, less)
    # A worker that does not know the version yet shows nothing under it.
    until(lambda: shown(noticing, token)[ann]["name"])
    found = shown(noticing, token)
    assert found[ann]["phone"] is None
    assert all(found[one]["phone"] for one in (bob, eve)), "they stand under the first"


def test_c82_a_future_version_is_inert_in_decisions_and_over_http(noticing, provider):
    token, ((ann, hers), *_) = provider
    with_rule(noticing)
    future = noticing.version(telling(FIRST, SERVICE, *TOLD, Category.DEMOGRAPHIC), days=2)
    assert noticing.says(hers, future)["code"] == "NOTICE_UNKNOWN"
    viewer = noticing.viewer(hers)
    assert viewer["pendingNotices"] == []
    assert viewer["standingNotice"]["version"] == "2020-10-26"
    current = noticing.post("{ currentNotice { version } }", token=hers).json()["data"]["currentNotice"]
    assert current == {"version": "2020-10-26"}
    # Even a row that says they agreed to it opens nothing before its day.
    noticing.execute(
        "INSERT INTO notice_agreement (id, person_id, notice, agrees, said_at)"
        " SELECT gen_random_uuid(), $1, max(number), TRUE, now() FROM notice",
        from_global(ann)[1],
    )
    assert noticing.viewer(hers)["standingNotice"]["version"] == "2020-10-26"
    assert shown(noticing, token)[ann]["birthDate"] is None
    noticing.execute("UPDATE notice SET effective_from = now() - interval '1 minute' WHERE number > 1")
    until(lambda: shown(noticing, token)[ann]["birthDate"])
    assert noticing.viewer(hers)["standingNotice"]["version"] == future.version


def test_c75_whoever_is_first_known_today_stands_under_the_newest(noticing):
    before = noticing.customer()
    new = noticing.version(telling(FIRST, SERVICE, *TOLD, Category.DEMOGRAPHIC))
    after = noticing.customer()
    assert noticing.viewer(before.token)["standingNotice"]["version"] == "2020-10-26"
    assert [one["version"] for one in noticing.viewer(before.token)["pendingNotices"]] == [new.version]
    viewer = noticing.viewer(after.token)
    assert viewer["standingNotice"] == {"version": new.version, "hash": new.digest, "agreed": False}
    assert [one["version"] for one in viewer["pendingNotices"]] == [new.version]
    assert to_global(NodeType.USER, after.person) == after.id


def test_c75_a_number_ends_once_its_person_agrees_to_a_notice_that_does_not_tell_of_it(noticing, provider):
    _, ((ann, hers), *_) = provider
    person = from_global(ann)[1]
    given = {"purpose": "MARKETING", "categories": ["NAME", "RELAY"], "noticeHash": FIRST.digest}
    consent = noticing.write(
        "grantConsent", given, token=hers, purpose="account_service", show="... on Consent { id status }"
    )
    assert consent["status"] == "ACTIVE"
    # Of the brokerage's own seats: a partner's number could end because business was concluded.
    live = "SELECT count(*) FROM virtual_phone WHERE person_id = $1 AND organization_id IS NULL AND ended_at IS NULL"
    noticing.execute("UPDATE policy SET status = 'LAPSED' WHERE holder_id = $1 OR insured_id = $1", person)
    assert noticing.rows(live, person)[0][0] == 1
    less = noticing.version(telling(FIRST, (Purpose.MARKETING, OrganizationKind.BROKER), Category.NAME))
    assert noticing.rows(live, person)[0][0] == 1, "nobody has agreed to it"
    noticing.says(hers, less)
    assert noticing.rows(live, person)[0][0] == 0
