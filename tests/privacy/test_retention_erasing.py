"""What is erased opens nowhere any more; what a law keeps stands apart and opens under a case only (C28-C30)."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.commands import OperatorRefusedError
from models.database import connect_once
from models.vocabulary import Retention
from privacy.bundles import BundleName, read_bundle
from privacy.erasure import apply
from privacy.sweep import Sweeper
from privacy.tombstones import Tombstone, Tombstones
from resolvers.registered import house_documents
from tests.privacy.disclosing import KNOWN, row_of
from tests.privacy.retaining import KEYS, Retaining, counted, today
from tests.privacy.test_disclosures import until
from tests.privacy.world import office_of
from tests.writing.conftest import PASSWORD

SEED = read_bundle(BundleName.SEED)
SHORT = SEED.retention.short_contract_days
SIGN_UP = next(found for found, text in house_documents().items() if "register(" in text)
ITEMS = "username name idNumber phone email"
ORDINARY = (Retention.ACCOUNT, Retention.CONTRACT, Retention.CLAIM, Retention.DEVICE)


@pytest.fixture(scope="module")
def desk(_bundled) -> Retaining:
    return Retaining(office_of(_bundled(BundleName.SEED).server))


def own(desk, person):
    return desk.office.post(f"{{ viewer {{ user {{ {ITEMS} }} }} }}", token=person.token, purpose="account_service")


def signed_up(desk, phone, username):
    given = {"input": {"phone": phone, "username": username, "password": PASSWORD}}
    body = {"documentId": f"sha256:{SIGN_UP}", "variables": given}
    return desk.office.client.post(desk.office.url, json=body).json()["data"]["register"]


def recorded(desk, case):
    """What the ledger has of commands that name a case."""
    found = desk.office.rows("SELECT body FROM ledger_sealed WHERE strpos(body, $1) > 0", str(case))
    return [row for row in (json.loads(one[0]) for one in found) if row["kind"] == "COMMAND"]


def erased(desk, *, contract=False):
    """Somebody whose account an order has erased; with `contract` a law still wants to know who they were."""
    person = desk.person()
    if contract:
        desk.contract(person.person, ended=30)
    order = desk.order(person.person, [Retention.ACCOUNT])
    assert counted(desk.sweep(person.person)) == {"ERASED ACCOUNT": 1}
    return person, order


def proofs(desk, order):
    try:
        return desk.office.operate("retention", "proof", str(order))
    except OperatorRefusedError:
        return []


def root_by(leaf, index, size, path):
    """The root that a path leads to: RFC 9162, 2.1.3.2, written down anew."""
    node, last = leaf, size - 1
    for one in path:
        if index % 2 or index == last:
            node = sha256(b"\x01" + one + node).digest()
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\x01" + node + one).digest()
        index, last = index // 2, last // 2
    return node


def test_c29_what_is_erased_is_gone_at_the_next_read_of_a_server_that_has_just_shown_it(desk):
    person = desk.person()
    desk.approved(person)
    for _ in range(3):
        assert own(desk, person).json()["data"]["viewer"]["user"]["name"] == KNOWN["name"]
        assert desk.read(person) == {"name"}
    desk.order(person.person, [Retention.ACCOUNT])
    assert desk.sweep(person.person).counts["ERASED ACCOUNT"] == 1
    assert desk.read(person) in (None, set())
    answer = own(desk, person)
    assert answer.status_code == 401 or not any(answer.json()["data"]["viewer"]["user"].values()), answer.text
    assert KNOWN["name"] not in answer.text
    assert desk.keys(person.person) == set()
    assert desk.office.rows('SELECT "column" FROM blind_index WHERE person_id = $1', person.person) == []
    stored = desk.office.rows("SELECT * FROM person WHERE id = $1", person.person)[0]
    assert {name: value for name, value in stored.items() if name.endswith("_sealed") and value is not None} == {}
    until(lambda: own(desk, person).status_code, lambda status: status == 401)


def test_c29_whoever_was_erased_signs_up_anew_with_the_same_phone_and_username(desk):
    person = desk.office.customer()
    assert signed_up(desk, person.phone, f"{person.username}x")["code"] == "PHONE_TAKEN"
    desk.order(person.person, ORDINARY)
    assert counted(desk.sweep(person.person)) == {"ERASED ACCOUNT": 1}
    again = signed_up(desk, person.phone, person.username)
    assert again["__typename"] == "SessionTokens", again
    found = desk.office.post(
        "{ viewer { user { id username phone } } }", token=again["accessToken"], purpose="account_service"
    ).json()["data"]["viewer"]["user"]
    assert (found["username"], found["phone"]) == (person.username, person.phone)
    assert found["id"] != person.id


def test_c29_an_order_that_is_run_twice_writes_one_tombstone_and_is_proved_from_the_ledger(desk):
    person, order = erased(desk)
    assert counted(desk.sweep(person.person, times=2)) == {}
    assert len(desk.stones(person.person)) == 1
    desk.office.operate("orders", "run")
    assert len(desk.stones(person.person)) == 1
    listed = {one["order"]: one for one in desk.office.operate("orders", "list")}[str(order)]
    assert listed["done"]

    (proof,) = until(lambda: proofs(desk, order), bool)
    assert (proof["erased"], proof["ground"], proof["restricted_until"]) == ("ACCOUNT", "DELETION", None)
    assert proof["proved"] is True
    leaf, root = bytes.fromhex(proof["leaf"]), bytes.fromhex(proof["root"])
    path = [bytes.fromhex(one) for one in proof["path"].split(",")]
    assert root_by(leaf, proof["index"], proof["head"], path) == root
    assert root_by(bytes(32), proof["index"], proof["head"], path) != root
    signed = desk.office.rows("SELECT FROM ledger_head WHERE size = $1 AND root = $2", proof["head"], root)
    assert len(signed) == 1
    row = desk.office.rows("SELECT person_id, request_id FROM erasure_order WHERE id = $1", order)[0]
    assert tuple(row) == (None, None), "by the order nobody is found any more"
    with pytest.raises(OperatorRefusedError):
        desk.office.operate("retention", "proof", str(person.person))


def test_c28_what_the_law_keeps_opens_under_an_approved_unexpired_case_that_covers_the_person_and_no_other(desk):
    person, _ = erased(desk, contract=True)
    other = desk.person()
    assert desk.keys(person.person) == {Retention.CONTRACT, Retention.RESTRICTED}

    def opened(case):
        return desk.office.run_operator("retention", "open", "--person", person.id, "--case", str(row_of(case)))

    def refused(case):
        with pytest.raises(OperatorRefusedError):
            opened(case)

    proposed = desk.open(person)
    refused(proposed)
    refused(desk.approved(other))
    rejected = desk.open(person)
    desk.review(rejected, "REJECTED")
    refused(rejected)
    desk.review(proposed)
    told = opened(proposed)
    data = told.data
    assert (data["name"], data["id_number"], data["phone"]) == (KNOWN["name"], KNOWN["idNumber"], person.phone)
    assert data["until"] == str(today(-30) + timedelta(days=SHORT))
    (row,) = until(lambda: recorded(desk, row_of(proposed)), bool)
    assert (row["detail"]["command"], row["detail"]["subcommand"]) == ("retention", "open")
    assert row["persons"] == [
        one[0] for one in desk.office.rows("SELECT reference FROM person_reference WHERE person_id = $1", person.person)
    ]
    assert desk.read(person) in (None, set()), "no request is shown any of it"
    case = row_of(proposed)
    desk.office.execute(
        "UPDATE disclosure_case SET opened_at = opened_at - interval '1 day', approved_at = approved_at - interval"
        " '1 day', expires_at = now() - interval '1 second' WHERE id = $1",
        case,
    )
    refused(proposed)
    closed = desk.approved(person)
    opened(closed)
    desk.write("closeDisclosureCase", {"id": closed["id"]})
    refused(closed)
    # It goes with the duty.
    assert counted(desk.sweep(person.person, days=SHORT - 31)) == {}
    found = counted(desk.sweep(person.person, days=SHORT - 29))
    assert found == {"ERASED CONTRACT": 1, "ERASED RESTRICTED": 1}
    assert desk.office.rows("SELECT FROM restricted_record WHERE person_id = $1", person.person) == []


def test_c30_once_operations_have_ceased_the_sweep_erases_all_that_no_law_keeps(desk, tmp_path):
    person, lone = desk.person(), desk.person()
    desk.contract(person.person, ended=30)
    at, people = datetime.now(UTC), sorted([person.person, lone.person])

    async def swept(connection):
        sweeper = Sweeper(connection, desk.office.keyring, SEED, Tombstones(tmp_path / "stones"), at)
        due = await sweeper.look(people, at)
        await sweeper.batch(due, at)
        return due, {one: {row[0] for row in await connection.fetch(KEYS, one)} for one in people}

    async def work(connection):
        assert await swept(connection) == ([], {lone.person: {1}, person.person: {1, 2}})
        await connection.execute(CEASE, at - timedelta(days=2), today())
        due, keys = await swept(connection)
        kept = await connection.fetchval("SELECT until FROM restricted_record WHERE person_id = $1", person.person)
        return due, keys, kept

    due, keys, kept = desk.run(work)
    assert due == people
    assert keys == {lone.person: set(), person.person: {2, 5}}
    assert kept == today(-30) + timedelta(days=SHORT)


@pytest.fixture(scope="module")
def drawn(desk):
    """Persons with everything, whom no example changes for good."""
    people = [desk.person() for _ in range(2)]
    for one in people:
        desk.contract(one.person, ended=30)
        for retention in (Retention.CLAIM, Retention.DEVICE):
            desk.office.execute(
                "INSERT INTO data_key (person_id, retention, wrapped) SELECT $1, $2, wrapped FROM data_key"
                " WHERE person_id = $1 AND retention = 1",
                *(one.person, int(retention)),
            )
    return [one.person for one in people]


@pytest.fixture(scope="module")
def loop(desk):
    """One connection for all examples: opening one is most of the time that an example takes."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(connect_once(desk.office.database.owner))
    yield loop, connection
    loop.run_until_complete(connection.close())
    loop.close()


