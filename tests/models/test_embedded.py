import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from models.embedded import database
from models.installation import InstallationError, open_installation

PROJECT = Path(__file__).parents[2]
HOLDER = """
import os, sys
from models.embedded import database
from models.installation import open_installation
with database(open_installation(os.environ), lasting=sys.argv[1] == "lasting") as found:
    print(found.owner.host, flush=True)
    sys.stdin.read()
"""


def opened(root: Path, **environ: str):
    return open_installation({"NEEDFUL_DATA": str(root), **environ})


def ask(credentials, query: str, *, password: str | None = None):
    async def answer():
        connection = await asyncpg.connect(
            host=credentials.host,
            port=credentials.port,
            user=credentials.user,
            password=credentials.password if password is None else password,
            database=credentials.database,
            ssl=credentials.sslmode,
        )
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(answer())


def servers(root: Path) -> list[psutil.Process]:
    """The database servers at work in a data directory, whoever started them."""
    mark = f"{root}/postgres"
    found = [one for one in psutil.process_iter(["cmdline", "ppid"]) if mark in (one.info["cmdline"] or ())]
    # What a server has just forked bears its name for a moment.
    return [one for one in found if one.info["ppid"] not in {other.pid for other in found}]


def wait_until_gone(root: Path) -> None:
    deadline = time.monotonic() + 10
    while servers(root) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert servers(root) == []


@contextmanager
def holder(root: Path, kind: str):
    """Another process that has the database of `root`; gives it and the socket's folder."""
    environ = {**os.environ, "NEEDFUL_DATA": str(root), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("closed", numbered=True) / "data")


def test_the_server_serves_the_block_and_ends_with_it(installation):
    with database(installation) as found:
        assert ask(found.owner, "SELECT current_database() || ' ' || current_user") == "needful needful_owner"
        assert len(servers(installation.root)) == 1
    assert servers(installation.root) == []


def test_what_was_written_is_there_the_next_time(installation):
    with database(installation) as found:
        ask(found.owner, "CREATE TABLE kept AS SELECT 42 AS answer")
    with database(installation) as found:
        assert ask(found.owner, "SELECT answer FROM kept") == 42


def test_the_server_listens_on_no_network_address(installation):
    with database(installation) as found:
        assert ask(found.owner, "SHOW listen_addresses") == ""
        (server,) = servers(installation.root)
        assert server.net_connections(kind="inet") == []


def test_its_socket_lies_in_a_folder_closed_to_everyone_else(installation):
    with database(installation) as found:
        assert stat.S_IMODE(Path(found.owner.host).stat().st_mode) == 0o700


def test_nobody_enters_without_the_password(installation):
    with database(installation) as found:
        for password in ("", "postgres", found.application.password):
            with pytest.raises(asyncpg.InvalidPasswordError):
                ask(found.owner, "SELECT 1", password=password)
        assert ask(found.owner, "SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")


def test_passwords_stand_in_one_private_file_and_nowhere_else(installation):
    with database(installation) as found:
        secrets = (found.owner.password, found.application.password)
        assert not any(secret in repr(found) for secret in secrets)
        commands = [" ".join(process.cmdline()) for process in servers(installation.root)]
    files = [path for path in installation.root.rglob("*") if path.is_file()]
    holding = {path for path in files for secret in secrets if secret.encode() in path.read_bytes()}
    assert holding == {installation.postgres_secrets_path}
    assert stat.S_IMODE(installation.postgres_secrets_path.stat().st_mode) == 0o600
    assert not any(secret in command for secret in secrets for command in commands)


def test_no_statement_no_value_and_no_error_reaches_the_log(installation):
    with database(installation) as found:
        for query in ("SELECT 'rare-value'::int", "SELECT rare_column", "SELECT 1 / 0 AS rare_name"):
            with pytest.raises(asyncpg.PostgresError):
                ask(found.owner, query)
    assert "rare" not in installation.postgres_log_path.read_text()


def test_the_server_is_never_root_and_has_one_right_at_most(installation):
    with database(installation):
        (server,) = servers(installation.root)
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert set(server.uids()) == {installation.postgres_dir.stat().st_uid}
        assert 0 not in server.uids()
        assert "NoNewPrivs:\t1" in status
        # The right to pass through folders closed to it: the narrower of the two that grant it, if to be had.
        assert int(status.split("CapEff:")[1].split()[0], 16) in {0, 1 << 2, 1 << 1}


def test_the_server_reaches_its_files_below_a_folder_that_only_root_may_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with database(opened(closed / "data")) as found:
        assert ask(found.owner, "SELECT 1") == 1


def test_the_server_ends_when_its_process_is_killed_and_starts_again_after(installation):
    with holder(installation.root, "lasting") as (process, _):
        assert len(servers(installation.root)) == 1
        process.kill()
        process.wait()
        with database(installation) as found:
            assert ask(found.owner, "SELECT 1") == 1
    wait_until_gone(installation.root)


