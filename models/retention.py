"""Tables of retention and erasure: agreements, holds, orders, and what the law keeps apart (C27-C29).

An order's `person_id` is gone once nothing of the person is left: then the row says what was done, and no longer of
whom. Whoever was given its id can have it proved (`retention proof`).

`changed_on` of a policy, a claim and a device is the day (Shanghai) on which something was last said of it: from there
counts what an abandoned draft or a device that is not used any more is kept for. Erasing does not move it.
"""

from enum import StrEnum


class AgreementKind(StrEnum):
    """Why data are kept longer than their function needs (C27)."""

    CONSENTED = "CONSENTED"
    """The person agreed to a longer period."""
    SPECIAL = "SPECIAL"
    """A contract with the person says so."""


TODAY = "(now() AT TIME ZONE 'Asia/Shanghai')::date"
"""SQL: the day it is where the brokerage is."""

TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE retention_agreement (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES person,"
        " policy_id uuid REFERENCES policy, retention smallint NOT NULL CHECK (retention BETWEEN 1 AND 4),"
        " kind text NOT NULL CHECK (kind IN ('CONSENTED', 'SPECIAL')), until date NOT NULL, reference text,"
        " recorded_at timestamptz NOT NULL, recorded_by uuid, ended_at timestamptz,"
        " CHECK ((kind = 'SPECIAL') = (reference IS NOT NULL)))"
    ),
    "CREATE INDEX retention_agreement_person ON retention_agreement (person_id)",
    "CREATE INDEX retention_agreement_policy ON retention_agreement (policy_id)",
    (
        "CREATE TABLE legal_hold (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES person,"
        " classes smallint[] NOT NULL CHECK (cardinality(classes) > 0), reference text NOT NULL,"
        " placed_at timestamptz NOT NULL, placed_by text NOT NULL, until date, lifted_at timestamptz, lifted_by text,"
        " CHECK (num_nonnulls(lifted_at, lifted_by) IN (0, 2)))"
    ),
    "CREATE INDEX legal_hold_person ON legal_hold (person_id) WHERE lifted_at IS NULL",
    (
        "CREATE TABLE erasure_order (id uuid PRIMARY KEY, person_id uuid REFERENCES person,"
        " classes smallint[] NOT NULL CHECK (cardinality(classes) > 0), ground text NOT NULL, request_id uuid,"
        " ordered_at timestamptz NOT NULL, due_on date NOT NULL, done_at timestamptz,"
        " CHECK (person_id IS NOT NULL OR done_at IS NOT NULL))"
    ),
    "CREATE INDEX erasure_order_person ON erasure_order (person_id)",
    "CREATE INDEX erasure_order_open ON erasure_order (due_on, id) WHERE done_at IS NULL",
    # What the law wants kept of who a record is about; it opens under an approved disclosure case only.
    (
        "CREATE TABLE restricted_record (person_id uuid PRIMARY KEY REFERENCES person, law text NOT NULL,"
        " until date NOT NULL, made_at timestamptz NOT NULL, sealed bytea NOT NULL)"
    ),
    "CREATE INDEX restricted_record_until ON restricted_record (until, person_id)",
    f"""
CREATE FUNCTION changed_today() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.changed_on := {TODAY};
    RETURN NEW;
END $$
""",
    *(
        f"CREATE TRIGGER changed_today BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.version <> NEW.version) EXECUTE FUNCTION changed_today()"
        for table in ("policy", "claim")
    ),
    (
        "CREATE TRIGGER changed_today BEFORE UPDATE ON device FOR EACH ROW WHEN (num_nonnulls(NEW.model_sealed,"
        " NEW.ip_address_sealed, NEW.push_id_sealed, NEW.last_seen_at_sealed) > 0) EXECUTE FUNCTION changed_today()"
    ),
    # One row: the sweep that runs or ran last; `after` is the last person it has looked at.
    (
        "CREATE TABLE retention_sweep (one boolean PRIMARY KEY CHECK (one), as_of timestamptz NOT NULL,"
        " after uuid NOT NULL, finished_at timestamptz)"
    ),
)
