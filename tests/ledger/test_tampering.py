"""Whatever is done to a real ledger's export, `ledger verify` finds it, wherever hypothesis chooses to do it."""

import json
import re
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import _parser
from ledger.head_keys import HeadKey
from ledger.heads import Head, sign
from ledger.verify import UnusableError, leaf_hash, roots, verify

ASKED = "query Look { claims(first: 3) { edges { node { claimNumber diagnosis policy { policyholder { name } } } } } }"
ORDEAL = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Export:
    """A real export, line by line, and the second place."""

    def __init__(self, path, heads):
        self.lines = path.read_text().splitlines(keepends=True)
        signed = set(self.lines)
        # As it was when the export was made: others use this server too.
        self.heads = [
            line for line in heads.read_text().splitlines(keepends=True) if line in signed or '"key"' in line[:6]
        ]
        self.rows = range(1, json.loads(self.lines[0])["size"] + 1)
        self.signed = range(self.rows.stop, len(self.lines))

    def found(self, lines) -> list[str]:
        """What the verifier finds; something that it cannot even read is found too."""
        try:
            return verify(lines, self.heads).findings
        except UnusableError as why:
            return [str(why)]

    def with_row(self, place, **values) -> list[str]:
        row = json.loads(self.lines[place])
        return [*self.lines[:place], compact({**row, **values}), *self.lines[place + 1 :]]

    def counted(self, lines) -> list[str]:
        """The lines under a header that fits, with every row's index put right."""
        rows = [json.loads(line) for line in lines[1:] if line.startswith('{"index"')]
        after = [line for line in lines[1:] if not line.startswith('{"index"')]
        header = {**json.loads(lines[0]), "size": len(rows), "end": len(rows)}
        return [compact(header), *(compact({**row, "index": place}) for place, row in enumerate(rows)), *after]


def compact(content) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def export(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    token = server.token("claims_handler", user="handler01", purposes=["claim_handling"])
    for _ in range(12):
        assert server.post(ASKED, token=token).status_code == 200
        server.post("mutation { logOut { __typename } }", token=token)
    # Sealed in several heads: an export seals what there is before it begins.
    for place in range(3):
        operate(server, "ledger", "export", str(folder / f"{place}.jsonl"))
        server.post(ASKED, token=token)
    operate(server, "ledger", "export", str(folder / "export.jsonl"))
    made = Export(folder / "export.jsonl", server.installation.ledger_heads_path)
    assert made.found(made.lines) == []
    assert len(made.rows) > 12
    assert len(made.signed) > 3
    return made


def operate(server, *arguments) -> int:
    given = _parser().parse_args(["--json", *arguments])
    return given.run(given, server.installation)


@ORDEAL
@given(st.data())
def test_a_flipped_byte_is_found_wherever_it_is(export, data):
    whole = "".join(export.lines).encode()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    flipped = whole[:place] + bytes([other]) + whole[place + 1 :]
    lines = re.findall(r"[^\n]*\n|[^\n]+", flipped.decode(errors="surrogateescape"))
    # The last line's end says nothing.
    assert export.found(lines) or place == len(whole) - 1


@ORDEAL
@given(st.data())
def test_a_deleted_row_is_found(export, data):
    place = data.draw(st.sampled_from(export.rows))
    left = [*export.lines[:place], *export.lines[place + 1 :]]
    assert export.found(left)
    assert export.found(export.counted(left))


@ORDEAL
@given(st.data())
def test_an_inserted_row_is_found(export, data):
    place, like = data.draw(st.sampled_from(export.rows)), data.draw(st.sampled_from(export.rows))
    row = json.loads(export.lines[like])
    row["sequence"] += data.draw(st.integers(0, 3))
    more = [*export.lines[:place], compact(row), *export.lines[place:]]
    assert export.found(more)
    assert export.found(export.counted(more))


@ORDEAL
@given(st.data())
def test_rows_in_another_order_are_found(export, data):
    one, other = data.draw(st.lists(st.sampled_from(export.rows), min_size=2, max_size=2, unique=True))
    lines = list(export.lines)
    lines[one], lines[other] = lines[other], lines[one]
    assert export.found(lines)
    assert export.found(export.counted(lines))


@ORDEAL
@given(st.data())
def test_a_truncated_export_is_found(export, data):
    last = data.draw(st.integers(0, len(export.rows) - 1))
    heads = [line for line in export.lines[export.signed.start :] if Head.read(line.rstrip("\n")).size <= last]
    cut = [*export.lines[: last + 1], *export.lines[export.signed.start :]]
    assert export.found(export.lines[: data.draw(st.integers(0, len(export.lines) - 1))])
    assert export.found(cut)
    assert export.found(export.counted(cut))
    assert export.found(export.counted([*export.lines[: last + 1], *heads]))


@ORDEAL
@given(st.data())
def test_swapped_persons_are_found(export, data):
    named = [place for place in export.rows if json.loads(json.loads(export.lines[place])["body"]).get("persons")]
    assert named
    place = data.draw(st.sampled_from(named))
    body = json.loads(json.loads(export.lines[place])["body"])
    number = data.draw(st.integers(0, len(body["persons"]) - 1))
    others = [*body["persons"][::-1], data.draw(st.integers(1, 2**62))]
    body["persons"][number] = next(one for one in others if one != body["persons"][number])
    assert export.found(export.with_row(place, body=compact(body).rstrip("\n")))


@ORDEAL
@given(st.data())
def test_a_head_rolled_back_is_found(export, data):
    """The export and its heads are those of an earlier state, to which other rows may have been added."""
    kept = data.draw(st.integers(0, len(export.signed) - 2))
    heads = export.lines[export.signed.start :][: kept + 1]
    size = Head.read(heads[-1].rstrip("\n")).size
    earlier = export.counted([*export.lines[: size + 1], *heads])
    assert "The second place knows of" in export.found(earlier)[0]


@ORDEAL
@given(st.data())
def test_another_ledger_signed_with_another_key_is_found(export, data):
    """A row is changed and everything after it made anew, with a key of the forger's."""
    place = data.draw(st.sampled_from(export.rows))
    body = json.loads(json.loads(export.lines[place])["body"])
    lines = export.with_row(place, body=compact({**body, "misses": 99}).rstrip("\n"))
    private = Ed25519PrivateKey.generate()
    key = HeadKey(private.private_bytes_raw(), private.public_key().public_bytes_raw())
    forged = [*lines[: export.signed.start], *signed_anew(lines, export, key)]
    assert any("not signed with a key" in one for one in export.found(forged))
    second = [compact({"key": key.id, "public": key.public.hex()}), *forged[export.signed.start :]]
    genuine = json.loads(export.heads[0])["key"]
    assert verify(forged, second).findings == []
    assert verify(forged, second, pinned=genuine).findings


def signed_anew(lines, export, key) -> list[str]:
    rows = [json.loads(line) for line in lines[1 : export.signed.start]]
    leaves = b"".join(leaf_hash(f"{row['writer']}:{row['sequence']}:{row['body']}".encode()) for row in rows)
    heads, sizes = [], {Head.read(line.rstrip("\n")).size for line in lines[export.signed.start :]}
    for size, root in roots(leaves, sizes):
        heads.append(sign(key, size, bytes.fromhex(root), heads[-1] if heads else None, now=datetime.now(UTC)))
    return [head.line + "\n" for head in heads]
