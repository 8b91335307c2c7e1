"""What the database enforces and Tortoise cannot express: each group applied once, by the migration that names it."""

STATEMENTS: tuple[str, ...] = (
    # A claim's and a beneficiary's repeated columns always equal their policy's.
    "ALTER TABLE policy ADD CONSTRAINT policy_parties_key UNIQUE (id, insurer_id, holder_id, insured_id)",
    "ALTER TABLE policy ADD CONSTRAINT policy_holder_key UNIQUE (id, holder_id)",
    (
        "ALTER TABLE claim ADD CONSTRAINT claim_parties_fkey FOREIGN KEY (policy_id, insurer_id, holder_id, insured_id)"
        " REFERENCES policy (id, insurer_id, holder_id, insured_id)"
    ),
    (
        "ALTER TABLE beneficiary ADD CONSTRAINT beneficiary_holder_fkey FOREIGN KEY (policy_id, holder_id)"
        " REFERENCES policy (id, holder_id)"
    ),
    "ALTER TABLE assignment ADD CONSTRAINT assignment_one_assignee CHECK (num_nonnulls(staff_id, organization_id) = 1)",
    (
        "ALTER TABLE assignment ADD CONSTRAINT assignment_one_target"
        " CHECK (num_nonnulls(policy_id, claim_id, verification_case_id, rights_request_id, disclosure_case_id) = 1)"
    ),
    "ALTER TABLE guardian_link ADD CONSTRAINT guardian_link_two_people CHECK (guardian_id <> child_id)",
    "ALTER TABLE beneficiary ADD CONSTRAINT beneficiary_share_range CHECK (share > 0 AND share <= 100)",
    # A verification case names a consent of its own person.
    "ALTER TABLE consent ADD CONSTRAINT consent_person_key UNIQUE (id, person_id)",
    (
        "ALTER TABLE verification_case ADD CONSTRAINT verification_case_consent_fkey"
        " FOREIGN KEY (consent_id, person_id) REFERENCES consent (id, person_id)"
    ),
    # Drafts have no dates yet: they sort last, and the keyset needs a value.
    "CREATE INDEX policy_starts_on_idx ON policy ((coalesce(starts_on, 'infinity'::date)), id)",
    "CREATE INDEX policy_insurer_starts_on_idx ON policy (insurer_id, (coalesce(starts_on, 'infinity'::date)), id)",
)

ON_CALLERS: tuple[str, ...] = (
    "ALTER TABLE login ADD CONSTRAINT login_one_owner CHECK (num_nonnulls(account_id, staff_id) = 1)",
    "ALTER TABLE session ADD CONSTRAINT session_one_owner CHECK (num_nonnulls(account_id, staff_id) = 1)",
    # One account a username and one a phone, whoever comes first (C01, C49): BlindColumn.USERNAME and LOGIN_PHONE.
    'CREATE UNIQUE INDEX blind_index_login_key ON blind_index ("column", digest) WHERE "column" IN (4, 5)',
)

LISTS: tuple[str, ...] = (
    # Work in hand, by whose it is: few of the rows of those who have work of other kinds too.
    *(
        f"CREATE INDEX assignment_{whose}_{work} ON assignment ({whose}_id, {work}_id) INCLUDE (ended_at)"
        f" WHERE {work}_id IS NOT NULL"
        for whose, work in (
            ("organization", "verification_case"),
            ("staff", "verification_case"),
            ("staff", "rights_request"),
            ("staff", "disclosure_case"),
        )
    ),
    # An audience in its order, without a look at the consents themselves (C21).
    (
        "CREATE INDEX consent_marketing_audience ON consent (recipient_id, audience_id) INCLUDE (person_id, expires_at)"
        " WHERE purpose = 'marketing' AND withdrawn_at IS NULL"
    ),
)
