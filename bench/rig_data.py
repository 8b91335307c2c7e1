"""Data directories of the product that hold a rig's rows, kept and used again as long as those rows are the same."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from authz.callers import Wanted, find_caller
from authz.ruleset_store import Content
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from bench.importing import NOBODY, Source, claim_ids, load_source, policy_ids
from bench.rules import PLACE
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from privacy.bring_up import bring_up
from vault.keyring import load_or_create

_DONE = "imported.json"
_ROOT = Path(__file__).resolve().parent.parent
_STORING = ("bench/importing.py", "models/demo/rows.py", "models/demo/sealer.py", "vault/blind.py", "vault/sealing.py")
CALLERS = {"caller": (*PLACE, None), "nobody": (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, NOBODY)}
"""Role, purpose and user name of who asks, and of who may see nothing."""


def environ_of(folder: Path, url: str | None) -> dict[str, str]:
    """The environment of an installation in a folder, with a database of its own or, by `url`, in another's server."""
    given = {"NEEDFUL_DATA": str(folder / "data"), "NEEDFUL_DEMO": "1", "NEEDFUL_SCHEDULER": "0"}
    return given | ({"DATABASE_URL": url} if url else {})


def prepare(root: Path, source: Source, content: Content, *, server: str | None = None) -> tuple[Path, dict[str, str]]:
    """The folder with these rows under these rules, and its environment: that of an earlier time, or a new one.

    `server`: the address of a PostgreSQL superuser, if not an embedded one. Raises the database's error.
    """
    name = f"needful_{source.digest[:8]}_{content.digest[:8]}_{_code()[:8]}"
    folder = root / (name if server else f"{name}_embedded")
    environ = environ_of(folder, f"{server}/{name}" if server else None)
    if not (folder / _DONE).exists() or (server and not asyncio.run(_is_there(server, name))):
        # What was not finished is begun anew.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if server:
            asyncio.run(_make_anew(server, name))
        _fill(folder, environ, source, content)
    return folder, environ


def _code() -> str:
    """The name of the code that decides how rows are stored: what other code has imported is not used again."""
    found = hashlib.sha256()
    for path in (*sorted((_ROOT / "models" / "migrations").glob("*.py")), *(_ROOT / name for name in _STORING)):
        found.update(path.read_bytes())
    return found.hexdigest()


async def _is_there(server: str, name: str) -> bool:
    admin = await asyncpg.connect(f"{server}/postgres")
    try:
        return bool(await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name))
    finally:
        await admin.close()


async def _make_anew(server: str, name: str) -> None:
    admin = await asyncpg.connect(f"{server}/postgres")
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {name}")
        await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()


def _fill(folder: Path, environ: Mapping[str, str], source: Source, content: Content) -> None:
    installation = open_installation(environ)
    with database(installation) as found:
        rows = asyncio.run(_load(installation, found, source, content))
    (folder / "ids.json").write_text(json.dumps({"policies": policy_ids(source), "claims": claim_ids(source)}))
    (folder / _DONE).write_text(json.dumps(rows))


async def _load(installation: Installation, found: Database, source: Source, content: Content) -> dict[str, int]:
    await bring_up(found, now=utc_now())
    keyring = load_or_create(installation.keyring_path, demo=True)
    owner = await connect_once(found.owner)
    try:
        return dict(await load_source(owner, source, keyring=keyring, content=content))
    finally:
        await owner.close()


def headers(installation: Installation, found: Database, who: str) -> dict[str, str]:
    """The request headers of one of the callers; the token lives for an hour."""
    role, purpose, username = CALLERS[who]
    wanted = Wanted(role, (purpose,), to_bits(set(Category)), username=username)
    token = asyncio.run(_mint(installation, found, wanted))
    return {"authorization": f"Bearer {token}", "x-purpose": purpose.value}


async def _mint(installation: Installation, found: Database, wanted: Wanted) -> str:
    owner = await connect_once(found.owner)
    try:
        subject = await find_caller(owner, wanted, keyring=load_or_create(installation.keyring_path, demo=True))
    finally:
        await owner.close()
    return mint(TokenKeys.load_or_create(installation.token_keys_path, demo=True), subject, now=utc_now())
