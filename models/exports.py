"""Tables of exports and of corrections handed on: who may fetch an archive once, and what recipients did (C64)."""

TABLES: tuple[str, ...] = (
    # `digest`: SHA-256 of the link's token, which stands nowhere. `fetched_at` is set once, in the turn that gives it.
    (
        "CREATE TABLE export_link (id uuid PRIMARY KEY, digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),"
        " person_id uuid NOT NULL REFERENCES person, requester_id uuid NOT NULL REFERENCES person,"
        " request_id uuid NOT NULL REFERENCES rights_request, issued_at timestamptz NOT NULL,"
        " expires_at timestamptz NOT NULL, fetched_at timestamptz,"
        " CHECK (expires_at > issued_at AND expires_at <= issued_at + interval '7 days'))"
    ),
    "CREATE INDEX export_link_person ON export_link (person_id, issued_at)",
    "CREATE INDEX export_link_requester ON export_link (requester_id)",
    "CREATE INDEX export_link_request ON export_link (request_id)",
    # What a recipient of a correction did, each once: it was told of it, it has applied it.
    (
        "CREATE TABLE correction_handover (correction_id uuid NOT NULL REFERENCES correction,"
        " organization_id uuid NOT NULL REFERENCES organization,"
        " step text NOT NULL CHECK (step IN ('HANDED_ON', 'ACKNOWLEDGED')), at timestamptz NOT NULL,"
        " PRIMARY KEY (correction_id, organization_id, step))"
    ),
    "CREATE INDEX correction_handover_organization ON correction_handover (organization_id)",
)
