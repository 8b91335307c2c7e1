"""Tables of statistics: what each month's release says, and which questions have been answered (C40). Of no person.

Only protected figures are ever stored: what was counted is in no table.
"""

from enum import StrEnum


class Counts(StrEnum):
    """What statistics count."""

    POLICIES = "POLICIES"
    CLAIMS = "CLAIMS"


class Dimension(StrEnum):
    """What policies and claims are told apart by."""

    INSURER = "INSURER"
    PRODUCT = "PRODUCT"
    STATUS = "STATUS"
    QUARTER = "QUARTER"


TABLES: tuple[str, ...] = (
    # `spread`: the noise of every figure, as a standard deviation; `salt`: what this month's draws are made with
    # besides the key, so that a release that is made again after a restore has other noise.
    (
        "CREATE TABLE statistics_release (month date PRIMARY KEY, made_at timestamptz NOT NULL,"
        " least integer NOT NULL, spread double precision NOT NULL, salt bytea NOT NULL)"
    ),
    # `dimensions` in the order of their names, joined by +; `cell` has a value for each.
    (
        "CREATE TABLE statistics_figure (month date NOT NULL REFERENCES statistics_release, counts text NOT NULL,"
        " dimensions text NOT NULL, cell text[] NOT NULL, number integer NOT NULL, persons integer NOT NULL,"
        " PRIMARY KEY (month, counts, dimensions, cell))"
    ),
    (
        "CREATE TABLE statistics_question (payer uuid NOT NULL, month date NOT NULL, question text NOT NULL,"
        " asked_at timestamptz NOT NULL, PRIMARY KEY (payer, month, question))"
    ),
    (
        "CREATE TABLE statistics_budget (payer uuid NOT NULL, month date NOT NULL, asked integer NOT NULL,"
        " PRIMARY KEY (payer, month))"
    ),
)
