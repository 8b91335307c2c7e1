"""Staff: a temporary password to replace, a second factor always; a leaver is out within a second (C47, C58)."""

import json
import re
import time

import pytest

from authz.commands import OperatorRefusedError
from authz.sessions import purposes_of
from authz.tokens import DEMO_ISSUER
from models.vocabulary import STAFF_ROLES, Role
from tests.accounts.conftest import NEXT_PASSWORD, PASSWORD, authenticator
from tests.accounts.test_log_in import claims_of, time_passes
from tests.conftest import run_cli

ROLE = "{ viewer { role } }"


def ask(desk, token, url=None):
    return desk.post({"query": ROLE}, token=token, url=url)


def demo_token(desk, name, role, purpose):
    made = run_cli("token", "--role", role, "--user", name, "--purpose", purpose, data_dir=desk.data_dir, check=False)
    return made.stdout.splitlines()[-1] if made.returncode == 0 else made.stderr


@pytest.fixture(scope="module")
def added(desk):
    """A member of staff who has not logged in yet, as the command line tells of them."""
    made = run_cli("staff", "add", "newcomer", "--role", "claims_handler", "--json", data_dir=desk.data_dir)
    return json.loads(made.stdout)


def test_c58_a_temporary_password_has_to_be_replaced_at_the_first_login(desk, added):
    codes = authenticator(added["uri"])
    assert desk.log_in("newcomer", added["password"], role="STAFF")["code"] == "CODE_REQUIRED"
    code = codes.now()
    found = desk.log_in("newcomer", added["password"], role="STAFF", code=code)
    assert (found["code"], found["field"], found["clause"]) == ("PASSWORD_CHANGE_REQUIRED", "newPassword", "C58")
    for weak in (added["password"], "short", "newcomer is here"):
        refused = desk.log_in("newcomer", added["password"], role="STAFF", code=code, newPassword=weak)
        assert (refused["code"], refused["field"]) == ("PASSWORD_WEAK", "newPassword")
    found = desk.log_in("newcomer", added["password"], role="STAFF", code=code, newPassword=PASSWORD)
    assert ask(desk, found["accessToken"]).json()["data"]["viewer"] == {"role": "claims_handler"}
    desk.forget_codes()
    assert desk.log_in("newcomer", added["password"], role="STAFF", code=code)["code"] == "INVALID_CREDENTIALS"
    time_passes(desk)
    assert desk.log_in("newcomer", role="STAFF", code=codes.now())["__typename"] == "SessionTokens"
    time_passes(desk)
    assert desk.log_in("newcomer", role="STAFF")["code"] == "CODE_REQUIRED"


def test_what_staff_add_prints_stands_nowhere_in_the_clear(desk, added):
    row = desk.rows("SELECT l.* FROM login l JOIN staff s ON s.id = l.staff_id WHERE s.username = 'newcomer'")[0]
    text = repr(dict(row))
    assert added["password"] not in text
    assert authenticator(added["uri"]).secret not in text


