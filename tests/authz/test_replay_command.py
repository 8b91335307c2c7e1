"""`ledger replay`: every recorded decision is decided again, and what differs is told and ends with 1 (C59)."""

import asyncio
import json
from datetime import date
from types import SimpleNamespace

import orjson
import pytest

import cli
from authz import replay_commands
from authz.commands import Call, Done, OperatorRefusedError
from authz.tokens import utc_now
from models.database import connect_once
from schema.build import build_schema
from tests.conftest import demo_server, run_cli
from tests.rules import default_snapshot

SNAPSHOT = default_snapshot(build_schema())
CLAIMS = "{ claims(first: 9) { edges { node { diagnosis bankCard policy { premium insured { name idNumber } } } } } }"
ONE = "SELECT writer, sequence, at, body FROM ledger WHERE body LIKE '%Claim.diagnosis%' ORDER BY at DESC LIMIT 1"
PUT = "UPDATE ledger SET body = $4 WHERE writer = $1 AND sequence = $2 AND at = $3"


@pytest.fixture(scope="module")
def server(tmp_path_factory, prepared):
    """A server of its own, with decisions: tests that share one answer by rules that nobody published."""
    with demo_server(tmp_path_factory.mktemp("replayed"), prepared) as running:
        handler = running.token("claims_handler", purposes=["claim_handling"])
        insurer = running.token("insurer", org="INS01", purposes=["claim_handling"])
        for token in (handler, insurer):
            assert running.post(CLAIMS, token=token).json()["data"]
        yield running


def replay(server, change=None, *, since=None, until=None):
    """What the command finds once `change` has made of a row's body another text; all of it is undone."""

    async def in_force(_):
        return SNAPSHOT

    async def run():
        owner = await connect_once(server.database.owner)
        undone = owner.transaction()
        await undone.start()
        try:
            row = await owner.fetchrow(ONE)
            if change is not None:
                text = change(orjson.loads(row["body"]))
                await owner.execute(PUT, row["writer"], row["sequence"], row["at"], text)
            given = SimpleNamespace(snapshot=in_force, since=since, until=until)
            done = await replay_commands._replay(Call(owner, given, None, utc_now(), server.installation))
            return row, done
        finally:
            await undone.rollback()
            await owner.close()

    return asyncio.run(run())


def changed(coordinate, effect, reason=None):
    def change(body):
        for entry in body["entries"]:
            if coordinate in entry[0]:
                entry[1:3] = effect, reason
        return orjson.dumps(body).decode()

    return change


def test_the_ledger_of_a_server_that_runs_replays_without_a_difference(server):
    done = run_cli("ledger", "replay", "--json", data_dir=server.data_dir, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["differences"], told["different"], told["otherRules"]) == (0, [], 0)
    assert told["rows"] >= 2
    assert told["decisions"] > 10 * 2
    assert told["asRecorded"] <= told["decisions"]


def test_a_planted_difference_is_told_with_its_place_and_both_decisions(server):
    before = replay(server)[1].data
    row, done = replay(server, changed("Claim.diagnosis", "MASK"))
    assert done.wrong
    assert done.data["decisions"] == before["decisions"]
    assert done.data["differences"] == len(done.data["different"]) > 0
    for one in done.data["different"]:
        assert (one["coordinate"], one["recorded"]) == ("Claim.diagnosis", "MASK")
        assert one["recomputed"] != "MASK"
        assert isinstance(one["row"], int) or one["row"] == f"{row['writer']}:{row['sequence']}"
    assert "Claim.diagnosis  recorded: MASK  now: " in done.text


@pytest.mark.parametrize("text", ["", "[]", "1", '{"kind": "READ"', '{"kind":"READ","digest":%s,"entries":[[1]]}'])
def test_a_text_that_is_no_row_is_told_and_does_not_end_the_replay(server, text):
    before = replay(server)[1].data
    _, done = replay(server, lambda _: text.replace("%s", json.dumps(SNAPSHOT.ruleset.digest)))
    assert (done.wrong, done.data["differences"], done.data["rows"]) == (True, 1, before["rows"] - 1)
    assert done.data["different"][0]["recorded"] == "UNREADABLE"


def test_rows_decided_under_other_rules_are_counted_and_not_judged(server):
    def other(body):
        return orjson.dumps({**body, "digest": "another"}).decode()

    _, done = replay(server, other)
    assert (done.wrong, done.data["otherRules"], done.data["differences"]) == (False, 1, 0)


def test_it_holds_few_rows_and_tells_few_differences_however_many_there_are(server, monkeypatch):
    whole = replay(server)[1].data
    monkeypatch.setattr(replay_commands, "BATCH", 1)
    monkeypatch.setattr(replay_commands, "MOST_TOLD", 1)
    assert replay(server)[1].data == whole
    _, done = replay(server, lambda body: orjson.dumps({**body, "role": "ad_partner"}).decode())
    assert done.data["differences"] > len(done.data["different"]) == 1
    assert "of which 1 are told" in done.text


def test_days_choose_the_rows_both_included(server):
    today = utc_now().date()
    _, past = replay(server, until=date(today.year - 1, 1, 1))
    _, future = replay(server, since=date(9999, 12, 31), until=date(9999, 12, 31))
    assert past.data["rows"] == future.data["rows"] == 0
    assert replay(server, since=date(today.year - 1, 1, 1))[1].data == replay(server)[1].data
    with pytest.raises(OperatorRefusedError, match="--from"):
        replay(server, since=today, until=date(today.year - 1, 1, 1))


@pytest.mark.parametrize("wrong, code", [(False, 0), (True, 1)])
def test_a_command_that_finds_what_should_not_be_prints_it_and_ends_with_1(server, monkeypatch, capsys, wrong, code):
    async def act(*_, **__):
        return Done({"differences": 3}, "3 differences", wrong=wrong)

    monkeypatch.setattr(cli, "_act", act)
    assert cli.administer(SimpleNamespace(json=True), server.installation) == code
    assert json.loads(capsys.readouterr().out) == {"differences": 3}
