"""Archives: everything stored about the person and nothing about another, once, for nobody else (C64)."""

import asyncio
import hashlib
import io
import json
import time
import zipfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from models.vocabulary import Retention
from privacy.holdings import HOLDINGS
from tests.conftest import GENEROUS
from tests.recorded import said
from tests.writing.conftest import PASSWORD, Customer, Office
from tests.writing.dealings import policies_of
from tests.writing.planting import Planted, tangle

ARCHIVE = "... on ExportArchive { id url expiresAt }"
POLICIES = 200
_ELSEWHERE = {"ledger_access", "correction_handover"}
"""Exported under another name, or empty here."""
_CALLED = {"position": "order", "holderId": "holder"}


@dataclass
class Archive:
    """An archive, unpacked."""

    texts: dict[str, str]

    @classmethod
    def of(cls, response: httpx.Response) -> "Archive":
        assert response.status_code == 200, response.text
        with zipfile.ZipFile(io.BytesIO(response.content)) as packed:
            assert packed.testzip() is None
            return cls({name: packed.read(name).decode() for name in packed.namelist()})

    @property
    def manifest(self) -> Any:
        return json.loads(self.texts["manifest.json"])

    @property
    def whole(self) -> str:
        return "\n".join(self.texts.values())

    def rows(self, name: str) -> list[dict[str, Any]]:
        return json.loads(self.texts[name])["rows"]


def ask(office: Office, me: Customer, *, token: str | None = None, **given: Any) -> Any:
    """The payload of requestExport."""
    wanted = {"password": PASSWORD, **given}
    return office.write("requestExport", wanted, token=token or me.token, purpose="rights_request", show=ARCHIVE)


def link(office: Office, me: Customer, **given: Any) -> str:
    """Where a new archive is to be fetched from, at the server of the tests."""
    found = ask(office, me, **given)
    assert found["__typename"] == "ExportArchive", found
    return office.url.removesuffix("/graphql") + "/exports/" + found["url"].rpartition("/exports/")[2]


def fetch(office: Office, url: str, token: str | None, *, method: str = "GET") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return office.client.request(method, url, headers=headers)


@pytest.fixture(scope="module")
def tangled(office) -> tuple[Customer, Customer, Planted]:
    me, other = office.customer(), office.customer()
    plant = asyncio.run(office._as_owner(lambda owner: tangle(owner, office.keyring, me.person, other.person)))
    return me, other, plant


@pytest.fixture(scope="module")
def archive(office, tangled) -> Archive:
    me = tangled[0]
    return Archive.of(fetch(office, link(office, me), me.token))


def test_c64_an_archive_holds_every_value_stored_of_the_person_and_none_of_anybody_else(tangled, archive):
    me, other, plant = tangled
    mine, theirs = plant.of[me.person], plant.of[other.person]
    assert {what for value, what in mine.items() if value not in archive.whole} == set()
    foreign = {**theirs, **plant.others, **plant.withheld}
    assert {what for value, what in foreign.items() if value in archive.whole} == set()
    assert min(len(mine), len(theirs)) > 30
    assert other.phone not in archive.whole
    assert other.username not in archive.whole


def test_c64_every_sealed_column_of_the_data_map_was_planted_for_the_person_or_is_said_to_be_left_out(tangled):
    me, _, plant = tangled
    there = {*plant.of[me.person].values(), *plant.withheld.values()}
    assert {f"{one.table}.{column}" for one in HOLDINGS for column in one.sealed} - there == set()


