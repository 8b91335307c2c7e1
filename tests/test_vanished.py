"""Erased and altered values: what cannot be opened is null with a reason, and the rest of the answer stands."""

import asyncio

import asyncpg
import pytest

from models.vocabulary import Retention
from tests.conftest import run_cli, running_server
from tests.plain import lines

DOCUMENT = "query($id: ID!) { user(id: $id) { idType name phone } }"


@pytest.fixture(scope="module")
def altered(tmp_path_factory, prepared):
    """A server whose database an intruder with write access has been in."""
    import httpx  # noqa: PLC0415

    from models.embedded import database  # noqa: PLC0415
    from models.global_ids import from_global  # noqa: PLC0415
    from models.installation import open_installation  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("altered")
    data_dir, plaintext = folder / "data", folder / "plain.jsonl"
    prepared.demo(data_dir, 10, plaintext=plaintext)
    token = run_cli("token", "--role", "risk_analyst", "--purpose", "security", data_dir=data_dir).stdout.split()[-1]
    erased, swapped, swappers = (row for row in lines(plaintext)["User"][:3])
    ids = [from_global(row["id"])[1] for row in (erased, swapped, swappers)]

    async def alter(who):
        connection = await asyncpg.connect(
            host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
        )
        await connection.execute(
            "UPDATE data_key SET wrapped = NULL WHERE person_id = $1 AND retention = $2", ids[0], int(Retention.ACCOUNT)
        )
        await connection.execute(
            "UPDATE person SET name_sealed = (SELECT name_sealed FROM person WHERE id = $2) WHERE id = $1",
            ids[1],
            ids[2],
        )
        await connection.close()

    installation = open_installation({"NEEDFUL_DATA": str(data_dir), "PATH": "/usr/bin:/bin"})
    with database(installation) as found:
        asyncio.run(alter(found.owner))
    with running_server(data_dir, folder / "server.log") as url:

        def ask(person):
            headers = {"Authorization": f"Bearer {token}"}
            body = {"query": DOCUMENT, "variables": {"id": person["id"]}}
            return httpx.post(f"{url}/graphql", json=body, headers=headers).json()

        yield ask, erased, swapped


def test_what_was_erased_is_null_and_unavailable(altered):
    ask, erased, _ = altered
    body = ask(erased)
    assert body["data"]["user"] == {"idType": erased["idType"], "name": None, "phone": None}
    assert {one["extensions"]["code"] for one in body["errors"]} == {"UNAVAILABLE"}
    assert {one["effect"] for one in body["extensions"]["authorization"]["fields"]} == {"DENY"}


def test_a_value_moved_in_from_another_row_is_never_shown(altered):
    ask, _, swapped = altered
    body = ask(swapped)
    assert body["data"]["user"]["name"] is None
    assert body["data"]["user"]["phone"] is not None
    assert [one["extensions"]["coordinate"] for one in body["errors"]] == ["User.name"]
