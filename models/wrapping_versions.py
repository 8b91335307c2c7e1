"""Table of the versions of the key-encryption keys, which stand in the keyring: since when, and whether still (C66)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrappedColumn:
    """A column of data keys that the keyring has wrapped: whose each is, and of which retention class."""

    table: str
    column: str
    owner: str
    retention: str
    """As SQL, of a row `t`."""


WRAPPED = (
    WrappedColumn("data_key", "wrapped", "person_id", "t.retention"),
    WrappedColumn("login", "wrapped", "id", "1"),
    WrappedColumn("login", "pending_wrapped", "id", "1"),
)
"""Every column of them, which a rotation goes through."""

# A wrapped key's second and third byte say by which version (vault.sealing).
VERSION_OF = "(get_byte({0}, 1) * 256 + get_byte({0}, 2))"

TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE wrapping_version (version integer PRIMARY KEY CHECK (version BETWEEN 1 AND 65535),"
        " known_since timestamptz NOT NULL, rewrapped_at timestamptz, retired_at timestamptz)"
    ),
    # What a retired key wraps is closed for good: whoever has held on to one for too long must not write by it.
    f"""
    CREATE FUNCTION is_retired(wrapped bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN EXISTS (
            SELECT FROM wrapping_version
            WHERE retired_at IS NOT NULL
            AND version = CASE WHEN octet_length(wrapped) > 2 THEN {VERSION_OF.format("wrapped")} END
        );
    END $$
    """,
    """
    CREATE FUNCTION refuse_retired() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a data key wrapped by a retired key' USING ERRCODE = 'check_violation';
    END $$
    """,
    *(
        f"CREATE TRIGGER {one.column}_not_retired BEFORE INSERT OR UPDATE OF {one.column} ON {one.table} FOR EACH ROW"
        f" WHEN (is_retired(NEW.{one.column})) EXECUTE FUNCTION refuse_retired()"
        for one in WRAPPED
    ),
)
