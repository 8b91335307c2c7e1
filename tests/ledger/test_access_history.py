"""A person sees who was shown what of them, why, and under which contract; and nothing of anybody else (C18, C64)."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from authz.caveats import MaskOnly, OnlyPolicies, OnlyProducts, RowCeiling
from ledger.append import add_alone
from ledger.references import forget
from ledger.rows import Entry, Kind, Operation, Outcome, stand_in
from models.database import connect_once
from models.global_ids import from_global
from models.vocabulary import PERSON_ROLES, Purpose, Role
from resolvers.access_history import access_history
from resolvers.asides import Asked, Question
from tests.inprocess import in_process
from tests.ledger.sealed import index
from tests.plain import OPEN_POLICY, by_id, lines

ACCESS = """
  at decisionId role organization { code } purpose revealed masked changed under { kind number id } own
"""
HISTORY = f"accessHistory(first: 50) {{ edges {{ node {{ {ACCESS} }} }} }}"
OWN = f"{{ viewer {{ user {{ {HISTORY} }} }} }}"
CONTRACT = """query Contract($id: ID!) { policy(id: $id) { policyholder { phone idNumber } insured { name } } }"""


UNSEALED = """
SELECT count(*) FROM ledger l WHERE (body::jsonb ->> 'decision')::uuid = ANY($1::uuid[])
AND NOT EXISTS (SELECT FROM ledger_leaf f WHERE f.writer = l.writer AND f.sequence = l.sequence)
"""


def uuid_of(text) -> UUID:
    return from_global(text)[1]


@dataclass
class World:
    """A policy with an account on either side, what was asked about it, and the decisions."""

    server: object
    policy: dict
    holder: dict
    insured: dict
    decisions: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)
    """What was read of each person's history: to read it is itself an access, which the next page would begin with."""

    def own(self, person, document=OWN, variables=None):
        token = self.server.token("customer", user=person["username"], purposes=["account_service"])
        return self.server.post(document, variables, token=token).json()

    def history(self, person):
        edges = self.own(person)["data"]["viewer"]["user"]["accessHistory"]["edges"]
        return {edge["node"]["decisionId"]: edge["node"] for edge in edges}

    def of(self, person, decision):
        if person["id"] not in self.kept:
            self.kept[person["id"]] = self.history(person)
        return self.kept[person["id"]].get(self.decisions[decision])


async def settle(database, *operations):
    """Add rows, wait until the server's sealer has sealed them, and index all there are."""
    connection = await connect_once(database.owner)
    try:
        async with connection.transaction():
            await add_alone(connection, *operations)
        async with asyncio.timeout(20):
            while await connection.fetchval(UNSEALED, [one.decision for one in operations]):  # noqa: ASYNC110 - another process seals
                await asyncio.sleep(0.05)
        await index(connection)
    finally:
        await connection.close()


def operation(*, persons, records=(), entries, **more):
    told = {"role": Role.CLAIMS_HANDLER, "purpose": Purpose.CLAIM_HANDLING, "kind": Kind.READ, **more}
    groups, entries = grouped(entries)
    told |= {"persons": tuple(persons), "records": records, "groups": groups, "entries": entries}
    return Operation(decision=uuid4(), at=datetime.now(UTC), **told)


def grouped(entries):
    """Entries, each with a group of its own, from pairs of an entry and whom it is of."""
    groups = [tuple(zip(*of, strict=True)) for _, of in entries]
    return groups, [replace(one, group=place) for place, (one, _) in enumerate(entries)]


def entry(coordinates, effect="REVEAL", of=((0, None),)):
    return Entry(tuple(coordinates.split()), effect, None, 1, 0), of


@pytest.fixture(scope="module")
def server(invented):
    return invented


