"""`tags set`: the profiling job's tags, sealed on record and met by campaigns; refused whole or done whole (C20)."""

import io
import json
import sys
from uuid import UUID

import pytest

from authz.commands import OperatorRefusedError
from cli import _parser
from models.global_ids import NodeType, to_global
from models.vocabulary import BlindColumn, Retention
from privacy import tags
from tests.conftest import run_cli
from tests.privacy.conftest import LEAST
from tests.privacy.test_audiences import opened
from tests.privacy.world import agree, office_of, page, partner, token_of
from vault.blind import blind

OWN = "{ viewer { user { tags version } } }"
SECRET = "极罕见的标签"
LEDGER = """
SELECT l.body FROM ledger l WHERE l.body LIKE '%"command":"tags"%' ORDER BY l.at DESC, l.sequence DESC LIMIT 2
"""


def said(one, *found):
    return json.dumps({"user": one.id, "tags": list(found)}, ensure_ascii=False)


def put(office, monkeypatch, *lines, more=()):
    """Give lines to the command as standard input."""
    given = io.BytesIO("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8"))
    return office.operate("tags", "set", "-", *more)


def own(office, one):
    return office.post(OWN, token=one.token, purpose="account_service").json()["data"]["viewer"]["user"]


def stored(office, *people):
    """All that stands of their tags: sealed, and in the index."""
    ids = [one.person for one in people]
    return (
        office.rows("SELECT id, tags_sealed, version FROM person WHERE id = ANY($1) ORDER BY id", ids),
        office.rows(
            'SELECT person_id, digest FROM blind_index WHERE person_id = ANY($1) AND "column" = $2 ORDER BY 1, 2',
            *(ids, int(BlindColumn.TAG)),
        ),
    )


def counts(**told):
    return {"dry_run": False, "replaced": 0, "unchanged": 0, "erased": 0, "unreadable": 0, **told}


def rows_of_the_ledger(office):
    return [json.loads(row[0]) for row in office.rows(LEDGER)]


def test_c20_a_campaign_meets_who_was_given_its_tags_and_no_more_who_was_given_others(bundled, monkeypatch):
    office = office_of(bundled.server)
    code = partner(office, "insurer")
    token = token_of(office, "insurer", code)
    people = [office.customer() for _ in range(LEAST)]
    for one in people:
        agree(office, one.person, code)
    campaign, other = opened(office, code, "爱露营")["id"], opened(office, code, "Scuba")["id"]
    assert page(office, token, campaign) == []
    assert put(office, monkeypatch, *(said(one, " 爱露营 ", "新客户") for one in people)) == counts(replaced=LEAST)
    assert len(page(office, token, campaign)) == LEAST
    assert page(office, token, other) == []
    assert [own(office, one)["tags"] for one in people] == [["爱露营", "新客户"]] * LEAST
    put(office, monkeypatch, *(said(one, "scuba", "SCUBA") for one in people))
    assert page(office, token, campaign) == []
    assert len(page(office, token, other)) == LEAST
    assert [own(office, one)["tags"] for one in people] == [["scuba", "SCUBA"]] * LEAST
    put(office, monkeypatch, said(people[0]))
    assert page(office, token, other) == [], "one fewer than a campaign needs"
    assert own(office, people[0])["tags"] is None
    assert stored(office, people[0])[1] == []


def test_tags_that_stand_as_given_keep_the_version_and_what_the_index_lost_is_put_back(bundled, monkeypatch):
    office = office_of(bundled.server)
    one = office.customer()
    put(office, monkeypatch, said(one, "旅行"))
    before = stored(office, one)
    assert put(office, monkeypatch, said(one, "旅行")) == counts(unchanged=1)
    assert stored(office, one) == before
    office.execute('DELETE FROM blind_index WHERE person_id = $1 AND "column" = 6', one.person)
    assert put(office, monkeypatch, said(one, "旅行")) == counts(replaced=1)
    assert stored(office, one)[1] == before[1]
    assert [row["digest"] for row in before[1]] == [blind(office.keyring, "tag", "旅行")]


def unknown():
    return to_global(NodeType.USER, UUID(int=1))


