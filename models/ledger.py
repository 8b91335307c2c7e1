"""The ledger's tables, which Tortoise cannot express: partitioned by month, written by compiled SQL. Never a value.

A row is a text, `body`, and where it stands: which writer wrote it, as its how-manieth. `ledger.rows` says what a body
holds. What the sealer makes of the rows (leaves, nodes, heads, records, accesses) can be made again from them.
"""

PARTITIONED = ("ledger", "ledger_record", "ledger_access")
"""Kept by month: what has been kept long enough goes with its month."""

SEALED = (
    "ledger_leaf",
    "ledger_node",
    "ledger_head",
    "ledger_record",
    "ledger_access",
    "ledger_indexed",
    "ledger_sealer",
    "ledger_use",
)
"""Made by the sealer, as the owner; the application role reads them."""

PARTITIONS = """
CREATE FUNCTION ledger_partitions(since date, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month date;
BEGIN
    -- Two that make the same partition at once: the second one finds it made.
    PERFORM pg_advisory_xact_lock(x'6c656470'::int);
    FOR place IN 0 .. months - 1 LOOP
        month := date_trunc('month', since) + make_interval(months => place);
        FOREACH parent IN ARRAY ARRAY['ledger', 'ledger_record', 'ledger_access'] LOOP
            IF to_regclass(format('%s_%s', parent, to_char(month, 'YYYY_MM'))) IS NULL THEN
                BEGIN
                    EXECUTE format(
                        'CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                        parent || '_' || to_char(month, 'YYYY_MM'), parent, month::timestamptz,
                        (month + interval '1 month')::timestamptz);
                EXCEPTION WHEN check_violation THEN
                    -- Rows of that month stand in the rest already, and the others will stand beside them.
                    NULL;
                END;
            END IF;
        END LOOP;
    END LOOP;
END $$
"""
"""Makes the partitions of so many months, where there are none yet. Months begin in UTC, as every session has it.

A month whose rows came before its partition, from a clock that is ahead, stays in the table's rest.
"""

ADD = """
CREATE FUNCTION ledger_add(by_writer uuid, moments timestamptz[], bodies text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(bodies) body WHERE octet_length(body) >= 8388608) THEN
        -- As a value that cannot be, like any other, not as a constraint: it keeps no other row from being written.
        RAISE EXCEPTION 'a row of the ledger is too long' USING ERRCODE = 'string_data_right_truncation';
    END IF;
    WITH place AS (
        INSERT INTO public.ledger_writer AS w (id, last) VALUES (by_writer, cardinality(moments))
        ON CONFLICT (id) DO UPDATE SET last = w.last + excluded.last RETURNING last
    )
    INSERT INTO public.ledger (writer, sequence, at, body)
    SELECT by_writer, place.last - cardinality(moments) + one.nth, one.at, one.body
    FROM place, unnest(moments, bodies) WITH ORDINALITY one (at, body, nth);
END $$
"""
"""The next rows of a writer: all that the application role may do to the ledger (C59).

It runs as the owner, so that nobody else can set how far a writer has come: a row beyond `last` would never be sealed.
Its tables are named with their schema, lest a temporary table of the caller's stand in for them.
"""

