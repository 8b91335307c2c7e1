"""Tables of the register of the operator's duties, which compiled SQL writes (C41, C46, C47, C56, C61, C62, C66).

What duties there are is data (`privacy/data/duties.toml`), and what the operator added; a row each says since when it
holds. That one was done is a row that nobody changes. When one is due again is never stored: it follows from both.
"""

TABLES: tuple[str, ...] = (
    # Of a duty of the catalogue the catalogue says what it is; one of the operator's own says it here.
    (
        "CREATE TABLE duty (code text PRIMARY KEY, since date NOT NULL, retired_on date, told_on date,"
        " title text, clause text, every_months integer, lead_days integer, who text,"
        " CHECK (num_nonnulls(title, every_months, lead_days, who) IN (0, 4)))"
    ),
    # Since when somebody is known to work here; in their first days nothing is overdue.
    (
        "CREATE TABLE duty_staff (duty text NOT NULL REFERENCES duty, staff_id uuid NOT NULL REFERENCES staff,"
        " since date NOT NULL, PRIMARY KEY (duty, staff_id))"
    ),
    "CREATE INDEX duty_staff_staff ON duty_staff (staff_id)",
    (
        "CREATE TABLE duty_done (id uuid PRIMARY KEY, duty text NOT NULL REFERENCES duty,"
        " staff_id uuid REFERENCES staff, due_on date, done_on date NOT NULL, evidence text NOT NULL,"
        " incident_id uuid REFERENCES incident, recorded_at timestamptz NOT NULL, recorded_by text NOT NULL)"
    ),
    "CREATE INDEX duty_done_duty ON duty_done (duty, staff_id, done_on)",
    "CREATE INDEX duty_done_staff ON duty_done (staff_id)",
    # A drill counts once, whoever closes it at the same time.
    "CREATE UNIQUE INDEX duty_done_incident ON duty_done (duty, incident_id) WHERE incident_id IS NOT NULL",
)
