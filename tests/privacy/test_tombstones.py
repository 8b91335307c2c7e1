"""The file of tombstones: added to by many at once, on the disk before anything else, and never guessed at (C66)."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.installation import InstallationError, open_installation
from models.vocabulary import Retention
from privacy.tombstones import BEGINNING, Tombstone, Tombstones, TombstonesError, TombstonesLostError
from tests.conftest import ROOT

AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
STONE = Tombstone(UUID(int=1), frozenset({Retention.ACCOUNT, Retention.DEVICE}), AT, date(2031, 11, 20))
STONES = st.builds(
    Tombstone,
    st.uuids(),
    st.frozensets(st.sampled_from(Retention)),
    st.datetimes(timezones=st.just(UTC)),
    st.none() | st.dates(),
)
MANY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from models.vocabulary import Retention
from privacy.tombstones import Tombstone, Tombstones
path, begin = Path(sys.argv[1]), int(sys.argv[2])
for number in range(begin, begin + 100, 2):
    pair = [UUID(int=one) for one in (number, number + 1)]
    Tombstones(path).add([Tombstone(one, frozenset({Retention.CLAIM}), datetime.now(UTC)) for one in pair])
"""


def some(count: int) -> list[Tombstone]:
    return [replace(STONE, person=UUID(int=number)) for number in range(count)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tombstones.jsonl"


@given(STONES, st.integers(0, 200))
def test_a_line_says_the_whole_tombstone_and_one_letter_else_is_none(stone, place):
    line = stone.line.removesuffix("\n")
    assert Tombstone.of(line) == stone
    place %= len(line)
    with pytest.raises(ValueError, match="no tombstone"):
        Tombstone.of(line[:place] + ("0" if line[place] != "0" else "1") + line[place + 1 :])


def test_the_format_is_kept():
    assert STONE.line == (
        '{"format":1,"person":"00000000-0000-0000-0000-000000000001","classes":[1,4],'
        '"at":"2026-11-20T02:00:00+00:00","keep_until":"2031-11-20","sum":"97807726777c14f1"}\n'
    )


def test_what_was_added_is_read_and_the_file_is_nobody_elses(path):
    stones = Tombstones(path)
    assert list(stones.read()) == []
    stones.add([])
    assert not path.exists()
    stones.add(some(2))
    stones.add(some(3))
    assert list(stones.read()) == some(3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_tombstone_stands_on_the_disk_when_it_has_been_added(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    Tombstones(path).add(some(1))
    assert synced == [path, path.parent]
    Tombstones(path).add(some(1))
    assert synced[2:] == [path]


def test_many_processes_add_at_once_and_none_is_lost(path):
    command = [sys.executable, "-c", MANY, str(path)]
    processes = [subprocess.Popen([*command, str(begin)], cwd=ROOT) for begin in (0, 100, 200)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert {stone.person.int for stone in Tombstones(path).read()} == set(range(300))


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_that_a_crash_cut_short_counts_for_nothing_and_spoils_no_other(path, kept):
    stones = Tombstones(path)
    stones.add(some(2))
    torn = replace(STONE, person=UUID(int=9)).line[:kept]
    with path.open("a") as stream:
        stream.write(torn)
    assert list(stones.read()) == some(2)
    stones.add(some(3)[2:])
    assert list(stones.read()) == some(3)
    assert path.read_text() == "".join(stone.line for stone in some(3))


@pytest.mark.parametrize("line", ["", "{}", "[]", "1", STONE.line[:-9], STONE.line.replace("1,4", "1"), "\x00" * 80])
def test_damage_anywhere_else_is_an_error_that_says_what_to_do(path, line):
    stones = Tombstones(path)
    stones.add(some(1))
    path.write_text(line.rstrip("\n") + "\n" + path.read_text())
    with pytest.raises(TombstonesError, match="restore it from its copy"):
        list(stones.read())


def test_a_file_that_cannot_be_used_is_an_error_that_says_which(tmp_path):
    stones = Tombstones(tmp_path)
    for attempt in (lambda: stones.add(some(1)), lambda: list(stones.read())):
        with pytest.raises(TombstonesError, match="see NEEDFUL_TOMBSTONES"):
            attempt()


def test_from_a_mark_on_only_what_stands_behind_it_is_read(path):
    stones = Tombstones(path)
    assert list(stones.after(BEGINNING)) == []
    stones.add(some(3))
    marks = [mark for _, mark in stones.after(BEGINNING)]
    assert [mark.stones for mark in marks] == [1, 2, 3]
    assert [stone for stone, _ in stones.after(marks[0])] == some(3)[1:]
    assert list(stones.after(marks[2])) == []


@pytest.mark.parametrize("spoil", ["missing", "shorter", "another"])
def test_a_file_that_lacks_what_it_had_is_noticed(path, spoil):
    stones = Tombstones(path)
    stones.add(some(3))
    *_, (_, mark) = stones.after(BEGINNING)
    lines = path.read_text().splitlines(keepends=True)
    if spoil == "missing":
        path.unlink()
    else:
        path.write_text("".join(lines[:2] if spoil == "shorter" else reversed(lines)))
    with pytest.raises(TombstonesLostError, match="lacks tombstones"):
        list(stones.after(mark))


def test_the_file_stands_where_the_operator_wants_it(tmp_path):
    environ = {"NEEDFUL_DATA": str(tmp_path / "data")}
    assert open_installation(environ).tombstones_path == tmp_path / "data" / "tombstones.jsonl"
    named = {**environ, "NEEDFUL_TOMBSTONES": str(tmp_path / "stones")}
    assert open_installation(named).tombstones_path == tmp_path / "stones"
    with pytest.raises(InstallationError, match="NEEDFUL_TOMBSTONES must name a file"):
        open_installation({**environ, "NEEDFUL_TOMBSTONES": str(tmp_path / "no" / "folder")})
