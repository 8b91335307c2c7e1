"""Rows of the ledger beside reads and writes (C59): refusals, operators' commands, the begin and end of a process."""

import argparse
import asyncio
import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import httpx
import psutil
import pytest

from authz.command_rows import recorded
from authz.commands import Done, OperatorRefusedError
from authz.seen import Seen
from cli import COMMANDS, _parser
from ledger.recorder import MOST_LATER, Recorder
from ledger.rows import Kind
from models.database import connect_once
from models.vocabulary import Role
from resolvers.operating.refusals import Refusals
from tests.conftest import TLS, run_cli
from tests.operations.conftest import until

MARKER = "zq7marker"


def new(operated, kind, act):
    """The rows of a kind that an act brings; waits for the first."""
    before = len(operated.rows(kind))
    act()
    return until(lambda: operated.rows(kind)[before:])


# Refusals


def test_a_refused_request_of_somebody_known_is_a_row_of_its_own(operated):
    token = operated.token("insurer", purposes=["policy_service", "claim_handling"])
    document = 'query Find { users(phone: "13800138000") { totalCount } }'
    (row,) = new(operated, "REFUSAL", lambda: operated.post(document, token=token, purpose="policy_service"))
    assert (row["outcome"], row["code"], row["role"]) == ("REFUSED", "FILTER_DENIED", "insurer")
    assert (row["purpose"], row["client"]) == ("policy_service", "needful-demo")
    assert {"organization", "token", "decision", "at"} <= set(row)
    assert len(row["operation"]["hash"]) == len(hashlib.sha256().hexdigest())
    assert "13800138000" not in json.dumps(row)


def test_what_was_never_understood_is_a_row_without_an_operation(operated, operated_handler):
    (row,) = new(operated, "REFUSAL", lambda: operated.post(f"{{ {MARKER}", token=operated_handler))
    assert (row["code"], row["role"], "operation" in row) == ("GRAPHQL_PARSE_FAILED", "claims_handler", False)
    assert MARKER not in json.dumps(row)


@pytest.mark.parametrize("known, code", [(False, "UNAUTHENTICATED"), (False, "INVALID_CLIENT"), (True, "RATE_LIMITED")])
def test_strangers_and_those_who_ask_too_often_are_counted(known, code):
    rows = []
    refusals = Refusals(rows.append, lambda: datetime(2026, 11, 23, tzinfo=UTC))
    for _ in range(1000):
        refusals.note(Kind.REFUSAL, Seen(role=Role.INSURER if known else None, code=code))
    refusals.note(Kind.TOKEN, Seen(code=code))
    refusals.note(Kind.LOGIN, Seen(code=code, recorded=True))
    assert rows == []
    refusals.flush()
    refusals.flush()
    assert [(row.kind, row.code, row.detail, row.role) for row in rows] == [
        (Kind.REFUSAL, code, {"count": 1000}, None),
        (Kind.TOKEN, code, {"count": 1}, None),
    ]


def test_refusals_of_known_callers_leave_room_for_what_else_waits_while_nothing_can_be_written():
    async def run():
        async def nobody():
            raise OSError

        recorder = Recorder(nobody)
        refusals = Refusals(recorder.record_later, now, lambda: recorder.crowded)
        for _ in range(2 * MOST_LATER):
            refusals.note(Kind.REFUSAL, Seen(role=Role.INSURER, code="BAD_USER_INPUT"))
        waiting = recorder.queued
        refusals.flush()
        (count,) = [one.operation.detail["count"] for one in recorder._queue if one.operation.detail]
        recorder._task.cancel()
        return waiting, count

    waiting, count = asyncio.run(run())
    assert waiting == MOST_LATER // 2
    assert waiting + count == 2 * MOST_LATER


def test_a_worker_that_ends_records_what_it_counted_and_that_it_ends_and_its_heir_that_it_begins(operated):
    for _ in range(20):
        httpx.post(operated.url, json={"query": "{ a }"}, headers={"Authorization": "Bearer x"}, verify=TLS)
    started = len(operated.rows("START"))
    assert started >= 2
    children = psutil.Process(operated.process.process.pid).children(recursive=False)
    crew = [one for one in children if any("spawn_main" in word for word in one.cmdline())]
    stopped, counted = len(operated.rows("STOP")), sum_of(operated, "UNAUTHENTICATED")
    crew[0].terminate()
    until(lambda: len(operated.rows("STOP")) > stopped and len(operated.rows("START")) > started, seconds=20)
    assert sum_of(operated, "UNAUTHENTICATED") > counted
    row = operated.rows("STOP")[-1]
    assert {"ruleset", "digest", "detail", "at"} <= set(row)
    until(lambda: answers(operated))


def sum_of(operated, code):
    return sum(row["detail"]["count"] for row in operated.rows("REFUSAL") if row["code"] == code)


def answers(operated):
    try:
        return operated.client.get(f"{operated.address}/livez").status_code == 200
    except OSError:
        return False


# Commands


def test_a_command_is_a_row_with_what_it_was_given_and_no_name(operated):
    arguments = ("staff", "add", MARKER, "--role", "auditor")
    (row,) = new(operated, "COMMAND", lambda: run_cli(*arguments, data_dir=operated.data_dir))
    assert (row["outcome"], "code" in row) == ("DONE", False)
    detail = row["detail"]
    assert (detail["command"], detail["subcommand"]) == ("staff", "add")
    assert (detail["arguments"], detail["values"]) == (["role", "username"], {"role": "auditor"})
    assert set(detail["ids"]) == {"staff"}
    assert MARKER not in json.dumps(row)


