"""Tables of the access review, which compiled SQL writes: what is granted, when it was last used, what was decided.

A grant is a holder, a purpose and a category of data. A holder is a role of the brokerage, or an organization by its
id. `ledger_use` is made by the sealer, as the owner, and outlives the months of the ledger it was made from.
"""

from enum import StrEnum


class HolderKind(StrEnum):
    """Who holds a grant."""

    ROLE = "ROLE"
    ORGANIZATION = "ORGANIZATION"


class Decision(StrEnum):
    """What was decided of a grant; the last decision counts."""

    RECERTIFIED = "RECERTIFIED"
    LAPSED = "LAPSED"
    RESTORED = "RESTORED"


TABLES: tuple[str, ...] = (
    # When a coordinate was last shown to a holder, to the hour.
    (
        "CREATE TABLE ledger_use (holder_kind text NOT NULL, holder text NOT NULL, purpose text NOT NULL,"
        " coordinate text NOT NULL, last_used timestamptz NOT NULL,"
        " PRIMARY KEY (holder_kind, holder, purpose, coordinate))"
    ),
    # Since when a grant stands without a break, and since when it is known that nobody uses it.
    (
        "CREATE TABLE grant_held (holder_kind text NOT NULL, holder text NOT NULL, purpose text NOT NULL,"
        " category text NOT NULL, since timestamptz NOT NULL, reported_at timestamptz,"
        " PRIMARY KEY (holder_kind, holder, purpose, category))"
    ),
    # Every decision, in the order of the numbers: they are given under one lock, so none is committed out of order.
    (
        "CREATE TABLE grant_review (id bigserial PRIMARY KEY, holder_kind text NOT NULL,"
        " holder text NOT NULL, purpose text NOT NULL, category text NOT NULL,"
        " decision text NOT NULL CHECK (decision IN ('RECERTIFIED', 'LAPSED', 'RESTORED')), until timestamptz,"
        " decided_at timestamptz NOT NULL, decided_by text NOT NULL)"
    ),
    "CREATE INDEX grant_review_grant ON grant_review (holder_kind, holder, purpose, category, id)",
)
