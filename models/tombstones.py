"""Table of the tombstones' mark: how far into their file the database knows them (C66)."""

TABLES: tuple[str, ...] = (
    # One row: the first `size` bytes of the file have this SHA-256 and hold so many tombstones, all of them applied.
    (
        "CREATE TABLE tombstone_mark (one boolean PRIMARY KEY CHECK (one), size bigint NOT NULL, digest bytea NOT NULL,"
        " stones bigint NOT NULL, marked_at timestamptz NOT NULL)"
    ),
)
