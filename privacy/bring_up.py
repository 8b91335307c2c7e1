"""Bringing a database up to date: its tables, the rules that this release comes with, and the notice."""

from datetime import datetime

from authz.default_ruleset import keep_default
from models.database import connect_once, migrate
from models.embedded import Database
from privacy.notices import keep_default_notice


async def bring_up(found: Database, *, now: datetime) -> None:
    """Bring a database up to date. Raises InstallationError as `models.database.migrate` does, and RulesetError."""
    await migrate(found)
    owner = await connect_once(found.owner)
    try:
        await keep_default(owner, now=now)
        await keep_default_notice(owner, now=now)
    finally:
        await owner.close()
