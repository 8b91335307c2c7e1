"""Data directories of the product that hold a rig's rows, kept and used again as long as those rows are the same."""

import asyncio
import json
import shutil
from pathlib import Path

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
CALLERS = {"caller": (*PLACE, None), "nobody": (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, NOBODY)}
"""Role, purpose and user name of who asks, and of who may see nothing."""


def installation_of(folder: Path) -> Installation:
    """The product's installation in a folder, with a database of its own."""
    return open_installation({"NEEDFUL_DATA": str(folder / "data")})


def prepare(root: Path, source: Source, content: Content) -> Path:
    """The folder with these rows under these rules: that of an earlier time, or a new one."""
    folder = root / f"{source.digest[:16]}-{content.digest[:8]}"
    if (folder / _DONE).exists():
        return folder
    # What was not finished is begun anew.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    installation = installation_of(folder)
    with database(installation) as found:
        rows = asyncio.run(_load(installation, found, source, content))
    (folder / "ids.json").write_text(json.dumps({"policies": policy_ids(source), "claims": claim_ids(source)}))
    (folder / _DONE).write_text(json.dumps(rows))
    return folder


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