def test_c64_every_column_in_the_clear_that_says_something_of_the_person_is_in_the_archive(office, tangled, archive):
    me = tangled[0]
    keys: dict[str, set[str]] = defaultdict(set)
    for path, text in archive.texts.items():
        if "/" in path:
            keys[path.rpartition("/")[2].removesuffix(".json")] |= _keys(json.loads(text))
    of_table = dict.fromkeys(("person", "permission", "correction"), "User")
    for one in HOLDINGS:
        if not one.exported or one.table in _ELSEWHERE:
            continue
        (count,) = office.rows(f"SELECT count(*) FROM {one.table} t WHERE {one.given}", me.person)  # noqa: S608
        assert count[0], f"{one.table} holds nothing of the person here"
        name = "".join(word.capitalize() for word in one.table.split("_"))
        there = keys[name] | keys[of_table.get(one.table, name)]
        there |= keys["Policy"] if one.table == "beneficiary" else set()
        wanted = {_camel(column) for column in one.plain if column not in one.withheld}
        assert wanted - there == set(), one.table
    mark = me.person.hex[:8]
    for value in (f"{what}-{mark}" for what in ("source", "note", "court", "special", "reason", "letter")):
        assert value in archive.whole
        assert value.replace(mark, tangled[1].person.hex[:8]) not in archive.whole
    # What befell nobody but in a drill, and the file of somebody's proceeding.
    assert f"drill-{mark}" not in archive.whole
    assert f"hold-{mark}" not in archive.whole


def _keys(said: Any) -> set[str]:
    if isinstance(said, dict):
        return {*said, *(key for value in said.values() for key in _keys(value))}
    return {key for value in said for key in _keys(value)} if isinstance(said, list) else set()


def _camel(column: str) -> str:
    first, *others = column.removesuffix("_id").split("_")
    name = first + "".join(word.capitalize() for word in others)
    return _CALLED.get(name, name)


