"""Bringing a database up to date: its tables, and what this release comes with: rules, notice, calendar, duties."""

import logging
from datetime import datetime

from authz.default_ruleset import keep_default
from models.database import connect_once
from models.embedded import Database
from models.installation import Installation
from models.migrating import migrate
from privacy.calendars import keep_shipped
from privacy.duties import keep_duties
from privacy.notices import keep_default_notice
from privacy.replay import LOST, replay
from privacy.rotation import know
from privacy.tombstones import Tombstones, TombstonesLostError
from vault.keyring import load_or_create

_log = logging.getLogger("needful.tombstones")


async def bring_up(found: Database, *, now: datetime) -> None:
    """Bring a database up to date. Raises InstallationError as `models.database.migrate` does, and RulesetError."""
    await migrate(found)
    owner = await connect_once(found.owner)
    try:
        await keep_default(owner, now=now)
        await keep_default_notice(owner, now=now)
        await keep_shipped(owner, now=now)
        await keep_duties(owner, now=now)
    finally:
        await owner.close()


async def bring_back(installation: Installation, found: Database, *, now: datetime) -> None:
    """Make a database that may have been restored from a backup one that belongs to the files beside it (C66).

    Whose erasure it does not know is erased anew. Raises OperatorRefusedError for a keyring that lacks a key of the
    database's, and InstallationError for tombstones that are damaged or, outside demo mode, lost.
    """
    owner = await connect_once(found.owner)
    try:
        keyring = load_or_create(installation.keyring_path, demo=installation.demo)
        await know(owner, keyring, now=now)
        await replay(owner, keyring, Tombstones(installation.tombstones_path))
    except TombstonesLostError as lost:
        if not installation.demo:
            raise
        _log.warning("%s: %s", LOST, lost)
    finally:
        await owner.close()