def test_a_keyboard_interrupt_reaches_the_process_in_front_only(installation):
    with database(installation):
        (server,) = servers(installation.root)
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_commands_join_a_lasting_server(installation):
    with holder(installation.root, "lasting") as (_, folder):
        with database(installation) as found:
            assert Path(found.owner.host) == folder
            assert len(servers(installation.root)) == 1
        assert len(servers(installation.root)) == 1


def test_commands_at_once_take_turns(installation):
    with holder(installation.root, "brief") as (first, _):
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, "brief"],
            env={**os.environ, "NEEDFUL_DATA": str(installation.root), "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(1.5)
            first.stdin.close()
            out, err = second.communicate(timeout=20)
        assert second.returncode == 0
        assert out
        assert "Waiting for another Needful command" in err


def test_a_command_that_waits_in_vain_says_so_in_one_sentence(installation, monkeypatch):
    monkeypatch.setattr("models.embedded._WAIT_SECONDS", 0)
    with (
        holder(installation.root, "brief"),
        pytest.raises(InstallationError, match=r"^Another Needful command still works in .*\.$"),
        database(installation),
    ):
        pass


def test_two_data_directories_serve_side_by_side(installation, tmp_path):
    with database(installation) as here, database(opened(tmp_path / "other")) as there:
        assert here.owner.password != there.owner.password
        ask(here.owner, "CREATE TABLE only_here ()")
        assert ask(there.owner, "SELECT to_regclass('only_here') IS NULL")


def test_a_path_too_long_for_a_socket_works_and_leaves_nothing_outside(tmp_path):
    installation = opened(tmp_path / ("long" * 30) / "data")
    with database(installation, lasting=True) as found, database(installation) as joined:
        folder = Path(found.owner.host)
        assert joined == found
        assert not folder.is_relative_to(installation.root)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) & 0o007 == 0
        assert ask(found.owner, "SELECT 1") == 1
    assert not folder.parent.exists()


def test_a_socket_folder_that_someone_else_could_enter_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")  # noqa: S108 - where everyone can write
    installation = opened(tmp_path / ("long" * 30) / "data")
    with database(installation) as found:
        folder = Path(found.owner.host).parent
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    try:
        with pytest.raises(InstallationError, match="not Needful's own"), database(installation):
            pass
    finally:
        folder.rmdir()


def test_an_interrupted_first_start_is_made_good(tmp_path):
    installation = opened(tmp_path / "data")
    unfinished = installation.root / "postgres.new"
    unfinished.mkdir()
    (unfinished / "half").touch()
    with database(installation) as found:
        assert ask(found.owner, "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_recycled_process_number_does_not_stop_the_server(installation):
    with holder(installation.root, "lasting") as (process, _):
        (server,) = servers(installation.root)
        server.send_signal(signal.SIGKILL)
        process.kill()
        process.wait()
    wait_until_gone(installation.root)
    pid_file = installation.postgres_dir / "postmaster.pid"
    _, _, rest = pid_file.read_text().partition("\n")
    pid_file.write_text(f"{os.getpid()}\n{rest}")
    with database(installation) as found:
        assert ask(found.owner, "SELECT 1") == 1


def test_lost_passwords_are_never_replaced(tmp_path):
    installation = opened(tmp_path / "data")
    with database(installation):
        pass
    installation.postgres_secrets_path.unlink()
    with pytest.raises(InstallationError, match="restore it from a backup"), database(installation):
        pass
    assert not installation.postgres_secrets_path.exists()


def test_an_external_database_gets_an_application_role_of_its_own(tmp_path):
    url = "postgresql://chief:a%40b@db.example:6543/care%20data?sslmode=verify-full"
    installation = opened(tmp_path / "data", DATABASE_URL=url)
    with database(installation) as found, database(installation) as again:
        assert found == again
    assert (found.owner.host, found.owner.port, found.owner.user) == ("db.example", 6543, "chief")
    assert (found.owner.password, found.owner.sslmode) == ("a@b", "verify-full")
    assert found.application.user == "care data_app"
    known = json.loads(installation.postgres_secrets_path.read_text())
    assert found.application.password == known["application"] != found.owner.password


@pytest.mark.parametrize(
    "url",
    [
        "mysql://o:sesame@h/d",
        "postgresql://o:sesame@h",
        "postgresql://:sesame@h/d",
        "postgresql://o:sesame@h:port/d",
        "postgresql://o:sesame@h/d?sslmode=maybe",
        "postgresql://o:sesame@h/d?options=sesame",
        "postgresql://o:sesame@[h/d",
    ],
)
def test_an_unusable_database_url_is_refused_without_showing_it(tmp_path, url):
    with (
        pytest.raises(InstallationError, match=r"^DATABASE_URL must look like") as refusal,
        database(opened(tmp_path / "data", DATABASE_URL=url)),
    ):
        pass
    assert "sesame" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