@pytest.fixture(scope="module")
def world(server):
    people, policies = by_id(server.plaintext, "User"), lines(server.plaintext)["Policy"]
    policy = next(
        one
        for one in policies
        if one["status"] in OPEN_POLICY
        and one["policyholder"] != one["insured"]
        and people[one["policyholder"]]["username"]
        and people[one["insured"]]["username"]
        and not any(other["policyholder"] == one["insured"] for other in policies)
    )
    found = World(server, policy, people[policy["policyholder"]], people[policy["insured"]])
    insurer = server.token("insurer", org=policy["insurer"], purposes=["policy_service"])
    service = server.token("customer_service", purposes=["policy_service"])
    for name, token in (("insurer", insurer), ("service", service)):
        answered = server.post(CONTRACT, {"id": policy["id"]}, token=token).json()
        found.decisions[name] = answered["extensions"]["authorization"]["decisionId"]
    own = found.own(found.holder, "{ viewer { user { name } } }")
    found.decisions["own"] = own["extensions"]["authorization"]["decisionId"]
    foreign = next(one for one in policies if found.holder["id"] not in (one["policyholder"], one["insured"]))
    holder, insured = uuid_of(found.holder["id"]), uuid_of(found.insured["id"])
    shown = {"entries": (entry("User.phone"),), "persons": (holder,)}
    made = {
        "withheld": operation(outcome=Outcome.WITHHELD, **shown),
        "strict": operation(code="FIELD_DENIED", **shown),
        "refused": operation(outcome=Outcome.REFUSED, **shown),
        "denied": operation(persons=(holder,), entries=(entry("User.phone", "DENY"),)),
        "named": operation(persons=(holder, insured), entries=(entry("User.email", of=((1, None),)),)),
        "mixed": operation(
            persons=(holder, insured, stand_in("beneficiary", uuid4())),
            entries=(
                entry("User.email User.phone", of=((0, None), (2, None))),
                entry("User.phone", "DENY", of=((1, None),)),
                entry("User.address", "MASK", of=((1, None), (0, None))),
            ),
        ),
        "foreign record": operation(
            persons=(holder,),
            records=(f"p{uuid_of(foreign['id']).hex}", f"p{uuid_of(policy['id']).hex}", f"n{uuid4().hex}"),
            entries=(entry("User.name", of=((0, 0), (0, 1), (0, 2))),),
        ),
        "changed": operation(
            kind=Kind.WRITE,
            role=Role.CUSTOMER_SERVICE,
            persons=(holder,),
            entries=(entry("Mutation.changeContacts", "WRITE"),),
        ),
        "operator": operation(
            kind=Kind.COMMAND, role=None, purpose=None, persons=(holder,), entries=(entry("account", "WRITE"),)
        ),
    }
    found.decisions |= {name: str(one.decision) for name, one in made.items()}
    asyncio.run(settle(server.database, *made.values()))
    return found


def test_c18_the_person_sees_who_was_shown_what_for_which_purpose_and_under_which_contract(world):
    found = world.of(world.holder, "insurer")
    assert (found["role"], found["organization"]) == ("insurer", {"code": world.policy["insurer"]})
    assert (found["purpose"], found["own"], found["changed"]) == ("POLICY_SERVICE", False, [])
    assert found["revealed"] == ["User.idNumber", "User.phone"]
    assert {
        "kind": "POLICY",
        "number": world.policy["policyNumber"],
        "id": world.policy["id"],
    } in found["under"]
    assert abs(datetime.fromisoformat(found["at"]) - datetime.now(UTC)).total_seconds() < 600


def test_masked_is_told_apart_from_revealed_and_the_brokerage_has_no_organization(world):
    found = world.of(world.holder, "service")
    assert (found["role"], found["organization"]) == ("customer_service", None)
    assert "User.idNumber" in found["masked"]
    assert "User.idNumber" not in found["revealed"]


def test_what_was_changed_stands_there_too(world):
    found = world.of(world.holder, "changed")
    assert (found["changed"], found["revealed"], found["masked"]) == (["Mutation.changeContacts"], [], [])


def test_an_operators_command_has_neither_role_nor_purpose(world):
    found = world.of(world.holder, "operator")
    assert (found["role"], found["purpose"], found["changed"]) == (None, None, ["account"])


def test_of_each_operation_a_person_sees_their_own_part_alone(world):
    holder, insured = world.of(world.holder, "insurer"), world.of(world.insured, "insurer")
    assert "User.name" not in holder["revealed"]
    assert insured["revealed"] == ["User.name"]
    mixed = world.of(world.holder, "mixed"), world.of(world.insured, "mixed")
    assert [(one["revealed"], one["masked"]) for one in mixed] == [
        (["User.email", "User.phone"], ["User.address"]),
        ([], ["User.address"]),
    ]
    assert (
        set(mixed[0]) == set(mixed[1]) == {*ACCESS.replace("{ code }", "").split(" under")[0].split(), "under", "own"}
    )


@pytest.mark.parametrize("name", ["withheld", "strict", "refused", "denied", "named"])
def test_what_showed_nothing_of_the_person_is_not_listed(world, name):
    assert world.of(world.holder, name) is None


def test_records_of_other_people_are_not_named(world):
    numbers = [one["number"] for one in world.of(world.holder, "foreign record")["under"]]
    assert numbers == [world.policy["policyNumber"]]


def test_what_one_looked_at_oneself_is_marked(world):
    assert world.of(world.holder, "own")["own"] is True
    assert world.of(world.insured, "insurer")["own"] is False


def test_the_newest_stand_first_and_no_page_gives_a_total(world):
    body = world.own(world.holder, "{ viewer { user { accessHistory { totalCount edges { node { at } } } } } }")
    found = body["data"]["viewer"]["user"]["accessHistory"]
    assert found["totalCount"] is None
    assert len(found["edges"]) > 4


