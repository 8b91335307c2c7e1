"""What the ledger's words are to the API: organizations, purposes and moments."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ledger.searches import Fetch
from models.vocabulary import Purpose

_ORGANIZATIONS = "SELECT id, code, name, kind, privacy_policy FROM organization WHERE id = ANY($1::uuid[])"


async def organizations_of(fetch: Fetch, ids: Iterable[UUID | None]) -> Mapping[UUID | None, dict[str, Any]]:
    """Organizations by id, as the schema has them; None, the brokerage itself, and unknown ones are missing."""
    wanted = sorted({one for one in ids if one is not None})
    if not wanted:
        return {}
    return {
        one["id"]: {
            "code": one["code"],
            "name": one["name"],
            "kind": one["kind"],
            "privacyPolicy": one["privacy_policy"],
        }
        for one in await fetch(_ORGANIZATIONS, wanted)
    }


def purpose_name(stored: str | None) -> str | None:
    """A purpose as the API says it; None for a word that is none."""
    return Purpose(stored).name if stored in list(Purpose) else None