@pytest.mark.parametrize(
    "arguments",
    [("add", "newcomer", "--role", "auditor"), ("add", "x y", "--role", "auditor"), ("leave", "nobody"),
     ("role", "nobody", "auditor"), ("unlock", "nobody"), ("reset", "nobody")],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_sentence(desk, added, arguments):
    with pytest.raises(OperatorRefusedError) as refused:
        desk.operate("staff", *arguments)
    assert len(str(refused.value).splitlines()) == 1


def test_the_command_line_tells_of_refusals_and_of_everybody(desk, added):
    done = run_cli("staff", "leave", "nobody", "--json", data_dir=desk.data_dir, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    listed = run_cli("staff", "list", data_dir=desk.data_dir).stdout
    assert re.search(r"^username: newcomer  role: claims_handler  login: True", listed, re.MULTILINE)


@pytest.mark.parametrize("role", ["insurer", "customer", "anonymous"])
def test_a_partners_or_a_customers_role_is_no_role_of_staff(desk, role, capsys):
    with pytest.raises(SystemExit) as stop:
        desk.operate("staff", "add", "somebody", "--role", role)
    assert stop.value.code == 2


def test_c47_a_leaver_is_refused_by_every_worker_within_a_second_whatever_the_token(desk):
    name, password, codes = desk.staff("claims_handler")
    opened = desk.log_in(name, password, role="STAFF", code=codes.now())
    tokens = [opened["accessToken"], demo_token(desk, name, "claims_handler", "claim_handling")]
    assert claims_of(tokens[1])["iss"] == DEMO_ISSUER
    urls = (desk.url, *desk.others)
    for url in urls:
        assert [ask(desk, token, url).status_code for token in tokens] == [200, 200]
    assert desk.operate("staff", "leave", name) == {"username": name, "sessions": 2}
    begun = time.monotonic()
    for url in urls:
        for token in tokens:
            while ask(desk, token, url).status_code != 401:
                assert time.monotonic() - begun < 1
    assert desk.refresh(opened["refreshToken"])["code"] == "SESSION_ENDED"
    desk.forget_codes()
    assert desk.log_in(name, password, role="STAFF", code=codes.now())["code"] == "INVALID_CREDENTIALS"
    assert "no member of staff" in demo_token(desk, name, "claims_handler", "claim_handling")
    listed = {one["username"]: one for one in desk.operate("staff", "list")}
    assert listed[name]["left_at"]


def test_another_role_ends_the_sessions_of_the_one_before(desk):
    name, password, codes = desk.staff("marketer")
    opened = desk.log_in(name, password, role="STAFF", code=codes.now())
    desk.operate("staff", "role", name, "risk_analyst")
    begun = time.monotonic()
    while ask(desk, opened["accessToken"]).status_code != 401:
        assert time.monotonic() - begun < 1
    assert desk.refresh(opened["refreshToken"])["code"] == "SESSION_ENDED"
    desk.forget_codes()
    time.sleep(1)  # tokens are dead up to the second in which the role changed
    again = desk.log_in(name, password, role="STAFF", code=codes.now())["accessToken"]
    assert (
        desk.post({"query": ROLE}, token=again, X_Purpose="security").json()["data"]["viewer"]["role"] == "risk_analyst"
    )


def test_who_is_locked_out_is_let_in_by_the_operator(desk):
    name, password, codes = desk.staff("auditor")
    for _ in range(3):
        desk.log_in(name, "wrong", role="STAFF")
        time_passes(desk)
    assert desk.log_in(name, password, role="STAFF", code=codes.now())["code"] == "TRY_LATER"
    desk.operate("staff", "unlock", name)
    assert desk.log_in(name, password, role="STAFF", code=codes.now())["__typename"] == "SessionTokens"


def test_whoever_of_staff_lost_everything_is_let_in_with_a_new_password_and_second_factor(desk):
    name, password, codes = desk.staff("claims_handler")
    opened = desk.log_in(name, password, role="STAFF", code=codes.now())
    demo = demo_token(desk, name, "claims_handler", "claim_handling")
    for _ in range(2):
        desk.log_in(name, "wrong", role="STAFF")
    given = desk.operate("staff", "reset", name)
    begun = time.monotonic()
    for url in (desk.url, *desk.others):
        for token in (opened["accessToken"], demo):
            while ask(desk, token, url).status_code != 401:
                assert time.monotonic() - begun < 1
    assert desk.refresh(opened["refreshToken"])["code"] == "SESSION_ENDED"
    desk.forget_codes()
    assert desk.log_in(name, password, role="STAFF", code=codes.now())["code"] == "INVALID_CREDENTIALS"
    wanted = {"role": "STAFF", "newPassword": NEXT_PASSWORD}
    assert desk.log_in(name, given["password"], code=codes.now(), **wanted)["code"] == "CODE_WRONG"
    time_passes(desk)
    code = authenticator(given["uri"]).now()
    assert desk.log_in(name, given["password"], role="STAFF", code=code)["code"] == "PASSWORD_CHANGE_REQUIRED"
    assert desk.log_in(name, given["password"], code=code, **wanted)["__typename"] == "SessionTokens"


def test_a_customer_who_lost_everything_is_let_in_with_a_temporary_password(desk):
    customer = desk.customer(second_factor=True)
    for identifier in (customer.phone, customer.username):
        for _ in range(2):
            desk.log_in(identifier, "wrong")
    given = desk.operate("account", "reset", "--user", customer.username)
    assert given["username"] == customer.username
    begun = time.monotonic()
    while desk.ask(ROLE, customer.access).status_code != 401:
        assert time.monotonic() - begun < 1
    assert desk.refresh(customer.refresh)["code"] == "SESSION_ENDED"
    assert (
        desk.log_in(customer.phone, customer.password, code=customer.second_factor.now())["code"]
        == "INVALID_CREDENTIALS"
    )
    assert desk.log_in(customer.phone, given["password"])["code"] == "PASSWORD_CHANGE_REQUIRED"
    found = desk.log_in(customer.username, given["password"], newPassword=NEXT_PASSWORD)
    assert found["__typename"] == "SessionTokens"
    assert desk.write("stepUp", found["accessToken"], {"code": "123456"})["code"] == "SECOND_FACTOR_NOT_SET_UP"


def test_an_unlocked_customer_may_give_passwords_and_codes_at_once(desk):
    customer = desk.customer(second_factor=True)
    for _ in range(2):
        desk.write("stepUp", customer.access, {"code": "000000"})
        desk.write("changePassword", customer.access, {"old": "wrong", "new": NEXT_PASSWORD})
    assert desk.write("stepUp", customer.access, {"code": "000000"})["code"] == "TRY_LATER"
    desk.operate("account", "unlock", "--user", customer.username)
    given = {"old": PASSWORD, "new": NEXT_PASSWORD, "code": customer.second_factor.now()}
    assert desk.write("changePassword", customer.access, given)["__typename"] == "PasswordChanged"


@pytest.mark.parametrize("command", ["unlock", "reset"])
def test_an_account_nobody_has_is_refused_in_one_sentence_that_says_what_to_do(desk, command):
    with pytest.raises(OperatorRefusedError, match="ask the customer"):
        desk.operate("account", command, "--user", "nobody_at_all")


def test_a_work_name_may_be_an_address_as_identity_providers_give_it(desk):
    assert desk.operate("staff", "add", "li.wei@example.cn", "--role", "auditor")["username"] == "li.wei@example.cn"


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_staff_get_the_purposes_of_their_work(role):
    assert purposes_of(role)
    if role in (Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER):
        assert purposes_of(role) == ("administration",)
