"""Tables of incidents, which compiled SQL writes: what happened, whom it befell, and what they were told (C62, C63).

Whom an incident befell stands there by reference, as in the ledger: who is erased is nobody's reference any more.
"""

from enum import StrEnum


class Severity(StrEnum):
    """How grave an incident is, by the annex of the national rule of 2025-09-11 on reporting incidents."""

    GENERAL = "GENERAL"
    CONSIDERABLE = "CONSIDERABLE"
    MAJOR = "MAJOR"
    EXTREME = "EXTREME"


TABLES: tuple[str, ...] = (
    # `sought`: by which rows of the ledger it is known; `read_to`: the first of its leaves that is not read yet.
    (
        "CREATE TABLE incident (id uuid PRIMARY KEY, drill boolean NOT NULL, severity text NOT NULL"
        " CHECK (severity IN ('GENERAL', 'CONSIDERABLE', 'MAJOR', 'EXTREME')), facts text NOT NULL,"
        " impact text, measures text, advice text, noticed_at timestamptz NOT NULL, sought jsonb NOT NULL,"
        " opened_at timestamptz NOT NULL, opened_by text NOT NULL, read_to bigint NOT NULL DEFAULT 0,"
        " rows_known bigint NOT NULL DEFAULT 0, report_due_at timestamptz NOT NULL,"
        " letters_due_at timestamptz NOT NULL, reported_at timestamptz, reported_by text, report_reference text,"
        " letters_at timestamptz, letters_by text, withheld_at timestamptz, withheld_by text, withheld_reason text,"
        " closed_at timestamptz, closed_by text, told_report_at timestamptz, told_letters_at timestamptz,"
        " CHECK (num_nonnulls(reported_at, reported_by, report_reference) IN (0, 3)),"
        " CHECK (num_nonnulls(letters_at, letters_by) IN (0, 2)),"
        " CHECK (num_nonnulls(withheld_at, withheld_by, withheld_reason) IN (0, 3)),"
        " CHECK (num_nonnulls(closed_at, closed_by) IN (0, 2)))"
    ),
    "CREATE INDEX incident_opened ON incident (opened_at, id)",
    # One person by reference, or one who is no user, by what stands for them.
    (
        "CREATE TABLE incident_person (id uuid PRIMARY KEY, incident_id uuid NOT NULL REFERENCES incident,"
        " reference bigint, stand_in text, revealed text[] NOT NULL, masked text[] NOT NULL, changed text[] NOT NULL,"
        " first timestamptz NOT NULL, last timestamptz NOT NULL, times integer NOT NULL,"
        " CHECK (num_nonnulls(reference, stand_in) = 1))"
    ),
    (
        "CREATE UNIQUE INDEX incident_person_reference ON incident_person (incident_id, reference)"
        " WHERE reference IS NOT NULL"
    ),
    (
        "CREATE UNIQUE INDEX incident_person_stand_in ON incident_person (incident_id, stand_in)"
        " WHERE stand_in IS NOT NULL"
    ),
    "CREATE INDEX incident_person_known ON incident_person (reference) WHERE reference IS NOT NULL",
    # What somebody was told of, which no later row of the ledger changes: what is new is told in another letter.
    (
        "CREATE TABLE incident_letter (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES incident_person,"
        " revealed text[] NOT NULL, masked text[] NOT NULL, changed text[] NOT NULL,"
        " first timestamptz NOT NULL, last timestamptz NOT NULL, written_at timestamptz NOT NULL,"
        " acknowledged_at timestamptz, acknowledged_by text,"
        " CHECK (num_nonnulls(acknowledged_at, acknowledged_by) IN (0, 2)))"
    ),
    "CREATE INDEX incident_letter_person ON incident_letter (person_id, written_at)",
)
