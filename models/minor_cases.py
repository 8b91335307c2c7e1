"""Tables of the scan for minors: the cases it opens, and how far it is (C72)."""

from enum import StrEnum


class MinorOutcome(StrEnum):
    """How a minor's case ended."""

    GUARDIAN_VERIFIED = "GUARDIAN_VERIFIED"
    OF_AGE = "OF_AGE"
    ERASED = "ERASED"
    """The birth date is gone, and with its key everything sealed with it."""
    MISTAKE = "MISTAKE"
    """The record was wrong, and has been put right."""


TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE minor_case (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES person,"
        " opened_at timestamptz NOT NULL, due_at timestamptz NOT NULL, closed_at timestamptz,"
        " outcome text CHECK (outcome IN ('GUARDIAN_VERIFIED', 'OF_AGE', 'ERASED', 'MISTAKE')), closed_by text,"
        " CHECK (num_nonnulls(closed_at, outcome, closed_by) IN (0, 3)))"
    ),
    # One open case a person, however many look at once.
    "CREATE UNIQUE INDEX minor_case_open ON minor_case (person_id) WHERE closed_at IS NULL",
    "CREATE INDEX minor_case_person ON minor_case (person_id)",
    "CREATE INDEX minor_case_opened ON minor_case (opened_at, id)",
    # One row: the scan that runs or ran last; `after` is the last person it has looked at.
    (
        "CREATE TABLE minor_scan (one boolean PRIMARY KEY CHECK (one), began_at timestamptz NOT NULL,"
        " after uuid NOT NULL, finished_at timestamptz)"
    ),
)