def test_c64_a_manifest_says_what_is_in_the_archive_and_what_is_left_out_and_why(tangled, archive):
    manifest = archive.manifest
    assert (manifest["format"], manifest["version"], manifest["askedBy"]) == ("needful-export", 1, "SELF")
    assert manifest["person"] == tangled[0].id
    assert "C64" in manifest["clauses"]
    assert {one["name"] for one in manifest["files"]} == set(archive.texts) - {"manifest.json", "README.md"}
    for one in manifest["files"]:
        body = archive.texts[one["name"]].encode()
        assert (one["bytes"], one["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert one["rows"] == len(archive.rows(one["name"]))
    why = {one["what"]: one["why"] for one in manifest["leftOut"]}
    assert {"others", "login.password_hash", "blind_index", "consent.audience_id", "Beneficiary.name"} <= set(why)
    assert "个人信息" in archive.texts["README.md"]
    assert "Keep it safe" in archive.texts["README.md"]
    assert {one["name"] for one in archive.rows("stored/Recipient.json")}


def test_c64_the_response_is_a_download_that_nobody_keeps_and_the_ledger_says_what_it_held(office):
    me = office.customer()
    response = fetch(office, link(office, me), me.token)
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-disposition"] == 'attachment; filename="personal-data.zip"'
    rows = said(office.rows("SELECT body FROM ledger WHERE body LIKE '%Export.stored%' ORDER BY at DESC LIMIT 1"))
    (body,) = rows
    coordinates = {name for one in body["entries"] for name in one[0]}
    assert {"Export.stored", "User.username"} <= coordinates
    assert body["purpose"] == "rights_request"
    ((closed,),) = office.rows("SELECT closed_at FROM rights_request WHERE person_id = $1", me.person)
    assert closed is not None


def test_c64_a_link_is_good_once_and_for_nobody_else(office):
    me, other = office.customer(), office.customer()
    url = link(office, me)
    assert fetch(office, url, None).status_code == 401
    assert fetch(office, url, other.token).status_code == 404
    for method in ("HEAD", "OPTIONS", "POST"):
        assert fetch(office, url, me.token, method=method).status_code == 405
    assert fetch(office, url[:-1] + ("A" if url[-1] != "A" else "B"), me.token).status_code == 404
    narrowed = office.token("customer", user=me.username, purposes=["rights_request"], categories=["name"])
    assert fetch(office, url, narrowed).status_code == 403
    # None of it has used it up.
    assert fetch(office, url, me.token).status_code == 200
    used = fetch(office, url, me.token)
    assert (used.status_code, used.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")


def test_c64_two_at_once_have_one_archive(office):
    me = office.customer()
    url = link(office, me)
    with ThreadPoolExecutor(4) as pool:
        statuses = Counter(one.status_code for one in pool.map(lambda _: fetch(office, url, me.token), range(4)))
    assert statuses[200] == 1
    assert set(statuses) <= {200, 404, 429}


def test_c64_a_link_ends_after_seven_days_and_with_it_the_request(office):
    me = office.customer()
    url = link(office, me)
    office.execute(
        "UPDATE export_link SET issued_at = issued_at - interval '8 days', expires_at = expires_at - interval '8 days'"
        " WHERE person_id = $1",
        me.person,
    )
    assert fetch(office, url, me.token).status_code == 404


def test_c64_the_token_of_a_link_stands_nowhere(office):
    me = office.customer()
    response = office.post(
        "mutation($input: RequestExportInput!) { requestExport(input: $input) { ... on ExportArchive { url } } }",
        {"input": {"password": PASSWORD}},
        token=me.token,
        purpose="rights_request",
        Idempotency_Key="the same",
    ).json()
    token = response["data"]["requestExport"]["url"].rpartition("/")[2]
    assert len(token) >= 43
    fetch(office, office.url.removesuffix("/graphql") + f"/exports/{token}", me.token)
    assert token not in office.log.read_text()
    for table in ("export_link", "idempotency_key", "ledger", "rights_request"):
        (row,) = office.rows(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'", token)  # noqa: S608
        assert row[0] == 0, table


def test_c64_an_archive_is_asked_for_by_who_proves_who_they_are(office):
    me = office.customer()
    for given in ({"password": None}, {"password": "wrong horse 9"}):
        assert ask(office, me, **given)["code"] == "IDENTITY_NOT_VERIFIED"
    handler = office.token("claims_handler", purposes=["claim_handling"])
    denied = office.write("requestExport", {}, token=handler, purpose="claim_handling")
    assert denied["code"] == "WRITE_DENIED"


def test_c64_a_session_that_has_ended_fetches_nothing(office):
    me = office.customer()
    url = link(office, me)
    office.post("mutation { logOut { __typename } }", token=me.token)
    deadline = time.monotonic() + 10
    while fetch(office, url, me.token).status_code != 401:
        assert time.monotonic() < deadline


def test_c64_of_what_is_erased_the_archive_says_so_and_holds_the_rest(office):
    me, other = office.customer(), office.customer()
    plant = asyncio.run(office._as_owner(lambda owner: tangle(owner, office.keyring, me.person, other.person)))
    office.execute(
        "UPDATE data_key SET wrapped = NULL WHERE person_id = $1 AND retention = ANY($2)",
        *(me.person, [Retention.CONTRACT, Retention.CLAIM]),
    )
    archive = Archive.of(fetch(office, link(office, me), me.token))
    assert archive.manifest["erased"] == ["CLAIM", "CONTRACT"]
    mine = plant.of[me.person]
    there = {what for value, what in mine.items() if value in archive.whole}
    assert "policy.premium_sealed" not in there
    assert {"person.name_sealed", "device.model_sealed", "account.username_sealed"} <= there


def test_c64_a_person_with_two_hundred_policies_has_them_all_within_seconds(office):
    me = office.customer()
    policies_of(office, me, POLICIES)
    begun = time.monotonic()
    archive = Archive.of(fetch(office, link(office, me), me.token))
    assert time.monotonic() - begun < 20
    assert len(archive.rows("api/Policy.json")) == POLICIES
    assert sum(one["bytes"] for one in archive.manifest["files"]) < 1_000_000


def test_c64_so_many_links_a_day_and_no_more(office):
    me = office.customer()
    assert "NEEDFUL_RATE_TOKEN" in GENEROUS
    codes = [ask(office, me).get("code") for _ in range(11)]
    assert codes == [*[None] * 10, "TRY_LATER"]
