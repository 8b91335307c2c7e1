"""What a token may be used for, over real data: masks only, so many rows, reveals that wait for a second factor."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from authz.caveats import MaskOnly, OnlyPolicies, OnlyProducts, RowCeiling, Until
from authz.vocabulary import MASKABLE
from resolvers.run import Run
from schema.build import build_catalogue, build_schema
from tests.inprocess import effects, handler, in_process, reasons, shown
from tests.plain import by_id, lines
from vault import sealing

LATER = 2**40
CLAIMS = """{ claims(first: 30) { edges { node { claimNumber diagnosis hospital reporterName bankCard
  policy { policyNumber premium insured { id name idNumber occupation birthDate } } } } } }"""
NAMES = "{ users(first: 20) { edges { node { id name phone } } } }"
PUBLIC = "{ users(first: 20) { edges { node { id idType } } } }"


@pytest.fixture(scope="module")
def asked(server):
    with in_process(server) as found:
        yield found


def people(body) -> list[dict]:
    return [edge["node"] for edge in body["data"]["users"]["edges"]]


class noted:  # noqa: N801 - used as a context manager
    """The SQL that runs within the block."""

    def __enter__(self) -> list[str]:
        found: list[str] = []
        records = Run.records

        async def noting(run, text, local):
            found.append(text.sql)
            return await records(run, text, local)

        self._patch = mock.patch.object(Run, "records", noting)
        self._patch.start()
        return found

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


# Masks only.


def test_a_mask_only_token_is_revealed_nothing_and_reads_no_column_without_a_masked_form(asked):
    before = asked.body(handler(asked), CLAIMS)
    with noted() as sent:
        after = asked.body(handler(asked, MaskOnly()), CLAIMS)
    assert shown(before)["REVEAL"] > 10
    assert set(shown(after)) == {"MASK", "DENY"}
    catalogue = build_catalogue(build_schema())
    for name, found in effects(before).items():
        if catalogue[name].category in MASKABLE:
            assert effects(after)[name] == {"MASK" if effect == "REVEAL" else effect for effect in found}
            assert reasons(after).get(name) == reasons(before).get(name)
        else:
            assert effects(after)[name] == {"DENY"}
            assert reasons(after)[name] == {"TOKEN_SCOPE"}
    read = " ".join(sent)
    assert "reporter_name_sealed" in read
    assert not any(name in read for name in ("diagnosis_sealed", "hospital_sealed", "premium_sealed", "birth_date"))


def test_a_mask_only_token_cannot_confirm_a_value_by_looking_it_up(server, asked):
    phone = next(one["phone"] for one in lines(server.plaintext)["User"] if one["phone"])
    document = "query($phone: String!) { users(phone: $phone) { totalCount } }"
    assert asked.body(handler(asked), document, {"phone": phone})["data"]["users"]["totalCount"] == 1
    refusal = asked.body(handler(asked, MaskOnly()), document, {"phone": phone})
    assert [error["extensions"]["code"] for error in refusal["errors"]] == ["FILTER_DENIED"]


def test_a_token_whose_time_is_over_is_shown_nothing_even_if_it_gets_this_far(asked):
    now = int(datetime.now(UTC).timestamp())
    assert shown(asked.body(handler(asked, Until(now + 600)), NAMES))["DENY"] == 0
    over = asked.body(handler(asked, Until(now)), NAMES)
    assert set(shown(over)) == {"DENY"}
    assert reasons(over)["User.name"] == {"TOKEN_SCOPE"}


# So many rows.


def test_a_ceiling_counts_rows_over_the_whole_life_of_the_token_and_stops_at_the_very_row(asked):
    subject = handler(asked, RowCeiling(50))
    full = people(asked.body(handler(asked), NAMES))
    for _ in range(2):
        assert people(asked.body(subject, NAMES)) == full
    third = asked.body(subject, NAMES)
    assert people(third)[:10] == full[:10]
    # Beyond it the rows still stand there, with what is public.
    assert people(third)[10:] == [{"id": one["id"], "name": None, "phone": None} for one in full[10:]]
    assert reasons(third) == {"User.name": {"LIMIT"}, "User.phone": {"LIMIT"}}
    assert {error["extensions"]["count"] for error in third["errors"]} == {10}
    assert third["errors"][0]["path"] == ["users", "edges", 10, "node", "name"]
    assert effects(third)["User.name"] > {"DENY"}
    fourth = asked.body(subject, NAMES)
    assert not any(one["name"] or one["phone"] for one in people(fourth))


def test_values_beyond_a_ceiling_are_not_even_opened(asked):
    opened = []
    open_column = sealing.open_column

    def counting(blobs, *rest, **named):
        opened.extend(blob for blob in blobs if blob is not None)
        return open_column(blobs, *rest, **named)

    with mock.patch.object(sealing, "open_column", counting):
        asked.body(handler(asked, RowCeiling(3)), "{ users(first: 20) { edges { node { name } } } }")
    assert len(opened) == 3


def test_rows_of_which_nothing_sensitive_is_shown_do_not_count(asked):
    subject = handler(asked, RowCeiling(20))
    for _ in range(3):
        asked.body(subject, PUBLIC)
        asked.body(subject, "{ users(first: 20) { edges { node { tags } } } }")
    assert all(one["name"] for one in people(asked.body(subject, NAMES)))


def test_rows_of_every_level_count_in_the_order_they_are_read(asked):
    document = "{ policies(first: 5) { edges { node { premium policyholder { name } } } } }"
    full = asked.body(handler(asked), document)
    policies = [edge["node"] for edge in full["data"]["policies"]["edges"]]
    premiums = sum(one["premium"] is not None for one in policies)
    body = asked.body(handler(asked, RowCeiling(premiums + 2)), document)
    found = [edge["node"] for edge in body["data"]["policies"]["edges"]]
    assert [one["premium"] for one in found] == [one["premium"] for one in policies]
    people = {one["policyholder"]["name"] for one in found if one["policyholder"]["name"]}
    assert len(people) <= 2
    assert reasons(body)["User.name"] == {"LIMIT"}


def test_operations_at_once_share_one_ceiling_exactly(asked):
    bodies = asked.bodies(handler(asked, RowCeiling(70)), NAMES, 10)
    assert sum(one["name"] is not None for body in bodies for one in people(body)) == 70


def test_ceilings_of_two_tokens_are_two(asked):
    first, second = handler(asked, RowCeiling(5)), handler(asked, RowCeiling(5))
    for subject in (first, second):
        assert sum(one["name"] is not None for one in people(asked.body(subject, NAMES))) == 5


def test_a_counter_at_its_end_lets_nothing_through_and_does_not_fail(asked):
    subject = handler(asked, RowCeiling(1_000_000_000))
    asked.body(subject, NAMES)
    asked.runner.run(
        asked.pool.execute("UPDATE token_use SET shown = 2147483640 WHERE token_id = $1", subject.token_id)
    )
    for _ in range(2):
        assert reasons(asked.body(subject, NAMES)) == {"User.name": {"LIMIT"}, "User.phone": {"LIMIT"}}


def test_a_counter_may_be_swept_once_no_token_of_that_id_can_be_valid(asked):
    subject = handler(asked, RowCeiling(5))
    asked.body(subject, NAMES)
    expires = asked.runner.run(
        asked.pool.fetchval("SELECT expires_at FROM token_use WHERE token_id = $1", subject.token_id)
    )
    assert abs(expires - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


def test_a_token_without_a_ceiling_counts_nothing(asked):
    subject = handler(asked)
    asked.body(subject, NAMES)
    counted = "SELECT count(*) FROM token_use WHERE token_id = $1"
    assert asked.runner.run(asked.pool.fetchval(counted, subject.token_id)) == 0


# A second factor.

OWN = "query($id: ID!) { user(id: $id) { name phone idNumber bankCard } }"


def test_the_numbers_that_identify_and_pay_wait_for_a_second_factor_and_nothing_else_does(server, asked):
    account = next(one for one in lines(server.plaintext)["Account"] if one["user"])
    person = by_id(server.plaintext, "User")[account["user"]]
    purposes = ["rights_request", "account_service"]
    subject = asked.subject("customer", user=person["username"], purposes=purposes)
    given = {"id": person["id"]}
    plain = {name: person[name] for name in ("name", "phone", "idNumber", "bankCard")}
    confirmed = asked.body(replace(subject, stepped_up_until=LATER), OWN, given, "rights_request")
    rights = {name for name, value in confirmed["data"]["user"].items() if value == plain[name] and value}
    assert "idNumber" in rights
    for _ in range(2):
        waiting = asked.body(subject, OWN, given, "rights_request")
        assert reasons(waiting) == {"User.idNumber": {"STEP_UP"}, "User.bankCard": {"STEP_UP"}}
        assert waiting["data"]["user"] == {**confirmed["data"]["user"], "idNumber": None, "bankCard": None}
        remedies = {error["extensions"]["remedy"] for error in waiting["errors"]}
        assert remedies == {"Confirm with a second factor and ask again."}
        again = asked.body(replace(subject, stepped_up_until=LATER), OWN, given, "rights_request")
        assert again["data"] == confirmed["data"]
    elsewhere = asked.body(subject, OWN, given, "account_service")
    assert "STEP_UP" not in set().union(set(), *reasons(elsewhere).values())


def test_a_second_factor_runs_out_between_two_operations_of_one_token(server, asked):
    account = next(one for one in lines(server.plaintext)["Account"] if one["user"])
    person = by_id(server.plaintext, "User")[account["user"]]
    start = datetime.now(UTC)
    ends = int(start.timestamp()) + 60
    subject = asked.subject("customer", user=person["username"], purposes=["rights_request"], stepped_up_until=ends)
    found = []
    for seconds in (0, 59, 60, 61):
        at = datetime.fromtimestamp(ends - 60 + seconds, UTC)
        service = replace(asked.service, reader=replace(asked.service.reader, clock=lambda at=at: at))
        found.append(asked.body(subject, OWN, {"id": person["id"]}, service=service)["data"]["user"]["idNumber"])
    assert found == [person["idNumber"], person["idNumber"], None, None]


# Plans are shared by tokens narrowed alike, and by no others.


def test_a_plan_of_one_kind_of_token_never_answers_another(server, asked):
    numbers = sorted(one["policyNumber"] for one in lines(server.plaintext)["Policy"])
    product = lines(server.plaintext)["Policy"][0]["product"]
    kinds = [
        (),
        (OnlyPolicies((numbers[0],)),),
        (MaskOnly(),),
        (OnlyProducts((product,)),),
        (OnlyPolicies((numbers[1],)), MaskOnly()),
        (OnlyPolicies((numbers[2], numbers[3])),),
        (OnlyProducts(("NONE",)),),
        (RowCeiling(1),),
        (RowCeiling(0), MaskOnly()),
        (Until(LATER),),
        (Until(0),),
    ]
    document = (
        "{ policies(first: 40) { totalCount edges { node { policyNumber premium policyholder { name phone } } } } }"
    )

    def answers(service, order):
        found = {}
        for kind in order:
            body = asked.body(handler(asked, *kind), document, service=service)
            found[kind] = (body["data"], reasons(body), effects(body))
        return found

    def fresh():
        return replace(asked.service, plans=type(asked.service.plans)())

    alone = {kind: answers(fresh(), [kind])[kind] for kind in kinds}
    shared = fresh()
    assert answers(shared, kinds) == alone
    assert answers(shared, kinds[::-1]) == alone
    assert len({str(found) for found in alone.values()}) == len(kinds) - 1
    # Not narrowed, three of rows or masks, of products alone, both, and out of time: numbers and ceilings make none.
    assert len(shared.plans) == 6
    counted = Counter(place[3][1].only for place in shared.plans)
    assert counted == {"all": 3, "policies": 2, "products": 1}
