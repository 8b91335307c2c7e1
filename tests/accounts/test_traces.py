"""Nothing of a login stands anywhere in the clear: not in the database's files, the ledger or a log (C48, C57)."""

import json
import time

import pytest

from tests.accounts.conftest import NEXT_PASSWORD, authenticator
from tests.conftest import run_cli, running_server
from tests.test_storage_leaks import found_in

MARKED = "Xq7 marked phrase "


@pytest.fixture(scope="module")
def left_behind(desk, prepared, tmp_path_factory):
    """What a client knew and typed, right and wrong, once the server that saw it all has stopped; and where to look."""
    folder = tmp_path_factory.mktemp("traces")
    data_dir, log = folder / "data", folder / "server.log"
    prepared.demo(data_dir, 10)
    with running_server(data_dir, log, environment={"NEEDFUL_LOGIN_FAILURES": "50"}) as url:
        known = visit(desk, f"{url}/graphql", data_dir)
    return folder, known


def visit(desk, url, data_dir):
    """Do everything that a login has to do with, well and badly; what was typed and handed out."""
    who = {"phone": "17512340001", "username": "traced_user", "password": f"{MARKED}1"}
    tokens = desk.registered("SignUp", {"input": who}, url=url).json()["data"]["register"]
    known = {*who.values(), f"{MARKED}wrong", "17512340002", "no_such_user_either", MARKED.strip()}
    for identifier in ("traced_user", "17512340002", "no_such_user_either"):
        for _ in range(2):
            desk.log_in(identifier, f"{MARKED}wrong", code="918273", url=url)
    again = desk.registered("SignUp", {"input": {**who, "username": "other", "password": f"{MARKED}2"}}, url=url)
    assert again.json()["data"]["register"]["code"] == "PHONE_TAKEN"
    access, refresh = tokens["accessToken"], tokens["refreshToken"]
    secret = authenticator(desk.write("setUpSecondFactor", access, {"password": f"{MARKED}1"}, url=url)["uri"])
    desk.write("confirmSecondFactor", access, {"code": secret.now()}, url=url)
    change = {"old": f"{MARKED}1", "new": f"{MARKED}3 {NEXT_PASSWORD}", "code": secret.at(time.time() + 30)}
    changed = desk.write("changePassword", access, change, url=url)
    assert "endedSessions" in changed
    renewed = desk.refresh(refresh, url=url)
    desk.refresh(refresh, url=url)
    desk.post({"query": "{", "variables": {"password": f"{MARKED}4"}}, token=access, url=url)
    desk.post({"query": f'mutation {{ stepUp(input: {{code: "{MARKED}5"}}) {{ nothing }} }}'}, token=access, url=url)
    added = json.loads(run_cli("staff", "add", "traced01", "--role", "auditor", "--json", data_dir=data_dir).stdout)
    return known | {
        access, refresh, renewed["accessToken"], renewed["refreshToken"], secret.secret, added["password"],
        authenticator(added["uri"]).secret, f"{MARKED}3 {NEXT_PASSWORD}",
    }  # fmt: skip


def test_no_password_token_secret_phone_or_username_is_found_in_the_files_or_the_log(left_behind):
    folder, known = left_behind
    assert len(known) == 15
    assert found_in(folder, known) == set()


def test_the_search_would_find_what_is_stored_in_the_clear(left_behind):
    folder, _ = left_behind
    assert found_in(folder, {"traced01", "Mutation.changePassword"}) == {"traced01", "Mutation.changePassword"}
