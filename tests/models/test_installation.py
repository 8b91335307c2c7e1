import json
import stat
import threading
from pathlib import Path

import pytest

from models.installation import DEFAULT_ROOT, InstallationError, open_installation


def opened(root: Path, **environ: str):
    return open_installation({"NEEDFUL_DATA": str(root), **environ})


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_new_data_directory_is_private_and_marked(tmp_path):
    installation = opened(tmp_path / "new" / "data")
    assert stat.S_IMODE(installation.root.stat().st_mode) == 0o700
    assert json.loads((installation.root / "needful.json").read_text()) == {"format": 1}


def test_an_empty_directory_is_taken_and_made_private(tmp_path):
    root = tmp_path / "empty"
    root.mkdir(mode=0o755)
    opened(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_opening_again_changes_nothing(tmp_path):
    first = opened(tmp_path / "data")
    before = contents(first.root)
    assert opened(tmp_path / "data") == first
    assert contents(first.root) == before


def test_the_default_data_directory_lies_beside_the_program():
    assert Path(__file__).parents[2] / ".data" == DEFAULT_ROOT


def test_a_foreign_directory_is_refused_and_left_as_it_was(tmp_path):
    root = tmp_path / "someone-elses"
    root.mkdir(mode=0o755)
    (root / "thesis.txt").write_text("years of work")
    with pytest.raises(InstallationError, match=r"set NEEDFUL_DATA to a new or empty folder\.$"):
        opened(root)
    assert contents(root) == {"thesis.txt": b"years of work"}
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_a_newer_format_is_refused_and_left_as_it_was(tmp_path):
    root = opened(tmp_path / "data").root
    (root / "needful.json").write_text('{"format": 2, "new": true}')
    before = contents(root)
    with pytest.raises(InstallationError, match="newer Needful"):
        opened(root)
    assert contents(root) == before


@pytest.mark.parametrize("marker", ["", "{", "[]", "1", "{}", '{"format": "1"}', '{"format": true}', '{"format": 0}'])
def test_a_damaged_marker_is_refused(tmp_path, marker):
    root = opened(tmp_path / "data").root
    (root / "needful.json").write_text(marker)
    with pytest.raises(InstallationError, match="is damaged"):
        opened(root)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InstallationError, match="cannot be used as the data directory"):
        opened(tmp_path / "file")


def test_first_starts_at_once_all_succeed(tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(opened(tmp_path / "data").root)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "data"] * 8


@pytest.mark.parametrize(
    "environ,demo",
    [
        ({}, True),
        ({"NEEDFUL_DEMO": "0"}, False),
        ({"DATABASE_URL": "postgresql://o:p@h/d"}, False),
        ({"DATABASE_URL": "postgresql://o:p@h/d", "NEEDFUL_DEMO": "1"}, True),
        ({"DATABASE_URL": ""}, True),
    ],
)
def test_demo_mode_is_on_only_without_a_database_of_ones_own(tmp_path, environ, demo):
    assert opened(tmp_path / "data", **environ).demo is demo


def test_demo_mode_is_never_guessed(tmp_path):
    with pytest.raises(InstallationError, match="must be 0 or 1"):
        opened(tmp_path / "data", NEEDFUL_DEMO="yes")


def test_an_installation_shows_no_password(tmp_path):
    installation = opened(tmp_path / "data", DATABASE_URL="postgresql://owner:hunter2@host/name")
    assert "hunter2" not in repr(installation)