CEASE = """
INSERT INTO ceasing (id, announcement, day, proposed_at, proposed_by, confirmed_at, confirmed_by, ceases_at)
VALUES (gen_random_uuid(), 'ceased', $2, $1, 'a', $1, 'b', $1)
"""
STATE = """
SELECT (SELECT array_agg(retention ORDER BY retention) FROM data_key WHERE person_id = p.id AND wrapped IS NOT NULL),
 (SELECT count(*) FROM blind_index WHERE person_id = p.id), (SELECT count(*) FROM account WHERE person_id = p.id),
 (SELECT count(*) FROM person_reference WHERE person_id = p.id), num_nonnulls(p.name_sealed, p.phone_sealed),
 (SELECT num_nonnulls(premium_sealed) FROM policy WHERE holder_id = p.id),
 (SELECT until FROM restricted_record WHERE person_id = p.id)
FROM person p WHERE p.id = ANY($1) ORDER BY p.id
"""
STONES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.frozensets(st.sampled_from(ORDINARY), min_size=1),
        st.none() | st.integers(1, 9),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=25)
@given(stones=STONES, again=st.data())
def test_c29_a_tombstone_that_is_applied_twice_erases_once_whatever_the_order(desk, drawn, loop, stones, again):
    running, connection = loop
    at, keyring = datetime.now(UTC), desk.office.keyring
    made = [Tombstone(drawn[who], classes, at, None if days is None else today(days)) for who, classes, days in stones]
    repeated = again.draw(st.permutations([*made, *made]))

    async def state(some):
        inner = connection.transaction()
        await inner.start()
        try:
            done = [await apply(connection, keyring, one) for one in some]
            return done, [tuple(row) for row in await connection.fetch(STATE, drawn)]
        finally:
            await inner.rollback()

    wanted = {who: {one for stone in made if stone.person == who for one in stone.classes} for who in drawn}
    done, first = running.run_until_complete(state(made))
    _, twice = running.run_until_complete(state([*made, *made]))
    assert twice == first
    _, mixed = running.run_until_complete(state(repeated))
    order = sorted(drawn, key=lambda one: one.bytes)
    for who, one, other in zip(order, first, mixed, strict=True):
        kept = other[6] is not None
        assert set(other[0] or ()) == {*ORDINARY} - wanted[who] | ({Retention.RESTRICTED} if kept else set())
        # Until when a remainder is kept is said by the stone that came first; nothing else depends on the order.
        assert [*one[1:3], *one[4:6]] == [*other[1:3], *other[4:6]]
        gone = Retention.ACCOUNT in wanted[who]
        assert (other[1] == 0, other[2] == 0, other[4] == 0) == (gone, gone, gone)
        assert (other[5] == 0) == (Retention.CONTRACT in wanted[who])
    assert done[0] is True
    nothing = replace(made[0], classes=frozenset({Retention.RESTRICTED}))
    assert running.run_until_complete(state([nothing]))[0] == [False]
