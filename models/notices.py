"""Tables of notices: versions of the privacy policy, what they tell of, and who was shown and agreed to which.

A notice is never changed once it is published; its `digest` (SHA-256 of the canonical content, hex) is what a consent
and an agreement name (C82). `notice_function` says of a notice, by purpose and kind of recipient, which categories it
tells of (a stored set); BROKER is the brokerage itself.

Who may read with them is the application's to look up and not to widen: its role adds a notice that takes effect after
every other and after now, and says of it what it tells of in the very transaction that adds it (C75, C82).
"""

from typing import NamedTuple

TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE notice (number integer PRIMARY KEY CHECK (number > 0), version varchar(24) NOT NULL UNIQUE,"
        " effective_from timestamptz NOT NULL, major boolean NOT NULL, content text NOT NULL,"
        " digest char(64) NOT NULL UNIQUE, summary text NOT NULL, published_by text NOT NULL,"
        " published_at timestamptz NOT NULL, reason text NOT NULL DEFAULT '',"
        " kept_at timestamptz NOT NULL DEFAULT now())"
    ),
    (
        "CREATE TABLE notice_function (notice integer NOT NULL REFERENCES notice, purpose text NOT NULL,"
        " recipient text NOT NULL, categories bigint NOT NULL, PRIMARY KEY (notice, purpose, recipient))"
    ),
    # `agrees` is null where nobody said anything: the person was first known under this notice. FALSE: they were shown
    # it and keep what the one before says (C75, C78).
    (
        "CREATE TABLE notice_agreement (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES person,"
        " notice integer NOT NULL REFERENCES notice, agrees boolean,"
        " guardian_id uuid REFERENCES person, said_at timestamptz NOT NULL)"
    ),
    "CREATE INDEX notice_agreement_person ON notice_agreement (person_id, notice) WHERE agrees IS NOT FALSE",
    "CREATE INDEX notice_agreement_said ON notice_agreement (person_id, said_at)",
    "CREATE INDEX notice_agreement_guardian ON notice_agreement (guardian_id) WHERE guardian_id IS NOT NULL",
    # Of a processing. A high risk asks for a notice, until `notice` is the version that tells of it (C77).
    (
        "CREATE TABLE impact_assessment (id uuid PRIMARY KEY, title text NOT NULL, text text NOT NULL,"
        " risk text NOT NULL CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH')), assessed_by text NOT NULL,"
        " assessed_at timestamptz NOT NULL, notice integer REFERENCES notice, reminded_at timestamptz)"
    ),
    "CREATE INDEX impact_assessment_open ON impact_assessment (assessed_at) WHERE risk = 'HIGH' AND notice IS NULL",
    """
CREATE FUNCTION notice_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NEW;
    END IF;
    IF NEW.effective_from <= now()
        OR EXISTS (SELECT FROM notice WHERE number >= NEW.number OR effective_from >= NEW.effective_from) THEN
        RAISE EXCEPTION 'a notice takes effect after now and after every other' USING ERRCODE = '42501';
    END IF;
    IF NEW.digest <> encode(sha256(convert_to(NEW.content, 'UTF8')), 'hex') THEN
        RAISE EXCEPTION 'a notice has the digest of its content' USING ERRCODE = '42501';
    END IF;
    NEW.kept_at := now();
    RETURN NEW;
END $$
""",
    "CREATE TRIGGER notice_kept BEFORE INSERT ON notice FOR EACH ROW EXECUTE FUNCTION notice_kept()",
    # now() is when the transaction began, also within a savepoint: no later transaction has the same.
    """
CREATE FUNCTION notice_told() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        AND NOT EXISTS (SELECT FROM notice WHERE number = NEW.notice AND kept_at = now()) THEN
        RAISE EXCEPTION 'what a notice tells of is said when it is published' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$
""",
    "CREATE TRIGGER notice_told BEFORE INSERT ON notice_function FOR EACH ROW EXECUTE FUNCTION notice_told()",
)


class NoticeName(NamedTuple):
    """How a consent names the version that it was given under."""

    version: str
    digest: str


FIRST = NoticeName("2020-10-26", "93804ebd8ffbeed73cb6c97599a362b68c3fb1e9f317cb3b65daa1aa3b50691e")
"""The version that every installation begins with: what is published is never changed, nor is what this release brings
as the first (privacy/data/notices)."""