@pytest.mark.parametrize(
    "line",
    [
        SECRET,
        "",
        '{"user": "%s"}',
        '{"user": "%s", "tags": "' + SECRET + '"}',
        '{"user": "%s", "tags": null}',
        '{"user": "%s", "tags": ["' + SECRET + '", 1]}',
        '{"user": "%s", "tags": [], "name": "' + SECRET + '"}',
        '{"user": "%s", "tags": ["' + SECRET * 7 + '"]}',
        '{"user": "%s", "tags": [" "]}',
        '{"user": "%s", "tags": ["' + SECRET + '\\u0007"]}',
        '{"user": "%s", "tags": ["\\ud800"]}',
        '{"user": "%s", "tags": ["\ud800"]}',
        '{"user": "%s", "tags": ' + json.dumps([f"t{number}" for number in range(21)]) + "}",
        '{"user": 1, "tags": []}',
        '{"user": "' + SECRET + '", "tags": []}',
        json.dumps({"user": unknown(), "tags": [SECRET]}),
        json.dumps({"user": to_global(NodeType.POLICY, UUID(int=2)), "tags": []}),
        '["%s", []]',
        "[" * 5_000,
        '{"user": "FIRST", "tags": []}',
    ],
)
def test_one_bad_line_refuses_the_whole_file_by_its_number_and_repeats_nothing(bundled, monkeypatch, line):
    office = office_of(bundled.server)
    first, second = customers(office)
    put(office, monkeypatch, said(first, "旅行"), said(second))
    before = stored(office, first, second)
    bad = line.replace("%s", second.id).replace("FIRST", first.id)
    with pytest.raises(OperatorRefusedError, match=r"^Line 2: .* Nothing was written\.$") as refused:
        put(office, monkeypatch, said(first, "别的"), bad)
    assert SECRET not in str(refused.value)
    assert first.id not in str(refused.value)
    assert second.id not in str(refused.value)
    assert stored(office, first, second) == before
    ended, begun = rows_of_the_ledger(office)
    assert (begun["outcome"], ended["outcome"], ended["code"]) == ("BEGUN", "REFUSED", "OPERATOR_REFUSED")


_made = {}


def customers(office):
    """Two people of a server, made once for all bad lines."""
    if office.url not in _made:
        _made[office.url] = office.customer(), office.customer()
    return _made[office.url]


def test_a_file_of_too_many_lines_is_refused(bundled, monkeypatch):
    office = office_of(bundled.server)
    first, second = customers(office)
    before = stored(office, first, second)
    monkeypatch.setattr(tags, "MOST_LINES", 1)
    with pytest.raises(OperatorRefusedError, match=r"^Line 2: A file has at most"):
        put(office, monkeypatch, said(first, "别的"), said(second, "别的"))
    assert stored(office, first, second) == before


def test_what_is_allowed_at_most_is_taken(bundled, monkeypatch):
    office = office_of(bundled.server)
    one = customers(office)[0]
    most = [f"{number:02}" + "长" * (tags.LONGEST_TAG - 2) for number in range(tags.MOST_TAGS)]
    assert put(office, monkeypatch, said(one, *most)) == counts(replaced=1)
    assert own(office, one)["tags"] == most


def test_c29_who_is_erased_is_skipped_and_counted_and_a_key_nobody_can_open_is_told(bundled, monkeypatch):
    office = office_of(bundled.server)
    erased, broken, well = (office.customer() for _ in range(3))
    damage = "UPDATE data_key SET wrapped = $3 WHERE person_id = $1 AND retention = $2"
    office.execute(damage, erased.person, int(Retention.ACCOUNT), None)
    office.execute(damage, broken.person, int(Retention.ACCOUNT), bytes(60))
    before = stored(office, erased, broken)
    lines = [said(one, "旅行") for one in (erased, broken, well)]
    assert put(office, monkeypatch, *lines) == counts(erased=1, unreadable=1, replaced=1)
    assert stored(office, erased, broken) == before
    assert own(office, well)["tags"] == ["旅行"]


def test_c59_the_ledger_names_those_whose_tags_changed_and_never_a_tag(bundled, monkeypatch):
    office = office_of(bundled.server)
    changed, same = office.customer(), office.customer()
    put(office, monkeypatch, said(same, SECRET))
    put(office, monkeypatch, said(changed, SECRET), said(same, SECRET))
    ended, begun = rows_of_the_ledger(office)
    assert (begun["outcome"], ended["outcome"]) == ("BEGUN", "DONE")
    assert begun["decision"] == ended["decision"]
    named = office.rows("SELECT person_id FROM person_reference WHERE reference = ANY($1)", ended["persons"])
    assert [row[0] for row in named] == [changed.person]
    assert SECRET not in json.dumps([ended, begun], ensure_ascii=False)


def test_a_dry_run_counts_and_changes_nothing(bundled, monkeypatch):
    office = office_of(bundled.server)
    one = office.customer()
    before = stored(office, one)
    told = put(office, monkeypatch, said(one, "旅行"), more=["--dry-run"])
    assert told == counts(replaced=1, dry_run=True)
    assert stored(office, one) == before
    assert "persons" not in rows_of_the_ledger(office)[0]


def test_the_command_line_takes_a_file_and_ends_with_1_where_it_refuses(bundled, tmp_path):
    office = office_of(bundled.server)
    one, file = office.customer(), tmp_path / "tags.jsonl"
    assert _parser().parse_args(["tags", "set", "-"]).command == "tags"
    file.write_text(f"{said(one, '旅行')}\n{SECRET}", encoding="utf-8")
    refused = run_cli("tags", "set", str(file), data_dir=office.data_dir, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Line 2: ")
    assert SECRET not in refused.stderr
    file.write_text(said(one, "旅行"), encoding="utf-8")
    done = run_cli("tags", "set", str(file), "--json", data_dir=office.data_dir)
    assert json.loads(done.stdout) == counts(replaced=1)
    assert own(office, one)["tags"] == ["旅行"]
    missing = run_cli("tags", "set", str(tmp_path / "none"), data_dir=office.data_dir, check=False)
    assert (missing.returncode, missing.stderr.strip()) == (1, "The file cannot be read (FileNotFoundError).")
