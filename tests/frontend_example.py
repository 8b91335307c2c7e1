"""The frontend example, built as its README says: once, however many processes of the suite want it."""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.test_http_audit import node

FOLDER = ROOT / "examples" / "frontend"
_MADE = {"node_modules", "dist"}
_GENERATED = FOLDER / "src" / "generated.ts"
_OUTSIDE = (ROOT / "docs" / "schema.graphql", ROOT / "resolvers" / "registered_documents")


def build() -> None:
    """Types generated anew from the published schema, accepted by the compiler, and the page bundled."""
    assert (FOLDER / "node_modules").is_dir(), "The example is not installed: run scripts/test, which installs it."
    (FOLDER / "dist").mkdir(exist_ok=True)
    # Whoever comes second waits, and finds what the first has built of the very same files.
    with (FOLDER / "dist" / ".built").open("a+") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_EX)
        stamp.seek(0)
        if stamp.read() == (wanted := _digest()):
            return
        stamp.truncate(0)
        run("bash", "-euc", json.loads((FOLDER / "package.json").read_text())["scripts"]["build"])
        stamp.write(wanted)


def run(*command: str, **environment: str) -> str:
    """What a command says, run in the example's folder with the programs it installed, as npm would run it."""
    done = subprocess.run(
        command, cwd=FOLDER, env=surroundings(**environment), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def surroundings(**environment: str) -> dict[str, str]:
    """The environment of the example's programs."""
    programs = (FOLDER / "node_modules" / ".bin", Path(node()).parent)
    return {**os.environ, "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]), **environment}


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for place in (*_OUTSIDE, *(one for one in FOLDER.iterdir() if one.name not in _MADE)):
        found = place.rglob("*") if place.is_dir() else [place]
        yield from (path for path in found if path.is_file() and path != _GENERATED)
