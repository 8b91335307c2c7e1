"""What a guardian agrees to for a child: it ends with a link that should not have been, and not otherwise (C71)."""

import asyncio

import pytest

from models.global_ids import NodeType, to_global
from tests.privacy.consenting import CHILD, Consenting
from tests.recorded import as_owner

LINKED = "SELECT id FROM guardian_link WHERE child_id = $1"
NUMBERS = "SELECT count(*) FROM virtual_phone WHERE person_id = $1 AND ended_at IS NULL"
RECEIPTS = "{ consents { edges { node { receipt { document } } } } }"
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"


@pytest.fixture
def found(bundled):
    return Consenting.on(bundled)


@pytest.mark.parametrize("who", ["officer", "operator", "guardian"])
def test_c71_when_an_officer_ends_a_link_all_that_its_guardian_gave_ends_and_else_it_goes_on(found, who, monkeypatch):
    child, mother, father = found.somebody(birth=CHILD), found.somebody(), found.somebody()
    found.guards(mother, child)
    (link,) = found.rows(LINKED, child.person)[0]
    found.guards(father, child)
    given = [
        found.grant(found.guardian_of(mother), purpose, [category], user=child.id)["id"]
        for purpose, category in (("MARKETING", "RELAY"), ("VERIFICATION", "NAME"))
    ]
    other = found.grant(found.guardian_of(father), "ANALYTICS", ["TAG"], user=child.id)["id"]
    assert found.rows(NUMBERS, child.person)[0][0] == 1
    if who == "operator":
        monkeypatch.setenv("NEEDFUL_BUNDLE", "seed")
        monkeypatch.setenv("NEEDFUL_DATA", str(found.data_dir))
        found.operate("guardians", "revoke", str(link))
    else:
        officer = found.token("privacy_officer", purposes=["administration"])
        token, under = (officer, "administration") if who == "officer" else (found.of(mother), "account_service")
        asked = {"id": to_global(NodeType.RECORD, link)}
        done = found.write(
            "revokeGuardianLink", asked, token=token, purpose=under, show="... on GuardianLinkStanding {id}"
        )
        assert done["id"]
    stands = {one["id"]: one["status"] for one in found.history(found.of(child), child)}
    ended = "ACTIVE" if who == "guardian" else "WITHDRAWN"
    assert stands == {given[0]: ended, given[1]: ended, other: "ACTIVE"}
    assert found.rows(NUMBERS, child.person)[0][0] == (who == "guardian")
    if who != "guardian":
        edges = found.ask(RECEIPTS, found.of(child), "account_service")["consents"]["edges"]
        events = [one["node"]["receipt"]["document"]["events"] for one in edges]
        assert [one[-1]["by"] for one in events if len(one) > 1] == [None] * 2


def test_c71_a_guardian_whose_link_is_being_ended_agrees_to_nothing_more(found):
    child, mother = found.somebody(birth=CHILD), found.somebody()
    found.guards(mother, child)

    async def meanwhile(owner):
        async with owner.transaction():
            await owner.execute("UPDATE guardian_link SET revoked_at = now() WHERE child_id = $1", child.person)
            granting = asyncio.create_task(asyncio.to_thread(found.grant, found.guardian_of(mother), user=child.id))
            for _ in range(200):
                if granting.done() or await owner.fetchval(WAITING):
                    break
                await asyncio.sleep(0.02)
        return await granting

    assert as_owner(found, meanwhile)["code"] == "NOT_FOUND"
    assert found.history(found.of(child), child) == []
