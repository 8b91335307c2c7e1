"""Work names of the staff, beside the ids that say who did something: people answer for rules by name (C46, C55)."""

from collections.abc import Mapping
from uuid import UUID

from authz.reviews import ITSELF, OPERATOR
from ledger.searches import Fetch
from models.global_ids import NodeType, to_global

_NAMES = "SELECT id::text, username FROM staff WHERE id::text = ANY($1::text[])"

Names = Mapping[str | None, str]
"""Work names by what says who: an account's id. `operator`, `needful` itself and customers are missing."""


async def names_of(fetch: Fetch, *ids: str | UUID | None) -> Names:
    """The work names of whoever of these works or worked here. Raises the database's error."""
    wanted = sorted({str(one) for one in ids} - {str(None), OPERATOR, ITSELF})
    return dict(await fetch(_NAMES, wanted)) if wanted else {}


def who(by: str | None) -> str | None:
    """Whoever did something, as the API calls them: an account's id, or `operator`, or `needful` itself."""
    return by if by in (None, OPERATOR, ITSELF) else to_global(NodeType.RECORD, UUID(by))