def test_a_refused_command_is_a_row_too(operated):
    arguments = ("partner", "end", "--reference", "R-nowhere")
    (row,) = new(operated, "COMMAND", lambda: run_cli(*arguments, data_dir=operated.data_dir, check=False))
    assert (row["outcome"], row["code"]) == ("REFUSED", "OPERATOR_REFUSED")
    assert row["detail"]["values"] == {"reference": "R-nowhere"}


@pytest.mark.parametrize(
    "arguments, ids",
    [
        (("token", "--role", "insurer", "--purpose", "policy_service"), {"token"}),
        (("metrics-token",), set()),
        (("token-keys", "rotate"), {"key"}),
        (("migrate",), set()),
    ],
)
def test_what_gives_out_or_changes_something_beside_the_database_is_a_row(operated, arguments, ids):
    done = run_cli(*arguments, data_dir=operated.data_dir)
    begun, row = operated.rows("COMMAND")[-2:]
    assert (row["outcome"], row["detail"]["command"]) == ("DONE", arguments[0])
    if arguments[0] != "token":
        # A file changes with no transaction: that it is about to is recorded before.
        assert (begun["outcome"], begun["decision"]) == ("BEGUN", row["decision"])
        assert begun["detail"] == {name: said for name, said in row["detail"].items() if name != "ids"}
    assert set(row["detail"].get("ids", ())) == ids
    if arguments[0] in ("token", "metrics-token"):
        assert done.stdout.split()[-1] not in json.dumps(row)


def test_every_command_says_its_name():
    for command in COMMANDS:
        words = {"token": ["--role", "auditor", "--purpose", "administration"], "schema": [], "serve": []}
        subcommands = {"partner": "list", "staff": "list", "account": None, "product": "list", "operations": "list",
                       "role-mapping": "list", "token-keys": "rotate"}  # fmt: skip
        if command.name in subcommands:
            if subcommands[command.name] is None:
                continue
            given = _parser().parse_args([command.name, subcommands[command.name]])
            assert given.subcommand == subcommands[command.name]
        else:
            try:
                given = _parser().parse_args([command.name, *words.get(command.name, [])])
            except SystemExit:
                continue
        assert given.command == command.name


def now():
    return datetime.now(UTC)


def on_owner(server, work):
    async def run():
        owner = await connect_once(server.database.owner)
        try:
            return await work(owner)
        finally:
            await owner.close()

    return asyncio.run(run())


def test_a_command_whose_row_cannot_be_written_changes_nothing(operated):
    given = argparse.Namespace(command="try", username=MARKER)
    organization = uuid4()

    async def work(owner):
        async def act():
            insert = "INSERT INTO organization (id, code, name, kind) VALUES ($1, $2, $2, 'INSURER')"
            await owner.execute(insert, organization, f"X{organization.hex[:8]}")
            await owner.execute("ALTER TABLE ledger RENAME TO ledger_gone")
            return Done({}, "")

        with pytest.raises(asyncpg.PostgresError):
            await recorded(owner, given, act, clock=lambda: datetime.now(UTC))
        return await owner.fetchval("SELECT count(*) FROM organization WHERE id = $1", organization)

    assert on_owner(operated, work) == 0
    assert operated.rows("COMMAND")[-1]["outcome"] == "REFUSED"


def test_a_command_that_changes_a_file_changes_none_unless_its_row_can_be_written(operated):
    done = []

    async def work(owner):
        async def act():
            done.append(1)
            return Done({}, "")

        undone = owner.transaction()
        await undone.start()
        await owner.execute("ALTER TABLE ledger RENAME TO ledger_gone")
        with pytest.raises(asyncpg.PostgresError):
            await recorded(owner, argparse.Namespace(command="try"), act, clock=now, beside=True)
        await undone.rollback()

    on_owner(operated, work)
    assert done == []


def test_a_command_that_changes_a_file_and_fails_has_two_rows_of_one_decision(operated):
    async def work(owner):
        async def act():
            raise OperatorRefusedError(MARKER)

        with pytest.raises(OperatorRefusedError):
            await recorded(owner, argparse.Namespace(command="try"), act, clock=now, beside=True)

    on_owner(operated, work)
    begun, ended = operated.rows("COMMAND")[-2:]
    assert [(row["outcome"], row.get("code")) for row in (begun, ended)] == [
        ("BEGUN", None),
        ("REFUSED", "OPERATOR_REFUSED"),
    ]
    assert begun["decision"] == ended["decision"]


def test_a_fault_in_a_command_undoes_it_and_is_a_row(operated):
    async def work(owner):
        async def act():
            await owner.execute("DELETE FROM product_item")
            raise OperatorRefusedError(MARKER)

        with pytest.raises(OperatorRefusedError):
            await recorded(owner, argparse.Namespace(command="try"), act, clock=lambda: datetime.now(UTC))
        return await owner.fetchval("SELECT count(*) FROM product_item")

    assert on_owner(operated, work) > 0
    row = operated.rows("COMMAND")[-1]
    assert (row["code"], MARKER in json.dumps(row)) == ("OPERATOR_REFUSED", False)


def test_somebody_a_command_is_about_is_named_by_their_reference(operated):
    async def work(owner):
        person = await owner.fetchval("SELECT id FROM person LIMIT 1")
        done = Done({}, "", {}, (person,))

        async def act():
            return done

        await recorded(owner, argparse.Namespace(command="try"), act, clock=lambda: datetime.now(UTC))
        return person, await owner.fetchval("SELECT reference FROM person_reference WHERE person_id = $1", person)

    person, reference = on_owner(operated, work)
    row = operated.rows("COMMAND")[-1]
    assert row["persons"] == [reference]
    assert str(person) not in json.dumps(row)
    assert SimpleNamespace(**row).outcome == "DONE"
