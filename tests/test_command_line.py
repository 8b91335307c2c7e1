"""The command line answers in sentences and exit codes, whatever is typed, piped or full (INTERFACE.md)."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, run_cli


def run(*arguments, data_dir, stdout=subprocess.PIPE, **environment):
    """From scratch: what depends on how Python starts, and what it was given to write to."""
    return subprocess.run(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        check=False,
        env={**os.environ, "NEEDFUL_DATA": str(data_dir), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
    )


NO_TEXT = b"ab\xff\xfecd"


@pytest.mark.parametrize("words", [("partner", "end", "--reference"), ("account", "unlock", "--user")])
def test_an_argument_that_is_no_text_is_a_mistake_in_usage(server, words):
    done = run_cli(*words, os.fsdecode(NO_TEXT), data_dir=server.data_dir, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "An argument is not text in UTF-8: type it anew.\n"


def test_bytes_that_are_no_text_are_a_mistake_in_usage(server):
    done = run("staff", "leave", NO_TEXT, data_dir=server.data_dir)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == "An argument is not text in UTF-8: type it anew.\n"


def test_a_result_that_nobody_reads_or_that_has_no_room_is_a_failure_in_one_sentence(server):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = run("partner", "list", data_dir=server.data_dir, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode() == "The result could not be written (No space left on device).\n"
    read, write = os.pipe()
    os.close(read)
    done = run("partner", "list", data_dir=server.data_dir, stdout=write)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr.decode() == "The result could not be written (Broken pipe).\n"


def test_a_terminal_without_the_letters_ends_nothing_half_done(server):
    done = run("partner", "list", data_dir=server.data_dir, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr


def test_a_file_for_plain_lines_is_kept_when_nothing_is_loaded(server, prepared, tmp_path):
    prepared.empty(tmp_path / "data")
    path = tmp_path / "plain.jsonl"
    path.write_text("keep me")
    done = run_cli("demo", "--people", "0", "--plaintext", str(path), data_dir=server.data_dir, check=False)
    assert done.returncode == 1
    for folder in (tmp_path / "missing" / "x", tmp_path):
        done = run_cli("demo", "--people", "5", "--plaintext", str(folder), data_dir=tmp_path / "data", check=False)
        assert done.returncode == 1, folder
        assert done.stderr.endswith("choose another file.\n")
    assert path.read_text() == "keep me"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize(
    "name, content",
    [("nul.graphql", b"{ currentNotice { version } } # \x00"), ("x" * 200 + ".graphql", b"{ __typename }")],
)
def test_a_document_that_cannot_be_kept_is_refused(server, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    done = run_cli("operations", "register", str(tmp_path / name), data_dir=server.data_dir, check=False)
    assert done.returncode == 1
    assert "cannot be kept" in done.stderr
    assert "Traceback" not in done.stderr