PAGED = """query Page($first: Int, $after: String) { viewer { user { accessHistory(first: $first, after: $after) {
  edges { cursor node { decisionId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"""


def pages(world, person, size):
    after, found = None, []
    while True:
        body = world.own(person, PAGED, {"first": size, "after": after})
        page = body["data"]["viewer"]["user"]["accessHistory"]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        assert [page["edges"][0]["cursor"], page["edges"][-1]["cursor"]] == [
            page["pageInfo"]["startCursor"],
            page["pageInfo"]["endCursor"],
        ]
        found += [edge["node"]["decisionId"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_join_to_the_whole(world, size):
    whole = list(world.history(world.holder))
    # To look is an access too: the pages may begin with those of this very test.
    found = pages(world, world.holder, size)
    begins = found.index(whole[0])
    assert found[begins : begins + len(whole)] == whole
    assert len(set(found)) == len(found)
    assert len(whole) > 4


@pytest.mark.parametrize(
    "arguments,code",
    [
        ("first: 51", "LIMIT_EXCEEDED"),
        ("first: -1", "BAD_USER_INPUT"),
        ('after: "nonsense"', "BAD_CURSOR"),
    ],
)
def test_a_page_that_cannot_be_is_refused(world, arguments, code):
    body = world.own(world.holder, f"{{ viewer {{ user {{ accessHistory({arguments}) {{ totalCount }} }} }} }}")
    assert body["errors"][0]["extensions"]["code"] == code


def test_a_cursor_is_no_good_to_another_person(world):
    body = world.own(world.holder, PAGED, {"first": 1})
    cursor = body["data"]["viewer"]["user"]["accessHistory"]["edges"][0]["cursor"]
    body = world.own(world.insured, PAGED, {"first": 1, "after": cursor})
    assert body["errors"][0]["extensions"]["code"] == "BAD_CURSOR"


def test_aliases_fragments_and_conditions_work_as_everywhere(world):
    document = """
      query Words($size: Int = 2, $no: Boolean = false) { viewer { user {
        mine: accessHistory(first: $size) { __typename ...Some edges { node { who: role @skip(if: $no) } } }
        none: accessHistory @include(if: $no) { totalCount }
        ... on User { accessHistory(first: 1) { edges { node { under { __typename kind } } } } }
      } } }
      fragment Some on AccessConnection {
        edges { __typename node { __typename own organization { __typename code } } }
      }
    """
    user = world.own(world.holder, document)["data"]["viewer"]["user"]
    assert set(user) == {"mine", "accessHistory"}
    assert user["mine"]["__typename"] == "AccessConnection"
    assert [list(edge) for edge in user["mine"]["edges"]] == [["__typename", "node"]] * 2
    for edge in user["mine"]["edges"]:
        assert list(edge["node"]) == ["__typename", "own", "organization", "who"]
        assert edge["node"]["__typename"] == "Access"


def test_it_counts_towards_the_cost_of_an_operation(world):
    twice = " ".join(f"{key}: {HISTORY}" for key in ("one", "two"))
    body = world.own(world.holder, f"{{ users(first: 100) {{ edges {{ node {{ {twice} }} }} }} }}")
    assert body["errors"][0]["extensions"]["limit"] == "cost"


# Who may ask.

EVERYBODY = f"""query Everybody($id: ID!) {{
  user(id: $id) {{ id {HISTORY} }}
  users(first: 10) {{ edges {{ node {{ id {HISTORY} }} }} }}
}}"""


def histories(body):
    rows = [body["data"]["user"], *(edge["node"] for edge in body["data"]["users"]["edges"])]
    return {row["id"]: row["accessHistory"] for row in rows if row}


def callers(server):
    """A token of every role, with every purpose."""
    for role in Role:
        if role != Role.ANONYMOUS:
            yield role, server.token(role.value, purposes=[purpose.value for purpose in Purpose])


def test_whatever_the_role_and_purpose_nobody_sees_the_history_of_a_stranger(world, server):
    asked = seen = 0
    for role, token in callers(server):
        for purpose in Purpose:
            headers = {"X-Purpose": purpose.value}
            body = server.post(EVERYBODY, {"id": world.holder["id"]}, token=token, headers=headers).json()
            if role in PERSON_ROLES or (role, purpose) == (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST):
                continue
            found = histories(body)
            assert not any(found.values()), (role, purpose)
            asked, seen = asked + 1, seen + len(found)
    assert asked > 200
    assert seen > 50


def test_a_customer_sees_only_their_own_under_whatever_purpose(world, server):
    token = server.token("customer", user=world.holder["username"], purposes=[one.value for one in Purpose])
    for purpose in Purpose:
        headers = {"X-Purpose": purpose.value}
        found = histories(server.post(EVERYBODY, {"id": world.insured["id"]}, token=token, headers=headers).json())
        assert [row for row, history in found.items() if history is not None] == [world.holder["id"]]
        assert world.insured["id"] in found


def test_a_guardian_sees_their_wards_history_and_no_other(world, server):
    links = [one for one in lines(server.plaintext)["GuardianLink"] if one["verifiedAt"] and not one["revokedAt"]]
    people, checked = by_id(server.plaintext, "User"), 0
    for link in links:
        username = people[link["guardian"]]["username"]
        if not username:
            continue
        token = server.token("guardian", user=username, purposes=["account_service"])
        found = histories(server.post(EVERYBODY, {"id": link["child"]}, token=token).json())
        assert all(history is not None for history in found.values())
        assert found.keys() <= {one["child"] for one in links if one["guardian"] == link["guardian"]}
        checked += len(found)
    assert checked


def test_a_privacy_officer_sees_the_history_of_persons_whose_request_is_in_hand(server):
    seen = 0
    for person in [one for one in lines(server.plaintext)["Staff"] if one["role"] == "privacy_officer"]:
        if person["leftAt"]:
            continue
        given = {"user": person["username"], "purposes": ["rights_request", "regulatory_disclosure"]}
        token = server.token("privacy_officer", **given)
        document = f"{{ users(first: 50) {{ edges {{ node {{ id {HISTORY.replace('50', '1')} }} }} }} }}"
        for purpose, wanted in (("rights_request", True), ("regulatory_disclosure", False)):
            body = server.post(document, token=token, purpose=purpose).json()
            found = [edge["node"]["accessHistory"] for edge in body["data"]["users"]["edges"]]
            assert all((history is not None) == wanted for history in found)
            seen += wanted and len(found)
    assert seen


def test_who_stands_in_the_answer_is_not_taken_for_who_may_ask(world, server):
    """A row that the caller can reach is not enough: not a guardian's other people, nor another purpose's case."""
    officers = [
        one for one in lines(server.plaintext)["Staff"] if one["role"] == "privacy_officer" and not one["leftAt"]
    ]
    with in_process(server) as asked:

        def histories_of(subject, purpose, people, wards=()):
            service = asked.service
            reading = service.keyring, service.snapshot(), datetime.now(UTC), service.reader.bundle, {}, Asked("", ())
            question = Question(asked.pool.fetch, subject, purpose, wards, *reading)
            return set(asked.runner.run(access_history(question, people)))

        holder, insured = uuid_of(world.holder["id"]), uuid_of(world.insured["id"])
        guardian = asked.subject("guardian", purposes=["account_service"])
        found = histories_of(guardian, Purpose.ACCOUNT_SERVICE, [holder, insured], wards=(insured,))
        assert found == {insured}
        people, seen = [uuid_of(one["id"]) for one in lines(server.plaintext)["User"]], 0
        for one in officers:
            officer = asked.subject("privacy_officer", user=one["username"], purposes=["rights_request"])
            seen += len(histories_of(officer, Purpose.RIGHTS_REQUEST, people))
            assert not histories_of(officer, Purpose.REGULATORY_DISCLOSURE, people)
    assert 0 < seen < len(people)


def test_a_narrowed_token_says_nothing_of_the_rest_of_a_person(world, server):
    with in_process(server) as asked:
        told = {"user": world.holder["username"], "purposes": ["account_service"]}
        caveats = (OnlyPolicies((world.policy["policyNumber"],)), OnlyProducts(("X",)), MaskOnly(), RowCeiling(1_000))
        narrowed = [{"caveats": (one,)} for one in caveats]
        bodies = [
            asked.body(asked.subject("customer", **told, **some), OWN)
            for some in ({}, {"categories": ["name"]}, *narrowed, {"categories": []})
        ]
    found = [body["data"]["viewer"]["user"] for body in bodies]
    assert [bool(one["accessHistory"]["edges"]) for one in found[:2]] == [True, True]
    assert [one and one["accessHistory"] for one in found[2:]] == [None] * 5


def test_no_value_of_anybody_stands_in_a_history(world):
    text = str([world.own(person) for person in (world.holder, world.insured)])
    for person in (world.holder, world.insured):
        for name in ("name", "idNumber", "phone", "email", "address", "username"):
            assert not person[name] or person[name] not in text


def test_once_the_reference_is_gone_nothing_can_be_joined_any_more(world, server):
    person = next(
        one
        for one in lines(server.plaintext)["User"]
        if one["username"] and one["id"] not in (world.holder["id"], world.insured["id"])
    )
    asyncio.run(settle(server.database, operation(persons=(uuid_of(person["id"]),), entries=(entry("User.name"),))))
    assert world.history(person)

    async def erase():
        connection = await connect_once(server.database.owner)
        try:
            await forget(connection, uuid_of(person["id"]))
        finally:
            await connection.close()

    asyncio.run(erase())
    assert world.history(person) == {}