TABLES: tuple[str, ...] = (
    # The last of a writer's rows. Its lock is what makes a writer's sequence without gaps, whatever is rolled back.
    (
        "CREATE TABLE ledger_writer (id uuid PRIMARY KEY, started_at timestamptz NOT NULL DEFAULT now(),"
        " last bigint NOT NULL DEFAULT 0)"
    ),
    (
        "CREATE TABLE ledger (writer uuid NOT NULL, sequence bigint NOT NULL, at timestamptz NOT NULL,"
        " body text NOT NULL, PRIMARY KEY (writer, sequence, at),"
        # What Python can read as a moment, and what the sealer can hold some thousands of.
        " CHECK (at >= '2000-01-01' AND at < '2200-01-01'), CHECK (octet_length(body) < 8388608))"
        " PARTITION BY RANGE (at)"
    ),
    # Random references do not compress, and to try costs the request.
    "ALTER TABLE ledger ALTER COLUMN body SET STORAGE EXTERNAL",
    # The tree (RFC 6962): the leaves in their order, and every complete subtree of two leaves and more.
    (
        "CREATE TABLE ledger_leaf (index bigint PRIMARY KEY, writer uuid NOT NULL, sequence bigint NOT NULL,"
        " at timestamptz NOT NULL, hash bytea NOT NULL, UNIQUE (writer, sequence))"
    ),
    (
        "CREATE TABLE ledger_node (level smallint NOT NULL, index bigint NOT NULL, hash bytea NOT NULL,"
        " PRIMARY KEY (level, index))"
    ),
    (
        "CREATE TABLE ledger_head (size bigint PRIMARY KEY, at timestamptz NOT NULL, root bytea NOT NULL,"
        " signed text NOT NULL)"
    ),
    # What is asked for, by leaf: one record a row, and of each person the records that name them, some at a time.
    (
        "CREATE TABLE ledger_record (index bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL,"
        " outcome text NOT NULL, code text, decision uuid NOT NULL, role text, organization uuid, account uuid,"
        " token text, client text, purpose text, operation_hash text, operation_name text, ruleset int,"
        " coordinates text[] NOT NULL, revealed int NOT NULL, masked int NOT NULL, denied int NOT NULL,"
        " misses int NOT NULL, PRIMARY KEY (index, at)) PARTITION BY RANGE (at)"
    ),
    "CREATE INDEX ledger_record_at ON ledger_record (at, index)",
    "CREATE INDEX ledger_record_decision ON ledger_record (decision)",
    "CREATE INDEX ledger_record_organization ON ledger_record (organization, at) WHERE organization IS NOT NULL",
    "CREATE INDEX ledger_record_account ON ledger_record (account, at) WHERE account IS NOT NULL",
    "CREATE INDEX ledger_record_role ON ledger_record (role, index)",
    "CREATE INDEX ledger_record_purpose ON ledger_record (purpose, index)",
    # `shown`: those of `indexes` where something of the person was shown or changed; null where that is all of them.
    (
        "CREATE TABLE ledger_access (reference bigint NOT NULL, at timestamptz NOT NULL, first bigint NOT NULL,"
        " indexes bigint[] NOT NULL, shown bigint[], PRIMARY KEY (reference, first, at)) PARTITION BY RANGE (at)"
    ),
    # A clock that is wrong by years must not stop the ledger: what belongs to no month yet stands apart.
    "CREATE TABLE ledger_rest PARTITION OF ledger DEFAULT",
    "CREATE TABLE ledger_record_rest PARTITION OF ledger_record DEFAULT",
    "CREATE TABLE ledger_access_rest PARTITION OF ledger_access DEFAULT",
    # What is sealed, with the text it was sealed as; the only way by which the application role sees rows.
    (
        "CREATE VIEW ledger_sealed AS SELECT f.index, f.at, f.hash, l.writer, l.sequence, l.body"
        " FROM ledger_leaf f JOIN ledger l ON l.writer = f.writer AND l.sequence = f.sequence AND l.at = f.at"
    ),
    # Until when the records are made: every leaf below this one has its record.
    "CREATE TABLE ledger_indexed (one boolean PRIMARY KEY DEFAULT TRUE CHECK (one), next bigint NOT NULL DEFAULT 0)",
    "INSERT INTO ledger_indexed DEFAULT VALUES",
    # How the sealer is: when it last looked, and the code of the alarm for which it does not go on, if there is one.
    (
        "CREATE TABLE ledger_sealer (one boolean PRIMARY KEY DEFAULT TRUE CHECK (one),"
        " at timestamptz NOT NULL DEFAULT now(), trouble text)"
    ),
    "INSERT INTO ledger_sealer DEFAULT VALUES",
)

KEPT = "CREATE TABLE ledger_earlier AS SELECT * FROM ledger"

EARLIER: tuple[str, ...] = (
    (
        "SELECT ledger_partitions(month::date, 1)"
        " FROM (SELECT DISTINCT date_trunc('month', at) AS month FROM ledger_earlier) months"
    ),
    # Rows of the earlier ledger, as one writer's. They name no persons: `cells` is what they have instead of entries.
    (
        "WITH earlier AS (INSERT INTO ledger_writer (id, last) SELECT gen_random_uuid(), count(*) FROM ledger_earlier"
        " RETURNING id)"
        " INSERT INTO ledger (writer, sequence, at, body)"
        " SELECT earlier.id, row_number() OVER (ORDER BY l.id), l.at, jsonb_strip_nulls(jsonb_build_object("
        "'v', 1, 'at', to_char(l.at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'kind', 'EARLIER', 'outcome', 'DONE',"
        " 'decision', l.decision_id, 'role', l.role, 'organization', l.organization_id, 'account', l.subject_id,"
        " 'token', l.token_id, 'purpose', l.purpose, 'operation', jsonb_build_object('hash', l.operation_hash,"
        " 'name', l.operation_name), 'ruleset', l.ruleset, 'digest', l.ruleset_digest, 'cells', l.entries))::text"
        " FROM ledger_earlier l, earlier"
    ),
    "DROP TABLE ledger_earlier",
)
